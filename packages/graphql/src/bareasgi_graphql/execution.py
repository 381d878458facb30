"""Runs operations: the one way from a request to its result, or results.

Every transport asks for an `Operation` first, which costs nothing but parsing and
validation, and then for its result. graphql-core executes.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from inspect import isawaitable
from logging import Logger, getLogger
from typing import Any, Final, NamedTuple, TypeAlias, cast
from urllib.error import HTTPError

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    MiddlewareManager,
    Source,
)

from bareasgi import Info, RouteMatches, Scope
from bareasgi_graphql.documents import Document, Documents, Kind, max_errors
from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.executor import (
    Build,
    Executor,
    build,
    build_for_events,
    create_source,
    execute_event,
)
from bareasgi_graphql.incremental import (
    PacedExecutor,
    Payloads,
    execute_incrementally,
)
from bareasgi_graphql.incremental_formats import IncrementalFormat
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.masking import Masking
from bareasgi_graphql.request import GraphQLRequest

logger: Final[Logger] = getLogger(__name__)

_build_incremental: Final[Build] = cast(Any, PacedExecutor).build

# As graphql-core says it, where it finds out by itself.
_TOO_DEEP: Final = "Variable values are nested too deeply."

MakeContext: TypeAlias = Callable[[Scope, Info, RouteMatches], Any]
"""Makes the context of one operation: `(scope, info, matches)`, sync or async."""


class Operation(NamedTuple):
    """An operation that may be run.

    Attributes:
        request: what the client sent.
        document: what it comes from.
        kind: `query`, `mutation` or `subscription`.
    """

    request: GraphQLRequest
    document: Document
    kind: Kind


class Engine:
    """A schema and how to run it. Shared by all transports.

    Attributes:
        schema: what is run.
        limits: how much clients may ask for.
        is_incremental: whether the schema has answers in parts.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        limits: Limits,
        context: MakeContext | None,
        root_value: object,
        middleware: Sequence[Callable[..., Any]] | MiddlewareManager | None,
        introspection: bool,
        masking: Masking,
        cache: int,
        persisted: int = 0,
        documents: Mapping[str, Source] | None = None,
    ) -> None:
        self.schema: GraphQLSchema = schema
        self.limits: Limits = limits
        self.is_incremental: bool = any(
            schema.get_directive(name) is not None for name in ("defer", "stream")
        )
        self._make_context = context
        self._root_value = root_value
        if middleware is not None and not isinstance(middleware, MiddlewareManager):
            middleware = MiddlewareManager(*middleware)
        self._middleware = middleware
        self._hide_suggestions = not introspection
        self._masking = masking
        self._documents = Documents(
            schema,
            limits,
            introspection=introspection,
            size=cache,
            persisted=persisted,
            trusted=documents,
        )

    def operation(self, request: GraphQLRequest) -> Operation:
        """Find out what a request wants to be run.

        Raises RequestError when it cannot be: the document is over a limit or not
        valid, or has no such operation.
        """
        document = self._documents.find(request)
        kind = document.kind(request.operation_name)
        return Operation(request, document, kind)

    def refusal(self, error: RequestError) -> Result:
        """Give the result of a request that is not run."""
        return {"errors": self._masking.formatted(error.errors)}

    async def result(
        self, operation: Operation, scope: Scope, info: Info, matches: RouteMatches
    ) -> Result:
        """Run a query or a mutation.

        Raises RequestError when it is not run, or not to its end. What the context
        raises passes through: it may be an HttpError, and the response.
        """
        context = await self._context(scope, info, matches)
        executed = self._executor(operation, context).execute_operation()
        if not isinstance(executed, ExecutionResult):
            try:
                async with asyncio.timeout(self.limits.query_timeout):
                    executed = await executed
            except asyncio.CancelledError as error:
                raise _self_cancelled(error) from error
            except TimeoutError:
                raise self._too_slow() from None
        return self._formatted(executed)

    async def result_or_payloads(
        self,
        operation: Operation,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        form: IncrementalFormat,
    ) -> Result | Payloads:
        """Run a query or a mutation, in parts if it asks for that.

        Raises what `result` raises. Whoever gets payloads closes them.
        """
        context = await self._context(scope, info, matches)
        executor = self._executor(operation, context, _build_incremental)
        try:
            executed = await execute_incrementally(
                cast(Any, executor),
                self._masking,
                form,
                query_timeout=self.limits.query_timeout,
            )
        except asyncio.CancelledError as error:
            raise _self_cancelled(error) from error
        except TimeoutError:
            raise self._too_slow() from None
        return executed if isinstance(executed, Payloads) else self._formatted(executed)

    async def results(
        self, operation: Operation, scope: Scope, info: Info, matches: RouteMatches
    ) -> AsyncGenerator[Result, None]:
        """Run any operation, and give its result, or that of each event.

        Whatever goes wrong is in the last result, which has no `data` when nothing was
        run, or its source failed. Whoever iterates closes it, which closes the source.
        """
        try:
            if operation.kind != "subscription":
                yield await self.result(operation, scope, info, matches)
                return
            context = await self._context(scope, info, matches)
            executor = self._executor(operation, context, build_for_events)
            source = create_source(executor)
            if isawaitable(source):
                source = await source
            if isinstance(source, ExecutionResult):
                yield self.refusal(RequestError(source.errors or ()))
                return
            async with _closing(aiter(source)) as events:
                async for event in events:
                    executed = execute_event(executor.build_per_event_executor(event))
                    if not isinstance(executed, ExecutionResult):
                        executed = await executed
                    yield self._formatted(executed)
        except RequestError as error:
            yield self.refusal(error)
        except asyncio.CancelledError as error:
            yield self.refusal(_self_cancelled(error))
        except Exception as error:  # noqa: BLE001 - whatever it is ends the operation
            yield self.refusal(_failure(error))

    def _executor(
        self, operation: Operation, context: object, make: Build = build
    ) -> Executor:
        """Get ready to run. Raises RequestError for variables that do not fit."""
        request = operation.request
        try:
            executor = make(
                self.schema,
                operation.document.node,
                self._root_value,
                context,
                request.variables,
                request.operation_name,
                middleware=self._middleware,
                max_coercion_errors=max_errors(self.limits),
                hide_suggestions=self._hide_suggestions,
            )
        except RecursionError:
            raise RequestError(_TOO_DEEP) from None
        if isinstance(executor, list):
            if any(error.message == _TOO_DEEP for error in executor):
                raise RequestError(_TOO_DEEP)
            raise RequestError(executor, None, is_invalid=True)
        return executor

    async def _context(self, scope: Scope, info: Info, matches: RouteMatches) -> object:
        if self._make_context is None:
            return info
        try:
            context = self._make_context(scope, info, matches)
            return await context if isawaitable(context) else context
        except GraphQLError as error:
            raise RequestError([error]) from None

    def _too_slow(self) -> RequestError:
        return RequestError(
            f"The operation took over {self.limits.query_timeout} seconds"
        )

    def _formatted(self, executed: ExecutionResult) -> Result:
        result: Result = {"data": executed.data}
        if executed.errors:
            result["errors"] = self._masking.formatted(executed.errors)
        return result


def _self_cancelled(error: asyncio.CancelledError) -> RequestError:
    """Say that what a resolver waited for was cancelled, if it was not we ourselves.

    That would else look as if whoever asked had gone.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    return _failure(RuntimeError("what a resolver waited for was cancelled"))


def _failure(error: Exception) -> RequestError:
    """Say why an operation did not come to its end."""
    if isinstance(error, HTTPError) and isinstance(cast(object, error.reason), str):
        return RequestError(error.reason)
    if not isinstance(error, GraphQLError):
        error = GraphQLError(str(error), original_error=error)
    return RequestError([error])


@asynccontextmanager
async def _closing(events: AsyncIterator[Any]) -> AsyncGenerator[AsyncIterator[Any]]:
    """Close a source at the end of the block, if it can be closed."""
    try:
        yield events
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            try:
                await close()
            except Exception:
                logger.exception("the source %r failed when it was closed", events)
