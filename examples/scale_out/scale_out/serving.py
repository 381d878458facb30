"""How a worker serves, drains and ends."""

import asyncio
import signal
from contextlib import suppress
from logging import getLogger
from typing import Final

from hypercorn.asyncio import serve
from hypercorn.config import Config

from scale_out.application import make_application
from scale_out.health import add_health
from scale_out.opening import open_worker
from scale_out.settings import Settings

PATIENCE: Final = 1.0
"""Seconds that streams have to end, and then the server."""


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. SIGUSR1 drains, and leaves the end to those.

    A worker that drains says that it is not ready, goes on for DRAIN_SECONDS, and then
    cuts its streams and sockets, whose clients come back to another worker. Requests
    are answered as ever, to the end.
    """
    told_to_drain, told_to_end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        told_to_drain.set()
        told_to_end.set()

    loop.add_signal_handler(signal.SIGUSR1, told_to_drain.set)
    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGINT, end)
    async with open_worker(settings) as worker:
        app = make_application(settings, worker)
        health = add_health(app, worker)

        async def ended() -> None:
            await told_to_drain.wait()
            health.state = "draining"
            await asyncio.sleep(settings.drain_seconds)
            await app.drain(PATIENCE)
            health.state = "drained"
            await told_to_end.wait()
            # hypercorn waits without end for a client that does not read what is left.
            loop.call_later(PATIENCE, serving.cancel)

        serving = asyncio.ensure_future(
            serve(app, make_config(settings), shutdown_trigger=ended)
        )
        with suppress(asyncio.CancelledError):
            await serving


def make_config(settings: Settings) -> Config:
    """Make hypercorn's configuration."""
    config = Config()
    config.bind = [settings.bind]
    config.errorlog = getLogger("hypercorn.error")
    # nginx closes a connection to a worker that it has not used for a minute. Were the
    # worker first, a request might already be on its way.
    config.keep_alive_timeout = 75
    return config
