"""Work that goes on as long as the application does."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from logging import getLogger
from typing import Final

from board.store import StoreError

logger = getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds after which a job that failed is begun again."""


@asynccontextmanager
async def background(*jobs: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Run jobs beside the block, and end them with it."""
    # The tasks are held here: one that nobody holds may be collected while it runs.
    tasks = [asyncio.create_task(_keep_going(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _keep_going(job: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await job()
        except StoreError as error:
            logger.warning("%r waits: %r", job, error.__cause__ or error)
        except Exception:
            logger.exception("%r failed, and begins again", job)
        await asyncio.sleep(PAUSE)
