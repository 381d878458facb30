"""A schema with something of everything, for those who mean it no good."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, cast

from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema, build_schema

_SDL: Final = """
scalar Anything
enum Colour { RED GREEN }
input Find { and: [Find!]  name: String  size: Float }

type Query {
  hello(name: String): String
  self: Query
  list(empty: Boolean, many: Int): [Query]
  sum(of: [Int!]): Int
  any(value: Anything): Anything
  find(by: Find): String
  colour(of: Colour): Colour
  told: String
  failing: String
}
type Mutation { change: Int }
type Subscription { ticks(to: Int): Int  held: Int }
"""

_MOST: Final = 500
_MOST_TICKS: Final = 3


class World:
    """The state behind a schema.

    Attributes:
        changes: how often the mutation was run.
        live: how many sources of the subscription `held` are open.
        schema: what is served. `ticks` ends by itself, and `held` does not.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.live = 0
        self.schema: GraphQLSchema = build_schema(_SDL)
        query = _fields(self.schema, "Query")
        for name, resolve in _QUERY.items():
            query[name].resolve = resolve
        _fields(self.schema, "Mutation")["change"].resolve = self._change
        subscription = _fields(self.schema, "Subscription")
        subscription["ticks"].subscribe = _ticks
        subscription["held"].subscribe = self._held
        for field in subscription.values():
            field.resolve = _event

    async def _change(self, *_: object) -> int:
        self.changes += 1
        return self.changes

    async def _held(self, *_: object) -> AsyncGenerator[int, None]:
        self.live += 1
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            self.live -= 1


def _fields(schema: GraphQLSchema, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = cast(GraphQLObjectType, schema.type_map[name]).fields
    return fields


def _hello(*_: object, name: str = "you") -> str:
    return f"Hello {name}"


def _self(*_: object) -> object:
    return {}


def _list(*_: object, empty: bool = False, many: int = 1) -> list[object]:
    return [] if empty else [*([{}] * min(many, _MOST)), None]


def _sum(*_: object, of: list[int] | None = None) -> int:
    return sum(of or ())


def _any(*_: object, value: object = None) -> str:
    return repr(value)[:100]


def _find(*_: object, by: object = None) -> str:
    return repr(by)[:100]


def _colour(*_: object, of: object = "RED") -> object:
    return of


def _told(*_: object) -> None:
    raise GraphQLError("told")


def _failing(*_: object) -> None:
    raise RuntimeError("not told")


async def _ticks(*_: object, to: int | None = None) -> AsyncGenerator[int, None]:
    for number in range(_MOST_TICKS if to is None else min(to, _MOST_TICKS)):
        yield number


def _event(event: object, *_: object, **_arguments: object) -> object:
    return event


_QUERY: Final[dict[str, Callable[..., object]]] = {
    "hello": _hello,
    "self": _self,
    "list": _list,
    "sum": _sum,
    "any": _any,
    "find": _find,
    "colour": _colour,
    "told": _told,
    "failing": _failing,
}
