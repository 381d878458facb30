"""What a hostile caller sends, and what it must not get."""

import asyncio
import tracemalloc
from collections.abc import Sequence
from time import process_time
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    Header,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.testing import Response, http_request
from bareasgi_cors import CorsPolicy, cors_middleware
from bareasgi_cors.preflight import MAX_BYTES, MAX_NAMES

GOOD = b"https://good.example"
NAMES = b"access-control-request-headers"
ASKS_FOR_PUT: Header = (b"access-control-request-method", b"PUT")


def ends_well(origin: str, scope: Scope) -> bool:
    return origin.endswith("good.example")


POLICIES: dict[str, dict[str, Any]] = {
    "listed": {"allow_origins": {GOOD.decode()}},
    "pattern": {"allow_origin_regex": r"https://([a-z-]+\.)?good.example"},
    "search pattern": {"allow_origin_regex": r"^https://good\.example$"},
    "loose pattern": {"allow_origin_regex": r"https://[^.]*good\.example\s*"},
    "function": {"allow_origins": ends_well},
}
HOSTILE = [
    b"https://good.example.evil.net",
    b"https://good.example.",
    b"https://good.example:8443",
    b"https://good.example:443",
    b"https://good.example/",
    b"https://good.example/path",
    b"https://good.example#.evil.net",
    b"https://good.example@evil.net",
    b"https://evil.net/.good.example",
    b"https://evil.net#good.example",
    b"https://evil.net?good.example",
    b"https://evil.net@good.example",
    b"https://evil.net\\good.example",
    b"https://evil.net%00good.example",
    b"https://evil.net%60good.example",
    b"https://evil_good.example`",
    b"https://GOOD.example",
    b"HTTPS://good.example",
    b"https://good.example\n",
    b"https://good.example\r\nset-cookie: a=b",
    b"https://evil.net\ngood.example",
    b"\nhttps://good.example",
    b" https://good.example",
    b"https://good.example ",
    b"https://good.example\0",
    b"https://good.example, https://good.example",
    b"https://good.example https://evil.net",
    b"https://g\xc3\xb6od.example",
    b"https://good.example\xff",
    b"\xff\xfe",
    b"good.example",
    b"//good.example",
    b"null",
    b"Null",
    b"*",
    b"",
    b"https://" + b"a" * 100_000 + b".good.example",
]


async def answer(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, [(b"x-id", scope["query_string"])]


def app_of(**options: Any) -> Application:
    app = Application(middlewares=[cors_middleware(**options)])
    app.http_router.add({"GET"}, "/", answer)
    return app


def granted(response: Response) -> list[bytes]:
    name = b"access-control-allow-origin"
    return [value for each, value in response.headers if each == name]


async def ask(app: Application, *origins: bytes) -> list[Response]:
    """Ask as a simple request and as a preflight."""
    sent = [(b"origin", origin) for origin in origins]
    return [
        await http_request(app, "GET", "/", headers=sent),
        await http_request(app, "OPTIONS", "/", headers=[*sent, ASKS_FOR_PUT]),
    ]


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("origin", HOSTILE, ids=lambda origin: ascii(origin[:40]))
async def test_what_only_looks_like_the_origin_is_granted_nothing(
    origin: bytes, name: str
) -> None:
    app = app_of(**POLICIES[name], allow_credentials=True)
    simple, preflight = await ask(app, origin)
    for response in (simple, preflight):
        assert granted(response) == []
        assert b"good.example" not in response.body
        for header, value in response.headers:
            assert not header.startswith(b"access-control-")
            assert b"good.example" not in value
    assert simple.status == 200
    assert (b"vary", b"Origin") in simple.headers
    assert preflight.status == 400
    assert [each for each, value in preflight.headers if value.startswith(b"Origin, ")]


@pytest.mark.parametrize("name", POLICIES)
async def test_the_origin_itself_is_granted_and_named_exactly(name: str) -> None:
    app = app_of(**POLICIES[name], allow_credentials=True)
    for response in await ask(app, GOOD):
        assert granted(response) == [GOOD]


@pytest.mark.parametrize("name", POLICIES)
async def test_without_an_origin_nobody_is_asked_and_nothing_granted(name: str) -> None:
    simple, no_preflight = await ask(app_of(**POLICIES[name]))
    assert (simple.status, granted(simple)) == (200, [])
    assert (b"vary", b"Origin") in simple.headers
    assert (no_preflight.status, granted(no_preflight)) == (405, [])


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize(
    "origins",
    [
        (GOOD, GOOD),
        (GOOD, b"https://evil.net"),
        (b"https://evil.net", GOOD),
        (GOOD, b""),
        (b"", GOOD),
        (GOOD, b"null", GOOD),
    ],
    ids=str,
)
async def test_two_origins_are_none(origins: Sequence[bytes], name: str) -> None:
    app = app_of(**POLICIES[name])
    simple, preflight = await ask(app, *origins)
    assert (simple.status, granted(simple)) == (200, [])
    assert (preflight.status, granted(preflight)) == (400, [])


async def test_a_preflight_with_two_methods_is_refused() -> None:
    sent = [(b"origin", GOOD), ASKS_FOR_PUT, ASKS_FOR_PUT]
    response = await http_request(app_of(), "OPTIONS", "/", headers=sent)
    assert response.status == 400


async def test_nothing_that_breaks_a_header_is_mirrored() -> None:
    for names in [
        b"x-a\r\nset-cookie: a=b",
        b"x-a\nx-b",
        b"x-a\0",
        b"x-a: 1",
        b"x a",
        b"x-\xff",
        b'"x"',
        b"x-a;x-b",
    ]:
        sent = [(b"origin", GOOD), ASKS_FOR_PUT, (NAMES, names)]
        response = await http_request(app_of(), "OPTIONS", "/", headers=sent)
        assert response.status == 400
        assert names not in [value for _, value in response.headers]


# --- how much may be asked for --------------------------------------------------------


def list_of(count: int, length: int = 3) -> bytes:
    return b",".join(b"x" * length for _ in range(count))


EIGHT_KIB = list_of(2, MAX_BYTES // 2) + b"x"
each_rule = pytest.mark.parametrize(
    "options", [{}, {"allow_headers": {"x" * 3}}], ids=["any", "listed"]
)


@each_rule
@pytest.mark.parametrize(
    ("names", "status"), [(list_of(MAX_NAMES), 204), (list_of(MAX_NAMES + 1), 400)]
)
async def test_at_most_64_headers_may_be_asked_for(
    names: bytes, status: int, options: dict[str, Any]
) -> None:
    sent = [(b"origin", GOOD), ASKS_FOR_PUT, (NAMES, names)]
    response = await http_request(app_of(**options), "OPTIONS", "/", headers=sent)
    assert response.status == status


@pytest.mark.parametrize(("length", "status"), [(MAX_BYTES, 204), (MAX_BYTES + 1, 400)])
async def test_at_most_8_kib_are_mirrored(length: int, status: int) -> None:
    sent = [(b"origin", GOOD), ASKS_FOR_PUT, (NAMES, b"x" * length)]
    response = await http_request(app_of(), "OPTIONS", "/", headers=sent)
    assert response.status == status
    allowed = sum(len(value) for _, value in response.headers if value[:1] == b"x")
    assert allowed == (length if status == 204 else 0)


async def test_headers_asked_for_in_several_lines_are_one_list() -> None:
    sent = [(b"origin", GOOD), ASKS_FOR_PUT, (NAMES, b"x-a"), (NAMES, b"x-b, x-c")]
    response = await http_request(app_of(), "OPTIONS", "/", headers=sent)
    assert (b"access-control-allow-headers", b"x-a, x-b, x-c") in response.headers
    app = app_of(allow_headers={"x-a", "x-b"})
    assert (await http_request(app, "OPTIONS", "/", headers=sent)).status == 400


@each_rule
async def test_10_000_headers_take_no_more_time_and_memory_than_65(
    options: dict[str, Any],
) -> None:
    middleware = cors_middleware(**options)

    async def cost(names: bytes) -> tuple[float, int]:
        sent = [(b"origin", GOOD), ASKS_FOR_PUT, (NAMES, names)]
        scope: Scope = {"method": "OPTIONS", "path": "/", "headers": sent}
        tracemalloc.start()
        try:
            response: Any = await middleware(scope, {}, {}, None, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            assert response[0] == 400
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        times: list[float] = []
        for _ in range(5):
            started = process_time()
            for _ in range(100):
                await middleware(scope, {}, {}, None, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            times.append(process_time() - started)
        return min(times), memory

    few, few_memory = await cost(list_of(MAX_NAMES + 1))
    many, many_memory = await cost(list_of(10_000, 12))
    assert many < 10 * few
    # The list itself is the server's.
    assert many_memory < 2 * few_memory + 4096


@pytest.mark.parametrize("name", [b"origin", ASKS_FOR_PUT[0], NAMES])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_30_000_lines_of_a_header_take_linear_time(
    method: str, name: bytes
) -> None:
    once = [(b"origin", GOOD), ASKS_FOR_PUT]
    sent = [*once, *[(name, b"x-" + b"a" * 100)] * 30_000]
    app = app_of(allow_origin_regex="https://.*")
    started = process_time()
    response = await http_request(app, method, "/", headers=sent)
    assert response.status == (200 if method == "GET" else 400)
    assert process_time() - started < 2


# --- one caller and the next ----------------------------------------------------------

CALLERS = (GOOD, b"https://other.example", b"https://evil.net")


async def test_no_caller_of_10_000_is_told_another_ones_origin() -> None:
    origins = {GOOD.decode(), "https://other.example"}
    policy = CorsPolicy(allow_origins=origins, allow_credentials=True)
    await _interleave(policy, 10_000)


async def test_nor_when_a_pattern_decides() -> None:
    pattern = r"https://(good|other)\.example"
    policy = CorsPolicy(allow_origin_regex=pattern, allow_credentials=True)
    await _interleave(policy, 2_000)


async def test_nor_when_a_function_takes_its_time() -> None:
    async def check(origin: str, scope: Scope) -> bool:
        for _ in range(int(scope["query_string"]) % 4):
            await asyncio.sleep(0)
        return origin.endswith(".example")

    policy = CorsPolicy(allow_origins=check, allow_credentials=True)
    await _interleave(policy, 2_000)


async def _interleave(policy: CorsPolicy, count: int) -> None:
    """Make requests from three origins, 500 of them at the same time."""
    app = Application(middlewares=[cors_middleware(policy)])

    async def slow(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        for _ in range(int(scope["query_string"]) % 3):
            await asyncio.sleep(0)
        return await answer(scope, info, matches, content)

    app.http_router.add({"GET"}, "/", slow)

    async def request(number: int) -> None:
        origin = CALLERS[number % 3]
        sent = [(b"origin", origin)]
        is_preflight = number % 5 == 0
        if is_preflight:
            sent.append(ASKS_FOR_PUT)
        method = "OPTIONS" if is_preflight else "GET"
        response = await http_request(app, method, f"/?{number}", headers=sent)
        assert granted(response) == ([] if origin == CALLERS[2] else [origin])
        if not is_preflight:
            assert (b"x-id", b"%d" % number) in response.headers

    for start in range(0, count, 500):
        await asyncio.gather(*map(request, range(start, start + 500)))
