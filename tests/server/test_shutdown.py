"""A server that is told to end, ends, and runs the lifespan handlers."""

import asyncio
from collections.abc import Callable

import pytest

from .commands import COMMANDS
from .servers import Server


@pytest.mark.parametrize("kind", COMMANDS)
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
