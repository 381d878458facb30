"""The application of the other tests with GraphQL, on servers that drain it first.

`python -m server.graphql_served WAY ...`, as `server.draining` takes it. The sources of
subscriptions note what became of them in the record of their name.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Mapping
from itertools import count
from typing import Any, Final, TypeAlias

from graphql import GraphQLError, build_schema

from bareasgi import Info, Scope
from bareasgi_graphql import Limits, add_graphql

from .counting import RECORDS
from .draining import WAYS
from .served import app

Event: TypeAlias = Mapping[str, object]

SCHEMA: Final = """
type Query { hello: String! late(name: String!): String! }
type Mutation { change: String! }
type Subscription {
  count(to: Int!): Int!
  ticks(name: String!): Int!
  waits(name: String!): Int!
  flood(name: String!): String!
  fails: Int!
}
"""
TICK: Final = 0.02
PIECE: Final = "x" * 65536

logger: Final = logging.getLogger("served")


class Root:
    """What the fields of the schema do."""

    hello: Final = "world"
    change: Final = "changed"

    async def late(self, info: object, name: str) -> str:
        """Answer when the gate was opened."""
        record = RECORDS[name]
        with record.running():
            await record.passed()
        return "at last"

    async def count(self, info: object, to: int) -> AsyncGenerator[Event]:
        """Count, and wait for nothing."""
        for number in range(to):
            yield {"count": number}

    async def ticks(self, info: object, name: str) -> AsyncGenerator[Event]:
        """Tick now and then."""
        record = RECORDS[name]
        with record.running():
            for record.chunks in count(1):
                yield {"ticks": record.chunks}
                await asyncio.sleep(TICK)

    async def waits(self, info: object, name: str) -> AsyncGenerator[Event]:
        """Give one event at once, and the next when the gate was opened."""
        record = RECORDS[name]
        with record.running():
            yield {"waits": 1}
            await record.passed()
            yield {"waits": 2}

    async def flood(self, info: object, name: str) -> AsyncGenerator[Event]:
        """Give large events without end, and wait for nothing."""
        record = RECORDS[name]
        with record.running():
            for record.chunks in count(1):
                record.is_sending = True
                yield {"flood": PIECE}
                record.is_sending = False

    async def fails(self, info: object) -> AsyncGenerator[Event]:
        """Fail on purpose after one event."""
        yield {"fails": 1}
        raise GraphQLError("on purpose")


def decide(
    scope: Scope, info: Info, payload: dict[str, Any]
) -> Mapping[str, object] | bool | None:
    """Let in whoever does not ask for something else."""
    match payload.get("ask for"):
        case "a refusal":
            return False
        case "a failure":
            raise ValueError("a secret of the application")
        case "a greeting":
            return {"greeting": "hello"}
        case _:
            return None


schema: Final = build_schema(SCHEMA)
add_graphql(app, schema, root_value=Root(), on_connect=decide)
add_graphql(
    app, schema, path="/hurried", root_value=Root(), limits=Limits(init_timeout=0.05)
)
add_graphql(app, schema, path="/lively", root_value=Root(), ping_interval=TICK)


@app.on_shutdown
async def tell(scope: Scope, info: Info, request: Mapping[str, Any]) -> None:
    """Say how many sources are open at the end."""
    still_open = sum(record.begun - record.closed for record in RECORDS.values())
    logger.info("%d sources are open", still_open)


if __name__ == "__main__":
    way, *others = sys.argv[1:]
    WAYS[way](others)
