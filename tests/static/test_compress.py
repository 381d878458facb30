"""The command that writes coded forms of files, as it is called."""

import gzip
import os
import runpy
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from bareasgi.testing import http_request
from bareasgi_static.__main__ import main
from bareasgi_static.compress import find_files

from .trees import MODIFIED, app_of, write

TEXT = "All work and no play makes Jack a dull boy.\n" * 200
SUFFIXES = {".br", ".zst", ".gz"}


def forms(folder: Path) -> set[str]:
    """Give the paths of what was written, below the folder."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
    }


def compress(folder: Path, *options: str) -> int:
    return main(["compress", str(folder), *options])


def test_each_form_has_the_content_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "assets" / "app.js", TEXT)
    assert compress(tmp_path) == 0
    assert forms(tmp_path) == {f"assets/app.js{suffix}" for suffix in SUFFIXES}
    decoders = {
        ".br": brotli.decompress,
        ".zst": zstandard.ZstdDecompressor().decompressobj().decompress,
        ".gz": gzip.decompress,
    }
    for suffix, decode in decoders.items():
        coded = path.with_name(path.name + suffix)
        assert decode(coded.read_bytes()) == TEXT.encode()
        assert coded.stat().st_size < path.stat().st_size / 10
    assert len([*path.parent.iterdir()]) == 4, "something else was left"


async def test_what_was_written_is_served(tmp_path: Path) -> None:
    write(tmp_path / "app.js", TEXT)
    assert compress(tmp_path, "--quiet") == 0
    app = app_of(tmp_path)
    for coding in (b"br", b"zstd", b"gzip"):
        accepts = [(b"accept-encoding", coding)]
        response = await http_request(app, "GET", "/static/app.js", headers=accepts)
        assert (b"content-encoding", coding) in response.headers
        assert len(response.body) < len(TEXT) / 10


def test_it_tells_on_stderr_how_far_it_is(tmp_path: Path) -> None:
    write(tmp_path / "app.js", TEXT)
    ran = subprocess.run(
        [sys.executable, "-m", "bareasgi_static", "compress", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == ""
    assert "100%" in ran.stderr
    assert "1 files: 3 forms written" in ran.stderr
    quiet = subprocess.run(
        [sys.executable, "-m", "bareasgi_static", "compress", "--quiet", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert quiet.stdout == quiet.stderr == ""


def test_what_is_up_to_date_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "app.js", TEXT, modified=MODIFIED)
    compress(tmp_path)
    written = {name: (tmp_path / name).stat().st_ino for name in forms(tmp_path)}
    capsys.readouterr()
    compress(tmp_path)
    assert "0 forms written, 0 bytes saved, 3 up to date" in capsys.readouterr().err
    assert written == {n: (tmp_path / n).stat().st_ino for n in forms(tmp_path)}
    # Also when an older file was put back.
    write(path, TEXT.upper(), modified=MODIFIED - 100)
    compress(tmp_path)
    assert gzip.decompress((tmp_path / "app.js.gz").read_bytes()).isupper()


def test_forms_have_the_rights_and_the_time_of_their_file(tmp_path: Path) -> None:
    path = write(tmp_path / "app.js", TEXT, modified=MODIFIED)
    path.chmod(0o644)
    compress(tmp_path)
    for name in forms(tmp_path):
        status = (tmp_path / name).stat()
        assert stat.S_IMODE(status.st_mode) == 0o644
        assert status.st_mtime == MODIFIED


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder, modified in (("one", MODIFIED), ("two", MODIFIED + 99)):
        write(tmp_path / folder / "app.js", TEXT, modified=modified)
        compress(tmp_path / folder)
    for name in forms(tmp_path / "one"):
        one, two = (
            (tmp_path / folder / name).read_bytes() for folder in ("one", "two")
        )
        assert one == two
    header = (tmp_path / "one" / "app.js.gz").read_bytes()[:8]
    assert header[4:] == bytes(4), "the time is in it"


def test_what_does_not_shrink_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = write(tmp_path / "noise.txt", os.urandom(4096))
    # Forms of other content, which would be served.
    for suffix in SUFFIXES:
        write(tmp_path / f"noise.txt{suffix}", "stale")
    assert compress(tmp_path) == 0
    assert forms(tmp_path) == set()
    assert [*tmp_path.iterdir()] == [noise]
    assert "3 not worth it" in capsys.readouterr().err


def test_only_files_worth_it_are_found(tmp_path: Path) -> None:
    for name in ("b.css", "a/c.svg", "a/b/d.html", "z.json"):
        write(tmp_path / name, TEXT)
    for name in ("image.png", "a.woff2", "a.css.gz", "a.css.br", "a.css.zst", "plain"):
        write(tmp_path / name, TEXT)
    for name in (".hidden.css", ".git/config.json", "a/.cache/x.css"):
        write(tmp_path / name, TEXT)
    write(tmp_path / "small.css", "p {}")
    (tmp_path / "link.css").symlink_to("b.css")
    (tmp_path / "linked").symlink_to("a")
    os.mkfifo(tmp_path / "fifo.css")
    (tmp_path / "folder.css").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in find_files(str(tmp_path))]
    assert found == ["b.css", "z.json", "a/c.svg", "a/b/d.html"]
    assert len([*find_files(str(tmp_path), 1)]) == 5


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.txt", "untouched")
    write(tmp_path / "root" / "app.js", TEXT)
    (tmp_path / "root" / "app.js.gz").symlink_to(outside)
    compress(tmp_path / "root")
    assert outside.read_text() == "untouched"
    assert not (tmp_path / "root" / "app.js.gz").is_symlink()


def test_codings_and_size_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path / "a.css", "p {}\n" * 20)
    assert compress(tmp_path, "--minimum-size", "10", "--codings", "gzip") == 0
    assert forms(tmp_path) == {"a.css.gz"}


def test_a_large_file_is_compressed_piece_by_piece(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", TEXT * 300)
    assert path.stat().st_size > 2 * 1024 * 1024
    compress(tmp_path, "--codings", "gzip")
    coded = (tmp_path / "a.txt.gz").read_bytes()
    assert zlib.crc32(gzip.decompress(coded)) == zlib.crc32(path.read_bytes())


@pytest.mark.parametrize("module", ["brotli", "zstandard", "tqdm"])
def test_a_missing_module_is_an_error_that_says_how_to_get_it(
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "a.css", TEXT)
    monkeypatch.setitem(sys.modules, module, None)
    assert compress(tmp_path) == 1
    told = capsys.readouterr().err
    assert f"{module} is not installed" in told
    assert "'bareasgi-static[compress]'" in told
    assert forms(tmp_path) == set()


def test_a_file_that_is_gone_is_an_error_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a"
    write(folder / "a.css.br" / "in the way", "")
    write(folder / "a.css", TEXT)
    assert compress(folder) == 1
    assert "a.css.br" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == [folder / "a.css", folder / "a.css.br"]


def test_it_is_a_module_that_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.css", TEXT)
    monkeypatch.delitem(sys.modules, "bareasgi_static.__main__")
    monkeypatch.setattr(sys, "argv", ["-m", "compress", "--quiet", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("bareasgi_static", run_name="__main__")
    assert ended.value.code == 0
    assert len(forms(tmp_path)) == 3


@pytest.mark.parametrize(
    "arguments", [[], ["compress"], ["compress", "/no/such/folder"], ["serve"]]
)
def test_wrong_arguments_are_told_and_are_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m bareasgi_static" in capsys.readouterr().err
