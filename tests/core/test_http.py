"""One HTTP request: what a handler may answer, and what the server is then sent."""

import asyncio
import logging
import traceback
from collections import namedtuple
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from decimal import Decimal
from email.message import Message as EmailMessage
from enum import IntEnum
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.error import HTTPError

import pytest

from bareasgi import (
    Application,
    Content,
    FullHttpResponse,
    HttpDisconnectError,
    HttpError,
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_writer,
    text_reader,
    text_writer,
)
from bareasgi.testing import Response, checked, http_request, http_stream
from bareasgi.types import Header, Message

DEADLINE = 10.0  # seconds
PLAIN = (b"content-type", b"text/plain")
SORRY = b"Internal Server Error"
PUSH: Mapping[str, Any] = {"extensions": {"http.response.push": {}}}


class Pieces:
    """A body that is an async iterator, and counts how often it is used and closed."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)
        self.asked = 0
        self.closings = 0

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        self.asked += 1
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closings += 1


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def app_of(handler: HttpHandler, *middlewares: HttpMiddleware) -> Application:
    app = Application(middlewares=[*middlewares])
    app.http_router.add({"GET", "POST"}, "/", handler)
    return app


def returning(response: Any) -> Application:
    """Make an application whose one handler, `answer`, returns this."""

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        returned: HttpResponse = response
        return returned

    return app_of(answer)


def raising(error: BaseException) -> Application:
    """Make an application whose one handler, `fail`, raises this."""

    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise error

    return app_of(fail)


def start(status: int, *headers: Header) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [*headers]}


def body(chunk: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


def push(path: str, *headers: Header) -> Message:
    return {"type": "http.response.push", "path": path, "headers": [*headers]}


def length(value: int) -> Header:
    return (b"content-length", b"%d" % value)


END = body(b"", more=False)
FAILED = [start(500, PLAIN, length(len(SORRY))), body(SORRY, more=False)]


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def the_error(caplog: pytest.LogCaptureFixture) -> BaseException:
    """Give the one error that was logged, with its traceback."""
    [record] = errors(caplog)
    assert record.levelno == logging.ERROR
    assert record.name == "bareasgi.http"
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    return record.exc_info[1]


# --- what the server is sent ----------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda: 200, [start(200, length(0)), END], id="int"),
        pytest.param(lambda: 404, [start(404, length(0)), END], id="other int"),
        pytest.param(lambda: (201,), [start(201, length(0)), END], id="1-tuple"),
        pytest.param(
            lambda: (201, [PLAIN]), [start(201, PLAIN, length(0)), END], id="2-tuple"
        ),
        pytest.param(
            lambda: (200, [PLAIN], None),
            [start(200, PLAIN, length(0)), END],
            id="body None",
        ),
        pytest.param(
            lambda: (200, None, None, None), [start(200, length(0)), END], id="all None"
        ),
        pytest.param(lambda: 204, [start(204), END], id="204"),
        pytest.param(lambda: 304, [start(304), END], id="304"),
        pytest.param(
            lambda: (200, None, bytes_writer(b"x")),
            [start(200, length(1)), body(b"x", more=False)],
            id="bytes_writer",
        ),
        pytest.param(
            lambda: (200, None, text_writer("é")),
            [start(200, length(2)), body("é".encode(), more=False)],
            id="text_writer",
        ),
        pytest.param(
            lambda: (200, None, bytes_writer(b"")),
            [start(200, length(0)), END],
            id="empty bytes_writer",
        ),
        pytest.param(
            lambda: (200, None, bytes_writer(b"abc", chunk_size=2)),
            [start(200), body(b"ab", more=True), body(b"c", more=True), END],
            id="chunked bytes_writer",
        ),
        pytest.param(
            lambda: (200, None, pieces(b"a", b"b")),
            [start(200), body(b"a", more=True), body(b"b", more=True), END],
            id="generator",
        ),
        pytest.param(
            lambda: (200, None, pieces(b"a", b"", b"b", b"")),
            [start(200), body(b"a", more=True), body(b"b", more=True), END],
            id="generator with empty chunks",
        ),
        pytest.param(
            lambda: (200, None, pieces()), [start(200), END], id="empty generator"
        ),
        pytest.param(
            lambda: (200, None, pieces(b""), None),
            [start(200), END],
            id="generator of nothing but an empty chunk",
        ),
        pytest.param(
            lambda: (200, None, None, [("/a", [PLAIN]), ("/b", [])]),
            [start(200, length(0)), push("/a", PLAIN), push("/b"), END],
            id="pushes",
        ),
        pytest.param(
            lambda: (200, None, pieces(b"a"), (p for p in [("/a", [PLAIN])])),
            [start(200), push("/a", PLAIN), body(b"a", more=True), END],
            id="pushes from a generator before a stream",
        ),
        pytest.param(
            lambda: (200, None, None, []), [start(200, length(0)), END], id="no pushes"
        ),
    ],
)
async def test_a_response_is_sent_as_these_messages(
    make: Callable[[], HttpResponse], expected: list[Message]
) -> None:
    response = await http_request(returning(make()), "GET", "/", scope=PUSH)
    assert response.messages == expected


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304), ("POST", 204)],
)
async def test_a_response_without_a_body_closes_the_one_it_was_given_unread(
    method: str, status: int
) -> None:
    chunks = Pieces(b"a", b"b")
    response = await http_request(
        returning((status, [PLAIN], chunks)), method, "/", content=b""
    )
    assert response.messages == [start(status, PLAIN), END]
    assert (chunks.asked, chunks.closings) == (0, 1)


async def test_an_exception_before_the_start_is_a_plain_500() -> None:
    response = await http_request(raising(ZeroDivisionError("secret")), "GET", "/")
    assert response.messages == FAILED


async def test_an_exception_before_the_first_chunk_follows_the_start() -> None:
    async def fail() -> AsyncIterator[bytes]:
        raise ZeroDivisionError
        yield b""

    async with http_stream(returning((200, None, fail())), "GET", "/") as stream:
        with pytest.raises(ZeroDivisionError):
            await stream.finished()
    assert stream.messages == [start(200)]


async def test_an_exception_after_a_chunk_cuts_the_response() -> None:
    async def fail() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    app = returning((200, None, fail()))
    async with http_stream(app, "GET", "/", buffer=None) as stream:
        with pytest.raises(ZeroDivisionError):
            await stream.finished()
    assert stream.messages == [start(200), body(b"a", more=True)]


async def test_a_disconnect_after_a_chunk_ends_the_call() -> None:
    async def wait() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    async with http_stream(returning((200, None, wait())), "GET", "/") as stream:
        assert await stream.chunk() == b"a"
        stream.leave()
        await stream.finished()
    assert stream.messages == [start(200), body(b"a", more=True)]


async def test_bytes_in_memory_take_two_sends_no_receive_and_no_task() -> None:
    sent: list[Message] = []
    made: list[Any] = []
    tasks: list[set[asyncio.Task[Any]]] = []
    senders: list[asyncio.Task[Any] | None] = []

    def make_task(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def receive() -> Message:
        raise AssertionError("nobody asked for the request's body")

    async def send(message: Message) -> None:
        sent.append(message)
        tasks.append(asyncio.all_tasks())
        senders.append(asyncio.current_task())

    app = returning((200, [PLAIN], bytes_writer(b"x")))
    before = asyncio.all_tasks()
    asyncio.get_running_loop().set_task_factory(make_task)
    try:
        await app(a_scope(), receive, send)
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert sent == [start(200, PLAIN, length(1)), body(b"x", more=False)]
    assert made == []
    assert tasks == [before, before]
    assert senders == [asyncio.current_task()] * 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_answer_without_a_body_needs_no_receive(method: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nobody asked for the request's body")

    async def send(message: Message) -> None:
        sent.append(message)

    await returning(200)(a_scope(method=method), receive, send)
    assert sent == [start(200, length(0)), END]


def a_scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
        **changes,
    }


# --- what a handler may return --------------------------------------------------------


class Status(IntEnum):
    FINE = 201


class Named(NamedTuple):
    status: int
    headers: Any = None
    body: Any = None


Legacy = namedtuple("Legacy", ["status", "headers", "body", "pushes"])  # noqa: PYI024


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Status.FINE, id="IntEnum"),
        pytest.param(HTTPStatus.CREATED, id="HTTPStatus"),
        pytest.param((HTTPStatus.CREATED,), id="HTTPStatus in a tuple"),
        pytest.param(Named(201), id="named tuple"),
        pytest.param(Named(Status.FINE, []), id="named tuple with an IntEnum"),
        pytest.param(Legacy(201, None, None, None), id="named 4-tuple"),
        pytest.param((201, ()), id="headers in a tuple"),
        pytest.param((201, None, None, ()), id="pushes in a tuple"),
    ],
)
async def test_what_is_an_int_or_a_tuple_is_a_response(response: Any) -> None:
    answer = await http_request(returning(response), "GET", "/")
    assert type(answer.messages[0]["status"]) is int
    assert answer.messages == [start(201, length(0)), END]


@pytest.mark.parametrize("status", [200, 299, 418, 500, 599])
async def test_a_status_is_from_200_to_599(status: int) -> None:
    response = await http_request(returning(status), "GET", "/")
    assert response.status == status


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(None, id="None"),
        pytest.param([200, [], None], id="list"),
        pytest.param({"status": 200}, id="dict"),
        pytest.param("200", id="str"),
        pytest.param(b"200", id="bytes"),
        pytest.param(200.0, id="float"),
        pytest.param((), id="empty tuple"),
        pytest.param((200, [], None, None, None), id="5-tuple"),
        pytest.param(("200", []), id="str status"),
        pytest.param((b"200",), id="bytes status"),
        pytest.param((None, []), id="no status"),
        pytest.param((200.0,), id="float status"),
        pytest.param((Decimal(200),), id="Decimal status"),
        pytest.param(True, id="True"),
        pytest.param((True, []), id="True as status"),
        pytest.param(False, id="False"),
        pytest.param(0, id="0"),
        pytest.param(-200, id="-200"),
        pytest.param(99, id="99"),
        pytest.param(100, id="100"),
        pytest.param(199, id="199"),
        pytest.param(600, id="600"),
        pytest.param((10**30,), id="huge"),
        pytest.param((200, "ab"), id="str headers"),
        pytest.param((200, b"ab"), id="bytes headers"),
        pytest.param((200, 5), id="int headers"),
        pytest.param((200, {b"a": b"b"}), id="dict of headers"),
        pytest.param((200, {(b"a", b"b")}), id="set of headers"),
        pytest.param((200, iter([(b"a", b"b")])), id="iterator of headers"),
        pytest.param((200, [], b"bytes"), id="bytes body"),
        pytest.param((200, [], "text"), id="str body"),
        pytest.param((200, [], [b"a"]), id="list body"),
        pytest.param((200, [], iter([b"a"])), id="iterator body"),
        pytest.param((200, [], 5), id="int body"),
        pytest.param((200, [], pieces), id="generator function as body"),
    ],
)
async def test_anything_else_is_a_type_error_that_names_the_handler(
    response: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await http_request(returning(response), "GET", "/")
    assert answer.messages == FAILED
    error = the_error(caplog)
    assert isinstance(error, TypeError)
    assert "returning.<locals>.answer" in str(error)


@pytest.mark.parametrize(
    "pushes", [5, ["/a"], [("/a",)], [(5, [])], [("/a", None)], [("a", [])]]
)
async def test_pushes_that_are_none_are_a_plain_500(
    pushes: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await http_request(
        returning((200, None, None, pushes)), "GET", "/", scope=PUSH
    )
    assert answer.messages == FAILED
    assert [record.levelno for record in errors(caplog)] == [logging.ERROR]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda b: (True, [], b), id="bool status"),
        pytest.param(lambda b: ("200", [], b), id="str status"),
        pytest.param(lambda b: (199, [], b), id="status too small"),
        pytest.param(lambda b: (600, [], b, None), id="status too large"),
        pytest.param(lambda b: (200, "headers", b), id="headers of the wrong type"),
        pytest.param(lambda b: (200, [(b"A", b"")], b), id="refused header"),
        pytest.param(lambda b: (200, [], b, 5), id="pushes of the wrong type"),
        pytest.param(lambda b: (200, [], b, None, None), id="5-tuple"),
        pytest.param(lambda b: [200, [], b], id="list"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_the_body_of_a_refused_response_is_closed_once_and_never_read(
    make: Callable[[Pieces], Any], method: str
) -> None:
    chunks = Pieces(b"a")
    answer = await http_request(returning(make(chunks)), method, "/")
    assert answer.status == 500
    assert (chunks.asked, chunks.closings) == (0, 1)


async def test_a_middleware_that_returns_nonsense_is_the_one_that_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def break_it(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> Any:
        await handler(scope, info, matches, content)

    async def fine(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200

    answer = await http_request(app_of(fine, break_it), "GET", "/")
    assert answer.messages == FAILED
    error = the_error(caplog)
    assert isinstance(error, TypeError)
    assert "break_it" in str(error)


async def test_a_handler_that_returns_nonsense_is_named_through_a_middleware(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def pass_on(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        return await handler(scope, info, matches, content)

    async def wrong(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Any:
        return "text"

    answer = await http_request(app_of(wrong, pass_on), "GET", "/")
    assert answer.messages == FAILED
    assert "wrong" in str(the_error(caplog))


async def test_a_callable_object_that_returns_nonsense_is_named_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Wrong:
        def __repr__(self) -> str:
            return "<a wrong handler>"

        async def __call__(
            self, scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> Any:
            return None

    answer = await http_request(app_of(Wrong()), "GET", "/")
    assert answer.messages == FAILED
    assert "<a wrong handler>" in str(the_error(caplog))


# --- headers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "make"),
    [
        pytest.param(
            [PLAIN, length(1)], lambda: bytes_writer(b"x"), id="content-length given"
        ),
        pytest.param(
            [(b"transfer-encoding", b"chunked")],
            lambda: bytes_writer(b"x"),
            id="transfer-encoding given",
        ),
        pytest.param([PLAIN], lambda: pieces(b"a"), id="stream"),
        pytest.param([], lambda: pieces(b"a"), id="stream without headers"),
        pytest.param(
            [PLAIN], lambda: bytes_writer(b"ab", chunk_size=1), id="chunked writer"
        ),
        pytest.param([length(0)], lambda: None, id="no body, content-length given"),
    ],
)
async def test_the_server_is_given_the_very_list_that_the_handler_returned(
    headers: list[Header], make: Callable[[], Any]
) -> None:
    before = [*headers]
    app = returning((200, headers, make()))
    response = await http_request(app, "GET", "/")
    assert response.headers is headers
    assert headers == before


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_leaves_the_list_as_it_is(status: int) -> None:
    headers = [PLAIN]
    app = returning((status, headers, bytes_writer(b"x")))
    response = await http_request(app, "GET", "/")
    assert response.headers is headers
    assert headers == [PLAIN]


async def test_content_length_comes_in_a_new_list() -> None:
    headers = [PLAIN]
    app = returning((200, headers, bytes_writer(b"x")))
    response = await http_request(app, "GET", "/")
    assert response.headers == [PLAIN, length(1)]
    assert headers == [PLAIN]


@pytest.mark.parametrize(
    ("method", "status", "headers", "make", "expected"),
    [
        pytest.param("GET", 200, [], lambda: None, [b"0"], id="None"),
        pytest.param("HEAD", 200, [], lambda: None, [b"0"], id="HEAD and None"),
        pytest.param("GET", 500, [], lambda: None, [b"0"], id="500 and None"),
        pytest.param("GET", 204, [], lambda: None, [], id="204 and None"),
        pytest.param("GET", 304, [], lambda: None, [], id="304 and None"),
        pytest.param("GET", 200, [], lambda: bytes_writer(b"abc"), [b"3"], id="bytes"),
        pytest.param(
            "HEAD", 200, [], lambda: bytes_writer(b"abc"), [b"3"], id="HEAD of bytes"
        ),
        pytest.param(
            "POST", 200, [], lambda: bytes_writer(b"abc"), [b"3"], id="POST of bytes"
        ),
        pytest.param(
            "GET", 204, [], lambda: bytes_writer(b"abc"), [], id="204 and bytes"
        ),
        pytest.param(
            "GET", 304, [], lambda: bytes_writer(b"abc"), [], id="304 and bytes"
        ),
        pytest.param(
            "HEAD", 304, [], lambda: bytes_writer(b"abc"), [], id="HEAD, 304 and bytes"
        ),
        pytest.param(
            "POST", 204, [], lambda: bytes_writer(b"abc"), [], id="POST, 204 and bytes"
        ),
        pytest.param(
            "GET",
            304,
            [length(9)],
            lambda: None,
            [b"9"],
            id="304 with the length of what it stands for",
        ),
        pytest.param(
            "HEAD", 200, [length(9)], lambda: None, [b"9"], id="HEAD with its own"
        ),
        pytest.param(
            "GET", 200, [], lambda: bytes_writer(b"abc", chunk_size=2), [], id="chunked"
        ),
        pytest.param(
            "HEAD",
            200,
            [],
            lambda: bytes_writer(b"abc", chunk_size=2),
            [],
            id="HEAD of chunked",
        ),
        pytest.param("GET", 200, [], lambda: pieces(b"abc"), [], id="generator"),
        pytest.param("HEAD", 200, [], lambda: pieces(b"a"), [], id="HEAD of generator"),
        pytest.param(
            "GET",
            200,
            [(b"transfer-encoding", b"gzip, chunked")],
            lambda: bytes_writer(b"abc"),
            [],
            id="transfer-encoding",
        ),
        pytest.param(
            "GET",
            200,
            [(b"transfer-encoding", b"chunked")],
            lambda: None,
            [],
            id="transfer-encoding and None",
        ),
        pytest.param(
            "GET",
            200,
            [PLAIN, length(3), PLAIN],
            lambda: bytes_writer(b"abc"),
            [b"3"],
            id="given",
        ),
        pytest.param(
            "GET", 200, (PLAIN,), lambda: bytes_writer(b"abc"), [b"3"], id="in a tuple"
        ),
    ],
)
async def test_known_bytes_get_a_content_length(
    method: str,
    status: int,
    headers: list[Header],
    make: Callable[[], Any],
    expected: list[bytes],
) -> None:
    app = returning((status, headers, make()))
    response = await http_request(app, method, "/")
    assert response.status == status
    assert [v for n, v in response.headers if n == b"content-length"] == expected


REFUSED_FIELDS = [
    pytest.param((b"X-Name", b"v"), id="upper case"),
    pytest.param((b"Content-Length", b"0"), id="upper case of a known name"),
    pytest.param(("x-name", b"v"), id="str name"),
    pytest.param((b"", b"v"), id="empty name"),
    pytest.param((b"a b", b"v"), id="space in name"),
    pytest.param((b"a:", b"v"), id="colon in name"),
    pytest.param((b"a\r\nb", b"v"), id="CR LF in name"),
    pytest.param((b"a\n", b"v"), id="LF after name"),
    pytest.param((b"a\rb", b"v"), id="CR in name"),
    pytest.param((b"a\0", b"v"), id="NUL in name"),
    pytest.param((b"\xe9", b"v"), id="not ASCII in name"),
    pytest.param((bytearray(b"a"), b"v"), id="bytearray name"),
    pytest.param((memoryview(b"content-type"), b"v"), id="memoryview name"),
    pytest.param((None, b"v"), id="name None"),
    pytest.param((1, b"v"), id="int name"),
    pytest.param((b"x-name", b"a\r\nset-cookie: a=b"), id="CR LF in value"),
    pytest.param((b"x-name", b"a\n"), id="LF after value"),
    pytest.param((b"x-name", b"\r"), id="CR in value"),
    pytest.param((b"x-name", b"a\0b"), id="NUL in value"),
    pytest.param((b"content-length", b"1\r\nb: c"), id="CR LF in a known field"),
    pytest.param((b"x-name", "v"), id="str value"),
    pytest.param((b"x-name", None), id="value None"),
    pytest.param((b"content-length", 5), id="int value"),
    pytest.param((b"x-name", [97]), id="list value"),
    pytest.param((b"x-name", bytearray(b"v")), id="bytearray value"),
    pytest.param((b"x-name", memoryview(b"v")), id="memoryview value"),
    pytest.param((b"x-name",), id="no value"),
    pytest.param((b"x-name", b"v", b"w"), id="three parts"),
    pytest.param(b"xy", id="bytes in place of a pair"),
    pytest.param(None, id="None in place of a pair"),
]


@pytest.mark.parametrize("field", REFUSED_FIELDS)
@pytest.mark.parametrize(
    ("method", "make"),
    [
        pytest.param("GET", lambda fs: (200, fs, bytes_writer(b"x")), id="of bytes"),
        pytest.param("POST", lambda fs: (200, fs, None), id="of an answer to a POST"),
        pytest.param("GET", lambda fs: (200, fs, pieces(b"x")), id="of a stream"),
        pytest.param("HEAD", lambda fs: (200, fs, None), id="of an answer to HEAD"),
        pytest.param("GET", lambda fs: (204, fs, None), id="of a 204"),
        pytest.param("GET", lambda fs: (200, None, None, [("/a", fs)]), id="of a push"),
    ],
)
async def test_a_field_that_must_not_be_sent_is_a_plain_500(
    field: Any,
    method: str,
    make: Callable[[list[Any]], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = returning(make([PLAIN, field, PLAIN]))
    response = await http_request(app, method, "/", scope=PUSH)
    assert response.status == 500
    assert response.headers == [PLAIN, length(len(SORRY))]
    assert len(response.messages) == 2
    [record] = errors(caplog)
    assert record.levelno == logging.ERROR
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("path", ["/\n", "/a\r\nb: c", "/\0", "/é", b"/a", 5])
async def test_a_push_of_a_path_that_must_not_be_sent_is_a_plain_500(path: Any) -> None:
    app = returning((200, None, pieces(b"a"), [("/fine", []), (path, [])]))
    response = await http_request(app, "GET", "/", scope=PUSH)
    assert response.messages == FAILED


@pytest.mark.parametrize("name", [b"x-a", b"!#$%&'*+-.^_`|~09az", b"0"])
async def test_any_token_in_lower_case_is_a_name(name: bytes) -> None:
    fields = [(name, b"\x01 \t\x7f\xff")]
    response = await http_request(
        returning((200, fields, pieces())), "GET", "/", timeout=DEADLINE
    )
    assert response.headers is fields


async def test_names_are_still_checked_after_thousands_of_different_ones() -> None:
    many = [(b"x-%d" % number, b"") for number in range(5000)]
    assert (await http_request(returning((200, many)), "GET", "/")).status == 200
    assert (await http_request(returning((200, many)), "GET", "/")).status == 200
    for name in (b"X-5001", b"x-5001\n", b"x 5001"):
        app = returning((200, [(name, b"")]))
        assert (await http_request(app, "GET", "/")).status == 500
    bad_value = [*many, (b"x-1", b"\r\n")]
    assert (await http_request(returning((200, bad_value)), "GET", "/")).status == 500


async def test_a_name_may_be_as_long_as_it_likes() -> None:
    headers = [(b"x" * 10_000, b"a")]
    answer = await http_request(returning((200, headers)), "GET", "/")
    assert answer.headers[0] == headers[0]


@pytest.mark.parametrize("name", [b"content-type", b"content-length"])
async def test_a_name_that_was_sent_before_is_still_refused_in_upper_case(
    name: bytes,
) -> None:
    for _ in range(2):
        app = returning((200, [(name, b"0")]))
        assert (await http_request(app, "GET", "/")).status == 200
        for refused in (name.upper(), name.title(), name.decode(), name + b"\n"):
            app = returning((200, [(refused, b"0")]))
            assert (await http_request(app, "GET", "/")).status == 500


# --- pushes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param({}, id="no extensions"),
        pytest.param({"extensions": None}, id="extensions None"),
        pytest.param({"extensions": {}}, id="empty extensions"),
        pytest.param({"extensions": {"tls": {}}}, id="other extensions"),
    ],
)
async def test_pushes_are_ignored_where_the_server_cannot_push(
    scope: Mapping[str, Any],
) -> None:
    app = returning((200, None, pieces(b"a"), [("/a", [PLAIN])]))
    response = await http_request(app, "GET", "/", scope=scope)
    assert response.messages == [start(200), body(b"a", more=True), END]


async def test_pushes_are_all_made_and_checked_before_the_start() -> None:
    sent: list[Message] = []
    seen: list[int] = []

    def offer() -> Iterator[tuple[str, list[Header]]]:
        for path in ("/a", "/b"):
            seen.append(len(sent))
            yield path, []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    async def send(message: Message) -> None:
        sent.append(message)

    app = returning((200, None, pieces(b"a"), offer()))
    await checked(app)(a_scope(**PUSH), receive, send)
    assert seen == [0, 0]
    assert sent == [start(200), push("/a"), push("/b"), body(b"a", more=True), END]


async def test_pushes_that_fail_half_way_are_a_plain_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def offer() -> Iterator[tuple[str, list[Header]]]:
        yield "/a", []
        raise ZeroDivisionError

    chunks = Pieces(b"a")
    app = returning((200, None, chunks, offer()))
    response = await http_request(app, "GET", "/", scope=PUSH)
    assert response.messages == FAILED
    assert chunks.closings == 1
    assert len(errors(caplog)) == 1


async def test_the_headers_of_a_push_are_the_very_list_that_was_given() -> None:
    headers = [PLAIN]
    app = returning((200, None, None, [("/a", headers)]))
    response = await http_request(app, "GET", "/", scope=PUSH)
    assert [given for _, given in response.pushes if given is headers] == [[PLAIN]]


# --- errors ---------------------------------------------------------------------------


async def test_an_error_before_the_start_is_logged_once_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ZeroDivisionError("secret")
    response = await http_request(raising(error), "GET", "/")
    assert response.messages == FAILED
    assert the_error(caplog) is error
    assert "fail" in [f.name for f in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OSError("disk"), id="OSError"),
        pytest.param(BrokenPipeError(), id="BrokenPipeError"),
        pytest.param(TimeoutError(), id="TimeoutError"),
        pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), id="Unicode"),
        pytest.param(RecursionError(), id="RecursionError"),
        pytest.param(StopAsyncIteration(), id="StopAsyncIteration"),
        pytest.param(ExceptionGroup("several", [ValueError()]), id="ExceptionGroup"),
    ],
)
async def test_every_exception_of_a_handler_is_a_plain_500(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = await http_request(raising(error), "GET", "/")
    assert response.messages == FAILED
    assert the_error(caplog) is not None


async def test_the_500_of_a_head_request_has_no_body() -> None:
    response = await http_request(raising(ZeroDivisionError()), "HEAD", "/")
    assert response.messages == [start(500, PLAIN, length(len(SORRY))), END]


async def test_the_500_of_an_unread_upload_is_the_same() -> None:
    app = raising(ZeroDivisionError())
    response = await http_request(app, "POST", "/", content=[b"a", b"b"])
    assert response.messages == FAILED


def email_headers() -> Any:
    message = EmailMessage()
    message["X-Name"] = "a"
    message["x-name"] = "b"
    return message


UTF_8 = (b"content-type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(
            lambda: HttpError(404), [start(404, length(0)), END], id="status only"
        ),
        pytest.param(
            lambda: HttpError(403, "é"),
            [start(403, UTF_8, length(2)), body("é".encode(), more=False)],
            id="text",
        ),
        pytest.param(
            lambda: HttpError(403, "no", [(b"content-type", b"text/html")]),
            [
                start(403, (b"content-type", b"text/html"), length(2)),
                body(b"no", more=False),
            ],
            id="text with its own type",
        ),
        pytest.param(
            lambda: HttpError(403, b"no"),
            [start(403, length(2)), body(b"no", more=False)],
            id="bytes",
        ),
        pytest.param(
            lambda: HttpError(403, pieces(b"n", b"o"), [PLAIN]),
            [start(403, PLAIN), body(b"n", more=True), body(b"o", more=True), END],
            id="async iterable",
        ),
        pytest.param(
            lambda: HttpError(301, None, {"Location": "/a", "X-é": "é"[:0]}),
            FAILED,
            id="mapping with a name that cannot be sent",
        ),
        pytest.param(
            lambda: HttpError(301, None, {"Location": "/é"}),
            [start(301, (b"location", b"/\xe9"), length(0)), END],
            id="mapping",
        ),
        pytest.param(
            lambda: HttpError(401, None, email_headers()),
            [start(401, (b"x-name", b"a"), (b"x-name", b"b"), length(0)), END],
            id="e-mail message",
        ),
        pytest.param(
            lambda: HttpError(401, None, (f for f in [PLAIN])),
            [start(401, PLAIN, length(0)), END],
            id="generator of pairs",
        ),
        pytest.param(
            lambda: HttpError(401, pieces(b"a"), (f for f in [PLAIN])),
            [start(401, PLAIN), body(b"a", more=True), END],
            id="generator of pairs and a stream",
        ),
        pytest.param(lambda: HttpError(204), [start(204), END], id="204"),
        pytest.param(
            lambda: HttpError(HTTPStatus.GONE), [start(410, length(0)), END], id="enum"
        ),
        pytest.param(
            lambda: HTTPError("http://a/", 404, "gone", email_headers(), None),
            [
                start(404, (b"x-name", b"a"), (b"x-name", b"b"), UTF_8, length(4)),
                body(b"gone", more=False),
            ],
            id="urllib's",
        ),
        pytest.param(
            lambda: HTTPError("", 404, "gone", None, None),  # type: ignore[arg-type]
            [start(404, UTF_8, length(4)), body(b"gone", more=False)],
            id="urllib's without headers",
        ),
        pytest.param(
            lambda: HTTPError("", 404, 5, [PLAIN], None),  # type: ignore[arg-type]
            [start(404, PLAIN, length(0)), END],
            id="a reason that is no body",
        ),
    ],
)
async def test_an_http_error_is_a_response(
    make: Callable[[], HTTPError],
    expected: list[Message],
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await http_request(raising(make()), "GET", "/")
    assert response.messages == expected
    assert expected == FAILED or errors(caplog) == []


async def test_the_header_list_of_an_http_error_is_used_as_given() -> None:
    headers = [PLAIN]
    app = raising(HttpError(404, pieces(b"a"), headers))
    response = await http_request(app, "GET", "/")
    assert response.headers is headers


wrong_error: Any = HttpError  # for what a type checker refuses


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda b: HttpError(199, b), id="status too small"),
        pytest.param(lambda b: HttpError(600, b), id="status too large"),
        pytest.param(lambda b: wrong_error("404", b), id="str status"),
        pytest.param(lambda b: wrong_error(None, b), id="no status"),
        pytest.param(lambda b: wrong_error(404.5, b), id="float status"),
        pytest.param(lambda b: wrong_error(404, b, 5), id="int headers"),
        pytest.param(lambda b: HttpError(404, b, [(b"A", b"b")]), id="upper case"),
        pytest.param(lambda b: HttpError(404, b, {"a": "\r\n"}), id="CR LF in mapping"),
        pytest.param(lambda b: HttpError(404, b, {"a": "\u20ac"}), id="not Latin-1"),
    ],
)
async def test_an_http_error_that_cannot_be_sent_is_a_plain_500(
    make: Callable[[Any], HTTPError], caplog: pytest.LogCaptureFixture
) -> None:
    chunks = Pieces(b"a")
    response = await http_request(raising(make(chunks)), "GET", "/")
    assert response.messages == FAILED
    assert len(errors(caplog)) == 1
    assert (chunks.asked, chunks.closings) == (0, 1)


async def test_a_middleware_sees_the_exception_and_may_answer_otherwise() -> None:
    async def forgive(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        try:
            return await handler(scope, info, matches, content)
        except HttpError as error:
            return 200, None, text_writer(f"{error.code} {error.reason}")

    async def refuse(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise HttpError(403, "no")

    response = await http_request(app_of(refuse, forgive), "GET", "/")
    assert (response.status, response.text) == (200, "403 no")


async def test_the_500_for_a_refused_header_passes_no_middleware() -> None:
    seen: list[FullHttpResponse] = []

    async def watch(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        response = await handler(scope, info, matches, content)
        seen.append(response)
        return response

    async def wrong(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [(b"A", b"b")]

    response = await http_request(app_of(wrong, watch), "GET", "/")
    assert response.messages == FAILED
    assert [status for status, _, _, _ in seen] == [200]


async def test_a_disconnect_error_that_leaves_the_handler_is_quiet(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def read(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await bytes_reader(content)
        return 200

    async with http_stream(app_of(read), "POST", "/", content=None) as stream:
        await stream.upload(b"half of it")
        stream.leave()
        await stream.finished()
    assert stream.messages == []
    assert errors(caplog) == []


async def test_a_client_that_left_before_the_body_was_read_is_known_at_the_first_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[BaseException] = []
    may_read = asyncio.Event()

    async def read(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await may_read.wait()
        try:
            await text_reader(content)
        except HttpDisconnectError as error:
            seen.append(error)
            raise
        return 200

    async with http_stream(app_of(read), "POST", "/", content=None) as stream:
        stream.leave()
        may_read.set()
        await stream.finished()
    assert stream.messages == []
    assert len(seen) == 1
    assert errors(caplog) == []


async def test_a_handler_is_not_cancelled_when_the_client_leaves() -> None:
    may_end = asyncio.Event()
    done: list[bool] = []

    async def work(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await may_end.wait()
        done.append(True)
        return 200

    async with http_stream(app_of(work), "POST", "/", content=None) as stream:
        stream.leave()
        for _ in range(10):
            await asyncio.sleep(0)
        may_end.set()
        await stream.finished()
    assert done == [True]


async def test_cancelling_the_application_cancels_its_handler_and_nothing_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    running = asyncio.Event()
    ended: list[str] = []

    async def work(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return 200

    async with http_stream(app_of(work), "GET", "/") as stream:
        await running.wait()
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream.finished()
    assert ended == ["cancelled"]
    assert stream.messages == []
    assert errors(caplog) == []


async def test_the_call_returns_when_the_response_is_complete() -> None:
    """It waits neither for the rest of the upload nor for the client to leave."""
    app = returning((200, None, pieces(b"a")))
    async with http_stream(
        app, "POST", "/", content=None, buffer=None, timeout=DEADLINE
    ) as stream:
        await stream.finished()
        assert stream.messages == [start(200), body(b"a", more=True), END]


# --- where the application is mounted -------------------------------------------------


@pytest.mark.parametrize(
    ("root_path", "path", "expected"),
    [
        ("", "/a", "/a"),
        ("/mount", "/mount/a", "/a"),
        ("/mount/", "/mount/a", "/a"),
        ("/mount", "/mount", "/"),
        ("/mount", "/mount/", "/"),
        ("/mount", "/mounted", "/mounted"),
        ("/mount", "/a", "/a"),
        ("/mount", "/MOUNT/a", "/MOUNT/a"),
        ("/m/n", "/m/n/a/b", "/a/b"),
        ("/mount", "/mount//a", "//a"),
        ("/", "/a", "/a"),
        (None, "/a", "/a"),
    ],
)
async def test_the_path_is_matched_below_the_root_path_at_a_segment(
    root_path: str | None, path: str, expected: str
) -> None:
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer("/" + matches["rest"])

    app = Application()
    app.http_router.add({"GET"}, "/{rest:path}", show)
    response = await http_request(app, "GET", path, scope={"root_path": root_path})
    assert (response.status, response.text) == (200, expected)


async def test_a_scope_without_root_path_is_matched_as_it_is() -> None:
    scope = a_scope()
    del scope["root_path"]
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nobody asked for the request's body")

    async def send(message: Message) -> None:
        sent.append(message)

    await returning(200)(scope, receive, send)
    assert Response(sent).status == 200


# --- the matched route ----------------------------------------------------------------


async def test_the_matched_route_is_in_the_scope_and_absent_where_none_matched() -> (
    None
):
    seen: list[str | None] = []

    async def note(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        route = scope.get("route")
        seen.append(route.path if route is not None else None)
        assert ("route" in scope) is (route is not None)
        return await handler(scope, info, matches, content)

    app = Application(middlewares=[note])

    @app.on_http_request({"GET"}, "/a/{id:int}")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200

    await http_request(app, "GET", "/a/1")
    await http_request(app, "GET", "/b", scope={"route": "of another application"})
    await http_request(app, "PUT", "/a/1")
    assert seen == ["/a/{id:int}", None, None]


async def test_a_router_that_raises_is_a_plain_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def find(self, method: str, path: str) -> Any:
            raise ZeroDivisionError

    app = Application(http_router=Broken())  # type: ignore[arg-type]
    response = await http_request(app, "GET", "/")
    assert response.messages == FAILED
    assert isinstance(the_error(caplog), ZeroDivisionError)


@pytest.mark.parametrize("reason", [{"errors": 1}, ["a"], ("a",)], ids=repr)
def test_an_error_whose_reason_cannot_be_a_body_is_refused_where_it_is_made(
    reason: Any,
) -> None:
    with pytest.raises(TypeError, match=r"json\.dumps"):
        HttpError(422, reason)
