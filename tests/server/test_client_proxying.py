"""A proxy in five lines: a handler that returns what the client was answered."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import pytest
from programs import free_port

DEADLINE: Final = 30.0
MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB
CHUNK: Final = 65_536

UPSTREAM: Final = """
import asyncio
from hypercorn.asyncio import serve
from hypercorn.config import Config
from bareasgi import Application, text_writer

app = Application()
told = {"left": 0, "received": 0}

@app.on_http_request({"GET"}, "/long/{count:int}")
async def long(scope, info, matches, content):
    chunk = bytes(65536)

    async def body():
        for _ in range(matches["count"]):
            yield chunk

    return 200, [(b"content-length", b"%d" % (65536 * matches["count"]))], body()

@app.on_http_request({"GET"}, "/ticks")
async def ticks(scope, info, matches, content):
    async def body():
        try:
            yield b"tick"
            await asyncio.sleep(1000)
        finally:
            told["left"] += 1

    return 200, [], body()

@app.on_http_request({"POST"}, "/upload")
async def upload(scope, info, matches, content):
    size = 0
    async for chunk in content:
        size += len(chunk)
    return 200, [], text_writer(str(size))

@app.on_http_request({"GET"}, "/told")
async def tell(scope, info, matches, content):
    return 200, [], text_writer(str(told["left"]))
"""

PROXY: Final = """
import asyncio
from hypercorn.asyncio import serve
from hypercorn.config import Config
from bareasgi import Application
from bareclient import Client

app = Application()
client = Client(base_url="http://127.0.0.1:UPSTREAM")

@app.on_http_request({"GET", "POST"}, "/{path}")
async def proxy(scope, info, matches, content):
    url = scope["raw_path"].decode()
    return await client.request(scope["method"], url, scope["headers"], content)
"""

SERVE: Final = """
config = Config()
config.bind = ["127.0.0.1:PORT"]
asyncio.run(serve(app, config))
"""


@contextmanager
def running(text: str, port: int, path: Path) -> Iterator[int]:
    """Run a program until the block ends, and give its process id."""
    path.write_text((text + SERVE).replace("PORT", str(port)), "utf-8")
    log = path.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(path)], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text("utf-8")) from None
                time.sleep(0.05)
            else:
                break
        yield process.pid
    finally:
        process.kill()
        process.wait()


class Proxy:
    """The proxy, and what is behind it.

    Attributes:
        port: where it listens.
        process: its process id.
    """

    def __init__(self, port: int, process: int, upstream: int) -> None:
        self.port = port
        self.process = process
        self.upstream = upstream

    def memory(self) -> int:
        """The most bytes that it ever had in memory."""
        status = Path(f"/proc/{self.process}/status").read_text("utf-8")
        line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    async def left(self) -> int:
        """How many bodies behind it were told that their client left."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        writer.write(b"GET /told HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        text = await reader.read()
        writer.close()
        return int(text.rpartition(b"\r\n\r\n")[2])


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    upstream, port = free_port(), free_port()
    text = PROXY.replace("UPSTREAM", str(upstream))
    with (
        running(UPSTREAM, upstream, tmp_path / "upstream.py"),
        running(text, port, tmp_path / "proxy.py") as process,
    ):
        yield Proxy(port, process, upstream)


@asynccontextmanager
async def asked(
    proxy: Proxy, request: bytes
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Ask the proxy, and give what comes after the header of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        yield reader, writer
    finally:
        writer.transport.abort()


async def download(proxy: Proxy, count: int) -> int:
    request = b"GET /long/%d HTTP/1.1\r\nhost: h\r\n\r\n" % count
    size = 0
    async with asked(proxy, request) as (reader, _):
        while size < count * CHUNK:
            chunk = await reader.read(CHUNK)
            assert chunk
            size += len(chunk)
    return size


@pytest.mark.timeout(300)
async def test_a_gibibyte_goes_through_with_flat_memory(proxy: Proxy) -> None:
    await download(proxy, 1000)
    before = proxy.memory()
    assert await download(proxy, GIB // CHUNK) == GIB
    assert proxy.memory() - before < 16 * MIB


async def test_a_reader_that_is_slow_fills_no_memory(proxy: Proxy) -> None:
    await download(proxy, 1000)
    before = proxy.memory()
    request = b"GET /long/16384 HTTP/1.1\r\nhost: h\r\n\r\n"
    async with asked(proxy, request) as (reader, _):
        # The buffers on the way are full when the next bytes do not come at once, and
        # what is in them is no more than some MiB.
        for _ in range(100):
            await reader.readexactly(CHUNK)
    assert proxy.memory() - before < 16 * MIB


async def test_when_the_reader_leaves_what_is_behind_is_cancelled(proxy: Proxy) -> None:
    async with asyncio.timeout(DEADLINE):
        for number in range(1, 4):
            request = b"GET /ticks HTTP/1.1\r\nhost: h\r\n\r\n"
            async with asked(proxy, request) as (reader, _):
                await reader.readuntil(b"tick")
                assert await proxy.left() == number - 1
            while await proxy.left() < number:  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_upload_goes_through(proxy: Proxy, *, is_chunked: bool) -> None:
    framing = (
        b"transfer-encoding: chunked" if is_chunked else b"content-length: 4194304"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    async with asyncio.timeout(DEADLINE):
        writer.write(b"POST /upload HTTP/1.1\r\nhost: h\r\n" + framing + b"\r\n\r\n")
        for _ in range(64):
            data = bytes(CHUNK)
            writer.write(b"10000\r\n" + data + b"\r\n" if is_chunked else data)
            await writer.drain()
        if is_chunked:
            writer.write(b"0\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"4194304" in await reader.readuntil(b"4194304")
    writer.close()
