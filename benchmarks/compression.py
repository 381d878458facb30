"""An answer that is compressed: `python -m benchmarks.compression [quick]`.

Three contenders send the same 32 KiB of JSON in the same coding at the same level: an
application written by hand that calls the codec and sends, bareASGI with its
middleware, and Starlette with its own, which has gzip only. Then the same answer goes
to a client that accepts no coding, also without any middleware. They run as those of
the other benchmarks do. Of three runs the worst counts. The exit status is 1 when a
target was missed. A package that is missing, or a wrong answer, ends the run.
"""

import asyncio
import gc
import json
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from backports import zstd
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    bytes_writer,
)
from bareasgi import Scope as BareScope
from bareasgi.compression import make_default_compression_middleware
from benchmarks.cases import (
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
    table,
    verify,
)
from benchmarks.report import OURS, Report, Target, at_most

TARGET: Final = 1.1
"""The highest ratio to the application that calls the codec itself."""

_PEER: Final = "Starlette"
_ALONE: Final = "without it"

# What the middleware uses unless it is told otherwise.
_GZIP_LEVEL: Final = 6
_BR_QUALITY: Final = 4
_ZSTD_LEVEL: Final = 1
_WINDOW: Final = 18

_ANSWER: Final = json.dumps(
    [
        {
            "id": number,
            "name": f"Ship {number * 7919 % 1000}",
            "place": ("København", "Århus", "Odense")[number % 3],
            "tonnage": number * 104_729 % 65_536,
            "tags": ["ferry", "sail"][: number % 3],
        }
        for number in range(360)
    ]
).encode()


# It has no types, which its own import would be told.
_brotli: Any = import_module("brotli")

_TYPE: Final = (b"content-type", b"application/json")
_VARY: Final = (b"vary", b"accept-encoding")


@dataclass(frozen=True)
class _Coding:
    """A content coding by hand, and the highest ratio to that."""

    name: str
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]
    target: float | None


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report(
        "compression", arguments, ["bareasgi", "brotli", "backports.zstd", "starlette"]
    )
    plan = QUICK if report.is_quick else FULL
    for coding in _CODINGS:
        runs = asyncio.run(_measure(coding, plan, report.runs))
        ratios = [run[OURS].ratio for run in runs]
        targets: list[Target] = []
        if coding.target is not None:
            targets = [at_most(f"ratio to {BASELINE}", ratios, coding.target)]
        size = len(coding.encode(_ANSWER))
        title = f"{len(_ANSWER)} bytes of JSON as {coding.name}, {size} bytes"
        report.add(table(title, runs, targets))
    return report.finish()


async def _measure(
    coding: _Coding, plan: Plan, times: int
) -> Sequence[Mapping[str, Timing]]:
    """Measure all contenders, once in each run."""
    contenders: dict[str, AsgiApplication] = {
        BASELINE: _by_hand(coding),
        OURS: _ours(has_middleware=True),
    }
    if coding.name in {"gzip", "identity"}:
        contenders[_PEER] = _starlette()
    if coding.name == "identity":
        contenders[_ALONE] = _ours(has_middleware=False)
    case = Case(
        name=coding.name,
        title=f"as {coding.name}",
        scopes=[
            scope_for("/ships", headers=[(b"accept-encoding", coding.name.encode())])
        ],
        headers=[("content-type", "application/json")],
        target=coding.target,
    )
    for name, application in contenders.items():
        await verify(name, application, case)
        await _verify_coding(name, application, case, coding)
    gc.collect()
    return [await measure(contenders, case, plan) for _ in range(times)]


async def _verify_coding(
    name: str, application: AsgiApplication, case: Case, coding: _Coding
) -> None:
    """Raise `WrongAnswerError` unless the answer is in the coding that was asked for.

    The bytes may differ: a header of gzip holds the time, or does not.
    """
    server = Server(case.messages)
    await application(dict(case.scopes[0]), server.receive, server.send)
    start, *rest = server.sent
    sent = {bytes(field).lower(): bytes(value) for field, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in rest)
    chosen = sent.get(b"content-encoding", b"identity").decode()
    if chosen != coding.name or coding.decode(body) != _ANSWER:
        raise WrongAnswerError(f"{name}: the answer is not the one as {coding.name}")


def _by_hand(coding: _Coding) -> AsgiApplication:
    coded = (b"content-encoding", coding.name.encode())
    fixed = [_TYPE, _VARY] if coding.name == "identity" else [_TYPE, _VARY, coded]

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body = coding.encode(_ANSWER)
        headers = [*fixed, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def _ours(*, has_middleware: bool) -> AsgiApplication:
    middlewares = [make_default_compression_middleware()] if has_middleware else []
    application = Application(middlewares=[*middlewares])

    @application.on_http_request({"GET"}, "/ships")
    async def ships(
        scope: BareScope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [_TYPE], bytes_writer(_ANSWER)

    return application


def _starlette() -> AsgiApplication:
    async def ships(request: Request) -> Response:
        return Response(_ANSWER, media_type="application/json")

    return Starlette(
        routes=[Route("/ships", ships)],
        middleware=[Middleware(GZipMiddleware, compresslevel=_GZIP_LEVEL)],
    )


def _gzip(data: bytes) -> bytes:
    # Quicker than `zlib.compress`, which begins with a buffer that is too large.
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(data) + compressor.flush()


def _ungzip(data: bytes) -> bytes:
    return zlib.decompress(data, zlib.MAX_WBITS | 16)


def _br(data: bytes) -> bytes:
    coded: bytes = _brotli.compress(data, quality=_BR_QUALITY, lgwin=_WINDOW)
    return coded


def _unbr(data: bytes) -> bytes:
    decoded: bytes = _brotli.decompress(data)
    return decoded


def _zstd(data: bytes) -> bytes:
    names = zstd.CompressionParameter
    return zstd.compress(
        data,
        options={names.compression_level: _ZSTD_LEVEL, names.window_log: _WINDOW},
    )


_CODINGS: Final = [
    _Coding("gzip", _gzip, _ungzip, TARGET),
    _Coding("br", _br, _unbr, TARGET),
    # So quick that what is around it shows: it is printed, and nothing is asked of it.
    _Coding("zstd", _zstd, zstd.decompress, None),
    _Coding("identity", bytes, bytes, None),
]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
