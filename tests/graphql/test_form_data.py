"""Forms that arrive in any pieces, and forms that are none."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from forms import BOUNDARY, FORM, form, opened, part

from bareasgi import HttpDisconnectError
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.form_data import FormData, Part

LINES = b"\r\n--\r\n----a+Boundar\r\n\r" * 3


async def in_pieces(body: bytes, size: int) -> AsyncGenerator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(
    body: bytes,
    size: int = 65536,
    *,
    content_type: bytes = FORM[1],
    max_bytes: int | None = None,
) -> list[tuple[Part, bytes]]:
    headers = [(b"content-type", content_type)]
    data = FormData(headers, in_pieces(body, size), max_bytes=max_bytes)
    parts: list[tuple[Part, bytes]] = []
    while (each := await data.next_part()) is not None:
        parts.append((each, await read_part(data)))
    return parts


async def read_part(data: FormData) -> bytes:
    content = b""
    while (chunk := await data.next_chunk()) is not None:
        content += chunk
    return content


async def refusal(body: bytes, size: int = 65536, **options: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await read(body, size, **options)
    return caught.value


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 64, 65536])
async def test_a_form_is_read_in_whatever_pieces_it_arrives(size: int) -> None:
    body = form(
        part("a", "text"),
        part("b", b"", filename="empty"),
        part("c", LINES, filename="c.txt", headers=[b"Content-Type: TEXT/Plain; a=b"]),
    )
    assert await read(body, size) == [
        (Part("a", None, None), b"text"),
        (Part("b", "empty", None), b""),
        (Part("c", "c.txt", "text/plain"), LINES),
    ]


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        (b'name="a"; filename="b"', "a", "b"),
        (b"name=a; filename=b", "a", "b"),
        (b'name="a"; filename=""', "a", ""),
        (b'name="a%22"; filename="%22b%0A"', 'a"', '"b\n'),
        ('name="ä"; filename="ü.txt"'.encode(), "ä", "ü.txt"),
        (b'name="a"; filename="../../b"', "a", "../../b"),
        (b'name="a"; other="b"', "a", None),
        (b'filename="b"', "", "b"),
    ],
)
async def test_a_part_tells_its_names(
    disposition: bytes, name: str, filename: str | None
) -> None:
    body = form(b"Content-Disposition: form-data; " + disposition + b"\r\n\r\nx")
    assert await read(body) == [(Part(name, filename, None), b"x")]


@pytest.mark.parametrize("size", [1, 5, 65536])
async def test_what_is_around_the_parts_is_not_looked_at(size: int) -> None:
    body = b"a word\r\n" + form(part("a", "x")) + b"and --another\r\n" * 10
    assert await read(body, size) == [(Part("a", None, None), b"x")]


@pytest.mark.parametrize("size", [1, 65536])
async def test_a_form_may_have_no_parts(size: int) -> None:
    assert await read(form(), size) == []


async def test_empty_chunks_are_no_end() -> None:
    async def content() -> AsyncGenerator[bytes]:
        yield b""
        async for chunk in in_pieces(form(part("a", "xyz")), 3):
            yield chunk
            yield b""

    data = FormData([FORM], content(), max_bytes=None)
    assert await data.next_part() == Part("a", None, None)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=a", b"a"),
        (b'Multipart/Form-Data;Boundary="a b"', b"a b"),
        (b'multipart/form-data; boundary="a:b/c"; charset=utf-8', b"a:b/c"),
        (b"multipart/form-data; charset=utf-8 ; boundary=a'b ", b"a'b"),
        (b"multipart/form-data; boundary=" + b"x" * 70, b"x" * 70),
    ],
)
async def test_the_boundary_is_found(content_type: bytes, boundary: bytes) -> None:
    body = form(part("a", "x")).replace(BOUNDARY, boundary)
    read_parts = await read(body, content_type=content_type)
    assert read_parts == [(Part("a", None, None), b"x")]


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b"multipart/form-data"],
        [b"multipart/form-data; boundary"],
        [b"multipart/form-data; boundary="],
        [b'multipart/form-data; boundary=""'],
        [b'multipart/form-data; boundary="a'],
        [b"multipart/form-data; boundary=a b"],
        [b"multipart/form-data; boundary=a,b"],
        [b'multipart/form-data; boundary="a\\"b"'],
        [b"multipart/form-data; boundary=\xe4"],
        [b"multipart/form-data; boundary=a\r\nb"],
        [b"multipart/form-data; boundary=" + b"x" * 71],
        [b"multipart/form-data; boundary=" + b"x" * 100_000],
        [b"multipart/form-data; boundary=a; boundary=a"],
        [b"multipart/form-data; boundary=a"] * 2,
        [b"multipart/form-data; xboundary=a"],
    ],
)
def test_there_must_be_one_boundary(values: Sequence[bytes]) -> None:
    headers = [(b"content-type", value) for value in values]
    with pytest.raises(RequestError, match="must have one boundary") as caught:
        FormData(headers, in_pieces(b"", 1), max_bytes=None)
    assert caught.value.status == 400


@pytest.mark.parametrize("size", [1, 4096])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b'{"query": "{ a }"}',
        b"--another\r\n" + part("a", "x") + b"\r\n--another--\r\n",
        b"x" + form(part("a", "x")),
        form(part("a", "x")).replace(b"\r\n", b"\n"),
        form(b"\r\nno headers"),
        form(b"Content-Type: text/plain\r\n\r\nno name"),
        form(b"Content-Disposition: attachment\r\n\r\nno form"),
        form(b"no colon\r\n\r\n"),
        form(b"a b: c\r\n\r\n"),
        form(b": c\r\n\r\n"),
        form(b" folded\r\n\r\n"),
        form(b'Content-Disposition: form-data; name="\xff"\r\n\r\n'),
        form(part("a", "x", headers=[b"Content-Length: 2"])),
        form(part("a", "more than said", headers=[b"Content-Length: 2"])),
        form(part("a", "x", headers=[b"a: " + b"x" * 2**20])),
        form(part("a", "x", headers=[b"a: " + b"x" * 1024, b" " + b"x" * 1024])),
        form(part("a", "x", headers=[b"a: b"] * 8)),
    ],
    ids=[
        "nothing",
        "empty line",
        "JSON",
        "another boundary",
        "text before the boundary",
        "line feeds",
        "no headers",
        "no disposition",
        "no form data",
        "no colon",
        "space in a name",
        "no name",
        "folded first line",
        "no UTF-8",
        "smaller than said",
        "larger than said",
        "header of 1 MB",
        "header in two lines",
        "many headers",
    ],
)
async def test_what_is_no_form_is_refused(body: bytes, size: int) -> None:
    refused = await refusal(body, size)
    assert refused.status == 400
    assert "The form cannot be read" in str(refused)


@pytest.mark.parametrize("size", [1, 65536])
async def test_a_form_that_is_cut_anywhere_is_refused(size: int) -> None:
    body = form(part("a", "text"), part("b", "x", filename="c"))
    for end in range(len(body) - len(b"\r\n")):
        assert (await refusal(body[:end], size)).status == 400


async def test_a_form_that_does_not_end_after_a_header_is_not_kept() -> None:
    given = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal given
        yield opened(part("a", "x")) + b"--" + BOUNDARY + b"\r\na: "
        while True:
            given += 1
            yield b"x" * 100

    data = FormData([FORM], endless(), max_bytes=None)
    await data.next_part()
    await read_part(data)
    with pytest.raises(RequestError, match="header"):
        await data.next_part()
    assert given < 100


async def test_a_form_has_at_most_so_many_bytes() -> None:
    body = form(part("a", "x" * 100))
    assert len(await read(body, 10, max_bytes=len(body))) == 1
    refused = await refusal(body, 10, max_bytes=len(body) - 1)
    assert refused.status == 413
    assert str(refused) == f"The request is longer than {len(body) - 1} bytes"


async def test_what_is_around_the_parts_counts_too() -> None:
    body = form(part("a", "x"))
    for whole in body + b"x" * 1000, b"x" * 1000 + b"\r\n" + body:
        assert (await refusal(whole, 10, max_bytes=1000)).status == 413


@pytest.mark.parametrize("length", [b"11", b"9" * 100_000])
def test_a_form_that_is_announced_to_be_too_large_is_not_read(length: bytes) -> None:
    headers = [(b"content-length", length), FORM]
    with pytest.raises(RequestError) as caught:
        FormData(headers, in_pieces(b"", 1), max_bytes=10)
    assert caught.value.status == 413


@pytest.mark.parametrize("length", [b"10", b"-11", b"+11", b"eleven", b""])
def test_another_length_is_left_to_the_server(length: bytes) -> None:
    FormData([FORM, (b"content-length", length)], in_pieces(b"", 1), max_bytes=10)


async def test_a_client_that_leaves_is_no_fault_of_the_form() -> None:
    async def leaving() -> AsyncGenerator[bytes]:
        yield opened(part("a", "x"))
        raise HttpDisconnectError

    data = FormData([FORM], leaving(), max_bytes=None)
    await data.next_part()
    with pytest.raises(HttpDisconnectError):
        await read_part(data)


async def test_a_part_must_be_read_before_the_next_one() -> None:
    body = form(part("a", "x"), part("b", "x"))
    data = FormData([FORM], in_pieces(body, 65536), max_bytes=None)
    await data.next_part()
    with pytest.raises(TypeError, match="not read to its end"):
        await data.next_part()
