"""The wiring, the older names, and a policy over a real server."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    Header,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareasgi.testing import http_request
from bareasgi_cors import (
    CORSMiddleware,
    CorsPolicy,
    add_cors,
    add_cors_middleware,
    cors_middleware,
)

A = b"https://a.example"
FROM_A: Sequence[Header] = [(b"origin", A)]
OPTIONS: dict[str, Any] = {
    "allow_origins": [A.decode()],
    "allow_origin_regex": re.compile(r"https://[a-z]+\.b\.example"),
    "allow_methods": ["PUT"],
    "allow_headers": ["x-a"],
    "allow_credentials": True,
    "expose_headers": ["x-b"],
    "max_age": 60,
    "allow_private_network": True,
}
PREFLIGHT: Sequence[Header] = [
    (b"origin", b"https://www.b.example"),
    (b"access-control-request-method", b"PUT"),
    (b"access-control-request-headers", b"x-a"),
    (b"access-control-request-private-network", b"true"),
]
ANSWER: dict[bytes, bytes] = {
    b"access-control-allow-origin": b"https://www.b.example",
    b"access-control-allow-methods": b"PUT",
    b"access-control-allow-headers": b"accept, accept-language, content-language,"
    b" content-type, range, x-a",
    b"access-control-allow-credentials": b"true",
    b"access-control-allow-private-network": b"true",
    b"access-control-max-age": b"60",
    b"vary": b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers,"
    b" Access-Control-Request-Private-Network",
}


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200


def make_app() -> Application:
    app = Application(info={"a": 1})
    app.http_router.add({"GET"}, "/", show)
    return app


async def test_add_cors_wires_one_middleware_as_the_outermost() -> None:
    async def other(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        return await handler(scope, info, matches, content)

    app = make_app()
    app.middlewares.append(other)
    policy = add_cors(app, **OPTIONS)
    assert isinstance(policy, CorsPolicy)
    assert len(app.middlewares) == 2
    assert app.middlewares[1] is other
    assert app.info == {"a": 1}
    assert not app.startup_handlers
    assert not app.shutdown_handlers


async def test_all_options_reach_the_policy_whatever_it_is_made_by() -> None:
    apps = [make_app() for _ in range(5)]
    add_cors(apps[0], **OPTIONS)
    apps[1].middlewares.append(cors_middleware(CorsPolicy(**OPTIONS)))
    apps[2].middlewares.append(cors_middleware(**OPTIONS))
    apps[3].middlewares.append(CORSMiddleware(**OPTIONS))
    assert add_cors_middleware(apps[4], **OPTIONS) is apps[4]
    for app in apps:
        response = await http_request(app, "OPTIONS", "/", headers=PREFLIGHT)
        assert response.status == 204
        assert dict(response.headers) == ANSWER
        assert len(response.headers) == len(ANSWER)
        simple = await http_request(app, "GET", "/", headers=FROM_A)
        assert (b"access-control-expose-headers", b"x-b") in simple.headers


async def test_without_options_any_origin_is_allowed() -> None:
    for add in (add_cors, add_cors_middleware):
        app = make_app()
        add(app)
        response = await http_request(app, "GET", "/", headers=FROM_A)
        assert (b"access-control-allow-origin", b"*") in response.headers


@pytest.mark.parametrize("add", [add_cors, add_cors_middleware])
def test_wrong_options_leave_the_application_as_it_was(add: Any) -> None:
    app = make_app()
    with pytest.raises(ValueError, match="allow_origins="):
        add(app, allow_credentials=True)
    with pytest.raises(TypeError, match="allow_origin"):
        add(app, allow_origin={A.decode()})
    assert app.middlewares == []


async def test_two_applications_have_policies_of_their_own() -> None:
    first, second = make_app(), make_app()
    add_cors(first, allow_origins={"https://a.example"})
    add_cors(second, allow_origins={"https://b.example"})
    granted = await http_request(first, "GET", "/", headers=FROM_A)
    refused = await http_request(second, "GET", "/", headers=FROM_A)
    assert (b"access-control-allow-origin", A) in granted.headers
    assert refused.headers == [(b"vary", b"Origin"), (b"content-length", b"0")]
