"""The demo's board, and its parts, for the tests of the demo."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from programs import free_port

from bareasgi.testing import lifespan
from board.application import build
from board.bell import LocalBell
from board.opening import Parts
from board.settings import Settings
from board.sqlite_store import SqliteStore, open_sqlite

from .demo_board import ManualTicks, OpenBoard


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    port = free_port()
    return Settings(port, free_port(), 0.01, tmp_path / "board.sqlite3")


@pytest.fixture
async def house(settings: Settings) -> AsyncGenerator[OpenBoard]:
    """A board on a file of its own."""
    ticks = ManualTicks()

    @asynccontextmanager
    async def parts() -> AsyncGenerator[Parts]:
        async with open_sqlite(settings.database) as store:
            yield Parts(store, ticks, LocalBell())

    app = build(settings, parts())
    async with lifespan(app):
        yield OpenBoard(app, ticks)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    """A store in a file of its own."""
    async with open_sqlite(tmp_path / "store.sqlite3") as opened:
        yield opened
