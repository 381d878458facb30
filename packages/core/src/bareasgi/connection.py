"""One WebSocket connection, as the handler has it (RFC 6455)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bareasgi.errors import WebSocketInternalError
from bareasgi.read_ahead import ReadAhead
from bareasgi.socket_messages import (
    ABNORMAL_CLOSURE,
    GOING_AWAY,
    NO_STATUS,
    NORMAL_CLOSURE,
    accept_message,
    close_message,
    misuse,
    send_message,
)
from bareasgi.turns import BUSY, GLANCE, Turns
from bareasgi.types import Headers, Message, Receive, Scope, Send, WebSocket


class Connection(WebSocket):
    """A connection from its handshake to its end.

    The handler receives, and nobody else, as long as it does. When it only sends, one
    message is received ahead of it and kept: it may tell that the client has left, and
    that there is no use in sending, or in waiting until the client reads.

    Attributes:
        is_accepted: whether the handshake was completed.
        is_disconnected: whether the client, or the server, has ended the connection.
        is_going_away: whether the application is about to end; a normal closure then
            tells so.
    """

    __slots__ = (
        "_ahead",
        "_code",
        "_glance",
        "_has_begun",
        "_is_kept",
        "_is_open",
        "_may_receive",
        "_on_lost",
        "_reason",
        "_receive",
        "_scope",
        "_send",
        "_turns",
        "is_accepted",
        "is_disconnected",
        "is_going_away",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._turns = Turns()
        self._ahead: ReadAhead | None = None
        # An awaitable that is not written in Python may lose its message when the one
        # who waits is cancelled: nobody waits for it directly.
        self._is_kept = not hasattr(receive, "__code__")
        self._glance: asyncio.TimerHandle | None = None
        self._on_lost: Callable[[], object] | None = None
        self._code: int | None = None
        self._reason: str | None = None
        self._is_open = False
        # Whether the handler has ever received, and may now do so by itself.
        self._has_begun = False
        self._may_receive = False
        self.is_accepted: bool = False
        self.is_disconnected: bool = False
        self.is_going_away: bool = False

    @property
    def code(self) -> int | None:
        """The close code when the connection is over, None before."""
        return self._code

    @property
    def reason(self) -> str | None:
        """What was said to the close code, or None."""
        return self._reason

    async def accept(
        self, subprotocol: str | None = None, headers: Headers | None = None
    ) -> None:
        """Accept the connection, before anything is sent or received."""
        if self.is_accepted or self._code is not None:
            raise self._misuse("accepted")
        message = accept_message(self._scope, subprotocol, headers)
        self.is_accepted = True
        await self._deliver(message)

    async def receive(self) -> str | bytes | None:
        """Wait for the next message, or None when the connection is over."""
        if not self._may_receive:
            return await self._receive_ahead()
        self._may_receive = False
        try:
            message = await self._receive()
        finally:
            self._may_receive = self._is_open
        if message["type"] == "websocket.receive":
            text: str | None = message.get("text")
            if text is not None:
                return text
        return self._content(message)

    async def send(self, content: str | bytes | bytearray | memoryview) -> None:
        """Send a message, text for a str and binary for the others."""
        # What `_deliver` does, written out: "100 WebSocket echoes" pays for the call.
        turns = self._turns
        ready = turns.ready
        if ready > 0:
            turns.ready = BUSY
        elif self._is_open:
            ready = await self._take_turn()
        else:
            raise self._misuse("sent to")
        try:
            await self._send(
                {"type": "websocket.send", "text": content}
                if isinstance(content, str)
                else send_message(content)
            )
        except OSError as error:
            raise self._lost() from error
        finally:
            if turns.ready == BUSY:
                turns.ready = ready - 1
            else:
                turns.give()

    async def close(
        self, code: int = NORMAL_CLOSURE, reason: str | None = None
    ) -> None:
        """Close the connection, or refuse it when it was not accepted."""
        if code == NORMAL_CLOSURE and self.is_going_away:
            code = GOING_AWAY
        message = close_message(code, reason)
        if self._code is not None:
            return
        self._is_open = False
        self._code, self._reason = code, reason
        # To a client that has left in between it need not be said.
        with suppress(WebSocketInternalError):
            await self._deliver(message)
        self._may_receive = False

    def watch(self, on_lost: Callable[[], object]) -> None:
        """Look after the client from now on, since the handler waits for something.

        Calls back when a message cannot be sent, because the client has left.
        """
        self._on_lost = on_lost
        self._turns.renew()
        if not self._has_begun or self._turns.ready < 0:
            self._look_later()

    async def end(self) -> asyncio.CancelledError | None:
        """Let go of what was begun beside the handler. Gives a cancellation of ours."""
        if self._glance is not None:
            self._glance.cancel()
        return None if self._ahead is None else await self._ahead.end()

    async def _deliver(self, message: Message) -> None:
        """Send a message after those before it. Raises when the client has left."""
        await self._take_turn()
        self._is_open = self._code is None
        try:
            await self._send(message)
        except OSError as error:
            raise self._lost() from error
        finally:
            self._turns.give()

    async def _take_turn(self) -> int:
        """Wait until those who came before have sent."""
        ready = await self._turns.take()
        if self.is_disconnected:
            self._turns.give()
            raise self._misuse("sent to")
        if self._glance is None and self._on_lost is not None:
            self._look_later()
        return ready

    async def _receive_ahead(self) -> str | bytes | None:
        """Receive in another way than by oneself, or say why that cannot be."""
        if not self._is_open:
            if not self.is_accepted:
                raise self._misuse("received from")
            return None
        if self._ahead is None and not self._is_kept:
            if self._has_begun:
                raise WebSocketInternalError("the socket is received from already")
            self._has_begun = self._may_receive = True
            return await self.receive()
        self._has_begun = True
        ahead = self._read_ahead()
        message = await ahead.take()
        if ahead.is_over:
            self._ahead = None
            self._may_receive = self._is_open and not self._is_kept
        return self._content(message)

    def _read_ahead(self) -> ReadAhead:
        """Have somebody receive in place of the handler, or tell who does."""
        self._may_receive = False
        if self._ahead is None:
            self._ahead = ReadAhead(self._receive, self._on_lost_ahead)
        return self._ahead

    def _content(self, message: Message) -> str | bytes | None:
        if message["type"] != "websocket.receive":
            self._disconnect(message)
            return None
        content: str | bytes | None = message.get("text")
        return message["bytes"] if content is None else content

    def _look_later(self) -> None:
        self._glance = asyncio.get_running_loop().call_later(GLANCE, self._look)

    def _look(self) -> None:
        """Receive one message ahead when the handler does not receive."""
        self._glance = None
        if self._may_receive or self._is_kept or not self._has_begun:
            self._read_ahead()
        self._turns.renew()
        if self._turns.ready < 0:
            self._look_later()

    def _on_lost_ahead(self, message: Message) -> None:
        self._disconnect(message)
        if self._turns.ready < 0 and self._on_lost is not None:
            self._on_lost()

    def _disconnect(self, message: Message) -> None:
        """Take note that the connection has ended, and how."""
        self._is_open = self._may_receive = False
        self.is_disconnected = True
        self._turns.renew()
        if self._code is None:
            code: int | None = message.get("code")
            self._code = NO_STATUS if code is None else code
            self._reason = message.get("reason")

    def _lost(self) -> WebSocketInternalError:
        """Take note that the server cannot send, and make the error that says so."""
        self._disconnect({"code": ABNORMAL_CLOSURE})
        return self._misuse("sent to")

    def _misuse(self, done: str) -> WebSocketInternalError:
        return misuse(
            done,
            self._code,
            is_accepted=self.is_accepted,
            is_disconnected=self.is_disconnected,
        )
