"""What is used of graphql-core's executors, whose own types are not complete."""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from graphql import ExecutionResult, GraphQLError, execution

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

create_source: Final[
    Callable[[Executor], MaybeAwaitable[AsyncIterable[object] | ExecutionResult]]
] = cast(Any, execution).create_source_event_stream
"""Asks a resolver for the events of a subscription."""

execute_event: Final[Callable[[Executor], MaybeAwaitable[ExecutionResult]]] = cast(
    Any, execution
).execute_subscription_event
"""Runs a subscription for one event."""
