"""Ends within seconds when it is told to, though its streams and sockets never end.

`curl -N http://127.0.0.1:9009/ticks` shows a tick each second. On SIGTERM or Ctrl-C the
stream is cut, a WebSocket at the same path is closed with 1001, and the server ends.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
)

app = Application()


@app.on_http_request({"GET"}, "/ticks")
async def tick_on(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with a body without an end."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(1)

    return 200, [(b"content-type", b"text/event-stream")], body()


@app.on_ws_request("/ticks")
async def tick(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Sends messages without an end."""
    await web_socket.accept()
    while True:
        await web_socket.send("tick")
        await asyncio.sleep(1)


async def main() -> None:
    """Serves until a signal comes, and ends what would go on."""
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told_to_end.set)
    loop.add_signal_handler(signal.SIGINT, told_to_end.set)

    async def drained() -> None:
        await told_to_end.wait()
        await app.drain(1)
        # hypercorn waits without end for a client that does not read what is left.
        loop.call_later(1, serving.cancel)

    serving = asyncio.ensure_future(serve(app, config, shutdown_trigger=drained))
    with suppress(asyncio.CancelledError):
        await serving


config = Config()
config.bind = ["127.0.0.1:9009"]

if __name__ == "__main__":
    asyncio.run(main())
