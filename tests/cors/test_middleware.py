"""The middleware: what it adds to which answers, and what it leaves alone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.error import HTTPError

import pytest

from bareasgi import (
    Application,
    Body,
    Content,
    ContentTooLarge,
    Header,
    Headers,
    HttpDisconnectError,
    HttpError,
    HttpHandler,
    HttpResponse,
    Info,
    NextHandler,
    Push,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_writer,
    mw,
    text_writer,
)
from bareasgi.testing import Response, http_request, http_stream
from bareasgi_cors import CorsPolicy, cors_middleware

A, B = b"https://a.example", b"https://b.example"
FROM_A: Sequence[Header] = [(b"origin", A)]
FROM_B: Sequence[Header] = [(b"origin", B)]
PREFLIGHT: Sequence[Header] = [*FROM_A, (b"access-control-request-method", b"PUT")]

GRANTED: Sequence[Header] = [
    (b"access-control-allow-origin", A),
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"x-total"),
    (b"vary", b"Origin"),
]
REFUSED: Sequence[Header] = [(b"vary", b"Origin")]
ANYONE: Sequence[Header] = [(b"access-control-allow-origin", b"*")]

POLICY = CorsPolicy(
    allow_origins={A.decode()}, allow_credentials=True, expose_headers={"x-total"}
)


def app_of(handler: HttpHandler, policy: CorsPolicy = POLICY) -> Application:
    app = Application(middlewares=[cors_middleware(policy)])
    app.http_router.add({"GET", "POST"}, "/", handler)
    return app


def returning(response: HttpResponse) -> HttpHandler:
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return response

    return handler


def raising(error: BaseException) -> HttpHandler:
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise error

    return handler


def values(response: Response, name: bytes) -> list[bytes]:
    return [value for each, value in response.headers if each == name]


each_caller = pytest.mark.parametrize(
    ("sent", "added"),
    [(FROM_A, GRANTED), (FROM_B, REFUSED), ([], REFUSED)],
    ids=["granted", "refused", "without an origin"],
)


# --- which answers --------------------------------------------------------------------


@each_caller
@pytest.mark.parametrize(
    "given", [200, (404,), (302, [(b"location", b"/x")]), (304, None), 500, 204]
)
async def test_every_answer_of_a_handler_gets_them(
    given: HttpResponse, sent: Sequence[Header], added: Sequence[Header]
) -> None:
    response = await http_request(app_of(returning(given)), "GET", "/", headers=sent)
    for header in added:
        assert header in response.headers
    extra = {name for name, _ in response.headers} - {name for name, _ in added}
    assert extra <= {b"location", b"content-length"}


@each_caller
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/missing", 404), ("PUT", "/", 405), ("OPTIONS", "/", 405)],
)
async def test_so_do_the_answers_of_the_router(
    method: str, path: str, status: int, sent: Sequence[Header], added: Sequence[Header]
) -> None:
    response = await http_request(app_of(returning(200)), method, path, headers=sent)
    assert response.status == status
    assert [each for each in response.headers if each in added] == added


@each_caller
@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (HttpError(401, "Who are you?", [(b"www-authenticate", b"x")]), 401, "Who"),
        (ContentTooLarge(3), 413, "Content Too Large"),
        (HTTPError("", 418, "tea", None, None), 418, "tea"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        (ZeroDivisionError("secret"), 500, "Internal Server Error"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_exception_becomes_an_answer_that_has_them(
    error: Exception,
    status: int,
    text: str,
    sent: Sequence[Header],
    added: Sequence[Header],
) -> None:
    response = await http_request(app_of(raising(error)), "GET", "/", headers=sent)
    assert response.status == status
    assert response.text.startswith(text)
    assert [each for each in response.headers if each in added] == added


async def test_an_exception_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(raising(ZeroDivisionError("secret")))
    await http_request(app, "GET", "/", headers=FROM_A)
    assert [record.name for record in caplog.records] == ["bareasgi.http"]
    assert "secret" in caplog.text


async def test_what_is_no_response_is_a_500_that_has_them() -> None:
    nonsense: Any = "text"
    response = await http_request(
        app_of(returning(nonsense)), "GET", "/", headers=FROM_A
    )
    assert response.status == 500
    assert GRANTED[0] in response.headers


@pytest.mark.parametrize(
    ("policy", "sent", "status", "origin"),
    [
        (POLICY, PREFLIGHT, 204, A),
        (POLICY, [*FROM_B, PREFLIGHT[1]], 400, None),
        (CorsPolicy(), PREFLIGHT, 204, b"*"),
    ],
)
async def test_a_preflight_is_answered_for_every_path_without_the_handler(
    policy: CorsPolicy, sent: Sequence[Header], status: int, origin: bytes | None
) -> None:
    app = app_of(raising(AssertionError("the handler was called")), policy)
    for path in ("/", "/missing"):
        response = await http_request(app, "OPTIONS", path, headers=sent)
        assert response.status == status
        assert values(response, b"access-control-allow-origin") == (
            [] if origin is None else [origin]
        )


async def test_a_refusal_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bareasgi_cors")
    texts: set[str] = set()
    for sent in (
        [(b"origin", B), (b"access-control-request-method", b"PUT")],
        [(b"origin", A), (b"access-control-request-method", b"EVIL")],
        [*PREFLIGHT, (b"access-control-request-headers", b"a b")],
    ):
        app = app_of(returning(200))
        response = await http_request(app, "OPTIONS", "/", headers=sent)
        assert response.status == 400
        assert [name for name, _ in response.headers] == [
            b"content-type",
            b"vary",
            b"content-length",
        ]
        texts.add(response.text)
    assert texts == {"The cross-origin request was refused."}
    # The log knows why.
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith("OPTIONS '/': the origin 'https://b.example' is not")
    assert told[1].startswith("OPTIONS '/': the method 'EVIL' is not")
    assert told[2] == "OPTIONS '/': 'a b' is no name of a header"


async def test_a_request_without_an_origin_from_anyone_may_be_kept_for_all() -> None:
    app = app_of(returning((200, [(b"vary", b"accept")])), CorsPolicy())
    callers: list[Sequence[Header]] = [[], FROM_A, FROM_B]
    for sent in callers:
        response = await http_request(app, "GET", "/", headers=sent)
        assert values(response, b"access-control-allow-origin") == [b"*"]
        assert values(response, b"vary") == [b"accept"]


# --- errors that pass -----------------------------------------------------------------


async def test_a_client_that_left_gets_no_answer() -> None:
    seen: list[Exception] = []

    async def outer(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        try:
            return await handler(scope, info, matches, content)
        except Exception as error:
            seen.append(error)
            raise

    async def read(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await bytes_reader(content)
        raise AssertionError("the upload has no end")

    app = app_of(read)
    app.middlewares.insert(0, outer)
    async with http_stream(app, "POST", "/", headers=FROM_A, content=None) as stream:
        await stream.upload(b"some")
        stream.leave()
    assert stream.messages == []
    assert [type(error) for error in seen] == [HttpDisconnectError]


async def test_a_cancelled_request_stays_cancelled() -> None:
    started = asyncio.Event()

    async def wait(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        started.set()
        await asyncio.Event().wait()
        return 200

    async with http_stream(app_of(wait), "GET", "/", headers=FROM_A) as stream:
        await asyncio.wait_for(started.wait(), 10)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream.finished()
    assert stream.messages == []


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_a_function_that_fails_grants_nothing(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(origin: str, scope: Scope) -> bool:
        raise ConnectionError("the database is down")

    was_called = False

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        nonlocal was_called
        was_called = True
        return 200

    app = app_of(handler, CorsPolicy(allow_origins=fail))
    response = await http_request(app, method, "/", headers=PREFLIGHT)
    assert response.status == 500
    assert response.body == b"Internal Server Error"
    assert values(response, b"access-control-allow-origin") == []
    assert not was_called
    assert "the database is down" in caplog.text


# --- what the handler gave ------------------------------------------------------------


@each_caller
async def test_the_headers_that_a_handler_gave_are_not_changed(
    sent: Sequence[Header], added: Sequence[Header]
) -> None:
    given: list[Header] = [
        (b"vary", b"accept"),
        (b"access-control-allow-origin", b"*"),
        (b"x-a", b"1"),
    ]
    before = [*given]
    app = app_of(returning((200, given)))
    first = await http_request(app, "GET", "/", headers=sent)
    second = await http_request(app, "GET", "/", headers=sent)
    assert given == before
    assert first.headers == second.headers
    assert first.headers is not second.headers
    assert first.headers is not given


async def test_headers_may_be_any_sequence() -> None:
    given: Headers = ((b"x-a", b"1"), (b"x-b", b"2"))
    app = app_of(returning((204, given)))
    response = await http_request(app, "GET", "/", headers=FROM_A)
    assert response.headers == [*given, *GRANTED]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([b"accept"], [b"accept, Origin"]),
        ([b"Accept", b"accept-language"], [b"Accept, accept-language, Origin"]),
        ([b"Origin"], [b"Origin"]),
        ([b"origin"], [b"Origin"]),
        ([b"accept,origin , cookie"], [b"accept, Origin, cookie"]),
        ([b""], [b"Origin"]),
        ([b"*"], [b"*"]),
        ([b"accept, *"], [b"*"]),
        ([b"x-origin"], [b"x-origin, Origin"]),
    ],
)
@pytest.mark.parametrize("caller", [FROM_A, FROM_B, []])
async def test_vary_gains_origin_once(
    given: list[bytes], sent: list[bytes], caller: Sequence[Header]
) -> None:
    handler = returning((200, [(b"vary", value) for value in given]))
    response = await http_request(app_of(handler), "GET", "/", headers=caller)
    assert values(response, b"vary") == sent


@pytest.mark.parametrize(
    ("policy", "caller", "origin", "credentials"),
    [
        (POLICY, FROM_A, [A], [b"true"]),
        (POLICY, FROM_B, [], []),
        (POLICY, [], [], []),
        (CorsPolicy(), FROM_B, [b"*"], []),
        (CorsPolicy(allow_origins={A.decode()}), FROM_A, [A], []),
    ],
)
async def test_the_policy_replaces_what_a_handler_grants(
    policy: CorsPolicy,
    caller: Sequence[Header],
    origin: list[bytes],
    credentials: list[bytes],
) -> None:
    given: Sequence[Header] = [
        (b"access-control-allow-origin", B),
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-credentials", b"true"),
        (b"x-a", b"1"),
    ]
    app = app_of(returning((200, given)), policy)
    response = await http_request(app, "GET", "/", headers=caller)
    assert values(response, b"access-control-allow-origin") == origin
    assert values(response, b"access-control-allow-credentials") == credentials
    assert values(response, b"x-a") == [b"1"]


async def test_a_handler_may_expose_more_headers() -> None:
    given: Sequence[Header] = [(b"access-control-expose-headers", b"x-own")]
    app = app_of(returning((200, given)))
    response = await http_request(app, "GET", "/", headers=FROM_A)
    exposed = values(response, b"access-control-expose-headers")
    assert exposed == [b"x-own", b"x-total"]


async def numbers(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield b"%d" % number


@pytest.mark.parametrize("body", [None, text_writer("text"), numbers(2)])
async def test_body_and_pushes_are_the_same_objects(body: Body | None) -> None:
    pushes: Sequence[Push] = [("/style.css", [])]
    given: Mapping[str, Any] = {"body": body, "pushes": pushes}
    middleware = cors_middleware(POLICY)

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Any:
        return 200, [], given["body"], given["pushes"]

    scope: Scope = {"method": "GET", "headers": FROM_A}
    response: Any = await middleware(scope, {}, {}, numbers(0), handler)
    assert response[2] is body
    assert response[3] is pushes


async def test_a_stream_is_sent_chunk_by_chunk() -> None:
    gates: asyncio.Queue[bytes] = asyncio.Queue()

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await gates.get():
            yield chunk

    app = app_of(returning((200, [], chunks())))
    async with http_stream(app, "GET", "/", headers=FROM_A) as stream:
        await stream.started()
        assert stream.headers == GRANTED
        for number in range(3):
            gates.put_nowait(b"%d" % number)
            assert await stream.chunk() == b"%d" % number
        gates.put_nowait(b"")
        assert await stream.chunk() == b""


# --- around a single route ------------------------------------------------------------


async def test_it_works_around_a_single_route_that_lists_options() -> None:
    app = Application()
    middleware = cors_middleware(allow_origins={A.decode()})
    handler = returning((200, None, bytes_writer(b"open")))
    app.http_router.add({"GET", "OPTIONS"}, "/open", mw(middleware, handler=handler))
    app.http_router.add({"GET", "OPTIONS"}, "/closed", handler)
    granted = await http_request(app, "OPTIONS", "/open", headers=PREFLIGHT)
    assert granted.status == 204
    response = await http_request(app, "GET", "/open", headers=FROM_A)
    assert (response.body, values(response, b"vary")) == (b"open", [b"Origin"])
    for method in ("GET", "OPTIONS"):
        closed = await http_request(app, method, "/closed", headers=PREFLIGHT)
        assert [name for name, _ in closed.headers] == [b"content-length"]


async def test_one_policy_may_be_used_in_several_places() -> None:
    app = Application()
    handler = returning(200)
    for path in ("/a", "/b"):
        wrapped = mw(cors_middleware(POLICY), handler=handler)
        app.http_router.add({"GET"}, path, wrapped)
        response = await http_request(app, "GET", path, headers=FROM_A)
        assert [each for each in response.headers if each in GRANTED] == GRANTED


async def test_a_policy_and_options_together_are_refused() -> None:
    make: Any = cors_middleware
    with pytest.raises(TypeError, match="not both: \\['max_age'\\]"):
        make(POLICY, max_age=3)
