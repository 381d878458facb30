"""Makes the messages of a WebSocket, and refuses what must not be sent (RFC 6455)."""

from collections.abc import Collection
from typing import Any, Final, cast

from bareasgi.errors import WebSocketInternalError
from bareasgi.sender import checked_headers
from bareasgi.types import Headers, Message, Scope

NORMAL_CLOSURE: Final = 1000
GOING_AWAY: Final = 1001
NO_STATUS: Final = 1005
ABNORMAL_CLOSURE: Final = 1006
INTERNAL_ERROR: Final = 1011
"""Close codes (RFC 6455, section 7.4.1)."""

_SENT_CODES: Final = frozenset(
    {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
)
_MAX_REASON: Final = 123


def accept_message(
    scope: Scope, subprotocol: str | None, headers: Headers | None
) -> Message:
    """Make the message that accepts a handshake.

    Raises WebSocketInternalError for a subprotocol that was not offered, and TypeError
    or ValueError for headers that must not be sent.
    """
    offered: Collection[str] = scope.get("subprotocols") or ()
    if subprotocol is not None and subprotocol not in offered:
        raise WebSocketInternalError(
            f"the subprotocol {subprotocol!r} is not one that the client offers:"
            f" {[*offered]}"
        )
    headers = checked_headers(headers) if headers else []
    if headers and any(name == b"sec-websocket-protocol" for name, _ in headers):
        raise ValueError("give the subprotocol as such, and not as a header")
    return {
        "type": "websocket.accept",
        "subprotocol": subprotocol,
        "headers": headers,
    }


def send_message(content: object) -> Message:
    """Make the message with bytes. Raises ValueError for anything else but a str."""
    if isinstance(content, (bytes, bytearray, memoryview)):
        return {"type": "websocket.send", "bytes": bytes(cast(bytes, content))}
    kind = type(content).__name__
    raise ValueError(f"a message is str or bytes, not {kind}: json.dumps makes a str")


def close_message(code: int, reason: str | None) -> Message:
    """Make the message that closes. Raises ValueError for what no frame may carry."""
    if code not in _SENT_CODES:
        raise ValueError(
            f"the close code {code!r} is none that a close frame may carry: take 1000,"
            " or one from 3000 to 4999 with a meaning of your own"
        )
    if reason is not None and len(reason.encode()) > _MAX_REASON:
        raise ValueError(f"the reason is longer than {_MAX_REASON} bytes")
    message: dict[str, Any] = {"type": "websocket.close", "code": code}
    if reason is not None:
        message["reason"] = reason
    return message


def misuse(
    done: str, code: int | None, *, is_accepted: bool, is_disconnected: bool
) -> WebSocketInternalError:
    """Make the error that says why something cannot be done, and what to do first."""
    if is_disconnected:
        why = f"the client has left, with the code {code}"
    elif code is not None:
        why = f"it was closed, with the code {code}"
    elif is_accepted:
        why = "it was accepted before"
    else:
        why = "it was not accepted: call `await web_socket.accept()` first"
    return WebSocketInternalError(f"the socket cannot be {done}: {why}")
