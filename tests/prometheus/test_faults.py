"""Whatever clients and servers do, each request is counted once, and gauges rest."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import Final

from bareasgi import Application
from bareasgi.testing import http_stream, web_socket

from .applications import counted, make_app, samples

SEED: Final = 20261122
NUMBER: Final = 400
PATHS: Final = (
    "/users/1",
    "/stream",
    "/breaks",
    "/waits",
    "/fails",
    "/teapot",
    "/missing",
)
OUTCOMES: Final = {"complete", "cancelled", "error"}


async def ask_and_go(app: Application, path: str, chance: random.Random) -> None:
    """Make a request, and end it at some moment in some way."""
    method = chance.choice(["GET", "HEAD", "POST", "BREW"])
    content = None if chance.random() < 0.3 else b"content"
    # What it ends with is what this is about; an exception is one of the ways.
    with contextlib.suppress(ZeroDivisionError, asyncio.CancelledError):
        async with http_stream(app, method, path, content=content) as stream:
            # Once at least, or the application is never called.
            for _ in range(chance.randrange(1, 8)):
                await asyncio.sleep(0)
            match chance.randrange(4):
                case 0:
                    stream.cancel()
                    await stream.finished()
                case 1:
                    stream.leave(send_raises=True)
                case 2:
                    stream.leave()
                case _ if path not in ("/stream", "/waits") and content is not None:
                    async for _ in stream:
                        pass
                case _:
                    pass


async def open_and_go(app: Application, chance: random.Random) -> None:
    """Open a WebSocket, and leave at some moment."""
    async with web_socket(app, chance.choice(["/echo/a", "/missing"])) as socket:
        if socket.is_accepted and chance.random() < 0.5:
            await socket.send(chance.choice(["fail", "hello"]))


async def test_after_a_campaign_of_faults_everything_is_counted_and_at_rest() -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same faults in each run
    app, registry, gate = make_app()
    asked = Counter(chance.choice(PATHS) for _ in range(NUMBER))
    # Handlers that wait are let go after a while: their clients have left.
    asyncio.get_running_loop().call_later(0.5, gate.opened.set)
    async with asyncio.TaskGroup() as group:
        for path in asked.elements():
            group.create_task(ask_and_go(app, path, chance))
        for _ in range(50):
            group.create_task(open_and_go(app, chance))
    found = counted(registry)
    assert sum(found.values()) == NUMBER
    assert {outcome for *_, outcome in found} == OUTCOMES
    for name in ("http_requests_in_progress", "websockets_open"):
        assert set(samples(registry, name).values()) == {0}
