"""Weather stations, and all that GraphQL over bareASGI can do with them.

The page asks for the stations with a query whose deferred fragment, the forecasts,
comes when it is ready. A subscription tells it of each temperature that is measured, a
list is streamed item by item, and mutations change a name and take a file.

Run it with `python examples/graphql/demo.py` and open http://127.0.0.1:9009/, or
http://127.0.0.1:9009/graphql, where GraphiQL is. Another port is taken from the
environment variable PORT.
"""

import asyncio
import os
import random
import signal
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path

from graphql import GraphQLError, GraphQLResolveInfo, build_schema
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpResponse,
    Info,
    Message,
    RouteMatches,
    Scope,
    bytes_writer,
)
from bareasgi_graphql import Limits, Upload, add_graphql

SDL = """
directive @defer(label: String, if: Boolean! = true)
  on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(label: String, if: Boolean! = true, initialCount: Int = 0) on FIELD

"A file, sent beside the operation."
scalar Upload

type Query {
  stations: [Station!]!
  station(id: ID!): Station
}

type Mutation {
  rename(station: ID!, name: String!): Station
  "Takes temperatures from a file, which has one in each line."
  record(station: ID!, file: Upload!): Station
}

type Subscription {
  "A station whenever it has measured."
  measured: Station!
}

type Station {
  id: ID!
  name: String!
  "In degrees Celsius, as all temperatures are."
  temperature: Float!
  "The last temperatures, from the newest to the oldest. They come one by one."
  history: [Float!]!
  "It takes a while: to be deferred."
  forecast: String!
}
"""

# What never changes is read and encoded once, when the program starts.
PAGE = Path(__file__).with_suffix(".html").read_bytes()
# The page is one file: it loads nothing, and talks to this server only.
POLICY = (
    b"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    b" img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
HTML: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", POLICY),
]

KEPT = 10
"""How many temperatures a station remembers."""

COLDEST, HOTTEST = -90.0, 60.0


class Station:
    """Where it is measured. A field of its type is an attribute, or a method."""

    def __init__(self, identity: int, name: str, temperature: float) -> None:
        self.id = str(identity)
        self.name = name
        self._last = deque([temperature], maxlen=KEPT)

    @property
    def temperature(self) -> float:
        """What was measured last."""
        return self._last[-1]

    def measure(self, temperature: float) -> None:
        """Remembers a temperature."""
        self._last.append(round(min(max(temperature, COLDEST), HOTTEST), 1))

    async def history(
        self, info: GraphQLResolveInfo[Info]
    ) -> AsyncGenerator[float, None]:
        """The last temperatures, from an archive that is slow."""
        for temperature in reversed([*self._last]):
            yield temperature
            await asyncio.sleep(0.1)

    async def forecast(self, info: GraphQLResolveInfo[Info]) -> str:
        """What may be. The later a station was built, the longer this takes."""
        await asyncio.sleep(int(self.id) / 2)
        return random.choice(["Sun", "Rain", "Fog", "Snow", "Frogs"])  # noqa: S311


class Weather:
    """The root: what can be asked, changed and listened to."""

    def __init__(self) -> None:
        places = {"Lighthouse": 9.5, "Harbour": 12.0, "Moor": 7.5, "Summit": -3.0}
        self._stations = {
            str(identity): Station(identity, name, temperature)
            for identity, (name, temperature) in enumerate(places.items(), 1)
        }
        self._listening: set[asyncio.Queue[Station]] = set()

    def stations(self, info: GraphQLResolveInfo[Info]) -> list[Station]:
        """All stations."""
        return [*self._stations.values()]

    def station(
        self,
        info: GraphQLResolveInfo[Info],
        id: str,  # noqa: A002 - the argument's name
    ) -> Station | None:
        """One station, or none."""
        return self._stations.get(id)

    def rename(
        self, info: GraphQLResolveInfo[Info], station: str, name: str
    ) -> Station | None:
        """A station, by its new name."""
        found = self._stations.get(station)
        if found is not None:
            found.name = name
            self._tell(found)
        return found

    async def record(
        self, info: GraphQLResolveInfo[Info], station: str, file: object
    ) -> Station | None:
        """A station, with the temperatures of a file. What is wrong with it is told."""
        if not isinstance(file, Upload):
            raise GraphQLError("The file has to be sent beside the operation")
        temperatures = temperatures_in(await file.read())
        found = self._stations.get(station)
        if found is not None:
            for temperature in temperatures:
                found.measure(temperature)
            self._tell(found)
        return found

    async def measured(
        self, info: GraphQLResolveInfo[Info]
    ) -> AsyncGenerator[dict[str, Station], None]:
        """Stations as they change, until whoever listens has left."""
        queue: asyncio.Queue[Station] = asyncio.Queue()
        self._listening.add(queue)
        try:
            while True:
                yield {"measured": await queue.get()}
        finally:
            self._listening.discard(queue)

    async def change(self) -> None:
        """Has a station measure twice a second, for ever."""
        while True:
            for station in self._stations.values():
                change = random.uniform(-0.5, 0.5)  # noqa: S311 - no secret
                station.measure(station.temperature + change)
                self._tell(station)
                await asyncio.sleep(0.5)

    def _tell(self, station: Station) -> None:
        for queue in self._listening:
            queue.put_nowait(station)


def temperatures_in(text: bytes) -> list[float]:
    """The temperatures in the lines of a file. Raises GraphQLError, told to clients."""
    try:
        temperatures = [float(line) for line in text.split()]
    except ValueError:
        raise GraphQLError("Each line has to be a temperature") from None
    if not all(COLDEST <= each <= HOTTEST for each in temperatures):
        raise GraphQLError(f"No place has less than {COLDEST} or more than {HOTTEST}")
    return temperatures


async def show_page(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The page that shows it all."""
    return 200, HTML, bytes_writer(PAGE)


async def open_stations(scope: Scope, info: Info, message: Message) -> None:
    """The weather changes in a task that lives as long as the application."""
    info["changing"] = asyncio.create_task(info["weather"].change())


async def close_stations(scope: Scope, info: Info, message: Message) -> None:
    """The end of that task."""
    info["changing"].cancel()
    await asyncio.wait([info["changing"]])


def make_application() -> Application:
    """Wires the schema and the page to their paths."""
    weather = Weather()
    app = Application(
        info={"weather": weather},
        startup_handlers=[open_stations],
        shutdown_handlers=[close_stations],
    )
    app.http_router.add({"GET"}, "/", show_page)
    add_graphql(
        app,
        build_schema(SDL),
        root_value=weather,
        uploads=True,
        limits=Limits(upload=64 * 1024, files=1),
    )
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM, and ends what is live before the server."""
    app = make_application()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    async def stop() -> None:
        await stopping.wait()
        await app.drain()

    config = Config()
    config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9009')}"]
    await serve(app, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main())
