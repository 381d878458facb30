"""The demo's REST API and GraphQL: right answers, and errors that say what is wrong."""

import asyncio
import json
from typing import Any

import pytest
from bareutils import header

from bareasgi.testing import Response
from board.settings import Settings

from .demo_board import JSON, OpenBoard, damaged

KEY = "3f0c1f80-1111-4222-8333-444455556666"
ORDER = b'{"side": "buy", "symbol": "LUM", "quantity": 3}'
WAITING = json.dumps(
    {"key": KEY, "side": "buy", "symbol": "LUM", "quantity": 3, "limit": "1.00"}
).encode()


def problem(response: Response, status: int) -> Any:
    """What the details of a problem say."""
    kinds = header.find_all(b"content-type", response.headers)
    assert (response.status, kinds) == (status, [b"application/problem+json"])
    told = response.json()
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    return told


async def test_stocks_are_listed_with_price_and_change(house: OpenBoard) -> None:
    stocks = (await house.ask("GET", "/api/stocks")).json()
    assert len(stocks) == 6
    assert stocks[0] == {
        "symbol": "ALDR",
        "name": "Alder & Finch Paper",
        "price": "100.00",
        "opening": "101.25",
        "change": "-1.23",
        "direction": "down",
        "time": "2026-11-22T09:30:02.000Z",
    }
    assert stocks[1]["direction"] == "flat"
    house.ticks.give(LUM="20.00")
    await house.until_price("LUM", "20.00")
    stock = (await house.ask("GET", "/api/stocks/LUM")).json()
    assert (stock["price"], stock["direction"]) == ("20.00", "up")


async def test_the_prices_of_the_last_minutes_are_columns_of_one_length(
    house: OpenBoard,
) -> None:
    answer = (await house.ask("GET", "/api/prices")).json()
    assert answer["times"] == ["2026-11-22T09:30:01.000Z", "2026-11-22T09:30:02.000Z"]
    assert answer["prices"]["ALDR"] == ["99.00", "100.00"]
    assert answer["prices"]["LUM"] == ["17.85", "17.85"]
    assert len(answer["prices"]) == 6


async def test_an_order_is_filled_found_again_and_among_the_trades(
    house: OpenBoard,
) -> None:
    created = await house.order(ORDER)
    assert created.status == 201
    order = created.json()
    assert (order["status"], order["limit"]) == ("filled", None)
    assert order["trade"]["price"] == "17.85"
    path = header.find(b"location", created.headers).decode()
    assert path == f"/api/orders/{order['key']}"
    assert (await house.ask("GET", path)).json() == order
    assert (await house.ask("GET", "/api/trades")).json() == [order["trade"]]


async def test_an_order_that_is_sent_again_is_answered_again_and_traded_once(
    house: OpenBoard,
) -> None:
    first = await house.order(WAITING)
    again = await house.order(WAITING)
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()


async def test_a_key_is_not_taken_for_another_order(house: OpenBoard) -> None:
    await house.order(WAITING)
    other = WAITING.replace(b'"quantity": 3', b'"quantity": 4')
    told = problem(await house.order(other), 422)
    assert [each["field"] for each in told["errors"]] == ["key"]


async def test_an_order_waits_for_its_price_and_is_filled_then(
    house: OpenBoard,
) -> None:
    assert (await house.order(WAITING)).json()["status"] == "waiting"
    following = house.board.journal.after(0)
    house.ticks.give(LUM="0.95")
    (trade,) = await anext(following)
    order = (await house.ask("GET", f"/api/orders/{KEY}")).json()
    assert order["status"] == "filled"
    assert order["trade"]["price"] == "0.95"
    assert order["trade"]["number"] == trade.number == 1
    refused = await house.ask("DELETE", f"/api/orders/{KEY}")
    assert problem(refused, 409)["detail"] == "The order is filled already."


async def test_an_order_that_waits_is_cancelled_once_and_again(
    house: OpenBoard,
) -> None:
    await house.order(WAITING)
    for _ in range(2):
        assert (await house.ask("DELETE", f"/api/orders/{KEY}")).status == 204
    order = (await house.ask("GET", f"/api/orders/{KEY}")).json()
    assert order["status"] == "cancelled"


async def test_trades_are_read_from_a_number_on(house: OpenBoard) -> None:
    for _ in range(5):
        await house.order(ORDER)

    async def numbers(query: str) -> list[int]:
        trades = (await house.ask("GET", f"/api/trades{query}")).json()
        return [trade["number"] for trade in trades]

    assert await numbers("") == [1, 2, 3, 4, 5]
    assert await numbers("?after=2&limit=2") == [3, 4]
    assert await numbers("?after=5") == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/stocks/XXX", 404),
        ("GET", "/api/stocks/lum", 404),
        ("GET", f"/api/orders/{KEY}", 404),
        ("DELETE", f"/api/orders/{KEY}", 404),
        ("GET", "/api/orders/12", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/", 404),
        ("PATCH", "/api/orders", 405),
        ("POST", "/api/stocks", 405),
        ("GET", "/api/trades?limit=0", 400),
        ("GET", "/api/trades?limit=501", 400),
        ("GET", "/api/trades?after=x", 400),
        ("GET", "/api/trades?after=-1", 400),
        ("GET", "/api/trades?after=1e3", 400),
        ("GET", "/api/trades?after=%d9%a1", 400),
        ("GET", f"/api/trades?after={'9' * 30}", 400),
    ],
)
async def test_every_error_below_api_is_a_problem(
    house: OpenBoard, method: str, path: str, status: int
) -> None:
    problem(await house.ask(method, path), status)


async def test_a_method_that_is_not_allowed_is_told_what_is(house: OpenBoard) -> None:
    refused = await house.ask("PUT", "/api/orders")
    assert header.find(b"allow", refused.headers) == b"POST"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"null", 400),
        (b"\xff", 400),
        (b"[" * 9_000, 400),
        (b'"' + b"x" * 10_000 + b'"', 413),
        (b"{}", 422),
    ],
)
async def test_what_is_no_order_is_a_problem(
    house: OpenBoard, content: bytes, status: int
) -> None:
    problem(await house.order(content), status)


async def test_what_is_wrong_with_an_order_is_told_field_by_field(
    house: OpenBoard,
) -> None:
    bad = b'{"side": "hold", "symbol": "LUM", "quantity": 0, "limit": 1.5}'
    told = problem(await house.order(bad), 422)
    assert [each["field"] for each in told["errors"]] == ["side", "quantity", "limit"]
    assert all(each["message"] for each in told["errors"])


@pytest.mark.parametrize(
    "kind", [None, b"text/plain", b"application/x-www-form-urlencoded", b""]
)
async def test_an_order_of_another_type_is_refused(
    house: OpenBoard, kind: bytes | None
) -> None:
    headers = [] if kind is None else [(b"content-type", kind)]
    path = "/api/orders"
    refused = await house.ask("POST", path, headers=headers, content=ORDER)
    problem(refused, 415)


async def test_a_type_may_have_parameters_and_capitals(house: OpenBoard) -> None:
    headers = [(b"content-type", b"Application/JSON; charset=utf-8")]
    path = "/api/orders"
    taken = await house.ask("POST", path, headers=headers, content=ORDER)
    assert taken.status == 201


async def test_while_the_database_is_away_clients_are_told_to_come_back(
    house: OpenBoard, settings: Settings
) -> None:
    async with damaged(settings.database):
        for refused in (
            await house.order(ORDER),
            await house.ask("GET", "/api/trades"),
        ):
            told = problem(refused, 503)
            assert told["detail"] == "The database cannot be used at the moment."
            assert header.find(b"retry-after", refused.headers) == b"1"
        page = await house.ask("GET", "/")
        assert (page.status, page.text) == (503, told["detail"])
        # Prices do not need it.
        house.ticks.give(LUM="18.00")
        await house.until_price("LUM", "18.00")
        answer = await graphql(house, "{ trades { number } }")
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert (await house.order(ORDER)).status == 201


async def test_orders_that_could_not_be_filled_are_filled_when_the_database_is_back(
    house: OpenBoard, settings: Settings
) -> None:
    await house.order(WAITING)
    async with damaged(settings.database):
        house.ticks.give(LUM="0.95")
        await house.until_price("LUM", "0.95")
        house.ticks.give(KELP="1.00")
        await house.until_price("KELP", "1.00")
    # Its own price does not change again.
    house.ticks.give(KELP="2.00")
    following = house.board.journal.after(0)
    async with asyncio.timeout(10):
        (trade,) = await anext(following)
    assert (trade.symbol, str(trade.price)) == ("LUM", "0.95")


async def graphql(house: OpenBoard, query: str, **variables: object) -> Any:
    content = json.dumps({"query": query, "variables": variables}).encode()
    asked = await house.ask("POST", "/graphql", headers=[JSON], content=content)
    return asked.json()


async def test_graphql_answers_over_the_same_data(house: OpenBoard) -> None:
    placed = (await house.order(ORDER)).json()
    query = """query ($key: ID!) {
        stocks { symbol name price opening change time }
        stock(symbol: "LUM") { symbol }
        missing: stock(symbol: "XXX") { symbol }
        trades(first: 1) { number time symbol side quantity price key }
        none: trades(after: 1) { number }
        order(key: $key) { key status limit trade { number } }
        unknown: order(key: "3f0c1f80-1111-4222-8333-444455556666") { key }
        odd: order(key: "x") { key }
    }"""
    data = (await graphql(house, query, key=placed["key"]))["data"]
    stocks = (await house.ask("GET", "/api/stocks")).json()
    for stock in stocks:
        del stock["direction"]
    assert data == {
        "stocks": stocks,
        "stock": {"symbol": "LUM"},
        "missing": None,
        "trades": [placed["trade"]],
        "none": [],
        "order": {
            "key": placed["key"],
            "status": "filled",
            "limit": None,
            "trade": {"number": 1},
        },
        "unknown": None,
        "odd": None,
    }


PLACE = """mutation ($input: OrderInput!) {
    placeOrder(input: $input) { key status limit trade { number price } }
}"""


async def test_graphql_places_orders_once(house: OpenBoard) -> None:
    order = {"key": KEY, "side": "buy", "symbol": "LUM", "quantity": 2}
    for _ in range(2):
        data = (await graphql(house, PLACE, input=order))["data"]
        assert data["placeOrder"] == {
            "key": KEY,
            "status": "filled",
            "limit": None,
            "trade": {"number": 1, "price": "17.85"},
        }
    assert len((await house.ask("GET", "/api/trades")).json()) == 1


async def test_graphql_tells_what_is_wrong_with_an_order(house: OpenBoard) -> None:
    order = {"side": "buy", "symbol": "XXX", "quantity": 0, "limit": "x"}
    (error,) = (await graphql(house, PLACE, input=order))["errors"]
    assert error["extensions"]["code"] == "BAD_ORDER"
    assert error["extensions"]["fields"].keys() == {"symbol", "quantity", "limit"}
    assert error["message"] == "The order cannot be taken as it is."


@pytest.mark.parametrize("first", [0, -1, 501])
async def test_graphql_gives_no_more_trades_than_it_may(
    house: OpenBoard, first: int
) -> None:
    (error,) = (await graphql(house, f"{{ trades(first: {first}) {{ key }} }}"))[
        "errors"
    ]
    assert error["message"] == "first must be from 1 to 500"
