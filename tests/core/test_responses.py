"""Responses in one call, and the conversion of exceptions into responses."""

import asyncio
import json
import urllib.error
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from email.message import Message
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import pytest

from bareasgi import (
    Application,
    Body,
    Content,
    ContentTooLarge,
    FullHttpResponse,
    Header,
    HttpDisconnectError,
    HttpError,
    HttpHandler,
    HttpInternalError,
    HttpResponse,
    Info,
    NextHandler,
    ParseError,
    RouteMatches,
    Scope,
    bytes_response,
    error_response,
    json_response,
    text_response,
    text_writer,
)
from bareasgi.testing import http_request

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/a\n"}
PUSHES = [("/push", [(b"a", b"b")])]


async def whole(body: Body | None) -> bytes:
    return b"" if body is None else b"".join([chunk async for chunk in body])


def content_types(response: FullHttpResponse) -> list[bytes]:
    return [value for name, value in response[1] if name == b"content-type"]


# bytes_response, text_response, json_response.

RESPONSES: dict[str, tuple[FullHttpResponse, bytes, bytes]] = {
    "bytes": (bytes_response(200, None, b"\x00"), b"application/octet-stream", b"\x00"),
    "bytes of a type": (
        bytes_response(200, None, b"x", b"image/png"),
        b"image/png",
        b"x",
    ),
    "text": (text_response(200, None, "ñ"), b"text/plain; charset=utf-8", "ñ".encode()),
    "text in an encoding": (
        text_response(200, None, "ñ", "latin-1"),
        b"text/plain; charset=latin-1",
        b"\xf1",
    ),
    "text of a type": (
        text_response(200, None, "<p>", content_type=b"text/html"),
        b"text/html",
        b"<p>",
    ),
    "json": (
        json_response(200, None, {"a": [1, None]}),
        b"application/json",
        b'{"a": [1, null]}',
    ),
    "json of a type": (
        json_response(200, None, [], b"application/problem+json"),
        b"application/problem+json",
        b"[]",
    ),
    "json by a function that gives str": (
        json_response(200, None, "ñ", dumps=lambda obj: f"<{obj}>"),
        b"application/json",
        "<ñ>".encode(),
    ),
    "json by a function that gives bytes": (
        json_response(200, None, "ñ", dumps=lambda _: b"\xff"),
        b"application/json",
        b"\xff",
    ),
}


@pytest.mark.parametrize(
    ("response", "content_type", "body"), RESPONSES.values(), ids=RESPONSES.keys()
)
async def test_a_response_function_gives_all_four_parts(
    response: FullHttpResponse, content_type: bytes, body: bytes
) -> None:
    assert isinstance(response, tuple)
    assert len(response) == 4
    assert response[0] == 200
    assert response[1] == [(b"content-type", content_type)]
    assert await whole(response[2]) == body
    assert response[3] is None


MAKERS: dict[str, Callable[..., FullHttpResponse]] = {
    "bytes": lambda headers, **more: bytes_response(201, headers, b"abcd", **more),
    "text": lambda headers, **more: text_response(201, headers, "abcd", **more),
    "json": lambda headers, **more: json_response(
        201, headers, "ab", dumps=lambda obj: obj + "cd", **more
    ),
    "json in bytes": lambda headers, **more: json_response(
        201, headers, b"ab", dumps=lambda obj: obj + b"cd", **more
    ),
}
make_any = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@make_any
def test_the_headers_are_copied_and_the_content_type_added_last(
    make: Callable[..., FullHttpResponse],
) -> None:
    headers: list[Header] = [(b"x-a", b"1"), (b"x-a", b"2")]
    response = make(headers)
    assert response[0] == 201
    assert response[1] is not headers
    assert headers == [(b"x-a", b"1"), (b"x-a", b"2")]
    assert [*response[1]][:2] == headers
    assert [name for name, _ in response[1]] == [b"x-a", b"x-a", b"content-type"]


@make_any
def test_a_content_type_that_is_there_stays_alone(
    make: Callable[..., FullHttpResponse],
) -> None:
    headers: list[Header] = [(b"content-type", b"text/css"), (b"x-a", b"1")]
    response = make(headers)
    assert response[1] == headers
    assert response[1] is not headers


@make_any
def test_headers_may_be_any_sequence(make: Callable[..., FullHttpResponse]) -> None:
    assert (b"x-a", b"1") in make(((b"x-a", b"1"),))[1]
    assert len(make(())[1]) == 1


@make_any
async def test_a_chunk_size_cuts_the_body(
    make: Callable[..., FullHttpResponse],
) -> None:
    body = make(None, chunk_size=3)[2]
    assert body is not None
    assert [chunk async for chunk in body] == [b"abc", b"d"]
    with pytest.raises(ValueError, match="0"):
        make(None, chunk_size=0)


@make_any
def test_pushes_are_passed_on(make: Callable[..., FullHttpResponse]) -> None:
    assert make(None, pushes=PUSHES)[3] is PUSHES


@make_any
async def test_a_known_body_is_sent_in_one_piece_with_its_length(
    make: Callable[..., FullHttpResponse],
) -> None:
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return make(None)

    app = Application()
    app.http_router.add({"GET"}, "/", handler)
    response = await http_request(app, "GET", "/")
    assert len(response.messages) == 2
    assert (b"content-length", b"4") in response.headers


def test_the_arguments_are_in_this_order() -> None:
    by_position = bytes_response(200, None, b"ab", b"image/png", 1, PUSHES)
    assert content_types(by_position) == [b"image/png"]
    assert by_position[3] is PUSHES
    by_position = text_response(200, None, "ab", "ascii", b"text/css", 1, PUSHES)
    assert content_types(by_position) == [b"text/css"]
    assert by_position[3] is PUSHES
    by_position = json_response(200, None, 1, b"text/json", str, 1, PUSHES)
    assert content_types(by_position) == [b"text/json"]
    assert by_position[3] is PUSHES


def test_what_dumps_raises_is_raised_at_the_call() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        json_response(200, None, Decimal(1))
    response = json_response(200, None, Decimal(1), dumps=lambda obj: f"{obj}")
    assert content_types(response) == [b"application/json"]


def test_text_that_the_encoding_cannot_express_is_raised_at_the_call() -> None:
    with pytest.raises(UnicodeEncodeError):
        text_response(200, None, "€", "latin-1")


# HttpError.


def http_error(reason: Any, headers: Any) -> urllib.error.HTTPError:
    """Make the error that urllib itself would raise."""
    return urllib.error.HTTPError("http://localhost/", 418, reason, headers, None)


def own_error(reason: Any, headers: Any) -> urllib.error.HTTPError:
    return HttpError(418, reason, headers)


ERRORS: dict[str, Callable[..., urllib.error.HTTPError]] = {
    "HTTPError": http_error,
    "HttpError": own_error,
}
any_error = pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS.keys())


async def parts_of(error: Exception) -> tuple[int, list[Header], bytes]:
    status, headers, body, pushes = error_response(error, SCOPE)
    assert pushes is None
    return status, [*headers], await whole(body)


def message(*fields: tuple[str, str]) -> Message:
    made = Message()
    for name, value in fields:
        made[name] = value
    return made


TEXT = (b"content-type", b"text/plain; charset=utf-8")

# What is raised as reason and headers, and what is answered.
CONVERSIONS: dict[str, tuple[object, object, list[Header], bytes]] = {
    "nothing": (None, None, [], b""),
    "text": ("no tea ñ", None, [TEXT], "no tea ñ".encode()),
    "empty text": ("", None, [TEXT], b""),
    "bytes": (b"\xff", None, [], b"\xff"),
    "text with a type": (
        "{}",
        [(b"content-type", b"application/json")],
        [(b"content-type", b"application/json")],
        b"{}",
    ),
    "text with headers": ("x", [(b"x-a", b"1")], [(b"x-a", b"1"), TEXT], b"x"),
    "pairs": (
        None,
        [(b"x-a", b"1"), (b"x-a", b"2")],
        [(b"x-a", b"1"), (b"x-a", b"2")],
        b"",
    ),
    "no pairs": (None, [], [], b""),
    "dict": (None, {"X-A": "1", "b": "2"}, [(b"x-a", b"1"), (b"b", b"2")], b""),
    "dict of bytes": (None, {b"X-A": b"1"}, [(b"x-a", b"1")], b""),
    "mapping": (None, MappingProxyType({"Allow": "GET"}), [(b"allow", b"GET")], b""),
    "dict with a type": (
        "x",
        {"Content-Type": "text/css"},
        [(b"content-type", b"text/css")],
        b"x",
    ),
    "e-mail message": (
        None,
        message(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
        [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
        b"",
    ),
    "e-mail message with a type": (
        "x",
        message(("Content-Type", "text/css")),
        [(b"content-type", b"text/css")],
        b"x",
    ),
    "latin-1 value": (None, {"X-A": "ñ"}, [(b"x-a", b"\xf1")], b""),
    "number as reason": (5, None, [], b""),
    "exception as reason": (OSError("secret"), None, [], b""),
}


@any_error
@pytest.mark.parametrize(
    ("reason", "headers", "sent", "body"), CONVERSIONS.values(), ids=CONVERSIONS.keys()
)
async def test_an_http_error_becomes_the_response_that_it_describes(
    make: Callable[..., urllib.error.HTTPError],
    reason: object,
    headers: object,
    sent: list[Header],
    body: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await parts_of(make(reason, headers)) == (418, sent, body)
    assert caplog.records == []


@any_error
async def test_a_list_of_pairs_is_never_changed(
    make: Callable[..., urllib.error.HTTPError],
) -> None:
    headers: list[Header] = [(b"x-a", b"1")]
    error = make("text", headers)
    for _ in range(2):
        assert len((await parts_of(error))[1]) == 2
    assert headers == [(b"x-a", b"1")]


@any_error
async def test_an_async_iterable_is_the_body_itself(
    make: Callable[..., urllib.error.HTTPError],
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    body = chunks()
    response = error_response(make(body, None), SCOPE)
    assert response[1] == []
    assert response[2] is body
    assert await whole(response[2]) == b"ab"


@pytest.mark.parametrize("status", [200, 204, 304, 404, HTTPStatus.NOT_FOUND, 599])
def test_any_final_status_may_be_raised(status: int) -> None:
    found = error_response(HttpError(status), SCOPE)[0]
    assert found == status
    assert type(found) is int


@pytest.mark.parametrize("status", [0, 99, 100, 199, 600, -1, "404", None, 404.5])
async def test_no_status_at_all_is_logged_and_a_500(
    status: Any, caplog: pytest.LogCaptureFixture
) -> None:
    found = await parts_of(HttpError(status, "secret"))
    assert found == (500, [(b"content-type", b"text/plain")], b"Internal Server Error")
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "headers",
    [5, "abc", {"x-a": "€"}, {"€": "a"}, [1], [(b"x-a",)]],
    ids=repr,
)
@pytest.mark.parametrize("reason", [None, "text", b"bytes"])
async def test_headers_that_cannot_be_sent_are_logged_and_a_500(
    headers: Any, reason: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise HttpError(404, reason, headers)

    app = Application()
    app.http_router.add({"GET"}, "/", fail)
    response = await http_request(app, "GET", "/")
    assert (response.status, response.body) == (500, b"Internal Server Error")
    assert len(caplog.records) == 1
    assert caplog.records[0].levelname == "ERROR"


def test_the_error_keeps_what_it_was_given() -> None:
    error = HttpError(404, "lost", [(b"x-a", b"1")])
    assert isinstance(error, urllib.error.HTTPError)
    assert (error.code, error.reason, error.headers) == (404, "lost", [(b"x-a", b"1")])
    assert "404" in str(error)
    by_name = HttpError(status=404, reason=None, headers=None)
    assert (by_name.code, by_name.reason, by_name.headers) == (404, None, None)


async def test_an_error_may_be_raised_again_and_again() -> None:
    error = HttpError(404, "lost")
    for _ in range(2):
        assert (await parts_of(error))[2] == b"lost"


async def test_content_too_large_is_an_http_error_413() -> None:
    error = ContentTooLarge(10)
    assert isinstance(error, HttpError)
    status, headers, body = await parts_of(error)
    assert (status, headers, body) == (413, [TEXT], b"Content Too Large")
    assert error.max_bytes == 10


@pytest.mark.parametrize(
    "kind", [ParseError, HttpInternalError, HttpDisconnectError, HttpError]
)
def test_every_error_is_an_exception(kind: type[Exception]) -> None:
    assert issubclass(kind, Exception)


# Everything else.


@pytest.mark.parametrize(
    "error",
    [
        ValueError("secret"),
        OSError("secret"),
        KeyError("secret"),
        urllib.error.URLError("secret"),
        HttpInternalError("secret"),
        ParseError("secret"),
        TimeoutError("secret"),
        ExceptionGroup("secret", [HttpError(404)]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_any_other_exception_is_logged_once_and_a_plain_500(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    found = await parts_of(error)
    assert found == (500, [(b"content-type", b"text/plain")], b"Internal Server Error")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("bareasgi.http", "ERROR")
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    # The path is logged so that it cannot forge a line.
    assert "GET '/a\\n'" in record.getMessage()


def test_a_disconnect_is_raised_again(caplog: pytest.LogCaptureFixture) -> None:
    error = HttpDisconnectError("the client left")
    with pytest.raises(HttpDisconnectError) as caught:
        error_response(error, SCOPE)
    assert caught.value is error
    assert caplog.records == []


def test_each_500_has_a_body_of_its_own() -> None:
    one = error_response(ValueError(), SCOPE)
    two = error_response(ValueError(), SCOPE)
    assert one[2] is not two[2]


def test_a_scope_that_is_not_http_does_not_spoil_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert error_response(ValueError(), {"type": "other"})[0] == 500
    assert len(caplog.records) == 1


# Through an application.


def raising(error: BaseException) -> HttpHandler:
    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise error

    return fail


def application(error: BaseException) -> Application:
    app = Application()
    app.http_router.add({"GET"}, "/", raising(error))
    return app


async def test_an_error_raised_by_a_handler_is_answered() -> None:
    app = application(HttpError(404, "lost", {"X-A": "1"}))
    response = await http_request(app, "GET", "/")
    assert (response.status, response.body) == (404, b"lost")
    assert (b"x-a", b"1") in response.headers


async def test_an_error_raised_by_a_middleware_is_answered() -> None:
    async def refuse(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        raise http_error(b"refused", None)

    app = Application(middlewares=[refuse])
    for path in ("/", "/missing"):
        response = await http_request(app, "GET", path)
        assert (response.status, response.body) == (418, b"refused")


async def test_an_error_of_head_has_no_body() -> None:
    app = application(HttpError(404, "lost"))
    response = await http_request(app, "HEAD", "/")
    assert (response.status, response.body) == (404, b"")
    assert (b"content-length", b"4") in response.headers


async def test_an_unexpected_exception_is_logged_once_and_not_raised_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await http_request(application(ValueError("secret")), "GET", "/")
    assert response.status == 500
    assert (b"content-type", b"text/plain") in response.headers
    assert response.body == b"Internal Server Error"
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("bareasgi.http", "ERROR")
    assert record.exc_info is not None


async def test_an_os_error_of_a_handler_is_no_disconnect() -> None:
    response = await http_request(application(OSError("disk full")), "GET", "/")
    assert response.status == 500


async def test_a_plugin_that_converts_an_error_logs_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def see_every_answer(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        try:
            response = await handler(scope, info, matches, content)
        except Exception as error:  # noqa: BLE001 - error_response knows which to take
            response = error_response(error, scope)
        status, headers, body, pushes = response
        return status, [*headers, (b"x-seen", b"1")], body, pushes

    for error, status, logged in [(ValueError(), 500, 1), (HttpError(404), 404, 0)]:
        caplog.clear()
        app = application(error)
        app.middlewares.append(see_every_answer)
        response = await http_request(app, "GET", "/")
        assert response.status == status
        assert (b"x-seen", b"1") in response.headers
        assert len(caplog.records) == logged


async def test_a_disconnect_that_leaves_a_handler_is_a_quiet_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    app = application(HttpDisconnectError())
    scope = {**SCOPE, "path": "/", "headers": []}
    await app(scope, receive, send)
    assert sent == []
    assert caplog.records == []


async def test_a_cancellation_is_not_taken_for_an_error() -> None:
    with pytest.raises(asyncio.CancelledError):
        await http_request(application(asyncio.CancelledError()), "GET", "/")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_what_is_no_exception_is_not_answered(error: type[BaseException]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {**SCOPE, "path": "/", "headers": []}
    with pytest.raises(error):
        await application(error())(scope, receive, send)
    assert sent == []


async def test_json_of_a_handler_comes_back_as_it_went() -> None:
    value = {"name": "Michael Caine", "n": [1, 2.5, None, True, "ñ"]}

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return json_response(200, [(b"x-a", b"1")], value)

    app = Application(not_found_response=(404, None, text_writer("x")))
    app.http_router.add({"GET"}, "/", handler)
    response = await http_request(app, "GET", "/")
    assert response.json() == json.loads(json.dumps(value))
