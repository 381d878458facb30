"""Requests share nothing but `info`, and errors tell nothing of what went wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    FullHttpResponse,
    HttpError,
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_response,
    bytes_writer,
    json_response,
    text_response,
    text_writer,
)
from bareasgi.testing import http_request, http_stream
from bareasgi.types import Header

REQUESTS = 400
PLAIN = (b"content-type", b"text/plain")
SHARED: list[Header] = [PLAIN, (b"x-shared", b"yes")]
UNTYPED: list[Header] = [(b"x-shared", b"yes")]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def own_bytes(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    await turns(matches["id"] % 7)
    sent = await bytes_reader(content)
    await turns(matches["id"] % 5)
    return 200, SHARED, bytes_writer(b"%d %s" % (matches["id"], sent))


async def own_stream(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    async def stream() -> AsyncIterator[bytes]:
        yield b"%d " % matches["id"]
        await turns(matches["id"] % 7)
        async for chunk in content:
            yield chunk

    return 200, SHARED, stream()


async def own_text(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    sent = (await bytes_reader(content)).decode()
    await turns(matches["id"] % 3)
    return text_response(200, SHARED, f"{matches['id']} {sent}")


async def own_error(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    sent = (await bytes_reader(content)).decode()
    await turns(matches["id"] % 3)
    raise HttpError(400, f"{matches['id']} {sent}", SHARED)


async def add_a_field(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    status, headers, body, pushes = await handler(scope, info, matches, content)
    await turns(matches["id"] % 3)
    return status, [*headers, (b"x-id", b"%d" % matches["id"])], body, pushes


@pytest.mark.parametrize(
    ("handler", "status", "middlewares"),
    [
        pytest.param(own_bytes, 200, [], id="bytes"),
        pytest.param(own_stream, 200, [], id="stream"),
        pytest.param(own_text, 200, [], id="text"),
        pytest.param(own_error, 400, [], id="error"),
        pytest.param(own_bytes, 200, [add_a_field], id="wrapped bytes"),
        pytest.param(own_stream, 200, [add_a_field], id="wrapped stream"),
        pytest.param(own_text, 200, [add_a_field], id="wrapped text"),
    ],
)
async def test_400_requests_at_once_get_their_own_answers(
    handler: HttpHandler, status: int, middlewares: list[HttpMiddleware]
) -> None:
    app = Application(middlewares=middlewares)
    app.http_router.add({"POST"}, "/{id:int}", handler)

    async def ask(number: int) -> tuple[int, bytes, list[Header]]:
        response = await http_request(
            app, "POST", f"/{number}", content=[b"a", b"%d" % number, b"z"]
        )
        return response.status, response.body, [*response.headers]

    answers = await asyncio.gather(*map(ask, range(REQUESTS)))
    for number, (answered, body, headers) in enumerate(answers):
        assert answered == status
        assert body == b"%d a%dz" % (number, number)
        assert headers[:2] == [PLAIN, (b"x-shared", b"yes")]
        ids = [value for name, value in headers if name == b"x-id"]
        assert ids == ([b"%d" % number] if middlewares else [])
        assert len([name for name, _ in headers if name == b"content-length"]) <= 1
    assert SHARED == [PLAIN, (b"x-shared", b"yes")]


async def test_each_request_has_matches_and_content_of_its_own_and_one_info() -> None:
    seen: list[tuple[Any, Any, Any]] = []

    async def keep(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        seen.append((info, matches, content))
        return 200

    app = Application(info={"name": "one"})
    app.http_router.add({"GET"}, "/", keep)
    app.http_router.add({"GET"}, "/{id:int}", keep)
    for path in ("/", "/", "/1", "/1"):
        await http_request(app, "GET", path)
    infos, matches, contents = zip(*seen, strict=True)
    assert all(info is app.info for info in infos)
    assert len({id(each) for each in matches}) == 4
    assert len({id(each) for each in contents}) == 4


async def test_a_handler_that_changes_its_matches_changes_nobody_else_s() -> None:
    async def change(
        scope: Scope, info: Info, matches: Any, content: Content
    ) -> HttpResponse:
        answer = repr(matches)
        matches["left"] = "behind"
        return 200, None, text_writer(answer)

    app = Application()
    app.http_router.add({"GET"}, "/", change)
    app.http_router.add({"GET"}, "/{name}", change)
    for path, expected in (("/", "{}"), ("/a", "{'name': 'a'}")):
        for _ in range(3):
            assert (await http_request(app, "GET", path)).text == expected


SORRY = [(500, [PLAIN, (b"content-length", b"21")], b"Internal Server Error")]


async def fail(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    raise ZeroDivisionError("secret")


@pytest.mark.parametrize(
    ("path", "status"), [("/missing", 404), ("/put", 405), ("/fail", 500)]
)
async def test_the_framework_s_own_answers_are_the_same_every_time(
    path: str, status: int
) -> None:
    async def spoil(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> FullHttpResponse:
        status, headers, body, pushes = await handler(scope, info, matches, content)
        return status, [*headers, (b"x-more", b"")], body, pushes

    plain = Application()
    for app in (plain, Application(middlewares=[spoil])):
        app.http_router.add({"PUT"}, "/put", fail)
        app.http_router.add({"GET"}, "/fail", fail)
        answers = []
        for method in ("GET", "HEAD", "GET", "GET"):
            response = await http_request(app, method, path)
            answers.append((response.status, response.headers, response.body))
        get, head, *others = answers
        assert get[0] == status
        assert others == [get, get]
        assert head == (status, get[1], b"")
    response = await http_request(plain, "GET", "/fail")
    assert [(response.status, response.headers, response.body)] == SORRY


# --- errors tell nothing --------------------------------------------------------------


def returns(response: Any) -> HttpHandler:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        returned: HttpResponse = response
        return returned

    return answer


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(fail, id="exception"),
        pytest.param(returns("secret"), id="nonsense"),
        pytest.param(returns((200, [(b"a", b"secret\n")])), id="refused header"),
        pytest.param(returns((200, [], None, ["secret"])), id="refused push"),
        pytest.param(returns((200, [], ["secret"])), id="refused body"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_500_has_a_constant_body_and_the_log_the_details(
    handler: HttpHandler, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application()
    app.http_router.add({"GET", "POST"}, "/{id:int}", handler)
    response = await http_request(app, method, "/7")
    assert [(response.status, response.headers, response.body)] == SORRY
    assert len(response.messages) == 2
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.levelno == logging.ERROR
    assert "'/7'" in record.getMessage()
    assert record.exc_info or "secret" in record.getMessage() or handler is not fail


async def test_an_error_after_the_start_is_cut_and_tells_nothing() -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError("secret")

    app = Application()
    app.http_router.add({"GET"}, "/", returns((200, [PLAIN], stream())))
    async with http_stream(app, "GET", "/", buffer=None) as response:
        with pytest.raises(ZeroDivisionError):
            await response.finished()
    assert response.chunks == [b"a"]
    assert "secret" not in repr(response.messages)
    assert response.messages[-1]["more_body"] is True


async def fail_in_the_body(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    return 200, None, stream()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(fail, id="exception"),
        pytest.param(fail_in_the_body, id="exception in the body"),
        pytest.param(returns("a\nb"), id="nonsense"),
        pytest.param(returns((200, [(b"a\nb", b"")])), id="refused name"),
        pytest.param(returns((200, [(b"a", b"\nb")])), id="refused value"),
        pytest.param(returns((200, [], None, [("/\nb", [])])), id="refused push"),
        pytest.param(returns(200), id="fine"),
        pytest.param(None, id="no route"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_path_with_a_newline_cannot_forge_a_line_of_the_log(
    handler: HttpHandler | None, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app = Application()
    if handler is not None:
        app.http_router.add({"GET", "POST"}, "/a/{rest:path}", handler)
    async with http_stream(
        app, method, "/a/b%0AERROR%20forged%0D%1b[31m", buffer=None
    ) as response:
        try:
            await response.finished()
        except ZeroDivisionError:
            assert handler is fail_in_the_body
    for record in caplog.records:
        if record.name.startswith("bareasgi"):
            message = record.getMessage()
            assert not {"\n", "\r", "\x1b"} & {*message}


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda: bytes_response(200, UNTYPED, b"a"), id="bytes_response"),
        pytest.param(lambda: text_response(200, UNTYPED, "a"), id="text_response"),
        pytest.param(lambda: json_response(200, UNTYPED, "a"), id="json_response"),
        pytest.param(lambda: (200, UNTYPED, text_writer("a")), id="tuple"),
        pytest.param(lambda: (200, UNTYPED), id="no body"),
        pytest.param(lambda: _raise(HttpError(400, "a", UNTYPED)), id="HttpError"),
    ],
)
async def test_a_shared_header_list_is_never_changed(
    respond: Callable[[], HttpResponse],
) -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return respond()

    app = Application()
    app.http_router.add({"GET", "POST"}, "/", answer)
    seen = []
    for method in ("GET", "HEAD", "POST", "GET"):
        response = await http_request(app, method, "/")
        seen.append([*response.headers])
    assert seen == [seen[0]] * 4
    assert UNTYPED == [(b"x-shared", b"yes")]


def _raise(error: Exception) -> HttpResponse:
    raise error
