"""The REST API: stocks, prices, trades and orders as JSON, below /api."""

import json
from typing import Any, Final, cast

from bareutils import header

from bareasgi import (
    Content,
    Headers,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    json_response,
    text_reader,
)
from board.clock import time_text
from board.money import price_text
from board.orders import OrderError, order_from_json
from board.problems import problem
from board.query import number_parameter
from board.state import board_from
from board.views import order_view, stock_view, trade_view

JSON: Final = b"application/json"
HEADERS: Final[Headers] = [(b"cache-control", b"no-store")]
LARGEST_BODY: Final = 10_000
"""Bytes. An order has far less than a thousand."""


async def list_stocks(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """All stocks with their prices now."""
    quotes = board_from(info).market.quotes.values()
    return json_response(200, HEADERS, [stock_view(quote) for quote in quotes])


async def show_stock(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """One stock."""
    quote = board_from(info).market.quotes.get(matches["symbol"])
    if quote is None:
        return problem(404, "There is no such stock.")
    return json_response(200, HEADERS, stock_view(quote))


async def list_prices(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The prices of the last minutes, in columns, as a chart takes them."""
    market = board_from(info).market
    history = [*market.history]
    columns = {
        symbol: [price_text(tick.prices[symbol]) for tick in history]
        for symbol in market.quotes
    }
    times = [time_text(tick.time) for tick in history]
    return json_response(200, HEADERS, {"times": times, "prices": columns})


async def list_trades(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The trades after a number, the oldest first: ?after=0&limit=100."""
    after = number_parameter(scope, "after", 0)
    limit = number_parameter(scope, "limit", 100, least=1, most=500)
    trades = await board_from(info).store.trades_after(after, limit)
    return json_response(200, HEADERS, [trade_view(trade) for trade in trades])


async def place_order(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Takes an order. 201 for a new one, and 200 for one that is sent again."""
    board = board_from(info)
    fields = await _read_object(scope, content)
    try:
        order = order_from_json(fields, board.market.quotes)
        placed, is_new = await board.exchange.place(order)
    except OrderError as error:
        return problem(422, "The order cannot be taken as it is.", error.problems)
    board.metrics.count(placed, is_new=is_new)
    location = (b"location", f"/api/orders/{order.key}".encode())
    status = 201 if is_new else 200
    return json_response(status, [*HEADERS, location], order_view(placed))


async def show_order(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """An order, and its trade when it is filled."""
    placed = await board_from(info).store.order(matches["key"])
    if placed is None:
        return problem(404, "There is no such order.")
    return json_response(200, HEADERS, order_view(placed))


async def cancel_order(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Cancels an order that waits. To cancel it twice is no error."""
    placed = await board_from(info).exchange.cancel(matches["key"])
    if placed is None:
        return problem(404, "There is no such order.")
    if placed.status == "filled":
        return problem(409, "The order is filled already.")
    return 204


async def _read_object(scope: Scope, content: Content) -> dict[str, object]:
    """Read an object of JSON. Raises HttpError for anything else."""
    content_type = header.find(b"content-type", scope["headers"]) or b""
    if content_type.partition(b";")[0].strip().lower() != JSON:
        raise HttpError(415, "Send the order as application/json.")
    try:
        value: Any = json.loads(await text_reader(content, max_bytes=LARGEST_BODY))
    except (ValueError, RecursionError):
        raise HttpError(400, "This is not JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise HttpError(400, "An order is an object of JSON.")
    return cast(dict[str, object], value)
