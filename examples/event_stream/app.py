"""Live prices: a page, and the event stream that it listens to.

Run it with `python examples/event_stream/app.py` and open http://127.0.0.1:9009/.
Another port is taken from the environment variable PORT. A reader that loses its
connection comes back by itself, and gets the prices that it missed.
"""

import asyncio
import json
import os
import random
import signal
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from time import time_ns

from bareutils import header
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Application,
    Content,
    Event,
    Headers,
    HttpResponse,
    Info,
    Message,
    RouteMatches,
    Scope,
    bytes_writer,
    event_stream,
)

# The page loads nothing, and talks to this server only.
POLICY = (
    b"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    b" img-src data:; connect-src 'self'; base-uri 'none'"
)
HTML: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", POLICY),
]
PAGE = Path(__file__).with_name("index.html").read_bytes()

PRICES = {"Apples": 310, "Pears": 420, "Plums": 280}  # pence a kilogram
PAUSE = 0.5  # seconds
KEPT = 100  # events


class Market:
    """Makes prices, and keeps the latest for readers that were away."""

    def __init__(self) -> None:
        self._events: deque[tuple[int, Event]] = deque(maxlen=KEPT)
        # Numbers go on rising when the program is started anew.
        self._number = time_ns() // 1_000_000
        self._news = asyncio.Event()

    def publish(self, kind: str, data: str) -> None:
        """Give an event to every reader there is, and to those that come back."""
        self._number += 1
        self._events.append((self._number, Event(data, kind, self._number)))
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def events(self, last: int) -> AsyncIterator[Event]:
        """The events after one that a reader has, and then each as it comes.

        There is nothing to do for a reader that leaves: it is cancelled where it waits.
        """
        while True:
            news = self._news
            for number, event in [*self._events]:
                if number > last:
                    yield event
                    last = number
            await news.wait()

    async def run(self) -> None:
        """Change a price now and then, for ever."""
        self.publish("notice", "The market is open.\nAll prices are in pence.")
        prices = dict(PRICES)
        while True:
            fruit = random.choice([*prices])  # noqa: S311 - not a secret
            prices[fruit] += random.choice([-5, -2, 2, 5])  # noqa: S311
            self.publish("price", json.dumps({"fruit": fruit, "price": prices[fruit]}))
            await asyncio.sleep(PAUSE)


async def show_page(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The page with the prices."""
    return 200, HTML, bytes_writer(PAGE)


async def prices(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The stream. A browser that comes back says which event was its last."""
    last = header.find(b"last-event-id", scope["headers"])
    try:
        number = 0 if last is None else int(last)
    except ValueError:
        return 400
    events = info["market"].events(number)
    return 200, EVENT_STREAM_HEADERS, event_stream(events, retry=1000)


async def open_market(scope: Scope, info: Info, message: Message) -> None:
    """One market for all readers, in a task that lives as long as the application."""
    info["market"] = Market()
    info["running"] = asyncio.create_task(info["market"].run())


async def close_market(scope: Scope, info: Info, message: Message) -> None:
    """The end of that task."""
    info["running"].cancel()
    await asyncio.wait([info["running"]])


def make_application() -> Application:
    """Wires the handlers to their paths."""
    app = Application(startup_handlers=[open_market], shutdown_handlers=[close_market])
    app.http_router.add({"GET"}, "/", show_page)
    app.http_router.add({"GET"}, "/prices", prices)
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM, and ends the streams before the server."""
    app = make_application()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    async def stop() -> None:
        await stopping.wait()
        await app.drain()

    config = Config()
    config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9009')}"]
    await serve(app, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main())
