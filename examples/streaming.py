"""An endless body: `curl -N http://127.0.0.1:9009/ticks` shows a tick each second."""

import asyncio
from collections.abc import AsyncIterator

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope

app = Application()


@app.on_http_request({"GET"}, "/ticks")
async def ticks(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with a body that is sent while it is made."""

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: tick\n\n"
                await asyncio.sleep(1)
        except asyncio.CancelledError:
            # The client left, so this is the place to tidy up.
            pass

    return 200, [(b"content-type", b"text/event-stream")], body()


config = Config()
config.bind = ["127.0.0.1:9009"]

if __name__ == "__main__":
    asyncio.run(serve(app, config))
