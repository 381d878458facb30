"""Routing WebSockets by path."""

import logging
from typing import Any

import pytest

from bareasgi import Info, ParseError, RouteMatches, Scope, WebSocket
from bareasgi.basic_router import BasicWebSocketRouter


async def first(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    raise NotImplementedError


async def second(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    raise NotImplementedError


def test_the_first_route_that_matches_wins() -> None:
    router = BasicWebSocketRouter()
    router.add("/a/{name}", first)
    router.add("/{path}", second)
    assert router.resolve("/a/b") == (first, {"name": "b"})
    assert router.resolve("/b/c") == (second, {"path": "b/c"})


def test_find_tells_the_route() -> None:
    router = BasicWebSocketRouter()
    router.add("/a/{id:int}", first)
    handler, matches, route = router.find("/a/1")
    assert (handler, matches) == (first, {"id": 1})
    assert route is not None
    assert (route.path, route.path_format) == ("/a/{id:int}", "/a/{id}")
    assert (route.kind, route.methods, route.handler) == ("websocket", (), first)
    assert router.routes == (route,)


def test_no_route_gives_no_handler(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    router = BasicWebSocketRouter()
    assert router.find("/a\n") == (None, {}, None)
    assert "no route for '/a\\n'" in caplog.text


def test_a_route_that_is_never_reached_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = BasicWebSocketRouter()
    router.add("/{name}", first)
    router.add("/a", second)
    assert "/a is never reached" in caplog.text
    assert router.resolve("/a") == (first, {"name": "a"})


@pytest.mark.parametrize("path", ["", "a", "/{", "/{a}{b}", "/{a}/{a}"])
def test_a_template_that_cannot_be_understood_is_refused(path: str) -> None:
    with pytest.raises(ParseError):
        BasicWebSocketRouter().add(path, first)


def test_what_cannot_be_called_is_refused() -> None:
    handler: Any = "first"
    with pytest.raises(TypeError, match="not callable"):
        BasicWebSocketRouter().add("/a", handler)
