"""What a protocol wants to be done, and the close codes that it knows."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from bareasgi_graphql.request import GraphQLRequest

NORMAL_CLOSURE: Final = 1000
MESSAGE_TOO_BIG: Final = 1009
BAD_REQUEST: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
SUBPROTOCOL_NOT_ACCEPTABLE: Final = 4406
INITIALISATION_TIMEOUT: Final = 4408
SUBSCRIBER_ALREADY_EXISTS: Final = 4409
TOO_MANY_INITIALISATIONS: Final = 4429
INTERNAL_SERVER_ERROR: Final = 4500
"""Close codes: of RFC 6455, section 7.4.1, and of the protocol graphql-transport-ws."""


class Reply(NamedTuple):
    """A text is sent to the client."""

    text: str


class Close(NamedTuple):
    """The socket is closed, and all operations are stopped. There is nothing after."""

    code: int
    reason: str


class Connect(NamedTuple):
    """The client asks to be let in. `connected`, `refused` or `failed` is the answer.

    Attributes:
        payload: what it says to that, its parameters of the connection.
    """

    payload: dict[str, Any]


class Start:
    """An operation is run, from now until it has ended or there is `Stop`.

    It is compared by identity: a client may use a name again for another operation.

    Attributes:
        name: what the client calls it, the `id` of its messages.
        request: what to run.
    """

    __slots__ = ("name", "request")

    def __init__(self, name: str, request: GraphQLRequest) -> None:
        self.name: str = name
        self.request: GraphQLRequest = request


class Stop(NamedTuple):
    """An operation that was started is stopped, and its source closed at once."""

    start: Start


Effect: TypeAlias = Reply | Close | Connect | Start | Stop
"""One thing to be done."""

Effects: TypeAlias = Sequence[Effect]
"""What is to be done, in this order."""

NOTHING: Final[Effects] = ()
