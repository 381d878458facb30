"""The same data by GraphQL: schema.graphql says what there is, and this is how."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
)

from bareasgi import Info
from board.orders import OrderError, order_from_json, parse_key
from board.state import board_from
from board.store import StoreError
from board.views import (
    OrderView,
    PriceView,
    StockView,
    TradeView,
    order_view,
    price_view,
    stock_view,
    trade_view,
)

SDL: Final = Path(__file__).with_suffix(".graphql").read_text("utf-8")

BAD_ORDER: Final = "The order cannot be taken as it is."
MOST: Final = 500
"""How many trades are given at once."""


def make_schema() -> GraphQLSchema:
    """Make the schema, with the functions below as its resolvers."""
    schema = build_schema(SDL)
    for function in (stocks, stock, trades, order):
        _field(schema.query_type, function.__name__).resolve = function
    _field(schema.mutation_type, "placeOrder").resolve = place_order
    for name, source in (("ticks", follow_ticks), ("trades", follow_trades)):
        field = _field(schema.subscription_type, name)
        field.subscribe, field.resolve = source, _as_it_is
    return schema


def stocks(root: object, info: GraphQLResolveInfo[Info]) -> Sequence[StockView]:
    """All stocks."""
    quotes = board_from(info.context).market.quotes.values()
    return [stock_view(quote) for quote in quotes]


def stock(
    root: object, info: GraphQLResolveInfo[Info], symbol: str
) -> StockView | None:
    """One stock, or none."""
    quote = board_from(info.context).market.quotes.get(symbol)
    return None if quote is None else stock_view(quote)


async def trades(
    root: object, info: GraphQLResolveInfo[Info], after: int, first: int
) -> Sequence[TradeView]:
    """Trades after a number."""
    if not 0 < first <= MOST:
        raise GraphQLError(f"first must be from 1 to {MOST}")
    with _told_to_clients():
        found = await board_from(info.context).store.trades_after(after, first)
    return [trade_view(trade) for trade in found]


async def order(
    root: object, info: GraphQLResolveInfo[Info], key: str
) -> OrderView | None:
    """One order, or none."""
    wanted = parse_key(key)
    if wanted is None:
        return None
    with _told_to_clients():
        placed = await board_from(info.context).store.order(wanted)
    return None if placed is None else order_view(placed)


async def place_order(
    root: object,
    info: GraphQLResolveInfo[Info],
    input: Mapping[str, object],  # noqa: A002 - the argument's name
) -> OrderView:
    """Take an order. What is wrong with it is told, field by field."""
    board = board_from(info.context)
    with _told_to_clients():
        wanted = order_from_json(input, board.market.quotes)
        placed, is_new = await board.exchange.place(wanted)
    board.metrics.count(placed, is_new=is_new)
    return order_view(placed)


async def follow_ticks(
    root: object, info: GraphQLResolveInfo[Info], symbols: Sequence[str] | None = None
) -> AsyncGenerator[Sequence[PriceView], None]:
    """Give the prices that have changed, until whoever listens has left."""
    board = board_from(info.context)
    with board.metrics.followers.labels("prices", "graphql").track_inprogress():
        async for quotes in board.market.changes(board.market.number):
            ticks = [
                price_view(quote)
                for quote in quotes
                if symbols is None or quote.company.symbol in symbols
            ]
            if ticks:
                yield ticks


async def follow_trades(
    root: object, info: GraphQLResolveInfo[Info], after: int
) -> AsyncGenerator[TradeView, None]:
    """Give each trade after a number, until whoever listens has left."""
    board = board_from(info.context)
    followers = board.metrics.followers.labels("trades", "graphql")
    with followers.track_inprogress(), _told_to_clients():
        async for found in board.journal.after(after):
            for trade in found:
                yield trade_view(trade)


@contextmanager
def _told_to_clients() -> Generator[None]:
    """Turn what clients may know into errors for them.

    An exception of any other class is logged, and kept from them.
    """
    try:
        yield
    except OrderError as error:
        fields = {"code": "BAD_ORDER", "fields": dict(error.problems)}
        raise GraphQLError(BAD_ORDER, extensions=fields) from None
    except StoreError as error:
        raise GraphQLError(str(error), extensions={"code": "UNAVAILABLE"}) from error


def _field(parent: GraphQLObjectType | None, name: str) -> GraphQLField:
    if parent is None:
        raise ValueError(f"the schema has no type with the field {name}")
    field: GraphQLField = parent.fields[name]
    return field


def _as_it_is(
    event: object, info: GraphQLResolveInfo[Info], **arguments: object
) -> object:
    """Resolve what a subscription gave."""
    return event
