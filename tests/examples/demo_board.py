"""The demo's board in this process, whose prices move only when a test says so."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bareasgi import Application
from bareasgi.testing import Response, http_request
from board.model import COMPANIES, Tick
from board.state import KEY, Board

JSON = (b"content-type", b"application/json")
OPENED = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


class ManualTicks:
    """Ticks that a test gives."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Mapping[str, str]] = asyncio.Queue()
        self._time = OPENED

    def give(self, **prices: str) -> None:
        """Change these prices."""
        self._queue.put_nowait(prices)

    async def past(self) -> Sequence[Tick]:
        """Two ticks of the first company."""
        symbol = COMPANIES[0].symbol
        return [self._tick({symbol: price}) for price in ("99.00", "100.00")]

    async def __aiter__(self) -> AsyncIterator[Tick]:
        """What was given, as it is given."""
        while True:
            yield self._tick(await self._queue.get())

    def _tick(self, prices: Mapping[str, str]) -> Tick:
        self._time += timedelta(seconds=1)
        return Tick(self._time, {name: Decimal(text) for name, text in prices.items()})


class OpenBoard:
    """A board that is open, and what a test does with it."""

    def __init__(self, app: Application, ticks: ManualTicks) -> None:
        self.app = app
        self.ticks = ticks

    @property
    def board(self) -> Board:
        """Its parts."""
        board: Board = self.app.info[KEY]
        return board

    async def ask(self, method: str, path: str, **options: Any) -> Response:
        """Make a request."""
        return await http_request(self.app, method, path, **options)

    async def order(self, content: bytes) -> Response:
        """Send an order to the API."""
        path = "/api/orders"
        return await self.ask("POST", path, headers=[JSON], content=content)

    async def until_price(self, symbol: str, price: str) -> None:
        """Wait until a tick has arrived."""
        async with asyncio.timeout(10):
            async for quotes in self.board.market.changes(0):
                if any(str(q.price) == price for q in quotes if q[0].symbol == symbol):
                    return


@asynccontextmanager
async def damaged(file: Path) -> AsyncGenerator[None]:
    """A database that answers, and nothing but errors."""
    # In a thread: whoever waits for the board's transaction must let it go on.
    await asyncio.to_thread(rename, file, "trades", "lost")
    yield
    await asyncio.to_thread(rename, file, "lost", "trades")


def rename(file: Path, old: str, new: str) -> None:
    """Give a table another name."""
    connection = sqlite3.connect(file, timeout=30)
    connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
    connection.close()
