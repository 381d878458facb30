"""One WebSocket in progress, from the client's side."""

import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

from bareasgi.testing.call import Call
from bareasgi.testing.checker import ASGIApplication, ProtocolError
from bareasgi.testing.stream import Response
from bareasgi.types import Headers, Message

NORMAL_CLOSURE = 1000
ABNORMAL_CLOSURE = 1006


class ClientSocket:
    """The client's end of a WebSocket that an application serves.

    Made by `web_socket`. Whatever it waits for must come before the deadline, else
    ProtocolError is raised; if the application ends instead, its exception is raised.

    Attributes:
        messages: everything that was sent, in order, as the very objects.
    """

    def __init__(
        self,
        app: ASGIApplication,
        scope: Mapping[str, Any],
        buffer: int | None,
        timeout: float | None,
    ) -> None:
        self.messages: list[Message] = []
        self._app = app
        self._buffer = math.inf if buffer is None else buffer
        self._incoming: deque[Message] = deque([{"type": "websocket.connect"}])
        self._untaken: deque[str | bytes] = deque()
        self._end: Message | None = None
        self._send_raises = False
        self._was_cancelled = False
        self._was_reported = False
        self._call = Call(scope, self._receive, self._send, timeout)

    async def __aenter__(self) -> Self:
        """Call the application, and wait until it has answered the handshake."""
        self._call.start(self._app)
        try:
            await self._call.within(self._is_answered, "an answer to the handshake")
            if not self._is_answered():
                self._report()
        except BaseException:
            await self._call.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, wait for the application, and raise what was not raised before.

        An exception of the block goes before any of the application.
        """
        self.close()
        try:
            await self._call.within(
                self._call.task.done, "the application to return: the client has left"
            )
        except ProtocolError:
            if error is None:
                raise
        finally:
            await self._call.stop()
        if error is None:
            self._settle()

    @property
    def is_accepted(self) -> bool:
        """Whether the application accepted the handshake."""
        return bool(self._first("websocket.accept"))

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the application chose."""
        subprotocol: str | None = self._first("websocket.accept").get("subprotocol")
        return subprotocol

    @property
    def headers(self) -> Headers:
        """The header fields of the accepted handshake, or an empty list."""
        headers: Headers = self._first("websocket.accept").get("headers", [])
        return headers

    @property
    def response(self) -> Response:
        """The response in place of an accepted handshake, as far as it was sent."""
        prefix = "websocket."
        return Response(
            [
                {**each, "type": each["type"].removeprefix(prefix)}
                for each in self.messages
                if each["type"].startswith("websocket.http.")
            ]
        )

    @property
    def code(self) -> int | None:
        """The code that the application closed with, or None."""
        closed = self._first("websocket.close")
        code: int | None = closed.get("code", NORMAL_CLOSURE) if closed else None
        return code

    @property
    def reason(self) -> str:
        """What the application said when it closed."""
        return self._first("websocket.close").get("reason") or ""

    async def send(self, content: str | bytes) -> None:
        """Send a message, and wait until the application has received it.

        Returns also when the connection is over: the message is lost then.
        """
        key = "text" if isinstance(content, str) else "bytes"
        message = {"type": "websocket.receive", key: content}
        self._incoming.append(message)
        self._call.tell()
        await self._call.within(
            lambda: message not in self._incoming or self._end is not None,
            "the application to receive the message",
        )

    async def receive(self) -> str | bytes | None:
        """Take the next message, or None when the application has closed.

        Also None when the application returned because the client had left.
        """
        await self._call.within(
            lambda: bool(self._untaken) or self._end is not None,
            "a message",
        )
        if self._untaken:
            content = self._untaken.popleft()
            self._call.tell()
            return content
        if self._end is None:
            self._report()
        return None

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Take message after message, until the application closes."""
        return self

    async def __anext__(self) -> str | bytes:
        """Take the next message."""
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    async def blocked(self) -> None:
        """Wait until the application is held up in `send`, its message untaken."""
        await self._call.within(self._is_full, "the application to block in send")
        if not self._is_full():
            self._report()
            raise ProtocolError("the application returned and is not blocked in send")

    def close(self, code: int = NORMAL_CLOSURE, reason: str | None = None) -> None:
        """Close the connection as a client does that says why (RFC 6455, section 7).

        The application still receives what was sent before. Does nothing when the
        connection is over.
        """
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._call.tell()

    def leave(self, *, send_raises: bool = False) -> None:
        """Go away without a close frame: the code is 1006 (RFC 6455, section 7.1.5).

        Later sends, and one that is blocked, do nothing, or raise OSError if
        `send_raises`: servers do either. Messages that were not received are lost.
        """
        self._incoming.clear()
        self._send_raises |= send_raises
        self.close(ABNORMAL_CLOSURE)
        self._call.tell()

    def cancel(self) -> None:
        """Cancel the application's task, as a server does that shuts down."""
        self._was_cancelled = True
        self._call.task.cancel()

    async def finished(self) -> None:
        """Wait until the application has returned, and raise what it raised.

        After `cancel` that is CancelledError, unless the application swallowed it.
        """
        await self._call.within(self._call.task.done, "the application to return")
        self._report()

    async def _receive(self) -> Message:
        await self._call.until(lambda: bool(self._incoming) or self._end is not None)
        if not self._incoming and self._end is not None:
            return self._end
        message = self._incoming.popleft()
        self._call.tell()
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._end is None:
            self.messages.append(message)
            if kind == "websocket.send":
                text = message.get("text")
                self._untaken.append(message["bytes"] if text is None else text)
            self._call.tell()
            await self._call.until(lambda: not self._is_full() or self._end is not None)
        if self._send_raises:
            raise BrokenPipeError("the client has left")
        if kind == "websocket.close":
            self.close(message.get("code", NORMAL_CLOSURE), message.get("reason"))

    def _first(self, kind: str) -> Message:
        nothing: Message = {}
        return next((each for each in self.messages if each["type"] == kind), nothing)

    def _is_answered(self) -> bool:
        return self.is_accepted or self.code is not None or self._call.check.is_complete

    def _is_full(self) -> bool:
        return len(self._untaken) > self._buffer

    def _report(self) -> None:
        self._was_reported = True
        self._call.task.result()

    def _settle(self) -> None:
        """Raise what went wrong and was not raised before."""
        is_expected = self._was_cancelled and self._call.task.cancelled()
        if not self._was_reported and not is_expected:
            self._report()
        if self._call.check.late_violation is not None:
            raise self._call.check.late_violation
