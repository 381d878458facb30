"""One call of an application in progress: what it sent, and what to do with it."""

import asyncio
import json
import math
import re
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Mapping,
)
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, cast

from bareasgi.testing.call import Call, each
from bareasgi.testing.checker import ASGIApplication, ProtocolError
from bareasgi.types import Headers, Message, Push

DEADLINE = 10.0  # seconds


class Response:
    """What an application sent in answer to one request.

    `status` and `headers` raise ProtocolError while nothing was started.

    Attributes:
        messages: everything that was sent, in order, as the very objects.
    """

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages

    @property
    def status(self) -> int:
        """The status code."""
        status: int = self._start["status"]
        return status

    @property
    def headers(self) -> Headers:
        """The header fields: the very object that was sent, or an empty list."""
        headers: Headers = self._start.get("headers", [])
        return headers

    @property
    def pushes(self) -> list[Push]:
        """The pushes, in order."""
        pushes = (m for m in self.messages if m["type"] == "http.response.push")
        return [(push["path"], push["headers"]) for push in pushes]

    @property
    def chunks(self) -> list[bytes]:
        """The body as it was sent, message by message, without the empty ones."""
        return [message["body"] for message in self.messages if message.get("body")]

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body decoded by the charset of its content-type, or else as UTF-8."""
        fields = b"\n".join(v for n, v in self.headers if n == b"content-type")
        charset = re.search(rb'charset="?([^\s;"]+)', fields, re.IGNORECASE)
        return self.body.decode(charset[1].decode("ascii") if charset else "utf-8")

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(self.body)

    @property
    def _start(self) -> Message:
        for message in self.messages:
            if message["type"] == "http.response.start":
                return message
        raise ProtocolError("the response has not started")

    def _has_started(self) -> bool:
        return any(m["type"] == "http.response.start" for m in self.messages)


class Stream(Response):
    """A request whose response is watched while the application runs.

    Made by `http_stream`. Its properties tell what was sent so far, taken or not.
    Whatever it waits for must come before the deadline, else ProtocolError is raised;
    if the application ends instead, its exception is raised.
    """

    def __init__(
        self,
        app: ASGIApplication,
        scope: Mapping[str, Any],
        content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None,
        buffer: int | None,
        timeout: float | None,
    ) -> None:
        super().__init__([])
        self._app = app
        self._content = content
        self._buffer = math.inf if buffer is None else buffer
        self._chunks: deque[bytes] = deque()
        self._uploads: deque[Message] = deque()
        self._upload_error: Exception | None = None
        self._is_open = content is None
        self._is_complete = False
        self._has_left = False
        self._send_raises = False
        self._was_cancelled = False
        self._was_reported = False
        self._feeder: asyncio.Task[None] | None = None
        self._call = Call(scope, self._receive, self._send, timeout)

    async def __aenter__(self) -> Self:
        """Call the application."""
        self._call.start(self._app)
        if isinstance(self._content, bytes):
            self._offer(self._content, more=False)
        elif self._content is not None:
            self._feeder = asyncio.create_task(self._feed(self._content))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave, wait for the application, and raise what was not raised before.

        An exception of the block goes before any of the application.
        """
        self.leave()
        try:
            await self._call.within(
                self._call.task.done, "the application to return: the client has left"
            )
        except ProtocolError:
            if error is None:
                raise
        finally:
            await self._call.stop(self._feeder)
        if error is None:
            self._settle()

    async def started(self) -> None:
        """Wait until status and headers were sent."""
        await self._call.within(self._has_started, "the start of a response")
        if not self._has_started():
            self._report()

    async def chunk(self) -> bytes:
        """Take the next chunk of the body as it was sent, or b"" at its end.

        Also b"" when the application returned because the client had left.
        """
        await self._call.within(
            lambda: bool(self._chunks) or self._is_complete, "a chunk of the body"
        )
        if self._chunks:
            chunk = self._chunks.popleft()
            self._call.tell()
            return chunk
        if not self._is_complete:
            self._report()
        return b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Take the chunks until the end of the body."""
        return self

    async def __anext__(self) -> bytes:
        """Take the next chunk."""
        chunk = await self.chunk()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def blocked(self) -> None:
        """Wait until the application is held up in `send`, its chunk untaken."""
        await self._call.within(self._is_full, "the application to block in send")
        if not self._is_full():
            self._report()
            raise ProtocolError("the application returned and is not blocked in send")

    async def upload(self, chunk: bytes, *, more: bool = True) -> None:
        """Give the next chunk of the request's body, the last one with `more=False`.

        Waits as `send` does, until no more than `buffer` chunks are untaken. Chunks are
        dropped once the response is complete. Raises ValueError unless the request
        was made with `content=None`, and after its last chunk.
        """
        if not self._is_open:
            raise ValueError("the request's body has ended: open it with content=None")
        self._is_open = more
        self._offer(chunk, more=more)
        await self._call.within(
            lambda: len(self._uploads) <= self._buffer or self._is_over(),
            "the application to take the uploaded chunk",
        )

    def leave(self, *, send_raises: bool = False) -> None:
        """Go away: the application is given http.disconnect from now on.

        Later sends, and one that is blocked, do nothing, or raise OSError if
        `send_raises`: servers do either. Request chunks that were not taken are lost.
        """
        self._has_left = True
        self._send_raises |= send_raises
        self._call.tell()

    def cancel(self) -> None:
        """Cancel the application's task, as a server does that shuts down."""
        self._was_cancelled = True
        self._call.task.cancel()

    async def finished(self) -> None:
        """Wait until the application has returned, and raise what it raised.

        Chunks that do not fit the buffer must have been taken. After `cancel` that is
        CancelledError, unless the application swallowed it. An exception of the
        iterable given as content counts as the client leaving and is raised here.
        """
        await self._call.within(self._call.task.done, "the application to return")
        self._report()

    async def _receive(self) -> Message:
        await self._call.until(lambda: bool(self._uploads) or self._is_over())
        if self._is_over():
            return {"type": "http.disconnect"}
        message = self._uploads.popleft()
        self._call.tell()
        return message

    async def _send(self, message: Message) -> None:
        if not self._has_left:
            self.messages.append(message)
            if message.get("body"):
                self._chunks.append(message["body"])
            self._call.tell()
            await self._call.until(lambda: not self._is_full() or self._has_left)
        if self._send_raises:
            raise BrokenPipeError("the client has left")
        self._is_complete = self._call.check.is_complete
        self._call.tell()

    async def _feed(self, content: Iterable[bytes] | AsyncIterable[bytes]) -> None:
        try:
            async with aclosing(each(content)) as chunks:
                async for chunk in chunks:
                    self._offer(chunk, more=True)
                    await self._call.until(lambda: not self._uploads)
            self._offer(b"", more=False)
        except Exception as error:  # noqa: BLE001  it is raised in the caller's task
            self._upload_error = error
            self.leave()

    def _offer(self, chunk: bytes, *, more: bool) -> None:
        if not isinstance(cast(object, chunk), bytes):
            raise TypeError(f"the content must be bytes, not {chunk!r}")
        self._uploads.append({"type": "http.request", "body": chunk, "more_body": more})
        self._call.tell()

    def _is_full(self) -> bool:
        return len(self._chunks) > self._buffer

    def _is_over(self) -> bool:
        return self._has_left or self._is_complete

    def _report(self) -> None:
        self._was_reported = True
        if self._upload_error is not None:
            raise self._upload_error
        self._call.task.result()

    def _settle(self) -> None:
        """Raise what went wrong and was not raised before."""
        is_expected = self._was_cancelled and self._call.task.cancelled()
        if not self._was_reported and not is_expected:
            self._report()
        if self._call.check.late_violation is not None:
            raise self._call.check.late_violation
