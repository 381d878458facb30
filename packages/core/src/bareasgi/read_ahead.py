"""Receives the messages of a WebSocket in place of a handler that does not.

A client that leaves is reported behind all that it said before. So whoever wants to
know has to receive, and to keep what comes until somebody asks for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from bareasgi.errors import WebSocketInternalError
from bareasgi.tasks import settle, start_task
from bareasgi.types import Message, Receive

PATIENCE: Final = 30.0
"""Seconds that one message is kept before others are received."""

AHEAD: Final = 65536
"""Bytes or characters that are kept at most, unless it is one message."""

_EMPTY: Final = 256
"""What an empty message counts: many of them are large as well."""


class ReadAhead:
    """Receives one message, and keeps it. When nobody takes it in time, the rest too.

    To give up waiting in `take` loses no message, which some servers do when their
    `receive` is cancelled.
    """

    __slots__ = (
        "_arrival",
        "_is_dropping",
        "_messages",
        "_on_disconnect",
        "_receive",
        "_size",
        "_task",
        "_timer",
    )

    def __init__(
        self, receive: Receive, on_disconnect: Callable[[Message], object]
    ) -> None:
        """Begin.

        `on_disconnect` is called with the last message when nobody waits for it.
        """
        self._receive = receive
        self._on_disconnect = on_disconnect
        self._messages: deque[Message] = deque()
        self._size = 0
        self._is_dropping = False
        self._arrival: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] = start_task(self._run())

    @property
    def is_over(self) -> bool:
        """Whether nothing is kept, nothing being received, and nothing went wrong."""
        is_done = self._task.done() and not self._messages
        return is_done and self._task.exception() is None

    async def take(self) -> Message:
        """Wait for the next message.

        Raises WebSocketInternalError while another call waits, and when messages had
        to be dropped; what the server's `receive` raises is raised here.
        """
        if self._arrival is not None:
            raise WebSocketInternalError("the socket is received from already")
        while not self._messages:
            if self._is_dropping:
                raise WebSocketInternalError(
                    f"what the client sent was not received in {PATIENCE:g} seconds,"
                    " and dropped: receive in one task, and send in another"
                )
            if self._task.done():
                self._task.result()
            await self._wait()
        message = self._messages.popleft()
        self._size -= _size_of(message)
        if not self._messages:
            self._be_patient()
        return message

    async def end(self) -> asyncio.CancelledError | None:
        """Receive nothing more. Gives a cancellation of ours."""
        self._be_patient()
        self._task.cancel()
        return await settle(self._task)

    async def _run(self) -> None:
        try:
            while not self._keep(await self._receive()):
                self._tell()
        finally:
            self._tell()

    async def _wait(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        try:
            await self._arrival
        finally:
            self._arrival = None

    def _tell(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _keep(self, message: Message) -> bool:
        """Keep a message, or drop it. Tells whether that is enough for now."""
        is_last: bool = message["type"] != "websocket.receive"
        if is_last and self._arrival is None:
            self._on_disconnect(message)
        is_first = not self._messages
        size = _size_of(message)
        self._is_dropping |= not is_first and self._size + size > AHEAD
        if self._is_dropping:
            return is_last
        self._messages.append(message)
        self._size += size
        if is_first and self._arrival is None and not is_last:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(PATIENCE, self._go_on)
        return is_first or is_last

    def _be_patient(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        self._task = start_task(self._run())


def _size_of(message: Message) -> int:
    return _EMPTY + len(message.get("text") or message.get("bytes") or b"")
