"""The schema that the clients of others are tried with, and its resolvers.

Whatever goes on for some time has a name, which its client chooses: by this it is let
go on, and found again when it should have ended.
"""

import asyncio
import gc
import io
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Final, TypeAlias

from graphql import GraphQLError, GraphQLResolveInfo, build_schema

from bareasgi_graphql import Upload

SCHEMA: Final = build_schema(
    """
    directive @defer(
      label: String, if: Boolean! = true
    ) on FRAGMENT_SPREAD | INLINE_FRAGMENT

    directive @stream(
      label: String, if: Boolean! = true, initialCount: Int = 0
    ) on FIELD

    scalar Upload

    type Query {
      hello(name: String!): String!
      "An error on purpose, beside the rest of the data."
      fails: String
      "Who the client said that it is."
      user: String
      "How many sources with this name are open."
      sources(name: String!): Int!
      "How many temporary files are open."
      files: Int!
      "Its slow fields wait to be let go on, by this name."
      story(name: String!): Story!
      "From 1 to a number, all at once."
      numbers(to: Int!): [Int!]!
    }

    type Story {
      title: String!
      "Waits once."
      ending: String!
      "Waits after each of them."
      words: [String!]!
      "Waits after each of them."
      chapters: [Chapter!]!
      fails: String
    }

    type Chapter {
      number: Int!
      "Waits once."
      text: String!
    }

    type Mutation {
      "The sum of all that was added."
      add(amount: Int!): Int!
      "Let what has this name go on, once."
      release(name: String!): Boolean
      "What was sent, in the same order."
      send(parcel: Parcel!): [File!]!
    }

    input Parcel {
      files: [Upload!]!
    }

    type File {
      name: String
      type: String
      size: Int!
      "The SHA-256, in hex. It waits once, if it is given a name."
      digest(after: String): String!
    }

    type Subscription {
      "From 1 to a number."
      count(to: Int!): Int!
      "One event, and then an error."
      failing: Int!
      "Two events, and then none for ever."
      ticks(name: String!): Int!
      "Who the client said that it is, once."
      welcome: String
    }
    """
)

Context: TypeAlias = dict[str, str | None]
Resolving: TypeAlias = GraphQLResolveInfo[Context]
Event: TypeAlias = dict[str, int | str | None]


class Progress:
    """What goes on in the server, by name."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self._releases: defaultdict[str, asyncio.Semaphore]
        self._releases = defaultdict(lambda: asyncio.Semaphore(0))

    @contextmanager
    def source(self, name: str) -> Generator[None]:
        """Count it for as long as it is open."""
        self.open[name] += 1
        try:
            yield
        finally:
            self.open[name] -= 1

    async def released(self, name: str) -> None:
        """Wait to be let go on."""
        await self._releases[name].acquire()

    def release(self, name: str) -> None:
        self._releases[name].release()


class Chapter:
    def __init__(self, progress: Progress, name: str, number: int) -> None:
        self.number = number
        self._progress = progress
        self._name = name

    async def text(self, info: Resolving) -> str:
        with self._progress.source(self._name):
            await self._progress.released(f"{self._name} {self.number}")
            return f"The text of chapter {self.number}."


class Story:
    title: Final = "A story"

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name

    async def ending(self, info: Resolving) -> str:
        with self._progress.source(self._name):
            await self._progress.released(self._name)
            return "The end."

    async def words(self, info: Resolving) -> AsyncIterator[str]:
        with self._progress.source(self._name):
            for word in ("Once", "upon", "a time"):
                yield word
                await self._progress.released(self._name)

    async def chapters(self, info: Resolving) -> AsyncIterator[Chapter]:
        with self._progress.source(self._name):
            for number in (1, 2):
                yield Chapter(self._progress, self._name, number)
                await self._progress.released(self._name)

    def fails(self, info: Resolving) -> str:
        raise GraphQLError("fails on purpose")


class File:
    def __init__(self, progress: Progress, upload: Upload) -> None:
        self.name = upload.filename
        self.type = upload.content_type
        self.size = upload.size
        self._progress = progress
        self._upload = upload

    async def digest(self, info: Resolving, after: str | None = None) -> str:
        if after is not None:
            with self._progress.source(after):
                await self._progress.released(after)
        digest = sha256()
        async for chunk in self._upload:
            digest.update(chunk)
        return digest.hexdigest()


class Root:
    """The resolvers of the fields of the three root types."""

    def __init__(self) -> None:
        self.total = 0
        self.progress = Progress()

    def hello(self, info: Resolving, name: str) -> str:
        return f"Hello, {name}!"

    def fails(self, info: Resolving) -> str:
        raise GraphQLError("fails on purpose")

    def user(self, info: Resolving) -> str | None:
        return info.context["user"]

    def sources(self, info: Resolving, name: str) -> int:
        return self.progress.open[name]

    def files(self, info: Resolving) -> int:
        return sum(
            type(each) is io.BufferedRandom and not each.closed
            for each in gc.get_objects()
        )

    def story(self, info: Resolving, name: str) -> Story:
        return Story(self.progress, name)

    def numbers(self, info: Resolving, to: int) -> Sequence[int]:
        return range(1, to + 1)

    def add(self, info: Resolving, amount: int) -> int:
        self.total += amount
        return self.total

    def release(self, info: Resolving, name: str) -> None:
        self.progress.release(name)

    def send(self, info: Resolving, parcel: dict[str, list[Upload]]) -> list[File]:
        return [File(self.progress, upload) for upload in parcel["files"]]

    async def count(self, info: Resolving, to: int) -> AsyncIterator[Event]:
        for number in range(1, to + 1):
            yield {"count": number}

    async def failing(self, info: Resolving) -> AsyncIterator[Event]:
        yield {"failing": 1}
        raise GraphQLError("fails on purpose")

    async def ticks(self, info: Resolving, name: str) -> AsyncIterator[Event]:
        with self.progress.source(name):
            yield {"ticks": 1}
            yield {"ticks": 2}
            await asyncio.Event().wait()

    async def welcome(self, info: Resolving) -> AsyncIterator[Event]:
        yield {"welcome": info.context["user"]}
