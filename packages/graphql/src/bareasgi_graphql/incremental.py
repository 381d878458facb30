"""Results that come in parts, by the directives `@defer` and `@stream`.

graphql-core executes them where the schema declares them. What is added here: its
streams give way to the rest of the program, and when a client leaves, everything that
was begun for it ends, and every source is closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from inspect import iscoroutine
from itertools import islice
from logging import Logger, getLogger
from operator import length_hint
from time import monotonic
from typing import Any, Final, Protocol, Self, TypeAlias, TypeVar, cast

from graphql import (
    ExecutionResult,
    ExperimentalIncrementalExecutionResults,
    GraphQLError,
    InitialIncrementalExecutionResult,
    SubsequentIncrementalExecutionResult,
)
from graphql.execution.executor import StreamUsage
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils import AbortController, AbortError, AbortSignal, Path

from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.hooks import NO_HOOKS, Hooks
from bareasgi_graphql.incremental_formats import IncrementalFormat, writer
from bareasgi_graphql.masking import Masking

logger: Final[Logger] = getLogger(__name__)

# An item passes through some tasks of graphql-core before it is sent, one in each turn
# of the loop. The first one is not to wait for others meanwhile.
_FIRST_ITEMS: Final = 8
_SLICE: Final = 0.001

_Executed: TypeAlias = ExecutionResult | ExperimentalIncrementalExecutionResults
_T = TypeVar("_T")
_Initial: TypeAlias = InitialIncrementalExecutionResult

# graphql-core's own types are not complete.
_handle_stream: Final[Callable[..., bool]] = cast(
    Any, IncrementalExecutor
).handle_stream


class AbortableExecutor(Protocol):
    """What is used of graphql-core's executor."""

    abort_signal: AbortSignal | None

    def execute_operation(self) -> Awaitable[_Executed] | _Executed:
        """Begin to execute."""
        ...

    async def cancel_incremental_work(self) -> None:
        """End what was begun, and close the sources."""
        ...


class PacedExecutor(IncrementalExecutor):
    """An executor for `@defer` and `@stream` that does not hold the event loop.

    Left to itself, graphql-core takes up to a hundred items of a source that never
    waits, such as a list, before it gives the first one. And a source that is cancelled
    by something in it leaves its readers waiting for good.
    """

    def handle_stream(
        self,
        index: int,
        path: Path,
        iterator: Any,
        is_async: bool,  # noqa: FBT001 - the signature is graphql-core's
        stream_usage: StreamUsage,
        info: Any,
        item_type: Any,
    ) -> bool:
        """Stream what is left of a list."""
        return _handle_stream(
            self,
            index,
            path,
            _Paced(iterator, is_async=is_async),
            is_async=True,
            stream_usage=stream_usage,
            info=info,
            item_type=item_type,
        )

    async def with_abort_signal(self, awaitable: Awaitable[_T]) -> _T:
        """Wait for what a resolver gave."""
        return await _not_cancelled(awaitable)


async def execute_incrementally(
    executor: AbortableExecutor,
    masking: Masking,
    form: IncrementalFormat,
    hooks: Hooks = NO_HOOKS,
    *,
    query_timeout: float | None = None,
) -> "ExecutionResult | Payloads":
    """Execute an operation, up to where there is something for the client.

    That is the whole result if nothing was deferred or streamed, and otherwise the
    first of several payloads; whoever gets these closes them.

    `query_timeout` is how many seconds the first result may take, and then each further
    payload. Raises TimeoutError for the first. When this is cancelled, or raises
    anything, every source is closed.
    """
    try:
        async with asyncio.timeout(query_timeout):
            executed = await _first_result(executor)
    except BaseException:
        await executor.cancel_incremental_work()
        raise
    if isinstance(executed, ExecutionResult):
        return executed
    return Payloads(
        executed, executor, masking, form, hooks, query_timeout=query_timeout
    )


class Payloads:
    """An incremental result, as payloads that may be written as JSON.

    An async iterator. The first payload has `data`, and `hasNext` is False in the last
    one, and in no other. To be closed in any case, even if it was never asked for a
    payload: this ends what was begun, and closes all sources, at once.
    """

    def __init__(
        self,
        results: ExperimentalIncrementalExecutionResults,
        executor: AbortableExecutor,
        masking: Masking,
        form: IncrementalFormat,
        hooks: Hooks = NO_HOOKS,
        *,
        query_timeout: float | None = None,
    ) -> None:
        self._hooks = hooks
        self._initial: _Initial | None = results.initial_result
        self._subsequent = results.subsequent_results
        self._executor = executor
        self._masking = masking
        self._writer = writer(form, masking)
        self._timeout = query_timeout
        self._is_begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result:
        if self._initial is not None:
            initial, self._initial = self._initial, None
            payload = self._writer.initial(initial)
            self._hooks.executed(initial.errors)
            return payload
        self._is_begun = True
        with self._hooks:
            return await self._next_payload()

    async def aclose(self) -> None:
        """End everything. To call it again is harmless."""
        self._initial = None
        self._hooks.ended(GeneratorExit())
        if self._is_begun:
            await self._subsequent.aclose()
            return
        # To close a generator that has not begun does nothing. One that finds the
        # operation aborted ends by itself, and closes the sources as it does.
        self._is_begun = True
        controller = AbortController()
        controller.abort()
        self._executor.abort_signal = controller.signal
        with suppress(AbortError):
            await anext(self._subsequent)

    async def _next_payload(self) -> Result:
        while True:
            try:
                async with asyncio.timeout(self._timeout):
                    result = await anext(self._subsequent)
            except TimeoutError:
                return self._late()
            payload = self._writer.subsequent(result)
            if payload is not None:
                self._hooks.executed(_errors(result))
                if not result.has_next:
                    self._hooks.ended()
                return payload

    def _late(self) -> Result:
        error = RequestError(f"The operation took over {self._timeout} seconds")
        self._hooks.ended(error)
        return {"errors": self._masking.formatted(error.errors), "hasNext": False}


def _errors(result: SubsequentIncrementalExecutionResult) -> list[GraphQLError]:
    pieces = (*(result.incremental or ()), *(result.completed or ()))
    return [error for piece in pieces for error in piece.errors or ()]


async def _first_result(executor: AbortableExecutor) -> _Executed:
    executed = executor.execute_operation()
    return await executed if isinstance(executed, Awaitable) else executed


async def _not_cancelled(awaitable: Awaitable[_T]) -> _T:
    """Wait for something. That it was cancelled is an error like others, if we are not.

    graphql-core would take it for its own task's cancellation, and end that silently.
    """
    try:
        return await awaitable
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("what a resolver waited for was cancelled") from error


class _Paced:
    """Iterates over a source, which need not be async, and gives way now and then."""

    def __init__(
        self, source: Iterator[Any] | AsyncIterator[Any], *, is_async: bool
    ) -> None:
        self._source: Any = source
        self._is_async = is_async
        self._given = 0
        self._began = 0.0

    async def __anext__(self) -> object:
        self._given += 1
        if self._given <= _FIRST_ITEMS or monotonic() - self._began > _SLICE:
            await asyncio.sleep(0)
            self._began = monotonic()
        if self._is_async:
            return await _not_cancelled(anext(self._source))
        try:
            return next(self._source)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close the source, if it can be closed."""
        try:
            if not self._is_async:
                _discard(self._source)
            elif hasattr(self._source, "aclose"):
                await self._source.aclose()
        except Exception:
            logger.exception("the source %r failed when it was closed", self._source)


def _discard(source: Any) -> None:
    """Close an iterator, and those coroutines that a list still holds."""
    if hasattr(source, "close"):
        source.close()
    # Of an iterator that does not say how much is left nothing is taken: it may have no
    # end.
    for item in islice(source, length_hint(source)):
        if iscoroutine(item):
            item.close()
