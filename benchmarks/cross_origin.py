"""Requests of a page of another origin: `python -m benchmarks.cross_origin [quick]`.

Four contenders let one origin send cookies and read a header: an application written
by hand that sends the very headers that bareasgi-cors does, bareASGI with
bareasgi-cors, and Starlette and Falcon with their own middlewares. They answer a simple
request, and the preflight of a PUT with two headers, and run as those of the other
benchmarks do. Of three runs the worst counts. The exit status is 1 when a target was
missed. A package that is missing, or a wrong answer, ends the run.
"""

import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from falcon import MEDIA_TEXT
from falcon import CORSMiddleware as FalconCorsMiddleware
from falcon.asgi import App as FalconApp
from falcon.asgi import Request as FalconRequest
from falcon.asgi import Response as FalconResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware as StarletteCorsMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    text_writer,
)
from bareasgi import Scope as BareScope
from bareasgi_cors import add_cors
from benchmarks.cases import (
    GREETING,
    AsgiApplication,
    Case,
    Receive,
    Scope,
    Send,
    scope_for,
)
from benchmarks.driver import (
    BASELINE,
    FULL,
    QUICK,
    Plan,
    Server,
    Timing,
    WrongAnswerError,
    measure,
    running,
    table,
    verify,
)
from benchmarks.report import OURS, Report, at_most

_PATH: Final = "/greeting"
_ORIGIN: Final = "https://app.example.com"
_NAMES: Final = ("authorization", "x-request-id")
_METHODS: Final = ("DELETE", "GET", "PUT")
_EXPOSED: Final = "x-total"

# What a browser sends with every request, its own headers as a page asked for them.
_BROWSER: Final[Sequence[tuple[bytes, bytes]]] = (
    (b"host", b"api.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"),
    (b"accept", b"*/*"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://app.example.com/"),
    (b"origin", _ORIGIN.encode()),
    (b"connection", b"keep-alive"),
    (b"sec-fetch-dest", b"empty"),
    (b"sec-fetch-mode", b"cors"),
    (b"sec-fetch-site", b"same-site"),
)

# What is added to that for a preflight.
_ASKED: Final[Sequence[tuple[bytes, bytes]]] = (
    (b"access-control-request-method", b"PUT"),
    (b"access-control-request-headers", ",".join(_NAMES).encode()),
)

_PLAIN_TEXT: Final = [(b"content-type", b"text/plain; charset=utf-8")]

_HAND_ORIGINS: Final = {_ORIGIN.encode()}
_HAND_METHODS: Final = {method.encode() for method in _METHODS}
_HAND_ALLOW_HEADERS: Final = (
    b"accept, accept-language, authorization, content-language, content-type, range,"
    b" x-request-id"
)
_HAND_NAMES: Final = set(_HAND_ALLOW_HEADERS.split(b", "))
_HAND_VARY: Final = (
    b"vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)

_GRANTED: Final = (
    ("access-control-allow-origin", _ORIGIN),
    ("access-control-allow-credentials", "true"),
)

_SIMPLE: Final = Case(
    name="simple",
    title="a simple request",
    scopes=[scope_for(_PATH, headers=_BROWSER)],
    body=GREETING.encode(),
    headers=(("content-type", "text/plain"), *_GRANTED),
    target=None,
)
_PREFLIGHT: Final = Case(
    name="preflight",
    title="a preflight",
    scopes=[scope_for(_PATH, "OPTIONS", (*_BROWSER, *_ASKED))],
    status=204,
    chunks=0,
    headers=_GRANTED,
    target=None,
)
_LIMITS: Final = ((_SIMPLE, 2.2), (_PREFLIGHT, 4.0))
# What the status is instead, where it is another one.
_PREFLIGHT_STATUS: Final = {"Starlette": 200, "Falcon": 200}


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report("cross_origin", arguments, ["bareasgi-cors", "starlette", "falcon"])
    plan = QUICK if report.is_quick else FULL
    for case, limit, runs in asyncio.run(_measure(plan, report.runs)):
        ratios = [run[OURS].ratio for run in runs]
        targets = [at_most(f"ratio to {BASELINE}", ratios, limit)]
        report.add(table(case.title, runs, targets))
    return report.finish()


async def _measure(
    plan: Plan, times: int
) -> Sequence[tuple[Case, float, Sequence[Mapping[str, Timing]]]]:
    """Measure all contenders on both cases, once in each run."""
    contenders: Mapping[str, AsgiApplication] = {
        BASELINE: _by_hand,
        OURS: _ours(),
        "Starlette": _starlette(),
        "Falcon": _falcon(),
    }
    async with AsyncExitStack() as stack:
        for name, application in contenders.items():
            await stack.enter_async_context(running(application))
            await verify(name, application, _SIMPLE)
            status = _PREFLIGHT_STATUS.get(name, _PREFLIGHT.status)
            await verify(name, application, replace(_PREFLIGHT, status=status))
        await _verify_same_headers(contenders[BASELINE], contenders[OURS])
        gc.collect()
        gc.freeze()
        return [
            (case, limit, [await measure(contenders, case, plan) for _ in range(times)])
            for case, limit in _LIMITS
        ]


async def _verify_same_headers(*applications: AsgiApplication) -> None:
    """Raise WrongAnswerError unless the answers have the same headers, in any order."""
    for case in (_SIMPLE, _PREFLIGHT):
        sent: list[set[tuple[bytes, bytes]]] = []
        for application in applications:
            server = Server(case.messages)
            await application(dict(case.scopes[0]), server.receive, server.send)
            sent.append(set(server.sent[0]["headers"]))
        if sent[0] != sent[1]:
            raise WrongAnswerError(f"{case.title}: {sent[0] ^ sent[1]} differ")


async def _by_hand(scope: Scope, receive: Receive, send: Send) -> None:
    origin = method = names = b""
    for name, value in scope["headers"]:
        if name == b"origin":
            # Two of them are none.
            origin = origin + b"," + value if origin else value
        elif name == b"access-control-request-method":
            method = value
        elif name == b"access-control-request-headers":
            names = value
    if scope["method"] == "OPTIONS" and origin and method:
        await _answer_preflight_by_hand(send, origin, method, names)
        return
    if scope["path"] == _PATH and scope["method"] in ("GET", "PUT"):
        status, body = 200, GREETING.encode()
    else:
        status, body = 404, b"Not Found"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    if origin in _HAND_ORIGINS:
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"x-total"),
        ]
    headers.append((b"vary", b"Origin"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer_preflight_by_hand(
    send: Send, origin: bytes, method: bytes, names: bytes
) -> None:
    asked = {name.strip() for name in names.lower().split(b",")}
    if origin in _HAND_ORIGINS and method in _HAND_METHODS and asked <= _HAND_NAMES:
        status, body = 204, b""
        headers = [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-allow-methods", b"DELETE, GET, PUT"),
            (b"access-control-allow-headers", _HAND_ALLOW_HEADERS),
            (b"access-control-max-age", b"600"),
            _HAND_VARY,
        ]
    else:
        status, body = 400, b"The cross-origin request was refused."
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            _HAND_VARY,
        ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _ours() -> AsgiApplication:
    application = Application()
    add_cors(
        application,
        allow_origins=[_ORIGIN],
        allow_methods=_METHODS,
        allow_headers=_NAMES,
        allow_credentials=True,
        expose_headers=[_EXPOSED],
    )

    @application.on_http_request({"GET", "PUT"}, _PATH)
    async def greet(
        scope: BareScope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, _PLAIN_TEXT, text_writer(GREETING)

    return application


def _starlette() -> AsgiApplication:
    async def greet(request: Request) -> PlainTextResponse:
        return PlainTextResponse(GREETING)

    cors = Middleware(
        StarletteCorsMiddleware,
        allow_origins=[_ORIGIN],
        allow_methods=_METHODS,
        allow_headers=_NAMES,
        allow_credentials=True,
        expose_headers=[_EXPOSED],
    )
    routes = [Route(_PATH, greet, methods=["GET", "PUT"])]
    return Starlette(routes=routes, middleware=[cors])


class _Greeting:
    """What Falcon calls a resource: it answers by the names of its methods."""

    async def on_get(self, request: FalconRequest, response: FalconResponse) -> None:
        response.text = GREETING

    async def on_put(self, request: FalconRequest, response: FalconResponse) -> None:
        response.text = GREETING


def _falcon() -> AsgiApplication:
    cors: FalconCorsMiddleware[FalconRequest, FalconResponse] = FalconCorsMiddleware(
        allow_origins=_ORIGIN,
        allow_credentials=_ORIGIN,
        expose_headers=[_EXPOSED],
    )
    application = FalconApp(media_type=MEDIA_TEXT, middleware=[cors])
    application.add_route(_PATH, _Greeting())
    return application


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
