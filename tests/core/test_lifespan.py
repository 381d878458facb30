"""Start-up and shutdown handlers, in order, and what the server is told."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from bareasgi import Application, Info, LifespanHandler, Message, Scope
from bareasgi.testing import LifespanError, checked, http_request, lifespan

START = {"type": "lifespan.startup"}
STOP = {"type": "lifespan.shutdown"}
STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}


def recording(order: list[str], name: str) -> LifespanHandler:
    async def handler(scope: Scope, info: Info, request: Message) -> None:
        order.append(name)

    return handler


def failing(error: BaseException) -> LifespanHandler:
    async def handler(scope: Scope, info: Info, request: Message) -> None:
        raise error

    return handler


async def messages_of(
    app: Application, events: Iterable[Message] = (START, STOP)
) -> list[Message]:
    """Run the application with these events, and give what it sent."""
    left = [*events]
    sent: list[Message] = []

    async def receive() -> Message:
        assert left, "asked for more events than there are"
        return left.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
    await checked(app)(scope, receive, send)
    return sent


async def test_an_application_without_handlers_answers_both_events() -> None:
    assert await messages_of(Application()) == [STARTED, STOPPED]


async def test_handlers_run_in_order() -> None:
    order: list[str] = []
    app = Application(
        startup_handlers=[recording(order, "start 1"), recording(order, "start 2")],
        shutdown_handlers=[recording(order, "stop 1"), recording(order, "stop 2")],
    )
    assert await messages_of(app) == [STARTED, STOPPED]
    assert order == ["start 1", "start 2", "stop 1", "stop 2"]


async def test_each_handler_ends_before_the_next_begins() -> None:
    order: list[str] = []

    def slow(name: str) -> LifespanHandler:
        async def handler(scope: Scope, info: Info, request: Message) -> None:
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

        return handler

    app = Application(startup_handlers=[slow("a"), slow("b")])
    await messages_of(app)
    assert order == ["a begins", "a ends", "b begins", "b ends"]


async def test_start_up_is_complete_only_when_all_handlers_are_done() -> None:
    gate = asyncio.Event()
    is_started = asyncio.Event()

    async def wait(scope: Scope, info: Info, request: Message) -> None:
        is_started.set()
        await gate.wait()

    app = Application(startup_handlers=[wait])
    running = asyncio.create_task(messages_of(app))
    await is_started.wait()
    assert not running.done()
    gate.set()
    assert await running == [STARTED, STOPPED]


async def test_handlers_get_scope_info_and_message() -> None:
    seen: list[tuple[Any, ...]] = []

    async def handler(*args: Any) -> None:
        seen.append(args)

    info: dict[str, Any] = {}
    app = Application(
        info=info, startup_handlers=[handler], shutdown_handlers=[handler]
    )
    await messages_of(app)
    assert [len(args) for args in seen] == [3, 3]
    assert all(args[0]["type"] == "lifespan" for args in seen)
    assert all(args[1] is info for args in seen)
    assert [args[2] for args in seen] == [START, STOP]


async def test_what_start_up_puts_into_the_state_reaches_requests() -> None:
    async def connect(scope: Scope, info: Info, request: Message) -> None:
        scope["state"]["db"] = "connected"

    app = Application(startup_handlers=[connect])
    async with lifespan(app) as state:
        assert state == {"db": "connected"}


async def test_handlers_added_later_run_too() -> None:
    order: list[str] = []
    app = Application()

    async def add(scope: Scope, info: Info, request: Message) -> None:
        app.shutdown_handlers.append(recording(order, "stop"))

    app.startup_handlers.append(add)
    await messages_of(app)
    assert order == ["stop"]


async def test_a_failing_start_up_ends_with_its_reason_and_stops_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    order: list[str] = []
    app = Application(
        startup_handlers=[
            recording(order, "before"),
            failing(OSError("no database")),
            recording(order, "after"),
        ],
        shutdown_handlers=[recording(order, "stop")],
    )
    # The call returns: it does not ask for another event.
    assert await messages_of(app, [START]) == [
        {"type": "lifespan.startup.failed", "message": "OSError: no database"}
    ]
    assert order == ["before"]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("bareasgi.lifespan", "ERROR")
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no database"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError: "),
        (KeyError("key"), "KeyError: 'key'"),
        (
            ExceptionGroup("two", [ValueError()]),
            "ExceptionGroup: two (1 sub-exception)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_reason_is_the_type_and_the_text(
    error: Exception, message: str
) -> None:
    app = Application(startup_handlers=[failing(error)])
    assert (await messages_of(app, [START]))[0]["message"] == message


async def test_a_failing_start_up_fails_the_test_that_starts_it() -> None:
    app = Application(startup_handlers=[failing(OSError("no database"))])
    with pytest.raises(LifespanError, match="OSError: no database"):
        async with lifespan(app):
            raise AssertionError("it started")


@pytest.mark.parametrize("failing_at", [0, 1, 2])
async def test_all_shutdown_handlers_run_though_one_fails(
    failing_at: int, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []
    handlers = [recording(order, name) for name in ("a", "b")]
    handlers.insert(failing_at, failing(OSError("lost")))
    app = Application(shutdown_handlers=handlers)
    assert await messages_of(app) == [
        STARTED,
        {"type": "lifespan.shutdown.failed", "message": "OSError: lost"},
    ]
    assert order == ["a", "b"]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("bareasgi.lifespan", "ERROR")
    assert record.exc_info is not None


async def test_the_server_is_told_of_the_first_failure_and_the_log_of_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Application(
        shutdown_handlers=[failing(OSError("first")), failing(ValueError("second"))]
    )
    sent = await messages_of(app)
    assert sent[-1]["message"] == "OSError: first"
    assert len(caplog.records) == 2
    assert "second" in caplog.text


async def test_a_shutdown_handler_that_removes_itself_skips_no_other() -> None:
    order: list[str] = []
    app = Application()

    async def leave(scope: Scope, info: Info, request: Message) -> None:
        app.shutdown_handlers.remove(leave)

    app.shutdown_handlers[:] = [leave, recording(order, "after")]
    await messages_of(app)
    assert order == ["after"]


async def test_shutdown_without_start_up_runs_the_handlers() -> None:
    order: list[str] = []
    app = Application(shutdown_handlers=[recording(order, "stop")])
    left = [STOP]
    sent: list[Message] = []

    async def receive() -> Message:
        return left.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan"}, receive, send)
    assert (order, sent) == (["stop"], [STOPPED])


@pytest.mark.parametrize("handlers", ["startup_handlers", "shutdown_handlers"])
async def test_a_cancellation_is_not_taken_for_a_failure(handlers: str) -> None:
    arguments: dict[str, Any] = {handlers: [failing(asyncio.CancelledError())]}
    app = Application(**arguments)
    with pytest.raises(asyncio.CancelledError):
        await messages_of(app)


async def test_an_event_of_another_protocol_is_refused() -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    with pytest.raises(ValueError, match=r"http\.request"):
        await Application()({"type": "lifespan"}, receive, send)


async def test_requests_are_served_before_start_up_and_after_shutdown() -> None:
    app = Application(startup_handlers=[failing(OSError())])
    assert (await http_request(app, "GET", "/")).status == 404
