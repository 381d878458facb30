"""Tasks of our own: started at once, and waited for though we are cancelled."""

import asyncio
import sys
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Final, TypeVar

T = TypeVar("T")

CLOSING_TIME: Final = 5.0
"""How many seconds something has to end, once it was told to."""


def start_task(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run a coroutine in a task of its own.

    From Python 3.12 on it runs at once, up to where it first waits: what never waits is
    done without a turn of the loop.
    """
    if sys.version_info >= (3, 12):
        loop = asyncio.get_running_loop()
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return asyncio.create_task(coroutine)


async def settle(*tasks: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Wait, up to CLOSING_TIME, for tasks that are about to end.

    A cancellation meanwhile does not reach them, and is returned for the caller to
    raise when it is ready.
    """
    if all(task.done() for task in tasks):
        return None
    cancellation = None
    try:
        # Most end in one turn of the loop, which is cheaper than to wait for them.
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        cancellation = error
    deadline = monotonic() + CLOSING_TIME
    while (pending := [task for task in tasks if not task.done()]) and (
        timeout := deadline - monotonic()
    ) > 0:
        try:
            await asyncio.wait(pending, timeout=timeout)
        except asyncio.CancelledError as error:
            cancellation = error
    return cancellation
