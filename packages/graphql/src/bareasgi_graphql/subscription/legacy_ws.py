"""The older protocol `graphql-ws`, of the npm subscriptions-transport-ws.

https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.request import request_from
from bareasgi_graphql.subscription.effects import (
    NORMAL_CLOSURE,
    NOTHING,
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
    unknown,
)


class LegacyWs(Subprotocol):
    """One connection.

    Its clients start operations before they were let in: those wait until then. One
    with the name of another replaces it. What is no message of the protocol is
    answered, and otherwise ignored. The protocol has no close codes of its own, so they
    are those of its successor.
    """

    name = "graphql-ws"
    result_type = "data"

    def _said(self, kind: str, message: dict[str, Any]) -> Effects:
        match kind:
            case "start":
                return self._start(identifier_of(message), message.get("payload"))
            case "stop":
                return self._stop(identifier_of(message))
            case "connection_init":
                return self._initialise(message)
            case "connection_terminate":
                return self._close(NORMAL_CLOSURE, "")
            case _:
                raise unknown(kind)

    def _start(self, name: str, request: object) -> Effects:
        if self._phase is Phase.WAITING:
            return self._close(UNAUTHORIZED, "Unauthorized")
        replaced = self._drop(name)
        try:
            start = Start(name, request_from(request))
        except RequestError as error:
            return [*replaced, *self._error(name, [{"message": str(error)}])]
        begun = self._begin(start)
        if self._phase is Phase.CONNECTING and name in self._live:
            return NOTHING
        return [*replaced, *begun]

    def _stop(self, name: str) -> Effects:
        if name not in self._live:
            return NOTHING
        return [*self._drop(name), self._reply("complete", id=name)]

    def _drop(self, name: str) -> Effects:
        """End an operation, if there is one. It may not have been started yet."""
        start = self._live.pop(name, None)
        if start is None or self._phase is Phase.CONNECTING:
            return NOTHING
        return [Stop(start)]

    def _malformed(self, reason: str) -> Effects:
        return [self._connection_error(reason)]

    def _welcome(self) -> Effects:
        keep_alive = [self._ping()] if self._is_kept_alive else NOTHING
        return [*keep_alive, *self._live.values()]

    def _ping(self) -> Reply:
        return self._reply("ka")

    def _error_payload(self, errors: Sequence[Mapping[str, Any]]) -> object:
        return errors[0]

    def _give_up(self, code: int, reason: str) -> Effects:
        is_asked = self._phase is Phase.CONNECTING
        close = super()._give_up(code, reason)
        return [self._connection_error(reason), *close] if is_asked else close

    def _connection_error(self, reason: str) -> Reply:
        return self._reply("connection_error", payload={"message": reason})
