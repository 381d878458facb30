"""What a request looks like to whoever gets it, and what is refused before."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, cast

import pytest

from bareasgi import Headers, bytes_writer, text_writer
from bareclient import AsgiTransport, Client, RefusedError, RequestError
from bareclient.content import Upload, can_resend
from bareclient.url import basic

from .applications import chunks, fields, make_mirror
from .peers import answer, answers, listening


def client(**options: Any) -> Client:
    return Client(transport=AsgiTransport(make_mirror()), **options)


async def told(method: str, url: str, *arguments: Any, **options: Any) -> Any:
    response = await client(**options).request(method, url, *arguments)
    return await response.json()


async def test_the_query_is_kept_and_the_fragment_is_not_sent() -> None:
    told_ = await told("GET", "http://h/a b?q=1%20+2#part")
    assert told_["path"] == "/a b"
    assert told_["raw_path"] == "/a%20b"
    assert told_["query_string"] == "q=1%20+2"


async def test_a_request_has_a_host_and_nothing_that_nobody_asked_for() -> None:
    assert (await told("GET", "http://h:81/"))["headers"] == [["host", "h:81"]]


async def test_the_host_of_the_caller_is_kept() -> None:
    told_ = await told("GET", "http://h/", [(b"accept", b"*/*"), (b"Host", b"other")])
    assert fields(told_, "host") == ["other"]


async def test_a_user_in_the_url_is_authorized() -> None:
    told_ = await told("GET", "http://ada:secret@h/")
    assert fields(told_, "authorization") == [basic(b"ada", b"secret").decode()]
    own = [(b"authorization", b"Bearer x")]
    told_ = await told("GET", "http://ada:secret@h/", own)
    assert fields(told_, "authorization") == ["Bearer x"]


async def test_names_are_sent_in_lower_case_and_values_without_space_around() -> None:
    told_ = await told("GET", "http://h/", [(b"X-A", b" b\t"), (b"x-a", b"c")])
    assert fields(told_, "x-a") == ["b", "c"]


async def test_fields_of_one_connection_are_dropped() -> None:
    headers = [
        (b"connection", b"close, X-Hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"5"),
        (b"te", b"trailers"),
        (b"trailer", b"x"),
        (b"transfer-encoding", b"gzip"),
        (b"upgrade", b"h2c"),
        (b"proxy-authorization", b"Basic x"),
        (b"proxy-connection", b"close"),
        (b"x-end", b"2"),
    ]
    told_ = await told("GET", "http://h/", headers)
    assert told_["headers"] == [["host", "h"], ["x-end", "2"]]


async def test_the_clients_fields_yield_to_those_of_the_request() -> None:
    defaults = [(b"X-A", b"1"), (b"x-b", b"2")]
    told_ = await told("GET", "http://h/", [(b"x-a", b"3")], headers=defaults)
    assert told_["headers"] == [["host", "h"], ["x-b", "2"], ["x-a", "3"]]
    told_ = await told("GET", "http://h/", headers=defaults)
    assert told_["headers"] == [["host", "h"], ["x-a", "1"], ["x-b", "2"]]


async def test_a_relative_url_is_relative_to_the_base_url() -> None:
    told_ = await told("GET", "users?x", base_url="https://h:8443/v1/")
    assert told_["server"] == ["h", 8443]
    assert told_["scheme"] == "https"
    assert told_["path"] == "/v1/users"


async def test_a_method_is_sent_in_upper_case() -> None:
    assert (await told("patch", "http://h/"))["method"] == "PATCH"


@pytest.mark.parametrize(
    "method", ["", "GET /", "GE\rT", "GET\n", "G\0T", "GÉT", "GET HTTP/1.1\r\nx: y"]
)
async def test_a_method_that_is_no_token_is_refused(method: str) -> None:
    with pytest.raises(RequestError):
        await told(method, "http://h/")


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\rb"),
        (b"x", b"a\nb"),
        (b"x", b"a\0b"),
        (b"x\r\ny", b"z"),
        (b"x\n", b"z"),
        (b"x\0", b"z"),
        (b"x y", b"z"),
        (b"x:", b"z"),
        (b"", b"z"),
        (":path", b"z"),
        ("x", "y"),
        (b"x", None),
        (b"x",),
        b"xy",
    ],
)
async def test_a_field_that_would_be_more_or_less_than_one_is_refused(
    field: object,
) -> None:
    headers = cast(Headers, [field])
    with pytest.raises(RequestError):
        await told("GET", "http://h/", headers)
    with pytest.raises(RequestError):
        client(headers=headers)


@pytest.mark.parametrize("path", ["/a\r\nb", "/a\nb", "/a\0b", "/a\rb"])
async def test_a_path_with_a_control_character_is_refused(path: str) -> None:
    with pytest.raises(RequestError):
        await told("GET", f"http://h{path}")


async def test_nothing_is_sent_of_a_request_that_is_refused() -> None:
    async with listening(answers(answer())) as peer, Client() as network:
        with pytest.raises(RequestError):
            await network.request("GET", peer.url, [(b"x", b"a\r\nb: c")])
        assert peer.connections == 0


@pytest.mark.parametrize(
    ("method", "content", "length", "encoding"),
    [
        ("GET", None, [], []),
        ("DELETE", None, [], []),
        ("POST", None, ["0"], []),
        ("POST", b"", ["0"], []),
        ("POST", b"ab", ["2"], []),
        ("POST", bytearray(b"ab"), ["2"], []),
        ("POST", memoryview(b"ab"), ["2"], []),
        ("PUT", bytes_writer(b"ab"), ["2"], []),
        ("PATCH", text_writer("ab"), ["2"], []),
        ("POST", bytes_writer(b"ab", 1), [], ["chunked"]),
    ],
)
async def test_the_length_of_content_is_told_where_it_is_known(
    method: str,
    content: bytes | AsyncIterable[bytes] | None,
    length: list[str],
    encoding: list[str],
) -> None:
    told_ = await told(method, "http://h/", None, content)
    assert fields(told_, "content-length") == length
    assert fields(told_, "transfer-encoding") == encoding
    assert told_["content"] == ("ab" if encoding or length == ["2"] else "")


async def test_a_wrong_length_of_bytes_is_mended() -> None:
    told_ = await told("POST", "http://h/", [(b"content-length", b"9")], b"ab")
    assert fields(told_, "content-length") == ["2"]


async def test_a_stream_with_a_length_is_sent_with_it() -> None:
    headers = [(b"content-length", b"2")]
    told_ = await told("POST", "http://h/", headers, chunks(b"a", b"", b"b"))
    assert fields(told_, "content-length") == ["2"]
    assert fields(told_, "transfer-encoding") == []
    assert told_["content"] == "ab"


async def test_over_the_network_a_stream_without_a_chunk_is_no_content() -> None:
    async with listening(answers(answer(), answer())) as peer, Client() as network:
        await network.request("GET", peer.url, None, chunks(b""))
        await network.request("POST", peer.url, None, chunks())
        first, second = peer.requests
        assert b"transfer-encoding" not in first.lower()
        assert b"content-length" not in first.lower()
        assert b"content-length: 0" in second.lower()


@pytest.mark.parametrize("content", ["text", ["a"], 1, object()])
async def test_content_that_is_no_bytes_is_refused(content: object) -> None:
    with pytest.raises(RequestError, match="content must be bytes"):
        await told("POST", "http://h/", None, content)


async def test_a_stream_of_something_else_is_an_error_of_its_own() -> None:
    async def numbers() -> AsyncIterator[bytes]:
        yield bytearray(b"a")
        yield memoryview(b"b")
        yield cast(bytes, 1)

    async with listening(answers(answer())) as peer, Client() as network:
        with pytest.raises(TypeError, match="content must produce bytes, not int"):
            await network.request("POST", peer.url, None, numbers())


async def test_content_shorter_than_announced_is_an_error_of_the_request() -> None:
    headers = [(b"content-length", b"9")]
    async with listening(answers(answer())) as peer, Client() as network:
        with pytest.raises(RequestError, match="Too little data"):
            await network.request("POST", peer.url, headers, chunks(b"ab"))


class Source:
    """A stream that tells whether it was closed."""

    def __init__(self, *parts: bytes, failure: Exception | None = None) -> None:
        self.parts = [*parts]
        self.failure = failure
        self.closings = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.parts:
            return self.parts.pop(0)
        if self.failure is not None:
            raise self.failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closings += 1


async def test_a_stream_is_closed_when_it_was_sent() -> None:
    source = Source(b"a", b"b")
    async with listening(answers(answer())) as peer, Client() as network:
        await network.request("POST", peer.url, None, source)
    assert source.closings >= 1


async def test_a_stream_is_closed_when_the_request_is_refused() -> None:
    source = Source(b"a")
    with pytest.raises(RequestError):
        await told("GET", "nonsense", None, source)
    assert source.closings == 1


async def test_what_a_stream_raises_reaches_the_caller() -> None:
    failure = ValueError("no more")
    source = Source(b"a", failure=failure)
    async with listening(answers(answer())) as peer, Client() as network:
        with pytest.raises(ValueError, match="no more") as raised:
            await network.request("POST", peer.url, None, source)
    assert raised.value is failure
    assert source.closings >= 1


async def test_a_stream_that_has_begun_is_not_sent_again() -> None:
    upload = Upload(Source(b"a", b"b"))
    assert can_resend(upload)
    assert not await upload.is_empty()
    assert can_resend(upload)
    assert [chunk async for chunk in upload] == [b"a", b"b"]
    assert not can_resend(upload)
    with pytest.raises(RefusedError):
        await anext(aiter(upload))


async def test_a_stream_that_starts_afresh_is_sent_again() -> None:
    upload = Upload(bytes_writer(b"ab", 1))
    assert not await upload.is_empty()
    for _ in range(2):
        assert [chunk async for chunk in upload] == [b"a", b"b"]
        assert can_resend(upload)


def test_what_a_middleware_makes_can_be_sent_again_if_it_starts_afresh() -> None:
    assert can_resend(bytes_writer(b"a"))
    assert not can_resend(chunks(b"a"))


async def test_a_stream_of_a_middleware_is_sent_as_one() -> None:
    async def shout(
        scope: Any, info: Any, matches: Any, content: Any, handler: Any
    ) -> Any:
        return await handler(scope, info, matches, chunks(b"A", b"B"))

    told_ = await told("POST", "http://h/", None, b"", middlewares=[shout])
    assert told_["content"] == "AB"
