"""Other ASGI applications below a path."""

from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    NextHandler,
    ParseError,
    RouteMatches,
    Scope,
    WebSocket,
    text_writer,
)
from bareasgi.testing import http_request, lifespan, web_socket


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    said = f"{scope['root_path']} {scope['path']} {dict(matches)}"
    return 200, None, text_writer(said)


async def tell(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.accept()
    await web_socket.send(f"{scope['root_path']} {scope['path']}")


def inner() -> Application:
    app = Application()
    app.http_router.add({"GET"}, "/", show)
    app.http_router.add({"GET"}, "/users/{id:int}", show)
    app.ws_router.add("/feed", tell)
    return app


class Recorder:
    """An application of ASGI that keeps the scopes it is called with."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api", "/api /api {}"),
        ("/api/", "/api /api/ {}"),
        ("/api/users/12", "/api /api/users/12 {'id': 12}"),
    ],
)
async def test_what_is_below_the_path_goes_to_the_application(
    path: str, said: str
) -> None:
    app = Application()
    app.mount("/api", inner())
    response = await http_request(app, "GET", path)
    assert (response.status, response.text) == (200, said)


@pytest.mark.parametrize("path", ["/", "/apis", "/ap", "/other/api", "/API"])
async def test_what_is_not_below_the_path_does_not(path: str) -> None:
    app = Application()
    recorder = Recorder()
    app.mount("/api", recorder)
    assert (await http_request(app, "GET", path)).status == 404
    assert recorder.scopes == []


async def test_sockets_go_to_the_application_too() -> None:
    app = Application()
    app.mount("/api", inner())
    async with web_socket(app, "/api/feed") as client:
        assert await client.receive() == "/api /api/feed"
    async with web_socket(app, "/feed") as client:
        assert client.response.status == 404


async def test_the_nearest_of_several_mounts_is_taken() -> None:
    app = Application()
    outer, nearer = Recorder(), Recorder()
    app.mount("/api", outer)
    app.mount("/api/v2", nearer)
    await http_request(app, "GET", "/api/v2/users")
    await http_request(app, "GET", "/api/v20/users")
    assert [scope["path"] for scope in nearer.scopes] == ["/api/v2/users"]
    assert [scope["path"] for scope in outer.scopes] == ["/api/v20/users"]


async def test_mounts_nest_and_stand_below_a_server_s_root_path() -> None:
    app, between = Application(), Application()
    between.mount("/inner", inner())
    app.mount("/outer", between)
    scope = {"root_path": "/proxy/"}
    path = "/proxy/outer/inner/users/1"
    response = await http_request(app, "GET", path, scope=scope)
    assert response.text == f"/proxy/outer/inner {path} {{'id': 1}}"


async def test_the_scope_is_a_copy_without_a_route_of_ours() -> None:
    app = Application()
    recorder = Recorder()
    app.mount("/api", recorder)
    scope = {"type": "http", "method": "GET", "path": "/api", "route": "ours"}

    async def send(message: Any) -> None:
        pass

    await app(scope, lambda: pytest.fail("nothing to receive"), send)
    assert scope == {"type": "http", "method": "GET", "path": "/api", "route": "ours"}
    (below,) = recorder.scopes
    assert below == {
        "type": "http",
        "method": "GET",
        "path": "/api",
        "root_path": "/api",
    }


async def test_middlewares_and_routes_do_not_see_what_is_mounted() -> None:
    async def fail(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        raise AssertionError("the middleware ran")

    app = Application(middlewares=[fail])
    app.http_router.add({"GET"}, "/api/{path}", show)
    app.mount("/api", Recorder())
    assert (await http_request(app, "GET", "/api/users")).status == 204


async def test_lifespan_is_not_forwarded() -> None:
    app = Application()
    recorder = Recorder()
    app.mount("/api", recorder)
    async with lifespan(app):
        pass
    assert recorder.scopes == []


@pytest.mark.parametrize("path", ["", "api", "/", "/api/", "//api", "/{name}", "/a}"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ParseError):
        Application().mount(path, Recorder())


def test_what_is_no_application_is_refused() -> None:
    app: Any = "an import string"
    with pytest.raises(TypeError, match="no ASGI application"):
        Application().mount("/api", app)


def test_a_path_is_taken_once() -> None:
    app = Application()
    app.mount("/api", Recorder())
    with pytest.raises(ValueError, match="already"):
        app.mount("/api", Recorder())


def test_routes_are_data() -> None:
    app = Application()
    recorder = Recorder()
    app.mount("/api", recorder)
    app.ws_router.add("/feed", tell)
    app.http_router.add({"post", "GET"}, "/users/{id:int}", show, name="user")
    told = [
        (each.kind, each.methods, each.path, each.path_format, each.name, each.handler)
        for each in app.routes
    ]
    assert told == [
        ("http", ("GET", "POST"), "/users/{id:int}", "/users/{id}", "user", show),
        ("websocket", (), "/feed", "/feed", None, tell),
        ("mount", (), "/api", "/api", None, recorder),
    ]
