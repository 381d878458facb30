"""A server that is told to end, ends, and runs the lifespan handlers."""

import asyncio
from collections.abc import Callable

import pytest

from .commands import COMMANDS
from .servers import Server

WITH_LIFESPAN = [kind for kind in COMMANDS if kind not in {"daphne", "hypercorn-h3"}]


@pytest.mark.parametrize("kind", WITH_LIFESPAN)
async def test_a_server_that_is_terminated_runs_the_shutdown_handlers_and_ends(
    new_server: Callable[[str], Server], kind: str
) -> None:
    server = await asyncio.to_thread(new_server, kind)
    heads = [await server.ask("GET", "/hello-world") for _ in range(3)]
    assert [(head.status, body) for head, body in heads] == [
        (200, b"Hello, World!")
    ] * 3
    assert server.log().count("the start-up handler ran") == 1
    assert "the shutdown handler ran" not in server.log()
    status = await asyncio.to_thread(server.terminate)
    assert status in {0, -15}
    assert server.log().count("the shutdown handler ran") == 1
    assert "Traceback" not in server.log()
    assert "Error" not in server.log()


async def test_daphne_which_has_no_lifespan_serves_and_ends(
    new_server: Callable[[str], Server],
) -> None:
    server = await asyncio.to_thread(new_server, "daphne")
    head, body = await server.ask("GET", "/hello-world")
    assert (head.status, body) == (200, b"Hello, World!")
    assert await asyncio.to_thread(server.terminate) in {0, -15}
    assert "handler ran" not in server.log()
