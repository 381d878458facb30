"""How a board is opened and closed: from what it is made of to what handlers use."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bareclient import Client
from board.background import background
from board.bell import Bell, LocalBell
from board.clock import now
from board.exchange import Exchange
from board.journal import Journal
from board.market import Market
from board.metrics import Metrics
from board.model import COMPANIES, Company
from board.settings import BoardSettings, Settings
from board.sqlite_store import open_sqlite
from board.state import Board
from board.store import Store
from board.ticks import RandomTicks, Ticks


@dataclass(frozen=True)
class Parts:
    """What a board is built on, and what may be exchanged for something larger."""

    store: Store
    ticks: Ticks
    bell: Bell
    companies: Sequence[Company] = COMPANIES


@asynccontextmanager
async def local_parts(settings: Settings) -> AsyncGenerator[Parts]:
    """Open the parts of a board that is one process: a file, chance, and an event."""
    async with open_sqlite(settings.database) as store:
        yield Parts(store, RandomTicks(COMPANIES, settings.tick_seconds), LocalBell())


@asynccontextmanager
async def open_board(
    settings: BoardSettings,
    parts: AbstractAsyncContextManager[Parts],
    metrics: Metrics,
) -> AsyncGenerator[Board]:
    """Open the parts, follow ticks and trades, and close it all in reverse order."""
    async with parts as opened, Client(base_url=settings.origin, timeout=2) as client:
        market = Market(opened.companies, now())
        for tick in await opened.ticks.past():
            market.apply(tick)
        journal = Journal(opened.store, opened.bell)
        exchange = Exchange(opened.store, market, opened.bell)
        async with background(journal.run, partial(exchange.follow, opened.ticks)):
            yield Board(
                settings=settings,
                store=opened.store,
                market=market,
                journal=journal,
                exchange=exchange,
                metrics=metrics,
                client=client,
            )
