"""`content`: a request's body, and the news that its client has left.

Both come out of `receive`, which must not be awaited by two tasks at once. While the
handler runs `content` alone receives. Once a response streams, the watch for a
disconnect wants to as well. From then on both go through one reader: whoever needs a
message first receives it, and the other waits for that.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Final
from weakref import ref

from bareasgi.errors import ContentDroppedError, HttpDisconnectError, HttpInternalError
from bareasgi.streaming import AnnouncedContent
from bareasgi.types import Message, Receive, Scope

AHEAD: Final = 65536
"""How many bytes the watch keeps for `content` before it pauses: 64 KiB."""

PATIENCE: Final = 30.0
"""How many seconds they are kept for a `content` that nobody has begun to read."""

TURN: Final = 0.005
"""How many seconds the watch may keep the event loop."""


class RequestBody(AnnouncedContent):
    """The `content` of a request: a single pass, in the order of arrival.

    Empty chunks are skipped, and a second pass yields nothing. The server is not asked
    for anything before the first chunk is. Raises HttpDisconnectError when the client
    leaves before the end.
    """

    __slots__ = (
        "__weakref__",
        "_is_receiving",
        "_reader",
        "_receive",
    )

    is_complete: bool
    _is_receiving: bool | None  # None before the first chunk was asked for

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self._reader: _SharedReader | None = None
        self._is_receiving = None
        self.is_complete = False

    def __aiter__(self) -> "RequestBody":
        return self

    async def __anext__(self) -> bytes:
        while self._reader is None and not self._is_receiving:
            if self.is_complete:
                raise StopAsyncIteration
            self._is_receiving = True
            try:
                message = await self._receive()
            finally:
                self._is_receiving = False
                if self._reader is not None:
                    self._reader.resume()
            if self._reader is not None or message["type"] != "http.request":
                self._share().put(message)
                break
            if not message.get("more_body", False):
                self.is_complete = True
            chunk: bytes = message.get("body", b"")
            if chunk:
                return chunk
        return await self._share().next_chunk()

    def give_up(self) -> None:
        """Drop what has not been read: whoever still holds this is not going to."""
        self._share().give_up()

    def watcher(self) -> Callable[[], Coroutine[Any, Any, None]]:
        """Make the coroutine function that returns when the client has left.

        It holds this object weakly: when nobody else holds it, nobody can read it, and
        what arrives for it is dropped.
        """
        return partial(self._share().watch, ref(self))

    def _share(self) -> "_SharedReader":
        """From now on, receive through the one who also watches for the disconnect."""
        if self._reader is None:
            self._reader = _SharedReader(
                self._receive,
                is_begun=self._is_receiving is not None,
                is_receiving=self._is_receiving is True,
                is_complete=self.is_complete,
            )
        return self._reader


class _SharedReader:
    """The one caller of `receive`, once a response streams beside the request."""

    def __init__(
        self,
        receive: Receive,
        *,
        is_begun: bool,
        is_receiving: bool,
        is_complete: bool,
    ) -> None:
        self._receive = receive
        self._is_receiving = is_receiving
        self._is_complete = is_complete
        self._is_begun = is_begun
        self._is_disconnected = False
        self._is_given_up = False
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._waiters: list[asyncio.Future[None]] = []

    async def next_chunk(self) -> bytes:
        """Take the next chunk of the body, in the manner of `__anext__`."""
        self._is_begun = True
        while not self._chunks:
            if self._is_given_up:
                raise ContentDroppedError("the body was not read in time, and dropped")
            if self._is_complete:
                raise StopAsyncIteration
            if self._is_disconnected:
                raise HttpDisconnectError("the client left before the end of its body")
            await self._advance()
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        self._wake()
        return chunk

    async def watch(self, content: "ref[RequestBody]") -> None:
        """Read ahead for `content`, and return when the client has left."""
        began = monotonic()
        while not self._is_disconnected:
            if self._size < AHEAD or self._is_complete:
                await self._advance()
            elif not await self._has_reader(content):
                self.give_up()
            if monotonic() - began > TURN:
                # An upload that is there already must not keep the loop from others.
                await asyncio.sleep(0)
                began = monotonic()

    def give_up(self) -> None:
        """Drop what is there, and whatever else comes: nobody is going to read it."""
        self._is_given_up = True
        self._chunks.clear()
        self._size = 0

    def put(self, message: Message) -> None:
        """Take a message that was received before, or elsewhere."""
        match message["type"]:
            case "http.request":
                chunk = message.get("body", b"")
                if chunk and not self._is_given_up:
                    self._chunks.append(chunk)
                    self._size += len(chunk)
                self._is_complete = not message.get("more_body", False)
            case "http.disconnect":
                self._is_disconnected = True
            case unknown:
                raise HttpInternalError(f"a server must not send {unknown!r} here")

    def resume(self) -> None:
        """Receive again: whoever was receiving has ended."""
        self._is_receiving = False
        self._wake()

    async def _advance(self) -> None:
        """Receive one message, or wait until the one who is receiving has it."""
        if self._is_receiving:
            await self._change()
            return
        self._is_receiving = True
        try:
            message = await self._receive()
        finally:
            # Also when we are cancelled: the other one then receives in our place.
            self.resume()
        self.put(message)

    async def _has_reader(self, content: "ref[RequestBody]") -> bool:
        """Wait for room. False when there is nobody who will make it."""
        referent = content()
        if referent is None:
            return False
        # The callback runs wherever the last reference is dropped or collected, which
        # may be in another thread, and after the loop was closed.
        loop = asyncio.get_running_loop()

        def wake(_: object) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake)

        # While we wait the name keeps the reference, and with it the callback.
        _tripwire = ref(referent, wake)
        del referent
        try:
            async with asyncio.timeout(None if self._is_begun else PATIENCE):
                await self._change()
        except TimeoutError:
            return self._is_begun
        return True

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
