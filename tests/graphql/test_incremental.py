"""Results in parts: what the payloads say, and what a client leaves behind."""

import asyncio
import itertools
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any, cast

import pytest
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    IncrementalDeferResult,
    IncrementalStreamResult,
    InitialIncrementalExecutionResult,
    SubsequentIncrementalExecutionResult,
    build_schema,
    parse,
)
from graphql.execution import CompletedResult, PendingResult

from bareasgi_graphql.incremental import (
    AbortableExecutor,
    PacedExecutor,
    Payloads,
    execute_incrementally,
)
from bareasgi_graphql.incremental_formats import IncrementalFormat, writer
from bareasgi_graphql.masking import Masking

BY_IDENTITY: IncrementalFormat = "incrementalSpec=v0.2"
BY_PLACE: IncrementalFormat = "deferSpec=20220824"
SHORT = 0.2  # seconds: a limit that is meant to pass
MASKED = "Internal Server Error"
LATE = {
    "errors": [{"message": f"The operation took over {SHORT} seconds"}],
    "hasNext": False,
}

SDL = """
directive @defer(label: String, if: Boolean! = true)
  on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(label: String, if: Boolean! = true, initialCount: Int = 0) on FIELD

type Query {
  hero: Hero
  numbers: [Int]
  strict: [Int!]
  failing: [Int]
  held: [Int]
  heroes: [Hero]
  cancelled: [Int]
  given: [Int]
}
type Hero {
  id: ID
  name: String
  friends: [Hero]
  broken: String!
  secret: String
  told: String
  waits: String
  gone: String
}
"""


class World:
    """What the resolvers do, and what became of it.

    Attributes:
        closed: how often each source was closed, or each resolver ended.
        items: what the field `given` gives.
        reached: set when something waits for good.
    """

    def __init__(self) -> None:
        self.closed: Counter[str] = Counter()
        self.items: object = []
        self.reached = asyncio.Event()
        self.schema = build_schema(SDL)
        query = self.schema.query_type
        assert query is not None
        for name, field in query.fields.items():
            field.resolve = getattr(self, name)
        fields = cast(GraphQLObjectType, self.schema.type_map["Hero"]).fields
        for name in ("broken", "secret", "told", "waits", "gone"):
            fields[name].resolve = getattr(self, name)

    def hero(self, *_: object) -> dict[str, Any]:
        friends = [{"id": "2", "name": "Luke"}, {"id": "3", "name": "Leia"}]
        return {"id": "1", "name": "R2-D2", "friends": friends}

    def given(self, *_: object) -> object:
        return self.items

    async def numbers(self, *_: object) -> AsyncGenerator[int, None]:
        for number in range(3):
            yield number

    async def strict(self, *_: object) -> AsyncGenerator[int | None, None]:
        yield 0
        yield 1
        yield None
        yield 3

    async def failing(self, *_: object) -> AsyncGenerator[int, None]:
        yield 0
        yield 1
        raise ValueError("the secret of the source")

    async def held(self, *_: object) -> AsyncGenerator[int, None]:
        try:
            yield 0
            yield 1
            self.reached.set()
            await asyncio.Event().wait()
        finally:
            self.closed["held"] += 1

    async def cancelled(self, *_: object) -> AsyncGenerator[int, None]:
        yield 0
        yield 1
        raise asyncio.CancelledError

    async def heroes(self, *_: object) -> AsyncGenerator[dict[str, Any], None]:
        for number in range(3):
            friends = [{"id": f"{number}{each}"} for each in range(2)]
            yield {"id": str(number), "name": f"hero {number}", "friends": friends}

    def broken(self, *_: object) -> None:
        return None

    def secret(self, *_: object) -> str:
        raise ValueError("the secret of the resolver")

    def told(self, *_: object) -> str:
        raise GraphQLError("told on purpose")

    async def gone(self, *_: object) -> str:
        raise asyncio.CancelledError

    async def waits(self, *_: object) -> str:
        try:
            self.reached.set()
            await asyncio.Event().wait()
            return "never"
        finally:
            self.closed["waits"] += 1

    def executor(self, document: str) -> AbortableExecutor:
        build = cast(Callable[..., AbortableExecutor], cast(Any, PacedExecutor).build)
        return build(self.schema, parse(document))

    async def payloads(
        self,
        document: str,
        form: IncrementalFormat = BY_IDENTITY,
        *,
        query_timeout: float | None = None,
    ) -> Payloads:
        """Execute, up to the first payload."""
        executed = await execute_incrementally(
            self.executor(document), MASKING, form, query_timeout=query_timeout
        )
        assert isinstance(executed, Payloads)
        return executed

    async def payloads_in_time(
        self, document: str, form: IncrementalFormat
    ) -> Payloads:
        """Execute, with a short time for each payload but the first."""
        executor = self.executor(document)
        results = executor.execute_operation()
        if isinstance(results, Awaitable):
            results = await results
        assert not isinstance(results, ExecutionResult)
        return Payloads(results, executor, MASKING, form, query_timeout=SHORT)


MASKING = Masking(mask=True, format_error=None, limit=100)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()


async def collect(payloads: Payloads) -> list[dict[str, Any]]:
    """Take all payloads. Where errors come from is left out, as the tests are long."""
    async with aclosing(payloads):
        return [_without_locations(payload) async for payload in payloads]


def _without_locations(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        return {
            name: _without_locations(field)
            for name, field in fields.items()
            if name != "locations"
        }
    if isinstance(value, list):
        return [_without_locations(each) for each in cast(Any, value)]
    return value


def parts_of(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part for payload in payloads for part in payload.get("incremental", ())]


def each_alone(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each item as a part: how many come at once is not to the point."""
    alone = [part for part in parts if "items" not in part]
    for part in parts:
        *path, first = part["path"]
        for place, item in enumerate(part.get("items", ())):
            alone.append(part | {"items": [item], "path": [*path, first + place]})
    return sorted(alone, key=repr)


def error(message: str, *path: str | int) -> dict[str, Any]:
    return {"message": message, "path": [*path]}


# What the payloads say

FRAGMENT = '{ hero { id ... @defer(label: "a") { name } } }'
NESTED = """{ hero { id ... @defer(label: "a") {
  name
  friends { id ... @defer { name } }
} } }"""
LIST = '{ hero { friends @stream(label: "s", initialCount: 1) { id } } }'
DEFERRED_LIST = """{ hero { id ... @defer(label: "a") {
  friends @stream(label: "s", initialCount: 1) { id }
} } }"""
SHARED = """{ hero {
  ... @defer(label: "a") { friends @stream(initialCount: 1) { id } name }
  ... @defer(label: "b") { name id }
} }"""
STREAMED_LISTS = """{ heroes @stream(initialCount: 1) {
  id friends @stream(initialCount: 1) { id }
} }"""
OVERLAP = """{ hero {
  ... @defer(label: "a") { friends { id waits: name } }
  ... @defer(label: "b") { friends { id name } }
} }"""


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            FRAGMENT,
            [
                {
                    "data": {"hero": {"id": "1"}},
                    "pending": [{"id": "0", "path": ["hero"], "label": "a"}],
                    "hasNext": True,
                },
                {
                    "incremental": [{"id": "0", "data": {"name": "R2-D2"}}],
                    "completed": [{"id": "0"}],
                    "hasNext": False,
                },
            ],
            id="a fragment",
        ),
        pytest.param(
            NESTED,
            [
                {
                    "data": {"hero": {"id": "1"}},
                    "pending": [{"id": "0", "path": ["hero"], "label": "a"}],
                    "hasNext": True,
                },
                {
                    "pending": [
                        {"id": "1", "path": ["hero", "friends", 0]},
                        {"id": "2", "path": ["hero", "friends", 1]},
                    ],
                    "incremental": [
                        {
                            "id": "0",
                            "data": {
                                "name": "R2-D2",
                                "friends": [{"id": "2"}, {"id": "3"}],
                            },
                        },
                        {"id": "1", "data": {"name": "Luke"}},
                        {"id": "2", "data": {"name": "Leia"}},
                    ],
                    "completed": [{"id": "0"}, {"id": "1"}, {"id": "2"}],
                    "hasNext": False,
                },
            ],
            id="a fragment in a fragment",
        ),
        pytest.param(
            LIST,
            [
                {
                    "data": {"hero": {"friends": [{"id": "2"}]}},
                    "pending": [{"id": "0", "path": ["hero", "friends"], "label": "s"}],
                    "hasNext": True,
                },
                {"incremental": [{"id": "0", "items": [{"id": "3"}]}], "hasNext": True},
                {"completed": [{"id": "0"}], "hasNext": False},
            ],
            id="a list",
        ),
        pytest.param(
            OVERLAP,
            [
                {
                    "data": {"hero": {}},
                    "pending": [
                        {"id": "0", "path": ["hero"], "label": "a"},
                        {"id": "1", "path": ["hero"], "label": "b"},
                    ],
                    "hasNext": True,
                },
                {
                    "incremental": [
                        {
                            "id": "0",
                            "data": {"friends": [{"id": "2"}, {"id": "3"}]},
                        },
                        {
                            "id": "0",
                            "subPath": ["friends", 0],
                            "data": {"waits": "Luke"},
                        },
                        {
                            "id": "0",
                            "subPath": ["friends", 1],
                            "data": {"waits": "Leia"},
                        },
                        {
                            "id": "1",
                            "subPath": ["friends", 0],
                            "data": {"name": "Luke"},
                        },
                        {
                            "id": "1",
                            "subPath": ["friends", 1],
                            "data": {"name": "Leia"},
                        },
                    ],
                    "completed": [{"id": "0"}, {"id": "1"}],
                    "hasNext": False,
                },
            ],
            id="fragments that overlap",
        ),
    ],
)
async def test_parts_are_announced_given_and_completed_by_their_ids(
    world: World, document: str, expected: list[object]
) -> None:
    assert await collect(await world.payloads(document)) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            FRAGMENT,
            [{"data": {"name": "R2-D2"}, "path": ["hero"], "label": "a"}],
            id="a fragment",
        ),
        pytest.param(
            NESTED,
            [
                {
                    "data": {"name": "R2-D2", "friends": [{"id": "2"}, {"id": "3"}]},
                    "path": ["hero"],
                    "label": "a",
                },
                {"data": {"name": "Luke"}, "path": ["hero", "friends", 0]},
                {"data": {"name": "Leia"}, "path": ["hero", "friends", 1]},
            ],
            id="a fragment in a fragment",
        ),
        pytest.param(
            LIST,
            [{"items": [{"id": "3"}], "path": ["hero", "friends", 1], "label": "s"}],
            id="a list",
        ),
        pytest.param(
            "{ numbers @stream }",
            [
                {"items": [0], "path": ["numbers", 0]},
                {"items": [1], "path": ["numbers", 1]},
                {"items": [2], "path": ["numbers", 2]},
            ],
            id="a list from its beginning",
        ),
        pytest.param(
            DEFERRED_LIST,
            [
                {
                    "data": {"friends": [{"id": "2"}]},
                    "path": ["hero"],
                    "label": "a",
                },
                {"items": [{"id": "3"}], "path": ["hero", "friends", 1], "label": "s"},
            ],
            id="a list in a fragment",
        ),
        pytest.param(
            SHARED,
            [
                {
                    "data": {"friends": [{"id": "2"}]},
                    "path": ["hero"],
                    "label": "a",
                },
                {"data": {"name": "R2-D2"}, "path": ["hero"], "label": "a"},
                {"data": {"id": "1"}, "path": ["hero"], "label": "b"},
                {"items": [{"id": "3"}], "path": ["hero", "friends", 1]},
            ],
            id="a list in one of two fragments of an object",
        ),
        pytest.param(
            STREAMED_LISTS,
            [
                {"items": [{"id": "01"}], "path": ["heroes", 0, "friends", 1]},
                {
                    "items": [{"id": "1", "friends": [{"id": "10"}]}],
                    "path": ["heroes", 1],
                },
                {
                    "items": [{"id": "2", "friends": [{"id": "20"}]}],
                    "path": ["heroes", 2],
                },
                {"items": [{"id": "11"}], "path": ["heroes", 1, "friends", 1]},
                {"items": [{"id": "21"}], "path": ["heroes", 2, "friends", 1]},
            ],
            id="lists in the items of a list",
        ),
        pytest.param(
            OVERLAP,
            [
                {
                    "data": {"friends": [{"id": "2"}, {"id": "3"}]},
                    "path": ["hero"],
                    "label": "a",
                },
                {
                    "data": {"waits": "Luke"},
                    "path": ["hero", "friends", 0],
                    "label": "a",
                },
                {
                    "data": {"waits": "Leia"},
                    "path": ["hero", "friends", 1],
                    "label": "a",
                },
                {
                    "data": {"name": "Luke"},
                    "path": ["hero", "friends", 0],
                    "label": "b",
                },
                {
                    "data": {"name": "Leia"},
                    "path": ["hero", "friends", 1],
                    "label": "b",
                },
            ],
            id="fragments that overlap",
        ),
    ],
)
async def test_without_ids_each_part_says_itself_where_it_belongs(
    world: World, document: str, expected: list[dict[str, Any]]
) -> None:
    initial, *payloads = await collect(await world.payloads(document, BY_PLACE))
    assert initial.keys() == {"data", "hasNext"}
    assert [payload["hasNext"] for payload in payloads].index(False) == len(
        payloads
    ) - 1
    assert each_alone(parts_of(payloads)) == each_alone(expected)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (BY_IDENTITY, [{"completed": [{"id": "1"}], "hasNext": True}, LATE]),
        (BY_PLACE, [LATE]),
    ],
)
async def test_without_ids_there_is_nothing_to_say_of_a_list_that_ends(
    world: World, form: IncrementalFormat, expected: list[object]
) -> None:
    document = "{ empty: given @stream hero { ... @defer { waits } } }"
    payloads = await collect(await world.payloads_in_time(document, form))
    assert payloads[1:] == expected


@pytest.mark.parametrize(
    ("document", "by_identity", "by_place"),
    [
        pytest.param(
            '{ hero { id ... @defer(label: "a") { name broken } } }',
            error(MASKED, "hero", "broken"),
            {"data": None, "path": ["hero"], "label": "a"},
            id="a fragment",
        ),
        pytest.param(
            '{ strict @stream(initialCount: 1, label: "s") }',
            error(MASKED, "strict", 2),
            {"items": None, "path": ["strict", 2], "label": "s"},
            id="an item that must not be null",
        ),
        pytest.param(
            "{ failing @stream(initialCount: 1) }",
            error(MASKED, "failing"),
            {"items": None, "path": ["failing", 2]},
            id="a source",
        ),
        pytest.param(
            "{ failing @stream(initialCount: 2) }",
            error(MASKED, "failing"),
            {"items": None, "path": ["failing", 2]},
            id="a source that gave nothing more",
        ),
    ],
)
async def test_a_part_that_fails_tells_so_and_no_more(
    world: World,
    caplog: pytest.LogCaptureFixture,
    document: str,
    by_identity: object,
    by_place: dict[str, Any],
) -> None:
    last = (await collect(await world.payloads(document)))[-1]
    assert last == {
        "completed": [{"id": "0", "errors": [by_identity]}],
        "hasNext": False,
    }
    last = (await collect(await world.payloads(document, BY_PLACE)))[-1]
    assert last == {
        "incremental": [{**by_place, "errors": [by_identity]}],
        "hasNext": False,
    }
    assert "failed" in caplog.text


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ hero { id ... @defer { gone } } }", error(MASKED, "hero", "gone")),
        ("{ hero { gone id ... @defer { name } } }", error(MASKED, "hero", "gone")),
        (
            "{ hero { friends @stream(initialCount: 1) { gone } } }",
            error(MASKED, "hero", "friends", 1, "gone"),
        ),
        ("{ cancelled @stream(initialCount: 1) }", error(MASKED, "cancelled")),
    ],
)
async def test_to_be_cancelled_by_something_is_an_error_like_others(
    world: World, document: str, expected: object
) -> None:
    async with asyncio.timeout(10):
        payloads = await collect(await world.payloads(document))
    errors = [
        error
        for payload in payloads
        for part in (payload, *parts_of([payload]), *payload.get("completed", ()))
        for error in part.get("errors", ())
    ]
    assert errors[-1] == expected
    assert payloads[-1]["hasNext"] is False


@pytest.mark.parametrize("form", [BY_IDENTITY, BY_PLACE])
async def test_errors_in_any_part_are_masked_unless_they_were_meant_for_clients(
    world: World, caplog: pytest.LogCaptureFixture, form: IncrementalFormat
) -> None:
    document = "{ hero { secret ... @defer { told } ... @defer { s: secret } } }"
    initial, *payloads = await collect(await world.payloads(document, form))
    assert initial["errors"] == [error(MASKED, "hero", "secret")]
    errors = [part.get("errors") for part in parts_of(payloads)]
    assert errors == [
        [error("told on purpose", "hero", "told")],
        [error(MASKED, "hero", "s")],
    ]
    assert "the secret of the resolver" in caplog.text


async def test_items_have_the_errors_of_their_own(world: World) -> None:
    document = "{ heroes @stream { id secret } }"
    payloads = await collect(await world.payloads(document))
    errors = [each for part in parts_of(payloads) for each in part["errors"]]
    assert errors == [error(MASKED, "heroes", place, "secret") for place in range(3)]


@pytest.mark.parametrize(
    "document",
    [
        "{ hero { id } }",
        "{ hero { id ... @defer(if: false) { name } } }",
        "{ numbers @stream(if: false) }",
        "{ hero { waits: id } }",
        "{ hero { broken ... @defer { name } } }",
    ],
)
async def test_where_nothing_is_deferred_there_is_one_result(
    world: World, document: str
) -> None:
    executed = await execute_incrementally(
        world.executor(document), MASKING, BY_IDENTITY
    )
    assert isinstance(executed, ExecutionResult)


@pytest.mark.parametrize("form", [BY_IDENTITY, BY_PLACE])
def test_extensions_are_handed_on(form: IncrementalFormat) -> None:
    extensions = {"cost": 1}
    place = [PendingResult("0", ["hero"])]
    initial = InitialIncrementalExecutionResult(
        {"hero": {}}, None, place, has_next=True, extensions=extensions
    )
    part = IncrementalDeferResult({"id": "1"}, "0", extensions=extensions)
    last = SubsequentIncrementalExecutionResult(
        has_next=False,
        incremental=[part],
        completed=[CompletedResult("0")],
        extensions=extensions,
    )
    nothing_else = SubsequentIncrementalExecutionResult(
        has_next=True, extensions=extensions
    )
    write = writer(form, MASKING)
    assert write.initial(initial)["extensions"] == extensions
    assert write.subsequent(nothing_else) == {
        "hasNext": True,
        "extensions": extensions,
    }
    written = write.subsequent(last)
    assert written is not None
    assert written["extensions"] == extensions
    assert parts_of([written])[0]["extensions"] == extensions


def test_a_place_is_looked_for_in_everything_that_a_payload_brings() -> None:
    """Some of the values at a path do not have it, or have something else there."""
    write = writer(BY_PLACE, MASKING)
    fragments = [PendingResult("0", ["a"]), PendingResult("1", ["a"])]
    write.initial(
        InitialIncrementalExecutionResult({"a": {}}, None, fragments, has_next=True)
    )
    write.subsequent(
        SubsequentIncrementalExecutionResult(
            has_next=True,
            pending=[PendingResult("2", ["a", "b", "c"])],
            incremental=[
                IncrementalDeferResult({"other": 1}, "0"),
                IncrementalDeferResult({"b": None}, "0"),
                IncrementalDeferResult({"b": {"c": [1, 2]}}, "1"),
            ],
            completed=[CompletedResult("0"), CompletedResult("1")],
        )
    )
    written = write.subsequent(
        SubsequentIncrementalExecutionResult(
            has_next=False, incremental=[IncrementalStreamResult([3], "2")]
        )
    )
    assert written == {
        "incremental": [{"items": [3], "path": ["a", "b", "c", 2]}],
        "hasNext": False,
    }


async def test_an_unknown_format_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="deferSpec=20220824: 'v3'"):
        writer(cast(Any, "v3"), MASKING)


# What a client leaves behind

HELD = "{ held @stream(initialCount: 1) }"


async def test_a_source_is_closed_when_no_payload_was_asked_for(world: World) -> None:
    payloads = await world.payloads(HELD)
    await payloads.aclose()
    assert world.closed["held"] == 1
    assert [payload async for payload in payloads] == []


async def test_a_source_is_closed_when_only_the_first_payload_was_taken(
    world: World,
) -> None:
    payloads = await world.payloads(HELD)
    assert (await anext(payloads))["data"] == {"held": [0]}
    await payloads.aclose()
    assert world.closed["held"] == 1
    await payloads.aclose()


async def test_a_source_is_closed_between_two_payloads(world: World) -> None:
    payloads = await world.payloads(HELD)
    await anext(payloads)
    await anext(payloads)
    await payloads.aclose()
    assert world.closed["held"] == 1


async def test_whatever_is_waited_for_is_cancelled_with_the_reader(
    world: World,
) -> None:
    document = "{ held @stream(initialCount: 2) hero { ... @defer { waits } } }"
    payloads = await world.payloads(document)
    reading = asyncio.create_task(collect(payloads))
    async with asyncio.timeout(10):
        await world.reached.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert world.closed == {"held": 1, "waits": 1}


async def test_sources_are_closed_when_the_first_result_is_cancelled(
    world: World,
) -> None:
    executing = asyncio.create_task(
        world.payloads("{ held @stream(initialCount: 1) hero { waits } }")
    )
    async with asyncio.timeout(10):
        await world.reached.wait()
    executing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await executing
    assert world.closed == {"held": 1, "waits": 1}


async def test_the_first_result_has_its_time(world: World) -> None:
    document = "{ held @stream(initialCount: 1) hero { waits } }"
    with pytest.raises(TimeoutError):
        await world.payloads(document, query_timeout=SHORT)
    assert world.closed == {"held": 1, "waits": 1}


@pytest.mark.parametrize("form", [BY_IDENTITY, BY_PLACE])
async def test_a_payload_that_does_not_come_in_time_ends_the_result(
    world: World, form: IncrementalFormat
) -> None:
    document = "{ held @stream(initialCount: 1) hero { ... @defer { waits } } }"
    payloads = await world.payloads_in_time(document, form)
    assert (await collect(payloads))[-1] == LATE
    assert world.closed == {"held": 1, "waits": 1}


class Source:
    """An iterator that can be closed, or not."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> "Source":
        return self

    def __next__(self) -> int:
        self.taken += 1
        return self.taken


class ClosingSource(Source):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class AsyncSource(Source):
    def __aiter__(self) -> "AsyncSource":
        return self

    async def __anext__(self) -> int:
        return next(self)


async def leave_after_first(world: World, source: object) -> None:
    world.items = source
    payloads = await world.payloads("{ given @stream(initialCount: 1) }")
    await anext(payloads)
    await payloads.aclose()


async def test_iterators_are_closed_too(world: World) -> None:
    source = ClosingSource()
    await leave_after_first(world, source)
    assert source.is_closed


@pytest.mark.parametrize("kind", [Source, AsyncSource])
async def test_of_an_iterator_without_end_no_more_is_taken(
    world: World, kind: type[Source]
) -> None:
    source = kind()
    await leave_after_first(world, source)
    assert source.taken == 1


async def test_the_coroutines_of_a_list_are_closed(world: World) -> None:
    """Python would warn of those that were never awaited, which fails a test."""

    async def item() -> int:
        return 1

    await leave_after_first(world, [item(), item(), 3, item()])


async def test_a_source_that_cannot_be_closed_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def failing() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            raise ValueError("the secret of the source")

    await leave_after_first(world, failing())
    assert "the secret of the source" in caplog.text


# What streams cost the others


async def test_the_first_item_does_not_wait_for_the_others(world: World) -> None:
    world.items = range(10_000)
    async with aclosing(await world.payloads("{ given @stream }")) as payloads:
        await anext(payloads)
        first = await anext(payloads)
    assert len(first["incremental"][0]["items"]) < 10


async def test_a_source_that_never_waits_gives_way(world: World) -> None:
    others = 0

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    seen: list[int] = []

    def slow() -> Iterator[int]:
        for number in range(50):
            end = time.monotonic() + 0.002
            while time.monotonic() < end:
                pass
            seen.append(others)
            yield number

    world.items = slow()
    counting = asyncio.create_task(count())
    await collect(await world.payloads("{ given @stream }"))
    counting.cancel()
    await asyncio.wait([counting])
    assert all(before < after for before, after in itertools.pairwise(seen))


async def test_a_long_list_takes_no_more_memory_than_a_short_one(world: World) -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(5_000):
            yield number

    world.items = numbers()
    payloads = await world.payloads("{ given @stream }", BY_PLACE)
    tracemalloc.start()
    try:
        count = 0
        async with aclosing(payloads):
            async for payload in payloads:
                for part in parts_of([payload]):
                    count += len(part["items"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 5_000
    assert peak < 500_000
