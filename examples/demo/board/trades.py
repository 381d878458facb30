"""The trades as they are made: over a WebSocket, and as server-sent events.

Whoever follows says which trade it has seen last, and is given every later one, once
and in order: a page that was away misses nothing.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from bareutils import header

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Content,
    Event,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketInternalError,
    event_stream,
    same_origin,
)
from board.query import number_parameter
from board.state import Board, board_from
from board.store import StoreError
from board.views import trade_view

GATHERED: Final = 0.1
"""Seconds for which trades are gathered into one message, after the first."""

TRY_AGAIN_LATER: Final = 1013
"""The close code for it, in IANA's registry of those of WebSockets."""

RETRY: Final = 1000
"""Milliseconds after which a reader that lost the stream comes back."""


async def send_trades(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Sends lists of trades, for ever: /trades?after=NUMBER.

    Pages have nothing to say here. It is received all the same, since only who receives
    is told that a page has left.
    """
    # Browsers let any page open a socket to any host, and send cookies with it.
    if not same_origin(scope):
        raise HttpError(403, "Pages of other origins may not follow the trades.")
    board = board_from(info)
    after = number_parameter(scope, "after", 0)
    await web_socket.accept()
    followers = board.metrics.followers.labels("trades", "socket")
    with followers.track_inprogress():
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_send_after(after, board, web_socket))
            async for _ in web_socket:
                pass
            sending.cancel()


async def _send_after(after: int, board: Board, web_socket: WebSocket) -> None:
    try:
        async for trades in board.journal.after(after):
            views = [trade_view(trade) for trade in trades]
            await web_socket.send(json.dumps(views))
            await asyncio.sleep(GATHERED)
    except WebSocketInternalError:
        pass  # The page has left while it was sent to.
    except StoreError as error:
        await web_socket.close(TRY_AGAIN_LATER, str(error))


async def stream_trades(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with a stream of trades: /trades?after=NUMBER.

    A browser that lost it comes back by itself, with the id of the last event that it
    has in `last-event-id`.
    """
    after = number_parameter(scope, "after", 0)
    last = header.find(b"last-event-id", scope["headers"])
    if last is not None:
        if not (last.isdigit() and len(last) < len(str(10**15))):
            raise HttpError(400, "last-event-id must be the number of a trade.")
        after = int(last)
    events = trade_events(board_from(info), after)
    return 200, EVENT_STREAM_HEADERS, event_stream(events, retry=RETRY)


async def trade_events(board: Board, after: int) -> AsyncGenerator[Event]:
    """Give each trade after a number as an event, whose id is the trade's number."""
    followers = board.metrics.followers.labels("trades", "events")
    # A database that is away ends the stream, and the reader comes back for the rest.
    with followers.track_inprogress(), suppress(StoreError):
        async for trades in board.journal.after(after):
            for trade in trades:
                yield Event(json.dumps(trade_view(trade)), "trade", trade.number)
