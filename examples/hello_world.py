"""Hello, World: http://127.0.0.1:9009/hello-world answers with a line of text."""

import asyncio

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
)

app = Application()


@app.on_http_request({"GET"}, "/hello-world")
async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answers with a status, headers and a body."""
    return 200, [(b"content-type", b"text/plain")], bytes_writer(b"Hello, World!")


config = Config()
config.bind = ["127.0.0.1:9009"]

if __name__ == "__main__":
    asyncio.run(serve(app, config))
