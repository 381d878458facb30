"""The program that servers run in these tests: files, and what it costs to serve them.

The folder comes from the environment variable FOLDER, the port from PORT, and the
server from the command line, unless it imports `app` itself.
"""

import asyncio
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn

# hypercorn's own type for WSGI has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    json_response,
)
from bareasgi_static import add_static

FOLDER = os.environ["FOLDER"]
PORT = int(os.environ.get("PORT", "0"))

files = Application()
add_static(files, FOLDER, cache_control="max-age=60")
sent: Counter[str] = Counter()
statuses: Counter[int] = Counter()
ranges: list[str] = []


@files.on_http_request({"GET"}, "/state")
async def show_state(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Tell of open files, the most memory there ever was, and what went on."""
    state = {
        "open": [path for path in descriptors() if path.startswith(FOLDER)],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sent": sent,
        "statuses": statuses,
        "ranges": ranges,
    }
    return json_response(200, None, state)


def descriptors() -> list[str]:
    """Give the paths of all open files."""
    opened: list[str] = []
    for entry in [*Path("/dev/fd").iterdir()]:
        # The one that lists them is not there any more.
        with suppress(OSError):
            opened.append(str(entry.readlink()))
    return opened


async def app(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
    """Count what is sent, and keep the ranges that are asked for."""
    for name, value in scope.get("headers", ()):
        if name == b"range":
            ranges.append(value.decode())

    async def counted(message: Mapping[str, Any]) -> None:
        sent[message["type"]] += 1
        statuses[message.get("status", 0)] += 1
        await send(message)

    await files(scope, receive, counted)


async def run_hypercorn() -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    any_app: Any = app
    await serve(any_app, config, shutdown_trigger=stopping.wait)


if __name__ == "__main__":
    if sys.argv[1] == "hypercorn":
        asyncio.run(run_hypercorn())
    else:
        uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
