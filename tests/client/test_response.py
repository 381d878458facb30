"""What an answer offers: as a tuple, by attributes, as a mapping, and to be read."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bareasgi import Headers, HttpError, HttpResponse, bytes_reader, bytes_writer
from bareclient import (
    BodyTooLargeError,
    Client,
    DecodingError,
    Limits,
    Response,
    ServerEvent,
    StatusError,
)

from .applications import chunks


class Body:
    """A body that tells whether it was closed."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = [*parts]
        self.closings = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.parts:
            raise StopAsyncIteration
        return self.parts.pop(0)

    async def aclose(self) -> None:
        self.closings += 1


async def respond(response: HttpResponse, **options: Any) -> Response:
    """Have a transport that is a plain handler give this."""

    async def transport(*arguments: Any) -> HttpResponse:
        return response

    client = Client(transport=transport, base_url="http://h/", **options)
    return await client.request("GET", "/a?b")


async def test_it_is_the_tuple_that_a_handler_returns() -> None:
    headers = [(b"x", b"y")]
    body = Body()
    response = await respond((200, headers, body))
    assert isinstance(response, tuple)
    status, its_headers, its_body, pushes = response
    assert (status, its_headers, its_body, pushes) == (200, headers, body, None)
    assert len(response) == 4
    assert response[0] == 200
    assert response[1:3] == (headers, body)
    assert headers in response


async def test_its_attributes_name_the_parts() -> None:
    headers = [(b"x", b"y")]
    body = Body()
    response = await respond((201, headers, body))
    assert response.status == response.status_code == 201
    assert response.headers is headers
    assert response.body is body
    assert response.pushes is None
    assert response.url == "http://h/a?b"
    assert response.http_version == "1.1"
    assert response.reason == "Created"
    assert response.ok
    assert response.more_body
    assert response.early_hints == []
    assert response.trailers == []
    assert repr(response) == "<Response 201 http://h/a?b>"


async def test_it_reads_as_a_mapping_with_the_older_keys() -> None:
    headers = [(b"x", b"y")]
    body = Body()
    response = await respond((200, headers, body))
    assert response["status_code"] == 200
    assert response["headers"] is headers
    assert response["body"] is body
    assert response["more_body"] is True
    assert response["url"] == "http://h/a?b"
    assert response["http_version"] == "1.1"
    assert "body" in response
    assert "nonsense" not in response
    assert response.get("status_code") == 200
    assert response.get("nonsense", 1) == 1
    mapping: Any = response
    assert {*dict(mapping)} == {*response.keys()}
    with pytest.raises(KeyError):
        response["nonsense"]


async def test_an_answer_without_a_body_has_an_empty_one() -> None:
    response = await respond(204)
    assert not response.more_body
    assert response.headers == []
    assert await response.raw() == b""
    assert not any([chunk async for chunk in response.body])


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (299, True), (302, False), (404, False)]
)
async def test_it_is_ok_from_200_to_299(status: int, *, ok: bool) -> None:
    assert (await respond(status)).ok is ok


async def test_a_status_that_is_not_ok_is_raised_when_asked_for() -> None:
    (await respond(204)).raise_for_status()
    headers = [(b"www-authenticate", b"Basic")]
    response = await respond((401, headers, Body(b"no")))
    with pytest.raises(StatusError) as raised:
        response.raise_for_status()
    error = raised.value
    assert isinstance(error, HttpError)
    assert error.code == 401
    assert error.reason == "Unauthorized"
    # A handler that lets it through must not pass on what is the server's.
    assert error.headers is None
    assert error.response_headers is headers
    assert str(error) == "http://h/a?b answered 401 Unauthorized"
    assert await response.text() == "no"


async def test_an_unknown_status_has_a_reason_too() -> None:
    with pytest.raises(StatusError, match="599 Unknown Status"):
        (await respond(599)).raise_for_status()


@pytest.mark.parametrize(
    ("content_type", "data", "text"),
    [
        (None, "ü".encode(), "ü"),
        (b"text/plain", "ü".encode(), "ü"),
        (b"text/plain; charset=latin-1", b"\xfc", "ü"),
        (b'text/html;x=y; CHARSET="ISO-8859-1"', b"\xfc", "ü"),
        (b"text/plain; charset=utf-16", "ü".encode("utf-16"), "ü"),
    ],
)
async def test_text_is_in_the_charset_of_its_type(
    content_type: bytes | None, data: bytes, text: str
) -> None:
    headers: Headers = [] if content_type is None else [(b"content-type", content_type)]
    response = await respond((200, headers, chunks(data[:1], data[1:])))
    assert await response.text() == text


async def test_the_caller_may_know_the_encoding_better() -> None:
    response = await respond((200, None, chunks(b"\xfc")))
    assert await response.text("latin-1") == "ü"


async def test_an_unknown_charset_is_an_error_of_its_own() -> None:
    headers = [(b"content-type", b"text/plain; charset=klingon")]
    response = await respond((200, headers, chunks(b"a")))
    with pytest.raises(DecodingError, match="klingon"):
        await response.text()


async def test_json_is_parsed_by_whatever_is_given() -> None:
    response = await respond((200, None, chunks(b'{"a": ', b"1}")))
    assert await response.json() == {"a": 1}
    assert await response.json(lambda data: json.loads(data)["a"]) == 1


async def test_what_was_read_is_given_again_in_each_form() -> None:
    body = Body(b"1", b"2")
    response = await respond((200, None, body))
    assert await response.text() == "12"
    assert await response.json() == 12
    assert await response.raw() == b"12"
    assert body.closings == 1


async def test_raw_is_the_body_to_iterate_over() -> None:
    response = await respond((200, None, Body(b"1", b"2")))
    assert [chunk async for chunk in response.raw()] == [b"1", b"2"]


async def test_the_readers_of_the_server_read_it() -> None:
    response = await respond((200, None, Body(b"1", b"2")))
    assert await bytes_reader(response.body) == b"12"


async def test_reading_stops_at_the_limit_and_closes_the_body() -> None:
    body = Body(b"x" * 6, b"x" * 5, b"x")
    response = await respond((200, None, body), limits=Limits(body=10))
    with pytest.raises(BodyTooLargeError, match="over 10 bytes"):
        await response.text()
    assert body.closings == 1
    assert body.parts == [b"x"]


async def test_the_limit_is_2_mib_unless_told_otherwise() -> None:
    size = 2 * 1024 * 1024
    response = await respond((200, None, bytes_writer(bytes(size))))
    assert len(await response.raw()) == size
    response = await respond((200, None, bytes_writer(bytes(size + 1))))
    with pytest.raises(BodyTooLargeError):
        await response.raw()
    unlimited = Limits(body=None)
    response = await respond(
        (200, None, bytes_writer(bytes(size + 1))), limits=unlimited
    )
    assert len(await response.raw()) == size + 1


async def test_an_event_stream_is_read_event_by_event() -> None:
    body = Body(b"data: 1\n\ndata", b": 2\nevent: tick\n\n")
    response = await respond((200, None, body))
    events = [event async for event in response.events()]
    assert events == [ServerEvent("1"), ServerEvent("2", "tick")]
    assert body.closings == 1


async def test_closing_the_answer_closes_the_body() -> None:
    body = Body(b"1")
    response = await respond((200, None, body))
    await response.aclose()
    assert body.closings == 1


async def test_a_body_of_something_without_aclose_needs_none() -> None:
    class Plain:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"1"

    response = await respond((200, None, Plain()))
    assert await response.raw() == b"1"
