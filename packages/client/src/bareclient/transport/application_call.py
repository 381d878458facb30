"""One call of an application: between it and the strict server of the tests.

What servers forgive is forgiven here, an application that fails is answered for, and
what it sends beside a body is recorded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from logging import Logger, getLogger
from typing import Any, Final, TypeAlias

from bareasgi import Header, Message, Push, Receive, Scope, Send

logger: Final[Logger] = getLogger(__name__)

AsgiApplication: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""Any application of ASGI 3, however narrowly it types its arguments."""

_WITHOUT_BODY: Final = frozenset({204, 304})

# What servers send in place of an application that failed.
_SERVER_ERROR: Final[Sequence[Message]] = (
    {
        "type": "http.response.start",
        "status": 500,
        "headers": [(b"content-type", b"text/plain; charset=utf-8")],
    },
    {"type": "http.response.body", "body": b"Internal Server Error"},
)


class ApplicationCall:
    """One call, to be run in a task.

    Attributes:
        early_hints: the links that it sent ahead.
        trailers: the fields that it sent after the body.
        pushes: what it pushed.
        has_body: whether its response may have a body.
    """

    def __init__(self, app: AsgiApplication) -> None:
        self._app = app
        self._is_started = False
        self._is_left = False
        self._is_complete = False
        self._owes_trailers = False
        self.early_hints: list[bytes] = []
        self.trailers: list[Header] = []
        self.pushes: list[Push] = []
        self.has_body: bool = True

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and answer in its place if it does not."""
        one_at_a_time = asyncio.Lock()

        async def receive_in_turn() -> Message:
            async with one_at_a_time:
                message = await receive()
            self._is_left |= message["type"] == "http.disconnect"
            return message

        async def send_on(message: Message) -> None:
            if not self._is_complete:
                await send(self._taken(scope, message))
                self._is_started |= message["type"] == "http.response.start"

        try:
            await self._app(scope, receive_in_turn, send_on)
            if self._owes_answer:
                logger.error("%s %r: no response", scope["method"], scope["path"])
        except Exception:
            logger.exception("%s %r failed", scope["method"], scope["path"])
        if self._owes_answer:
            for message in _SERVER_ERROR:
                await send_on(message)

    @property
    def _owes_answer(self) -> bool:
        return not self._is_started and not self._is_left

    def _taken(self, scope: Scope, message: Message) -> Message:
        """Record a message, and make it what the strict server wants."""
        match message["type"]:
            case "http.response.start":
                status: int = message["status"]
                self._owes_trailers = message.get("trailers", False)
                self.has_body = (
                    scope["method"] != "HEAD" and status not in _WITHOUT_BODY
                )
                fields = message.get("headers", ())
                headers = [
                    (bytes(name).lower(), bytes(value)) for name, value in fields
                ]
                return {**message, "status": int(status), "headers": headers}
            case "http.response.body":
                body = bytes(message.get("body", b"")) if self.has_body else b""
                has_more = message.get("more_body", False)
                self._is_complete = not has_more and not self._owes_trailers
                return {**message, "body": body}
            case "http.response.early_hint":
                self.early_hints += message["links"]
            case "http.response.push":
                self.pushes.append((message["path"], [*message["headers"]]))
            case "http.response.trailers":
                self.trailers += message["headers"]
                self._is_complete = not message.get("more_trailers", False)
            case _:
                pass
        return message
