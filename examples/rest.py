"""A resource to read and to change: http://127.0.0.1:9009/info.

curl -H 'accept: application/json' http://127.0.0.1:9009/info
curl --json '{"name": "Peter Sellers"}' http://127.0.0.1:9009/info
"""

import asyncio
import json

from bareutils import header
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_reader,
    text_writer,
)


async def read_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with the info as JSON; a status alone is a whole response too."""
    wanted = header.find(b"accept", scope["headers"])
    if wanted != b"application/json":
        return 500
    return 200, [(b"content-type", b"application/json")], text_writer(json.dumps(info))


async def change_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Updates the info, which all requests share, with the JSON that was sent."""
    sent = header.find(b"content-type", scope["headers"])
    if sent != b"application/json":
        return 500
    info.update(json.loads(await text_reader(content)))
    return 204


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with what the path template made of the path."""
    return 200, None, text_writer(repr(dict(matches)))


app = Application(info={"name": "Michael Caine"})
app.http_router.add({"GET"}, "/info", read_info)
app.http_router.add({"POST"}, "/info", change_info)
app.http_router.add({"GET"}, "/foo/{name}/{id:int}/{created:datetime:%Y-%m-%d}", show)
app.http_router.add({"GET"}, "/files/{path}", show)

config = Config()
config.bind = ["127.0.0.1:9009"]

if __name__ == "__main__":
    asyncio.run(serve(app, config))
