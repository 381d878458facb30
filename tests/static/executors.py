"""An executor whose threads do nothing before they are let."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

DEADLINE = 10.0  # seconds


class BusyExecutor:
    """The loop's executor, of one thread, which has something else to do at first."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._free = threading.Event()
        self._pool.submit(self._free.wait)
        asyncio.get_running_loop().set_default_executor(self._pool)

    async def release(self) -> None:
        """Let the thread do what waits for it, and wait until that is done."""
        self._free.set()
        await asyncio.get_running_loop().run_in_executor(None, str)

    async def drop(self) -> None:
        """End it without what waits for it, as at the end of a program."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.sleep(0)

    def close(self) -> None:
        """End the thread."""
        self._free.set()
        self._pool.shutdown()


@asynccontextmanager
async def busy_executor() -> AsyncGenerator[BusyExecutor]:
    """Make the loop's executor a busy one."""
    executor = BusyExecutor()
    try:
        yield executor
    finally:
        executor.close()
        # The callbacks of what it has done.
        for _ in range(3):
            await asyncio.sleep(0)


async def turns(number: int = 5) -> None:
    """Let others go on until they wait for something else than their turn."""
    for _ in range(number):
        await asyncio.sleep(0)
