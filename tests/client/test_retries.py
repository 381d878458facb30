"""What is made again, when, and how long after."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from h2.errors import ErrorCodes

from bareasgi import HttpResponse, bytes_reader, bytes_writer
from bareclient import (
    Client,
    ClientError,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    DecodingError,
    NetworkTransport,
    PoolTimeoutError,
    ProtocolError,
    ReadError,
    ReadTimeoutError,
    RefusedError,
    StreamResetError,
    WriteError,
    WriteTimeoutError,
    retries,
)

from .applications import chunks
from .peers import DEADLINE, Http2, answer, answers, listening, listening_http2

NEVER_BEGUN = [ConnectError, ConnectTimeoutError, RefusedError]
BROKEN = [
    CutError,
    ReadError,
    ReadTimeoutError,
    StreamResetError,
    WriteError,
    WriteTimeoutError,
]
OTHERS = [PoolTimeoutError, ProtocolError, DecodingError]


class Server:
    """A transport that fails, or answers, in turn."""

    def __init__(self, *turns: type[ClientError] | HttpResponse) -> None:
        self.turns = [*turns]
        self.contents: list[bytes] = []

    async def __call__(
        self, scope: Any, info: Any, matches: Any, content: Any
    ) -> HttpResponse:
        turn = self.turns.pop(0)
        if isinstance(turn, type) and issubclass(turn, NotBegunError):
            raise turn.error
        self.contents.append(await bytes_reader(content))
        if isinstance(turn, type):
            raise turn("a fault")
        return turn

    async def ask(
        self, method: str = "GET", headers: Any = None, content: Any = None, **how: Any
    ) -> int:
        middleware = retries(**{"attempts": 2, "backoff": 0.0, **how})
        client = Client(transport=self, middlewares=[middleware])
        response = await client.request(method, "http://h/", headers, content)
        return response.status


class NotBegunError(ClientError):
    """Stands for a fault before any content was read."""

    error = ConnectError("a fault")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("error", NEVER_BEGUN)
async def test_what_was_never_begun_is_made_again_whatever_it_is(
    error: type[ClientError], method: str
) -> None:
    assert await Server(error, error, 204).ask(method, None, b"1") == 204


@pytest.mark.parametrize("error", BROKEN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
async def test_what_broke_is_made_again_if_it_may_happen_twice(
    error: type[ClientError], method: str
) -> None:
    server = Server(error, 204)
    assert await server.ask(method, None, b"1") == 204
    assert server.contents == [b"1", b"1"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("error", BROKEN)
async def test_what_broke_is_not_made_again_if_it_may_not(
    error: type[ClientError], method: str
) -> None:
    server = Server(error, 204)
    with pytest.raises(error):
        await server.ask(method)
    assert server.turns == [204]


async def test_a_key_makes_any_method_idempotent() -> None:
    key = [(b"idempotency-key", b'"1"')]
    assert await Server(CutError, 503, 204).ask("POST", key) == 204


@pytest.mark.parametrize("error", OTHERS)
async def test_other_faults_would_only_come_back(error: type[ClientError]) -> None:
    with pytest.raises(error):
        await Server(error, 204).ask()


async def test_the_last_fault_is_raised() -> None:
    with pytest.raises(ReadError):
        await Server(CutError, CutError, ReadError, 204).ask()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_status_that_may_pass_is_asked_again(status: int) -> None:
    assert await Server(status, status, 204).ask() == 204
    assert await Server(status, 204).ask("POST") == status
    assert await Server(status, status, status, 204).ask() == status


@pytest.mark.parametrize("status", [200, 400, 404, 408, 500, 501])
async def test_other_statuses_are_the_answer(status: int) -> None:
    assert await Server(status, 204).ask() == status


async def test_a_stream_that_has_begun_is_not_made_again() -> None:
    with pytest.raises(CutError):
        await Server(CutError, 204).ask("PUT", None, chunks(b"1"))
    assert await Server(503, 204).ask("PUT", None, chunks(b"1")) == 503


async def test_a_stream_that_has_not_begun_is_sent() -> None:
    server = Server(NotBegunError, 204)
    assert await server.ask("POST", None, chunks(b"1")) == 204
    assert server.contents == [b"1"]


async def test_a_stream_that_starts_afresh_is_made_again() -> None:
    server = Server(CutError, 204)
    assert await server.ask("PUT", None, bytes_writer(b"12", 1)) == 204
    assert server.contents == [b"12", b"12"]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits in these tests: the pauses are counted."""
    passed: list[float] = []
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pause(seconds: float) -> None:
        passed.append(seconds)
        await sleep(0)

    monkeypatch.setattr("bareclient.middleware.retries.asyncio.sleep", pause)
    return passed


def busy(retry_after: bytes) -> HttpResponse:
    return 503, [(b"retry-after", retry_after)]


async def test_the_pause_is_what_the_server_asks_for(pauses: list[float]) -> None:
    assert await Server(busy(b"3"), busy(b"0"), 204).ask() == 204
    assert pauses == [3.0, 0.0]


async def test_the_server_may_name_a_date(pauses: list[float]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    past = b"Wed, 21 Oct 2015 07:28:00 GMT"
    assert await Server(busy(soon.encode()), busy(past), 204).ask() == 204
    assert 10 < pauses[0] <= 20
    assert pauses[1] == 0.0


async def test_a_date_without_a_zone_is_in_utc(pauses: list[float]) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=20)
    text = soon.strftime("%a, %d %b %Y %H:%M:%S -0000").encode()
    assert await Server(busy(text), 204).ask() == 204
    assert 10 < pauses[0] <= 20


@pytest.mark.parametrize("value", [b"soon", b"-1", b"1.5", b"", b"\xff"])
async def test_nonsense_is_no_pause_of_the_servers(
    value: bytes, pauses: list[float]
) -> None:
    assert await Server(busy(value), 204).ask() == 204
    assert pauses == [0.0]


async def test_a_pause_that_is_too_long_is_the_answer(pauses: list[float]) -> None:
    assert await Server(busy(b"31"), 204).ask() == 503
    assert await Server(busy(b"9" * 5000), 204).ask() == 503
    assert await Server(busy(b"31"), 204).ask(longest=31) == 204
    assert pauses == [31.0]


async def test_the_pause_doubles_and_varies(pauses: list[float]) -> None:
    server = Server(CutError, CutError, CutError, 204)
    assert await server.ask(attempts=3, backoff=1.0) == 204
    for pause, longest in zip(pauses, [1, 2, 4], strict=True):
        assert longest / 2 <= pause <= longest


@pytest.mark.parametrize(
    "how", [{"attempts": -1}, {"backoff": -0.1}, {"longest": -1.0}]
)
def test_negative_numbers_are_refused(how: Any) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        retries(**how)


async def test_a_client_retries_when_asked_to() -> None:
    replies = answers(answer(503, b"busy", b"retry-after: 0"), answer(200, b"there"))
    async with listening(replies) as peer:
        async with Client(retries=1) as client, asyncio.timeout(DEADLINE):
            response = await client.request("GET", peer.url)
            assert await response.text() == "there"
        assert peer.connections == 1


async def test_a_post_is_made_again_after_a_refused_stream() -> None:
    async def script(http2: Http2, stream_id: int) -> None:
        if stream_id == 1:
            http2.state.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            await http2.flush()
        else:
            await http2.send(stream_id, body=b"".join(http2.data[stream_id]))

    async with listening_http2(script) as peer:
        client = Client(retries=1, transport=NetworkTransport(http1=False))
        async with client, asyncio.timeout(DEADLINE):
            response = await client.request("POST", peer.url, None, b"once")
            assert await response.text() == "once"


async def test_a_stream_is_not_lost_to_a_connection_that_goes_away() -> None:
    received: list[bytes] = []

    async def script(http2: Http2, stream_id: int) -> None:
        if http2.peer.connections == 1:
            http2.state.close_connection(last_stream_id=0)
            await http2.flush()
        else:
            received.extend(http2.data[stream_id])
            await http2.send(stream_id)

    async with listening_http2(script) as peer:
        client = Client(retries=2, transport=NetworkTransport(http1=False))
        async with client, asyncio.timeout(DEADLINE):
            with pytest.raises(RefusedError):
                await client.request("POST", peer.url, None, chunks(b"1", b"2"))
    assert received == []


async def test_a_stream_waits_for_a_server_that_comes_up() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        client = Client(middlewares=[retries(1, backoff=0.0)])
        with pytest.raises(ConnectError):
            await client.request("POST", url, None, chunks(b"1", b"2"))
