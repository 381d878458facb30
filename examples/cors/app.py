"""A page on one origin and the API that it uses on another.

Run it with `python examples/cors/app.py` and open http://127.0.0.1:9009/. The API is at
http://127.0.0.1:9010, which is another origin, because the port is. Other ports are
taken from the environment variables PORT and API_PORT.
"""

import asyncio
import json
import os
import signal
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    json_response,
    text_reader,
    text_writer,
)
from bareasgi_cors import add_cors, websocket_origin_middleware

PAGE_PORT = os.environ.get("PORT", "9009")
API_PORT = os.environ.get("API_PORT", "9010")
PAGE_ORIGIN = f"http://127.0.0.1:{PAGE_PORT}"
API = f"127.0.0.1:{API_PORT}"

# The page is told where the API is.
PAGE = Path(__file__).with_name("index.html").read_text("utf-8").replace("{API}", API)
HTML: Headers = [(b"content-type", b"text/html; charset=utf-8")]


async def show_page(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The page. It has no data: its script fetches that from the API."""
    return 200, HTML, text_writer(PAGE)


async def list_notes(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """All notes, and in a header of its own how many there are."""
    notes: dict[int, str] = info["notes"]
    found = [{"id": number, "text": text} for number, text in notes.items()]
    return json_response(200, [(b"x-total", b"%d" % len(found))], found)


async def add_note(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Takes a note as JSON, for which a browser asks permission first."""
    try:
        text = json.loads(await text_reader(content, max_bytes=1_000))["text"]
    except (ValueError, KeyError, TypeError) as error:
        raise HttpError(400, 'Send JSON such as {"text": "Buy milk"}.') from error
    notes: dict[int, str] = info["notes"]
    number = max(notes, default=0) + 1
    notes[number] = str(text)
    return json_response(201, None, {"id": number})


async def delete_note(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Deletes a note. An error can be read by the page like any other answer."""
    if info["notes"].pop(matches["id"], None) is None:
        raise HttpError(404, "There is no such note.")
    return 204


async def echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Sends back what it is sent."""
    await web_socket.accept()
    async for message in web_socket:
        await web_socket.send(message)


def make_page() -> Application:
    """The application of the one origin."""
    app = Application()
    app.http_router.add({"GET"}, "/", show_page)
    return app


def make_api() -> Application:
    """The application of the other, which only the page may use from a browser."""
    app = Application(info={"notes": {1: "Buy milk"}})
    app.http_router.add({"GET"}, "/notes", list_notes)
    app.http_router.add({"POST"}, "/notes", add_note)
    app.http_router.add({"DELETE"}, "/notes/{id:int}", delete_note)
    app.ws_router.add("/echo", echo)

    policy = add_cors(app, allow_origins={PAGE_ORIGIN}, expose_headers={"x-total"})
    # Browsers do not ask before they open a websocket: its origin is all there is.
    app.ws_middlewares.append(websocket_origin_middleware(policy))
    return app


async def main() -> None:
    """Serves both until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    page, api = Config(), Config()
    page.bind = [f"127.0.0.1:{PAGE_PORT}"]
    api.bind = [API]
    await asyncio.gather(
        serve(make_page(), page, shutdown_trigger=stopping.wait),
        serve(make_api(), api, shutdown_trigger=stopping.wait),
    )


if __name__ == "__main__":
    asyncio.run(main())
