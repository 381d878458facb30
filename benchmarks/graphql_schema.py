"""The schema that every contender of the GraphQL benchmark serves.

It is made with strawberry, which can serve no other; the schema of graphql-core within
it is what the others are given. So all of them call the very same resolvers.
"""

import asyncio
from collections.abc import AsyncGenerator

import strawberry
from graphql import GraphQLSchema
from strawberry.extensions import ParserCache, ValidationCache


@strawberry.type
class Hero:
    """Whom the query asks for."""

    id: strawberry.ID
    name: str
    friends: list["Hero"]


@strawberry.type
class Price:
    """What a subscription gets."""

    number: int
    name: str
    pence: int


class Market:
    """Tells all its subscribers of a price at once.

    Attributes:
        number: how many prices there were.
        is_awaited: set while all the subscribers wait for the next one, each having
            sent the last.
    """

    def __init__(self, subscribers: int = 0) -> None:
        self.number: int = 0
        self.is_awaited: asyncio.Event = asyncio.Event()
        self._subscribers = subscribers
        self._waiting = 0
        self._news = asyncio.Event()

    def publish(self) -> None:
        """Have every subscriber get a price."""
        self.number += 1
        self._waiting = 0
        self.is_awaited.clear()
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def prices(self, name: str) -> AsyncGenerator[Price, None]:
        """Give the prices as they come, until closed."""
        while True:
            self._waiting += 1
            if self._waiting == self._subscribers:
                self.is_awaited.set()
            await self._news.wait()
            yield Price(number=self.number, name=name, pence=310)


_FRIENDS = [
    Hero(id=strawberry.ID("1002"), name="Han Solo", friends=[]),
    Hero(id=strawberry.ID("1003"), name="Leia Organa", friends=[]),
    Hero(id=strawberry.ID("2001"), name="R2-D2", friends=[]),
]
_LUKE = Hero(id=strawberry.ID("1000"), name="Luke Skywalker", friends=_FRIENDS)


def make_schema(market: Market) -> strawberry.Schema:
    """Make the schema, with the caches that strawberry has."""

    @strawberry.type
    class Query:
        @strawberry.field
        def hero(self, id: strawberry.ID) -> Hero | None:  # noqa: A002 - its name
            return _LUKE if id == _LUKE.id else None

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        def price(self, name: str) -> AsyncGenerator[Price, None]:
            return market.prices(name)

    return strawberry.Schema(
        Query, subscription=Subscription, extensions=[ParserCache, ValidationCache]
    )


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Give the schema of graphql-core that one of strawberry is around."""
    return schema._schema  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
