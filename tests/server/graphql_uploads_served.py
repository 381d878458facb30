"""Serves a mutation that takes files.

`python -m server.graphql_uploads_served hypercorn PORT`, or `uvicorn PORT`. At
`/unbounded` uploads may be of any size. `/state` tells what is left of them in the
process.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Final

import uvicorn
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
)

# Its own type for WSGI has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    json_response,
)
from bareasgi.testing import checked
from bareasgi_graphql import GraphQLUpload, Limits, Upload, graphql_handler

from .counting import resident_bytes

MEBIBYTE: Final = 2**20

troubles: Final[list[str]] = []


async def digests(
    _root: object, _info: object, files: Sequence[Upload]
) -> list[dict[str, object]]:
    """Tell of each file what it is, and its digest."""
    told: list[dict[str, object]] = []
    for file in files:
        digest = sha256()
        async for chunk in file:
            digest.update(chunk)
        told.append(
            {
                "filename": file.filename,
                "contentType": file.content_type,
                "size": file.size,
                "digest": digest.hexdigest(),
            }
        )
    return told


File = GraphQLObjectType(
    "File",
    {
        "filename": GraphQLField(GraphQLString),
        "contentType": GraphQLField(GraphQLString),
        "size": GraphQLField(GraphQLInt),
        "digest": GraphQLField(GraphQLString),
    },
)
files = GraphQLArgument(GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLUpload))))
schema = GraphQLSchema(
    GraphQLObjectType("Query", {"hello": GraphQLField(GraphQLString)}),
    GraphQLObjectType(
        "Mutation",
        {
            "digests": GraphQLField(
                GraphQLList(File), args={"files": files}, resolve=digests
            )
        },
    ),
)
bounded = Limits(upload=16 * MEBIBYTE)
app = Application()
for path, limits in (("/graphql", bounded), ("/unbounded", Limits(upload=None))):
    handler = graphql_handler(schema, uploads=True, limits=limits)
    app.http_router.add({"POST"}, path, handler)


@app.on_http_request({"GET"}, "/state")
async def state(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    told = {
        "files": count_temporary_files(),
        "tasks": len(asyncio.all_tasks()),
        "memory": resident_bytes(),
        "troubles": troubles,
    }
    return json_response(200, None, told)


def count_temporary_files() -> int:
    """Count those that are open, and those that have a name."""
    folder = gettempdir()
    number = len([*Path(folder).iterdir()])
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            number += str(descriptor.readlink()).startswith(folder)
        except FileNotFoundError:
            continue  # That of the listing itself.
    return number


class Troubles(logging.Handler):
    """Keeps what our loggers tell of."""

    def emit(self, record: logging.LogRecord) -> None:
        troubles.append(self.format(record))


def main() -> None:
    logging.getLogger("bareasgi").addHandler(Troubles())
    logging.getLogger("bareasgi_graphql").addHandler(Troubles())
    way, port = sys.argv[1], int(sys.argv[2])
    if way == "uvicorn":
        uvicorn.run(checked(app), port=port, log_level="warning")
    else:
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.loglevel = "warning"
        # For so long it has a task for each connection whose client has left.
        config.keep_alive_timeout = 0.5
        asyncio.run(serve(checked(app), config))


if __name__ == "__main__":
    main()
