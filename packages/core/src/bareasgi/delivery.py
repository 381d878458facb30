"""Sends a response while watching for the client to leave, and closes its body once.

The body runs in a task, beside a second one that watches. These two are the only tasks
that are ever cancelled here: to cancel the server's own would leak into the server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from logging import Logger, getLogger
from time import monotonic
from typing import Any, Final, TypeAlias, cast

from bareasgi.closing import Begun, close_body
from bareasgi.errors import ContentDroppedError, HttpDisconnectError
from bareasgi.extensions import WrappedBody, after_body, close_hints
from bareasgi.responses import PLAIN_TEXT
from bareasgi.running import Running
from bareasgi.sender import messages, trailers_message
from bareasgi.streaming import BufferedBody, bytes_writer
from bareasgi.tasks import settle, start_task
from bareasgi.turns import TURN_CHUNKS, TURN_SECONDS
from bareasgi.types import (
    Body,
    FullHttpResponse,
    Message,
    Scope,
    Send,
)

logger: Final[Logger] = getLogger(__name__)

Watch: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Returns when the client has left."""

_ENDED: Final = (GeneratorExit, asyncio.CancelledError)
"""What a body that was told to end ends with."""


async def send_watched(
    scope: Scope,
    send: Send,
    response: FullHttpResponse,
    watch: Watch,
    running: Running,
) -> None:
    """Send a response while watching for the client to leave.

    Returns when it is complete, when the client has left, or when the application is
    drained: then a stream that has begun is cut, and one that has not is refused. The
    body has been closed. Raises what the body raises after the start: the response can
    only be cut.
    """
    if running.is_draining and not isinstance(response[2], BufferedBody | None):
        response = _unavailable(response[2])
    close_hints(scope)
    delivery = _Delivery(scope, send, response)
    task = start_task(delivery.run())
    cancellation = None
    if not task.done():
        watching = start_task(watch())
        running.add(delivery.stop)
        try:
            await delivery.wait(watching)
        except asyncio.CancelledError as error:
            cancellation = error
        if not delivery.is_closing:
            delivery.is_cut = True
            task.cancel()
        watching.cancel()
        cancellation = await settle(task, watching) or cancellation
        running.remove(delivery.stop)
    if not task.done():
        logger.error("a body does not end, and is abandoned: %r", response[2])
    else:
        _check_outcome(task, is_cut=delivery.is_cut)
    if cancellation is not None:
        raise cancellation


def _unavailable(body: Body) -> FullHttpResponse:
    """Make the answer in place of a stream that must not begin any more."""
    refusal = bytes_writer(b"Service Unavailable")
    return 503, PLAIN_TEXT, after_body(refusal, partial(close_body, body)), None


def _check_outcome(task: asyncio.Task[None], *, is_cut: bool) -> None:
    """Raise what made the response fail, unless there is nobody left to tell."""
    error = (
        asyncio.CancelledError("a body was cancelled by something in it")
        if task.cancelled()
        else task.exception()
    )
    match error:
        case None:
            return
        case ContentDroppedError() if not is_cut:
            pass
        case HttpDisconnectError():
            logger.debug("the client left: %r", error)
            return
        case asyncio.CancelledError() if is_cut:
            logger.debug("the client left")
            return
        case asyncio.CancelledError():
            # Nobody cancelled the server's task, which it would take this for.
            error = RuntimeError("a body was cancelled from within")
        case BaseExceptionGroup() if is_cut and not error.split(_ENDED)[1]:
            # A task group in the body was left where it yields.
            logger.debug("the client left")
            return
        case _:
            pass
    logger.error("a body failed", exc_info=error)
    if not is_cut:
        raise error


class _Delivery:
    """One response on its way, in a task of its own.

    Attributes:
        is_cut: nobody is there to send to, and the body has been cancelled.
        is_closing: the body is over, and must not be cancelled any more.
    """

    __slots__ = ("_response", "_scope", "_send", "_waiting", "is_closing", "is_cut")

    _waiting: tuple[asyncio.Task[None], asyncio.Future[None]] | None

    def __init__(self, scope: Scope, send: Send, response: FullHttpResponse) -> None:
        self._scope = scope
        self._send = send
        self._response = response
        self._waiting = None
        self.is_cut = False
        self.is_closing = False

    async def run(self) -> None:
        """Send everything, and close the body, also when the task is cancelled."""
        body = self._response[2]
        iterator = None
        try:
            (*opening, last), chunks = messages(self._scope, self._response)
            for message in opening:
                await self._deliver(message)
            closing = [last]
            if chunks is not None:
                iterator = aiter(chunks)
                await self._deliver_chunks(iterator)
                if opening[0].get("trailers") and isinstance(chunks, WrappedBody):
                    closing.append(trailers_message(chunks))
            if self.is_cut:
                raise HttpDisconnectError("the client left while the body ran")
            for message in closing:
                await self._deliver(message)
        finally:
            self.is_closing = True
            self.stop()
            if body is not None:
                await close_body(body, iterator)

    async def wait(self, watching: asyncio.Task[None]) -> None:
        """Wait until the body is over, or the client has left."""
        watching.add_done_callback(self._on_watched)
        if not self.is_closing:
            over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting = watching, over
            await over

    def _on_watched(self, watching: asyncio.Task[None]) -> None:
        if watching.cancelled():
            return
        error = watching.exception()
        if error is None or isinstance(error, OSError):
            self.stop()
        else:
            logger.error("cannot watch for the client to leave", exc_info=error)

    def stop(self) -> None:
        """Have `wait` return: the body is over, or nobody is to get the rest of it."""
        if self._waiting is not None:
            watching, over = self._waiting
            # First, so that it has ended when `wait` returns.
            watching.cancel()
            if not over.done():
                over.set_result(None)

    async def _deliver(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            self.is_cut = True
            raise HttpDisconnectError(repr(error)) from error

    async def _deliver_chunks(self, iterator: AsyncIterator[bytes]) -> None:
        send = self._send
        chunks, began = 0, monotonic()
        async for chunk in Begun(iterator):
            # A generator may catch its cancellation, and go on.
            if self.is_cut:
                break
            if chunk.__class__ is not bytes:
                chunk = _to_bytes(chunk)  # noqa: PLW2901 - the same, as bytes
            if chunk:
                # What the body raises is not ours to catch, hence so narrow.
                try:
                    await send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
                except OSError as error:
                    self.is_cut = True
                    raise HttpDisconnectError(repr(error)) from error
            chunks += 1
            if chunks == TURN_CHUNKS:
                chunks = 0
                if monotonic() - began > TURN_SECONDS:
                    await asyncio.sleep(0)
                    began = monotonic()


def _to_bytes(chunk: object) -> bytes:
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(cast(bytes, chunk))
    raise TypeError(f"a body must produce bytes, not {type(chunk).__name__}")
