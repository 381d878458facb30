"""Asks a GraphQL server for one operation, over each of the ways that there are."""

import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, TypeAlias, cast
from urllib.parse import urlencode

from bareasgi import Application, Header
from bareasgi.testing import (
    ClientSocket,
    Response,
    Stream,
    http_request,
    http_stream,
    web_socket,
)

PATH: Final = "/graphql"
JSON: Final[Header] = (b"content-type", b"application/json")
RESULT: Final[Header] = (b"accept", b"application/graphql-response+json")
EVENTS: Final[Header] = (b"accept", b"text/event-stream")
TOKEN: Final = b"x-graphql-event-stream-token"

MODERN: Final = "graphql-transport-ws"
LEGACY: Final = "graphql-ws"
PROTOCOLS: Final = (MODERN, LEGACY)

Parameters: TypeAlias = Mapping[str, object]
"""What is asked for: query, operationName, variables, extensions."""


class Answer(NamedTuple):
    """What a client is told of one operation.

    Attributes:
        status: of the HTTP response, None over a socket.
        result: the last one. Without `data` nothing was run.
    """

    status: int | None
    result: dict[str, Any]

    @property
    def is_run(self) -> bool:
        """Whether the operation was run."""
        return "data" in self.result

    @property
    def message(self) -> str:
        """What the first error says; nothing if there is none."""
        errors = self.result.get("errors") or [{"message": ""}]
        return cast(str, errors[0]["message"])


Ask: TypeAlias = Callable[[Application, Parameters], Coroutine[Any, Any, Answer]]
"""Asks for one operation, and waits for its last result."""


async def by_post(app: Application, parameters: Parameters) -> Answer:
    """Ask by POST."""
    return _answer(await post(app, parameters))


async def by_get(app: Application, parameters: Parameters) -> Answer:
    """Ask by GET."""
    return _answer(await get(app, parameters))


async def by_distinct_stream(app: Application, parameters: Parameters) -> Answer:
    """Ask for an event stream of the results."""
    response = await http_request(
        app, "POST", PATH, headers=[JSON, EVENTS], content=_json(parameters).encode()
    )
    if response.status != 200:
        return _answer(response)
    events = [*map(_event, response.text.removeprefix(":\n\n").split("\n\n")[:-1])]
    assert [kind for kind, _ in events] == ["next", "complete"]
    return Answer(response.status, events[0][1])


async def by_single_stream(app: Application, parameters: Parameters) -> Answer:
    """Ask for the results in an event stream that was opened before."""
    async with single_stream(app) as (token, stream):
        response = await ask_stream(app, token, "1", parameters)
        if response.status != 202:
            return _answer(response)
        kind, data = _event((await stream.chunk()).decode())
        assert (kind, data["id"]) == ("next", "1")
        assert _event((await stream.chunk()).decode()) == ("complete", {"id": "1"})
        return Answer(response.status, data["payload"])


async def by_socket(app: Application, parameters: Parameters) -> Answer:
    """Ask over a WebSocket, by the protocol graphql-transport-ws."""
    return await _by_socket(app, parameters, MODERN)


async def by_legacy_socket(app: Application, parameters: Parameters) -> Answer:
    """Ask over a WebSocket, by the protocol graphql-ws."""
    return await _by_socket(app, parameters, LEGACY)


TRANSPORTS: Final[Mapping[str, Ask]] = {
    "POST": by_post,
    "GET": by_get,
    MODERN: by_socket,
    LEGACY: by_legacy_socket,
    "event stream": by_distinct_stream,
    "single connection": by_single_stream,
}


async def post(
    app: Application, parameters: object, accept: Header = RESULT
) -> Response:
    """Send JSON by POST, whatever it is."""
    return await http_request(
        app, "POST", PATH, headers=[JSON, accept], content=_json(parameters).encode()
    )


async def get(
    app: Application, parameters: Parameters, accept: Header = RESULT
) -> Response:
    """Send an operation by GET."""
    fields = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parameters.items()
        if value is not None
    }
    return await http_request(
        app, "GET", f"{PATH}?{urlencode(fields)}", headers=[accept]
    )


@asynccontextmanager
async def connected(
    app: Application, protocol: str = MODERN
) -> AsyncGenerator[ClientSocket, None]:
    """Open a WebSocket, and be let in."""
    async with web_socket(app, PATH, subprotocols=[protocol]) as socket:
        await socket.send('{"type": "connection_init"}')
        assert (await next_message(socket))["type"] == "connection_ack"
        yield socket


async def next_message(socket: ClientSocket) -> dict[str, Any]:
    """Take the next message that is not there to keep the connection alive."""
    while True:
        text = await socket.receive()
        assert isinstance(text, str), f"closed with {socket.code}"
        message = json.loads(text)
        if message["type"] not in ("ka", "ping"):
            return cast(dict[str, Any], message)


async def closed(socket: ClientSocket) -> int | None:
    """Take what is left of a socket's messages, and tell the code that closed it."""
    async for _ in socket:
        continue
    return socket.code


def starting(identity: str, parameters: object, protocol: str = MODERN) -> str:
    """Make the message that asks for an operation."""
    kind = "subscribe" if protocol == MODERN else "start"
    return _json({"id": identity, "type": kind, "payload": parameters})


@asynccontextmanager
async def single_stream(app: Application) -> AsyncGenerator[tuple[str, Stream], None]:
    """Reserve an event stream and open it: the token, and the stream at its events."""
    token = (await http_request(app, "PUT", PATH)).text
    headers = [EVENTS, (TOKEN, token.encode())]
    async with http_stream(app, "GET", PATH, headers=headers, buffer=None) as stream:
        assert await stream.chunk() == b":\n\n"
        yield token, stream


async def ask_stream(
    app: Application, token: str, identity: str, parameters: Parameters
) -> Response:
    """Ask for an operation whose results come in an event stream."""
    request = {**parameters, "extensions": {"operationId": identity}}
    headers = [JSON, RESULT, (TOKEN, token.encode())]
    return await http_request(
        app, "POST", PATH, headers=headers, content=_json(request).encode()
    )


async def _by_socket(app: Application, parameters: Parameters, protocol: str) -> Answer:
    async with connected(app, protocol) as socket:
        await socket.send(starting("1", parameters, protocol))
        message = await next_message(socket)
        assert message["id"] == "1"
        payload = message["payload"]
        if message["type"] == "error":
            errors = payload if protocol == MODERN else [payload]
            return Answer(None, {"errors": errors})
        assert await next_message(socket) == {"type": "complete", "id": "1"}
        return Answer(None, payload)


def _answer(response: Response) -> Answer:
    return Answer(response.status, response.json())


def _json(value: object) -> str:
    """Write JSON as short as it can be: half a surrogate pair has to be escaped."""
    text = json.dumps(value, ensure_ascii=False)
    is_text = not any("\ud800" <= letter <= "\udfff" for letter in text)
    return text if is_text else json.dumps(value)


def _event(text: str) -> tuple[str, Any]:
    kind, data = text.rstrip("\n").split("\n")
    value = data.removeprefix("data:").strip()
    return kind.removeprefix("event: "), json.loads(value) if value else None
