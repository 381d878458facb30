"""Loads for resolvers, of which each asks for one thing, what they ask for together.

A list of 1,000 books whose authors are looked up one by one is 1,001 questions to a
database. With a loader each resolver still asks for one author, and it is two.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from types import TracebackType
from typing import Final, Generic, NamedTuple, TypeVar, cast

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# How long graphql-core takes to ask for the fields of one level, in turns of the loop:
# none if all parents are values, or all are awaited; one for each level above where
# some are; three, where it also watches an abort signal.
_QUIET_TURNS: Final = 3
# Ten levels of the last kind. A loader that is never left in peace goes on, too.
_MAX_TURNS: Final = 30


class _Failure(NamedTuple):
    """Why there is no value, and where that came from.

    Everyone who waits raises the same error, which collects the frames of each.
    """

    error: Exception
    traceback: TracebackType | None


class _Batch(Generic[K, V]):
    """Keys that are loaded together, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.futures: dict[K, list[asyncio.Future[V | _Failure]]] = {}
        self.waiting = 0
        self.task: asyncio.Task[None] | None = None


class DataLoader(Generic[K, V]):
    """Gathers the keys that are asked for at about the same time, and loads them.

    `batch_load` is called with a list in which each key is once, and gives as many
    values in the same order; an Exception in place of a value is raised to those who
    asked for that key. What it raises itself is raised to all. It runs in a copy of the
    context (`contextvars`) of whoever asked first.

    Keys are gathered until none was new in three turns of the event loop, which is what
    graphql-core may need to get from one parent of a level to the next; at most for 30
    turns. With `max_batch_size` there may be several calls for them, which run at the
    same time. None means no such limit.

    With `cache`, a value is kept as long as the loader, and so is the answer of a call
    that is still running for whoever joins. Errors are not kept. Make the loader where
    the context of an operation is made: what one client may see is not kept for
    another, and nothing grows stale. Without `cache`, keys are only gathered.

    It may be made anywhere, and belongs to the event loop in which it is first used;
    another one is a RuntimeError. When nobody waits any more, the call is cancelled.

    Raises TypeError or ValueError for a size that is not a positive int.
    """

    def __init__(
        self,
        batch_load: Callable[[list[K]], Awaitable[Sequence[V | Exception]]],
        *,
        max_batch_size: int | None = None,
        cache: bool = True,
    ) -> None:
        if not callable(cast(object, batch_load)):
            raise TypeError(f"batch_load must be an async function, not {batch_load!r}")
        self._batch_load = batch_load
        self._max_batch_size = _checked(max_batch_size)
        self._has_cache = cache
        self._values: dict[K, V] = {}
        # The batch that a key is in: one that is gathered, or, with a cache, running.
        self._batches: dict[K, _Batch[K, V]] = {}
        self._gathered: list[_Batch[K, V]] = []
        self._has_news = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def load(self, key: K) -> V:
        """Ask for the value of a key, from when it is awaited, or has a task.

        Raises the error that came in place of the value; TypeError when what
        `batch_load` gave is no sequence, and ValueError when it has not one value for
        each key.
        """
        loop = self._running_loop()
        if key in self._values:
            return self._values[key]
        batch = self._batches.get(key)
        if batch is None:
            batch = self._batch(loop)
            batch.futures[key] = []
            self._batches[key] = batch
            self._has_news = True
        future: asyncio.Future[V | _Failure] = loop.create_future()
        batch.futures[key].append(future)
        batch.waiting += 1
        try:
            outcome = await future
        except asyncio.CancelledError:
            self._leave(batch)
            raise
        if isinstance(outcome, _Failure):
            raise outcome.error.with_traceback(outcome.traceback)
        return outcome

    async def load_many(self, keys: Iterable[K]) -> list[V]:
        """Ask for the values of several keys, and give them in their order.

        Raises the first error, and does not wait for the rest then.
        """
        return await asyncio.gather(*[self.load(key) for key in keys])

    def prime(self, key: K, value: V) -> None:
        """Keep a value that came from elsewhere.

        Does nothing when the key has a value, or is asked for already: `clear` it
        first. Nor without a cache.
        """
        if self._has_cache and key not in self._batches:
            self._values.setdefault(key, value)

    def clear(self, key: K) -> None:
        """Forget the value of a key, as after a change; it is loaded when next asked.

        A call that is running still answers those who wait for it, but none after them.
        """
        self._values.pop(key, None)
        batch = self._batches.get(key)
        if batch is not None and batch.task is not None:
            del self._batches[key]

    def clear_all(self) -> None:
        """Forget all values."""
        for key in [*self._values, *self._batches]:
            self.clear(key)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise RuntimeError(
                    "the DataLoader belongs to another event loop: make one for each"
                    " operation, where its context is made"
                )
            self._loop = loop
        return loop

    def _batch(self, loop: asyncio.AbstractEventLoop) -> _Batch[K, V]:
        """Give the batch for one more key."""
        gathered = self._gathered
        if not gathered:
            loop.call_soon(self._turn, loop, 0, 0)
        if not gathered or len(gathered[-1].futures) == self._max_batch_size:
            gathered.append(_Batch())
        return gathered[-1]

    def _turn(self, loop: asyncio.AbstractEventLoop, quiet: int, turns: int) -> None:
        """Once in a turn of the loop, see whether keys are still coming."""
        quiet = 0 if self._has_news else quiet + 1
        self._has_news = False
        if quiet < _QUIET_TURNS and turns < _MAX_TURNS:
            loop.call_soon(self._turn, loop, quiet, turns + 1)
            return
        gathered, self._gathered = self._gathered, []
        for batch in gathered:
            if not self._has_cache or not batch.waiting:
                self._forget(batch)
            if batch.waiting:
                batch.task = loop.create_task(self._load(batch))
                self._tasks.add(batch.task)
                batch.task.add_done_callback(self._tasks.discard)

    async def _load(self, batch: _Batch[K, V]) -> None:
        outcomes: list[V | _Failure]
        try:
            values = await self._batch_load([*batch.futures])
            outcomes = _outcomes(values, len(batch.futures))
        except asyncio.CancelledError as error:
            # Those who wait were not cancelled, and so must not seem to be.
            cause = RuntimeError("batch_load was cancelled")
            cause.__cause__ = error
            outcomes = [_Failure(cause, None)] * len(batch.futures)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait get it
            outcomes = [_Failure(error, error.__traceback__)] * len(batch.futures)
        self._settle(batch, outcomes)

    def _settle(self, batch: _Batch[K, V], outcomes: list[V | _Failure]) -> None:
        pairs = zip(batch.futures.items(), outcomes, strict=True)
        for (key, futures), outcome in pairs:
            if self._batches.get(key) is batch:
                del self._batches[key]
                if not isinstance(outcome, _Failure):
                    self._values[key] = outcome
            for future in futures:
                if not future.done():
                    future.set_result(outcome)

    def _leave(self, batch: _Batch[K, V]) -> None:
        """Wait for a batch no longer."""
        batch.waiting -= 1
        if batch.task is not None and not batch.waiting:
            # Whoever asks now must not be given to what is cancelled.
            self._forget(batch)
            batch.task.cancel()

    def _forget(self, batch: _Batch[K, V]) -> None:
        for key in batch.futures:
            if self._batches.get(key) is batch:
                del self._batches[key]


def _outcomes(values: Sequence[V | Exception], count: int) -> list[V | _Failure]:
    if not isinstance(cast(object, values), Sequence):
        raise TypeError(
            f"batch_load must give a list of values, not {type(values).__name__}"
        )
    if len(values) != count:
        raise ValueError(
            f"batch_load gave {len(values)} values for {count} keys: it must give one"
            " for each key, in their order"
        )
    return [
        _Failure(value, value.__traceback__) if isinstance(value, Exception) else value
        for value in values
    ]


def _checked(size: int | None) -> int | None:
    if size is None:
        return None
    if isinstance(cast(object, size), bool) or not isinstance(cast(object, size), int):
        raise TypeError(f"max_batch_size must be an int, or None: {size!r}")
    if size < 1:
        raise ValueError(f"max_batch_size must be positive, or None: {size}")
    return size
