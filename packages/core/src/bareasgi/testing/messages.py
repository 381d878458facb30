"""The shape of every message that an application may send, as tables and functions."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from bareasgi.types import Message

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
UNSAFE = re.compile(rb"[\r\n\x00]")

NOT_IN_A_CLOSE_FRAME = {1004, 1005, 1006, 1015}  # RFC 6455, section 7.4.1
MAX_REASON_BYTES = 123  # RFC 6455, section 5.5, less two for the code


def is_flag(value: Any) -> bool:
    """Accept True and False, not 1 and 0."""
    return type(value) is bool


def is_bytes(value: Any) -> bool:
    """Accept bytes, no other buffer."""
    return type(value) is bytes


def is_text(value: Any) -> bool:
    """Accept a plain str."""
    return type(value) is str


def is_bytes_or_none(value: Any) -> bool:
    """Accept bytes, or None for a key that might be left out."""
    return value is None or type(value) is bytes


def is_text_or_none(value: Any) -> bool:
    """Accept a plain str, or None for a key that might be left out."""
    return value is None or type(value) is str


def is_status(value: Any) -> bool:
    """Accept the status of a final response."""
    return type(value) is int and value in range(200, 600)


def is_sequence(value: Any) -> bool:
    """Accept what a server may iterate over more than once."""
    return type(value) in {list, tuple}


def are_headers(value: Any) -> bool:
    """Accept fields that a server can send as they are."""
    return is_sequence(value) and all(
        is_sequence(field)
        and [type(part) for part in field] == [bytes, bytes]
        and TOKEN.fullmatch(field[0])
        and not UNSAFE.search(field[1])
        for field in value
    )


def are_links(value: Any) -> bool:
    """Accept the values of link fields."""
    return is_sequence(value) and all(
        type(link) is bytes and not UNSAFE.search(link) for link in value
    )


def is_target(value: Any) -> bool:
    """Accept the path of a resource of this server."""
    return type(value) is str and value.startswith("/")


def is_file(value: Any) -> bool:
    """Accept the absolute path of a file, there or not."""
    return type(value) is str and Path(value).is_absolute()


def is_close_code(value: Any) -> bool:
    """Accept what a close frame may carry."""
    is_in_range = type(value) is int and value in range(1000, 5000)
    return is_in_range and value not in NOT_IN_A_CLOSE_FRAME


def is_reason(value: Any) -> bool:
    """Accept what fits in a close frame, or None."""
    return value is None or (
        type(value) is str and len(value.encode()) <= MAX_REASON_BYTES
    )


class Key(NamedTuple):
    """What the value of a message's key must be, in words and as a function."""

    what: str
    accepts: Callable[[Any], bool]
    is_required: bool = False


FLAG = Key("a bool", is_flag)
TEXT = Key("a str", is_text)
TEXT_OR_NONE = Key("a str or None", is_text_or_none)
HEADERS = Key(
    "a list or tuple of pairs of bytes: a token in lower case, and a value without CR,"
    " LF and NUL",
    are_headers,
)
NEEDED_HEADERS = HEADERS._replace(is_required=True)
LINKS = Key(
    "a list or tuple of bytes without CR, LF and NUL", are_links, is_required=True
)
STATUS = Key("an int from 200 to 599", is_status, is_required=True)
TARGET = Key("a str that begins with a slash", is_target, is_required=True)
FILE = Key("a str, an absolute path", is_file, is_required=True)
RESPONSE_START = {"status": STATUS, "headers": HEADERS, "trailers": FLAG}
RESPONSE_BODY = {"body": Key("bytes", is_bytes), "more_body": FLAG}

KEYS: Mapping[str, Mapping[str, Key]] = {
    "http.response.start": RESPONSE_START,
    "http.response.body": RESPONSE_BODY,
    "http.response.push": {"path": TARGET, "headers": NEEDED_HEADERS},
    "http.response.early_hint": {"links": LINKS},
    "http.response.pathsend": {"path": FILE},
    "http.response.trailers": {
        "headers": NEEDED_HEADERS,
        "more_trailers": FLAG,
    },
    "websocket.accept": {"subprotocol": TEXT_OR_NONE, "headers": HEADERS},
    "websocket.send": {
        "bytes": Key("bytes or None", is_bytes_or_none),
        "text": TEXT_OR_NONE,
    },
    "websocket.close": {
        "code": Key("an int that a close frame may carry", is_close_code),
        "reason": Key("a str of at most 123 bytes, or None", is_reason),
    },
    "websocket.http.response.start": RESPONSE_START,
    "websocket.http.response.body": RESPONSE_BODY,
    "lifespan.startup.complete": {},
    "lifespan.startup.failed": {"message": TEXT},
    "lifespan.shutdown.complete": {},
    "lifespan.shutdown.failed": {"message": TEXT},
}

# What may be sent only if the scope has this among its extensions.
EXTENSIONS: Mapping[str, str] = {
    "http.response.push": "http.response.push",
    "http.response.early_hint": "http.response.early_hint",
    "http.response.pathsend": "http.response.pathsend",
    "http.response.trailers": "http.response.trailers",
    "websocket.http.response.start": "websocket.http.response",
    "websocket.http.response.body": "websocket.http.response",
}

HINT = "http.response.early_hint"
PUSH = "http.response.push"
BODY = "http.response.body"

# What may be sent after an event, sent or received. An event that is not here leaves it
# as it was. The first of a scope stands under the scope's type.
NEXT: Mapping[str, frozenset[str]] = {
    "http": frozenset({"http.response.start", HINT}),
    "http.response.start": frozenset({BODY, PUSH, HINT, "http.response.pathsend"}),
    "http.response.body with more to come": frozenset({BODY, PUSH, HINT}),
    "websocket": frozenset(),
    "websocket.connect": frozenset(
        {"websocket.accept", "websocket.close", "websocket.http.response.start"}
    ),
    "websocket.accept": frozenset({"websocket.send", "websocket.close"}),
    "websocket.http.response.start": frozenset({"websocket.http.response.body"}),
    "lifespan": frozenset(),
    "lifespan.startup": frozenset(
        {"lifespan.startup.complete", "lifespan.startup.failed"}
    ),
    "lifespan.startup.complete": frozenset(),
    "lifespan.shutdown": frozenset(
        {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}
    ),
}

FINAL = {
    "http.response.body",
    "http.response.pathsend",
    "http.response.trailers",
    "websocket.close",
    "websocket.http.response.body",
    "lifespan.startup.failed",
    "lifespan.shutdown.complete",
    "lifespan.shutdown.failed",
}


def shape_problem(message: Any, scope: Mapping[str, Any]) -> str:
    """Say what is wrong with a message by itself, or nothing."""
    if not isinstance(message, dict):
        return "a message must be a dict"
    event = cast("dict[str, Any]", message)
    kind: object = event.get("type")
    if (
        not isinstance(kind, str)
        or kind not in KEYS
        or kind.partition(".")[0] != scope["type"]
    ):
        return f"type {kind!r} is not one of scope {scope['type']}"
    for name in event.keys() - KEYS[kind].keys() - {"type"}:
        return f"{kind} has no key {name!r}"
    for name, key in KEYS[kind].items():
        if key.is_required and name not in event:
            return f"{kind} must have the key {name}"
        if name in event and not key.accepts(event[name]):
            return f"{name} must be {key.what}"
    return extension_problem(event, scope) or web_socket_problem(event, scope)


def extension_problem(message: Message, scope: Mapping[str, Any]) -> str:
    """Say which extension a message would need and the server lacks, or nothing."""
    needed = EXTENSIONS.get(message["type"])
    if message.get("trailers"):
        needed = "http.response.trailers"
    if needed is None or needed in (scope.get("extensions") or {}):
        return ""
    return f"the scope has no extension {needed}"


def web_socket_problem(message: Message, scope: Mapping[str, Any]) -> str:
    """Say where the keys of a websocket message do not fit together, or nothing."""
    if message["type"] == "websocket.send":
        given = [message.get("bytes"), message.get("text")]
        return "" if given.count(None) == 1 else "give either bytes or text"
    if message["type"] != "websocket.accept":
        return ""
    if any(n == b"sec-websocket-protocol" for n, _ in message.get("headers", ())):
        return "the subprotocol has a key of its own and is no header"
    subprotocol = message.get("subprotocol")
    if subprotocol is not None and subprotocol not in scope.get("subprotocols", ()):
        return f"subprotocol {subprotocol!r} was not offered"
    return ""


def content_length_problem(message: Message) -> str:
    """Say what is wrong with the content-length of a start message, or nothing."""
    lengths = {v for n, v in message.get("headers", ()) if n == b"content-length"}
    if len(lengths) > 1 or not all(re.fullmatch(rb"[0-9]+", v) for v in lengths):
        return "content-length must be one number (RFC 9110, section 8.6)"
    return ""


def content_length(message: Message) -> int | None:
    """Give the number of bytes that a start message promises, or None."""
    for name, value in message.get("headers", ()):
        if name == b"content-length":
            return int(value)
    return None
