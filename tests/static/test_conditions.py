"""Conditional and partial requests, by RFC 9110, in process."""

import email
from pathlib import Path
from typing import Protocol

import pytest

from bareasgi import Headers
from bareasgi.testing import http_request

from .rfc9110 import ALPHABET, CASES, Case
from .trees import MODIFIED, app_of, settle, write

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)

KINDS = {
    # Below 256 KiB files are read at once, above they are streamed.
    "small": ALPHABET,
    "large": ALPHABET * 10_000,
}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose files may be kept in memory."""
    folder = tmp_path_factory.mktemp("settled")
    for kind, content in KINDS.items():
        write(folder / f"{kind}.txt", content, modified=MODIFIED)
    settle(folder)
    return folder


@each_case
@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_that_was_not_asked_for_before(
    kind: str, case: Case, tmp_path: Path
) -> None:
    write(tmp_path / f"{kind}.txt", KINDS[kind], modified=MODIFIED)
    app = app_of(tmp_path, cache_control="max-age=60")
    etag = dict((await http_request(app, "HEAD", f"/static/{kind}.txt")).headers)[
        b"etag"
    ]
    fill = values(len(KINDS[kind]), etag)
    response = await http_request(
        app, case.method, f"/static/{kind}.txt", headers=filled(case, fill)
    )
    check(response, case, fill, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_that_is_known(kind: str, settled: Path) -> None:
    app = app_of(settled, cache_control="max-age=60")
    etag = dict((await http_request(app, "GET", f"/static/{kind}.txt")).headers)[
        b"etag"
    ]
    fill = values(len(KINDS[kind]), etag)
    # All in one test: every case is about the same file, as it was kept.
    for case in CASES:
        response = await http_request(
            app, case.method, f"/static/{kind}.txt", headers=filled(case, fill)
        )
        check(response, case, fill, KINDS[kind])


def values(size: int, etag: bytes) -> dict[str, str]:
    """What the placeholders of the table stand for."""
    return {
        "size": str(size),
        "end": str(size - 1),
        "minus5": str(size - 5),
        "etag": etag.decode(),
    }


def filled(case: Case, fill: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (name.encode(), value.format(**fill).encode()) for name, value in case.request
    ]


class Answered(Protocol):
    """What was answered, in process or to curl."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def body(self) -> bytes: ...


def check(response: Answered, case: Case, fill: dict[str, str], content: bytes) -> None:
    assert response.status == case.status, case.title
    headers = {name.decode(): value.decode() for name, value in response.headers}
    assert len(headers) == len(response.headers), "a field is there twice"
    for name, value in case.headers.items():
        expected = None if value is None else value.format(**fill)
        assert headers.get(name) == expected, (case.title, name)
    if case.parts is not None:
        check_parts(response.body, headers, case.parts, content)
    elif case.status in {200, 206}:
        assert response.body == content[case.body], case.title
    if case.method != "HEAD" and case.status != 304:
        assert headers["content-length"] == str(len(response.body)), case.title


def check_parts(
    body: bytes, headers: dict[str, str], parts: list[tuple[int, int]], content: bytes
) -> None:
    kind = headers["content-type"]
    assert kind.startswith("multipart/byteranges; boundary=")
    # A parser that is not ours (RFC 2046, section 5.1).
    message = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + body)
    assert message.is_multipart()
    assert message.defects == []
    found = [
        (part["content-range"], part["content-type"], part.get_payload(decode=True))
        for part in message.walk()
        if part is not message
    ]
    assert found == [
        (
            f"bytes {start}-{stop - 1}/{len(content)}",
            "text/plain; charset=utf-8",
            content[start:stop],
        )
        for start, stop in parts
    ]
