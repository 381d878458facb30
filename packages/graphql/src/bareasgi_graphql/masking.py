"""What the client may know of an error: nothing, unless it was meant for it."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from logging import Logger, getLogger
from traceback import walk_tb
from typing import Any, Final, TypeAlias, cast

from graphql import GraphQLError

logger: Final[Logger] = getLogger(__name__)

FormatError: TypeAlias = Callable[[GraphQLError], Mapping[str, Any]]
"""Makes of an error what the client is given: `message`, and whatever else."""

MASKED: Final = "Internal Server Error"
"""The message in place of one that was not meant for clients."""

# Where graphql-core runs resolvers, and where it looks at what they give.
_EXECUTION: Final = frozenset(
    {"graphql.execution.executor", "graphql.execution.execute"}
)
_TYPES: Final = "graphql.type."
# Where graphql-core raises an error that a resolver did not raise, but gave.
_GIVEN: Final = frozenset({"complete_value", "assert_event_stream"})
_NO_SOURCE: Final = "Subscription field must return"


class Masking:
    """Formats the errors of a response, and hides those that were not expected."""

    def __init__(
        self, *, mask: bool, format_error: FormatError | None, limit: int | None
    ) -> None:
        self._mask = mask
        self._format: FormatError = format_error or _formatted
        self._limit = limit

    def formatted(self, errors: Iterable[GraphQLError]) -> list[Mapping[str, Any]]:
        """Format errors, up to the limit. What is not meant for clients is logged."""
        return [self._shown(error) for error in islice(errors, self._limit)]

    def _shown(self, error: GraphQLError) -> Mapping[str, Any]:
        cause = unexpected(error)
        if cause is not None:
            logger.error("%r failed", error.path, exc_info=cause)
            if self._mask:
                error = _masked(error)
        return self._format(error)


def unexpected(error: GraphQLError) -> Exception | None:
    """Give what is behind an error that was not meant for clients, or None.

    Meant for them is what was raised as a GraphQLError, and what graphql-core tells of
    the variables that they sent. Not so what it tells of a value that a resolver gave,
    with the value in it.
    """
    cause = error.original_error
    if cause is None:
        return None
    if not isinstance(cause, GraphQLError):
        return cause
    inner = cause.original_error
    if (
        inner is not None
        and not isinstance(inner, GraphQLError)
        and cause.__traceback__ is inner.__traceback__
    ):
        # Nobody raised the cause. It was made of what a scalar raised when it read a
        # variable.
        return inner
    return cause if _is_about_a_result(cause) else None


def _is_about_a_result(error: GraphQLError) -> bool:
    """Tell whether graphql-core did not like what a resolver gave."""
    frames: list[tuple[str, str]] = [
        (frame.f_globals.get("__name__", ""), frame.f_code.co_name)
        for frame, _ in walk_tb(error.__traceback__)
    ]
    if _EXECUTION.isdisjoint(module for module, _ in frames):
        return False
    module, function = frames[-1]
    if module in _EXECUTION:
        return function not in _GIVEN or error.message.startswith(_NO_SOURCE)
    return module.startswith(_TYPES)


def _masked(error: GraphQLError) -> GraphQLError:
    return GraphQLError(MASKED, nodes=error.nodes, source=error.source, path=error.path)


def _formatted(error: GraphQLError) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], error.formatted)
