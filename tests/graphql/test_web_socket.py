"""GraphQL over WebSockets, through an application and without a server."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, cast
from urllib.error import HTTPError

import pytest
from graphql import GraphQLError, build_schema

from bareasgi import Application, HttpError, Info, Scope
from bareasgi.testing import ClientSocket, web_socket
from bareasgi_graphql.execution import Engine
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.masking import Masking
from bareasgi_graphql.subscription import Start
from bareasgi_graphql.web_socket import OnConnect, web_socket_handler

Json: TypeAlias = dict[str, Any]

DEADLINE: Final = 10.0
MODERN: Final = "graphql-transport-ws"
LEGACY: Final = "graphql-ws"
WORDS: Final = {
    MODERN: ("subscribe", "next", "complete"),
    LEGACY: ("start", "data", "stop"),
}

each_protocol = pytest.mark.parametrize("protocol", [MODERN, LEGACY])


SCHEMA: Final = """
scalar Anything
type Query { hello: String slow: Int params: String broken: String }
type Mutation { change: String }
type Subscription {
  count(to: Int!): Int!
  wait: Int!
  flood: Int!
  stubborn: Int!
  endless: Int!
  late: Int!
  fails: Int!
  cancelled: Int!
  unwritable: Anything
  refuses: Int!
}
"""


class World:
    """The root of the schema: what its fields do, and what became of that."""

    hello: Final = "world"
    change: Final = "changed"

    def __init__(self) -> None:
        self.opened: int = 0
        self.closed: int = 0
        self.asked: int = 0
        self.gate: asyncio.Event = asyncio.Event()
        self._changed: asyncio.Event = asyncio.Event()

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until the claim is true."""
        async with asyncio.timeout(DEADLINE):
            while not claim():
                await self._changed.wait()

    @asynccontextmanager
    async def source(self) -> AsyncGenerator[None]:
        """Count a source that is open."""
        self.opened += 1
        self._tell()
        try:
            yield
        finally:
            self.closed += 1
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def slow(self, info: object) -> int:
        async with self.source():
            await self.gate.wait()
        return 1

    def params(self, info: Any) -> str:
        return json.dumps(info.context["params"])

    def broken(self, info: object) -> str:
        raise ValueError("a secret")

    async def count(self, info: object, to: int) -> AsyncGenerator[Json]:
        async with self.source():
            for number in range(to):
                yield {"count": number}

    async def wait(self, info: object) -> AsyncGenerator[Json]:
        async with self.source():
            await asyncio.Event().wait()
            yield {}

    async def flood(self, info: object) -> AsyncGenerator[Json]:
        """Never wait."""
        async with self.source():
            while True:
                self.asked += 1
                yield {"flood": self.asked}

    async def stubborn(self, info: object) -> AsyncGenerator[Json]:
        """Go on when it is cancelled."""
        async with self.source():
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    yield {"stubborn": 1}

    async def endless(self, info: object) -> AsyncGenerator[Json]:
        """Do not end when it is cancelled."""
        async with self.source():
            while not self.gate.is_set():
                with suppress(asyncio.CancelledError):
                    await self.gate.wait()
            yield {}

    async def late(self, info: object) -> AsyncGenerator[Json]:
        """Take time to be closed."""
        async with self.source():
            try:
                await asyncio.Event().wait()
                yield {}
            finally:
                await self.gate.wait()

    async def fails(self, info: object) -> AsyncGenerator[Json]:
        async with self.source():
            yield {"fails": 1}
            raise ValueError("a secret")

    async def cancelled(self, info: object) -> AsyncGenerator[Json]:
        async with self.source():
            yield {"cancelled": 1}
            raise asyncio.CancelledError

    async def unwritable(self, info: object) -> AsyncGenerator[Json]:
        async with self.source():
            yield {"unwritable": object()}
            await asyncio.Event().wait()

    def refuses(self, info: object) -> AsyncGenerator[Json]:
        raise GraphQLError("on purpose")


@pytest.fixture
def world() -> World:
    return World()


class Client:
    """Speaks one of the protocols."""

    def __init__(self, socket: ClientSocket, protocol: str) -> None:
        self.socket = socket
        self.begin, self.next, self.end = WORDS[protocol]
        self.protocol = protocol

    async def say(self, kind: str, **fields: object) -> None:
        """Send a message."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> Json | None:
        """Take the next message, or None when the application has closed."""
        text = await self.socket.receive()
        assert not isinstance(text, bytes)
        return None if text is None else cast(Json, json.loads(text))

    async def connect(self, **fields: object) -> Json | None:
        """Ask to be let in, and take the answer."""
        await self.say("connection_init", **fields)
        return await self.hear()

    async def start(self, query: str, name: str = "1", **fields: object) -> None:
        """Begin an operation."""
        await self.say(self.begin, id=name, payload={"query": query, **fields})

    async def stop(self, name: str = "1") -> None:
        """End an operation."""
        await self.say(self.end, id=name)

    async def answer(
        self, query: str, name: str = "an id", **fields: object
    ) -> list[Json]:
        """Begin an operation, and take its messages until the last."""
        await self.start(query, name, **fields)
        messages: list[Json] = []
        while not messages or messages[-1]["type"] == self.next:
            message = await self.hear()
            assert message is not None
            assert message.pop("id") == name
            messages.append(message)
        return messages

    async def closed(self) -> tuple[int | None, str]:
        """Wait until the application has closed, whatever it says before."""
        while await self.hear() is not None:
            pass
        return self.socket.code, self.socket.reason


@pytest.fixture
def serve(world: World) -> Callable[..., Application]:
    """Serves the schema with these options."""

    def context(scope: Scope, info: Info, matches: Mapping[str, Any]) -> Json:
        return {"params": scope["connection_params"], "info": info, "m": matches}

    def put_into_an_application(
        *, limits: Limits | None = None, **options: Any
    ) -> Application:
        engine = Engine(
            build_schema(SCHEMA),
            limits=limits or Limits(),
            context=context,
            root_value=world,
            middleware=None,
            introspection=True,
            masking=Masking(mask=True, format_error=None, limit=100),
            cache=100,
        )
        options.setdefault("ping_interval", None)
        app = Application(info={"who": "the application"})
        app.ws_router.add("/graphql", web_socket_handler(engine, **options))
        return app

    return put_into_an_application


@asynccontextmanager
async def opened(
    app: Application, protocol: str, **options: Any
) -> AsyncGenerator[Client]:
    """Open a socket with a protocol, and say nothing."""
    async with web_socket(
        app, "/graphql", subprotocols=[protocol], **options
    ) as socket:
        assert socket.subprotocol == protocol
        yield Client(socket, protocol)


@asynccontextmanager
async def connected(
    app: Application, protocol: str, **options: Any
) -> AsyncGenerator[Client]:
    """Open a socket with a protocol, and be let in."""
    async with opened(app, protocol, **options) as client:
        assert await client.connect() == {"type": "connection_ack"}
        yield client


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncGenerator[None]:
    yield
    others = asyncio.all_tasks() - {asyncio.current_task()}
    names = [repr(task) for task in others if "bareasgi" in repr(task)]
    assert names == []


# The handshake.


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([MODERN], MODERN),
        ([LEGACY], LEGACY),
        ([MODERN, LEGACY], MODERN),
        ([LEGACY, MODERN], LEGACY),
        (["chat", "GraphQL-WS", LEGACY], LEGACY),
    ],
)
async def test_the_first_protocol_of_the_client_that_is_known_is_spoken(
    serve: Callable[..., Application], offered: list[str], chosen: str
) -> None:
    async with web_socket(serve(), "/graphql", subprotocols=offered) as socket:
        assert socket.subprotocol == chosen


@pytest.mark.parametrize("offered", [[], ["chat"], ["GRAPHQL-WS", ""]])
async def test_who_speaks_no_known_protocol_is_told_so(
    serve: Callable[..., Application], offered: list[str]
) -> None:
    async with web_socket(serve(), "/graphql", subprotocols=offered) as socket:
        assert socket.is_accepted
        assert socket.subprotocol is None
        assert await socket.receive() is None
        assert (socket.code, socket.reason) == (4406, "Subprotocol not acceptable")


@each_protocol
@pytest.mark.parametrize(
    ("origin", "is_accepted"),
    [
        (b"http://localhost", True),
        (b"https://friend.example", True),
        (b"https://foreign.example", False),
        (b"http://localhost:8080", False),
        (b"null", False),
    ],
)
async def test_a_foreign_page_is_refused(
    serve: Callable[..., Application],
    protocol: str,
    origin: bytes,
    *,
    is_accepted: bool,
) -> None:
    app = serve(allowed_origins={"https://friend.example"})
    async with web_socket(
        app, "/graphql", subprotocols=[protocol], headers=[(b"origin", origin)]
    ) as socket:
        assert socket.is_accepted == is_accepted
        if not is_accepted:
            assert socket.response.status == 403


# Being let in.


@each_protocol
async def test_everybody_is_let_in_unless_somebody_decides(
    serve: Callable[..., Application], protocol: str
) -> None:
    async with opened(serve(), protocol) as client:
        assert await client.connect() == {"type": "connection_ack"}


def plainly(answer: object) -> OnConnect:
    """Decide in this way, in a function."""

    def decide(scope: Scope, info: Info, payload: Json) -> object:
        return answer

    return cast(OnConnect, decide)


def later(answer: object) -> OnConnect:
    """Decide in this way, in a coroutine function."""

    async def decide(scope: Scope, info: Info, payload: Json) -> object:
        await asyncio.sleep(0)
        return answer

    return cast(OnConnect, decide)


@each_protocol
@pytest.mark.parametrize("decide", [plainly, later])
@pytest.mark.parametrize("answer", [None, True, {}, {"a": 1}])
async def test_the_decision_may_be_positive(
    serve: Callable[..., Application],
    protocol: str,
    decide: Callable[[object], OnConnect],
    answer: object,
) -> None:
    async with opened(serve(on_connect=decide(answer)), protocol) as client:
        is_told = isinstance(answer, dict)
        details: Json = {"payload": answer} if is_told else {}
        assert await client.connect() == {"type": "connection_ack", **details}
        assert (await client.answer("{ hello }"))[-1]["type"] == "complete"


def raising(error: BaseException) -> OnConnect:
    """Decide by an exception."""

    def decide(scope: Scope, info: Info, payload: Json) -> None:
        raise error

    return decide


@each_protocol
@pytest.mark.parametrize(
    "decide",
    [
        plainly(answer=False),
        later(answer=False),
        raising(HttpError(401, "a secret")),
        raising(HTTPError("", 403, "a secret", cast(Any, None), None)),
    ],
)
async def test_the_decision_may_be_negative(
    serve: Callable[..., Application], protocol: str, decide: OnConnect
) -> None:
    async with opened(serve(on_connect=decide), protocol) as client:
        answer = await client.connect()
        payload = {"message": "Forbidden"}
        error = {"type": "connection_error", "payload": payload}
        assert answer == (error if protocol == LEGACY else None)
        assert await client.closed() == (4403, "Forbidden")


@each_protocol
@pytest.mark.parametrize(
    "decide",
    [
        raising(ValueError("a secret")),
        plainly("a secret"),
        plainly(answer=1),
        plainly({"a secret": object()}),
        raising(asyncio.CancelledError()),
    ],
    ids=["an error", "a string", "a number", "what is no JSON", "a cancellation"],
)
async def test_a_decision_that_fails_is_logged_and_closes(
    serve: Callable[..., Application],
    protocol: str,
    decide: OnConnect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(serve(on_connect=decide), protocol) as client:
        await client.say("connection_init")
        assert await client.closed() == (4500, "Internal Server Error")
        assert "a secret" not in str(client.socket.messages)
    (record,) = caplog.records
    assert record.getMessage() == "'/graphql' failed"
    assert record.exc_info is not None


@each_protocol
async def test_the_decision_and_the_resolvers_see_the_parameters(
    serve: Callable[..., Application], protocol: str
) -> None:
    seen: list[tuple[object, object, object]] = []

    def decide(scope: Scope, info: Info, payload: Json) -> None:
        seen.append((scope["connection_params"], info, payload))

    async with opened(serve(on_connect=decide), protocol) as client:
        await client.connect(payload={"token": "t"})
        (message, _) = await client.answer("{ params }")
    parameters = {"token": "t"}
    assert seen == [(parameters, {"who": "the application"}, parameters)]
    assert message["payload"] == {"data": {"params": '{"token": "t"}'}}


@each_protocol
async def test_without_parameters_they_are_empty(
    serve: Callable[..., Application], protocol: str
) -> None:
    async with connected(serve(), protocol) as client:
        (message, _) = await client.answer("{ params }")
    assert message["payload"] == {"data": {"params": "{}"}}


@each_protocol
async def test_a_client_that_leaves_cancels_the_decision(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async def decide(scope: Scope, info: Info, payload: Json) -> None:
        async with world.source():
            await asyncio.Event().wait()

    async with opened(serve(on_connect=decide), protocol) as client:
        await client.say("connection_init")
        await world.until(lambda: world.opened == 1)
        client.socket.leave()
        await client.socket.finished()
    assert world.closed == 1


async def test_while_it_is_decided_messages_are_answered(
    serve: Callable[..., Application], world: World
) -> None:
    async def decide(scope: Scope, info: Info, payload: Json) -> None:
        await world.gate.wait()

    async with opened(serve(on_connect=decide), MODERN) as client:
        await client.say("connection_init")
        await client.say("ping")
        assert await client.hear() == {"type": "pong"}
        world.gate.set()
        assert await client.hear() == {"type": "connection_ack"}


async def test_an_older_client_need_not_wait_until_it_is_let_in(
    serve: Callable[..., Application],
) -> None:
    async with opened(serve(on_connect=later(answer=True)), LEGACY) as client:
        await client.say("connection_init")
        await client.start("{ hello }")
        assert await client.hear() == {"type": "connection_ack"}
        message = await client.hear()
        assert message is not None
        assert message["payload"] == {"data": {"hello": "world"}}


@each_protocol
async def test_an_initialisation_that_does_not_come_in_time_closes(
    serve: Callable[..., Application], protocol: str
) -> None:
    app = serve(limits=Limits(init_timeout=0.01))
    async with opened(app, protocol) as client:
        closed = await client.closed()
    assert closed == (4408, "Connection initialisation timeout")


@each_protocol
async def test_the_time_for_the_initialisation_is_over_with_it(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async def decide(scope: Scope, info: Info, payload: Json) -> None:
        await asyncio.sleep(0.4)

    app = serve(limits=Limits(init_timeout=0.3), on_connect=decide)
    async with opened(app, protocol) as client:
        assert await client.connect() == {"type": "connection_ack"}


async def test_without_a_limit_the_initialisation_may_take_any_time(
    serve: Callable[..., Application],
) -> None:
    async with connected(serve(limits=Limits(init_timeout=None)), MODERN) as client:
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}


# Operations.


@each_protocol
@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ hello }", {"hello": "world"}),
        ("mutation { change }", {"change": "changed"}),
    ],
)
async def test_queries_and_mutations_have_one_result(
    serve: Callable[..., Application], protocol: str, query: str, data: Json
) -> None:
    async with connected(serve(), protocol) as client:
        assert await client.answer(query) == [
            {"type": client.next, "payload": {"data": data}},
            {"type": "complete"},
        ]


@each_protocol
async def test_a_subscription_has_a_result_for_each_event(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    query = "subscription S($to: Int!) { count(to: $to) } query Q { hello }"
    async with connected(serve(), protocol) as client:
        *results, last = await client.answer(
            query, variables={"to": 100}, operationName="S"
        )
    assert [each["payload"] for each in results] == [
        {"data": {"count": number}} for number in range(100)
    ]
    assert last == {"type": "complete"}
    assert (world.opened, world.closed) == (1, 1)


@each_protocol
@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{ missing }",
        "{ hello } { hello }",
        "query Q($a: Int!) { slow }",
        "subscription { refuses }",
        "{ a: hello b: hello c: hello }",
        "{" * 1_000,
        "subscription { count }",
    ],
)
async def test_what_cannot_be_run_is_an_error_of_the_operation_alone(
    serve: Callable[..., Application], protocol: str, query: str
) -> None:
    app = serve(limits=Limits(aliases=2))
    async with connected(app, protocol) as client:
        (message,) = await client.answer(query)
        assert message["type"] == "error"
        payload = message["payload"]
        error = payload[0] if protocol == MODERN else payload
        assert error["message"]
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}


@each_protocol
async def test_an_error_in_a_resolver_is_in_the_result_and_masked(
    serve: Callable[..., Application], protocol: str
) -> None:
    async with connected(serve(), protocol) as client:
        first, last = await client.answer("{ hello broken }")
    assert first["type"] == client.next
    assert first["payload"]["data"] == {"hello": "world", "broken": None}
    (error,) = first["payload"]["errors"]
    assert error["message"] == "Internal Server Error"
    assert last == {"type": "complete"}


@each_protocol
@pytest.mark.parametrize("field", ["fails", "cancelled"])
async def test_a_source_that_fails_is_an_error_after_its_results(
    serve: Callable[..., Application],
    world: World,
    protocol: str,
    field: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected(serve(), protocol) as client:
        first, last = await client.answer(f"subscription {{ {field} }}")
        assert first == {"type": client.next, "payload": {"data": {field: 1}}}
        assert last["type"] == "error"
        assert "Internal Server Error" in str(last)
        assert "a secret" not in str(last)
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}
    assert world.closed == 1
    assert len(caplog.records) == 1


@each_protocol
async def test_a_result_that_cannot_be_written_ends_its_operation_alone(
    serve: Callable[..., Application],
    world: World,
    protocol: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected(serve(), protocol) as client:
        (message,) = await client.answer("subscription { unwritable }")
        assert message["type"] == "error"
        assert "Internal Server Error" in str(message)
        assert world.closed == 1
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR


@each_protocol
async def test_operations_run_beside_each_other(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async with connected(serve(), protocol) as client:
        await client.start("{ slow }", "slow")
        await world.until(lambda: world.opened == 1)
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}
        world.gate.set()
        message = await client.hear()
        assert message is not None
        assert (message["id"], message["payload"]) == ("slow", {"data": {"slow": 1}})


@each_protocol
@pytest.mark.parametrize("query", ["subscription { wait }", "{ slow }"])
async def test_a_client_that_stops_closes_the_source_at_once(
    serve: Callable[..., Application], world: World, protocol: str, query: str
) -> None:
    async with connected(serve(), protocol) as client:
        await client.start(query)
        await world.until(lambda: world.opened == 1)
        await client.stop()
        await world.until(lambda: world.closed == 1)
        if protocol == LEGACY:
            assert await client.hear() == {"type": "complete", "id": "1"}
        # The name is free, and nothing of the other operation comes.
        assert (await client.answer("{ hello }", "1"))[-1] == {"type": "complete"}


@each_protocol
async def test_an_operation_that_is_stopped_before_it_has_begun_never_does(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async with connected(serve(), protocol) as client:
        texts = [
            {
                "type": client.begin,
                "id": "1",
                "payload": {"query": "subscription { wait }"},
            },
            {"type": client.end, "id": "1"},
        ]
        # Both wait to be received, before anything else has a chance to run.
        await asyncio.gather(*(client.socket.send(json.dumps(each)) for each in texts))
        if protocol == LEGACY:
            assert await client.hear() == {"type": "complete", "id": "1"}
        assert (await client.answer("{ hello }", "1"))[-1] == {"type": "complete"}
    assert world.opened == world.closed


@each_protocol
async def test_a_source_that_goes_on_when_it_is_stopped_is_not_heard(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async with connected(serve(), protocol) as client:
        await client.start("subscription { stubborn }")
        await world.until(lambda: world.opened == 1)
        await client.stop()
        await world.until(lambda: world.closed == 1)
        if protocol == LEGACY:
            assert await client.hear() == {"type": "complete", "id": "1"}
        assert (await client.answer("{ hello }", "1"))[-1] == {"type": "complete"}


@each_protocol
async def test_operations_that_are_over_leave_nothing_behind(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    def starts() -> int:
        gc.collect()
        return sum(type(each) is Start for each in gc.get_objects())

    async with connected(serve(), protocol) as client:
        await client.answer("{ hello }")
        before = starts()
        for number in range(50):
            await client.answer("{ hello }", str(number))
            await client.answer("{ missing }", str(number))
        assert starts() <= before + 1


@each_protocol
async def test_an_operation_too_many_is_an_error_of_its_own(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async with connected(serve(limits=Limits(subscriptions=3)), protocol) as client:
        for number in range(10):
            await client.start("subscription { wait }", str(number))
        for number in range(3, 10):
            message = await client.hear()
            assert message is not None
            assert (message["type"], message["id"]) == ("error", str(number))
        await world.until(lambda: world.opened == 3)
        await client.stop("0")
        await world.until(lambda: world.closed == 1)
        if protocol == LEGACY:
            assert await client.hear() == {"type": "complete", "id": "0"}
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}
    assert (world.opened, world.closed) == (3, 3)


@each_protocol
async def test_sources_that_take_time_to_close_cannot_pile_up(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async with connected(serve(limits=Limits(subscriptions=2)), protocol) as client:
        for _ in range(4):
            before = world.opened
            await client.start("subscription { late }")
            await world.until(lambda: world.opened > before)  # noqa: B023
            await client.stop()
        await client.start("subscription { late }")
        for _ in range(100):
            await asyncio.sleep(0)
        assert (world.opened, world.closed) == (4, 0)
        world.gate.set()
        await world.until(lambda: (world.opened, world.closed) == (5, 4))


async def test_10_000_subscriptions_on_a_socket_are_100(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), MODERN) as client:
        payload = {"query": "subscription { wait }"}
        for number in range(10_000):
            await client.say("subscribe", id=str(number), payload=payload)
        for number in range(100, 10_000):
            message = await client.hear()
            assert message is not None
            assert (message["type"], message["id"]) == ("error", str(number))
        assert world.opened == 100
    assert world.closed == 100


# Messages that there are not, and closes.


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        (["no JSON"], 4400, "The request is not valid JSON"),
        ([b"{}"], 4400, "A message must be text"),
        (['{"type": "unknown"}'], 4400, "There is no message of the type 'unknown'"),
        (
            ['{"type": "subscribe", "id": "1", "payload": {"query": "{ a }"}}'],
            4401,
            "Unauthorized",
        ),
        (
            ['{"type": "connection_init"}'] * 2,
            4429,
            "Too many initialisation requests",
        ),
        (["x" * 1_100_000], 1009, "Message too big"),
    ],
)
async def test_a_wrong_message_closes(
    serve: Callable[..., Application],
    messages: list[str | bytes],
    code: int,
    reason: str,
) -> None:
    async with opened(serve(), MODERN) as client:
        for message in messages:
            await client.socket.send(message)
        assert await client.closed() == (code, reason)


async def test_a_wrong_message_of_the_older_protocol_is_answered_and_ignored(
    serve: Callable[..., Application],
) -> None:
    async with connected(serve(), LEGACY) as client:
        await client.socket.send("no JSON")
        answer = await client.hear()
        assert answer is not None
        assert answer["type"] == "connection_error"
        assert (await client.answer("{ hello }"))[-1] == {"type": "complete"}
        await client.say("connection_terminate")
        assert await client.closed() == (1000, "")


async def test_a_name_that_is_taken_closes_and_stops_everything(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), MODERN) as client:
        for name in "abc":
            await client.start("subscription { wait }", name)
        await world.until(lambda: world.opened == 3)
        await client.start("{ hello }", "b")
        assert await client.closed() == (4409, "Subscriber for b already exists")
        await client.socket.finished()
    assert world.closed == 3


async def test_a_name_that_is_taken_is_replaced_in_the_older_protocol(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), LEGACY) as client:
        await client.start("subscription { wait }")
        await world.until(lambda: world.opened == 1)
        assert len(await client.answer("{ hello }", "1")) == 2
        await world.until(lambda: world.closed == 1)


async def test_messages_after_the_one_that_closes_are_ignored(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), MODERN) as client:
        payload = {"query": "subscription { count(to: 3) }"}
        begin = {"type": "subscribe", "id": "1", "payload": payload}
        ping = {"type": "ping"}
        texts = ["no JSON", json.dumps(begin), json.dumps(ping)]
        await asyncio.gather(*(client.socket.send(each) for each in texts))
        assert await client.hear() is None
        assert client.socket.code == 4400
    assert world.opened == 0


async def test_a_close_does_not_wait_for_the_sources(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), MODERN) as client:
        await client.start("subscription { late }")
        await world.until(lambda: world.opened == 1)
        await client.socket.send("no JSON")
        assert (await client.closed())[0] == 4400
        assert world.closed == 0
        world.gate.set()
        await client.socket.finished()
        assert world.closed == 1


async def test_who_does_not_read_cannot_keep_sources_open_when_the_socket_is_closed(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), MODERN, buffer=0) as client:
        await client.start("subscription { flood }")
        await client.start("subscription { wait }", "2")
        await client.socket.blocked()
        await world.until(lambda: world.opened == 2)
        await client.socket.send("no JSON")
        await world.until(lambda: world.closed == 2)
        assert (await client.closed())[0] == 4400


async def test_a_source_that_never_waits_does_not_keep_a_socket_from_being_closed(
    serve: Callable[..., Application], world: World
) -> None:
    async with connected(serve(), MODERN) as client:
        await client.start("subscription { flood }")
        await world.until(lambda: world.opened == 1)
        await client.socket.send("no JSON")
        assert (await client.closed())[0] == 4400
        await client.socket.finished()
    assert world.closed == 1


async def test_what_fails_in_reading_is_logged_and_closes(
    serve: Callable[..., Application], caplog: pytest.LogCaptureFixture
) -> None:
    def loads(text: str | bytes) -> object:
        raise OSError("a secret")

    async with opened(serve(loads=loads), MODERN) as client:
        await client.say("connection_init")
        assert await client.closed() == (4500, "Internal Server Error")
    assert len(caplog.records) == 1


# Leaving.


def close_frame(client: Client) -> None:
    client.socket.close(1001)


def nothing_more(client: Client) -> None:
    client.socket.leave()


def broken_pipe(client: Client) -> None:
    client.socket.leave(send_raises=True)


each_way = pytest.mark.parametrize("leave", [close_frame, nothing_more, broken_pipe])


@each_protocol
@each_way
async def test_a_client_that_leaves_closes_every_source_at_once(
    serve: Callable[..., Application],
    world: World,
    protocol: str,
    leave: Callable[[Client], None],
) -> None:
    async with connected(serve(), protocol) as client:
        for number in range(10):
            await client.start("subscription { wait }", str(number))
        await world.until(lambda: world.opened == 10)
        leave(client)
        await client.socket.finished()
        assert world.closed == 10
        assert [each["type"] for each in client.socket.messages] == [
            "websocket.accept",
            "websocket.send",
        ]


@each_protocol
@each_way
async def test_a_client_that_does_not_read_holds_its_source_up_until_it_leaves(
    serve: Callable[..., Application],
    world: World,
    protocol: str,
    leave: Callable[[Client], None],
) -> None:
    async with connected(serve(), protocol, buffer=5) as client:
        await client.start("subscription { flood }")
        await client.socket.blocked()
        asked = world.asked
        assert asked <= 7
        for _ in range(100):
            await asyncio.sleep(0)
        assert world.asked == asked
        for _ in range(3):
            await client.hear()
        await client.socket.blocked()
        assert world.asked == asked + 3
        leave(client)
        await client.socket.finished()
    assert world.closed == 1


async def test_when_sending_fails_what_the_client_had_said_makes_no_trouble(
    serve: Callable[..., Application], world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A server may give the messages that came before, and the end behind them."""
    is_let_in = asyncio.Event()

    def said(kind: str, **fields: object) -> Json:
        text = json.dumps({"type": kind, **fields})
        return {"type": "websocket.receive", "text": text}

    async def messages() -> AsyncGenerator[Json]:
        yield {"type": "websocket.connect"}
        yield said("connection_init")
        await is_let_in.wait()
        payload = {"query": "subscription { flood }"}
        yield said("subscribe", id="1", payload=payload)
        await world.until(lambda: world.closed == 1)
        for _ in range(10):
            await asyncio.sleep(0)
        yield said("complete", id="1")
        yield said("ping")
        yield {"type": "websocket.disconnect", "code": 1006}

    received = messages()

    async def receive() -> Json:
        return await anext(received)

    async def send(message: Json) -> None:
        if "flood" in message.get("text", ""):
            raise BrokenPipeError("the client has left")
        if "connection_ack" in message.get("text", ""):
            is_let_in.set()

    scope: Json = {
        "type": "websocket",
        "path": "/graphql",
        "headers": [],
        "subprotocols": [MODERN],
    }
    async with asyncio.timeout(DEADLINE):
        await serve()(scope, receive, send)
    assert (world.opened, world.closed) == (1, 1)
    assert caplog.records == []


@each_protocol
async def test_draining_closes_every_source_and_says_that_the_server_goes(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    app = serve()
    async with connected(app, protocol) as client:
        for number in range(10):
            await client.start("subscription { wait }", str(number))
        await world.until(lambda: world.opened == 10)
        assert await app.drain(DEADLINE)
        assert world.closed == 10
        assert await client.hear() is None
        assert client.socket.code == 1001


@each_protocol
async def test_a_server_that_cancels_closes_every_source(
    serve: Callable[..., Application], world: World, protocol: str
) -> None:
    async with connected(serve(), protocol) as client:
        await client.start("subscription { wait }")
        await world.until(lambda: world.opened == 1)
        client.socket.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.socket.finished()
    assert world.closed == 1


async def test_a_source_that_does_not_end_is_abandoned(
    serve: Callable[..., Application],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("bareasgi_graphql.socket_session.CLOSING_TIME", 0.01)
    async with connected(serve(), MODERN) as client:
        await client.start("subscription { endless }")
        await world.until(lambda: world.opened == 1)
        client.socket.close()
        await client.socket.finished()
        assert world.closed == 0
    assert "do not end" in caplog.text
    world.gate.set()
    await world.until(lambda: world.closed == 1)
    await asyncio.sleep(0)


# Being kept alive.


@pytest.mark.parametrize(("protocol", "word"), [(MODERN, "ping"), (LEGACY, "ka")])
async def test_the_connection_is_kept_alive(
    serve: Callable[..., Application], protocol: str, word: str
) -> None:
    async with opened(serve(ping_interval=0.01), protocol) as client:
        assert await client.connect() == {"type": "connection_ack"}
        for _ in range(3):
            assert await client.hear() == {"type": word}


@each_protocol
async def test_nothing_keeps_the_connection_alive_before_the_client_was_let_in(
    serve: Callable[..., Application], protocol: str
) -> None:
    app = serve(ping_interval=0.001, limits=Limits(init_timeout=0.05))
    async with opened(app, protocol) as client:
        assert await client.hear() is None
        assert client.socket.code == 4408


# Wrong options.


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_a_wrong_interval_is_refused_at_once(
    serve: Callable[..., Application], interval: float
) -> None:
    with pytest.raises(ValueError, match="ping_interval must be positive, or None"):
        serve(ping_interval=interval)


def test_one_origin_must_be_a_set_of_one(serve: Callable[..., Application]) -> None:
    with pytest.raises(TypeError, match=r"write \{'https://a.example'\}"):
        serve(allowed_origins="https://a.example")
