"""What hooks are told of an operation, whichever way it comes and however it ends."""

import asyncio
import gc
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    print_ast,
)
from graphql_transports import (
    JSON,
    PATH,
    RESULT,
    TRANSPORTS,
    Ask,
    ask_stream,
    connected,
    get,
    next_message,
    post,
    single_stream,
    starting,
)

from bareasgi import Application, HttpError, Info, RouteMatches, Scope
from bareasgi.testing import http_request, http_stream
from bareasgi_graphql import GraphQLRequest, Hook, Limits, add_graphql, graphql_handler
from bareasgi_graphql.errors import RequestError

DEADLINE = 10.0
SHORT = 0.05  # seconds: a limit that is meant to pass
EVENTS = (b"accept", b"text/event-stream")
PARTS = (b"accept", b'multipart/mixed;incrementalSpec="v0.2"')
OLDER_PARTS = (b"accept", b"multipart/mixed; deferSpec=20220824")
SENT = ["started", "parsed", "validated"]
WHOLE = [*SENT, "executed", "ended"]
KNOWN = ["started", "validated", "executed", "ended"]

SDL = """
directive @defer(label: String, if: Boolean! = true)
  on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(label: String, if: Boolean! = true, initialCount: Int = 0) on FIELD

type Query {
  one: Int
  later: Hero
  secret: Int
  same(number: Int!): Int
  waits: Int
  gone: Int
}
type Hero { name: String, secret: Int, waits: Int }
type Mutation { change: Int }
type Subscription { count(to: Int!): Int  secrets: Int  held: Int  broken: Int }
"""


class World:
    """What the resolvers do."""

    def __init__(self) -> None:
        self.is_waiting = asyncio.Event()

    def schema(self) -> GraphQLSchema:
        schema = build_schema(SDL)
        types: Mapping[str, Any] = schema.type_map
        for name, field in types["Query"].fields.items():
            field.resolve = getattr(self, name)
        for name in ("secret", "waits"):
            types["Hero"].fields[name].resolve = getattr(self, name)
        types["Mutation"].fields["change"].resolve = self.one
        for name, field in types["Subscription"].fields.items():
            field.subscribe = getattr(self, name)
        types["Subscription"].fields["secrets"].resolve = self.secret
        return schema

    def one(self, *_: object) -> int:
        return 1

    def same(self, *_: object, number: int) -> int:
        return number

    async def later(self, *_: object) -> dict[str, str]:
        await asyncio.sleep(0)
        return {"name": "Ada"}

    def secret(self, *_: object) -> int:
        raise ValueError("hunter2")

    async def waits(self, *_: object) -> int:
        self.is_waiting.set()
        await asyncio.Event().wait()
        return 1

    async def gone(self, *_: object) -> int:
        raise asyncio.CancelledError

    async def count(self, *_: object, to: int) -> AsyncGenerator[dict[str, int]]:
        for number in range(to):
            yield {"count": number}

    async def secrets(self, *_: object) -> AsyncGenerator[dict[str, int]]:
        yield {"secrets": 1}

    async def held(self, *_: object) -> AsyncGenerator[dict[str, int]]:
        yield {"held": 1}
        self.is_waiting.set()
        await asyncio.Event().wait()

    async def broken(self, *_: object) -> AsyncGenerator[dict[str, int]]:
        yield {"broken": 1}
        raise ValueError("hunter2")


class Life(Hook):
    """Notes what it is told of one operation."""

    def __init__(self, told: Callable[[str], None] = lambda _: None) -> None:
        self.steps: list[str] = []
        self.scope: Scope = {}
        self.info: Info = {}
        self.request = GraphQLRequest(None)
        self.document = ""
        self.operation: tuple[str | None, str] | None = None
        self.errors: list[GraphQLError] = []
        self.error: BaseException | None = None
        self.is_over = asyncio.Event()
        self._told = told

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self._told(name)

    def started(self, scope: Scope, info: Info, request: GraphQLRequest) -> None:
        self.scope, self.info, self.request = scope, info, request
        self._step("started")

    def parsed(self, document: DocumentNode) -> None:
        self.document = print_ast(document)
        self._step("parsed")

    def validated(self, name: str | None, kind: str) -> None:
        self.operation = name, kind
        self._step("validated")

    def executed(self, errors: Sequence[GraphQLError]) -> None:
        self.errors += errors
        self._step("executed")

    def ended(self, error: BaseException | None) -> None:
        self.error = error
        self.is_over.set()
        self._step("ended")


class Lives:
    """Makes hooks, and keeps them."""

    def __init__(self) -> None:
        self.all: list[Life] = []

    def __call__(self) -> Hook:
        self.all.append(Life())
        return self.all[-1]

    @property
    def only(self) -> Life:
        (life,) = self.all
        return life

    async def stopped(self) -> Life:
        """The only one, when it was ended, and by no error."""
        async with asyncio.timeout(DEADLINE):
            await self.only.is_over.wait()
        assert isinstance(self.only.error, asyncio.CancelledError | GeneratorExit)
        return self.only


def make(world: World | None = None, **options: Any) -> tuple[Application, Lives]:
    """Make an application whose operations are kept."""
    lives = Lives()
    app = Application()
    schema = (world or World()).schema()
    add_graphql(app, schema, hooks=[lives], **options)
    return app, lives


async def ask(app: Application, query: str, **more: object) -> Any:
    return (await post(app, {"query": query, **more})).json()


# What every operation goes through


async def test_an_operation_is_started_parsed_validated_executed_and_ended() -> None:
    app, lives = make()
    assert await ask(app, "query A($n: Int!) { same(number: $n) }", variables={"n": 1})
    life = lives.only
    assert life.steps == WHOLE
    assert life.scope["path"] == PATH
    assert life.info is app.info
    assert life.request.variables == {"n": 1}
    assert life.document.startswith("query A(")
    assert life.operation == ("A", "query")
    assert (life.errors, life.error) == ([], None)


async def test_a_document_that_is_known_is_not_parsed_again() -> None:
    app, lives = make()
    for _ in range(2):
        assert await ask(app, "{ one }") == {"data": {"one": 1}}
    assert [life.steps for life in lives.all] == [WHOLE, KNOWN]
    assert [life.operation for life in lives.all] == [(None, "query")] * 2


async def test_a_trusted_document_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "one.graphql").write_text("query One { one }", "utf-8")
    app, lives = make(documents=tmp_path)
    identity = sha256(b"query One { one }").hexdigest()
    assert (await post(app, {"documentId": identity})).status == 200
    assert lives.only.steps == KNOWN
    assert lives.only.request.document_id == identity
    assert lives.only.operation == ("One", "query")


async def test_the_operation_is_the_one_that_was_asked_for() -> None:
    app, lives = make()
    query = "query A { one } mutation B { change }"
    assert await ask(app, query, operationName="B") == {"data": {"change": 1}}
    assert lives.only.operation == ("B", "mutation")


@pytest.mark.parametrize("ask_by", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_an_operation_has_a_hook_whichever_way_it_comes(ask_by: Ask) -> None:
    app, lives = make()
    answer = await ask_by(app, {"query": "{ one }"})
    assert answer.result == {"data": {"one": 1}}
    assert lives.only.steps == WHOLE
    assert lives.only.error is None


async def test_each_operation_of_a_batch_has_a_hook() -> None:
    app, lives = make(batch=3)
    queries = ["{ one }", "subscription { held }", "{ one", "mutation { change }"]
    await post(app, [{"query": query} for query in queries[:3]])
    await post(app, [{"query": queries[3]}])
    assert [life.steps for life in lives.all] == [
        WHOLE,
        [*SENT, "ended"],
        ["started", "ended"],
        WHOLE,
    ]
    errors = [str(life.error) for life in lives.all]
    assert errors[1] == "A batch cannot have subscriptions"
    assert "Syntax Error" in errors[2]


async def test_several_hooks_are_told_one_after_the_other() -> None:
    told: list[str] = []
    app = Application()
    hooks = [
        partial(Life, lambda step: told.append(f"first {step}")),
        partial(Life, lambda step: told.append(f"second {step}")),
    ]
    add_graphql(app, World().schema(), hooks=hooks)
    hooks.clear()  # they are those that there were when they were given
    await ask(app, "{ one }")
    assert told == [
        f"{which} {step}" for step in WHOLE for which in ("first", "second")
    ]


async def test_a_hook_overrides_what_it_needs() -> None:
    ended: list[BaseException | None] = []

    class Ending(Hook):
        def ended(self, error: BaseException | None) -> None:
            ended.append(error)

    class Nothing(Hook):
        pass

    app = Application()
    add_graphql(app, World().schema(), hooks=(Nothing, Ending))
    assert await ask(app, "{ one }") == {"data": {"one": 1}}
    assert ended == [None]


async def test_what_has_no_operation_has_no_hook() -> None:
    app, lives = make()
    content = b'{"query": '
    answer = await http_request(app, "POST", PATH, headers=[JSON], content=content)
    assert answer.status == 400
    assert (await post(app, {"query": 1})).status == 400
    assert (await http_request(app, "GET", f"{PATH}?sdl")).status == 200
    assert lives.all == []


# What went wrong


async def test_errors_of_fields_are_told_before_they_are_masked() -> None:
    app, lives = make()
    answer = await ask(app, "{ one secret }")
    assert answer["errors"][0]["message"] == "Internal Server Error"
    (error,) = lives.only.errors
    assert repr(error.original_error) == "ValueError('hunter2')"
    assert lives.only.steps == WHOLE
    assert lives.only.error is None


@pytest.mark.parametrize(
    ("request_", "steps", "message"),
    [
        ({"query": "{ one"}, ["started"], "Syntax Error"),
        ({"query": "{ two }"}, ["started", "parsed"], "Cannot query field 'two'"),
        ({"query": "{ a: one b: one }"}, ["started"], "more than 1 alias"),
        (
            {"query": "{ one }", "operationName": "A"},
            ["started", "parsed"],
            "no operation named 'A'",
        ),
        (
            {"query": "query ($n: Int!) { same(number: $n) }"},
            SENT,
            "Variable '$n' has invalid value",
        ),
        ({"query": "subscription { held }"}, SENT, "needs accept: text/event-stream"),
        ({"documentId": "1"}, ["started"], ""),
    ],
    ids=["syntax", "invalid", "limit", "no operation", "variables", "type", "unknown"],
)
async def test_a_refused_operation_ends_with_its_error(
    request_: dict[str, object], steps: list[str], message: str
) -> None:
    app, lives = make(limits=Limits(aliases=1))
    answer = await post(app, request_)
    assert answer.status in (400, 406)
    life = lives.only
    assert life.steps == [*steps, "ended"]
    assert isinstance(life.error, RequestError)
    assert message in str(life.error)
    assert life.error.errors[0].message == answer.json()["errors"][0]["message"]


async def test_a_mutation_by_get_ends_with_its_error() -> None:
    app, lives = make()
    assert (await get(app, {"query": "mutation { change }"})).status == 405
    assert lives.only.steps == [*SENT, "ended"]
    assert isinstance(lives.only.error, RequestError)
    assert lives.only.error.status == 405


async def test_a_stream_for_a_foreign_page_ends_with_its_error() -> None:
    app, lives = make()
    headers = [EVENTS, (b"origin", b"https://evil.example")]
    path = f"{PATH}?query=subscription{{held}}"
    assert (await http_request(app, "GET", path, headers=headers)).status == 403
    assert str(lives.only.error) == "The origin is not allowed"


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (HttpError(401, "Who are you?"), 401, HttpError),
        (GraphQLError("Who are you?"), 400, RequestError),
        (ValueError("hunter2"), 500, ValueError),
    ],
)
async def test_what_the_context_raises_is_the_error(
    error: Exception, status: int, kind: type[Exception]
) -> None:
    def context(scope: Scope, info: Info, matches: RouteMatches) -> None:
        raise error

    app, lives = make(context=context)
    assert (await post(app, {"query": "{ one }"})).status == status
    assert lives.only.steps == [*SENT, "ended"]
    assert isinstance(lives.only.error, kind)


@pytest.mark.parametrize("accept", [RESULT, PARTS])
async def test_an_operation_that_takes_too_long_ends_with_an_error(
    accept: tuple[bytes, bytes],
) -> None:
    app, lives = make(limits=Limits(query_timeout=SHORT))
    assert (await post(app, {"query": "{ waits }"}, accept)).status == 400
    assert lives.only.steps == [*SENT, "ended"]
    assert "took over 0.05 seconds" in str(lives.only.error)


async def test_what_is_cancelled_below_is_an_error() -> None:
    app, lives = make()
    await post(app, {"query": "{ gone }"})
    assert isinstance(lives.only.error, RequestError)


async def test_a_client_that_leaves_stops_its_query() -> None:
    world = World()
    app, lives = make(world)
    request = b'{"query": "{ waits }"}'
    async with http_stream(app, "POST", PATH, headers=[JSON], content=[request]) as it:
        await world.is_waiting.wait()
        it.cancel()
        life = await lives.stopped()
    assert life.steps == [*SENT, "ended"]


# Subscriptions


@pytest.mark.parametrize(
    ("query", "executed", "message"),
    [
        ("subscription { count(to: 3) }", 3, "None"),
        ("subscription { count(to: 0) }", 0, "None"),
        ("subscription { secrets }", 1, "None"),
        ("subscription { broken }", 1, "hunter2"),
        ("subscription ($to: Int!) { count(to: $to) }", 0, "invalid value"),
    ],
)
async def test_a_subscription_is_executed_for_each_event_and_ends_once(
    query: str, executed: int, message: str
) -> None:
    app, lives = make()
    await post(app, {"query": query}, EVENTS)
    life = lives.only
    assert life.steps == [*SENT, *["executed"] * executed, "ended"]
    assert message in str(life.error)
    assert isinstance(life.error, RequestError | None)
    assert life.operation == (None, "subscription")
    assert [str(each.original_error) for each in life.errors] == ["hunter2"] * (
        "secrets" in query
    )


async def test_a_subscription_that_has_no_source_ends_with_its_error() -> None:
    def refuse(*_: object) -> AsyncIterator[object]:
        raise GraphQLError("sold out")

    schema = build_schema("type Query { one: Int } type Subscription { count: Int }")
    assert schema.subscription_type is not None
    schema.subscription_type.fields["count"].subscribe = refuse
    lives = Lives()
    app = Application()
    add_graphql(app, schema, hooks=[lives])
    await post(app, {"query": "subscription { count }"}, EVENTS)
    assert lives.only.steps == [*SENT, "ended"]
    assert str(lives.only.error) == "sold out"


async def test_a_client_that_leaves_an_event_stream_stops_its_subscription() -> None:
    world = World()
    app, lives = make(world)
    path = f"{PATH}?query=subscription{{held}}"
    async with http_stream(app, "GET", path, headers=[EVENTS], buffer=None) as stream:
        await world.is_waiting.wait()
        stream.leave()
        life = await lives.stopped()
    assert life.steps == [*SENT, "executed", "ended"]


async def test_a_client_that_completes_stops_its_subscription() -> None:
    world = World()
    app, lives = make(world)
    async with connected(app) as socket:
        await socket.send(starting("1", {"query": "subscription { held }"}))
        assert (await next_message(socket))["type"] == "next"
        await world.is_waiting.wait()
        await socket.send('{"type": "complete", "id": "1"}')
        life = await lives.stopped()
    assert life.steps == [*SENT, "executed", "ended"]
    assert life.scope["type"] == "websocket"
    assert life.scope["connection_params"] == {}


async def test_a_client_that_leaves_a_socket_stops_its_subscription() -> None:
    world = World()
    app, lives = make(world)
    async with connected(app) as socket:
        await socket.send(starting("1", {"query": "subscription { held }"}))
        await world.is_waiting.wait()
        socket.leave()
        await lives.stopped()


async def test_who_stops_between_events_ends_the_operation() -> None:
    lives = Lives()
    engine = graphql_handler(World().schema(), hooks=[lives]).engine
    request = GraphQLRequest("subscription { count(to: 3) }")
    operation = engine.operation(request, {}, {})
    async with aclosing(engine.results(operation, {}, {}, {})) as results:
        assert await anext(results) == {"data": {"count": 0}}
    life = await lives.stopped()
    assert life.steps == [*SENT, "executed", "ended"]


async def test_an_operation_too_many_for_a_stream_ends_with_its_error() -> None:
    world = World()
    app, lives = make(world, limits=Limits(subscriptions=1))
    async with single_stream(app) as (token, _):
        query = {"query": "subscription { held }"}
        assert (await ask_stream(app, token, "1", query)).status == 202
        assert (await ask_stream(app, token, "2", query)).status == 400
        first, second = lives.all
        assert second.steps == ["started", "validated", "ended"]
        assert str(second.error) == "Too many operations are live"
        assert first.error is None
    await first.is_over.wait()


async def test_a_mutation_for_a_stream_by_get_ends_with_its_error() -> None:
    app, lives = make()
    async with single_stream(app) as (token, _):
        query = 'query=mutation{change}&extensions={"operationId":"1"}'
        path = f"{PATH}?token={token}&{query}"
        assert (await http_request(app, "GET", path, headers=[RESULT])).status == 405
        assert lives.only.steps == [*SENT, "ended"]


async def test_an_operation_whose_response_is_never_sent_ends_all_the_same() -> None:
    lives = Lives()
    graphql = graphql_handler(World().schema(), hooks=[lives])
    scope = {
        "type": "http",
        "method": "GET",
        "path": PATH,
        "query_string": b"query=subscription{held}",
        "headers": [EVENTS],
    }

    async def nothing() -> AsyncGenerator[bytes]:
        return
        yield b""

    response = await graphql(scope, {}, {}, nothing())
    assert lives.only.steps == SENT
    del response
    gc.collect()
    life = await lives.stopped()
    assert life.steps == [*SENT, "ended"]


# Answers in parts


@pytest.mark.parametrize("accept", [PARTS, OLDER_PARTS, EVENTS])
async def test_an_answer_in_parts_is_executed_for_each_and_ends_once(
    accept: tuple[bytes, bytes],
) -> None:
    app, lives = make()
    query = "{ one ... @defer { later { name secret } } }"
    answer = await post(app, {"query": query}, accept)
    assert "Ada" in answer.text
    life = lives.only
    assert life.steps == [*SENT, "executed", "executed", "ended"]
    assert life.error is None
    (error,) = life.errors
    assert str(error.original_error) == "hunter2"


@pytest.mark.parametrize("accept", [PARTS, OLDER_PARTS])
async def test_an_answer_that_has_no_parts_is_executed_once(
    accept: tuple[bytes, bytes],
) -> None:
    app, lives = make()
    answer = await post(app, {"query": "{ one }"}, accept)
    assert '"one": 1' in answer.text
    assert lives.only.steps == WHOLE


async def test_a_part_that_takes_too_long_ends_the_operation_with_an_error() -> None:
    app, lives = make(limits=Limits(query_timeout=SHORT))
    await post(app, {"query": "{ one ... @defer { waits } }"}, PARTS)
    assert lives.only.steps == [*SENT, "executed", "ended"]
    assert "took over 0.05 seconds" in str(lives.only.error)


async def test_a_client_that_leaves_between_parts_stops_the_operation() -> None:
    world = World()
    app, lives = make(world)
    request = b'{"query": "{ one ... @defer { waits } }"}'
    headers = [JSON, PARTS]
    async with http_stream(
        app, "POST", PATH, headers=headers, content=[request], buffer=None
    ) as stream:
        await world.is_waiting.wait()
        stream.leave()
        life = await lives.stopped()
    assert life.steps == [*SENT, "executed", "ended"]


async def test_parts_that_are_never_asked_for_end_when_they_are_closed() -> None:
    lives = Lives()
    engine = graphql_handler(World().schema(), hooks=[lives]).engine
    request = GraphQLRequest("{ one ... @defer { waits } }")
    operation = engine.operation(request, {}, {})
    payloads = await engine.result_or_payloads(
        operation, {}, {}, {}, "incrementalSpec=v0.2"
    )
    assert not isinstance(payloads, dict)
    assert lives.only.steps == SENT
    await payloads.aclose()
    life = await lives.stopped()
    assert life.steps == [*SENT, "ended"]


# Hooks that fail, and what is none


class Broken(Hook):
    """Fails whatever it is told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def started(self, scope: Scope, info: Info, request: GraphQLRequest) -> None:
        raise self.error

    def parsed(self, document: DocumentNode) -> None:
        raise self.error

    def validated(self, name: str | None, kind: str) -> None:
        raise self.error

    def executed(self, errors: Sequence[GraphQLError]) -> None:
        raise self.error

    def ended(self, error: BaseException | None) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError("oops"), asyncio.CancelledError()], ids=repr
)
@pytest.mark.parametrize("query", ["{ one }", "{ two }", "{ later { name secret } }"])
async def test_a_hook_that_fails_is_logged_and_changes_nothing(
    query: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    plain = Application()
    add_graphql(plain, World().schema())
    lives = Lives()
    app = Application()
    add_graphql(app, World().schema(), hooks=[partial(Broken, error), lives])
    expected = await post(plain, {"query": query})
    caplog.clear()
    answer = await post(app, {"query": query})
    assert (answer.status, answer.body) == (expected.status, expected.body)
    records = [each for each in caplog.records if each.name == "bareasgi_graphql.hooks"]
    assert len(records) == len(lives.only.steps)
    assert {each.getMessage() for each in records} == {"the hook Broken failed"}
    assert all(each.exc_info and each.exc_info[1] is error for each in records)


@pytest.mark.parametrize("error", [ValueError("oops"), asyncio.CancelledError()])
async def test_a_hook_that_cannot_be_made_is_logged_and_changes_nothing(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Hook:
        raise error

    lives = Lives()
    app = Application()
    add_graphql(app, World().schema(), hooks=[fail, lives])
    with caplog.at_level(logging.ERROR):
        assert await ask(app, "{ one }") == {"data": {"one": 1}}
    assert "no hook was made by <function" in caplog.text
    assert lives.only.steps == WHOLE


async def _waiting() -> Hook:
    return Life()


class _Async(Hook):
    async def ended(self, error: BaseException | None) -> None:  # type: ignore[override]
        """Nobody waits for this."""


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        (Life, r"hooks must be a list of them: write hooks=\[Life\]"),
        (Life(), r"hooks must be a list of them: write hooks=\[<.*Life object"),
        ([Life()], "give a class of hooks, or a function that makes one, not <.*Life"),
        ([None], "give a class of hooks, or a function that makes one, not None"),
        ([Life, _waiting], "nobody would wait for an async hook: _waiting"),
        ([_Async], "nobody would wait for an async hook: _Async"),
    ],
)
def test_what_makes_no_hooks_is_refused_at_once(hooks: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        add_graphql(Application(), World().schema(), hooks=hooks)


def test_no_hooks_are_no_work() -> None:
    engine = graphql_handler(World().schema()).engine
    operation = engine.operation(GraphQLRequest("{ one }"), {}, {})
    other = engine.operation(GraphQLRequest("mutation { change }"), {}, {})
    assert operation.hooks is other.hooks
