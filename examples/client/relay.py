"""A relay of events: asks one server, and tells as many readers as there are.

`python relay.py http://127.0.0.1:8080/ticks`, and then
`curl -N http://127.0.0.1:9009/events`. Each reader has a request of its own behind it,
which is cancelled when the reader leaves.
"""

import asyncio
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareclient import Client, Timeouts

# Between two events there may be any time.
client = Client(timeout=Timeouts(read=None))
app = Application(info={"source": "http://127.0.0.1:8080/ticks"})


@app.on_http_request({"GET"}, "/events")
async def relay(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answer with what the source answers, as it comes."""
    return await client.request("GET", info["source"])


config = Config()
config.bind = ["127.0.0.1:9009"]

if __name__ == "__main__":
    app.info["source"] = sys.argv[1] if len(sys.argv) > 1 else app.info["source"]
    asyncio.run(serve(app, config))
