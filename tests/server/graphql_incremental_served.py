"""Serves a schema whose answers come in parts.

`python -m server.graphql_incremental_served hypercorn PORT`, or `uvicorn PORT`.
"""

import sys
from collections.abc import AsyncGenerator, Callable
from typing import Final

from graphql import GraphQLObjectType, build_schema

from bareasgi import Application
from bareasgi_graphql import add_graphql

from .graphql_serving import Sources, serve_application

PIECE: Final = "x" * 65536

schema = build_schema("""
directive @defer(label: String, if: Boolean! = true)
  on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(label: String, if: Boolean! = true, initialCount: Int = 0) on FIELD

type Query {
  "A value that is there when the name was let pass."
  held(name: String!): Held!
  "1, and the next number each time that the name was let pass."
  numbers(name: String!): [Int!]!
  "Large items without end."
  endless(name: String!): [String!]!
}

type Held {
  name: String!
  value: Int!
}

type Subscription {
  numbers(name: String!): Int!
  endless(name: String!): String!
}
""")
sources = Sources()


async def value(held: dict[str, str], _info: object) -> int:
    """Wait for the gate."""
    with sources.running(held["name"]):
        await sources.passed(held["name"])
        return 1


async def numbers(name: str) -> AsyncGenerator[int, None]:
    """Give a number, and wait for the gate before each other one."""
    with sources.running(name):
        while True:
            sources.given[name] += 1
            yield sources.given[name]
            await sources.passed(name)


async def endless(name: str) -> AsyncGenerator[str, None]:
    """Give large results without end, and never wait."""
    with sources.running(name):
        while True:
            sources.given[name] += 1
            yield PIECE


def held(_root: object, _info: object, name: str) -> dict[str, str]:
    """Give what has the deferred field."""
    return {"name": name}


def kept(
    source: Callable[[str], AsyncGenerator[object, None]],
) -> Callable[..., object]:
    """Give a resolver for the lists or events of a source."""

    def resolver(
        _root: object, _info: object, name: str
    ) -> AsyncGenerator[object, None]:
        return sources.kept(source(name))

    return resolver


def event(given: object, _info: object, name: str) -> object:
    """Give what the source gave."""
    return given


def resolve() -> None:
    query, subscription = schema.query_type, schema.subscription_type
    held_type = schema.type_map["Held"]
    assert query is not None
    assert subscription is not None
    assert isinstance(held_type, GraphQLObjectType)
    held_type.fields["value"].resolve = value
    query.fields["held"].resolve = held
    for name, source in {"numbers": kept(numbers), "endless": kept(endless)}.items():
        query.fields[name].resolve = source
        subscription.fields[name].subscribe = source
        subscription.fields[name].resolve = event


resolve()
app = Application()
add_graphql(app, schema)
sources.observe(app)

if __name__ == "__main__":
    serve_application(app, sys.argv[1], int(sys.argv[2]))
