"""Event streams as a browser reads them: with `EventSource`, and in the example."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from bareutils import header
from hypercorn.asyncio import serve
from hypercorn.config import Config
from programs import free_port, request, running
from repository import ROOT

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_writer,
)
from bareasgi.event_stream import EVENT_STREAM_HEADERS, Event, event_stream

from .chromium import Page

EXAMPLE = ROOT / "examples" / "event_stream" / "app.py"
DEADLINE = 10.0  # seconds

LAST = 6
IN_ONE_GO = 2


class Station:
    """An application with streams, and what it saw of those who listened."""

    def __init__(self) -> None:
        self.last_ids: list[bytes | None] = []
        self.ended = threading.Event()
        self.app = Application()
        add = self.app.http_router.add
        add({"GET"}, "/", self.blank)
        add({"GET"}, "/kinds", self.kinds)
        add({"GET"}, "/numbers", self.numbers)
        add({"GET"}, "/silent", self.silent)

    async def blank(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        html = [(b"content-type", b"text/html; charset=utf-8")]
        return 200, html, text_writer("<!DOCTYPE html><title>Listener</title>")

    async def kinds(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """One of each kind of event, and then silence."""

        async def events() -> AsyncIterator[Event]:
            yield Event("plain")
            yield Event(" two\r\nlines\n", "note", "n-1")
            yield Event("", "note")
            yield Event("né \u2028 日本", "note", "né")
            yield Event("forgotten", "note", "")
            await asyncio.Event().wait()

        return 200, EVENT_STREAM_HEADERS, event_stream(events())

    async def numbers(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """A few numbers after the last that the reader has, until there are none."""
        last = header.find(b"last-event-id", scope["headers"])
        self.last_ids.append(last)
        first = 1 if last is None else int(last) + 1
        if first > LAST:
            # Which tells the reader not to come back.
            return 204

        async def events() -> AsyncIterator[Event]:
            for number in range(first, first + IN_ONE_GO):
                yield Event(str(number), "number", number)

        return 200, EVENT_STREAM_HEADERS, event_stream(events(), retry=10)

    async def silent(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Says nothing for ever, but for the comments."""

        async def events() -> AsyncIterator[Event]:
            try:
                await asyncio.Event().wait()
                yield Event("never")
            finally:
                self.ended.set()

        stream = event_stream(events(), keepalive=0.05)
        return 200, EVENT_STREAM_HEADERS, stream


@pytest.fixture
def station() -> Station:
    return Station()


@pytest.fixture
def address(station: Station) -> Iterator[str]:
    """Where the station is served, by hypercorn in a thread of this process."""
    port = free_port()
    may_end = threading.Event()

    async def serve_station() -> None:
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]

        async def stop() -> None:
            await asyncio.to_thread(may_end.wait)
            await station.app.drain()

        await serve(station.app, config, shutdown_trigger=stop)

    thread = threading.Thread(target=asyncio.run, args=[serve_station()])
    thread.start()
    try:
        wait_until_it_listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        may_end.set()
        thread.join(DEADLINE * 2)


def wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


LISTEN = """
window.seen = [];
window.source = new EventSource(%r);
for (const kind of ["message", "note", "number"])
    source.addEventListener(kind, event =>
        seen.push([event.type, event.data, event.lastEventId]));
source.addEventListener("error", () => seen.push(["error", source.readyState]));
"""
CONNECTING, CLOSED = 0, 2


def listen(page: Page, address: str, path: str) -> None:
    page.open(address)
    page.until("document.title == 'Listener'")
    page.run(LISTEN % path)


def test_a_page_sees_the_kind_the_lines_and_the_id_of_each_event(
    page: Page, address: str
) -> None:
    listen(page, address, "/kinds")
    page.until("seen.length >= 5")
    assert page.run("seen") == [
        ["message", "plain", ""],
        ["note", " two\nlines\n", "n-1"],
        ["note", "", "n-1"],
        ["note", "né \u2028 日本", "né"],
        ["note", "forgotten", ""],
    ]
    page.run("source.close()")


def test_a_page_comes_back_with_the_id_of_its_last_event(
    page: Page, address: str, station: Station
) -> None:
    listen(page, address, "/numbers")
    page.until("source.readyState == EventSource.CLOSED")
    seen = page.run("seen")
    numbers = [["number", str(n), str(n)] for n in range(1, LAST + 1)]
    assert [each for each in seen if each[0] == "number"] == numbers
    # After each part the stream ends, and once there is no more the page is refused.
    ends = [each for each in seen if each[0] == "error"]
    assert ends == [["error", CONNECTING]] * (LAST // IN_ONE_GO) + [["error", CLOSED]]
    assert station.last_ids == [None, b"2", b"4", b"6"]


def test_comments_open_a_stream_and_are_no_events(page: Page, address: str) -> None:
    listen(page, address, "/silent")
    page.until("source.readyState == EventSource.OPEN")
    assert page.run("seen") == []
    page.run("source.close()")


def test_the_source_ends_when_the_page_closes_it(
    page: Page, address: str, station: Station
) -> None:
    listen(page, address, "/silent")
    page.until("source.readyState == EventSource.OPEN")
    assert not station.ended.is_set()
    page.run("source.close()")
    assert station.ended.wait(DEADLINE)


def test_the_source_ends_when_the_page_is_loaded_anew(
    page: Page, address: str, station: Station
) -> None:
    listen(page, address, "/silent")
    page.until("source.readyState == EventSource.OPEN")
    page.run("location.reload()")
    assert station.ended.wait(DEADLINE)


# --- the example ----------------------------------------------------------------------


def test_the_example_shows_live_prices_and_stops_when_told_to(page: Page) -> None:
    port = free_port()
    with running(sys.executable, str(EXAMPLE), port=port, env={"PORT": str(port)}):
        page.open(f"http://127.0.0.1:{port}/")
        page.until("find('state').textContent == 'Connected'")
        page.until("find('prices').rows.length > 0")
        # A price that changed.
        page.until("document.querySelector('[data-went]')")
        assert page.run("find('notice').textContent.split('\\n').length") == 2
        page.run("find('stop').click()")
        assert page.run("find('state').textContent") == "Stopped"
        assert page.complaints() == []


def test_a_page_of_the_example_comes_back_to_a_server_that_was_restarted(
    page: Page,
) -> None:
    port = free_port()
    program = [sys.executable, str(EXAMPLE)]
    environment = {"PORT": str(port)}
    with running(*program, port=port, env=environment):
        page.open(f"http://127.0.0.1:{port}/")
        page.until("find('prices').rows.length > 0")
    # It ended though the page was listening.
    page.until("find('state').textContent == 'Connecting again'")
    page.run("find('prices').replaceChildren(), cells.clear()")
    with running(*program, port=port, env=environment):
        page.until("find('prices').rows.length > 0")
        assert page.run("find('state').textContent") == "Connected"


@pytest.mark.parametrize("last", ["x", "1.5", "\u0661\u0662"])
def test_the_example_refuses_an_id_that_it_did_not_give(last: str) -> None:
    port = free_port()
    with running(sys.executable, str(EXAMPLE), port=port, env={"PORT": str(port)}):
        headers = {"last-event-id": last.encode().decode("latin-1")}
        assert request(port, "GET", "/prices", headers=headers).status == 400
