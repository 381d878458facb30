"""WebSockets, event streams, mounts and what else an application has."""

from collections.abc import AsyncIterator

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Application,
    Content,
    Event,
    Headers,
    HttpError,
    HttpResponse,
    Info,
    Receive,
    RouteMatches,
    Scope,
    Send,
    WebSocket,
    WebSocketHandler,
    decode_cookies,
    early_hints,
    encode_set_cookie,
    event_stream,
    same_origin,
    with_path,
    with_trailers,
)
from bareasgi.compression import make_default_compression_middleware

app = Application(middlewares=[make_default_compression_middleware()])


@app.on_ws_request("/echo")
async def echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    if not same_origin(scope, {"https://app.example"}):
        raise HttpError(403)
    await web_socket.accept("chat", [(b"x-a", b"1")])
    async for message in web_socket:
        text: str | bytes = message
        await web_socket.send(text)
    code: int | None = web_socket.code
    await web_socket.close(1000 if code is None else 1001, "bye")


async def guard(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    web_socket: WebSocket,
    handler: WebSocketHandler,
) -> None:
    await handler(scope, info, matches, web_socket)


app.ws_middlewares.append(guard)
app.ws_router.add("/again", echo)


async def events() -> AsyncIterator[Event]:
    yield Event("data", event="tick", id=1)


async def mappings() -> AsyncIterator[dict[str, str]]:
    yield {"data": "text"}


@app.on_http_request({"GET"}, "/events")
async def feed(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    await early_hints(scope, [b"</style.css>; rel=preload"])
    if matches:
        return 200, EVENT_STREAM_HEADERS, event_stream(mappings())
    return 200, EVENT_STREAM_HEADERS, event_stream(events(), retry=1000, keepalive=None)


def digest() -> Headers:
    return [(b"digest", b"abc")]


@app.on_http_request({"GET"}, "/file")
async def file(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    cookies: dict[bytes, list[bytes]] = decode_cookies(b"a=b")
    cookie = encode_set_cookie(b"a", cookies[b"a"][0], http_only=True)
    body = with_path(with_trailers(content, digest), "/tmp/file")  # noqa: S108
    return 200, [(b"set-cookie", cookie)], body


async def other(scope: Scope, receive: Receive, send: Send) -> None:
    pass


app.mount("/other", other)
app.mount("/again", Application())
paths: list[str] = [route.path for route in app.routes]


async def end() -> bool:
    return await app.drain(5)
