"""The demo: a trading board that shows every package of bareASGI at once.

Run it with `python examples/demo/app.py` and open http://127.0.0.1:9009/. What may be
set by the environment is in board/settings.py, and what answers at which path is in
board/application.py, where reading begins.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress

from hypercorn.asyncio import serve
from hypercorn.config import Config

from board.application import make_application
from board.settings import Settings, SettingsError, read_settings


async def main(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM, and ends the streams and sockets first."""
    app = make_application(settings)
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_end.set)

    # The server waits for its open connections before it ends, and neither a stream nor
    # a socket has an end of its own.
    async def drained() -> None:
        await told_to_end.wait()
        await app.drain(1)
        # hypercorn waits without end for a client that does not read what is left.
        loop.call_later(1, serving.cancel)

    config = Config()
    # Two ports, so that a browser takes them for two origins.
    ports = (settings.port, settings.other_port)
    config.bind = [f"127.0.0.1:{port}" for port in ports]
    serving = asyncio.ensure_future(serve(app, config, shutdown_trigger=drained))
    try:
        with suppress(asyncio.CancelledError):
            await serving
    finally:
        # Called already, unless the server was cut short. Twice does no harm.
        for close in app.shutdown_handlers:
            await close({"type": "lifespan"}, app.info, {"type": "lifespan.shutdown"})


if __name__ == "__main__":
    try:
        asyncio.run(main(read_settings(os.environ)))
    except (SettingsError, OSError) as error:
        # Such as a port that another program has.
        sys.exit(f"{error} (PORT, OTHER_PORT and DATABASE may be set)")
