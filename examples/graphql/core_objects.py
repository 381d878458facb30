"""A library, whose schema is made of the objects of graphql-core.

Each field has its resolver. The context of resolvers is the application's `info`.

Run it with `python examples/graphql/core_objects.py` and open http://127.0.0.1:9009/graphql,
where GraphiQL is. Another port is taken from the environment variable PORT.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
)
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import Application, Info
from bareasgi_graphql import add_graphql


@dataclass(frozen=True)
class Book:
    """What is lent. The fields of its type are its attributes."""

    id: str
    title: str
    author: str


class Shelf:
    """The books, and who waits for new ones."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self._waiting: set[asyncio.Queue[Book]] = set()
        self.add("Emma", "Jane Austen")

    def add(self, title: str, author: str) -> Book:
        """Puts a book on the shelf, and tells everyone."""
        book = Book(str(len(self.books) + 1), title, author)
        self.books[book.id] = book
        for queue in self._waiting:
            queue.put_nowait(book)
        return book

    async def added(self) -> AsyncGenerator[Book, None]:
        """New books as they come, until whoever listens has left."""
        queue: asyncio.Queue[Book] = asyncio.Queue()
        self._waiting.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._waiting.discard(queue)


def resolve_books(root: object, info: GraphQLResolveInfo[Info]) -> list[Book]:
    """All books."""
    return [*shelf_of(info).books.values()]


async def resolve_book(
    root: object,
    info: GraphQLResolveInfo[Info],
    id: str,  # noqa: A002 - the argument's name
) -> Book | None:
    """One book, or none. A resolver may be asynchronous."""
    return shelf_of(info).books.get(id)


def resolve_add(
    root: object, info: GraphQLResolveInfo[Info], title: str, author: str
) -> Book:
    """A new book."""
    return shelf_of(info).add(title, author)


def subscribe_added(
    root: object, info: GraphQLResolveInfo[Info]
) -> AsyncGenerator[Book, None]:
    """Each new book."""
    return shelf_of(info).added()


def resolve_added(book: Book, info: GraphQLResolveInfo[Info]) -> Book:
    """What was given for the event, as it is."""
    return book


def shelf_of(info: GraphQLResolveInfo[Info]) -> Shelf:
    """The shelf that the application has."""
    shelf: Shelf = info.context["shelf"]
    return shelf


TEXT = GraphQLNonNull(GraphQLString)
BOOK = GraphQLObjectType(
    "Book",
    {
        "id": GraphQLField(GraphQLNonNull(GraphQLID)),
        "title": GraphQLField(TEXT),
        "author": GraphQLField(TEXT),
    },
)
QUERY = GraphQLObjectType(
    "Query",
    {
        "books": GraphQLField(
            GraphQLNonNull(GraphQLList(GraphQLNonNull(BOOK))),
            resolve=resolve_books,
            description="All books, in the order in which they came.",
        ),
        "book": GraphQLField(
            BOOK,
            args={"id": GraphQLArgument(GraphQLNonNull(GraphQLID))},
            resolve=resolve_book,
        ),
    },
)
MUTATION = GraphQLObjectType(
    "Mutation",
    {
        "add": GraphQLField(
            GraphQLNonNull(BOOK),
            args={"title": GraphQLArgument(TEXT), "author": GraphQLArgument(TEXT)},
            resolve=resolve_add,
        )
    },
)
SUBSCRIPTION = GraphQLObjectType(
    "Subscription",
    {
        "added": GraphQLField(
            GraphQLNonNull(BOOK),
            subscribe=subscribe_added,
            resolve=resolve_added,
            description="Each book that is added from now on.",
        )
    },
)


def make_application() -> Application:
    """Wires the schema to its path."""
    app = Application(info={"shelf": Shelf()})
    add_graphql(app, GraphQLSchema(QUERY, MUTATION, SUBSCRIPTION))
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM, and ends subscriptions before the server."""
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
