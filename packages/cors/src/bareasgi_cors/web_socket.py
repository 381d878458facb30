"""Guards websockets, which browsers open to any origin without asking first."""

from logging import Logger, getLogger
from typing import Final

from bareasgi import (
    HttpError,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketHandler,
    WebSocketMiddleware,
)
from bareasgi_cors.policy import CorsPolicy, origin_of
from bareasgi_cors.refusal import PLAIN_TEXT, TEXT

logger: Final[Logger] = getLogger(__name__)


def websocket_origin_middleware(policy: CorsPolicy) -> WebSocketMiddleware:
    """Make the middleware that refuses sockets whose origin the policy does not allow.

    For `app.ws_middlewares`. A refused socket is not accepted: the client gets a 403.
    A socket without an origin passes, for it is not a browser's. Browsers send the
    origin to their own server as well, so the policy has to list that too.
    """

    async def guard(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        web_socket: WebSocket,
        handler: WebSocketHandler,
    ) -> None:
        origin = origin_of(scope)
        if not await policy.allows(origin, scope):
            logger.debug("a websocket to %r from %r is refused", scope["path"], origin)
            raise HttpError(403, TEXT, [PLAIN_TEXT])
        await handler(scope, info, matches, web_socket)

    return guard
