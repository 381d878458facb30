"""Streamed pages over hypercorn, measured where their reader is."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from jinja2 import DictLoader, Environment

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi_jinja2 import add_jinja2

pytest.importorskip("hypercorn", reason="hypercorn is not installed")

from hypercorn.asyncio import serve
from hypercorn.config import Config

DEADLINE = 10  # seconds
KIB = 1024
REPORT = (
    "<html><head><title>Report</title><script src='/app.js'></script></head><body>"
    "{% for row in rows %}<tr>{{ row }}</tr>{% endfor %}</body></html>"
)


class Data:
    """Rows that are let through one by one, and that tell how they ended."""

    def __init__(self) -> None:
        self.gates: asyncio.Queue[str | None] = asyncio.Queue()
        self.asked_at: list[float] = []
        self.ended = asyncio.Event()
        self.was_cancelled = False

    async def rows(self) -> AsyncIterator[str]:
        try:
            self.asked_at.append(monotonic())
            while (row := await self.gates.get()) is not None:
                yield row
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()


def app_of(data: Data) -> Application:
    app = Application()
    environment = Environment(
        loader=DictLoader({"report.html": REPORT}), autoescape=True, enable_async=True
    )
    templates = add_jinja2(app, environment)

    @app.on_http_request({"GET"}, "/report")
    async def report(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.stream("report.html", {"rows": data.rows()})

    return app


@asynccontextmanager
async def requested(
    app: Application,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Serve the application, and ask for the report."""
    stopping = asyncio.Event()
    config = Config()
    # Opened here, so that the port is known and a client need not wait for the server.
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = config.errorlog = None
    any_app: Any = app
    serving = asyncio.create_task(
        serve(any_app, config, shutdown_trigger=stopping.wait)
    )
    try:
        async with asyncio.timeout(3 * DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /report HTTP/1.1\r\nhost: localhost\r\n\r\n")
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                assert head.startswith(b"http/1.1 200 ")
                assert b"transfer-encoding: chunked" in head
                yield reader, writer
            finally:
                writer.transport.abort()
    finally:
        stopping.set()
        await serving


async def chunk(reader: asyncio.StreamReader) -> bytes:
    """Read one chunk of the body (RFC 9112, section 7.1)."""
    size = int(await reader.readuntil(b"\r\n"), 16)
    return (await reader.readexactly(size + 2))[:-2]


async def test_the_head_arrives_before_the_data_of_the_body_is_ready() -> None:
    data = Data()
    async with requested(app_of(data)) as (reader, _):
        head = await chunk(reader)
        arrived = monotonic()
        assert head.endswith(b"<script src='/app.js'></script></head><body>")
        # Nothing has been let through, so the data cannot have been ready. Each row
        # then arrives when it is there, and before the next one is.
        for number in range(3):
            data.gates.put_nowait(f"row {number}")
            assert await chunk(reader) == b"<tr>row %d</tr>" % number
        data.gates.put_nowait(None)
        assert await chunk(reader) == b"</body></html>"
        assert await chunk(reader) == b""
        assert monotonic() > arrived
    assert data.ended.is_set()
    assert not data.was_cancelled


async def test_long_pages_arrive_in_pieces_of_8_to_16_kib() -> None:
    data = Data()
    for _ in range(200):
        data.gates.put_nowait("x" * KIB)
    data.gates.put_nowait(None)
    async with requested(app_of(data)) as (reader, _):
        await chunk(reader)
        pieces = [piece async for piece in _chunks(reader)]
    assert sum(map(len, pieces)) > 200 * KIB
    assert all(8 * KIB <= len(piece) <= 16 * KIB for piece in pieces[:-1])


async def test_the_template_is_cancelled_when_its_reader_leaves() -> None:
    data = Data()
    async with requested(app_of(data)) as (reader, writer):
        await chunk(reader)
        data.gates.put_nowait("row")
        await chunk(reader)
        writer.transport.abort()
        await asyncio.wait_for(data.ended.wait(), DEADLINE)
    assert data.was_cancelled


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await chunk(reader):
        yield piece
