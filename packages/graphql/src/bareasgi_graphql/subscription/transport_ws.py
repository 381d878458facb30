"""The protocol `graphql-transport-ws`: GraphQL over WebSocket, of the npm graphql-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bareasgi_graphql.request import request_from
from bareasgi_graphql.subscription.effects import (
    BAD_REQUEST,
    NOTHING,
    SUBSCRIBER_ALREADY_EXISTS,
    UNAUTHORIZED,
    Effects,
    Reply,
    Start,
    Stop,
)
from bareasgi_graphql.subscription.subprotocol import (
    Phase,
    Subprotocol,
    identifier_of,
    payload_of,
    unknown,
)


class TransportWs(Subprotocol):
    """One connection. What is no message of the protocol closes it with 4400."""

    name = "graphql-transport-ws"
    result_type = "next"

    def _said(self, kind: str, message: dict[str, Any]) -> Effects:
        match kind:
            case "subscribe":
                return self._subscribe(message)
            case "complete":
                # Both sides may end an operation at once: an unknown one is no error.
                start = self._live.pop(identifier_of(message), None)
                return NOTHING if start is None else [Stop(start)]
            case "connection_init":
                return self._initialise(message)
            case "ping":
                details = payload_of(message)
                fields = {} if details is None else {"payload": details}
                return [self._reply("pong", **fields)]
            case "pong":
                payload_of(message)
                return NOTHING
            case _:
                raise unknown(kind)

    def _subscribe(self, message: dict[str, Any]) -> Effects:
        start = Start(identifier_of(message), request_from(message.get("payload")))
        if self._phase is not Phase.CONNECTED:
            return self._close(UNAUTHORIZED, "Unauthorized")
        if start.name in self._live:
            reason = f"Subscriber for {start.name} already exists"
            return self._close(SUBSCRIBER_ALREADY_EXISTS, reason)
        return self._begin(start)

    def _malformed(self, reason: str) -> Effects:
        return self._close(BAD_REQUEST, reason)

    def _welcome(self) -> Effects:
        return NOTHING

    def _ping(self) -> Reply:
        return self._reply("ping")

    def _error_payload(self, errors: Sequence[Mapping[str, Any]]) -> object:
        return errors
