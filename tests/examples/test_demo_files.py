"""The files that the demo's pages load: what was copied, and what was compressed."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT, files_of_the_tree

brotli = pytest.importorskip("brotli", reason="brotli is not installed")

STATIC = ROOT / "examples" / "demo" / "static"
VENDORED = STATIC / "vendored"
MANIFEST: list[dict[str, Any]] = json.loads(
    (VENDORED / "manifest.json").read_text("utf-8")
)
COPIES = {file["name"]: file for package in MANIFEST for file in package["files"]}
AGAIN = (
    "run `python -m bareasgi_static compress examples/demo/static --codings br gzip`"
)
SMALLEST = 512
"""Bytes, below which a compressed form is not made."""


def served() -> list[Path]:
    """Give the files that are asked for by a name of their own."""
    in_tree = [ROOT / path for path in files_of_the_tree()]
    return [
        path
        for path in in_tree
        if STATIC in path.parents and path.suffix in {".css", ".js", ".svg"}
    ]


def coded(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def ids(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def test_what_is_copied_is_what_was_published() -> None:
    sums = {
        name: hashlib.sha256((VENDORED / name).read_bytes()).hexdigest()
        for name in COPIES
    }
    assert sums == {name: file["sha256"] for name, file in COPIES.items()}


def test_everything_copied_is_listed_and_has_its_licence() -> None:
    there = {
        path.name
        for path in VENDORED.iterdir()
        if path.suffix not in {".br", ".gz", ".json"}
    }
    assert there == set(COPIES)
    for package in MANIFEST:
        assert package["licence"] in {"0BSD", "MIT", "OFL-1.1"}
        assert any(file["name"].endswith(".LICENSE") for file in package["files"])


@pytest.mark.parametrize("path", served(), ids=ids)
def test_the_compressed_forms_are_of_the_file_beside_them(path: Path) -> None:
    content = path.read_bytes()
    if len(content) < SMALLEST:
        return
    for suffix, unpack in ((".br", brotli.decompress), (".gz", gzip.decompress)):
        form = coded(path, suffix)
        assert form.exists(), AGAIN
        assert unpack(form.read_bytes()) == content, AGAIN


def test_there_is_no_compressed_form_without_its_file() -> None:
    forms = [path for path in STATIC.rglob("*") if path.suffix in {".br", ".gz"}]
    assert forms
    assert [path for path in forms if not path.with_suffix("").exists()] == []


def test_no_page_and_no_style_has_a_script_a_style_or_a_host_in_it() -> None:
    ours = [path for path in served() if VENDORED not in path.parents]
    templates = sorted((STATIC.parent / "templates").glob("*.html"))
    assert len(templates) == 4
    for path in (*ours, *templates):
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        for refused in (" style=", " onclick=", "<style", "eval(", "//cdn"):
            assert refused not in text, path
        assert "https://" not in text, path
        assert "http://" not in text, path
