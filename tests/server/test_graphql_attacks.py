"""What strangers try: each attempt ends as it should, and costs the server little."""

import asyncio
import gc
import json
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import pytest
from graphql_chaos import Chaos
from graphql_transports import (
    EVENTS,
    JSON,
    LEGACY,
    MODERN,
    PATH,
    PROTOCOLS,
    RESULT,
    TOKEN,
    TRANSPORTS,
    Ask,
    closed,
    connected,
    get,
    next_message,
    post,
    single_stream,
    starting,
)
from graphql_world import World

from bareasgi import Application, Header
from bareasgi.testing import Response, http_request, http_stream, web_socket
from bareasgi_graphql import Limits, add_graphql

T = TypeVar("T")

MIB: Final = 1024 * 1024
SHORT: Final = 0.05  # seconds: a limit that is meant to pass

PROCESSOR: Final = 1.0  # seconds of it that an attack may take
PEAK: Final = 64 * MIB  # that an attack may take while it lasts
REST: Final = MIB // 2  # that may be left of it, in caches

MUTATION: Final = {"query": "mutation { change }"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def app(world: World) -> Application:
    return serving(world)


def serving(world: World, **options: Any) -> Application:
    app = Application()
    add_graphql(app, world.schema, **options)
    return app


async def cheaply(attack: Callable[[], Awaitable[T]]) -> T:
    """Attack, to see what it takes of the processor, and once more for the memory."""
    spent: list[float] = []
    # A processor that others use as well takes longer for the same.
    while not spent or (min(spent) >= PROCESSOR and len(spent) < 3):
        started = time.process_time()
        await attack()
        spent.append(time.process_time() - started)
    assert min(spent) < PROCESSOR
    tracemalloc.start()
    try:
        result = await attack()
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK
    assert left < REST
    return result


def words(text: str, count: int) -> str:
    """Repeat a text with the number in place of `#`."""
    return " ".join(text.replace("#", str(each)) for each in range(count))


# Documents, over every transport.

CHAIN: Final = "fragment F# on Query { self { ...F@ } }"
DOUBLING: Final = "fragment F# on Query { ...F@ ...F@ self { ...F@ } }"


def chained(fragment: str, count: int) -> str:
    fragments = " ".join(
        fragment.replace("#", str(each)).replace("@", str(each + 1))
        for each in range(count)
    )
    return f"{{ ...F0 }} {fragments} fragment F{count} on Query {{ hello }}"


DOCUMENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "deep fields": {"query": "{ self " * 5_000 + "{ hello }" + " }" * 5_000},
    "deep fields within the tokens": {
        "query": "{ self " * 300 + "{ hello" + " }" * 301
    },
    "deep inline fragments": {"query": "{ ..." * 400 + "{ hello" + " }" * 401},
    "deep lists": {"query": "{ any(value: " + "[" * 480 + "]" * 480 + ") }"},
    "deep objects": {
        "query": "{ find(by: " + "{and: " * 240 + "[]" + "}" * 240 + ") }"
    },
    "deep types": {"query": "query ($a: " + "[" * 480 + "Int" + "]" * 480 + ") { a }"},
    "deep fragments": {"query": chained(CHAIN, 40)},
    "many fragments": {"query": chained(CHAIN, 1_000)},
    "doubling fragments": {"query": chained(DOUBLING, 40)},
    "circular fragments": {
        "query": "{ ...A } fragment A on Query { self { ...B } }"
        " fragment B on Query { ...A self { ...A ...B } }"
    },
    "all fragments in all": {
        "query": "{ ...F0 }"
        + words(f"fragment F# on Query {{ {words('...F#', 9)} }}", 9)
    },
    "1,000 aliases": {"query": "{ " + words("a#: hello", 1_000) + " }"},
    "300 aliases": {"query": "{ self { " + words("a#: hello", 300) + " } }"},
    "aliases of introspection": {
        "query": "{ " + words("a#: __schema { types { name } }", 16) + " }"
    },
    "conflicting fields": {
        "query": "{ self { " + words('hello(name: "#")', 60) + " } }"
    },
    "directives": {"query": "{ hello " + "@skip(if: false) " * 190 + "}"},
    "unknown directives": {"query": "{ hello " + "@a" * 450 + " }"},
    "duplicate variables": {
        "query": "query (" + "$a: Int " * 200 + ") { sum(of: [$a]) }"
    },
    "unused variables": {"query": "query (" + words("$a#: Int", 200) + ") { hello }"},
    "operations of one name": {"query": "query A { hello } " * 120},
    "unknown fields": {"query": "{ self { " + words("nothing#", 300) + " } }"},
    "introspection in lists": {
        "query": "{ __schema { types { "
        + "fields { type { " * 20
        + "name"
        + " } }" * 20
        + " } } }"
    },
    "introspection in fragments": {
        "query": "{ __schema { types { ...F0 } } }"
        + " ".join(
            f"fragment F{each} on __Type {{ fields {{ type {{ ...F{each + 1} }} }} }}"
            for each in range(20)
        )
        + " fragment F20 on __Type { name }"
    },
    "a long document": {"query": "{ hello }" + " " * 900_000},
    "a long document of other letters": {"query": "{ hello } #" + "é" * 100_000},
    "many lines": {"query": "\n" * 60_000 + "}"},
    "errors after many lines": {
        "query": "\n" * 60_000 + "{ self { " + words("nothing#", 200) + " } }"
    },
    "conflicts after many lines": {
        "query": "\r\n" * 30_000 + "{ " + words('hello(name: "#")', 20) + " }"
    },
    "values that do not fit after many lines": {
        "query": "\r" * 60_000 + "query ($of: [Int!]) { sum(of: $of) }",
        "variables": {"of": ["no number"] * 200},
    },
    "many comments": {"query": "#\n" * 30_000 + "{ hello }"},
    "a long name": {"query": "{ " + "a" * 60_000 + " }"},
    "a long number": {"query": "{ sum(of: " + "9" * 60_000 + ") }"},
    "a long text that does not end": {"query": '{ hello(name: "' + "a" * 60_000},
    "a long block that does not end": {"query": '{ hello(name: """' + '\\"""' * 15_000},
    "a variable that is too deep": {
        "query": "query ($by: Find) { find(by: $by) }",
        "variables": {"by": json.loads('{"and": [' * 400 + "]}" * 400)},
    },
    "a long list that does not fit": {
        "query": "query ($of: [Int!]) { sum(of: $of) }",
        "variables": {"of": ["no number"] * 20_000},
    },
    "letters that are none": {"query": "{ \ud800 }"},
}


@pytest.mark.parametrize("ask", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("parameters", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_document_that_means_no_good_is_refused_cheaply(
    app: Application, parameters: Mapping[str, Any], ask: Ask
) -> None:
    if ask is TRANSPORTS["GET"] and "\ud800" in parameters["query"]:
        # There is no way to write it in a query string.
        response = await http_request(app, "GET", f"{PATH}?query=%ed%a0%80")
        assert response.status == 400
        return
    answer = await cheaply(lambda: ask(app, parameters))
    assert not answer.is_run
    # Streams have begun before an operation is found not to be valid.
    assert answer.status == 400 or ask not in (TRANSPORTS["POST"], TRANSPORTS["GET"])
    assert 1 <= len(answer.result["errors"]) <= 100
    assert all(error["message"] for error in answer.result["errors"])
    assert len(json.dumps(answer.result)) < MIB


@pytest.mark.parametrize("ask", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize(
    "query",
    [
        "{ " + "self { " * 9 + "hello " * 300 + "} " * 9 + "}",
        "{ " + words("list { list { list { list { list { hello } } } } }", 20) + " }",
        "{ __schema { types { fields { name args { name } type { name } } } } }",
        words("query A# { hello }", 190) + " query B { hello }",
    ],
    ids=["wide", "lists", "introspection", "operations"],
)
async def test_the_most_that_is_let_through_is_cheap(
    app: Application, query: str, ask: Ask
) -> None:
    name = "B" if "query B" in query else None
    answer = await cheaply(lambda: ask(app, {"query": query, "operationName": name}))
    assert answer.is_run
    assert "errors" not in answer.result


async def test_values_that_fail_after_many_lines_are_cheap(app: Application) -> None:
    query = "\n" * 60_000 + "{ list(many: 500) { told } }"
    response = await cheaply(lambda: post(app, {"query": query}))
    assert response.status == 200
    assert len(response.json()["errors"]) == 100


async def test_a_field_that_is_asked_for_again_and_again_is_refused_cheaply(
    app: Application,
) -> None:
    again = {"query": "{ self { " + "hello " * 990 + "} }"}
    response = await cheaply(lambda: post(app, again))
    assert response.status == 400


# Ten megabytes.


async def upload(size: int, start: bytes) -> AsyncGenerator[bytes, None]:
    yield start
    for _ in range(size // 65_536):
        yield b" " * 65_536


@pytest.mark.parametrize("accept", [RESULT, EVENTS], ids=["JSON", "event stream"])
@pytest.mark.parametrize("media_type", [b"application/json", b"application/graphql"])
async def test_ten_megabytes_of_a_body_are_a_413_and_not_collected(
    app: Application, media_type: bytes, accept: Header
) -> None:
    async def attack() -> Response:
        return await http_request(
            app,
            "POST",
            PATH,
            headers=[(b"content-type", media_type), accept],
            content=upload(10 * MIB, b'{"query": "{ hello }'),
        )

    response = await cheaply(attack)
    assert response.status == 413
    assert "data" not in response.json()


async def test_ten_megabytes_in_a_query_string_are_refused(app: Application) -> None:
    query_string = b"query=" + b"{hello}" + b"%20" * (10 * MIB // 3)

    async def attack() -> Response:
        scope = {"query_string": query_string}
        return await http_request(app, "GET", PATH, scope=scope)

    assert (await cheaply(attack)).status in (400, 413, 414)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("letter", ["x", "é"])
async def test_ten_megabytes_in_a_message_close_the_socket(
    app: Application, protocol: str, letter: str
) -> None:
    message = starting("1", {"query": "{ hello }"}, protocol).ljust(10 * MIB, letter)

    async def attack() -> int | None:
        async with connected(app, protocol) as socket:
            await socket.send(message)
            return await closed(socket)

    assert await cheaply(attack) == 1009


# JSON.

DEEP: Final[Mapping[str, bytes]] = {
    "lists": b"[" * (MIB - 1),
    "closed lists": b"[" * 500_000 + b"]" * 500_000,
    "objects": b'{"a":' * 200_000,
    "variables": b'{"query": "{ hello }", "variables": {"a": ' + b"[" * 900_000,
    "extensions": b'{"query": "{ hello }", "extensions": ' + b'{"a":' * 180_000,
    "digits": b'{"query": "{ hello }", "variables": {"a": ' + b"9" * 900_000 + b"}}",
    "quotes": b'"' * 900_000,
    "escapes": b'{"query": "' + b"\\" * 900_000,
}


@pytest.mark.parametrize("accept", [b"application/json", b"*/*", RESULT[1]])
@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP)
async def test_deep_json_is_a_400_whatever_is_accepted(
    app: Application, body: bytes, accept: bytes
) -> None:
    async def attack() -> Response:
        headers = [JSON, (b"accept", accept)]
        return await http_request(app, "POST", PATH, headers=headers, content=body)

    response = await cheaply(attack)
    assert response.status == 400
    assert response.json().keys() == {"errors"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP)
async def test_deep_json_is_no_message(
    app: Application, body: bytes, protocol: str
) -> None:
    async def attack() -> int | None:
        async with connected(app, protocol) as socket:
            await socket.send(body.decode())
            if protocol == LEGACY:
                assert (await next_message(socket))["type"] == "connection_error"
                await socket.send('{"type": "connection_terminate"}')
            return await closed(socket)

    assert await cheaply(attack) == (4400 if protocol == MODERN else 1000)


NULLS: Final = (
    "",
    " ",
    "null",
    "true",
    "0",
    '""',
    '"{ hello }"',
    "[]",
    "[null]",
    "[[]]",
    "{}",
    '{"query": null}',
    '{"query": 0}',
    '{"query": ["{ hello }"]}',
    '{"query": "{ hello }", "variables": []}',
    '{"query": "{ hello }", "variables": "{}"}',
    '{"query": "{ hello }", "operationName": 7}',
    '{"query": "{ hello }", "extensions": true}',
    '{"query": "{ hello }"',
    '{"query": "{ hello }"}}',
    "\ufeff{}",
)


@pytest.mark.parametrize("body", NULLS)
@pytest.mark.parametrize("accept", [b"application/json", RESULT[1], EVENTS[1]])
async def test_a_body_of_the_wrong_shape_is_a_400_whatever_is_accepted(
    app: Application, body: str, accept: bytes
) -> None:
    headers = [JSON, (b"accept", accept)]
    content = body.encode()
    response = await http_request(app, "POST", PATH, headers=headers, content=content)
    assert response.status == 400
    assert response.json().keys() == {"errors"}


@pytest.mark.parametrize("body", [b"\xff", b'{"query": "\xc3"}', b"\0\0\0\x7b"])
@pytest.mark.parametrize("media_type", [b"application/json", b"application/graphql"])
async def test_a_body_in_another_encoding_is_a_400(
    app: Application, body: bytes, media_type: bytes
) -> None:
    headers = [(b"content-type", media_type), RESULT]
    response = await http_request(app, "POST", PATH, headers=headers, content=body)
    assert response.status == 400


@pytest.mark.parametrize("batch", [0, 10])
async def test_a_flood_in_a_batch_is_refused_and_none_of_it_is_run(
    world: World, batch: int
) -> None:
    app = serving(world, batch=batch)
    response = await cheaply(lambda: post(app, [MUTATION] * 10_000))
    assert response.status == 400
    assert response.json().keys() == {"errors"}
    assert world.changes == 0


async def test_a_batch_has_no_subscriptions_and_no_batches_in_it(world: World) -> None:
    app = serving(world, batch=3)
    response = await post(app, [{"query": "subscription { held }"}] * 3)
    assert response.status == 200
    assert [each.keys() for each in response.json()] == [{"errors"}] * 3
    assert (await post(app, [[MUTATION]])).status == 400
    assert (world.live, world.changes) == (0, 0)


# Pages of foreign sites.

FORMS: Final[Mapping[str, list[Header]]] = {
    "as a form": [(b"content-type", b"application/x-www-form-urlencoded")],
    "as a form in UTF-8": [
        (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")
    ],
    "in parts": [(b"content-type", b"multipart/form-data; boundary=x")],
    "as text": [(b"content-type", b"text/plain")],
    "as text in UTF-8": [(b"content-type", b"text/plain; charset=utf-8")],
    "as text and JSON": [(b"content-type", b"text/plain; application/json")],
    "as text, JSON": [(b"content-type", b"text/plain, application/json")],
    "as nothing": [],
    "as an empty type": [(b"content-type", b"")],
    "as two types": [JSON, (b"content-type", b"text/plain")],
    "as JSON in another encoding": [
        (b"content-type", b"application/json; charset=utf-16")
    ],
    "as what only looks like JSON": [(b"content-type", b"application/jsonx")],
}


MULTIPART: Final = (
    b'--x\r\ncontent-disposition: form-data; name="query"\r\n\r\n'
    b"mutation { change }\r\n--x--\r\n"
)


@pytest.mark.parametrize("headers", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("accept", [b"*/*", RESULT[1], EVENTS[1], b"text/html"])
async def test_what_a_foreign_page_can_post_is_refused_unread(
    world: World, app: Application, headers: list[Header], accept: bytes
) -> None:
    for content in (
        json.dumps(MUTATION).encode(),
        urlencode(MUTATION).encode(),
        MULTIPART,
    ):
        response = await http_request(
            app,
            "POST",
            f"{PATH}?{urlencode(MUTATION)}",
            headers=[*headers, (b"accept", accept), (b"origin", b"https://evil.test")],
            content=content,
        )
        assert response.status in (415, 406)
        assert response.status == 415 or accept == b"text/html"
    assert world.changes == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "accept", [b"application/json", RESULT[1], EVENTS[1], b"*/*", b""]
)
@pytest.mark.parametrize(
    "parameters",
    [
        MUTATION,
        {"query": "query A { hello } mutation B { change }", "operationName": "B"},
        {**MUTATION, "token": "none"},
    ],
    ids=["alone", "by name", "with a token"],
)
async def test_a_mutation_by_get_or_head_is_a_405_and_not_run(
    world: World,
    app: Application,
    method: str,
    accept: bytes,
    parameters: dict[str, str],
) -> None:
    response = await http_request(
        app, method, f"{PATH}?{urlencode(parameters)}", headers=[(b"accept", accept)]
    )
    assert response.status == 405
    assert (b"allow", b"POST") in response.headers
    assert world.changes == 0


async def test_a_mutation_by_get_is_not_run_in_a_stream_either(
    world: World, app: Application
) -> None:
    async with single_stream(app) as (token, _):
        parameters = {**MUTATION, "extensions": '{"operationId": "1"}', "token": token}
        for method, status in (("GET", 405), ("HEAD", 405)):
            response = await http_request(
                app, method, f"{PATH}?{urlencode(parameters)}", headers=[RESULT]
            )
            assert response.status == status
    assert world.changes == 0


FOREIGN: Final = (
    b"https://evil.test",
    b"http://evil.test",
    b"null",
    b"http://localhost:8000",
    b"http://localhost.evil.test",
    b"http://evil.test/localhost",
    b"http://evil.test@localhost",
    b"http://sub.localhost",
    b"localhost",
    b"file://",
    b"",
    b"\xff",
)


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_foreign_page_opens_no_socket(
    app: Application, origin: bytes, protocol: str
) -> None:
    async with web_socket(
        app, PATH, headers=[(b"origin", origin)], subprotocols=[protocol]
    ) as socket:
        assert not socket.is_accepted
        assert socket.response.status == 403


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_gets_no_event_stream(
    world: World, app: Application, origin: bytes
) -> None:
    foreign = [(b"origin", origin), EVENTS]
    async with single_stream(app) as (token, _):
        key = (TOKEN, token.encode())
        parameters = {"query": "subscription { held }"}
        body = {**parameters, "extensions": {"operationId": "1"}}
        content = json.dumps(body).encode()
        subscription = urlencode(parameters)
        for method, target, headers in (
            ("GET", f"?{subscription}", []),
            ("POST", "", [JSON]),
            ("PUT", "", []),
            ("GET", "", [key]),
            ("GET", f"?token={token}", []),
            ("GET", f"?token={token}&{subscription}", []),
            ("POST", "", [key, JSON]),
            ("POST", f"?token={token}", [JSON]),
            ("DELETE", "?operationId=1", [key]),
            ("DELETE", f"?operationId=1&token={token}", []),
        ):
            response = await http_request(
                app,
                method,
                PATH + target,
                headers=[*foreign, *headers],
                content=content if method == "POST" else b"",
            )
            assert (method, target, response.status) == (method, target, 403)
            assert b"access-control-allow-origin" not in dict(response.headers)
    assert world.live == 0


async def test_a_page_that_is_allowed_may_do_all_of_that(world: World) -> None:
    app = serving(world, allowed_origins={"https://good.test"})
    headers = [(b"origin", b"https://good.test")]
    async with web_socket(app, PATH, headers=headers, subprotocols=[MODERN]) as socket:
        assert socket.is_accepted
    response = await http_request(app, "PUT", PATH, headers=headers)
    assert response.status == 201
    ticks = f"{PATH}?query=subscription{{ticks}}"
    response = await http_request(app, "GET", ticks, headers=[*headers, EVENTS])
    assert response.status == 200


# Sockets.


class Peer:
    """A client that says all that it has to say at once, and counts what it is told."""

    def __init__(self, protocol: str, messages: list[str]) -> None:
        self._messages = iter(messages)
        self._is_over = asyncio.Event()
        self.told: Counter[str] = Counter()
        self.code: int | None = None
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 80),
            "subprotocols": [protocol],
            "extensions": {},
        }
        self._has_connected = False

    async def receive(self) -> dict[str, Any]:
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        await asyncio.sleep(0)
        text = next(self._messages, None)
        if text is not None and not self._is_over.is_set():
            return {"type": "websocket.receive", "text": text}
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.code = message["code"]
            self._is_over.set()
        elif message["type"] == "websocket.send":
            self.told[json.loads(message["text"])["type"]] += 1


INIT: Final = '{"type": "connection_init"}'


async def say(app: Application, protocol: str, messages: list[str]) -> Peer:
    peer = Peer(protocol, [INIT, *messages])
    await app(peer.scope, peer.receive, peer.send)
    return peer


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_of_ten_thousand_subscriptions_on_a_socket_a_hundred_live(
    world: World, app: Application, protocol: str
) -> None:
    held = {"query": "subscription { held }"}
    flood = [starting(str(number), held, protocol) for number in range(10_000)]
    peer = await cheaply(lambda: say(app, protocol, flood))
    assert peer.told["error"] == 9_900
    assert peer.told["next"] + peer.told["data"] <= 100
    assert world.live == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_flood_of_mutations_runs_no_more_than_were_asked_for(
    world: World, app: Application, protocol: str
) -> None:
    flood = [starting(str(number), MUTATION, protocol) for number in range(1_000)]
    peer = await cheaply(lambda: say(app, protocol, flood))
    assert peer.code is None
    assert peer.told["complete"] + peer.told["error"] <= 1_000
    assert world.changes <= 2_000


FLOODS: Final[Mapping[str, tuple[str, str, int | None]]] = {
    "pings": (MODERN, '{"type": "ping"}', None),
    "pongs": (MODERN, '{"type": "pong"}', None),
    "ends of nothing": (MODERN, '{"type": "complete", "id": "1"}', None),
    "stops of nothing": (LEGACY, '{"type": "stop", "id": "1"}', None),
    "nonsense": (LEGACY, "null", None),
    "second greetings": (MODERN, INIT, 4429),
    "second older greetings": (LEGACY, INIT, 4429),
    "what there is not": (MODERN, '{"type": "start", "id": "1"}', 4400),
    "nulls": (MODERN, "null", 4400),
}


@pytest.mark.parametrize(("protocol", "message", "code"), FLOODS.values(), ids=FLOODS)
async def test_a_flood_of_messages_is_cheap(
    app: Application, protocol: str, message: str, code: int | None
) -> None:
    peer = await cheaply(lambda: say(app, protocol, [message] * 5_000))
    assert peer.code == code
    assert peer.told["pong"] == (5_000 if "ping" in message else 0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_client_that_never_greets_is_shut_out_whatever_it_says(
    world: World, protocol: str
) -> None:
    app = serving(world, limits=Limits(init_timeout=SHORT))
    silent = web_socket(app, PATH, subprotocols=[protocol])
    talking = web_socket(app, PATH, subprotocols=[protocol])
    chatter = (
        '{"type": "ping"}' if protocol == MODERN else '{"type": "stop", "id": "1"}'
    )
    async with silent, talking:
        while talking.code is None:
            await talking.send(chatter)
            await asyncio.sleep(0)
        assert talking.code == 4408
        assert await closed(silent) == 4408


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_a_client_says_before_it_greets_is_not_run(
    world: World, app: Application, protocol: str
) -> None:
    async with web_socket(app, PATH, subprotocols=[protocol]) as socket:
        await socket.send(starting("1", MUTATION, protocol))
        assert await closed(socket) == 4401
    assert world.changes == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_messages_after_the_end_of_an_operation_change_nothing(
    app: Application, protocol: str
) -> None:
    stop = '{"type": "complete", "id": "1"}'
    if protocol == LEGACY:
        stop = stop.replace("complete", "stop")
    async with connected(app, protocol) as socket:
        await socket.send(starting("1", {"query": "{ hello }"}, protocol))
        assert "payload" in await next_message(socket)
        assert (await next_message(socket))["type"] == "complete"
        for _ in range(5):
            await socket.send(stop)
        # Only what is asked for next is answered, under the same id.
        await socket.send(starting("1", {"query": "{ told }"}, protocol))
        message = await next_message(socket)
        assert message["payload"]["data"] == {"told": None}
        assert (await next_message(socket))["type"] == "complete"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_stopped_subscription_says_nothing_more(
    world: World, app: Application, protocol: str
) -> None:
    stop = "complete" if protocol == MODERN else "stop"
    async with connected(app, protocol) as socket:
        for number in range(150):
            held = {"query": "subscription { held }"}
            await socket.send(starting(str(number), held, protocol))
            assert (await next_message(socket))["id"] == str(number)
            await socket.send(json.dumps({"type": stop, "id": str(number)}))
            if protocol == LEGACY:
                assert (await next_message(socket))["type"] == "complete"
        assert socket.code is None
    assert world.live == 0


async def test_a_flood_of_reservations_is_refused_and_holds_nothing(
    app: Application,
) -> None:
    async def attack() -> Counter[int]:
        return Counter(
            [(await http_request(app, "PUT", PATH)).status for _ in range(500)]
        )

    assert await cheaply(attack) == {429: 500}


async def test_operations_that_wait_for_a_stream_do_not_begin_and_are_bounded(
    world: World, app: Application
) -> None:
    tokens = [(await http_request(app, "PUT", PATH)).text for _ in range(3)]
    statuses: Counter[int] = Counter()
    for number in range(300):
        body = {**MUTATION, "extensions": {"operationId": str(number)}}
        response = await http_request(
            app,
            "POST",
            PATH,
            headers=[JSON, RESULT, (TOKEN, tokens[number % 3].encode())],
            content=json.dumps(body).encode(),
        )
        statuses[response.status] += 1
    assert statuses == {202: 100, 400: 200}
    assert world.changes == 0


async def test_a_body_that_never_ends_is_left_with_its_client(
    app: Application,
) -> None:
    async with http_stream(app, "POST", PATH, headers=[JSON], content=None) as stream:
        await stream.upload(b'{"query": ')
        stream.leave()
        await stream.finished()
    assert (await get(app, {"query": "{ hello }"})).status == 200


# Whatever comes.

MEDIA_TYPES: Final = {
    b"application/json; charset=utf-8",
    b"application/graphql-response+json; charset=utf-8",
}
TEXTS: Final = {b"text/plain; charset=utf-8", b"text/plain"}


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def check_result(value: object) -> None:
    """Hold a result to the format of responses (GraphQL, section 7.1)."""
    assert isinstance(value, dict)
    assert value.keys() <= {"data", "errors", "extensions"}
    errors = value.get("errors", [])
    assert errors or value.keys() == {"data"}
    for error in errors:
        assert error["message"]
        assert error.keys() <= {"message", "locations", "path", "extensions"}


def check_response(method: str, response: Response) -> None:
    """Hold an answer to what it says that it is."""
    assert 200 <= response.status < 500
    assert response.status != 204
    media_type = dict(response.headers).get(b"content-type")
    if method == "HEAD" or response.status == 202:
        assert response.body == b""
    elif media_type in MEDIA_TYPES:
        value = json.loads(response.body, parse_constant=refuse_constant)
        for each in value if isinstance(value, list) else [value]:
            check_result(each)
        assert response.status == 200 or "data" not in value
    elif media_type == b"text/event-stream":
        assert response.status == 200
        *events, end = response.text.removeprefix(":\n\n").split("\n\n")[:-1]
        assert end.rstrip() == "event: complete\ndata:"
        for event in events:
            kind, data = event.split("\n")
            assert kind == "event: next"
            check_result(json.loads(data.removeprefix("data: ")))
    elif media_type is not None and media_type.startswith(b"multipart/mixed;"):
        assert response.status == 200
        start, part, end = response.body.split(b"\r\n---")
        assert (start, end) == (b"", b"--\r\n")
        fields, _, data = part.partition(b"\r\n\r\n")
        assert fields == b"\r\ncontent-type: application/json"
        check_result(json.loads(data))
    elif media_type == b"text/html; charset=utf-8":
        assert response.body.lower().startswith(b"<!doctype html>")
    else:
        assert media_type in TEXTS


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch", [0, 3])
async def test_whatever_is_requested_is_answered_below_500_and_well_formed(
    world: World, seed: int, batch: int
) -> None:
    chaos = Chaos(seed)
    app = serving(world, batch=batch)
    statuses: Counter[int] = Counter()
    for _ in range(500):
        method, query_string, headers, body = chaos.request()
        response = await http_request(
            app, method, f"{PATH}?{query_string}", headers=headers, content=body
        )
        check_response(method, response)
        statuses[response.status] += 1
    # It tries what is right, too, and not only one thing that is wrong.
    assert statuses.keys() >= {200, 400, 403, 404, 405, 406, 415}
    assert statuses[200] > 50


TOLD: Final[Mapping[str, frozenset[str]]] = {
    MODERN: frozenset({"connection_ack", "ping", "pong", "next", "error", "complete"}),
    LEGACY: frozenset(
        {"connection_ack", "connection_error", "ka", "data", "error", "complete"}
    ),
}
CODES: Final = {None, 1000, 1009, 4400, 4401, 4403, 4408, 4409, 4429}


def check_message(protocol: str, text: str | bytes) -> None:
    """Hold a message to its protocol."""
    assert isinstance(text, str)
    message = json.loads(text, parse_constant=refuse_constant)
    assert message["type"] in TOLD[protocol]
    assert message.keys() <= {"type", "id", "payload"}
    if message["type"] in ("next", "data", "error", "complete"):
        assert isinstance(message["id"], str)
    if message["type"] in ("next", "data"):
        check_result(message["payload"])
    if message["type"] == "error":
        errors = message["payload"] if protocol == MODERN else [message["payload"]]
        check_result({"errors": errors})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_whatever_is_said_to_a_socket_is_answered_as_its_protocol_has_it(
    world: World, app: Application, protocol: str, seed: int
) -> None:
    chaos = Chaos(seed)
    codes: Counter[int | None] = Counter()
    for number in range(150):
        async with web_socket(app, PATH, subprotocols=[protocol]) as socket:
            if number % 10:
                await socket.send(INIT)
            for _ in range(10):
                await socket.send(chaos.message(protocol))
            code = socket.code
        # Whatever it was told until it left.
        for each in socket.messages:
            if each["type"] == "websocket.send":
                check_message(protocol, each["text"])
        codes[code] += 1
    assert codes.keys() <= CODES
    assert len(codes) > 2
    assert world.live == 0
