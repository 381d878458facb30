"""The end of a body: it is closed, and whoever waits for the end is called."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from inspect import isawaitable
from logging import Logger, getLogger
from typing import Final

from bareasgi.tasks import settle, start_task
from bareasgi.types import Body

logger: Final[Logger] = getLogger(__name__)


class Begun:
    """Lets `async for` go on with an iterator, without asking it for another one."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: AsyncIterator[bytes]) -> None:
        self._iterator = iterator

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterator


async def close_body(body: Body, iterator: AsyncIterator[bytes] | None = None) -> None:
    """Close an iterator, and then the body it came from if that is another object.

    What has no `aclose` needs none. An error in closing is logged, and no more: the
    response that it could have changed is over.
    """
    try:
        if iterator is not None and iterator is not body:
            await _close(iterator)
    finally:
        await _close(body)


def call_back(
    callback: Callable[[], object],
) -> Awaitable[asyncio.CancelledError | None] | None:
    """Call back. If there is something to wait for give that, and None otherwise.

    It gives the cancellation that came meanwhile. The response may be over because it
    was cancelled, and may be cancelled again. A callback that waits does so in a task
    of its own, where that does not reach it.
    """
    try:
        result = callback()
    except Exception:
        logger.exception("a callback at the end of a body failed: %r", callback)
        return None
    # Most give nothing, and it takes long to find out that this cannot be awaited.
    if result is None or not isawaitable(result):
        return None
    return _wait(callback, result)


async def _wait(
    callback: Callable[[], object], result: Awaitable[object]
) -> asyncio.CancelledError | None:
    task = start_task(_finish(callback, result))
    cancellation = await settle(task)
    if not task.done():
        logger.error("a callback does not end, and is abandoned: %r", callback)
    return cancellation


async def _close(closing: AsyncIterable[bytes]) -> None:
    aclose: Callable[[], Awaitable[object]] | None = getattr(closing, "aclose", None)
    if aclose is not None:
        try:
            await aclose()
        except Exception:
            logger.exception("a body could not be closed: %r", closing)


async def _finish(callback: Callable[[], object], result: Awaitable[object]) -> None:
    try:
        await result
    except Exception:
        logger.exception("a callback at the end of a body failed: %r", callback)
