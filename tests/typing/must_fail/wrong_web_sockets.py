"""WebSockets of the wrong shape."""

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    encode_set_cookie,
    event_stream,
)

app = Application()


async def handler(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.send(1)  # E: mypy[arg-type] pyright[reportArgumentType]
    await web_socket.send({"a": 1})  # E: mypy[arg-type] pyright[reportArgumentType]
    await web_socket.close("1000")  # E: mypy[arg-type] pyright[reportArgumentType]
    await web_socket.accept(b"chat")  # E: mypy[arg-type] pyright[reportArgumentType]
    # E: mypy[list-item] pyright[reportArgumentType]
    await web_socket.accept(None, [("x-a", "1")])
    web_socket.code = 1000  # E: mypy[misc] pyright[reportAttributeAccessIssue]
    # E: mypy[assignment] pyright[reportAssignmentType]
    text: str = await web_socket.receive()
    await web_socket.send(text)


async def http_handler(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


async def answering(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> int:
    return 204


app.ws_router.add("/a", http_handler)  # E: mypy[arg-type] pyright[reportArgumentType]
app.ws_router.add("/a", answering)  # E: mypy[arg-type] pyright[reportArgumentType]
app.ws_middlewares.append(handler)  # E: mypy[arg-type] pyright[reportArgumentType]
app.mount("/a", "module:app")  # E: mypy[arg-type] pyright[reportArgumentType]
# E: mypy[arg-type] pyright[reportArgumentType]
encode_set_cookie("name", b"value")
event_stream([1, 2, 3])  # E: mypy[arg-type] pyright[reportArgumentType]
