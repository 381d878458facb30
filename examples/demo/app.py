"""The demo: a page that shows what a bareASGI application looks like from outside.

Run it with `python examples/demo/app.py` and open http://127.0.0.1:9009/. Another port
is taken from the environment variable PORT.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from bareutils import header
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Application,
    Content,
    Event,
    Headers,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
    event_stream,
    text_reader,
    text_writer,
)

# What never changes is read and encoded once, when the program starts.
PAGE = Path(__file__).with_name("index.html").read_bytes()
# The page is one file: it loads nothing, and talks to this server only.
POLICY = (
    b"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    b" img-src data:; connect-src 'self'; base-uri 'none'; form-action 'self'"
)
HTML: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", POLICY),
]
PLAIN_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
JSON: Headers = [(b"content-type", b"application/json")]


async def show_page(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The page that links to everything else."""
    return 200, HTML, bytes_writer(PAGE)


async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """A whole response is a status, headers and a body."""
    return 200, PLAIN_TEXT, text_writer("Hello, World!")


async def read_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The application's info as JSON, for those who ask for JSON."""
    if header.find(b"accept", scope["headers"]) != b"application/json":
        return 500
    return 200, JSON, text_writer(json.dumps(info))


async def change_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Takes a new name: `{"name": "Peter Sellers"}`."""
    if header.find(b"content-type", scope["headers"]) != b"application/json":
        return 500
    try:
        change = json.loads(await text_reader(content))
    except ValueError:
        return 400
    match change:
        case {"name": str(name)}:
            info["name"] = name
            return 204
        case _:
            return 400


async def show_matches(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """What the path template made of the path: a str, an int and a datetime."""
    lines = [f"{name} = {value!r}" for name, value in matches.items()]
    return 200, PLAIN_TEXT, text_writer("\n".join(lines))


async def every_second() -> AsyncIterator[Event]:
    """The time, for ever.

    There is nothing to do for a client that leaves, and nothing for a server that ends:
    the generator is cancelled where it waits.
    """
    while True:
        yield Event(datetime.now(UTC).strftime("%H:%M:%S UTC"))
        await asyncio.sleep(1)


async def ticks(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The time as server-sent events. A page that lost them is back after a second."""
    return 200, EVENT_STREAM_HEADERS, event_stream(every_second(), retry=1000)


def make_application() -> Application:
    """Wires the handlers to their paths."""
    app = Application(info={"name": "Michael Caine"})
    route = app.http_router.add
    route({"GET"}, "/", show_page)
    route({"GET"}, "/hello-world", hello)
    route({"GET"}, "/info", read_info)
    route({"POST"}, "/info", change_info)
    route({"GET"}, "/foo/{name}/{id:int}/{created:datetime:%Y-%m-%d}", show_matches)
    route({"GET"}, "/ticks", ticks)
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM, and then ends the streams too."""
    app = make_application()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    # The server waits for its open connections before it ends, and a stream has no end
    # of its own.
    async def shutdown() -> None:
        await stop.wait()
        await app.drain(5)

    config = Config()
    config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9009')}"]
    await serve(app, config, shutdown_trigger=shutdown)


if __name__ == "__main__":
    asyncio.run(main())
