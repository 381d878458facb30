"""One HTTP request, from its scope to the last byte of its response.

This page is the framework; the modules it calls are its steps. The router finds the
handler, the middlewares are put around it, the handler answers, and the sender sends.
"""

from collections.abc import Callable, Sequence
from logging import Logger, getLogger
from typing import Final, TypeAlias

from bareasgi.delivery import send_watched
from bareasgi.errors import HttpDisconnectError
from bareasgi.middleware import chain, full_response
from bareasgi.mount import path_below_root
from bareasgi.request_body import RequestBody
from bareasgi.responses import error_response
from bareasgi.running import Running
from bareasgi.sender import messages
from bareasgi.streaming import BufferedBody
from bareasgi.types import (
    Body,
    HttpHandler,
    HttpMiddleware,
    Info,
    Receive,
    Route,
    RouteMatches,
    Scope,
    Send,
)

logger: Final[Logger] = getLogger(__name__)

Find: TypeAlias = Callable[[str, str], tuple[HttpHandler, RouteMatches, Route | None]]
"""A router's `find`: from method and path to handler, matches and route."""


async def handle_http(
    scope: Scope,
    receive: Receive,
    send: Send,
    info: Info,
    find: Find,
    middlewares: Sequence[HttpMiddleware],
    running: Running,
) -> None:
    """Answer one request, and return when the response is complete."""
    content = RequestBody(scope, receive)
    try:
        path = path_below_root(scope) if scope.get("root_path") else scope["path"]
        handler, matches, route = find(scope["method"], path)
        if route is not None:
            scope["route"] = route
        elif "route" in scope:
            # That of the application around this one.
            del scope["route"]
        if middlewares:
            handler = chain(middlewares, handler, route)
        response = await handler(scope, info, matches, content)
        response = full_response(response, handler)
    except HttpDisconnectError as error:
        logger.debug("%s", error)
        return
    except Exception as error:  # noqa: BLE001 - whatever it is gets an answer
        response = error_response(error, scope)
        if response[2] is None or type(response[2]) is BufferedBody:
            # Nobody is going to read the upload, though a log may keep the traceback,
            # and with it the handler's variables.
            content.give_up()

    # What is in memory is sent at once, and there is nothing to watch. Unless an upload
    # is in the way, which some servers have to get rid of before the last message; the
    # watch takes it from them. These methods have none, or no use for it.
    body: Body | None = response[2]
    if (body is None or type(body) is BufferedBody) and (
        scope["method"] in ("GET", "HEAD", "OPTIONS") or content.is_complete
    ):
        try:
            try:
                for message in messages(scope, response)[0]:
                    await send(message)
            finally:
                # In here, so that the callbacks see why it is over.
                if body is not None and body.callbacks:
                    await body.aclose()
        except OSError as error:
            logger.debug("the client left: %r", error)
    else:
        watch = content.watcher()
        # Whether the upload can still be read is up to the handler's own references.
        del content
        await send_watched(scope, send, response, watch, running)
