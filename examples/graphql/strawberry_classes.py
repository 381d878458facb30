"""A library, whose schema is made of the classes of strawberry.

`add_graphql` takes strawberry's schema as it is. A context with a type of its own has
type checkers know what resolvers use.

Run it with `python examples/graphql/strawberry_classes.py` and open http://127.0.0.1:9009/graphql,
where GraphiQL is. Another port is taken from the environment variable PORT.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import strawberry
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bareasgi import Application, Info, RouteMatches, Scope
from bareasgi_graphql import add_graphql


@strawberry.type
class Book:
    """What is lent."""

    id: strawberry.ID
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
        number = strawberry.ID(str(len(self.books) + 1))
        book = Book(id=number, title=title, author=author)
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


@dataclass(frozen=True)
class Context:
    """What resolvers have: as `info.context`."""

    shelf: Shelf


Asked = strawberry.Info[Context, None]


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    def books(self, info: Asked) -> list[Book]:
        """All books, in the order in which they came."""
        return [*info.context.shelf.books.values()]

    @strawberry.field
    async def book(self, info: Asked, id: strawberry.ID) -> Book | None:  # noqa: A002
        """One book, or none. A resolver may be asynchronous."""
        return info.context.shelf.books.get(id)


@strawberry.type
class Mutation:
    """What can be changed."""

    @strawberry.mutation
    def add(self, info: Asked, title: str, author: str) -> Book:
        """A new book."""
        return info.context.shelf.add(title, author)


@strawberry.type
class Subscription:
    """What can be listened to."""

    @strawberry.subscription
    def added(self, info: Asked) -> AsyncGenerator[Book, None]:
        """Each book that is added from now on."""
        return info.context.shelf.added()


def make_application() -> Application:
    """Wires the schema to its path."""
    app = Application(info={"shelf": Shelf()})
    schema = strawberry.Schema(Query, Mutation, Subscription)
    add_graphql(app, schema, context=make_context)
    return app


def make_context(scope: Scope, info: Info, matches: RouteMatches) -> Context:
    """The context of one operation."""
    return Context(info["shelf"])


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
