"""Event streams, by the examples and rules of the HTML standard, section 9.2."""

from collections.abc import AsyncIterator

import pytest

from bareasgi import bytes_writer
from bareclient import BodyTooLargeError, ServerEvent, read_events


async def events(text: str | bytes, chunk_size: int = -1) -> list[ServerEvent]:
    data = text.encode() if isinstance(text, str) else text
    body = bytes_writer(data, chunk_size)
    return [event async for event in read_events(body)]


@pytest.mark.parametrize("chunk_size", [-1, 1, 2, 3, 7])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            [ServerEvent("YHOO\n+2\n10")],
            id="several lines",
        ),
        pytest.param(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
            "data:  third event\n\n",
            [
                ServerEvent("first event", id="1"),
                ServerEvent("second event"),
                ServerEvent(" third event"),
            ],
            id="comments, ids and the space after the colon",
        ),
        pytest.param(
            "data\n\ndata\ndata\n\ndata:",
            [ServerEvent(""), ServerEvent("\n")],
            id="empty data, and an end without a blank line",
        ),
        pytest.param(
            "data:test\n\ndata: test\n\n",
            [ServerEvent("test"), ServerEvent("test")],
            id="one space is ignored",
        ),
        pytest.param(
            "event: add\ndata: 1\n\nevent: remove\ndata: 2\n\ndata: 3\n\n",
            [ServerEvent("1", "add"), ServerEvent("2", "remove"), ServerEvent("3")],
            id="kinds",
        ),
        pytest.param(
            "data: a\r\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n",
            [ServerEvent("a\nb"), ServerEvent("c"), ServerEvent("d")],
            id="every end of line",
        ),
        pytest.param(
            "event: x\n\ndata: a\n\n", [ServerEvent("a")], id="a kind without data"
        ),
        pytest.param(
            "id: 1\ndata: a\n\ndata: b\n\nid: x\0\ndata: c\n\n",
            [ServerEvent(each, id="1") for each in "abc"],
            id="an id stays, and none has NUL",
        ),
        pytest.param(
            "retry: 100\ndata: a\n\nretry: x1\nretry: -1\nretry: ٣\ndata: b\n\n",
            [ServerEvent("a", retry=100), ServerEvent("b", retry=100)],
            id="retry is in ASCII digits",
        ),
        pytest.param(
            "unknown: x\ndata: a\nDATA: b\n data: c\n\n",
            [ServerEvent("a")],
            id="unknown names",
        ),
        pytest.param(
            "\ufeffdata: a\n\n\ufeffdata: b\n\n",
            [ServerEvent("a")],
            id="one byte order mark",
        ),
        pytest.param("data: ü€😀\n\n", [ServerEvent("ü€😀")], id="UTF-8"),
        pytest.param("data: a: b\n\n", [ServerEvent("a: b")], id="another colon"),
        pytest.param("", [], id="nothing"),
    ],
)
async def test_a_stream_gives_these_events(
    text: str, expected: list[ServerEvent], chunk_size: int
) -> None:
    assert await events(text, chunk_size) == expected


async def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert await events(b"data: a\xffb\n\n") == [ServerEvent("a\ufffdb")]


async def test_an_event_arrives_before_the_next_is_asked_for() -> None:
    asked: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(2):
            asked.append(number)
            yield b"data: %d\r\n\r" % number

    stream = read_events(body())
    assert (await anext(stream)).data == "0"
    assert asked == [0]
    assert (await anext(stream)).data == "1"


async def test_the_body_is_closed_with_the_iterator() -> None:
    closed: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
        finally:
            closed.append(True)

    stream = read_events(body())
    await anext(stream)
    await stream.aclose()
    assert closed == [True]


@pytest.mark.parametrize("line", [b"data: ", b"data: x\n", b": x\n", b"x"])
async def test_an_event_without_end_is_refused(line: bytes) -> None:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield line

    with pytest.raises(BodyTooLargeError):
        async for _ in read_events(body(), max_bytes=1000):
            pass


async def test_many_small_events_are_not_one_large_one() -> None:
    body = bytes_writer(b"data: 0123456789\n\n" * 1000)
    assert len([event async for event in read_events(body, max_bytes=100)]) == 1000
