"""The board as clients see it: one shape for JSON, for templates and for GraphQL."""

from typing import Literal, TypedDict

from board.clock import time_text
from board.market import Quote
from board.model import PlacedOrder, Side, Status, Trade
from board.money import percent_text, price_text


class PriceView(TypedDict):
    """The price of a stock, and by how many percent it differs from the opening."""

    symbol: str
    price: str
    change: str
    direction: Literal["up", "down", "flat"]
    time: str


class StockView(PriceView):
    """A stock with all there is to tell."""

    name: str
    opening: str


class TradeView(TypedDict):
    """A trade; `key` is that of its order."""

    number: int
    time: str
    symbol: str
    side: Side
    quantity: int
    price: str
    key: str


class OrderView(TypedDict):
    """An order, and its trade when it is filled."""

    key: str
    time: str
    side: Side
    symbol: str
    quantity: int
    limit: str | None
    status: Status
    trade: TradeView | None


def price_view(quote: Quote) -> PriceView:
    """Show a price."""
    opening = quote.company.opening
    up_or_down: Literal["up", "down"] = "up" if quote.price > opening else "down"
    return {
        "symbol": quote.company.symbol,
        "price": price_text(quote.price),
        "change": percent_text(quote.price, opening),
        "direction": "flat" if quote.price == opening else up_or_down,
        "time": time_text(quote.time),
    }


def stock_view(quote: Quote) -> StockView:
    """Show a stock."""
    return {
        **price_view(quote),
        "name": quote.company.name,
        "opening": price_text(quote.company.opening),
    }


def trade_view(trade: Trade) -> TradeView:
    """Show a trade."""
    return {
        "number": trade.number,
        "time": time_text(trade.time),
        "symbol": trade.symbol,
        "side": trade.side,
        "quantity": trade.quantity,
        "price": price_text(trade.price),
        "key": str(trade.key),
    }


def order_view(placed: PlacedOrder) -> OrderView:
    """Show an order."""
    order = placed.order
    return {
        "key": str(order.key),
        "time": time_text(placed.time),
        "side": order.side,
        "symbol": order.symbol,
        "quantity": order.quantity,
        "limit": None if order.limit is None else price_text(order.limit),
        "status": placed.status,
        "trade": None if placed.trade is None else trade_view(placed.trade),
    }
