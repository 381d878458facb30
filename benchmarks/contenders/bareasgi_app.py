"""The cases on bareASGI: decorated handlers that return the shortest response."""

from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial

from bareutils import header

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    WebSocket,
    bytes_reader,
    decode_cookies,
    json_response,
    text_writer,
)
from bareasgi import Scope as BareScope
from benchmarks.cases import (
    CHUNKS,
    DOCUMENT,
    GREETING,
    MANY_CHUNKS,
    MIDDLEWARES,
    OTHER_ROUTES,
    SIX_HEADERS,
    AsgiApplication,
    chunks,
    ticks,
)

_TEXT = [(b"content-type", b"text/plain")]
_SIX_HEADERS = [(name.encode(), value.encode()) for name, value in SIX_HEADERS]


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving("GET", "/plaintext", _plaintext)
    echoes = Application()
    echoes.ws_router.add("/echo", _echo)
    return {
        "plaintext": plaintext,
        "json": _serving("GET", "/json", _json),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _serving("POST", "/upload", _body_whole),
        "body_chunks": _serving("POST", "/upload", _body_chunks),
        "stream": _serving("GET", "/stream", _streaming(partial(chunks, CHUNKS))),
        "ticks": _serving("GET", "/ticks", _streaming(ticks)),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": plaintext,
        "cookie": _serving("GET", "/cookie", _cookie),
        "echoes": echoes,
        "many_chunks": _serving(
            "GET", "/stream", _streaming(partial(chunks, MANY_CHUNKS))
        ),
        "six_headers": _serving("GET", "/six", _six_headers),
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    application = Application()
    for index in range(count):
        path = f"/area{index}/{{name}}/{{number:int}}"
        application.http_router.add({"GET"}, path, _parameters)
    return application


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("GET", "/middlewares", _count_of_middlewares)
    application.middlewares.extend([_counting] * count)
    return application


def _serving(method: str, path: str, handler: HttpHandler) -> Application:
    application = Application()
    application.http_router.add({method}, path, handler)
    return application


async def _plaintext(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, _TEXT, text_writer(GREETING)


async def _json(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return json_response(200, None, DOCUMENT)


async def _parameters(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, _TEXT, text_writer(f"{matches['name']} {matches['number'] + 1}")


async def _body_whole(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, _TEXT, text_writer(str(len(await bytes_reader(content))))


async def _body_chunks(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    size = 0
    async for chunk in content:
        size += len(chunk)
    return 200, _TEXT, text_writer(str(size))


def _streaming(body: Callable[[], AsyncGenerator[bytes]]) -> HttpHandler:
    async def stream(
        scope: BareScope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, _TEXT, body()

    return stream


async def _counting(
    scope: BareScope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    scope["passed"] = scope.get("passed", 0) + 1
    return await handler(scope, info, matches, content)


async def _count_of_middlewares(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, _TEXT, text_writer(str(scope["passed"]))


async def _cookie(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    cookies = decode_cookies(header.find(b"cookie", scope["headers"]) or b"")
    return 200, _TEXT, text_writer(cookies[b"session"][0].decode())


async def _echo(
    scope: BareScope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.accept()
    while (message := await web_socket.receive()) is not None:
        await web_socket.send(message)


async def _six_headers(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, _SIX_HEADERS, text_writer(GREETING)
