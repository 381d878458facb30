"""Single files, from handlers that know which."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi.testing import Response, http_request
from bareasgi_static import file_response, file_writer
from bareasgi_static.bodies import PIECE
from bareasgi_static.representation import content_disposition

from .executors import busy_executor, turns
from .trees import MODIFIED, descriptors, write

SIZES = pytest.mark.parametrize("size", [100, 3 * PIECE], ids=["small", "large"])


@pytest.fixture(autouse=True)
def nothing_stays_open(tmp_path: Path) -> Iterator[None]:
    yield
    assert {path for path in descriptors() if path.startswith(str(tmp_path))} == set()


def app_with(path: Path | str, status: int = 200, **options: Any) -> Application:
    app = Application()

    @app.on_http_request({"GET", "POST"}, "/")
    async def download(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await file_response(scope, status, path, **options)

    return app


async def get(
    app: Application, *headers: tuple[bytes, bytes], method: str = "GET"
) -> Response:
    return await http_request(app, method, "/", headers=headers)


@SIZES
async def test_a_file_is_a_response(size: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"a" * size, modified=MODIFIED)
    for given in (path, str(path)):
        response = await get(app_with(given))
        assert response.status == 200
        assert response.body == b"a" * size
        headers = dict(response.headers)
        assert headers.pop(b"etag").startswith(b'"')
        assert headers == {
            b"content-type": b"text/plain; charset=utf-8",
            b"content-length": str(size).encode(),
            b"last-modified": b"Sun, 02 Feb 2020 02:02:02 GMT",
            b"accept-ranges": b"bytes",
            b"x-content-type-options": b"nosniff",
        }


@SIZES
async def test_head_and_ranges_are_answered(size: int, tmp_path: Path) -> None:
    app = app_with(write(tmp_path / "a.txt", b"a" * size))
    head = await get(app, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert dict(head.headers)[b"content-length"] == str(size).encode()
    part = await get(app, (b"range", b"bytes=-10"))
    assert (part.status, part.body) == (206, b"a" * 10)
    beyond = await get(app, (b"range", b"bytes=9999999-"))
    assert beyond.status == 416
    tag = dict(head.headers)[b"etag"]
    resumed = await get(app, (b"range", b"bytes=90-"), (b"if-range", tag))
    assert resumed.status == 206
    changed = await get(app, (b"range", b"bytes=90-"), (b"if-range", b'"x"'))
    assert changed.status == 200


@SIZES
async def test_conditions_are_answered_when_they_are_to_be_checked(
    size: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.txt", b"a" * size, modified=MODIFIED)
    plain, checking = app_with(path), app_with(path, check_modified=True)
    tag = dict((await get(plain)).headers)[b"etag"]
    for field, status in (
        ((b"if-none-match", tag), 304),
        ((b"if-modified-since", b"Sun, 02 Feb 2020 02:02:02 GMT"), 304),
        ((b"if-match", b'"x"'), 412),
        ((b"if-unmodified-since", b"Sun, 02 Feb 2020 02:02:01 GMT"), 412),
        ((b"if-match", tag), 200),
    ):
        assert (await get(checking, field)).status == status
        assert (await get(plain, field)).status == 200


@SIZES
@pytest.mark.parametrize("status", [201, 404, 503])
async def test_another_status_is_always_the_whole_file(
    status: int, size: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "404.html", b"a" * size)
    app = app_with(path, status, check_modified=True)
    asked = (b"range", b"bytes=0-1"), (b"if-none-match", b"*")
    response = await get(app, *asked)
    assert (response.status, len(response.body)) == (status, size)
    head = await get(app, *asked, method="HEAD")
    assert (head.status, head.body) == (status, b"")


async def test_headers_are_kept_but_those_of_the_file(tmp_path: Path) -> None:
    given = [
        (b"x-one", b"1"),
        (b"content-type", b"text/x-own"),
        (b"content-length", b"12345"),
        (b"etag", b'"mine"'),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"other"),
    ]
    before = [*given]
    path = write(tmp_path / "a.txt", b"abc")
    headers = (await get(app_with(path, headers=given))).headers
    assert given == before
    assert len({name for name, _ in headers}) == len(headers)
    found = dict(headers)
    assert found[b"x-one"] == b"1"
    assert found[b"content-type"] == b"text/x-own"
    assert found[b"content-length"] == b"3"
    assert found[b"etag"] != b'"mine"'
    assert found[b"cache-control"] == b"no-store"
    assert found[b"x-content-type-options"] == b"other"
    told = await get(app_with(path, headers=given, content_type="text/x-told"))
    assert dict(told.headers)[b"content-type"] == b"text/x-told"


async def test_a_filename_makes_it_a_download(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"abc")
    response = await get(app_with(path, filename="report.txt"))
    found = dict(response.headers)[b"content-disposition"]
    assert found == b'attachment; filename="report.txt"'
    own = [(b"content-disposition", b"inline")]
    response = await get(app_with(path, headers=own, filename="report.txt"))
    assert dict(response.headers)[b"content-disposition"] == b"inline"


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("two words.txt", 'attachment; filename="two words.txt"'),
        ("", 'attachment; filename=""'),
        (
            "\u20ac rates.txt",
            (
                'attachment; filename="_ rates.txt"; '
                "filename*=UTF-8''%E2%82%AC%20rates.txt"
            ),
        ),
        (
            'a"b.txt',
            "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt",
        ),
        (
            "100%41.txt",
            "attachment; filename=\"100_41.txt\"; filename*=UTF-8''100%2541.txt",
        ),
        (
            "../../etc/passwd",
            (
                'attachment; filename=".._.._etc_passwd"; '
                "filename*=UTF-8''.._.._etc_passwd"
            ),
        ),
        (
            "..\\a.exe",
            "attachment; filename=\".._a.exe\"; filename*=UTF-8''.._a.exe",
        ),
        (
            "a\r\nx-evil: 1",
            "attachment; filename=\"a__x-evil: 1\"; filename*=UTF-8''a__x-evil%3A%201",
        ),
        ("\udc80", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
    ],
    ids=ascii,
)
def test_a_disposition_is_safe_and_exact(filename: str, expected: str) -> None:
    assert content_disposition(filename) == (b"content-disposition", expected.encode())


async def test_a_file_that_is_not_there_is_a_404(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "nothing", tmp_path, tmp_path / "fifo", "nul\0"):
        response = await get(app_with(path))
        assert response.status == 404, path
        assert str(tmp_path).encode() not in response.body


async def test_links_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"abc")
    (tmp_path / "link.txt").symlink_to("a.txt")
    assert (await get(app_with(tmp_path / "link.txt"))).body == b"abc"


@SIZES
async def test_a_request_that_is_cancelled_leaves_nothing_open(
    size: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.txt", b"a" * size)
    async with busy_executor() as executor:
        asking = asyncio.create_task(file_response({"headers": []}, 200, path))
        await turns()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await executor.release()
        await turns()


# --- file_writer ----------------------------------------------------------------------


async def collected(path: Path, *chunk_size: int) -> list[bytes]:
    return [chunk async for chunk in file_writer(path, *chunk_size)]


async def test_a_body_is_made_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"abc" * 50_000)
    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def send(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [(b"content-type", b"text/plain")], file_writer(path)

    response = await get(app)
    assert list(map(len, response.chunks)) == [65536, 65536, 150_000 - 2 * 65536]
    assert response.body == path.read_bytes()
    assert (await get(app, method="HEAD")).body == b""


async def test_chunks_have_the_size_that_is_asked_for(tmp_path: Path) -> None:
    app = Application()

    @app.on_http_request({"GET"}, "/{size:int}")
    async def send(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, file_writer(str(tmp_path / "a.txt"), matches["size"])

    write(tmp_path / "a.txt", b"abcdefg")
    response = await http_request(app, "GET", "/3")
    assert response.chunks == [b"abc", b"def", b"g"]
    write(tmp_path / "a.txt", b"")
    assert (await http_request(app, "GET", "/3")).chunks == []


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunks_have_a_size(chunk_size: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        file_writer(write(tmp_path / "a.txt", b"abc"), chunk_size)


def test_a_body_of_no_file_is_an_error_at_once(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            file_writer(path)
