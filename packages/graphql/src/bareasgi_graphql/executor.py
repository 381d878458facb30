"""What is used of graphql-core's executors, whose own types are not complete."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Sequence,
)
from contextlib import asynccontextmanager
from inspect import isawaitable
from logging import Logger, getLogger
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    MiddlewareManager,
    execution,
)

from bareasgi_graphql.documents import max_errors
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.request import GraphQLRequest

logger: Final[Logger] = getLogger(__name__)

# As graphql-core says it, where it finds out by itself.
_TOO_DEEP: Final = "Variable values are nested too deeply."

_T = TypeVar("_T")
MaybeAwaitable: TypeAlias = Awaitable[_T] | _T


class Executor(Protocol):
    """Runs one operation, with its variables and its context.

    It leaves `@defer` and `@stream` out of account.
    """

    def execute_operation(self) -> MaybeAwaitable[ExecutionResult]:
        """Run it."""
        ...

    def build_per_event_executor(self, payload: object) -> "Executor":
        """Get ready to run it for an event of its source."""
        ...


class _SubscriptionExecutor(execution.Executor[object]):
    """Collects the fields of a subscription once, and not again for each event.

    What is collected depends on the document and the variables alone. graphql-core
    keeps it for each event until the subscription ends, and never finds it again: a
    subscription that lives for ever would need ever more memory.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        cast(Any, super()).__init__(*arguments, **options)
        # The executors for the events are copies of this one, and share it.
        self._root_fields: list[Any] = []

    def execute_collected_root_fields(
        self,
        root_type: Any,
        root_value: Any,
        grouped_field_set: Any,
        serially: Any,
        new_defer_usages: Any,
    ) -> Any:
        if not self._root_fields:
            self._root_fields.append(grouped_field_set)
        return super().execute_collected_root_fields(
            root_type, root_value, self._root_fields[0], serially, new_defer_usages
        )


Build: TypeAlias = Callable[..., Executor | list[GraphQLError]]
"""Makes an executor, or tells why there is none."""

build: Final[Build] = cast(Any, execution.Executor).build
"""For a query or a mutation."""

build_for_events: Final[Build] = cast(Any, _SubscriptionExecutor).build
"""For a subscription."""

_create_source: Final[
    Callable[[Executor], MaybeAwaitable[AsyncIterable[object] | ExecutionResult]]
] = cast(Any, execution).create_source_event_stream

execute_event: Final[Callable[[Executor], MaybeAwaitable[ExecutionResult]]] = cast(
    Any, execution
).execute_subscription_event
"""Runs a subscription for one event."""


class Executors:
    """Makes executors for the operations of a schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        root_value: object,
        middleware: Sequence[Callable[..., Any]] | MiddlewareManager | None,
        limits: Limits,
        *,
        introspection: bool,
    ) -> None:
        if middleware is not None and not isinstance(middleware, MiddlewareManager):
            middleware = MiddlewareManager(*middleware)
        self._schema = schema
        self._root_value = root_value
        self._middleware = middleware
        self._max_errors = max_errors(limits)
        self._hide_suggestions = not introspection

    def prepare(
        self,
        make: Build,
        document: DocumentNode,
        request: GraphQLRequest,
        context: object,
    ) -> Executor:
        """Get ready to run. Raises RequestError for variables that do not fit."""
        executor = make(
            self._schema,
            document,
            self._root_value,
            context,
            request.variables,
            request.operation_name,
            middleware=self._middleware,
            max_coercion_errors=self._max_errors,
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(executor, list):
            if any(error.message == _TOO_DEEP for error in executor):
                raise RequestError(_TOO_DEEP)
            raise RequestError(executor, None, is_invalid=True)
        return executor


@asynccontextmanager
async def source_of(executor: Executor) -> AsyncGenerator[AsyncIterator[Any]]:
    """Open the source of a subscription, and close it at the end of the block.

    Raises RequestError when the resolver has no source to give.
    """
    source = _create_source(executor)
    if isawaitable(source):
        source = await source
    if isinstance(source, ExecutionResult):
        raise RequestError(source.errors or ())
    events = aiter(source)
    try:
        yield events
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            try:
                await close()
            except Exception:
                logger.exception("the source %r failed when it was closed", events)
