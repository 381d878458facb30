"""One WebSocket, from its handshake to its end.

The router finds the handler, the middlewares are put around it, and the handler runs in
a task of its own, which is ours to cancel: when the server wants it, or `drain`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from logging import Logger, getLogger
from typing import Final, TypeAlias, cast
from urllib.error import HTTPError

from bareasgi.connection import Connection
from bareasgi.delivery import send_watched
from bareasgi.errors import HttpError, WebSocketInternalError
from bareasgi.mount import path_below_root
from bareasgi.responses import PLAIN_TEXT, error_response, internal_server_error
from bareasgi.running import Running
from bareasgi.socket_messages import INTERNAL_ERROR
from bareasgi.tasks import settle, start_task
from bareasgi.types import (
    Info,
    Message,
    Receive,
    Route,
    RouteMatches,
    Scope,
    Send,
    WebSocket,
    WebSocketHandler,
    WebSocketMiddleware,
)

logger: Final[Logger] = getLogger(__name__)

FAREWELL: Final = 0.5
"""Seconds that a client has to take the close frame when the application ends."""

FindSocket: TypeAlias = Callable[
    [str], tuple[WebSocketHandler | None, RouteMatches, Route | None]
]
"""A router's `find`: from the path to handler, matches and route."""


async def handle_websocket(
    scope: Scope,
    receive: Receive,
    send: Send,
    info: Info,
    find: FindSocket,
    middlewares: Sequence[WebSocketMiddleware],
    running: Running,
) -> None:
    """Serve one connection, and return when it is over."""
    message = await receive()
    if message["type"] != "websocket.connect":
        logger.debug("the client left before the handshake")
        return
    handler, matches = _find(scope, find)
    if running.is_draining:
        handler = _refuse
    for middleware in reversed(middlewares):
        handler = _link(middleware, handler)
    service = _Service(scope, receive, send, running)
    service.task = task = start_task(
        service.run(partial(handler, scope, info, matches, service.connection))
    )
    cancellation = None
    if not task.done():
        if not service.is_refusing:
            service.connection.watch(task.cancel)
        running.add(service.stop)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            service.is_cancelled = True
            task.cancel()
            cancellation = await settle(task) or error
        running.remove(service.stop)
    cancellation = await service.connection.end() or cancellation
    if not task.done():
        logger.error("a handler does not end, and is abandoned: %r", handler)
    if cancellation is not None:
        raise cancellation
    if not task.cancelled():
        # Raises what the server did not want to send.
        task.result()


def _find(scope: Scope, find: FindSocket) -> tuple[WebSocketHandler, RouteMatches]:
    handler: WebSocketHandler | None = None
    matches: RouteMatches = {}
    route = None
    try:
        handler, matches, route = find(path_below_root(scope))
    except (LookupError, ValueError) as error:
        logger.debug("no route for %r: %r", scope["path"], error)
    if route is not None:
        scope["route"] = route
    else:
        # That of the application around this one.
        scope.pop("route", None)
    return handler or _not_found, matches


def _link(
    middleware: WebSocketMiddleware, handler: WebSocketHandler
) -> WebSocketHandler:
    async def call(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await middleware(scope, info, matches, web_socket, handler)

    return call


async def _not_found(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    raise HttpError(404, "Not Found", PLAIN_TEXT)


def _is_of_the_socket(error: Exception) -> bool:
    """Tell whether it says that the socket has ended, also from within a task group."""
    if isinstance(error, ExceptionGroup):
        group = cast(ExceptionGroup[Exception], error)
        return group.split(WebSocketInternalError)[1] is None
    return isinstance(error, WebSocketInternalError)


async def _refuse(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    raise HttpError(503, "Service Unavailable", PLAIN_TEXT)


class _Service:
    """Runs the handler, and ends the connection as the handler ended.

    Attributes:
        connection: what the handler has of it.
        task: the one that `run` runs in, ours to cancel.
        is_cancelled: whether the server has cancelled the call of the application.
        is_refusing: whether the handshake is answered, and the handler has ended.
    """

    task: asyncio.Task[None]

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, running: Running
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._running = running
        self.connection: Connection = Connection(scope, receive, send)
        self.is_cancelled: bool = False
        self.is_refusing: bool = False

    async def run(self, handle: Callable[[], Awaitable[None]]) -> None:
        """Run the handler to its end, and close what it left open."""
        connection = self.connection
        try:
            await handle()
        except asyncio.CancelledError:
            if self.is_cancelled:
                raise
            if connection.is_going_away or connection.is_disconnected:
                await self._close()
            else:
                await self._fail(RuntimeError("the handler was cancelled from within"))
        except Exception as error:  # noqa: BLE001 - whatever it is ends the connection
            if connection.is_disconnected and _is_of_the_socket(error):
                logger.debug("%s", error)
            else:
                await self._fail(error)
        else:
            await self._close()

    async def _close(self) -> None:
        """Close, if it is open, and do not wait for it when the application ends."""
        is_waited_for = not self.connection.is_going_away
        # A client that does not read does not let the close frame pass either.
        with suppress(TimeoutError):
            async with asyncio.timeout(None if is_waited_for else FAREWELL):
                await self.connection.close()

    def stop(self) -> None:
        """Cancel the handler: the application is about to end."""
        self.connection.is_going_away = True
        self.task.cancel()

    async def _fail(self, error: Exception) -> None:
        """Answer an exception: by the handshake's response, or by closing."""
        is_response = isinstance(error, HTTPError) and not self.connection.is_accepted
        if not is_response:
            logger.error("%r failed", self._scope["path"], exc_info=error)
        if self.connection.is_accepted or self.connection.code is not None:
            await self.connection.close(INTERNAL_ERROR)
        elif "websocket.http.response" not in (self._scope.get("extensions") or ()):
            await self.connection.close()
        else:
            # The response is watched in its own way: nobody else may receive.
            self.is_refusing = True
            if (cancellation := await self.connection.end()) is not None:
                raise cancellation
            # The handshake is a GET request, and gets the response to one.
            scope = {**self._scope, "method": "GET"}
            response = (
                error_response(error, scope) if is_response else internal_server_error()
            )
            await send_watched(scope, self._deny, response, self._watch, self._running)

    async def _deny(self, message: Message) -> None:
        await self._send({**message, "type": f"websocket.{message['type']}"})

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "websocket.disconnect":
            pass
