"""Runs operations: the one way from a request to its result, or results.

Every transport asks for an `Operation` first, which costs nothing but parsing and
validation, and then for its result. graphql-core executes.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from inspect import isawaitable
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
from bareasgi_graphql.documents import Document, Documents, Kind
from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.executor import (
    Build,
    Executor,
    Executors,
    build,
    build_for_events,
    execute_event,
    source_of,
)
from bareasgi_graphql.hooks import NO_HOOKS, Hooks, MakeHook, start
from bareasgi_graphql.incremental import (
    PacedExecutor,
    Payloads,
    execute_incrementally,
)
from bareasgi_graphql.incremental_formats import IncrementalFormat
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.masking import Masking
from bareasgi_graphql.request import GraphQLRequest

_build_incremental: Final[Build] = cast(Any, PacedExecutor).build

MakeContext: TypeAlias = Callable[[Scope, Info, RouteMatches], Any]
"""Makes the context of one operation: `(scope, info, matches)`, sync or async."""


class Operation(NamedTuple):
    """An operation that may be run.

    Attributes:
        request: what the client sent.
        document: what it comes from.
        kind: `query`, `mutation` or `subscription`.
        hooks: what is told of it.
    """

    request: GraphQLRequest
    document: Document
    kind: Kind
    hooks: Hooks = NO_HOOKS

    @property
    def name(self) -> str | None:
        """What it is called in its document. None for one without a name."""
        return self.request.operation_name or next(iter(self.document.operations))


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
        hooks: Sequence[MakeHook] = (),
    ) -> None:
        self.schema: GraphQLSchema = schema
        self.limits: Limits = limits
        self.is_incremental: bool = any(
            schema.get_directive(name) is not None for name in ("defer", "stream")
        )
        self._make_context = context
        self._executors = Executors(
            schema, root_value, middleware, limits, introspection=introspection
        )
        self._masking = masking
        self._hooks = hooks
        self._documents = Documents(
            schema,
            limits,
            introspection=introspection,
            size=cache,
            persisted=persisted,
            trusted=documents,
        )

    def operation(self, request: GraphQLRequest, scope: Scope, info: Info) -> Operation:
        """Find out what a request wants to be run.

        Whoever then refuses it raises that in a block of its hooks. Raises RequestError
        when it cannot be run: the document is over a limit or not valid, or has no such
        operation.
        """
        if not self._hooks:
            document = self._documents.find(request)
            return Operation(request, document, document.kind(request.operation_name))
        with start(self._hooks, scope, info, request) as hooks:
            document = self._documents.find(request, hooks.parsed)
            kind = document.kind(request.operation_name)
            operation = Operation(request, document, kind, hooks)
            hooks.validated(operation.name, kind)
            return operation

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
        try:
            context = await self._context(scope, info, matches)
            executed = self._executor(operation, context, build).execute_operation()
            if not isinstance(executed, ExecutionResult):
                try:
                    async with asyncio.timeout(self.limits.query_timeout):
                        executed = await executed
                except asyncio.CancelledError as error:
                    raise _self_cancelled(error) from error
                except TimeoutError:
                    raise self._too_slow() from None
            return self._ended(operation, executed)
        except BaseException as error:
            operation.hooks.ended(error)
            raise

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
        with operation.hooks as hooks:
            context = await self._context(scope, info, matches)
            executor = self._executor(operation, context, _build_incremental)
            try:
                executed = await execute_incrementally(
                    cast(Any, executor),
                    self._masking,
                    form,
                    hooks,
                    query_timeout=self.limits.query_timeout,
                )
            except asyncio.CancelledError as error:
                raise _self_cancelled(error) from error
            except TimeoutError:
                raise self._too_slow() from None
            if isinstance(executed, Payloads):
                return executed
            return self._ended(operation, executed)

    async def results(
        self, operation: Operation, scope: Scope, info: Info, matches: RouteMatches
    ) -> AsyncGenerator[Result, None]:
        """Run any operation, and give its result, or that of each event.

        Whatever goes wrong is in the last result, which has no `data` when nothing was
        run, or its source failed. Whoever iterates closes it, which closes the source.
        """
        with operation.hooks as hooks:
            try:
                if operation.kind != "subscription":
                    yield await self.result(operation, scope, info, matches)
                    return
                context = await self._context(scope, info, matches)
                executor = self._executor(operation, context, build_for_events)
                async with source_of(executor) as events:
                    async for event in events:
                        executed = execute_event(
                            executor.build_per_event_executor(event)
                        )
                        if not isinstance(executed, ExecutionResult):
                            executed = await executed
                        yield self._formatted(operation, executed)
            except RequestError as error:
                refused = error
            except asyncio.CancelledError as error:
                refused = _self_cancelled(error)
            except Exception as error:  # noqa: BLE001 - whatever it is ends it
                refused = _failure(error)
            else:
                hooks.ended()
                return
            hooks.ended(refused)
            yield self.refusal(refused)

    def _executor(self, operation: Operation, context: object, make: Build) -> Executor:
        document = operation.document.node
        return self._executors.prepare(make, document, operation.request, context)

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

    def _ended(self, operation: Operation, executed: ExecutionResult) -> Result:
        """Give the only result of an operation."""
        result = self._formatted(operation, executed)
        operation.hooks.ended()
        return result

    def _formatted(self, operation: Operation, executed: ExecutionResult) -> Result:
        result: Result = {"data": executed.data}
        if executed.errors:
            result["errors"] = self._masking.formatted(executed.errors)
        operation.hooks.executed(executed.errors)
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
