"""The policy as the guard of websockets."""

import logging
from collections.abc import Sequence

import pytest

from bareasgi import Application, Header, Info, RouteMatches, Scope, WebSocket
from bareasgi.testing import web_socket
from bareasgi_cors import CorsPolicy, add_cors, websocket_origin_middleware

A = b"https://a.example"


async def greet(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.accept()
    await web_socket.send("hello")


def app_of(policy: CorsPolicy) -> Application:
    app = Application(ws_middlewares=[websocket_origin_middleware(policy)])
    app.ws_router.add("/", greet)
    return app


LISTED = CorsPolicy(allow_origins={A.decode()})


def is_open(origin: str, scope: Scope) -> bool:
    return bool(scope["path"] == "/")


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        (LISTED, [(b"origin", A)]),
        (LISTED, []),
        (CorsPolicy(), [(b"origin", b"https://b.example")]),
        (CorsPolicy(allow_origin_regex=r"https://\w\.example"), [(b"origin", A)]),
        (CorsPolicy(allow_origins=is_open), [(b"origin", A)]),
        (CorsPolicy(allow_origins={"null"}), [(b"origin", b"null")]),
    ],
)
async def test_an_allowed_origin_and_none_at_all_pass(
    policy: CorsPolicy, sent: Sequence[Header]
) -> None:
    async with web_socket(app_of(policy), "/", headers=sent) as socket:
        assert socket.is_accepted
        assert await socket.receive() == "hello"


@pytest.mark.parametrize(
    "sent",
    [
        [(b"origin", b"https://b.example")],
        [(b"origin", b"https://a.example.evil.net")],
        [(b"origin", b"null")],
        [(b"origin", b"")],
        [(b"origin", b"\xff")],
        [(b"origin", A), (b"origin", A)],
        [(b"origin", A), (b"origin", b"https://b.example")],
    ],
)
async def test_any_other_is_refused_before_it_is_accepted(
    sent: Sequence[Header], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bareasgi_cors")
    async with web_socket(app_of(LISTED), "/", headers=sent) as socket:
        assert not socket.is_accepted
        assert socket.response.status == 403
        assert socket.response.text == "The cross-origin request was refused."
    assert "a websocket to '/' from b'" in caplog.text


async def test_without_the_extension_it_is_closed_before_it_is_accepted() -> None:
    sent = [(b"origin", b"https://b.example")]
    app = app_of(LISTED)
    async with web_socket(app, "/", headers=sent, scope={"extensions": {}}) as socket:
        assert not socket.is_accepted
        assert socket.code is not None


async def test_the_policy_of_add_cors_guards_both() -> None:
    app = Application()
    policy = add_cors(app, allow_origins={A.decode()})
    app.ws_middlewares.append(websocket_origin_middleware(policy))
    app.ws_router.add("/", greet)
    for origin, is_accepted in ((A, True), (b"https://b.example", False)):
        async with web_socket(app, "/", headers=[(b"origin", origin)]) as socket:
            assert socket.is_accepted == is_accepted
