"""One WebSocket connection, as the handler has it (RFC 6455)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bareasgi.errors import WebSocketInternalError
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
from bareasgi.tasks import settle, start_task
from bareasgi.turns import BUSY, Turns
from bareasgi.types import Headers, Message, Receive, Scope, Send, WebSocket

GLANCE: Final = 0.05
"""Seconds after which a handler that sends is looked after: does it receive as well?"""


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
        self._is_open = False
        # False before the connection is open, and while somebody does it.
        self._may_receive = False
        self._turns = Turns()
        self._on_lost: Callable[[], object] | None = None
        self._glance: asyncio.TimerHandle | None = None
        self._ahead: asyncio.Task[Message] | None = None
        self._code: int | None = None
        self._reason: str | None = None
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
        self.is_accepted = self._is_open = self._may_receive = True
        await self._deliver(message)

    async def receive(self) -> str | bytes | None:
        """Wait for the next message, or None when the connection is over."""
        if self._may_receive:
            self._may_receive = False
            try:
                message = await self._receive()
            finally:
                self._may_receive = self._is_open
        elif not self._is_open:
            if not self.is_accepted:
                raise self._misuse("received from")
            return None
        elif self._ahead is not None:
            message = await self._take_ahead(self._ahead)
        else:
            raise WebSocketInternalError("the socket is received from already")
        if message["type"] != "websocket.receive":
            self._disconnect(message)
            return None
        content: str | bytes | None = message.get("text")
        if content is None:
            content = message["bytes"]
        return content

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
        # Nobody receives before `accept`, but this may have to wait for the client too.
        self._may_receive |= not self.is_accepted
        self._code, self._reason = code, reason
        try:
            # To a client that has left in between it need not be said.
            with suppress(WebSocketInternalError):
                await self._deliver(message)
        finally:
            self._may_receive = False

    def watch(self, on_lost: Callable[[], object]) -> None:
        """Look after the client from now on, since the handler waits for something.

        Calls back when a message cannot be sent, because the client has left.
        """
        self._on_lost = on_lost
        self._turns.renew()
        if self._turns.ready < 0:
            self._look_later()

    async def end(self) -> asyncio.CancelledError | None:
        """Let go of what was begun beside the handler. Gives a cancellation of ours."""
        if self._glance is not None:
            self._glance.cancel()
        if self._ahead is None:
            return None
        self._ahead.cancel()
        return await settle(self._ahead)

    async def _deliver(self, message: Message) -> None:
        """Send a message after those before it. Raises when the client has left."""
        await self._take_turn()
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

    async def _take_ahead(self, ahead: asyncio.Task[Message]) -> Message:
        """Wait for the message that is being received, or was, since nobody did."""
        self._ahead = None
        try:
            await asyncio.wait([ahead])
        except asyncio.CancelledError:
            self._ahead = ahead
            raise
        self._may_receive = self._is_open
        return ahead.result()

    def _look_later(self) -> None:
        self._glance = asyncio.get_running_loop().call_later(GLANCE, self._look)

    def _look(self) -> None:
        """Receive one message ahead when the handler does not receive."""
        self._glance = None
        if self._may_receive:
            self._may_receive = False
            self._ahead = start_task(self._receive_ahead())
        self._turns.renew()
        if self._turns.ready < 0:
            self._look_later()

    async def _receive_ahead(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            self._disconnect(message)
            if self._turns.ready < 0 and self._on_lost is not None:
                self._on_lost()
        return message

    def _disconnect(self, message: Message) -> None:
        """Take note that the connection has ended, and how."""
        self._is_open = self._may_receive = False
        self._turns.renew()
        self.is_disconnected = True
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
