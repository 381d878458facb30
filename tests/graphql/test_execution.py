"""Operations and their results, whatever asks for them."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Self

import pytest
from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema, build_schema

from bareasgi import Application
from bareasgi.testing import http_request
from bareasgi_graphql import Limits, add_graphql, graphql_handler
from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.execution import Engine
from bareasgi_graphql.incremental_formats import IncrementalFormat
from bareasgi_graphql.request import GraphQLRequest

SDL = """
directive @defer(if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(initialCount: Int = 0, if: Boolean! = true) on FIELD

scalar Json

input Nested { nested: Nested }

type Query {
  one: Int
  later: Int
  same(number: Int!): Int
  many: [Int]
  echo(value: Json): Json
  depth(nested: Nested): Int
}

type Subscription {
  count(to: Int = 2): Int
}
"""


def make_engine(subscribe: Callable[..., Any] | None = None, **options: Any) -> Engine:
    return graphql_handler(make_schema(subscribe), **options).engine


def make_schema(subscribe: Callable[..., Any] | None) -> GraphQLSchema:
    schema = build_schema(SDL)

    async def later(source: object, info: GraphQLResolveInfo) -> int:
        await asyncio.sleep(0)
        return 2

    fields = schema.type_map["Query"].fields  # type: ignore[attr-defined]
    fields["one"].resolve = lambda source, info: 1
    fields["later"].resolve = later
    fields["same"].resolve = lambda source, info, number: number
    fields["many"].resolve = lambda source, info: [1, 2, 3]
    fields["echo"].resolve = lambda source, info, value: value
    fields["depth"].resolve = lambda source, info, nested: 1
    fields = schema.type_map["Subscription"].fields  # type: ignore[attr-defined]
    fields["count"].subscribe = subscribe
    return schema


async def results(engine: Engine, query: str, **variables: Any) -> list[Result]:
    operation = engine.operation(GraphQLRequest(query, variables=variables), {}, {})
    async with aclosing(engine.results(operation, {}, {}, {})) as each:
        return [result async for result in each]


class Source:
    """A source of events that can be told to fail, and tells what became of it."""

    def __init__(self) -> None:
        self.times_closed = 0
        self.is_waiting = asyncio.Event()

    async def generate(
        self, source: object, info: GraphQLResolveInfo, to: int
    ) -> AsyncIterator[dict[str, int]]:
        try:
            for number in range(to):
                yield {"count": number}
            self.is_waiting.set()
            await asyncio.Event().wait()
        finally:
            self.times_closed += 1


async def test_a_query_has_one_result() -> None:
    assert await results(make_engine(), "{ one later }") == [
        {"data": {"one": 1, "later": 2}}
    ]


async def test_a_subscription_has_one_for_each_event() -> None:
    async def subscribe(
        source: object, info: GraphQLResolveInfo, to: int
    ) -> AsyncIterator[dict[str, int]]:
        for number in range(to):
            yield {"count": number}

    engine = make_engine(subscribe)
    assert await results(engine, "subscription { count(to: 3) }") == [
        {"data": {"count": 0}},
        {"data": {"count": 1}},
        {"data": {"count": 2}},
    ]


async def test_a_source_may_have_to_be_awaited_and_fields_too() -> None:
    class Countdown:
        """An async iterator that is no generator, and has no `aclose`."""

        left = 2

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> dict[str, Any]:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return {"count": self.count}

        async def count(self, info: GraphQLResolveInfo, to: int) -> int:
            await asyncio.sleep(0)
            return self.left

    async def subscribe(source: object, info: GraphQLResolveInfo, to: int) -> Countdown:
        await asyncio.sleep(0)
        return Countdown()

    engine = make_engine(subscribe)
    assert await results(engine, "subscription { count }") == [
        {"data": {"count": 1}},
        {"data": {"count": 0}},
    ]


async def test_who_stops_between_events_closes_the_source() -> None:
    source = Source()
    engine = make_engine(source.generate)
    operation = engine.operation(GraphQLRequest("subscription { count }"), {}, {})
    each = engine.results(operation, {}, {}, {})
    assert await anext(each) == {"data": {"count": 0}}
    await each.aclose()
    assert source.times_closed == 1


async def test_who_is_cancelled_while_waiting_closes_the_source() -> None:
    source = Source()
    engine = make_engine(source.generate)
    task = asyncio.create_task(results(engine, "subscription { count }"))
    async with asyncio.timeout(10):
        await source.is_waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.times_closed == 1


async def test_results_that_are_never_asked_for_run_nothing() -> None:
    source = Source()
    engine = make_engine(source.generate)
    operation = engine.operation(GraphQLRequest("subscription { count }"), {}, {})
    await engine.results(operation, {}, {}, {}).aclose()
    assert not source.is_waiting.is_set()
    assert source.times_closed == 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("hunter2"), "Internal Server Error"),
        (GraphQLError("sold out"), "sold out"),
    ],
)
async def test_a_source_that_fails_is_ended_by_its_error(
    error: Exception, message: str
) -> None:
    async def subscribe(
        source: object, info: GraphQLResolveInfo, to: int
    ) -> AsyncIterator[dict[str, int]]:
        yield {"count": 0}
        raise error

    engine = make_engine(subscribe)
    assert await results(engine, "subscription { count }") == [
        {"data": {"count": 0}},
        {"errors": [{"message": message}]},
    ]


async def test_unmasked_an_error_is_told_as_it_is() -> None:
    async def subscribe(source: object, info: GraphQLResolveInfo, to: int) -> None:
        raise ValueError("hunter2")

    engine = make_engine(subscribe, mask_errors=False)
    [result] = await results(engine, "subscription { count }")
    assert [error["message"] for error in result["errors"]] == ["hunter2"]


@pytest.mark.parametrize("value", [None, [1, 2], "text"])
async def test_what_is_no_source_is_an_error(value: object) -> None:
    engine = make_engine(lambda source, info, to: value)
    [result] = await results(engine, "subscription { count }")
    assert result.keys() == {"errors"}
    assert result["errors"][0]["path"] == ["count"]


async def test_a_source_that_cannot_be_closed_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> dict[str, int]:
            return {"count": 1}

        async def aclose(self) -> None:
            raise ValueError("hunter2")

    engine = make_engine(lambda source, info, to: Broken())
    operation = engine.operation(GraphQLRequest("subscription { count }"), {}, {})
    each = engine.results(operation, {}, {}, {})
    assert await anext(each) == {"data": {"count": 1}}
    await each.aclose()
    assert "failed when it was closed" in caplog.text


async def test_what_is_cancelled_below_is_a_failure_and_no_cancellation() -> None:
    def cancelled() -> asyncio.Future[dict[str, int]]:
        future: asyncio.Future[dict[str, int]] = asyncio.Future()
        future.cancel()
        return future

    async def subscribe(
        source: object, info: GraphQLResolveInfo, to: int
    ) -> AsyncIterator[dict[str, int]]:
        yield {"count": 0}
        yield await cancelled()

    engine = make_engine(subscribe)
    failure = {"errors": [{"message": "Internal Server Error"}]}
    assert await results(engine, "subscription { count }") == [
        {"data": {"count": 0}},
        failure,
    ]
    schema = build_schema("type Query { one: Int }")
    engine = graphql_handler(
        schema, root_value={"one": lambda info: cancelled()}
    ).engine
    assert await results(engine, "{ one }") == [failure]


@pytest.mark.parametrize("is_in_parts", [False, True])
async def test_a_query_that_is_cancelled_is_cancelled(*, is_in_parts: bool) -> None:
    is_waiting = asyncio.Event()

    async def wait(info: GraphQLResolveInfo) -> None:
        is_waiting.set()
        await asyncio.Event().wait()

    schema = build_schema("type Query { one: Int }")
    engine = graphql_handler(schema, root_value={"one": wait}).engine
    operation = engine.operation(GraphQLRequest("{ one }"), {}, {})
    task: asyncio.Task[object]
    if is_in_parts:
        form: IncrementalFormat = "incrementalSpec=v0.2"
        running = engine.result_or_payloads(operation, {}, {}, {}, form)
        task = asyncio.create_task(running)
    else:
        task = asyncio.create_task(engine.result(operation, {}, {}, {}))
    async with asyncio.timeout(10):
        await is_waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_events_of_a_long_life_leave_nothing_behind() -> None:
    schema = build_schema(
        "type Query { a: Int } type Book { title: String }"
        " type Subscription { book: Book }"
    )

    async def subscribe(
        source: object, info: GraphQLResolveInfo
    ) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield {"book": {"title": "Emma"}}

    fields = schema.type_map["Subscription"].fields  # type: ignore[attr-defined]
    fields["book"].subscribe = subscribe
    engine = graphql_handler(schema).engine
    operation = engine.operation(
        GraphQLRequest("subscription { book { title } }"), {}, {}
    )
    counts: list[int] = []
    async with aclosing(engine.results(operation, {}, {}, {})) as each:
        for times in (100, 2_000):
            for _ in range(times):
                assert await anext(each) == {"data": {"book": {"title": "Emma"}}}
            gc.collect()
            counts.append(len(gc.get_objects()))
    assert counts[1] - counts[0] < 500


async def test_an_event_that_cannot_be_executed_goes_on() -> None:
    async def subscribe(
        source: object, info: GraphQLResolveInfo, to: int
    ) -> AsyncIterator[dict[str, Any]]:
        yield {"count": "no number"}
        yield {"count": 1}

    first, second = await results(make_engine(subscribe), "subscription { count }")
    assert first["data"] == {"count": None}
    assert first["errors"][0]["message"] == "Internal Server Error"
    assert second == {"data": {"count": 1}}


async def test_variables_that_do_not_fit_are_the_last_result() -> None:
    query = "query ($to: Int!) { same(number: $to) }"
    [result] = await results(make_engine(), query, to="x")
    assert result.keys() == {"errors"}
    query = "subscription ($to: Int!) { count(to: $to) }"
    [result] = await results(make_engine(), query)
    assert result.keys() == {"errors"}


async def test_an_incremental_directive_is_answered_in_one_piece() -> None:
    query = "{ many @stream ... @defer { one later } }"
    assert await results(make_engine(), query) == [
        {"data": {"many": [1, 2, 3], "one": 1, "later": 2}}
    ]


async def test_resolver_middleware_and_the_root_value_are_used() -> None:
    def double(
        resolve: Callable[..., Any], source: object, info: GraphQLResolveInfo
    ) -> Any:
        return resolve(source, info) * 2

    schema = build_schema("type Query { one: Int }")
    engine = graphql_handler(schema, middleware=[double], root_value={"one": 21}).engine
    assert await results(engine, "{ one }") == [{"data": {"one": 42}}]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("{ one }", "A"),
        ("query A { one } query B { one }", None),
        ("fragment A on Query { one }", None),
    ],
)
def test_an_operation_that_is_not_there_is_refused(
    query: str, name: str | None
) -> None:
    with pytest.raises(RequestError):
        make_engine().operation(GraphQLRequest(query, name), {}, {})


async def test_what_is_too_deep_for_a_type_of_the_application_is_refused() -> None:
    def measure(value: dict[str, Any]) -> dict[str, Any]:
        return measure(value)

    schema = build_schema("input Deep { a: Int } type Query { one(deep: Deep): Int }")
    schema.type_map["Deep"].out_type = measure  # type: ignore[attr-defined]
    query = "query ($deep: Deep) { one(deep: $deep) }"
    [result] = await results(graphql_handler(schema).engine, query, deep={"a": 1})
    assert result == {"errors": [{"message": "Variable values are nested too deeply."}]}


async def test_what_is_nested_too_deeply_is_refused() -> None:
    app = Application()
    add_graphql(app, make_schema(None), limits=Limits(tokens=None, document=None))
    levels = 5_000
    nested = '{"nested":' * levels + "null" + "}" * levels
    lists = "[" * levels + "]" * levels
    literal = "{nested: " * levels + "null" + "}" * levels
    for query, name, value in (
        ("query ($value: Nested) { depth(nested: $value) }", "value", nested),
        ("query ($value: Json) { echo(value: $value) }", "value", lists),
        (f"{{ depth(nested: {literal}) }}", "other", "1"),
    ):
        body = f'{{"query": {json.dumps(query)}, "variables": {{"{name}": {value}}}}}'
        response = await http_request(
            app,
            "POST",
            "/graphql",
            headers=[(b"content-type", b"application/json"), (b"accept", b"*/*")],
            content=body.encode(),
        )
        assert response.status in (200, 400)
        assert b"errors" in response.body or lists.encode() in response.body
