"""Applications in this process: streams both ways, back-pressure, and leaving."""

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpDisconnectError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_response,
    text_writer,
)
from bareasgi.testing import LifespanError
from bareclient import (
    AsgiTransport,
    Client,
    CutError,
    HeadersTooLargeError,
    Limits,
    ReadTimeoutError,
    Timeouts,
)

from .applications import chunks
from .peers import DEADLINE

URL = "http://app.example:81/a%20b?c=d"
START = {"type": "http.response.start", "status": 200, "headers": []}
LAST = {"type": "http.response.body", "body": b"last"}


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sending(*messages: dict[str, Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def client_of(app: Any, **options: Any) -> Client:
    async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        await app(scope, receive, send)

    return Client(transport=AsgiTransport(without_lifespan), **options)


async def test_the_scope_is_that_of_a_server() -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send(START)
        await send(LAST)

    response = await client_of(app).request("GET", URL, [(b"X-A", b"1")])
    assert await response.raw() == b"last"
    scope = seen[0]
    assert scope["type"] == "http"
    assert scope["method"] == "GET"
    assert scope["scheme"] == "http"
    assert scope["server"] == ("app.example", 81)
    assert scope["path"] == "/a b"
    assert scope["raw_path"] == b"/a%20b"
    assert scope["query_string"] == b"c=d"
    assert scope["headers"] == [(b"host", b"app.example:81"), (b"x-a", b"1")]
    assert "timeouts" not in scope
    assert "state" not in scope


async def test_each_chunk_waits_until_it_is_taken() -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(5):
            await send(body(b"%d" % number))
            sent.append(number)
        await send(LAST)

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        response = await client.request("GET", URL)
        for number in range(5):
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(sent) <= number
            assert await anext(aiter(response.body)) == b"%d" % number
        assert await response.raw() == b"last"


async def test_content_is_read_no_faster_than_it_is_received() -> None:
    made: list[int] = []
    go_on = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"x"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await go_on.wait()
        count = 0
        while (await receive())["more_body"]:
            count += 1
        await send(body(b"%d" % count, more=False))

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        response = await client.request("POST", URL, None, content())
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(made) <= 2
        go_on.set()
        assert await response.raw() == b"100"


async def test_content_and_body_stream_at_once() -> None:
    app = Application()
    turns: asyncio.Queue[bytes | None] = asyncio.Queue()

    @app.on_http_request({"POST"}, "/{path}")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [], content

    async def content() -> AsyncIterator[bytes]:
        while (turn := await turns.get()) is not None:
            yield turn

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        response = await client.request("POST", URL, None, content())
        received = aiter(response.body)
        for turn in (b"ping", b"pong", b"ping"):
            turns.put_nowait(turn)
            assert await anext(received) == turn
        turns.put_nowait(None)
        assert [chunk async for chunk in received] == []


async def test_leaving_early_is_a_disconnect() -> None:
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"1"))
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        async with client.request("GET", URL) as response:
            assert await anext(aiter(response.body)) == b"1"
            assert not left.is_set()
        await left.wait()


async def test_leaving_early_cancels_the_body_of_a_handler() -> None:
    app = Application()
    ended = asyncio.Event()

    @app.on_http_request({"GET"}, "/{path}")
    async def ticks(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def endless() -> AsyncIterator[bytes]:
            try:
                yield b"tick"
                await asyncio.sleep(1000)
            finally:
                ended.set()

        return 200, [], endless()

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        async with client.request("GET", URL) as response:
            await anext(aiter(response.body))
        await ended.wait()


async def test_cancelling_the_request_is_a_disconnect() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asked.set()
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    async def ask(client: Client) -> None:
        await client.request("GET", URL)

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        asking = asyncio.create_task(ask(client))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await left.wait()


async def test_an_application_that_fails_before_the_start_answers_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("secret")

    response = await client_of(app).request("GET", URL)
    assert response.status == 500
    assert await response.text() == "Internal Server Error"
    assert "secret" in caplog.text


async def test_an_application_that_says_nothing_answers_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await client_of(sending()).request("GET", URL)
    assert response.status == 500
    assert await response.text() == "Internal Server Error"
    assert "no response" in caplog.text


async def test_an_application_that_fails_after_the_start_cuts_its_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"1"))
        raise ValueError("secret")

    response = await client_of(app).request("GET", URL)
    received = aiter(response.body)
    assert await anext(received) == b"1"
    with pytest.raises(CutError):
        await anext(received)
    assert [chunk async for chunk in received] == []


async def test_an_application_that_fails_after_the_end_has_answered() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        raise ValueError("too late")

    response = await client_of(app).request("GET", URL)
    assert await response.raw() == b"last"


async def test_an_application_that_ends_too_early_cuts_its_answer() -> None:
    response = await client_of(sending(START, body(b"1"))).request("GET", URL)
    with pytest.raises(CutError):
        await response.raw()


@pytest.mark.parametrize("messages", [(), (START,), (START, body(b"1"))])
async def test_an_application_that_is_silent_is_left(
    messages: tuple[dict[str, Any], ...],
) -> None:
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        with pytest.raises(ReadTimeoutError):  # noqa: PT012 - either may be
            response = await client.request("GET", URL, timeout=Timeouts(read=0.05))
            await response.raw()
        await left.wait()


async def test_a_timeout_of_the_content_is_not_taken_for_one_of_the_answer() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"1"
        raise TimeoutError("its own")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        with pytest.raises(TimeoutError, match="its own"):
            await client.request("POST", URL, None, content())


async def test_what_content_raises_while_the_answer_streams_reaches_the_reader() -> (
    None
):
    async def content() -> AsyncIterator[bytes]:
        yield b"1"
        raise ValueError("no more")

    app = Application()

    @app.on_http_request({"POST"}, "/{path}")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [], content

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        with pytest.raises(ValueError, match="no more"):  # noqa: PT012 - either may be
            response = await client.request("POST", URL, None, content())
            await response.raw()


async def test_a_handler_sees_that_its_client_left_in_mid_content() -> None:
    app = Application()
    seen = asyncio.Event()

    @app.on_http_request({"POST"}, "/{path}")
    async def read(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        try:
            async for _ in content:
                pass
        except HttpDisconnectError:
            seen.set()
            raise
        return 204

    async def content() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(1000)

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        with pytest.raises(ReadTimeoutError):
            await client.request("POST", URL, None, content(), timeout=0.05)
        await seen.wait()


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)]
)
async def test_an_answer_without_a_body_needs_no_closing(
    method: str, status: int
) -> None:
    done = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # As frameworks do that leave it to the server to drop the body.
        await send({**START, "status": status, "headers": [(b"x", b"y")]})
        await send(body(b"dropped"))
        await send(LAST)
        done.set()

    async with client_of(app) as client, asyncio.timeout(DEADLINE):
        response = await client.request(method, URL)
        assert response.status == status
        assert response.headers == [(b"x", b"y")]
        assert await response.raw() == b""
        await done.wait()


async def test_an_empty_answer_needs_no_closing() -> None:
    start = {**START, "headers": [(b"content-length", b"0")]}
    empty = {"type": "http.response.body"}
    async with client_of(sending(start, empty)) as client:
        response = await client.request("GET", URL)
        assert not response.more_body


async def test_what_servers_forgive_is_forgiven() -> None:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": ([b"X-A", bytearray(b"1")] for _ in range(1)),
    }
    late = body(b"late")
    app = sending(start, body(bytearray(b"1")), LAST, late, START)  # type: ignore[arg-type]
    response = await client_of(app).request("GET", URL)
    assert response.headers == [(b"x-a", b"1")]
    assert await response.raw() == b"1last"


async def test_two_may_wait_for_the_disconnect() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def wait() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        await send(START)
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(wait())
            await send(LAST)

    response = await client_of(app).request("GET", URL)
    assert await response.raw() == b"last"


async def test_pushes_early_hints_and_trailers_are_recorded() -> None:
    app = sending(
        {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
        {**START, "trailers": True},
        {"type": "http.response.push", "path": "/a.css", "headers": [(b"a", b"b")]},
        LAST,
        {
            "type": "http.response.trailers",
            "headers": [(b"x-sum", b"1")],
            "more_trailers": True,
        },
        {"type": "http.response.trailers", "headers": [(b"x-more", b"2")]},
    )
    response = await client_of(app).request("GET", URL)
    assert response.early_hints == [b"</a.css>; rel=preload"]
    assert await response.raw() == b"last"
    assert response.pushes == [("/a.css", [(b"a", b"b")])]
    assert response.trailers == [(b"x-sum", b"1"), (b"x-more", b"2")]


async def test_the_header_of_an_answer_has_a_limit() -> None:
    start = {**START, "headers": [(b"x", b"y")] * 11}
    transport = AsgiTransport(sending(start, LAST), limits=Limits(header_fields=10))
    async with Client(transport=transport) as client:
        with pytest.raises(HeadersTooLargeError):
            await client.request("GET", URL)


async def test_memory_is_flat_however_long_the_answer_is() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for _ in range(1000):
            await send(body(bytes(100_000)))
        await send(LAST)

    received = 0
    tracemalloc.start()
    async with client_of(app) as client:
        response = await client.request("GET", URL)
        async for chunk in response.body:
            received += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert received == 100_000_004
    # The checker keeps the last 64 messages, to see that they are not changed.
    assert peak < 10_000_000


def counting_app(events: list[str], fails: str = "") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            events.append(f"request {scope.get('state')}")
            await send(START)
            await send(LAST)
            return
        scope["state"]["db"] = 1
        for event in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{event}"
            events.append(event)
            outcome = "failed" if fails == event else "complete"
            await send({"type": f"lifespan.{event}.{outcome}"})
            if fails == event:
                return

    return app


async def test_entering_the_client_runs_the_lifespan() -> None:
    events: list[str] = []
    async with Client(transport=AsgiTransport(counting_app(events))) as client:
        assert events == ["startup"]
        for _ in range(2):
            await (await client.request("GET", URL)).raw()
        assert events[1:] == ["request {'db': 1}"] * 2
    assert events[-1] == "shutdown"


async def test_without_entering_there_is_no_lifespan() -> None:
    events: list[str] = []
    client = Client(transport=AsgiTransport(counting_app(events)))
    await (await client.request("GET", URL)).raw()
    await client.aclose()
    assert events == ["request None"]


@pytest.mark.parametrize("event", ["startup", "shutdown"])
async def test_a_lifespan_that_fails_is_an_error(event: str) -> None:
    with pytest.raises(LifespanError):
        async with Client(transport=AsgiTransport(counting_app([], event))):
            pass


async def test_an_application_without_lifespan_is_served() -> None:
    async with client_of(sending(START, LAST)) as client:
        assert await (await client.request("GET", URL)).raw() == b"last"


async def test_closing_waits_for_what_runs_in_the_background() -> None:
    done: list[bool] = []
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        await go_on.wait()
        done.append(True)

    client = client_of(app)
    response = await client.request("GET", URL)
    assert await response.raw() == b"last"
    assert done == []
    go_on.set()
    await client.aclose()
    assert done == [True]


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_closing_ends_what_runs_too_long(
    monkeypatch: pytest.MonkeyPatch, *, is_stubborn: bool
) -> None:
    monkeypatch.setattr("bareclient.transport.asgi.CLOSING_TIME", 0.05)
    ended = asyncio.Event()
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        try:
            await go_on.wait()
        finally:
            if is_stubborn:
                await go_on.wait()
            ended.set()

    async with asyncio.timeout(DEADLINE):
        async with client_of(app) as client:
            response = await client.request("GET", URL)
            await response.raw()
        assert ended.is_set() is not is_stubborn
        go_on.set()
        await ended.wait()


async def test_a_middleware_of_the_server_works_in_the_client() -> None:
    async def stamp(
        scope: Any, info: Any, matches: Any, content: Any, handler: Callable[..., Any]
    ) -> HttpResponse:
        status, headers, its_body, _ = await handler(scope, info, matches, content)
        return status, [*headers, (b"x-stamp", info["name"])], its_body

    app = Application()

    @app.on_http_request({"GET"}, "/{path}")
    async def hello(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [], text_writer("hello")

    client = client_of(app, middlewares=[stamp], info={"name": b"1"})
    response = await client.request("GET", URL)
    assert (b"x-stamp", b"1") in response.headers
    assert await response.text() == "hello"


async def test_an_answer_that_nobody_closes_is_told_of() -> None:
    app = Application()

    @app.on_http_request({"GET"}, "/{path}")
    async def hello(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return bytes_response(200, None, b"hello")

    async with client_of(app) as client:
        response = await client.request("GET", URL)
        with pytest.warns(ResourceWarning, match="neither read nor closed"):
            del response


async def test_a_disconnect_is_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Application()

    @app.on_http_request({"POST"}, "/{path}")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [], content

    async with (
        client_of(app) as client,
        asyncio.timeout(DEADLINE),
        client.request("POST", URL, None, chunks(b"1", b"2")) as response,
    ):
        await anext(aiter(response.body))
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_a_transport_can_be_entered_by_itself() -> None:
    events: list[str] = []
    async with AsgiTransport(counting_app(events)) as transport:
        response = await Client(transport=transport).request("GET", URL)
        assert await response.raw() == b"last"
    assert events == ["startup", "request {'db': 1}", "shutdown"]


async def test_a_message_that_nobody_knows_is_a_failure() -> None:
    response = await client_of(sending({"type": "nonsense"})).request("GET", URL)
    assert response.status == 500
    assert await response.text() == "Internal Server Error"


async def test_an_answer_to_head_that_ends_too_early_is_whole() -> None:
    async with client_of(sending(START)) as client:
        response = await client.request("HEAD", URL)
        assert response.status == 200
        assert await response.raw() == b""


async def test_closing_ends_what_does_not_care_that_its_client_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bareclient.transport.asgi.CLOSING_TIME", 0.05)
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            await asyncio.sleep(1000)
        finally:
            ended.set()

    async with asyncio.timeout(DEADLINE):
        async with client_of(app) as client, client.request("GET", URL):
            pass
        await ended.wait()
