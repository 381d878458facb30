"""How much a client may ask for: every limit, over every transport."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import fields
from typing import Any, Final, NamedTuple

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    ValueNode,
    get_introspection_query,
)
from graphql_transports import (
    EVENTS,
    JSON,
    MODERN,
    PATH,
    PROTOCOLS,
    RESULT,
    TOKEN,
    TRANSPORTS,
    Ask,
    ask_stream,
    closed,
    connected,
    next_message,
    post,
    single_stream,
    starting,
)

from bareasgi import Application
from bareasgi.testing import http_request, http_stream, web_socket
from bareasgi_graphql import Limits, add_graphql
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.limits import parse_bounded

SHORT: Final = 0.05  # seconds: a limit that is meant to pass
MIB: Final = 1024 * 1024

HELD: Final = {"query": "subscription { held }"}


class World:
    """What the resolvers do, and what they did."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.literals: list[str] = []
        self.cancelled = 0

    async def slow(self, *_: object) -> str:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "at last"

    async def held(self, *_: object) -> AsyncGenerator[str, None]:
        await self.gate.wait()
        yield "at last"

    def literal(self, node: ValueNode, variables: object = None) -> str:
        self.literals.append(node.kind)
        return node.kind

    def schema(self) -> GraphQLSchema:
        number = GraphQLNonNull(GraphQLInt)
        scalar = GraphQLScalarType(
            "Looked", parse_value=str, parse_literal=self.literal
        )
        anything = GraphQLScalarType("Anything")
        query = GraphQLObjectType(
            "Query",
            lambda: {
                "a": GraphQLField(query, resolve=lambda *_: {}),
                "b": GraphQLField(GraphQLString, resolve=lambda *_: "b"),
                "echo": GraphQLField(
                    anything,
                    args={"value": GraphQLArgument(anything)},
                    resolve=lambda *_, value=None: value,
                ),
                "looked": GraphQLField(
                    GraphQLString,
                    args={"at": GraphQLArgument(scalar)},
                    resolve=lambda *_, at: at,
                ),
                "failing": GraphQLField(
                    GraphQLList(GraphQLInt),
                    args={
                        "count": GraphQLArgument(number),
                        "among": GraphQLArgument(GraphQLList(GraphQLInt)),
                    },
                    resolve=lambda *_, count, **among: ["no number"] * count,
                ),
                "slow": GraphQLField(GraphQLString, resolve=self.slow),
            },
        )
        subscription = GraphQLObjectType(
            "Subscription",
            {
                "held": GraphQLField(
                    GraphQLString,
                    subscribe=self.held,
                    resolve=lambda event, *_: event,
                )
            },
        )
        return GraphQLSchema(query, subscription=subscription)


@pytest.fixture
def world() -> World:
    return World()


def serving(world: World, limits: Limits | None = None, **options: Any) -> Application:
    app = Application()
    add_graphql(app, world.schema(), limits=limits or Limits(), **options)
    return app


# What a document of each size looks like.


def nested(depth: int) -> str:
    return "{ a " * (depth - 1) + "{ b }" + " }" * (depth - 1)


def nested_in_fragments(depth: int) -> str:
    fragments = [
        f"fragment F{each} on Query {{ a {{ ...F{each + 1} }} }}"
        for each in range(1, depth)
    ]
    last = f"fragment F{depth} on Query {{ b }}"
    return " ".join(["{ ...F1 }", *fragments, last])


def nested_in_inline_fragments(depth: int) -> str:
    return "{ ... { a " * (depth - 1) + "{ b }" + " } }" * (depth - 1)


def aliased(count: int) -> str:
    return "{ a { " + " ".join(f"x{each}: b" for each in range(count)) + " } }"


def aliased_in_fragments(count: int) -> str:
    spreads = " ".join(f"a {{ a{each}: a {{ ...F }} }}" for each in range(2))
    rest = " ".join(f"x{each}: b" for each in range(count - 2 - 2 * 2))
    return f"{{ {spreads} {rest} }} fragment F on Query {{ y: b z: b }}"


def rooted(count: int) -> str:
    return "{ " + "b " * count + "}"


def rooted_in_fragments(count: int) -> str:
    rest = "b " * (count - 2 * 3 - 2)
    return f"{{ ...F ... {{ ...F b b }} {rest} }} fragment F on Query {{ b b b }}"


def directed(count: int) -> str:
    return "{ a { " + "b @skip(if: false) " * count + "} }"


def directed_everywhere(count: int) -> str:
    rest = "b @skip(if: false) " * (count - 2 * 2 - 2)
    spreads = "...F @skip(if: false) ... @skip(if: false) { ...F }"
    return (
        f"{{ a {{ {spreads} }} a {{ {rest} }} }}"
        " fragment F on Query { b @skip(if: false) b @include(if: true) }"
    )


def fragmented(count: int) -> str:
    spreads = " ".join(f"...F{each}" for each in range(count))
    fragments = [f"fragment F{each} on Query {{ b }}" for each in range(count)]
    return " ".join([f"{{ a {{ {spreads} }} }}", *fragments])


def worded(count: int) -> str:
    return "{ echo ( value: [" + "1 " * (count - 9) + "] ) }"


def commented(count: int) -> str:
    return "#\n" * (count - 3) + "{ b }"


def long(size: int) -> str:
    return "{ b } #".ljust(size, "x")


def long_in_other_letters(size: int) -> str:
    text = "{ b } #".ljust(8 + size % 2, "x")
    return text + "é" * ((size - len(text)) // 2)


class Row(NamedTuple):
    """A limit of a document, a document of each size, and what it says of one over."""

    limit: str
    default: int
    document: Callable[[int], str]
    reason: str


DEEP: Final = "The document has fields within fields, more than 10 deep"

ROWS: Final = {
    "depth": Row("depth", 10, nested, DEEP),
    "depth in fragments": Row("depth", 10, nested_in_fragments, DEEP),
    "depth in inline fragments": Row("depth", 10, nested_in_inline_fragments, DEEP),
    "aliases": Row("aliases", 15, aliased, "more than 15 aliases"),
    "aliases in fragments": Row(
        "aliases", 15, aliased_in_fragments, "more than 15 aliases"
    ),
    "root fields": Row("root_fields", 20, rooted, "more than 20 fields at its root"),
    "root fields in fragments": Row(
        "root_fields", 20, rooted_in_fragments, "more than 20 fields at its root"
    ),
    "directives": Row("directives", 50, directed, "more than 50 directives"),
    "directives everywhere": Row(
        "directives", 50, directed_everywhere, "more than 50 directives"
    ),
    "fragments": Row("fragments", 50, fragmented, "more than 50 fragments"),
    "tokens": Row("tokens", 1_000, worded, "more than 1000 tokens"),
    "comments": Row("tokens", 1_000, commented, "more than 1000 tokens"),
    "bytes": Row("document", 65_536, long, "longer than 65536 bytes"),
    "bytes of other letters": Row(
        "document", 65_536, long_in_other_letters, "longer than 65536 bytes"
    ),
}

every_transport = pytest.mark.parametrize("ask", TRANSPORTS.values(), ids=TRANSPORTS)
every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


@every_transport
@every_row
async def test_a_document_at_the_limit_is_run(world: World, row: Row, ask: Ask) -> None:
    answer = await ask(serving(world), {"query": row.document(row.default)})
    assert (answer.is_run, answer.message) == (True, "")


@every_transport
@every_row
async def test_a_document_over_the_limit_is_refused(
    world: World, row: Row, ask: Ask
) -> None:
    answer = await ask(serving(world), {"query": row.document(row.default + 1)})
    assert not answer.is_run
    assert answer.status in (400, None)
    assert row.reason in answer.message


@every_transport
@every_row
async def test_without_the_limit_a_document_over_it_is_run(
    world: World, row: Row, ask: Ask
) -> None:
    limits = Limits(**{row.limit: None})
    app = serving(world, limits)
    answer = await ask(app, {"query": row.document(row.default + 1)})
    assert (answer.is_run, answer.message) == (True, "")


@every_transport
@every_row
async def test_a_document_over_a_limit_is_not_validated(
    world: World, row: Row, ask: Ask
) -> None:
    # Validation looks at literals, and says that there is no such field.
    document = row.document(row.default + 1)
    text = "{ looked(at: 1) nothing " + document.removeprefix("{")
    app = serving(world)
    if row.document is commented:
        text = document.replace("{", "{ looked(at: 1) nothing ")
    answer = await ask(app, {"query": text})
    assert answer.status in (400, None)
    assert len(answer.result["errors"]) == 1
    assert "limit" in answer.message or "longer" in answer.message
    assert world.literals == []


async def test_validation_looks_at_literals(world: World) -> None:
    response = await post(serving(world), {"query": "{ looked(at: 1) nothing }"})
    assert "nothing" in response.json()["errors"][0]["message"]
    assert world.literals == ["int_value"]


@every_transport
@pytest.mark.parametrize(
    "query",
    [
        get_introspection_query(),
        get_introspection_query(
            descriptions=True,
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
            one_of=True,
        ),
    ],
    ids=["plain", "everything"],
)
async def test_the_standard_introspection_query_is_within_the_limits(
    world: World, query: str, ask: Ask
) -> None:
    answer = await ask(serving(world), {"query": query})
    assert answer.message == ""
    assert answer.result["data"]["__schema"]["queryType"]["name"] == "Query"


DEEP_LIST: Final = "type { fields { " * 8 + "name" + " } }" * 8
WITHIN_THE_TYPE: Final = "ofType { " * 30 + "name" + " }" * 30


@pytest.mark.parametrize("field", ["__schema { queryType", '__type(name: "Query")'])
async def test_what_is_below_the_fields_of_introspection_is_not_counted_as_depth(
    world: World, field: str
) -> None:
    end = " }" * field.count("{")
    query = f"{{ {field} {{ fields {{ type {{ {WITHIN_THE_TYPE} }} }} }} {end} }}"
    response = await post(serving(world), {"query": query})
    assert response.json().keys() == {"data"}


async def test_what_has_a_field_of_introspection_beside_it_is_counted(
    world: World,
) -> None:
    query = "{ __schema { queryType { name } } " + nested(11).removeprefix("{")
    response = await post(serving(world), {"query": query})
    assert DEEP in response.json()["errors"][0]["message"]


async def test_a_field_does_not_pass_for_introspection_by_its_alias(
    world: World,
) -> None:
    query = "{ __schema: a " + nested(10) + " }"
    response = await post(serving(world), {"query": query})
    assert DEEP in response.json()["errors"][0]["message"]


async def test_introspection_that_lists_lists_is_bounded_by_validation(
    world: World,
) -> None:
    query = f"{{ __schema {{ types {{ fields {{ {DEEP_LIST} }} }} }} }}"
    response = await post(serving(world), {"query": query})
    assert response.status == 400
    [error] = response.json()["errors"]
    assert error["message"] == "Maximum introspection depth exceeded"


async def test_each_operation_of_a_document_has_the_limits_to_itself(
    world: World,
) -> None:
    app = serving(world)
    one = rooted(20)
    both = {"query": f"query A {one} query B {one}", "operationName": "B"}
    assert (await post(app, both)).json().keys() == {"data"}
    other = {**both, "query": f"query A {rooted(21)} query B {one}"}
    assert "at its root" in (await post(app, other)).text


async def test_directives_of_an_operation_count_too(world: World) -> None:
    text = "query @skip(if: true) " + directed(50)
    with pytest.raises(RequestError, match="more than 50 directives"):
        parse_bounded(text, Limits())


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { a { ...A } }",
        "{ ...A } fragment A on Query { a { ...B } } fragment B on Query { ...A }",
        "{ ...A } fragment A on Query { ...A ...A }",
        "{ ...Nothing }",
    ],
    ids=["itself", "in a circle", "itself twice", "nothing"],
)
@every_transport
async def test_fragments_without_an_end_are_left_to_validation(
    world: World, document: str, ask: Ask
) -> None:
    answer = await ask(serving(world), {"query": document})
    assert not answer.is_run
    assert re.search("Cannot spread fragment|Unknown fragment", answer.message)


async def test_a_document_that_is_nested_too_deeply_for_python_is_a_400(
    world: World,
) -> None:
    unlimited = Limits(tokens=None, depth=None, document=None)
    app = serving(world, unlimited)
    for text in (nested(3_000), nested_in_inline_fragments(3_000)):
        for accept in (RESULT, (b"accept", b"application/json")):
            response = await post(app, {"query": text}, accept)
            assert response.status == 400
            assert "nested too deeply" in response.text


async def test_fragments_that_are_nested_too_deeply_for_python_are_a_400(
    world: World,
) -> None:
    unlimited = Limits(tokens=None, depth=None, document=None, fragments=None)
    response = await post(
        serving(world, unlimited), {"query": nested_in_fragments(2_000)}
    )
    assert response.status == 400


# Bodies and messages.


def padded(parameters: object, size: int) -> bytes:
    return json.dumps(parameters).encode().ljust(size)


BODY: Final = {"query": "{ b }", "extensions": {"operationId": "1"}}
SIZES: Final = {"default": Limits(), "smaller": Limits(body=100, message=100)}


@pytest.mark.parametrize("limits", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("accept", [RESULT, EVENTS], ids=["POST", "event stream"])
async def test_a_body_at_the_limit_is_read_and_one_over_it_is_a_413(
    world: World, limits: Limits, accept: tuple[bytes, bytes]
) -> None:
    app = serving(world, limits)
    assert limits.body
    for size, status in ((limits.body, 200), (limits.body + 1, 413)):
        body = padded(BODY, size)
        # In pieces too, when nothing says beforehand how long it is.
        for content in (body, [body[:70], body[70:]]):
            headers = [JSON, accept]
            response = await http_request(
                app, "POST", PATH, headers=headers, content=content
            )
            assert response.status == status
    assert f"longer than {limits.body} bytes" in response.text
    assert "data" not in response.json()


@pytest.mark.parametrize("limits", SIZES.values(), ids=SIZES)
async def test_a_single_connection_has_the_limit_of_bodies(
    world: World, limits: Limits
) -> None:
    app = serving(world, limits)
    assert limits.body
    async with single_stream(app) as (token, _):
        for size, status in ((limits.body, 202), (limits.body + 1, 413)):
            response = await http_request(
                app,
                "POST",
                PATH,
                headers=[JSON, RESULT, (TOKEN, token.encode())],
                content=padded(BODY, size),
            )
            assert response.status == status


async def test_a_body_that_says_that_it_is_too_long_is_refused_unread(
    world: World,
) -> None:
    length = (b"content-length", b"%d" % (MIB + 1))
    async with http_stream(
        serving(world), "POST", PATH, headers=[JSON, length], content=None
    ) as stream:
        await stream.started()
        assert stream.status == 413


async def test_without_the_limit_a_longer_body_is_read(world: World) -> None:
    app = serving(world, Limits(body=None))
    response = await http_request(
        app, "POST", PATH, headers=[JSON], content=padded(BODY, 2 * MIB)
    )
    assert response.json() == {"data": {"b": "b"}}


@both_protocols
@pytest.mark.parametrize("limits", SIZES.values(), ids=SIZES)
async def test_a_message_at_the_limit_is_taken_and_one_over_it_closes_with_1009(
    world: World, limits: Limits, protocol: str
) -> None:
    assert limits.message
    message = starting("1", {"query": "{ b }"}, protocol)
    async with connected(serving(world, limits), protocol) as socket:
        await socket.send(message.ljust(limits.message))
        assert (await next_message(socket))["payload"] == {"data": {"b": "b"}}
        assert (await next_message(socket))["type"] == "complete"
        await socket.send(message.ljust(limits.message + 1))
        assert await closed(socket) == 1009


@both_protocols
async def test_a_message_is_counted_in_bytes(world: World, protocol: str) -> None:
    limits = Limits(message=200)
    async with connected(serving(world, limits), protocol) as socket:
        # 170 characters, and 201 bytes.
        message = starting("1", {"query": "{ b } #" + "x" * 100}, protocol)
        filled = message.replace("x", "é", 201 - len(message) - 70 + 1)
        odd = filled.ljust(len(filled) + 201 - len(filled.encode()))
        assert len(odd) < 200 < len(odd.encode())
        await socket.send(odd)
        assert await closed(socket) == 1009


@both_protocols
async def test_without_the_limit_a_longer_message_is_taken(
    world: World, protocol: str
) -> None:
    async with connected(serving(world, Limits(message=None)), protocol) as socket:
        message = starting("1", {"query": "{ b }"}, protocol)
        await socket.send(message.ljust(2 * MIB))
        assert (await next_message(socket))["payload"] == {"data": {"b": "b"}}


# Errors.


@every_transport
async def test_a_response_has_no_more_errors_than_the_limit(
    world: World, ask: Ask
) -> None:
    for limit, count in ((100, 100), (5, 5), (None, 150)):
        app = serving(world, Limits(errors=limit))
        answer = await ask(app, {"query": "{ failing(count: 150) }"})
        assert len(answer.result["errors"]) == count
        assert answer.result["data"] == {"failing": [None] * 150}


@every_transport
async def test_a_response_at_the_limit_of_errors_has_all_of_them(
    world: World, ask: Ask
) -> None:
    answer = await ask(serving(world), {"query": "{ failing(count: 100) }"})
    assert [error["path"][1] for error in answer.result["errors"]] == [*range(100)]


@pytest.mark.parametrize(
    ("limits", "most"), [(Limits(), 100), (Limits(errors=3), 3)], ids=["100", "3"]
)
@pytest.mark.parametrize(
    "parameters",
    [
        {"query": "{ a { " + "nothing " * 300 + "} }"},
        {
            "query": "query ($list: [Int]) { failing(count: 0, among: $list) }",
            "variables": {"list": ["no number"] * 300},
        },
    ],
    ids=["document", "variables"],
)
async def test_validation_gives_no_more_errors_than_the_limit(
    world: World, limits: Limits, most: int, parameters: dict[str, Any]
) -> None:
    response = await post(serving(world, limits), parameters)
    assert response.status == 400
    assert 0 < len(response.json()["errors"]) <= most
    unlimited = serving(world, Limits(errors=None))
    assert len((await post(unlimited, parameters)).json()["errors"]) == 300


# What is live at a time.


@both_protocols
@pytest.mark.parametrize("limit", [100, 2, None], ids=str)
async def test_a_socket_has_so_many_live_subscriptions_and_says_so_of_one_more(
    world: World, protocol: str, limit: int | None
) -> None:
    app = serving(world, Limits(subscriptions=limit))
    most = limit or 150
    async with connected(app, protocol) as socket:
        for number in range(most):
            await socket.send(starting(f"live {number}", HELD, protocol))
        if limit is not None:
            await socket.send(starting("too many", HELD, protocol))
            refusal = await next_message(socket)
            assert (refusal["type"], refusal["id"]) == ("error", "too many")
            assert f"{limit} live operations" in json.dumps(refusal["payload"])
        world.gate.set()
        seen = [await next_message(socket) for _ in range(2 * most)]
        kind = "next" if protocol == MODERN else "data"
        assert sorted(m["id"] for m in seen if m["type"] == kind) == sorted(
            f"live {number}" for number in range(most)
        )
        # There is room again.
        await socket.send(starting("too many", HELD, protocol))
        assert (await next_message(socket))["type"] == kind


@pytest.mark.parametrize("limit", [100, 2, None], ids=str)
async def test_a_single_connection_has_so_many_live_subscriptions_and_no_more(
    world: World, limit: int | None
) -> None:
    app = serving(world, Limits(subscriptions=limit))
    async with single_stream(app) as (token, stream):
        for number in range(limit or 150):
            response = await ask_stream(app, token, f"live {number}", HELD)
            assert response.status == 202
        if limit is not None:
            response = await ask_stream(app, token, "too many", HELD)
            assert response.status == 400
            assert "Too many operations are live" in response.text
        world.gate.set()
        seen = [await stream.chunk() for _ in range(2 * (limit or 150))]
        assert sum(b"at last" in chunk for chunk in seen) == (limit or 150)


@pytest.mark.parametrize("limit", [100, 2, None], ids=str)
async def test_so_many_event_streams_are_reserved_and_no_more(
    world: World, limit: int | None
) -> None:
    app = serving(world, Limits(reservations=limit))
    statuses = [
        (await http_request(app, "PUT", PATH)).status for _ in range(limit or 150)
    ]
    assert {*statuses} == {201}
    if limit is not None:
        response = await http_request(app, "PUT", PATH)
        assert response.status == 429
        assert "Too many event streams" in response.text


# Time.


@both_protocols
async def test_a_client_has_so_long_to_send_connection_init(
    world: World, protocol: str
) -> None:
    limited = serving(world, Limits(init_timeout=SHORT))
    unlimited = serving(world, Limits(init_timeout=None))
    async with AsyncExitStack() as stack:
        first, second, third = [
            await stack.enter_async_context(
                web_socket(app, PATH, subprotocols=[protocol])
            )
            for app in (unlimited, limited, limited)
        ]
        await third.send('{"type": "connection_init"}')
        assert (await next_message(third))["type"] == "connection_ack"
        assert await closed(second) == 4408
        await first.send('{"type": "connection_init"}')
        assert (await next_message(first))["type"] == "connection_ack"
        # Whoever came in time stays.
        await third.send(starting("1", {"query": "{ b }"}, protocol))
        assert (await next_message(third))["payload"] == {"data": {"b": "b"}}


@every_transport
async def test_a_query_has_so_long_and_is_then_cancelled(
    world: World, ask: Ask
) -> None:
    parameters = {"query": "{ slow }"}
    unlimited = serving(world, Limits(query_timeout=None))
    waiting = asyncio.create_task(ask(unlimited, parameters))
    answer = await ask(serving(world, Limits(query_timeout=SHORT)), parameters)
    assert not answer.is_run
    assert answer.message == f"The operation took over {SHORT} seconds"
    assert answer.status in (400, 200, 202, None)
    assert world.cancelled == 1
    world.gate.set()
    assert (await waiting).result == {"data": {"slow": "at last"}}


@every_transport
async def test_a_query_that_ends_in_time_is_answered(world: World, ask: Ask) -> None:
    world.gate.set()
    answer = await ask(serving(world, Limits(query_timeout=10)), {"query": "{ slow }"})
    assert answer.result == {"data": {"slow": "at last"}}


async def test_a_subscription_may_live_longer_than_a_query(world: World) -> None:
    app = serving(world, Limits(query_timeout=SHORT))
    async with connected(app) as socket:
        await socket.send(starting("sub", HELD))
        await socket.send(starting("query", {"query": "{ slow }"}))
        assert (await next_message(socket))["id"] == "query"
        world.gate.set()
        message = await next_message(socket)
        assert message["payload"] == {"data": {"held": "at last"}}


async def test_a_batch_is_off_unless_it_is_asked_for_and_has_so_many_operations(
    world: World,
) -> None:
    one = {"query": "{ b }"}
    for batch, size, status in ((0, 1, 400), (3, 3, 200), (3, 4, 400), (3, 0, 400)):
        app = serving(world, batch=batch)
        response = await post(app, [one] * size)
        assert response.status == status
        if status == 200:
            assert response.json() == [{"data": {"b": "b"}}] * size


async def test_each_operation_of_a_batch_has_the_limits(world: World) -> None:
    requests = [{"query": nested(10)}, {"query": nested(11)}]
    first, second = (await post(serving(world, batch=2), requests)).json()
    assert first.keys() == {"data"}
    assert DEEP in second["errors"][0]["message"]


# The limits themselves.


def limited(name: str, value: Any) -> Limits:
    return Limits(**{name: value})


def test_every_limit_is_on_and_none_lifts_it() -> None:
    for each in fields(Limits):
        assert each.default is not None
        assert getattr(limited(each.name, None), each.name) is None


def test_an_unknown_limit_is_an_error() -> None:
    with pytest.raises(TypeError, match="breadth"):
        limited("breadth", 3)


@pytest.mark.parametrize("name", [each.name for each in fields(Limits)])
@pytest.mark.parametrize("value", ["10", True, [], 1j])
def test_a_limit_of_the_wrong_type_is_an_error_that_names_it(
    name: str, value: object
) -> None:
    with pytest.raises(TypeError, match=f"limit {name} must be .*, or None"):
        limited(name, value)


def test_only_times_may_be_fractions() -> None:
    for each in fields(Limits):
        if each.name.endswith("_timeout"):
            assert getattr(limited(each.name, 0.5), each.name) == 0.5
        else:
            with pytest.raises(TypeError, match="must be an int"):
                limited(each.name, 1.5)


@pytest.mark.parametrize("name", [each.name for each in fields(Limits)])
@pytest.mark.parametrize("value", [-1, 0])
def test_a_limit_that_is_not_positive_is_an_error_that_names_it(
    name: str, value: int
) -> None:
    if value == 0 and name in ("aliases", "directives", "fragments"):
        assert getattr(limited(name, value), name) == 0
        return
    with pytest.raises(ValueError, match=f"limit {name} must be positive, or None"):
        limited(name, value)


@pytest.mark.parametrize("name", ["init_timeout", "query_timeout"])
def test_a_time_that_is_no_number_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"limit {name} must be positive, or None"):
        limited(name, float("nan"))


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("aliases", "{ x: b }"),
        ("directives", "{ b @skip(if: false) }"),
        ("fragments", "{ ...F } fragment F on Query { b }"),
    ],
)
async def test_aliases_directives_and_fragments_can_be_forbidden(
    world: World, name: str, document: str
) -> None:
    app = serving(world, limited(name, 0))
    assert (await post(app, {"query": document})).status == 400
    assert (await post(app, {"query": "{ b }"})).status == 200
