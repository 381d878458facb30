"""Applications that tests ask, in this process or over a socket."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_reader,
    json_response,
)


def text(value: object) -> Any:
    """Make bytes and what is in lists of them readable for JSON."""
    match value:
        case bytes():
            return value.decode("latin-1")
        case list() | tuple():
            return [text(each) for each in cast(Sequence[object], value)]
        case _:
            return value


def make_mirror() -> Application:
    """Make an application that tells what it was asked."""
    app = Application()

    async def tell(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        told = {
            name: text(scope[name])
            for name in ("method", "scheme", "path", "raw_path", "query_string")
        }
        told["server"] = [*scope["server"]]
        told["headers"] = text([*scope["headers"]])
        told["content"] = text(await bytes_reader(content))
        return json_response(200, None, told)

    methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    app.http_router.add(methods, "/{path}", tell)
    return app


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    """Give some chunks."""
    for part in parts:
        yield part


def fields(told: Any, name: str) -> list[str]:
    """Give the values of a field that the mirror tells of."""
    return [value for other, value in told["headers"] if other == name]


def loads(data: bytes) -> Any:
    """Parse what the mirror tells."""
    return json.loads(data)
