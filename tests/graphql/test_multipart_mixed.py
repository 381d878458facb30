"""Results as the parts of a multipart response."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.testing import http_request, http_stream
from bareasgi_graphql.multipart_mixed import (
    BY_IDENTITY,
    BY_PLACE,
    SUBSCRIPTION,
    incremental_type,
    multipart_response,
    subscription_response,
    subscription_type,
)
from bareasgi_graphql.response import EVENT_STREAM

SHORT = 0.02  # seconds: a time that is meant to pass
MASKED = {"message": "Internal Server Error"}
DELIMITER = b"\r\n---\r\n"
GRAPHQL = b"\r\n--graphql\r\n"
TYPE = b"content-type: application/json\r\n\r\n"
BEAT = TYPE + b"{}" + GRAPHQL
OPENING = GRAPHQL + BEAT
ENDING = TYPE + b"{}\r\n--graphql--\r\n"

Result = dict[str, Any]


class Results:
    """Results that a test gives, and what became of them.

    Attributes:
        given: the results; None is waited at, until the gate is opened.
        asked: how many were asked for.
        closed: how often they were closed.
        tasks: in which they ran.
        gate: lets those go on that wait.
        reached: set when they wait.
    """

    def __init__(self, *given: Result | None) -> None:
        self.given = given
        self.asked = 0
        self.closed = 0
        self.tasks: set[object] = set()
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        self._results = self._give()

    def __aiter__(self) -> AsyncIterator[Result]:
        return self._results

    async def aclose(self) -> None:
        self.closed += 1
        await self._results.aclose()

    async def _give(self) -> AsyncGenerator[Result, None]:
        for result in self.given:
            self.asked += 1
            self.tasks.add(asyncio.current_task())
            if result is None:
                self.reached.set()
                await self.gate.wait()
            else:
                yield result
        self.tasks.add(asyncio.current_task())


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()


def serving(respond: Callable[[], HttpResponse]) -> Application:
    app = Application()

    @app.on_http_request({"GET", "HEAD"}, "/")
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return respond()

    return app


def part(value: object, ending: bytes = DELIMITER) -> bytes:
    return TYPE + json.dumps(value).encode() + ending


def event(value: object) -> bytes:
    return part(value, GRAPHQL)


# Which type


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        ("", None),
        ("*/*", None),
        ("application/json, */*;q=0.1", None),
        ("text/*", None),
        ("multipart/form-data", None),
        ("multipart/mixed", BY_PLACE),
        ("Multipart/Mixed", BY_PLACE),
        ("multipart/*", BY_PLACE),
        ("multipart/mixed;deferSpec=20220824", BY_PLACE),
        ('multipart/mixed; deferSpec="20220824", application/json', BY_PLACE),
        ('multipart/mixed; boundary="-"; deferSpec=20220824', BY_PLACE),
        ("multipart/mixed;boundary=graphql;deferSpec=20220824", BY_PLACE),
        ("multipart/mixed;deferSpec=20991231", None),
        ("multipart/mixed;incrementalSpec=v0.2", BY_IDENTITY),
        ('application/json;q=0.9,multipart/mixed;incrementalSpec="v0.2"', BY_IDENTITY),
        ("multipart/mixed, multipart/mixed;incrementalSpec=v0.2", BY_IDENTITY),
        ("multipart/mixed;incrementalSpec=v0.2;q=0.5, multipart/mixed", BY_PLACE),
        ("multipart/mixed;incrementalSpec=v9", None),
        ("multipart/mixed;subscriptionSpec=1.0", None),
        ("multipart/mixed;q=0", None),
        ("text/event-stream", EVENT_STREAM),
        ("text/event-stream, multipart/mixed", BY_PLACE),
        ("text/event-stream, multipart/mixed;q=0.9", EVENT_STREAM),
        ("text/event-stream, multipart/mixed;incrementalSpec=v0.2", BY_IDENTITY),
    ],
)
def test_an_incremental_result_has_a_type_that_the_client_names(
    accept: str | None, expected: bytes | None
) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert incremental_type(headers) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, EVENT_STREAM),
        ("*/*", EVENT_STREAM),
        ("text/event-stream", EVENT_STREAM),
        ("application/json", None),
        ("multipart/mixed", None),
        ("multipart/mixed;subscriptionSpec=1.0", SUBSCRIPTION),
        (
            "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
            SUBSCRIPTION,
        ),
        (
            'multipart/mixed; boundary="graphql"; subscriptionSpec="1.0"',
            SUBSCRIPTION,
        ),
        ('multipart/mixed;boundary="-";subscriptionSpec=1.0', SUBSCRIPTION),
        ("multipart/mixed;subscriptionSpec=2.0", None),
        ("multipart/mixed;subscriptionSpec=1.0;q=0", None),
        ("multipart/mixed;subscriptionSpec=1.0, text/event-stream", SUBSCRIPTION),
        ("text/event-stream, multipart/mixed;subscriptionSpec=1.0", EVENT_STREAM),
    ],
)
def test_a_subscription_has_the_type_that_the_client_likes_best(
    accept: str | None, expected: bytes | None
) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert subscription_type(headers) == expected


def test_several_lines_of_the_field_are_one_list() -> None:
    headers = [
        (b"accept", b"application/json"),
        (b"accept", b"multipart/mixed;incrementalSpec=v0.2"),
    ]
    assert incremental_type(headers) == BY_IDENTITY


# Incremental results


@pytest.mark.parametrize("media_type", [BY_IDENTITY, BY_PLACE])
async def test_each_payload_is_a_part_with_the_delimiter_that_follows_it(
    media_type: bytes,
) -> None:
    first = {"data": {"a": 1}, "hasNext": True}
    second = {"hasNext": True}
    last = {"hasNext": False}
    results = Results(first, None, second, last, {"hasNext": True})
    app = serving(lambda: multipart_response(results, media_type))
    async with http_stream(app, "GET", "/") as stream:
        chunks = [await stream.chunk(), await stream.chunk()]
        assert chunks == [DELIMITER, part(first)]
        results.gate.set()
        chunks = [chunk async for chunk in stream]
    assert chunks == [part(second), part(last, b"\r\n-----\r\n")]
    assert stream.status == 200
    headers = dict(stream.headers)
    assert headers[b"content-type"] == media_type
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-accel-buffering"] == b"no"
    assert results.asked == 4
    assert results.closed >= 1


async def test_a_payload_that_says_nothing_of_others_is_the_last() -> None:
    refusal = {"errors": [{"message": "no"}]}
    app = serving(lambda: multipart_response(Results(refusal, refusal), BY_PLACE))
    response = await http_request(app, "GET", "/")
    assert response.chunks == [DELIMITER, part(refusal, b"\r\n-----\r\n")]


async def test_a_result_without_its_last_payload_does_not_look_complete() -> None:
    payload = {"data": {}, "hasNext": True}
    app = serving(lambda: multipart_response(Results(payload), BY_PLACE))
    response = await http_request(app, "GET", "/")
    assert response.chunks == [DELIMITER, part(payload)]


async def test_a_payload_that_is_no_json_ends_the_result_masked_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    results = Results({"data": object(), "hasNext": True}, {"hasNext": False})
    app = serving(lambda: multipart_response(results, BY_PLACE))
    response = await http_request(app, "GET", "/")
    masked = {"errors": [MASKED], "hasNext": False}
    assert response.chunks == [DELIMITER, part(masked, b"\r\n-----\r\n")]
    assert "not JSON serializable" in caplog.text
    assert results.asked == 1
    assert results.closed >= 1


async def test_the_application_s_own_dumps_writes_the_parts() -> None:
    def dumps(value: object) -> bytes:
        return b"[%d]" % len(str(value))

    app = serving(lambda: multipart_response(Results({"a": 1}), BY_PLACE, dumps=dumps))
    response = await http_request(app, "GET", "/")
    assert response.chunks[1] == TYPE + b"[8]\r\n-----\r\n"


async def test_results_are_closed_though_nothing_of_them_is_sent() -> None:
    payloads, results = Results({"hasNext": False}), Results({"data": {}})
    for respond in (
        lambda: multipart_response(payloads, BY_PLACE),
        lambda: subscription_response(results),
    ):
        await http_request(serving(respond), "HEAD", "/")
    assert (payloads.asked, payloads.closed) == (0, 1)
    assert (results.asked, results.closed) == (0, 1)


@pytest.mark.parametrize("is_subscription", [False, True])
async def test_a_client_that_leaves_closes_the_results_at_once(
    *, is_subscription: bool
) -> None:
    results = Results({"data": {}, "hasNext": True}, None)
    app = serving(
        lambda: (
            subscription_response(results)
            if is_subscription
            else multipart_response(results, BY_IDENTITY)
        )
    )
    async with http_stream(app, "GET", "/") as stream:
        await stream.chunk()
        await stream.chunk()
        async with asyncio.timeout(10):
            await results.reached.wait()
        stream.leave()
        await stream.finished()
        assert results.closed >= 1


# Subscriptions


async def test_each_result_is_in_an_envelope_between_two_empty_parts() -> None:
    first = {"data": {"count": 1}}
    second = {"data": None, "errors": [{"message": "no", "path": ["count"]}]}
    results = Results(first, second)
    app = serving(lambda: subscription_response(results))
    response = await http_request(app, "GET", "/")
    assert dict(response.headers)[b"content-type"] == SUBSCRIPTION
    assert response.chunks == [
        OPENING,
        event({"payload": first}),
        event({"payload": second}),
        ENDING,
    ]
    assert results.closed >= 1


async def test_the_client_is_connected_before_there_is_a_result() -> None:
    app = serving(lambda: subscription_response(Results(None)))
    async with http_stream(app, "GET", "/") as stream:
        assert await stream.chunk() == OPENING


async def test_hearts_beat_while_there_is_no_result_and_the_source_goes_on() -> None:
    results = Results({"data": 1}, None, {"data": 2})
    app = serving(lambda: subscription_response(results, heartbeat=SHORT))
    async with http_stream(app, "GET", "/") as stream:
        assert await stream.chunk() == OPENING
        chunks = [await stream.chunk() for _ in range(4)]
        chunks = [chunk for chunk in chunks if chunk != BEAT]
        assert chunks == [event({"payload": {"data": 1}})]
        results.gate.set()
        chunks = [chunk async for chunk in stream if chunk != BEAT]
    assert chunks == [event({"payload": {"data": 2}}), ENDING]
    assert len(results.tasks) == 1


async def test_without_heartbeats_nothing_is_sent_but_results() -> None:
    results = Results(None, {"data": 1})
    app = serving(lambda: subscription_response(results, heartbeat=None))
    async with http_stream(app, "GET", "/") as stream:
        assert await stream.chunk() == OPENING
        results.gate.set()
        assert await stream.chunk() == event({"payload": {"data": 1}})


async def test_a_result_is_asked_for_when_the_one_before_was_sent() -> None:
    results = Results(*[{"data": number} for number in range(1000)])
    app = serving(lambda: subscription_response(results))
    async with http_stream(app, "GET", "/") as stream:
        for _ in range(11):
            await stream.chunk()
        await stream.blocked()
        for _ in range(20):
            await asyncio.sleep(0)
        assert 9 <= results.asked <= 13


async def test_a_source_that_failed_is_an_error_of_the_transport() -> None:
    failed = {
        "message": "no",
        "path": ["count"],
        "locations": [],
        "extensions": {"a": 1},
    }
    results = Results({"data": 1}, {"errors": [failed]})
    app = serving(lambda: subscription_response(results))
    response = await http_request(app, "GET", "/")
    assert response.chunks == [
        OPENING,
        event({"payload": {"data": 1}}),
        event({"payload": None, "errors": [{"message": "no", "extensions": {"a": 1}}]}),
        ENDING,
    ]


async def test_a_result_that_is_no_json_ends_the_subscription_masked_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    results = Results({"data": object()}, {"data": 1})
    app = serving(lambda: subscription_response(results))
    response = await http_request(app, "GET", "/")
    assert response.chunks == [
        OPENING,
        event({"payload": None, "errors": [MASKED]}),
        ENDING,
    ]
    assert "not JSON serializable" in caplog.text
    assert results.asked == 1


async def test_results_that_raise_are_masked_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing() -> AsyncGenerator[Result, None]:
        yield {"data": 1}
        raise ValueError("the secret of the source")

    app = serving(lambda: subscription_response(failing()))
    response = await http_request(app, "GET", "/")
    assert response.chunks[1:] == [
        event({"payload": {"data": 1}}),
        event({"payload": None, "errors": [MASKED]}),
        ENDING,
    ]
    assert "the secret of the source" in caplog.text


async def test_draining_cuts_a_subscription_and_closes_its_source() -> None:
    results = Results(None)
    app = serving(lambda: subscription_response(results))
    async with http_stream(app, "GET", "/") as stream:
        assert await stream.chunk() == OPENING
        async with asyncio.timeout(10):
            await results.reached.wait()
        await app.drain(10)
        await stream.finished()
        assert results.closed >= 1
