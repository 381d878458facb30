"""Event streams: a body of events, for a browser's `EventSource` or any other reader.

The format is that of the HTML standard (WHATWG HTML, section 9.2, server-sent events).
"""

import asyncio
import math
import re
from collections.abc import AsyncIterable, Mapping
from logging import Logger, getLogger
from typing import Final, NamedTuple, Protocol, Self, TypeAlias, cast

from bareasgi.closing import Begun, close_body
from bareasgi.tasks import settle, start_task
from bareasgi.types import Body, Headers

logger: Final[Logger] = getLogger(__name__)

EVENT_STREAM_HEADERS: Final[Headers] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # nginx collects a response before it passes it on, unless it is told not to.
    (b"x-accel-buffering", b"no"),
]
"""The headers of an event stream."""

KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment, which readers drop, and people who look at the stream can see."""

_KEYS: Final = frozenset({"data", "event", "id"})
_LINE_BREAK: Final = re.compile("\r\n|\n|\r")


class Event(NamedTuple):
    """One event of a stream.

    Attributes:
        data: the text, of any number of lines, as str or as bytes in UTF-8. A reader
            is given it with LF between the lines, however they were ended.
        event: what kind of event it is, which is what a page listens to; None stands
            for "message". One line.
        id: what a reader that lost its connection sends back, in the request's header
            `last-event-id`, when it returns; None leaves the one before. One line,
            without NUL. An int is sent in decimal.
    """

    data: str | bytes
    event: str | None = None
    id: str | int | None = None


class _WithData(Protocol):
    """An event of a class of the user's own; `event` and `id` are optional."""

    @property
    def data(self) -> str | bytes: ...


_Mapping: TypeAlias = Mapping[str, object]
_AnyEvent: TypeAlias = _WithData | _Mapping


def event_stream(
    events: AsyncIterable[_AnyEvent],
    *,
    retry: int | None = None,
    keepalive: float | None = 15.0,
) -> Body:
    """Make a body of events, to be sent with EVENT_STREAM_HEADERS.

    An event is an `Event`, an object with the attributes `data` and, if it likes,
    `event` and `id`, or a mapping with these keys. Each is one chunk, sent as soon as
    the source gives it, and the source is asked for the next one after that.

    `retry` is how many milliseconds a reader waits before it returns, once its
    connection is lost. It is sent at once, which tells the reader that it is connected
    on servers that keep the headers back until the body begins, as hypercorn does. When
    no event came for `keepalive` seconds, a comment is sent, so that proxies do not
    take the connection for dead; None switches that off.

    The source runs in one task, in a copy of the handler's context, and is closed in
    it; it is closed, too, when it was never asked for an event. A client that leaves
    cancels it where it waits. What it raises passes through, and cuts the response. So
    does an event that cannot be sent: ValueError for a line break
    in `event` or `id`, a NUL in `id` or an unknown key, TypeError for values of other
    types. Raises the same errors at once for wrong options.
    """
    if not hasattr(events, "__aiter__"):
        raise TypeError(
            "events must be an async iterable, such as the call of an async generator"
            f" function, not {events!r}"
        )
    if retry is not None:
        if not isinstance(cast(object, retry), int):
            raise TypeError(f"retry must be an int of milliseconds, not {retry!r}")
        if retry < 0:
            raise ValueError(f"retry must not be negative: {retry}")
    if keepalive is not None:
        if not isinstance(cast(object, keepalive), (int, float)):
            raise TypeError(f"keepalive must be seconds or None, not {keepalive!r}")
        if not 0 < keepalive < math.inf:
            raise ValueError(
                f"keepalive must be positive, or None for no comments: {keepalive}"
            )
    opening = b"" if retry is None else b"retry: %d\n\n" % retry
    return _EventStream(events, opening, keepalive)


class _EventStream:
    """The body, which is its own iterator.

    The source has a task of its own, one from its first event to its end: what it waits
    for goes on while a comment is sent, and a timeout or a task group in it may span
    several events. It takes one step, from event to event, each time it is asked.
    """

    __slots__ = (
        "_asked",
        "_chunk",
        "_due",
        "_events",
        "_is_closed",
        "_keepalive",
        "_loop",
        "_opening",
        "_source",
        "_timer",
        "_woken",
    )

    _loop: asyncio.AbstractEventLoop

    def __init__(
        self, events: AsyncIterable[_AnyEvent], opening: bytes, keepalive: float | None
    ) -> None:
        # None once the source's task has it, and will close it.
        self._events: AsyncIterable[_AnyEvent] | None = events
        self._opening = opening
        self._keepalive = keepalive
        self._is_closed = False
        self._source: asyncio.Task[None] | None = None
        self._chunk: bytes | None = None
        # What the source waits for, with its chunk given, and what its reader does.
        self._asked: asyncio.Future[None] | None = None
        self._woken: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:
            raise StopAsyncIteration
        if self._opening:
            opening, self._opening = self._opening, b""
            return opening
        if self._source is None:
            self._loop = asyncio.get_running_loop()
            self._source = start_task(self._give_chunks())
            self._source.add_done_callback(self._wake)
        elif self._asked is not None and not self._asked.done():
            self._asked.set_result(None)
        if self._chunk is None and not self._source.done():
            await self._wait()
        if self._chunk is not None:
            chunk, self._chunk = self._chunk, None
            return chunk
        if not self._source.done():
            return KEEP_ALIVE
        self._end()
        self._source.result()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancel the source where it waits, or close it where it gave an event."""
        if self._is_closed:
            return
        self._end()
        cancellation = None
        if self._source is not None:
            self._source.cancel()
            cancellation = await settle(self._source)
        if self._events is not None:
            # It was never begun.
            await close_body(cast(Body, self._events))
        if cancellation is not None:
            raise cancellation
        if self._source is None or self._source.cancelled():
            return
        if self._source.done():
            self._source.result()
        else:
            logger.error("a source of events does not end, and is abandoned")

    async def _give_chunks(self) -> None:
        """Run the source, give its events as chunks, and close it: all in its task."""
        events, self._events = cast(Body, self._events), None
        iterator = None
        try:
            iterator = aiter(events)
            async for event in Begun(iterator):
                if self._is_closed:
                    # It was cancelled, and gave one more all the same.
                    break
                self._chunk = _encode(event)
                self._asked = self._loop.create_future()
                self._wake()
                await self._asked
        finally:
            await close_body(events, iterator)

    async def _wait(self) -> None:
        """Wait for a chunk, the source's end or the time of a comment."""
        if self._keepalive is not None:
            self._due = self._loop.time() + self._keepalive
            if self._timer is None:
                self._timer = self._loop.call_at(self._due, self._on_time)
        self._woken = self._loop.create_future()
        await self._woken
        self._due = math.inf

    def _wake(self, _source: object = None) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _on_time(self) -> None:
        """Look at the time: there is one timer, and not one for each event."""
        self._timer = None
        if self._loop.time() >= self._due:
            self._wake()
        elif self._due < math.inf:
            self._timer = self._loop.call_at(self._due, self._on_time)

    def _end(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()


def _encode(event: object) -> bytes:
    """Make the lines of an event, and the empty line that ends it."""
    data, kind, identity = _fields(event)
    if isinstance(data, bytes):
        data = data.decode()
    if not isinstance(data, str):
        raise TypeError(
            f"the data of an event must be str or bytes, not {data!r}: write"
            " Event('text'), or Event(json.dumps(value))"
        )
    if "\n" in data or "\r" in data:
        data = "\ndata: ".join(_LINE_BREAK.split(data))
    text = "data: " + data + "\n\n"
    if kind is not None:
        text = "event: " + _line("event", kind) + "\n" + text
    if identity is not None:
        text = "id: " + _line("id", identity) + "\n" + text
    return text.encode()


def _fields(event: object) -> tuple[object, object, object]:
    if isinstance(event, Event):
        return event.data, event.event, event.id
    if isinstance(event, Mapping):
        fields = cast(_Mapping, event)
        if not _KEYS.issuperset(fields):
            raise ValueError(
                "an event has no keys but 'data', 'event' and 'id' (and 'retry' is"
                f" given to event_stream): {event!r}"
            )
        return fields.get("data"), fields.get("event"), fields.get("id")
    return (
        getattr(event, "data", None),
        getattr(event, "event", None),
        getattr(event, "id", None),
    )


def _line(name: str, value: object) -> str:
    """Refuse what would end the field, or, in an id, make readers ignore it."""
    if isinstance(value, int) and name == "id":
        value = f"{value:d}"
    if not isinstance(value, str):
        raise TypeError(f"the {name} of an event must be a str, not {value!r}")
    if "\n" in value or "\r" in value or (name == "id" and "\0" in value):
        raise ValueError(f"the {name} {value!r} must be one line, without NUL")
    return value
