"""A library, whose schema is a text for graphql-core.

`root_value` has a method for each field at the root. What `added` gives is a root too,
for the event: its field of that name is the book.

Run it with `python examples/graphql/core_sdl.py` and open http://127.0.0.1:9009/graphql,
where GraphiQL is. Another port is taken from the environment variable PORT.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from graphql import GraphQLResolveInfo, build_schema
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import Application, Info
from bareasgi_graphql import add_graphql

SDL = """
type Query {
  "All books, in the order in which they came."
  books: [Book!]!
  book(id: ID!): Book
}

type Mutation {
  add(title: String!, author: String!): Book!
}

type Subscription {
  "Each book that is added from now on."
  added: Book!
}

type Book {
  id: ID!
  title: String!
  author: String!
}
"""


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


class Library:
    """The root: what can be read, changed and listened to."""

    def __init__(self) -> None:
        self._shelf = Shelf()

    def books(self, info: GraphQLResolveInfo[Info]) -> list[Book]:
        """All books."""
        return [*self._shelf.books.values()]

    async def book(self, info: GraphQLResolveInfo[Info], id: str) -> Book | None:  # noqa: A002
        """One book, or none. A method may be asynchronous."""
        return self._shelf.books.get(id)

    def add(self, info: GraphQLResolveInfo[Info], title: str, author: str) -> Book:
        """A new book."""
        return self._shelf.add(title, author)

    async def added(
        self, info: GraphQLResolveInfo[Info]
    ) -> AsyncGenerator[dict[str, Book], None]:
        """Each new book."""
        async with aclosing(self._shelf.added()) as books:
            async for book in books:
                yield {"added": book}


def make_application() -> Application:
    """Wires the schema to its path."""
    app = Application()
    add_graphql(app, build_schema(SDL), root_value=Library())
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
