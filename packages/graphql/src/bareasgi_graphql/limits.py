"""How much a client may ask for.

What a document costs is counted on its syntax tree, before it is validated, which may
itself be made expensive. A fragment counts each time that it is spread.
"""

from dataclasses import dataclass, fields
from typing import Final, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from bareasgi_graphql.errors import RequestError

MIB: Final = 1024 * 1024

# Their fields are the schema's own, and not deep (graphql-core bounds their lists).
_INTROSPECTION: Final = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a server, each of which is on. None lifts one.

    Attributes:
        body: bytes of a request's body, 1 MiB.
        upload: bytes of a request's body with files, 16 MiB.
        files: of such a request, 20.
        document: bytes of a document in UTF-8, 64 KiB.
        tokens: of a document, comments among them, 1,000.
        depth: of fields within fields, 10: `{ a { b } }` has 2. What is below
            `__schema` and `__type` is not counted.
        aliases: of an operation, 15.
        root_fields: of an operation, 20.
        directives: of an operation, 50.
        fragments: that a document defines, 50.
        errors: of a response, 100; there are no more in it.
        subscriptions: live operations of one WebSocket or event stream, 100.
        message: bytes of a WebSocket's message, 1 MiB.
        init_timeout: seconds that a client has to send `connection_init`, 3.
        query_timeout: seconds that a query or mutation may take, 30.
        reservations: event streams that were reserved and not yet opened, 100.

    Raises TypeError for an unknown limit or a value that is no number, and ValueError
    for one that is not positive. `aliases`, `directives` and `fragments` may be 0.
    """

    body: int | None = MIB
    upload: int | None = 16 * MIB
    files: int | None = 20
    document: int | None = 64 * 1024
    tokens: int | None = 1_000
    depth: int | None = 10
    aliases: int | None = 15
    root_fields: int | None = 20
    directives: int | None = 50
    fragments: int | None = 50
    errors: int | None = 100
    subscriptions: int | None = 100
    message: int | None = MIB
    init_timeout: float | None = 3.0
    query_timeout: float | None = 30.0
    reservations: int | None = 100

    def __post_init__(self) -> None:
        for each in fields(self):
            value = cast(object, getattr(self, each.name))
            if value is None:
                continue
            is_time = each.name.endswith("_timeout")
            kinds = (int, float) if is_time else int
            if isinstance(value, bool) or not isinstance(value, kinds):
                kind = "a number of seconds" if is_time else "an int"
                raise TypeError(
                    f"the limit {each.name} must be {kind}, or None for no limit:"
                    f" {value!r}"
                )
            is_enough = value >= 0 if each.name in _MAY_BE_ZERO else value > 0
            if not is_enough:
                raise ValueError(
                    f"the limit {each.name} must be positive, or None for no limit:"
                    f" {value!r}"
                )


_MAY_BE_ZERO: Final = frozenset({"aliases", "directives", "fragments"})


TOO_DEEP: Final = "The document is nested too deeply"


class _Cost(NamedTuple):
    """What a selection set asks for, with all that it spreads."""

    depth: int = 0
    aliases: int = 0
    root_fields: int = 0
    directives: int = 0


def parse_bounded(text: str, limits: Limits) -> DocumentNode:
    """Parse a document.

    Raises RequestError, a 400 whatever the response's type, when it is over a limit,
    and GraphQLSyntaxError when it is no document. RecursionError may pass through.
    """
    if limits.document is not None and (
        len(text) > limits.document
        or len(text.encode(errors="surrogatepass")) > limits.document
    ):
        raise _over(f"is longer than {limits.document} bytes")
    has_many_lines = text.count("\n") + text.count("\r") > _MANY_LINES
    try:
        document = parse(text, max_tokens=limits.tokens, no_location=has_many_lines)
    except GraphQLSyntaxError as error:
        if error.message.endswith(_TOO_MANY_TOKENS):
            raise _over(f"has more than {limits.tokens} tokens") from None
        if error.message.endswith(_TOO_DEEP):
            raise RequestError(TOO_DEEP) from None
        raise
    _check(document, limits)
    return document


# Beyond these errors are told without their place: to find it graphql-core walks over
# all lines, for each of them.
_MANY_LINES: Final = 2_000
_TOO_MANY_TOKENS: Final = "tokens. Parsing aborted."
_TOO_DEEP: Final = "nested too deeply. Parsing aborted."


def _check(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document that asks for too much in any of its operations."""
    fragments: dict[str, FragmentDefinitionNode] = {}
    operations: list[OperationDefinitionNode] = []
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
        elif isinstance(definition, OperationDefinitionNode):
            operations.append(definition)
    count = sum(
        isinstance(each, FragmentDefinitionNode) for each in document.definitions
    )
    _compare("fragments", count, limits)
    known: dict[str, _Cost] = {}
    for operation in operations:
        cost = _cost(operation.selection_set, fragments, known)
        directives = cost.directives + len(operation.directives or ())
        _compare("depth", cost.depth, limits)
        _compare("aliases", cost.aliases, limits)
        _compare("root_fields", cost.root_fields, limits)
        _compare("directives", directives, limits)


def _cost(
    selection_set: SelectionSetNode,
    fragments: dict[str, FragmentDefinitionNode],
    known: dict[str, _Cost],
) -> _Cost:
    """Count what a selection set has, each fragment's once and for all."""
    depth = aliases = root_fields = directives = 0
    for selection in selection_set.selections:
        directives += len(selection.directives or ())
        if isinstance(selection, FieldNode):
            inner = _NOTHING
            if selection.selection_set is not None:
                inner = _cost(selection.selection_set, fragments, known)
            below = 0 if selection.name.value in _INTROSPECTION else inner.depth
            inner = _Cost(1 + below, inner.aliases, 1, inner.directives)
            aliases += selection.alias is not None
        elif isinstance(selection, FragmentSpreadNode):
            inner = _fragment_cost(selection.name.value, fragments, known)
        else:
            inner = _cost(
                cast(InlineFragmentNode, selection).selection_set, fragments, known
            )
        depth = max(depth, inner.depth)
        aliases += inner.aliases
        root_fields += inner.root_fields
        directives += inner.directives
    return _Cost(depth, aliases, root_fields, directives)


def _fragment_cost(
    name: str, fragments: dict[str, FragmentDefinitionNode], known: dict[str, _Cost]
) -> _Cost:
    if name not in known:
        # What spreads itself costs nothing here: it is invalid, and validation says so.
        known[name] = _NOTHING
        if name in fragments:
            known[name] = _cost(fragments[name].selection_set, fragments, known)
    return known[name]


_NOTHING: Final = _Cost()
_WORDS: Final = {
    "fragments": "more than {} fragments",
    "depth": "fields within fields, more than {} deep",
    "aliases": "more than {} aliases",
    "root_fields": "more than {} fields at its root",
    "directives": "more than {} directives",
}


def _compare(name: str, count: int, limits: Limits) -> None:
    limit = cast(int | None, getattr(limits, name))
    if limit is not None and count > limit:
        raise _over("has " + _WORDS[name].format(limit))


def _over(reason: str) -> RequestError:
    return RequestError(f"The document {reason}, which is the limit")
