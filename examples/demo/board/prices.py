"""The prices as server-sent events: all of them first, and then each change."""

import json
from collections.abc import AsyncGenerator

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Content,
    Event,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    event_stream,
)
from board.state import Board, board_from
from board.views import price_view, stock_view

RETRY = 1000
"""Milliseconds after which a page that lost the stream comes back."""


async def stream_prices(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with a stream that has no end; it is cancelled when its reader leaves."""
    events = price_events(board_from(info))
    return 200, EVENT_STREAM_HEADERS, event_stream(events, retry=RETRY)


async def price_events(board: Board) -> AsyncGenerator[Event]:
    """Give a snapshot, and then a tick whenever prices have changed.

    A page that comes back needs no more than the snapshot, so `last-event-id` is not
    looked at: what a stock cost while nobody looked is history.
    """
    market = board.market
    with board.metrics.followers.labels("prices", "events").track_inprogress():
        stocks = [stock_view(quote) for quote in market.quotes.values()]
        number = market.number
        yield Event(json.dumps(stocks), "snapshot", number)
        async for quotes in market.changes(number):
            changed = [price_view(quote) for quote in quotes]
            yield Event(json.dumps(changed), "tick", market.number)
