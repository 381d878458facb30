"""Start-up and shutdown handlers, in order, when the server says so."""

from collections.abc import Iterable
from logging import Logger, getLogger
from typing import Final

from bareasgi.types import Info, LifespanHandler, Message, Receive, Scope, Send

logger: Final[Logger] = getLogger(__name__)


async def handle_lifespan(
    scope: Scope,
    receive: Receive,
    send: Send,
    info: Info,
    startup_handlers: Iterable[LifespanHandler],
    shutdown_handlers: Iterable[LifespanHandler],
) -> None:
    """Answer the server's start-up and shutdown events (ASGI lifespan 2.0).

    The first start-up handler that fails is the last one to run, and the server is told
    why. Every shutdown handler runs, though others fail: what one of them holds must be
    given back. The server is told of the first failure.
    """
    while True:
        message = await receive()
        match message["type"]:
            case "lifespan.startup":
                try:
                    for handler in tuple(startup_handlers):
                        await handler(scope, info, message)
                except Exception as error:
                    logger.exception("a start-up handler failed")
                    await send(_failed("startup", error))
                    return
                await send({"type": "lifespan.startup.complete"})
            case "lifespan.shutdown":
                await send(await _shut_down(scope, info, message, shutdown_handlers))
                return
            case unknown:
                raise ValueError(f"a server must not send {unknown!r} here")


async def _shut_down(
    scope: Scope, info: Info, message: Message, handlers: Iterable[LifespanHandler]
) -> Message:
    failure: Exception | None = None
    for handler in tuple(handlers):
        try:
            await handler(scope, info, message)
        except Exception as error:
            logger.exception("a shutdown handler failed")
            failure = failure or error
    if failure is not None:
        return _failed("shutdown", failure)
    return {"type": "lifespan.shutdown.complete"}


def _failed(event: str, error: Exception) -> Message:
    return {
        "type": f"lifespan.{event}.failed",
        "message": f"{type(error).__name__}: {error}",
    }
