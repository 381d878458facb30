"""Tells those who read the prices when there are none."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Content,
    Event,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    event_stream,
)
from board.prices import RETRY, price_events
from board.state import board_from

PATH: Final = "/prices"


def stale_prices_middleware(seconds: float) -> HttpMiddleware:
    """Make the stream of prices send an event `stale` after so many silent seconds.

    The reader of a stream cannot tell a market that sleeps from one that is lost: what
    keeps the connection awake comes either way.
    """

    async def tell(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        if scope["path"] != PATH or scope["method"] != "GET":
            return await handler(scope, info, matches, content)
        events = with_word_of_silence(price_events(board_from(info)), seconds)
        return 200, EVENT_STREAM_HEADERS, event_stream(events, retry=RETRY)

    return tell


async def with_word_of_silence(
    events: AsyncGenerator[Event, None], seconds: float
) -> AsyncGenerator[Event, None]:
    """Give events as they come, and `stale` whenever none came for so many seconds."""
    stale = Event(json.dumps({"seconds": seconds}), "stale")
    async with aclosing(events):
        while True:
            # Not wait_for, which would cancel the source at each silence.
            step = asyncio.ensure_future(anext(events))
            try:
                while not (await asyncio.wait({step}, timeout=seconds))[0]:
                    yield stale
                yield step.result()
            finally:
                step.cancel()
                with suppress(asyncio.CancelledError):
                    await step
