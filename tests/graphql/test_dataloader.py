"""What resolvers ask for one by one is loaded together."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, Final, TypeAlias, cast

import pytest
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execution,
    parse,
)
from graphql.pyutils import AbortController
from graphql_transports import by_post

from bareasgi import Application, Info, RouteMatches, Scope
from bareasgi_graphql import add_graphql
from bareasgi_graphql.dataloader import DataLoader

DEADLINE: Final = 10


class Squares:
    """Loads squares, and knows what it was asked for."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, keys: list[int]) -> list[int]:
        self.batches.append(keys)
        return [key * key for key in keys]


class Held(Squares):
    """Loads squares when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, keys: list[int]) -> list[int]:
        self.begun.set()
        try:
            await self.go.wait()
            return await super().__call__(keys)
        finally:
            self.ended.set()


async def turn(times: int = 1) -> None:
    """Let the loop turn."""
    for _ in range(times):
        await asyncio.sleep(0)


# --- batches --------------------------------------------------------------------------


async def test_what_is_asked_for_in_one_turn_is_one_batch() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    results = await asyncio.gather(*[loader.load(key) for key in range(1000)])
    assert results == [key * key for key in range(1000)]
    assert squares.batches == [[*range(1000)]]


async def test_what_is_asked_for_after_an_answer_is_another_batch() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    assert [await loader.load(2), await loader.load(3)] == [4, 9]
    assert squares.batches == [[2], [3]]


async def test_a_batch_has_the_order_in_which_keys_were_asked_for() -> None:
    squares = Squares()
    assert await DataLoader(squares).load_many([3, 1, 2]) == [9, 1, 4]
    assert squares.batches == [[3, 1, 2]]


@pytest.mark.parametrize("cache", [True, False])
async def test_a_key_is_in_a_batch_once_however_many_ask_for_it(*, cache: bool) -> None:
    squares = Squares()
    loader = DataLoader(squares, cache=cache)
    assert await loader.load_many([2, 3, 2, 2]) == [4, 9, 4, 4]
    assert squares.batches == [[2, 3]]


async def test_a_load_may_be_a_task() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    async with asyncio.TaskGroup() as tasks:
        two = tasks.create_task(loader.load(2))
        three = tasks.create_task(loader.load(3))
    assert [two.result(), three.result()] == [4, 9]
    assert squares.batches == [[2, 3]]


async def test_keys_that_come_a_few_turns_apart_are_one_batch() -> None:
    squares = Squares()
    loader = DataLoader(squares)

    async def later(turns: int) -> int:
        await turn(turns)
        return await loader.load(turns)

    await asyncio.gather(*[later(turns) for turns in (0, 1, 2, 5, 8, 10)])
    assert squares.batches == [[0, 1, 2, 5, 8, 10]]


async def test_keys_that_never_stop_coming_are_loaded_all_the_same() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    coming: list[asyncio.Task[int]] = []
    async with asyncio.timeout(DEADLINE):
        while not squares.batches:
            coming.append(asyncio.create_task(loader.load(len(coming))))
            await turn()
    assert len(squares.batches[0]) < 40
    assert await asyncio.gather(*coming) == [key * key for key in range(len(coming))]


@pytest.mark.parametrize(
    ("size", "batches"),
    [
        (1, [[5], [1], [4], [2], [3]]),
        (2, [[5, 1], [4, 2], [3]]),
        (5, [[5, 1, 4, 2, 3]]),
        (9, [[5, 1, 4, 2, 3]]),
    ],
)
async def test_a_batch_has_at_most_so_many_keys(
    size: int, batches: list[list[int]]
) -> None:
    squares = Squares()
    loader = DataLoader(squares, max_batch_size=size)
    assert await loader.load_many([5, 1, 4, 5, 2, 3, 1]) == [25, 1, 16, 25, 4, 9, 1]
    assert squares.batches == batches


async def test_the_parts_of_a_large_batch_run_at_the_same_time() -> None:
    together = asyncio.Barrier(3)

    async def meet(keys: list[int]) -> list[int]:
        await together.wait()
        return keys

    async with asyncio.timeout(DEADLINE):
        loader = DataLoader(meet, max_batch_size=2)
        assert await loader.load_many(range(6)) == [*range(6)]


async def test_nothing_to_load_asks_for_nothing() -> None:
    squares = Squares()
    assert await DataLoader(squares).load_many([]) == []
    assert squares.batches == []


async def test_what_is_loaded_to_load_more_is_two_batches() -> None:
    squares = Squares()
    loader = DataLoader(squares)

    async def twice(key: int) -> int:
        return await loader.load(await loader.load(key))

    results = await asyncio.gather(*[twice(key) for key in range(10, 20)])
    assert results == [key**4 for key in range(10, 20)]
    assert squares.batches == [
        [*range(10, 20)],
        [key * key for key in range(10, 20)],
    ]


async def test_a_batch_may_be_loaded_by_another_loader() -> None:
    squares = Squares()
    inner = DataLoader(squares)

    async def plus_one(keys: list[int]) -> list[int]:
        return [value + 1 for value in await inner.load_many(keys)]

    assert await DataLoader(plus_one).load_many([1, 2, 3]) == [2, 5, 10]
    assert squares.batches == [[1, 2, 3]]


# --- the cache ------------------------------------------------------------------------


async def test_a_value_is_kept() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    assert await loader.load(2) == await loader.load(2) == 4
    assert await loader.load_many([2, 3]) == [4, 9]
    assert squares.batches == [[2], [3]]


async def test_no_value_is_a_value_to_keep() -> None:
    batches: list[list[str]] = []

    async def nothing(keys: list[str]) -> list[str | None]:
        batches.append(keys)
        return [None] * len(keys)

    loader = DataLoader(nothing)
    assert await loader.load("a") is None
    assert await loader.load("a") is None
    assert batches == [["a"]]


async def test_without_a_cache_each_turn_asks_again() -> None:
    squares = Squares()
    loader = DataLoader(squares, cache=False)
    loader.prime(2, 5)
    assert await loader.load(2) == await loader.load(2) == 4
    assert squares.batches == [[2], [2]]


@pytest.mark.parametrize(("cache", "batches"), [(True, [[2]]), (False, [[2], [2]])])
async def test_who_asks_for_what_is_being_loaded_joins_if_there_is_a_cache(
    batches: list[list[int]], *, cache: bool
) -> None:
    held = Held()
    loader = DataLoader(held, cache=cache)
    async with asyncio.timeout(DEADLINE):
        first = asyncio.create_task(loader.load(2))
        await held.begun.wait()
        second = asyncio.create_task(loader.load(2))
        await turn(10)
        held.go.set()
        assert [await first, await second] == [4, 4]
    assert held.batches == batches


async def test_a_value_that_was_cleared_is_loaded_again() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    await loader.load_many([2, 3])
    loader.clear(2)
    loader.clear(7)
    assert await loader.load_many([2, 3]) == [4, 9]
    assert squares.batches == [[2, 3], [2]]


async def test_all_values_that_were_cleared_are_loaded_again() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    await loader.load_many([2, 3])
    loader.clear_all()
    assert await loader.load_many([3, 2]) == [9, 4]
    assert squares.batches == [[2, 3], [3, 2]]


async def test_what_is_not_yet_loaded_need_not_be_cleared() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    asked = asyncio.create_task(loader.load(2))
    await turn()
    loader.clear(2)
    assert [await asked, await loader.load(2)] == [4, 4]
    assert squares.batches == [[2]]


@pytest.mark.parametrize("everything", [True, False])
async def test_what_is_cleared_while_it_is_loaded_is_not_kept(
    *, everything: bool
) -> None:
    held = Held()
    loader = DataLoader(held)
    async with asyncio.timeout(DEADLINE):
        before = asyncio.create_task(loader.load(2))
        await held.begun.wait()
        if everything:
            loader.clear_all()
        else:
            loader.clear(2)
        after = asyncio.create_task(loader.load(2))
        await turn(10)
        held.go.set()
        assert [await before, await after] == [4, 4]
        assert await loader.load(2) == 4
    assert held.batches == [[2], [2]]


async def test_a_value_from_elsewhere_is_kept_unless_there_is_one() -> None:
    squares = Squares()
    loader = DataLoader(squares)
    loader.prime(2, 5)
    loader.prime(2, 6)
    asked = asyncio.create_task(loader.load(3))
    await turn()
    loader.prime(3, 7)
    assert [await asked, *await loader.load_many([2, 3])] == [9, 5, 9]
    loader.clear(2)
    loader.prime(2, 6)
    assert await loader.load(2) == 6
    assert squares.batches == [[3]]


# --- errors ---------------------------------------------------------------------------


async def picky(keys: list[int]) -> Sequence[int | Exception]:
    """Load what is even."""
    return [KeyError(key) if key % 2 else key for key in keys]


async def test_an_error_is_that_of_its_key() -> None:
    loader = DataLoader(picky)
    results = await asyncio.gather(
        *[loader.load(key) for key in (1, 2, 1, 3, 4)], return_exceptions=True
    )
    assert [repr(result) for result in results] == [
        "KeyError(1)",
        "2",
        "KeyError(1)",
        "KeyError(3)",
        "4",
    ]


async def test_many_keys_fail_with_the_first_error() -> None:
    with pytest.raises(KeyError, match="3"):
        await DataLoader(picky).load_many([2, 3, 4, 5])


async def test_an_error_is_not_kept() -> None:
    batches: list[list[int]] = []

    async def second_time(keys: list[int]) -> Sequence[int | Exception]:
        batches.append(keys)
        return keys if len(batches) > 1 else [LookupError("not yet") for _ in keys]

    loader = DataLoader(second_time)
    with pytest.raises(LookupError, match="not yet"):
        await loader.load(1)
    assert await loader.load(1) == 1
    assert batches == [[1], [1]]


async def test_an_error_is_raised_as_it_was_to_each_who_waits() -> None:
    error = LookupError("down")

    async def fail(keys: list[int]) -> list[int]:
        raise error

    def depth() -> int:
        frame, count = error.__traceback__, 0
        while frame is not None:
            frame, count = frame.tb_next, count + 1
        return count

    loader = DataLoader(fail)
    depths: set[int] = set()
    waiting = [asyncio.create_task(loader.load(key)) for key in range(50)]
    for each in waiting:
        with pytest.raises(LookupError) as caught:
            await each
        assert caught.value is error
        depths.add(depth())
    assert len(depths) == 1


async def test_the_error_of_a_batch_is_not_that_of_another() -> None:
    async def fail(keys: list[int]) -> list[int]:
        if 3 in keys:
            raise LookupError("three")
        return keys

    loader = DataLoader(fail, max_batch_size=2)
    results = await asyncio.gather(
        *[loader.load(key) for key in range(5)], return_exceptions=True
    )
    assert [repr(result) for result in results] == [
        "0",
        "1",
        "LookupError('three')",
        "LookupError('three')",
        "4",
    ]


async def test_an_error_that_nobody_waits_for_is_not_reported() -> None:
    """What asyncio has to say of a lost error fails a test here."""
    reports: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, report: reports.append(report))
    loader = DataLoader(picky)
    given_up = asyncio.create_task(loader.load(1))
    await turn()
    given_up.cancel()
    with pytest.raises(KeyError):
        await loader.load(3)
    with pytest.raises(asyncio.CancelledError):
        await given_up
    gc.collect()
    assert reports == []


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([1], ValueError, "gave 1 values for 2 keys: it must give one for each key"),
        ([1, 2, 3], ValueError, "gave 3 values for 2 keys"),
        ([], ValueError, "gave 0 values for 2 keys"),
        ({1: 1, 2: 2}, TypeError, "must give a list of values, not dict"),
        (None, TypeError, "must give a list of values, not NoneType"),
    ],
    ids=["too few", "too many", "none", "mapping", "nothing"],
)
async def test_one_value_must_be_given_for_each_key(
    values: Any, kind: type[Exception], message: str
) -> None:
    async def wrong(keys: list[int]) -> list[int]:
        return cast(list[int], values)

    loader = DataLoader(wrong)
    results = await asyncio.gather(
        loader.load(1), loader.load(2), return_exceptions=True
    )
    for result in results:
        assert isinstance(result, kind)
        assert message in str(result)


async def test_a_function_that_is_not_async_is_an_error_to_those_who_wait() -> None:
    def synchronous(keys: list[int]) -> Any:
        return keys

    with pytest.raises(TypeError, match="await"):
        await DataLoader(synchronous).load(1)


@pytest.mark.parametrize(
    ("size", "kind"), [(0, ValueError), (-1, ValueError), (True, TypeError)]
)
def test_a_size_that_is_no_positive_int_is_refused(
    size: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=f"max_batch_size must be .*, or None: {size}"):
        DataLoader(Squares(), max_batch_size=size)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="batch_load must be an async function"):
        DataLoader(cast(Any, [1]))


async def test_a_key_that_cannot_be_kept_is_refused() -> None:
    loader = DataLoader(Squares())
    with pytest.raises(TypeError, match="unhashable"):
        await loader.load(cast(Any, []))


# --- loops, contexts and cancellation -------------------------------------------------


def test_a_loader_belongs_to_the_loop_that_first_uses_it() -> None:
    squares = Squares()
    loader = DataLoader(squares)

    async def load() -> int:
        return await loader.load(2)

    assert asyncio.run(load()) == 4
    with pytest.raises(RuntimeError, match="make one for each operation"):
        asyncio.run(load())


def test_a_loader_needs_a_loop_to_load() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        DataLoader(Squares()).load(1).send(None)


async def test_a_batch_runs_in_the_context_of_who_asked_first() -> None:
    user: ContextVar[str] = ContextVar("user")

    async def users(keys: list[int]) -> list[str]:
        name = user.get()
        user.set("changed")
        return [name] * len(keys)

    loader = DataLoader(users)

    async def load(name: str, key: int) -> str:
        user.set(name)
        value = await loader.load(key)
        assert user.get() == name
        return value

    results = await asyncio.gather(*[load(f"user {key}", key) for key in range(3)])
    assert results == ["user 0"] * 3


async def test_who_gives_up_does_not_take_the_others_along() -> None:
    held = Held()
    loader = DataLoader(held)
    async with asyncio.timeout(DEADLINE):
        tasks = [asyncio.create_task(loader.load(key)) for key in (2, 2, 3)]
        await held.begun.wait()
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        held.go.set()
        assert [await tasks[1], await tasks[2]] == [4, 9]
    assert tasks[0].cancelled()
    assert held.batches == [[2, 3]]


async def test_a_batch_that_nobody_waits_for_is_cancelled() -> None:
    held = Held()
    loader = DataLoader(held)
    async with asyncio.timeout(DEADLINE):
        tasks = [asyncio.create_task(loader.load(key)) for key in (2, 3)]
        await held.begun.wait()
        loader.clear(3)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # Before the first call has ended, which will not answer any more.
        again = asyncio.create_task(loader.load(2))
        await held.ended.wait()
        held.go.set()
        assert await again == 4
    assert held.batches == [[2]]
    await turn(3)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_everybody_gave_up_is_not_asked_for() -> None:
    squares = Squares()
    loader = DataLoader(squares, max_batch_size=2)
    tasks = [asyncio.create_task(loader.load(key)) for key in (1, 2, 3, 4)]
    await turn()
    for task in tasks[:3]:
        task.cancel()
    assert await tasks[3] == 16
    assert squares.batches == [[3, 4]]
    assert await loader.load(1) == 1


async def test_a_call_that_is_cancelled_is_an_error_and_no_cancellation() -> None:
    async def cancelled(keys: list[int]) -> list[int]:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="batch_load was cancelled"):
        await DataLoader(cancelled).load(1)


# --- in a schema ----------------------------------------------------------------------

SCHEMA: Final = """
    type Query { books(first: Int = 1000): [Book!]! }
    type Book { id: Int! author: Author shelf: Shelf! remote: Shelf! }
    type Shelf { author: Author shelf: Shelf! remote: Shelf! }
    type Author { id: Int! name: String! country: Country }
    type Country { name: String! }
"""

Resolve: TypeAlias = Callable[..., Any]

# Its own type is not complete.
execute: Final[Callable[..., Awaitable[ExecutionResult]]] = cast(Any, execution).execute


class Library:
    """Books by authors from countries, and how often each is asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.authors = DataLoader(self.load_authors)
        self.countries = DataLoader(self.load_countries)

    async def load_authors(self, keys: list[int]) -> list[dict[str, Any]]:
        self.calls.append(f"{len(keys)} authors")
        await turn(20)
        return [{"id": key, "name": f"Author {key}"} for key in keys]

    async def load_countries(self, keys: list[int]) -> list[dict[str, Any]]:
        self.calls.append(f"{len(keys)} countries")
        return [{"name": f"Country {key}"} for key in keys]

    def author(self, book: dict[str, int], info: Any) -> Awaitable[dict[str, Any]]:
        return self.authors.load(book["id"])

    def country(self, author: dict[str, int], info: Any) -> Awaitable[dict[str, Any]]:
        return self.countries.load(author["id"] % 7)


def awaited(resolve: Resolve) -> Resolve:
    """Make a resolver async."""

    async def resolver(source: Any, info: Any) -> Any:
        value: object = resolve(source, info)
        return await cast(Any, value) if isawaitable(value) else value

    return resolver


def sometimes_awaited(resolve: Resolve) -> Resolve:
    """Make a resolver that gives every other object an awaitable."""

    def resolver(source: Any, info: Any) -> Any:
        chosen = awaited(resolve) if source["id"] % 2 else resolve
        return chosen(source, info)

    return resolver


def books(root: object, info: object, first: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(first)]


async def books_later(root: object, info: object, first: int) -> list[dict[str, int]]:
    return books(root, info, first)


async def books_one_by_one(
    root: object, info: object, first: int
) -> AsyncGenerator[dict[str, int], None]:
    for book in books(root, info, first):
        yield book


def books_of_both_kinds(root: object, info: object, first: int) -> list[Any]:
    async def later(book: dict[str, int]) -> dict[str, int]:
        return book

    some = books(root, info, first)
    return [later(book) if book["id"] % 2 else book for book in some]


def the_same(source: Any, info: Any) -> Any:
    return source


def schema_of(
    library: Library, parents: Resolve, kind: Callable[[Resolve], Resolve]
) -> GraphQLSchema:
    schema = build_schema(SCHEMA)
    types: Any = schema.type_map
    types["Query"].fields["books"].resolve = parents
    for name in ("Book", "Shelf"):
        types[name].fields["author"].resolve = kind(library.author)
        types[name].fields["shelf"].resolve = the_same
        types[name].fields["remote"].resolve = awaited(the_same)
    types["Author"].fields["country"].resolve = kind(library.country)
    return schema


def as_it_is(resolve: Resolve) -> Resolve:
    return resolve


each_kind_of_parents = pytest.mark.parametrize(
    "parents",
    [books, books_later, books_one_by_one, books_of_both_kinds],
    ids=["sync", "async", "generator", "mixed"],
)
each_kind_of_resolver = pytest.mark.parametrize(
    "kind",
    [as_it_is, awaited, sometimes_awaited],
    ids=["future", "coroutine", "mixed"],
)


@pytest.mark.parametrize("watching", [False, True], ids=["", "abort signal"])
@each_kind_of_parents
@each_kind_of_resolver
async def test_a_query_of_1000_items_makes_two_calls(
    parents: Resolve, kind: Callable[[Resolve], Resolve], *, watching: bool
) -> None:
    library = Library()
    schema = schema_of(library, parents, kind)
    signal = AbortController().signal if watching else None
    query = parse("{ books { author { name country { name } } } }")
    result = await execute(schema, query, abort_signal=signal)
    assert result.errors is None
    assert library.calls == ["1000 authors", "7 countries"]
    assert cast(Any, result.data)["books"][999] == {
        "author": {"name": "Author 999", "country": {"name": "Country 5"}}
    }


NESTED: Final = """{
    books(first: 100) {
        author { country { name } }
        shelf {
            author { country { name } }
            remote { author { country { name } } id: author { id } }
        }
        remote {
            author { country { name } }
            remote { author { country { name } } remote { author { id } } }
        }
    }
}"""


@pytest.mark.parametrize("watching", [False, True], ids=["", "abort signal"])
@each_kind_of_parents
async def test_what_is_at_different_depths_is_still_one_batch(
    parents: Resolve, *, watching: bool
) -> None:
    library = Library()
    schema = schema_of(library, parents, awaited)
    signal = AbortController().signal if watching else None
    result = await execute(schema, parse(NESTED), abort_signal=signal)
    assert result.errors is None
    assert library.calls == ["100 authors", "7 countries"]


async def test_a_loader_is_made_with_the_context_of_each_operation() -> None:
    libraries: list[Library] = []

    def context(scope: Scope, info: Info, matches: RouteMatches) -> Library:
        libraries.append(Library())
        return libraries[-1]

    def author(book: Any, info: Any) -> Any:
        return info.context.author(book, info)

    schema = build_schema(SCHEMA)
    types: Any = schema.type_map
    types["Query"].fields["books"].resolve = books
    types["Book"].fields["author"].resolve = author
    app = Application()
    add_graphql(app, schema, context=context)
    for _ in range(2):
        answer = await by_post(app, {"query": "{ books { author { name } } }"})
        assert answer.result["data"]["books"][7] == {"author": {"name": "Author 7"}}
    assert [library.calls for library in libraries] == [["1000 authors"]] * 2


@pytest.mark.parametrize("kind", [as_it_is, awaited], ids=["future", "coroutine"])
async def test_clients_are_told_the_errors_that_are_meant_for_them(
    kind: Callable[[Resolve], Resolve], caplog: pytest.LogCaptureFixture
) -> None:
    async def load(keys: list[int]) -> Sequence[str | Exception]:
        return [
            GraphQLError("no such author") if key else ValueError("secret")
            for key in keys
        ]

    def context(scope: Scope, info: Info, matches: RouteMatches) -> Any:
        return DataLoader(load)

    def author(book: Any, info: Any) -> Any:
        return info.context.load(book["id"])

    schema = build_schema(SCHEMA)
    types: Any = schema.type_map
    types["Query"].fields["books"].resolve = books
    types["Book"].fields["author"].resolve = kind(author)
    app = Application()
    add_graphql(app, schema, context=context)
    query = "{ books(first: 2) { author { name } } }"
    answer = await by_post(app, {"query": query})
    errors = answer.result["errors"]
    assert sorted(error["message"] for error in errors) == [
        "Internal Server Error",
        "no such author",
    ]
    assert "secret" in caplog.text
