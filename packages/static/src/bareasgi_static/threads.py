"""Has the loop's executor do what may wait for a disk, and wastes nothing of it.

A thread cannot be interrupted. When whoever waits for it is cancelled it goes on, and
what it opens or uses can only be closed when it is done.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_thread(
    discard: Callable[[_T], object],
    function: Callable[_P, _T],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """Call a function in a thread, and discard its result if nobody waits for it."""
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(None, partial(function, *args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(partial(_discard, discard))
        raise


def _discard(discard: Callable[[_T], object], future: asyncio.Future[_T]) -> None:
    # The loop itself may be cancelling what is left of it.
    if not future.cancelled() and future.exception() is None:
        discard(future.result())
