"""Tells code of the application what operations go through, to measure and trace them.

The engine has the hooks of an operation from its request to its end. They only listen:
whatever they do, the client is answered as without them.
"""

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Sequence
from inspect import iscoroutinefunction
from logging import Logger, getLogger
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias, cast

from graphql import DocumentNode, GraphQLError

from bareasgi import Info, Scope
from bareasgi_graphql.documents import Kind
from bareasgi_graphql.request import GraphQLRequest

logger: Final[Logger] = getLogger(__name__)

_METHODS: Final = ("started", "parsed", "validated", "executed", "ended")


class Hook(Protocol):
    """Is told what one operation goes through, from its request to its end.

    Derive from it, and override what you need; the others do nothing. One is made for
    each operation, also for each of a batch, so it may keep what it was told. Requests
    that have no operation in them, such as bad JSON, have no hook.

    The methods are called in the order below, from the event loop, which waits for
    them: they must be quick, and are not async. What they raise is logged, and makes no
    difference to the client. Nor may they change what they are given.
    """

    def started(self, scope: Scope, info: Info, request: GraphQLRequest) -> None:
        """There is an operation. Nothing but its shape was checked yet."""

    def parsed(self, document: DocumentNode) -> None:
        """The document was parsed: not one that was known already, or is trusted."""

    def validated(self, name: str | None, kind: Kind) -> None:
        """The document is valid, and has the operation; or both were known already.

        `name` is that of the operation in its document, None if it has none there. The
        client has chosen it, and may choose another one each time.
        """

    def executed(self, errors: Sequence[GraphQLError]) -> None:
        """There is a result: the only one, that of an event, or one part of several.

        `errors` are those of its fields, before they are masked: the `original_error`
        is what a resolver raised.
        """

    def ended(self, error: BaseException | None) -> None:
        """Nothing more comes of the operation. This is called for each, and once.

        Without an `error` it came to its end, whatever errors its fields had. With an
        Exception it was refused, or failed: most often that is a RequestError, whose
        `errors` the client is told. With any other, `asyncio.CancelledError` or
        `GeneratorExit`, it was stopped: its client left, or did not want it any more.
        """


MakeHook: TypeAlias = Callable[[], Hook]
"""Makes the hook of one operation: a class of hooks, or any function."""


class Hooks:
    """The hooks of one operation.

    As a context manager it ends the operation if the block raises. One that nobody runs
    to its end, as when a response is never sent, ends when it is dropped.
    """

    __slots__ = ("_hooks",)

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = hooks

    def started(self, scope: Scope, info: Info, request: GraphQLRequest) -> None:
        """Tell that there is an operation."""
        self._tell(lambda hook: hook.started(scope, info, request))

    def parsed(self, document: DocumentNode) -> None:
        """Tell that its document was parsed."""
        self._tell(lambda hook: hook.parsed(document))

    def validated(self, name: str | None, kind: Kind) -> None:
        """Tell that it can be run."""
        self._tell(lambda hook: hook.validated(name, kind))

    def executed(self, errors: Sequence[GraphQLError] | None) -> None:
        """Tell that there is a result of it, or a part of one."""
        if self._hooks:
            self._tell(lambda hook: hook.executed(errors or ()))

    def ended(self, error: BaseException | None = None) -> None:
        """Tell that it ended. Only the first call counts."""
        if self._hooks:
            self._tell(lambda hook: hook.ended(error))
            self._hooks = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.ended(error)

    def __del__(self) -> None:
        self.ended(GeneratorExit())

    def _tell(self, call: Callable[[Hook], None]) -> None:
        for hook in self._hooks:
            try:
                call(hook)
            except (Exception, CancelledError):
                # What is cancelled is something that the hook looked at. Nothing here
                # waits, so it cannot be the task.
                logger.exception("the hook %s failed", type(hook).__qualname__)


NO_HOOKS: Final = Hooks(())
"""For operations that nobody wants to hear of."""


def start(
    makers: Iterable[MakeHook], scope: Scope, info: Info, request: GraphQLRequest
) -> Hooks:
    """Make the hooks of an operation, and tell them that it is there."""
    made: list[Hook] = []
    for make in makers:
        try:
            made.append(make())
        except (Exception, CancelledError):
            logger.exception("no hook was made by %r", make)
    hooks = Hooks(made)
    hooks.started(scope, info, request)
    return hooks


def checked(hooks: Iterable[MakeHook]) -> tuple[MakeHook, ...]:
    """Give what makes hooks, if it can.

    Raises TypeError for a single one, for a hook in place of what makes it, and for
    what is async.
    """
    if not isinstance(cast(object, hooks), Iterable):
        raise TypeError(f"hooks must be a list of them: write hooks=[{_name(hooks)}]")
    makers = tuple(hooks)
    for make in makers:
        if not callable(cast(object, make)):
            raise TypeError(
                "each operation has a hook of its own: give a class of hooks, or a"
                f" function that makes one, not {make!r}"
            )
        functions = [make, *(getattr(make, name, None) for name in _METHODS)]
        if any(map(iscoroutinefunction, functions)):
            raise TypeError(f"nobody would wait for an async hook: {_name(make)}")
    return makers


def _name(hook: object) -> str:
    return getattr(hook, "__qualname__", repr(hook))
