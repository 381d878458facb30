"""Reads event streams, by the HTML standard (WHATWG HTML, section 9.2)."""

import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final, NamedTuple

from bareclient.content import close
from bareclient.errors import BodyTooLargeError

_LINE_END: Final = re.compile(r"\r\n|\n|\r")


class ServerEvent(NamedTuple):
    """One event of an event stream.

    Attributes:
        data: the text, with LF between its lines.
        event: what kind of event it is, "message" when the server does not say.
        id: the last id that the server gave, to be sent as `last-event-id` by whoever
            asks for the stream again.
        retry: milliseconds that the server wants to pass before that, the last it
            said, or None.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


async def read_events(
    body: AsyncIterable[bytes], *, max_bytes: int = 1024 * 1024
) -> AsyncGenerator[ServerEvent, None]:
    """Read a body as an event stream, event by event, as they arrive.

    Comments are skipped, bytes that are not UTF-8 become U+FFFD, and what follows the
    last blank line is dropped, as browsers do. The body is closed at the end, and when
    this iterator is closed. Raises BodyTooLargeError for an event of more than
    `max_bytes` characters.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    parser = _Parser(max_bytes)
    try:
        async for chunk in body:
            for event in parser.feed(decoder.decode(chunk)):
                yield event
    finally:
        await close(body)


class _Parser:
    """Takes text in pieces, and gives the events that they complete."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[str] = []
        self._size = 0
        self._skips_line_feed = False
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._retry: int | None = None

    def feed(self, text: str) -> list[ServerEvent]:
        """Take some text."""
        if self._skips_line_feed and text:
            # The CR before it has ended a line already: to wait for what comes next
            # would hold an event back.
            self._skips_line_feed = False
            text = text.removeprefix("\n")
        events: list[ServerEvent] = []
        start = 0
        for end in _LINE_END.finditer(text):
            self._keep(text[start : end.start()])
            line, self._pieces = "".join(self._pieces), []
            start = end.end()
            if line:
                self._take(line)
            else:
                self._size = 0
                if (event := self._dispatched()) is not None:
                    events.append(event)
        self._skips_line_feed = text.endswith("\r")
        self._keep(text[start:])
        return events

    def _keep(self, piece: str) -> None:
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise BodyTooLargeError(f"an event is over {self._max_bytes} characters")
        self._pieces.append(piece)

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value[:18])
            case _:
                pass

    def _dispatched(self) -> ServerEvent | None:
        data, self._data = self._data, []
        event, self._event = self._event, ""
        if not data:
            return None
        return ServerEvent("\n".join(data), event or "message", self._id, self._retry)
