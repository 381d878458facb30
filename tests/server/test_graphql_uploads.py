"""Files that are uploaded to real servers: whole, too large, and cut in the middle."""

import asyncio
import json
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from forms import BOUNDARY, FORM, form, opened, part, request
from programs import free_port, running
from repository import ROOT

from .clients import (
    FIN,
    PAUSE,
    RST,
    RST_STREAM,
    Connection,
    Exchange,
    Head,
)
from .http1_client import connect_http1
from .http2_client import Http2Exchange, connect_http2
from .servers import DEADLINE

KINDS: Final = ("hypercorn h1", "hypercorn h2", "uvicorn h1")
WAYS: Final = {"h1": (FIN, RST), "h2": (FIN, RST, RST_STREAM)}
"""How a client leaves."""

MEBIBYTE: Final = 2**20
MEMORY: Final = 16 * MEBIBYTE
PIECE: Final = bytes(range(256)) * 256
LARGE: Final = PIECE * 16
HEADERS: Final = [FORM, (b"graphql-require-preflight", b"1")]
OPERATION: Final = (
    "mutation ($files: [Upload!]!) {"
    " digests(files: $files) { filename contentType size digest } }"
)


@dataclass
class Server:
    """A server that runs, spoken to in one version of HTTP.

    Attributes:
        tasks: the fewest that it ever told of, when it was asked and did nothing else.
    """

    port: int
    protocol: str
    tasks: int = field(default=sys.maxsize)

    async def connect(self) -> Connection:
        if self.protocol == "h2":
            return await connect_http2(self.port)
        return await connect_http1(self.port)

    async def state(self) -> dict[str, Any]:
        async with await connect_http1(self.port) as connection:
            close = (b"connection", b"close")
            exchange = await connection.request("GET", "/state", [close])
            told: dict[str, Any] = json.loads(await exchange.body())
        self.tasks = min(self.tasks, told["tasks"])
        return told

    async def until(self, claim: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the claim is true of the process."""
        async with asyncio.timeout(DEADLINE):
            while True:
                told = await self.state()
                if claim(told):
                    return told
                await asyncio.sleep(PAUSE)

    async def until_at_rest(self) -> None:
        """Wait until no temporary file is left, and no task. Nothing may be logged."""
        told = await self.until(
            lambda told: told["files"] == 0 and told["tasks"] <= self.tasks
        )
        assert told["troubles"] == []


@contextmanager
def serving(kind: str, folder: Path) -> Generator[Server]:
    way, protocol = kind.split()
    port = free_port()
    command = [sys.executable, "-m", "server.graphql_uploads_served", way, str(port)]
    env = {"TMPDIR": str(folder)}
    with running(*command, port=port, cwd=ROOT / "tests", env=env):
        yield Server(port, protocol)


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(request.param, tmp_path_factory.mktemp("temporary")) as server:
        yield server


@pytest.fixture
async def server(shared: Server) -> Server:
    """The server of a kind, which is at rest."""
    await shared.state()
    return shared


def asking(*files: bytes) -> tuple[bytes, ...]:
    """Make the parts of a request for the digests of these files."""
    variables = {"files": [None for _ in files]}
    file_map = {
        str(number): [f"variables.files.{number}"] for number in range(len(files))
    }
    return request({"query": OPERATION, "variables": variables}, file_map, *files)


def digest(content: bytes, filename: str | None = None) -> dict[str, object]:
    return {
        "filename": filename,
        "contentType": None,
        "size": len(content),
        "digest": sha256(content).hexdigest(),
    }


async def upload(exchange: Exchange, content: bytes) -> None:
    for start in range(0, len(content), len(PIECE)):
        await exchange.upload(content[start : start + len(PIECE)])


async def answer(exchange: Exchange) -> tuple[Head, Any]:
    async with asyncio.timeout(DEADLINE):
        return await exchange.head(), json.loads(await exchange.body())


async def test_files_arrive_whole(server: Server) -> None:
    parts = asking(
        part("0", LARGE, filename="large.bin"),
        part("1", b"few", filename="few"),
        part("2", b""),
    )
    async with await server.connect() as connection:
        exchange = await connection.request("POST", "/graphql", HEADERS, None)
        await upload(exchange, form(*parts))
        await exchange.upload(b"", is_last=True)
        head, told = await answer(exchange)
    assert head.status == 200
    assert told["data"]["digests"] == [
        digest(LARGE, "large.bin"),
        digest(b"few", "few"),
        digest(b""),
    ]
    await server.until_at_rest()


async def test_a_large_file_costs_no_memory(server: Server) -> None:
    before = (await server.state())["memory"]
    size = 64 * MEBIBYTE
    hashed = sha256()
    peak = 0
    async with asyncio.timeout(DEADLINE), await server.connect() as connection:
        exchange = await connection.request("POST", "/unbounded", HEADERS, None)
        start = opened(*asking(part("0", b""))).removesuffix(b"\r\n")
        await exchange.upload(start)
        for number in range(size // len(PIECE)):
            hashed.update(PIECE)
            await exchange.upload(PIECE)
            if number % 128 == 0:
                peak = max(peak, (await server.state())["memory"])
        await exchange.upload(b"\r\n--" + BOUNDARY + b"--\r\n", is_last=True)
        head, told = await answer(exchange)
    assert head.status == 200
    assert told["data"]["digests"][0]["digest"] == hashed.hexdigest()
    # The checker keeps 64 messages to compare them, of 256 KiB on some servers.
    assert max(peak, (await server.state())["memory"]) - before < MEMORY + 16 * MEBIBYTE
    await server.until_at_rest()


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    server: Server,
) -> None:
    for how in WAYS[server.protocol]:
        async with await server.connect() as connection:
            exchange = await connection.request("POST", "/graphql", HEADERS, None)
            await upload(exchange, opened(*asking(part("0", LARGE))))
            await server.until(lambda told: told["files"] == 1)
            if how != RST_STREAM:
                await connection.leave(how)
            else:
                assert isinstance(exchange, Http2Exchange)
                await exchange.reset()
            await server.until(lambda told: told["files"] == 0)
        await server.until_at_rest()


async def test_an_upload_that_becomes_too_large_is_refused(server: Server) -> None:
    async with await server.connect() as connection:
        exchange = await connection.request("POST", "/graphql", HEADERS, None)
        await exchange.upload(opened(*asking(part("0", LARGE))))
        for _ in range(16 * MEBIBYTE // len(PIECE)):
            await exchange.upload(PIECE)
        # What comes after the limit is thrown away, and the answer is not lost.
        await exchange.upload(b"", is_last=True)
        head, told = await answer(exchange)
    assert head.status == 413
    assert told["errors"][0]["message"] == "The request is longer than 16777216 bytes"
    await server.until_at_rest()


async def test_an_upload_that_is_announced_to_be_too_large_is_refused_at_once(
    server: Server,
) -> None:
    length = (b"content-length", b"%d" % (16 * MEBIBYTE + 1))
    async with await server.connect() as connection:
        exchange = await connection.request("POST", "/graphql", [*HEADERS, length])
        head, _ = await answer(exchange)
    assert head.status == 413
    await server.until_at_rest()


async def test_an_upload_with_faults_is_refused_though_the_client_goes_on(
    server: Server,
) -> None:
    faults = {
        "came twice": opened(*asking(*[part("0", LARGE)] * 2)),
        "header": opened(*asking(part("0", b"", headers=[b"a: " + b"x" * MEBIBYTE]))),
        "'operations'": opened(*[part(str(number), b"") for number in range(10_000)]),
    }
    for message, body in faults.items():
        async with await server.connect() as connection:
            exchange = await connection.request("POST", "/graphql", HEADERS, None)
            await upload(exchange, body)
            await exchange.upload(b"", is_last=True)
            head, told = await answer(exchange)
        assert head.status == 400
        assert message in told["errors"][0]["message"]
    await server.until_at_rest()
