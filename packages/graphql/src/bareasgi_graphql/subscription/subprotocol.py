"""What both protocols have in common: a client is let in, and runs operations."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, ClassVar, Final, cast

from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.masking import MASKED
from bareasgi_graphql.request import Dumps, Loads, parse_json
from bareasgi_graphql.subscription.effects import (
    BAD_REQUEST,
    FORBIDDEN,
    INITIALISATION_TIMEOUT,
    INTERNAL_SERVER_ERROR,
    MESSAGE_TOO_BIG,
    NOTHING,
    TOO_MANY_INITIALISATIONS,
    Close,
    Connect,
    Effects,
    Reply,
    Start,
)

_MAX_REASON: Final = 123
"""Bytes of a reason that a close frame has room for (RFC 6455, section 5.5)."""

_MAX_WIDTH: Final = 4
"""Bytes that a character has at most in UTF-8."""


class Phase(Enum):
    """How far a client has come."""

    WAITING = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


class MalformedError(Exception):
    """A message that the protocol does not have."""


class Subprotocol(ABC):
    """The connection of one client, from its first message to the last.

    Every public method gives the effects of what it is told. There are none once the
    socket was closed, and none of an operation that is over.
    """

    name: ClassVar[str]
    """What a client asks for in the handshake."""

    result_type: ClassVar[str]
    """The type of the messages with results."""

    def __init__(
        self, limits: Limits, dumps: Dumps, loads: Loads, *, is_kept_alive: bool
    ) -> None:
        """Begin. When it is kept alive, `ping_due` is called from time to time."""
        self._limits = limits
        self._dumps = dumps
        self._loads = loads
        self._is_kept_alive = is_kept_alive
        self._phase = Phase.WAITING
        self._live: dict[str, Start] = {}

    def received(self, message: str | bytes) -> Effects:
        """The client says something."""
        if self._phase is Phase.CLOSED:
            return NOTHING
        if self._is_too_big(message):
            return self._close(MESSAGE_TOO_BIG, "Message too big")
        if isinstance(message, bytes):
            return self._close(BAD_REQUEST, "A message must be text")
        try:
            fields = _fields(parse_json(message, self._loads))
            return self._said(fields["type"], fields)
        except (MalformedError, RequestError) as error:
            return self._malformed(str(error))

    def initialisation_due(self) -> Effects:
        """The time is over in which a client must ask to be let in."""
        if self._phase is not Phase.WAITING:
            return NOTHING
        return self._close(INITIALISATION_TIMEOUT, "Connection initialisation timeout")

    def connected(self, payload: Mapping[str, object] | None = None) -> Effects:
        """The client is let in, and may be told something."""
        if self._phase is not Phase.CONNECTING:
            return NOTHING
        fields = {} if payload is None else {"payload": dict(payload)}
        acknowledgement = self._reply("connection_ack", **fields)
        self._phase = Phase.CONNECTED
        return [acknowledgement, *self._welcome()]

    def refused(self) -> Effects:
        """The client is not let in."""
        return self._give_up(FORBIDDEN, "Forbidden")

    def failed(self) -> Effects:
        """Something failed here that is none of the operations."""
        return self._give_up(INTERNAL_SERVER_ERROR, MASKED)

    def ping_due(self) -> Effects:
        """It is time to show that the connection is alive."""
        return [self._ping()] if self._phase is Phase.CONNECTED else NOTHING

    def result(self, start: Start, result: Result) -> Effects:
        """An operation has a result. One without `data` is its last, and an error."""
        if self._live.get(start.name) is not start:
            return NOTHING
        if "data" not in result:
            return self._error(start.name, result["errors"])
        return [self._reply(self.result_type, id=start.name, payload=result)]

    def ended(self, start: Start) -> Effects:
        """An operation has no more results."""
        if self._live.get(start.name) is not start:
            return NOTHING
        del self._live[start.name]
        return [self._reply("complete", id=start.name)]

    def operation_failed(self, start: Start) -> Effects:
        """An operation has ended in a way that it should not."""
        if self._live.get(start.name) is not start:
            return NOTHING
        return self._error(start.name, [{"message": MASKED}])

    @abstractmethod
    def _said(self, kind: str, message: dict[str, Any]) -> Effects:
        """The client sent a message of this type.

        Raises MalformedError or RequestError for one that there is not.
        """

    @abstractmethod
    def _malformed(self, reason: str) -> Effects:
        """The client sent what is no message of the protocol."""

    @abstractmethod
    def _welcome(self) -> Effects:
        """The client was just let in."""

    @abstractmethod
    def _ping(self) -> Reply:
        """Make the message that shows that the connection is alive."""

    @abstractmethod
    def _error_payload(self, errors: Sequence[Mapping[str, Any]]) -> object:
        """Make what a client is told of an operation's errors, at least one."""

    def _initialise(self, message: dict[str, Any]) -> Effects:
        parameters = payload_of(message)
        if self._phase is not Phase.WAITING:
            reason = "Too many initialisation requests"
            return self._close(TOO_MANY_INITIALISATIONS, reason)
        self._phase = Phase.CONNECTING
        return [Connect(parameters or {})]

    def _begin(self, start: Start) -> Effects:
        """Have an operation run, unless there are too many."""
        limit = self._limits.subscriptions
        if limit is not None and len(self._live) >= limit:
            reason = f"There are {limit} live operations, which is the limit"
            return self._error(start.name, [{"message": reason}])
        self._live[start.name] = start
        return [start]

    def _error(self, name: str, errors: Sequence[Mapping[str, Any]]) -> Effects:
        reply = self._reply("error", id=name, payload=self._error_payload(errors))
        self._live.pop(name, None)
        return [reply]

    def _give_up(self, code: int, reason: str) -> Effects:
        return NOTHING if self._phase is Phase.CLOSED else self._close(code, reason)

    def _close(self, code: int, reason: str) -> Effects:
        self._phase = Phase.CLOSED
        self._live.clear()
        cut = reason.encode(errors="replace")[:_MAX_REASON].decode(errors="ignore")
        return [Close(code, cut)]

    def _reply(self, kind: str, **fields: object) -> Reply:
        text = self._dumps({"type": kind, **fields})
        return Reply(text if isinstance(text, str) else text.decode())

    def _is_too_big(self, message: str | bytes) -> bool:
        limit = self._limits.message
        if limit is None or len(message) * _MAX_WIDTH <= limit:
            return False
        if isinstance(message, str):
            message = message.encode(errors="surrogatepass")
        return len(message) > limit


def identifier_of(message: dict[str, Any]) -> str:
    """Give what a message calls its operation."""
    name = message.get("id")
    if not isinstance(name, str) or not name:
        raise MalformedError("The id of a message must be a string that is not empty")
    return name


def payload_of(message: dict[str, Any]) -> dict[str, Any] | None:
    """Give the payload of a message, for which there is no rule but its type."""
    value = message.get("payload")
    if value is not None and not isinstance(value, dict):
        raise MalformedError("The payload of a message must be an object or null")
    return cast(dict[str, Any] | None, value)


def unknown(kind: str) -> MalformedError:
    """Make the error that says that there is no such type of message."""
    return MalformedError(f"There is no message of the type {kind[:40]!r}")


def _fields(value: object) -> dict[str, Any]:
    """Give the fields of a message; there is a type among them."""
    if not isinstance(value, dict):
        raise MalformedError("A message must be a JSON object")
    fields = cast(dict[str, Any], value)
    if not isinstance(fields.get("type"), str):
        raise MalformedError("The type of a message must be a string")
    return fields
