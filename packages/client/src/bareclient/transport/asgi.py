"""Calls an application in this process, as a server would that has no socket.

`bareasgi.testing` plays the server: it runs the application in a task, holds it up in
`send` until its chunk was taken, and gives it the content no faster than it receives.
Here is what a client needs besides: timeouts, a body that owns the call, the lifespan.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from logging import Logger, getLogger
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from bareasgi import (
    Content,
    FullHttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.testing import LifespanError, ProtocolError, Stream, http_stream, lifespan
from bareclient.errors import CutError, ReadTimeoutError
from bareclient.fields import answer_fields, find
from bareclient.request import framed, target, url_of
from bareclient.response import NO_BODY
from bareclient.settings import Limits, Timeouts
from bareclient.transport.application_call import ApplicationCall, AsgiApplication
from bareclient.transport.body import CLOSING_TIME, OwnedBody

logger: Final[Logger] = getLogger(__name__)

_T = TypeVar("_T")

_EXTENSIONS: Final = (
    "http.response.push",
    "http.response.early_hint",
    "http.response.trailers",
)


class AsgiTransport:
    """Calls an ASGI application in this process, without a socket.

    Content and body stream at once, each no faster than it is taken. An answer that is
    closed before its end gives the application `http.disconnect`. What an application
    raises is logged; the caller sees what it would see from afar: a plain 500 before
    the start of a response, and CutError after it.

    `async with` starts the application up, and shuts it down; without it there is no
    lifespan. An application that knows no lifespan is served without. LifespanError is
    raised if it says that it failed. `aclose` waits a few seconds for calls that still
    run, such as background tasks, and then cancels them.
    """

    def __init__(self, app: AsgiApplication, *, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits()
        self._state: dict[str, Any] | None = None
        self._stack = AsyncExitStack()
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start the application up."""
        try:
            self._state = await self._stack.enter_async_context(
                lifespan(self._app, timeout=None)
            )
        except LifespanError:
            raise
        except Exception as error:  # noqa: BLE001 - as servers do
            logger.debug("no lifespan: %r", error)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all calls, and shut the application down."""
        await self.aclose()

    async def aclose(self) -> None:
        """End all calls, and shut the application down if it was started up."""
        if self._ending:
            _, late = await asyncio.wait(self._ending, timeout=CLOSING_TIME)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CLOSING_TIME)
        await self._stack.aclose()

    async def __call__(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> FullHttpResponse:
        """Call the application, and give its answer once that has started.

        Sets `early_hints` and `trailers` of the scope. Raises ReadTimeoutError when
        there is no answer in time, and what the content raises.
        """
        scope["exchange"].scope = scope
        fields, body = await framed(scope, content, is_sent_first=False)
        call = ApplicationCall(self._app)
        scope["early_hints"], scope["trailers"] = call.early_hints, call.trailers
        stream = http_stream(
            call.run,
            scope["method"],
            target(scope).decode(),
            headers=fields,
            content=body or b"",
            scope=self._scope_of(scope),
            timeout=None,
        )
        answer = _Body(scope, stream, self._end)
        await stream.__aenter__()
        try:
            await answer.within(stream.started())
            status, headers = stream.status, answer_fields(stream.headers, self._limits)
        except BaseException:
            await answer.aclose()
            raise
        if call.has_body and find(headers, b"content-length") != b"0":
            return status, headers, answer, call.pushes
        # Nobody needs to close what is empty.
        await answer.detach()
        return status, headers, NO_BODY, call.pushes

    def _scope_of(self, scope: Scope) -> dict[str, Any]:
        state = {} if self._state is None else {"state": self._state.copy()}
        return {
            "scheme": scope["scheme"],
            "server": scope["server"],
            "extensions": {name: {} for name in _EXTENSIONS},
            **state,
        }

    def _end(self, stream: Stream) -> None:
        """Let a call end by itself: whoever made it need not wait for that."""
        task = asyncio.create_task(_ended(stream))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Body(OwnedBody):
    """The body of an answer from an application."""

    def __init__(
        self, scope: Scope, stream: Stream, end: Callable[[Stream], None]
    ) -> None:
        super().__init__(scope)
        self._stream = stream
        self._end_call = end

    async def within(self, answer: Awaitable[_T]) -> _T:
        """Wait for more of the answer, as long as the caller is willing to."""
        timeouts: Timeouts = self._scope["timeouts"]
        timeout = asyncio.timeout(timeouts.read)
        try:
            async with timeout:
                return await answer
        except TimeoutError:
            if not timeout.expired():
                raise
            url = url_of(self._scope)
            raise ReadTimeoutError(f"{url}: silent for {timeouts.read} s") from None
        except ProtocolError as error:
            raise CutError(f"{url_of(self._scope)}: {error}") from error

    async def detach(self) -> None:
        """Be over, and let the application do the rest by itself."""
        self._is_over = True
        await self._end()

    async def _next(self) -> bytes:
        chunk = await self.within(self._stream.chunk())
        # They are kept for tests, and nobody is going to look at them here.
        self._stream.messages.clear()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def _end(self) -> None:
        self._end_call(self._stream)

    async def _abandon(self) -> None:
        # As ASGI 2.4 has it: `send` raises OSError, for those who never receive.
        self._stream.leave(send_raises=True)
        self._end_call(self._stream)


async def _ended(stream: Stream) -> None:
    """Wait until a call has returned, and drop what it still sends."""
    try:
        async for _ in stream:
            stream.messages.clear()
    except asyncio.CancelledError:
        stream.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - it was logged, or is the content's
        logger.debug("a call ended: %r", error)
    finally:
        with suppress(Exception):
            await stream.__aexit__(None, None, None)
