"""Serves GraphQL over WebSockets: from the handshake to a session with the client."""

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from inspect import isawaitable
from typing import Any, Final, TypeAlias, cast
from urllib.error import HTTPError

from bareasgi import (
    HttpError,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketHandler,
    same_origin,
)
from bareasgi_graphql.execution import Engine
from bareasgi_graphql.request import Dumps, Loads
from bareasgi_graphql.socket_session import Admission, Session
from bareasgi_graphql.subscription import LegacyWs, Subprotocol, TransportWs
from bareasgi_graphql.subscription.effects import SUBPROTOCOL_NOT_ACCEPTABLE

OnConnect: TypeAlias = Callable[
    [Scope, Info, dict[str, Any]], Admission | Awaitable[Admission]
]
"""Decides about a client: `(scope, info, payload)`, sync or async."""

SUBPROTOCOLS: Final[Mapping[str, type[Subprotocol]]] = {
    each.name: each for each in (TransportWs, LegacyWs)
}


def web_socket_handler(
    engine: Engine,
    *,
    on_connect: OnConnect | None = None,
    allowed_origins: Iterable[str] = (),
    ping_interval: float | None = 10.0,
    dumps: Dumps = json.dumps,
    loads: Loads = json.loads,
) -> WebSocketHandler:
    """Make the handler that serves GraphQL over WebSockets.

    It speaks `graphql-transport-ws` and the older `graphql-ws`, whichever the client
    names first; one that names neither is accepted, since a browser is told no code
    otherwise, and closed with 4406. A foreign page is refused with 403.

    `on_connect` decides about each client with what its `connection_init` brought,
    `{}` if nothing. None and True let it in; a mapping too, and goes into the
    acknowledgement. False and an HttpError close with 4403, any other error is logged
    and closes with 4500. The payload is then `scope["connection_params"]`.

    `ping_interval` is how many seconds pass from one message that keeps the connection
    alive to the next, from the acknowledgement on; None for none. Clients need not
    answer: the connection ends when a message cannot be sent to them.

    Raises TypeError or ValueError at once for wrong options.
    """
    if isinstance(allowed_origins, str):
        raise TypeError(f"allowed origins must be a set: write {{{allowed_origins!r}}}")
    if ping_interval is not None and not 0 < ping_interval < math.inf:
        raise ValueError(
            f"ping_interval must be positive, or None for no pings: {ping_interval}"
        )
    origins = frozenset(allowed_origins)

    async def serve(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        if not same_origin(scope, origins):
            raise HttpError(403, "Forbidden")
        offered: Iterable[str] = scope.get("subprotocols") or ()
        name = next((each for each in offered if each in SUBPROTOCOLS), None)
        await web_socket.accept(name)
        if name is None:
            reason = "Subprotocol not acceptable"
            await web_socket.close(SUBPROTOCOL_NOT_ACCEPTABLE, reason)
            return
        protocol = SUBPROTOCOLS[name](
            engine.limits, dumps, loads, is_kept_alive=ping_interval is not None
        )
        session = Session(
            scope,
            info,
            matches,
            web_socket,
            engine=engine,
            protocol=protocol,
            admit=partial(_admission, on_connect, scope, info),
            ping_interval=ping_interval,
        )
        await session.run()

    return serve


async def _admission(
    on_connect: OnConnect | None, scope: Scope, info: Info, payload: dict[str, Any]
) -> Admission:
    """Ask whether a client is let in. Raises what is no answer to that."""
    if on_connect is None:
        return True
    try:
        answer = on_connect(scope, info, payload)
        admission = await answer if isawaitable(answer) else answer
    except HTTPError:
        return False
    if not isinstance(cast(object, admission), (Mapping, bool, type(None))):
        raise TypeError(
            "on_connect must return a mapping, True or None, or False to refuse,"
            f" not {admission!r}"
        )
    return admission
