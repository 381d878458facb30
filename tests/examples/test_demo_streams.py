"""What the demo sends as it happens: prices and trades, over everything there is."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bareutils import header

from bareasgi.testing import ClientSocket, Stream, http_stream, web_socket
from board.settings import Settings

from .demo_board import OpenBoard, damaged

ORDER = b'{"side": "buy", "symbol": "LUM", "quantity": 3}'


async def events(stream: Stream) -> AsyncIterator[dict[str, str]]:
    """The events of a stream, each as its fields; its first chunk is no event."""
    async for chunk in stream:
        lines = chunk.decode().strip().splitlines()
        fields = dict(line.split(": ", 1) for line in lines)
        if "data" in fields:
            yield fields


async def test_prices_are_all_told_at_first_and_then_those_that_change(
    house: OpenBoard,
) -> None:
    async with http_stream(house.app, "GET", "/prices") as stream:
        following = events(stream)
        snapshot = await anext(following)
        assert snapshot["event"] == "snapshot"
        stocks = json.loads(snapshot["data"])
        assert stocks == (await house.ask("GET", "/api/stocks")).json()
        kind = header.find(b"content-type", stream.headers)
        assert kind == b"text/event-stream"

        house.ticks.give(LUM="17.00", KELP="212.40")
        tick = await anext(following)
        assert tick["event"] == "tick"
        assert int(tick["id"]) == int(snapshot["id"]) + 1
        changes = json.loads(tick["data"])
        assert [each["symbol"] for each in changes] == ["KELP", "LUM"]
        assert changes[1] == {
            "symbol": "LUM",
            "price": "17.00",
            "change": "-4.76",
            "direction": "down",
            "time": "2026-11-22T09:30:03.000Z",
        }


async def test_a_reader_that_is_slow_gets_the_newest_price_only(
    house: OpenBoard,
) -> None:
    async with http_stream(house.app, "GET", "/prices") as stream:
        following = events(stream)
        await anext(following)
        for cents in range(10, 30):
            house.ticks.give(LUM=f"17.{cents}")
        await house.until_price("LUM", "17.29")
        # One may have been on its way while the others came.
        prices = [
            json.loads((await anext(following))["data"])[0]["price"] for _ in range(2)
        ]
        assert prices[-1] == "17.29"


async def shown(house: OpenBoard, name: str = "board_followers") -> list[str]:
    """What /metrics shows of one metric."""
    text = (await house.ask("GET", f"/metrics?name[]={name}")).text
    return [line for line in text.splitlines() if not line.startswith("#")]


async def test_it_is_counted_who_follows(house: OpenBoard) -> None:
    async with (
        http_stream(house.app, "GET", "/prices") as one,
        http_stream(house.app, "GET", "/prices") as other,
        web_socket(house.app, "/trades"),
    ):
        await anext(events(one))
        await anext(events(other))
        assert await shown(house) == [
            'board_followers{of="trades",over="socket"} 1.0',
            'board_followers{of="prices",over="events"} 2.0',
        ]
    assert await shown(house) == [
        'board_followers{of="trades",over="socket"} 0.0',
        'board_followers{of="prices",over="events"} 0.0',
    ]


async def test_orders_are_counted_by_what_became_of_them(house: OpenBoard) -> None:
    await house.order(ORDER)
    waiting = b'{"side": "sell", "symbol": "LUM", "quantity": 1, "limit": "99"}'
    await house.order(waiting)
    assert await shown(house, "board_orders_total") == [
        'board_orders_total{outcome="filled",side="buy"} 1.0',
        'board_orders_total{outcome="waiting",side="sell"} 1.0',
    ]


async def read_trades(socket: ClientSocket, count: int) -> list[int]:
    """The numbers of so many trades, in the order in which they came."""
    found: list[int] = []
    while len(found) < count:
        found += [trade["number"] for trade in json.loads(await socket.receive() or "")]
    return found


async def test_a_socket_gets_what_it_missed_and_then_each_trade(
    house: OpenBoard,
) -> None:
    for _ in range(3):
        await house.order(ORDER)
    async with web_socket(house.app, "/trades?after=1") as socket:
        assert await read_trades(socket, 2) == [2, 3]
        placed = (await house.order(ORDER)).json()
        (trade,) = json.loads(await socket.receive() or "")
        assert trade == placed["trade"]
        for _ in range(10):
            await house.order(ORDER)
        assert await read_trades(socket, 10) == [*range(5, 15)]


async def test_a_socket_without_a_number_begins_at_the_first_trade(
    house: OpenBoard,
) -> None:
    await house.order(ORDER)
    async with web_socket(house.app, "/trades") as socket:
        assert await read_trades(socket, 1) == [1]


async def test_what_a_socket_sends_is_not_listened_to(house: OpenBoard) -> None:
    async with web_socket(house.app, "/trades") as socket:
        await socket.send("hello")
        await house.order(ORDER)
        assert await read_trades(socket, 1) == [1]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/trades", [(b"origin", b"http://evil.example")], 403),
        ("/trades?after=x", [], 400),
        ("/trades?after=-1", [], 400),
    ],
)
async def test_a_socket_of_another_page_or_with_a_wrong_number_is_refused(
    house: OpenBoard,
    path: str,
    headers: Sequence[tuple[bytes, bytes]],
    status: int,
) -> None:
    async with web_socket(house.app, path, headers=headers) as socket:
        assert not socket.is_accepted
        assert socket.response.status == status


async def test_trades_as_events_go_on_after_the_last_that_a_reader_has(
    house: OpenBoard,
) -> None:
    for _ in range(3):
        await house.order(ORDER)
    async with http_stream(house.app, "GET", "/trades?after=1") as stream:
        following = events(stream)
        assert [(await anext(following))["id"] for _ in range(2)] == ["2", "3"]
    back = [(b"last-event-id", b"2")]
    async with http_stream(house.app, "GET", "/trades", headers=back) as stream:
        following = events(stream)
        event = await anext(following)
        assert (event["id"], event["event"]) == ("3", "trade")
        placed = (await house.order(ORDER)).json()
        assert json.loads((await anext(following))["data"]) == placed["trade"]


@pytest.mark.parametrize("last", [b"x", b"", b"-1", b"1.5", b"9" * 99, b"\xd9\xa1"])
async def test_an_id_that_is_no_trade_is_refused(house: OpenBoard, last: bytes) -> None:
    headers = [(b"last-event-id", last)]
    assert (await house.ask("GET", "/trades", headers=headers)).status == 400


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that remembers one trade, and reads those before it from the store."""
    monkeypatch.setattr("board.journal.KEPT", 1)


async def test_a_database_that_is_away_ends_what_needs_it_until_it_is_back(
    short_memory: None, house: OpenBoard, settings: Settings
) -> None:
    for _ in range(3):
        await house.order(ORDER)
    following = house.board.journal.after(2)
    await anext(following)
    async with damaged(settings.database):
        async with web_socket(house.app, "/trades") as socket:
            assert await socket.receive() is None
            assert socket.code == 1013
        async with http_stream(house.app, "GET", "/trades") as stream:
            assert [event async for event in events(stream)] == []
    async with web_socket(house.app, "/trades") as socket:
        assert await read_trades(socket, 3) == [1, 2, 3]


@asynccontextmanager
async def subscribed(house: OpenBoard, query: str) -> AsyncIterator[ClientSocket]:
    """A socket of GraphQL with one subscription, whose source has begun."""
    protocols = ["graphql-transport-ws"]
    path = "/graphql"
    async with web_socket(house.app, path, subprotocols=protocols) as socket:
        await socket.send('{"type": "connection_init"}')
        await socket.receive()
        message = {"id": "1", "type": "subscribe", "payload": {"query": query}}
        await socket.send(json.dumps(message))
        await until_followed(house)
        yield socket


async def until_followed(house: OpenBoard) -> None:
    """Wait until a subscription has begun."""
    async with asyncio.timeout(10):
        while True:
            if any('over="graphql"} 1.0' in line for line in await shown(house)):
                return
            await asyncio.sleep(0)


async def result(socket: ClientSocket) -> Any:
    """What the next message has as its data."""
    return json.loads(await socket.receive() or "")["payload"]["data"]


async def test_graphql_follows_the_prices_of_some_stocks(house: OpenBoard) -> None:
    query = 'subscription { ticks(symbols: ["LUM"]) { symbol price change time } }'
    async with subscribed(house, query) as socket:
        house.ticks.give(KELP="1.00")
        house.ticks.give(LUM="17.00", OTTR="1.00")
        (tick,) = (await result(socket))["ticks"]
        assert tick == {
            "symbol": "LUM",
            "price": "17.00",
            "change": "-4.76",
            "time": "2026-11-22T09:30:04.000Z",
        }


async def test_graphql_follows_the_trades_from_a_number_on(house: OpenBoard) -> None:
    for _ in range(2):
        await house.order(ORDER)
    query = "subscription { trades(after: 1) { number symbol side quantity } }"
    async with subscribed(house, query) as socket:
        expected = {"symbol": "LUM", "side": "buy", "quantity": 3}
        assert await result(socket) == {"trades": {"number": 2, **expected}}
        await house.order(ORDER)
        assert await result(socket) == {"trades": {"number": 3, **expected}}
