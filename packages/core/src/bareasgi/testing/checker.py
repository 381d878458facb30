"""Watches one call of an ASGI application and says where it breaks the protocol.

Stands between an application and whatever calls it, in tests or under a real server.
The rules are those of ASGI 3, its HTTP & WebSocket Message Format 2.5, its lifespan
protocol 2.0, and its extensions for pushes, early hints, trailers, sending a file by
its path, and answering a web socket's handshake over HTTP.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from copy import deepcopy
from http import HTTPStatus
from typing import Any, TypeAlias

from bareasgi.testing.messages import (
    FINAL,
    NEXT,
    content_length,
    content_length_problem,
    shape_problem,
)
from bareasgi.types import Message, Receive, Send

ASGIApplication: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""Any application of ASGI 3, however narrowly it types scope, receive and send."""

CheckedApplication: TypeAlias = Callable[
    [Mapping[str, Any], Receive, Send], Coroutine[Any, Any, None]
]
"""A coroutine function: some servers take anything else for WSGI."""

# An endless stream must not be kept in memory, so older messages are compared early.
KEPT_MESSAGES = 64

WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class ProtocolError(AssertionError):
    """An application broke the rules of ASGI, or what was awaited did not come."""


def checked(app: ASGIApplication) -> CheckedApplication:
    """Wrap an application so that each of its calls is held to the protocol.

    What it sends is checked for type, keys, values, order and completeness, and for
    not being changed afterwards; each object is passed on itself, not a copy. Put it
    outermost: changes made to a message further out are blamed on the application.

    A violation raises ProtocolError out of the `send` or `receive` concerned, and again
    when the call ends, also if the application swallowed it or ended by another error,
    which is then the context. An exception or a disconnect excuses an incomplete
    response: a disconnect is known once it was received or `send` raised OSError. So
    does an application that says `is_draining`, as ours does after `drain`.

    Scopes that are not http, websocket or lifespan are passed on without a check.
    """

    async def run_checked(
        scope: Mapping[str, Any], receive: Receive, send: Send
    ) -> None:
        if scope["type"] in NEXT:
            await Check(scope, receive, send).run(app)
        else:
            await app(scope, receive, send)

    return run_checked


class Check:
    """One call of an application, held to the protocol.

    Attributes:
        is_complete: nothing more may be sent.
        late_violation: the first one after the call had returned, when it is too late
            to raise it from there.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.is_complete: bool = False
        self.late_violation: ProtocolError | None = None
        self._violation: ProtocolError | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_receiving = False
        self._is_sending = False
        self._has_returned = False
        self._is_disconnected = False
        self._step: str = scope["type"]
        self._allowed = NEXT[self._step]
        self._owes_trailers = False
        self._is_head = scope.get("method") == "HEAD"
        self._status = 0
        self._length: int | None = None
        self._sent_bytes = 0
        self._kept: list[tuple[Message, Message]] = []

    async def run(self, app: ASGIApplication) -> None:
        """Call the application, and raise the first violation when it is done."""
        try:
            await app(self._scope, self.receive, self.send)
            is_excused = self._is_disconnected or getattr(app, "is_draining", False)
            if not self.is_complete and not is_excused:
                self._fail(f"the application returned too early, after {self._step}")
        finally:
            try:
                for message, snapshot in self._kept:
                    self._compare(message, snapshot)
            finally:
                self._has_returned = True
                if self._violation is not None:
                    raise self._violation

    async def receive(self) -> Message:
        """Pass on the next event of the server."""
        if self._has_returned:
            self._fail("receive was called after the application returned")
        if self._is_receiving:
            self._fail("receive was called before the last call of it returned")
        self._is_receiving = True
        try:
            message = await self._receive()
        finally:
            self._is_receiving = False
        step = message["type"]
        self._is_disconnected |= step in {"http.disconnect", "websocket.disconnect"}
        if step in NEXT:
            self._step, self._allowed = step, NEXT[step]
        return message

    async def send(self, message: Any) -> None:
        """Pass on an event of the application, unless something is wrong with it."""
        problem = (
            self._call_problem()
            or shape_problem(message, self._scope)
            or self._order_problem(message)
            or self._length_problem(message)
        )
        if problem:
            self._fail(f"{problem}: {message!r:.500}")
        self._advance(message)
        self._kept.append((message, deepcopy(message)))
        if len(self._kept) > KEPT_MESSAGES:
            self._compare(*self._kept.pop(1))  # the first holds the headers
        self._is_sending = True
        try:
            await self._send(message)
        except OSError:
            self._is_disconnected = True
            raise
        finally:
            self._is_sending = False

    def _fail(self, problem: str) -> None:
        error = ProtocolError(problem)
        if self._has_returned:
            self.late_violation = self.late_violation or error
        self._violation = self._violation or error
        raise error

    def _compare(self, message: Message, snapshot: Message) -> None:
        if message != snapshot:
            self._fail(f"changed after it was sent: {snapshot!r:.500} to {message!r}")

    def _call_problem(self) -> str:
        if self._has_returned:
            return "sent after the application returned"
        if self._is_sending:
            return "sent before the last send returned"
        return ""

    def _order_problem(self, message: Message) -> str:
        kind = message["type"]
        if kind in self._allowed:
            return ""
        allowed = ", ".join(sorted(self._allowed)) or "nothing"
        return f"{kind} is out of order: after {self._step} may follow {allowed}"

    def _length_problem(self, message: Message) -> str:
        if message["type"].endswith("response.start"):
            return content_length_problem(message)
        if not message["type"].endswith("response.body"):
            return ""
        size = len(message.get("body", b""))
        if size and (self._is_head or self._status in WITHOUT_BODY):
            return "the answer to HEAD, and statuses 204 and 304, have no body"
        total = self._sent_bytes + size
        is_final = not message.get("more_body", False)
        if self._length is not None and (
            total > self._length or (is_final and total < self._length)
        ):
            return f"content-length is {self._length}, and this makes {total} bytes"
        return ""

    def _advance(self, message: Message) -> None:
        kind = message["type"]
        if kind.endswith("response.start"):
            self._status = message["status"]
            self._owes_trailers = message.get("trailers", False)
            if not self._is_head and self._status != HTTPStatus.NOT_MODIFIED:
                self._length = content_length(message)
        has_more = message.get("more_body") or message.get("more_trailers")
        self._sent_bytes += len(message.get("body", b""))
        self._step = f"{kind} with more to come" if has_more else kind
        self._allowed = NEXT.get(self._step, self._allowed)
        if self._step in FINAL:
            is_owing = self._owes_trailers and kind != "http.response.trailers"
            self._allowed = frozenset({"http.response.trailers"} if is_owing else ())
            self.is_complete = not is_owing
