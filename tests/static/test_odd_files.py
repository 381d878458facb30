"""Files that are not what one expects, or do not stay what they were."""

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bareasgi.testing import http_request, http_stream
from bareasgi_static import FileShrankError
from bareasgi_static.bodies import PIECE
from bareasgi_static.files import open_file, resolved_path
from bareasgi_static.representation import SMALL

from .executors import busy_executor, turns
from .trees import app_of, descriptors, watching_opens, write

GIB = 1024**3


@pytest.fixture(autouse=True)
def nothing_stays_open(tmp_path: Path) -> Iterator[None]:
    yield
    assert {path for path in descriptors() if path.startswith(str(tmp_path))} == set()


@pytest.mark.parametrize(
    "size", [0, 1, SMALL - 1, SMALL, SMALL + 1, PIECE, 2 * PIECE, 2 * PIECE + 1]
)
async def test_a_file_of_any_size_is_sent_whole(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    write(tmp_path / "file", content)
    app = app_of(tmp_path)
    for _ in range(2):
        response = await http_request(app, "GET", "/static/file")
        assert (response.status, response.body == content) == (200, True)
        assert dict(response.headers)[b"content-length"] == str(size).encode()


async def test_an_empty_file_has_no_ranges(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    app = app_of(tmp_path)
    for value, status in (("0-0", 416), ("0-", 416), ("-0", 416), ("-5", 200)):
        headers = [(b"range", f"bytes={value}".encode())]
        response = await http_request(app, "GET", "/static/file", headers=headers)
        assert (response.status, response.body) == (status, b""), value
        if status == 416:
            assert (b"content-range", b"bytes */0") in response.headers


async def test_positions_beyond_2_gib_are_found(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.seek(5 * GIB)
        file.write(b"the end")
    app = app_of(tmp_path)
    head = await http_request(app, "HEAD", "/static/file")
    assert dict(head.headers)[b"content-length"] == str(5 * GIB + 7).encode()
    for value in (f"{5 * GIB}-", "-7", f"{5 * GIB}-{5 * GIB + 6}"):
        headers = [(b"range", f"bytes={value}".encode())]
        response = await http_request(app, "GET", "/static/file", headers=headers)
        assert (response.status, response.body) == (206, b"the end")
    headers = [(b"range", f"bytes=0-0,{3 * GIB}-{3 * GIB},-3".encode())]
    response = await http_request(app, "GET", "/static/file", headers=headers)
    assert response.status == 206
    assert b"\r\n\r\nend\r\n" in response.body
    length = dict(response.headers)[b"content-length"]
    assert length == str(len(response.body)).encode()


# --- what is no regular file ----------------------------------------------------------


async def test_a_fifo_is_not_found_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    write(tmp_path / "page.css", "p {}")
    os.mkfifo(tmp_path / "page.css.br")
    app = app_of(tmp_path)
    assert (await http_request(app, "GET", "/static/fifo")).status == 404
    accepts = [(b"accept-encoding", b"br")]
    response = await http_request(app, "GET", "/static/page.css", headers=accepts)
    assert (response.status, response.body) == (200, b"p {}")


async def test_a_fifo_is_not_even_opened(tmp_path: Path) -> None:
    # A writer would be let in by a reader, and break when that goes.
    os.mkfifo(tmp_path / "fifo")
    app = app_of(tmp_path)
    with watching_opens() as names:
        assert (await http_request(app, "GET", "/static/fifo")).status == 404
    assert names != []
    assert "fifo" not in names


async def test_sockets_and_folders_are_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    app = app_of(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket must be short.
        monkeypatch.chdir(tmp_path)
        listener.bind("socket")
        for name in ("socket", "folder", "folder/", ""):
            response = await http_request(app, "GET", f"/static/{name}")
            assert response.status == 404, name


async def test_a_folder_in_the_place_of_the_index_is_not_found(tmp_path: Path) -> None:
    write(tmp_path / "one" / "index.html" / "page.txt", "a page")
    write(tmp_path / "page.css", "p {}")
    (tmp_path / "page.css.gz").mkdir()
    app = app_of(tmp_path)
    for path in ("one", "one/", "one/index.html/", "one/index.html"):
        assert (await http_request(app, "GET", f"/static/{path}")).status == 404, path
    inner = await http_request(app, "GET", "/static/one/index.html/page.txt")
    assert inner.status == 200
    accepts = [(b"accept-encoding", b"gzip")]
    response = await http_request(app, "GET", "/static/page.css", headers=accepts)
    assert response.body == b"p {}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("size", [1, SMALL + 1])
async def test_what_may_not_be_read_is_not_found(size: int, tmp_path: Path) -> None:
    write(tmp_path / "file", b"x" * size).chmod(0)
    write(tmp_path / "closed" / "file", b"x" * size)
    (tmp_path / "closed").chmod(0)
    app = app_of(tmp_path)
    try:
        for name in ("file", "closed/file", "closed/", "closed"):
            response = await http_request(app, "GET", f"/static/{name}")
            assert response.status == 404, name
    finally:
        (tmp_path / "closed").chmod(0o700)


async def test_a_file_with_a_time_that_cannot_be_is_served(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    for seconds in (-(10**9), -1, 0, 2**33, 10**10):
        path = write(tmp_path / "file", b"content")
        with suppress(OverflowError):
            os.utime(path, (seconds, seconds))
        response = await http_request(app, "GET", "/static/file")
        assert response.status == 200, seconds
        told = dict(response.headers)[b"last-modified"].decode()
        # RFC 9110, section 8.8.2.1: not later than now.
        assert 1970 <= int(told.split()[3]) < 2100, told


async def test_a_lack_of_descriptors_is_no_missing_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "file", b"content")
    app = app_of(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The thread is there already: to start one may take a descriptor.
    assert (await http_request(app, "GET", "/static/file")).status == 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        response = await http_request(app, "GET", "/static/file")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (response.status, response.body) == (500, b"Internal Server Error")
    assert "Too many open files" in caplog.text
    assert (await http_request(app, "GET", "/static/file")).status == 200


# --- what changes while it is sent ----------------------------------------------------


async def test_a_file_that_shrinks_while_it_is_sent_cuts_the_response(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "file", b"a" * 4 * PIECE)
    with pytest.raises(FileShrankError):  # noqa: PT012 - the end of the block raises it
        async with http_stream(app_of(tmp_path), "GET", "/static/file") as stream:
            await stream.chunk()
            os.truncate(path, PIECE)
            async for _ in stream:
                pass
    assert "a body failed" in caplog.text


async def test_a_file_that_grows_while_it_is_sent_keeps_its_length(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "file", b"a" * 4 * PIECE)
    async with http_stream(app_of(tmp_path), "GET", "/static/file") as stream:
        await stream.chunk()
        with path.open("ab") as file:
            file.write(b"b" * PIECE)
        async for _ in stream:
            pass
    assert stream.body == b"a" * 4 * PIECE


@pytest.mark.parametrize("size", [100, 4 * PIECE])
async def test_a_file_that_is_deleted_while_it_is_sent_is_whole_and_then_missing(
    size: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "file", b"a" * size)
    app = app_of(tmp_path)
    async with http_stream(app, "GET", "/static/file") as stream:
        await stream.started()
        path.unlink()
        async for _ in stream:
            pass
    assert len(stream.body) == size
    assert (await http_request(app, "GET", "/static/file")).status == 404


async def test_a_file_that_is_replaced_while_it_is_sent_stays_the_one_it_was(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "file", b"a" * 4 * PIECE)
    app = app_of(tmp_path)
    async with http_stream(app, "GET", "/static/file") as stream:
        await stream.chunk()
        write(tmp_path / "new", b"b" * 4 * PIECE).rename(path)
        async for _ in stream:
            pass
    assert stream.body == b"a" * 4 * PIECE
    again = await http_request(app, "GET", "/static/file")
    assert again.body == b"b" * 4 * PIECE
    assert dict(again.headers)[b"etag"] != dict(stream.headers)[b"etag"]


# --- what is left ---------------------------------------------------------------------


async def test_nothing_is_left_open_when_clients_leave(tmp_path: Path) -> None:
    write(tmp_path / "file", b"a" * 4 * PIECE)
    app = app_of(tmp_path)

    async def leave(turns_before: int) -> None:
        async with http_stream(app, "GET", "/static/file") as stream:
            if turns_before:
                await stream.chunk()

    await asyncio.gather(*(leave(number % 2) for number in range(200)))


async def test_nothing_is_left_open_by_a_head_or_a_condition(tmp_path: Path) -> None:
    write(tmp_path / "file", b"a" * 4 * PIECE)
    write(tmp_path / "file.br", b"a" * 3 * PIECE)
    write(tmp_path / "file.gz", b"a" * 2)
    app = app_of(tmp_path)
    assert (await http_request(app, "HEAD", "/static/file")).status == 200
    for headers, status in (
        ([(b"if-none-match", b"*")], 304),
        ([(b"if-match", b'"a"')], 412),
        ([(b"range", b"bytes=9999999-")], 416),
        ([(b"accept-encoding", b"identity;q=0")], 406),
        ([(b"accept-encoding", b"br")], 200),
        ([(b"accept-encoding", b"gzip;q=0.9, br;q=0.1")], 200),
    ):
        response = await http_request(app, "GET", "/static/file", headers=headers)
        assert response.status == status


@pytest.mark.parametrize("name", ["file", "missing", "folder"])
async def test_nothing_is_left_open_by_a_request_cancelled_while_it_looks(
    name: str, tmp_path: Path
) -> None:
    write(tmp_path / "file", b"a" * 4 * PIECE)
    write(tmp_path / "folder" / "index.html", "a page")
    app = app_of(tmp_path)
    async with busy_executor() as executor:
        async with http_stream(app, "GET", f"/static/{name}") as stream:
            await turns()
            stream.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stream.finished()
        await executor.release()
        await turns()


async def test_nothing_is_left_open_by_a_look_that_never_began(tmp_path: Path) -> None:
    write(tmp_path / "file", b"a" * 4 * PIECE)
    app = app_of(tmp_path)
    async with busy_executor() as executor:
        async with http_stream(app, "GET", "/static/file") as stream:
            await turns()
            stream.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stream.finished()
        await executor.drop()
        await turns()


# --- servers that send files by themselves --------------------------------------------

PATHSEND: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}


async def test_a_server_that_can_is_given_the_resolved_path(tmp_path: Path) -> None:
    write(tmp_path / "real" / "file", b"a" * 2 * PIECE)
    write(tmp_path / "real" / "small", b"a")
    (tmp_path / "link").symlink_to("real")
    app = app_of(tmp_path / "link")
    large = await http_request(app, "GET", "/static/file", scope=PATHSEND)
    assert [message["type"] for message in large.messages] == [
        "http.response.start",
        "http.response.pathsend",
    ]
    path = (tmp_path / "real" / "file").resolve()
    assert large.messages[1]["path"] == str(path)
    length = dict(large.headers)[b"content-length"]
    assert length == str(2 * PIECE).encode()
    small = await http_request(app, "GET", "/static/small", scope=PATHSEND)
    assert small.body == b"a"


async def test_only_whole_files_are_given_to_the_server(tmp_path: Path) -> None:
    write(tmp_path / "file", b"a" * 2 * PIECE)
    app = app_of(tmp_path)
    for value, size in (("0-", 2 * PIECE), ("1-", 2 * PIECE - 1), ("0-1,5-6", None)):
        headers = [(b"range", f"bytes={value}".encode())]
        response = await http_request(
            app, "GET", "/static/file", headers=headers, scope=PATHSEND
        )
        assert response.status == 206
        assert size in {None, len(response.body)}
    head = await http_request(app, "HEAD", "/static/file", scope=PATHSEND)
    assert [message["type"] for message in head.messages] == [
        "http.response.start",
        "http.response.body",
    ]


def test_a_file_that_was_replaced_has_no_path_to_give_away(tmp_path: Path) -> None:
    path = write(tmp_path / "file", b"a")
    opened = open_file(str(path))
    opened.file.close()
    assert resolved_path(opened.look) == str(path.resolve())
    write(tmp_path / "new", b"b").rename(path)
    assert resolved_path(opened.look) is None
    path.unlink()
    assert resolved_path(opened.look) is None
