"""The documents that clients sent, parsed and validated once for each text."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from sys import maxsize
from typing import Final, Literal, NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    Source,
    SourceLocation,
    parse,
    specified_rules,
    validate,
)

from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.limits import TOO_DEEP, Limits, parse_bounded
from bareasgi_graphql.persisted import PersistedQueries
from bareasgi_graphql.request import GraphQLRequest
from bareasgi_graphql.trusted import DocumentsError, trusted_identity

Kind = Literal["query", "mutation", "subscription"]
"""What an operation does."""

OnParsed: TypeAlias = Callable[[DocumentNode], None]
"""Is called with a document that was parsed, and may still not be valid."""


MAX_LENGTH: Final = 512 * 1024
"""Characters of all documents that are kept: a tree takes up to 200 bytes for each."""


class Document(NamedTuple):
    """A valid document.

    Attributes:
        node: its syntax tree.
        operations: what its operations do, by name; None for the one without.
    """

    node: DocumentNode
    operations: Mapping[str | None, Kind]

    def kind(self, name: str | None) -> Kind:
        """Tell what an operation does. Without a name it is the only one.

        Raises RequestError when there is no such operation.
        """
        operations = self.operations
        if name is None and len(operations) == 1:
            return next(iter(operations.values()))
        if name in operations:
            return operations[name]
        if name is not None:
            reason = f"The document has no operation named {name!r}"
        elif operations:
            reason = "The document has several operations: give the name of one"
        else:
            reason = "The document has no operation"
        raise RequestError(reason, None, is_invalid=True)


def max_errors(limits: Limits) -> int:
    """Give the limit as graphql-core has it, whose own default is another."""
    return maxsize if limits.errors is None else limits.errors


class Documents:
    """Makes documents of texts, and keeps those used last.

    Only valid ones are kept, `size` of them and no more than MAX_LENGTH characters in
    all. All transports share them.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        introspection: bool,
        size: int,
        persisted: int = 0,
        trusted: Mapping[str, Source] | None = None,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._hide_suggestions = not introspection
        self._rules = list(specified_rules)
        if not introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._size = size
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._kept_length = 0
        self._persisted = PersistedQueries(persisted)
        self._sources = trusted
        self._trusted = {
            identity: self._trust(source)
            for identity, source in (trusted or {}).items()
        }

    def find(self, request: GraphQLRequest, parsed: OnParsed | None = None) -> Document:
        """Find the document of a request, which may have but its id.

        Raises RequestError as `get` does, and when there is no document with the id.
        With trusted documents there are no others.
        """
        query, extensions = request.query, request.extensions
        if self._sources is None:
            return self.get(self._persisted.text(query, extensions), parsed)
        identity = trusted_identity(
            self._sources, query, request.document_id, extensions
        )
        return self._trusted[identity]

    def get(self, text: str, parsed: OnParsed | None = None) -> Document:
        """Parse and validate a document, unless it is known.

        `parsed` is called in between, with its syntax tree.

        Raises RequestError for one that is over a limit, or is not valid.
        """
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        try:
            document = self._make(text, parsed)
        except RecursionError:
            document = None
        if document is None:
            # Outside of the handler, for the error would keep every frame alive.
            raise RequestError(TOO_DEEP)
        self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        self._kept[text] = document
        self._kept_length += len(text)
        while len(self._kept) > self._size or self._kept_length > MAX_LENGTH:
            oldest, _ = self._kept.popitem(last=False)
            self._kept_length -= len(oldest)

    def _trust(self, source: Source) -> Document:
        """Parse and validate a document of our own, which no limit holds for."""
        try:
            return self._validated(parse(source))
        except RequestError as refused:
            error = refused.errors[0]
            line, column = (error.locations or [SourceLocation(1, 1)])[0]
            raise DocumentsError(
                f"{source.name}:{line}:{column}: {error.message}"
            ) from refused

    def _make(self, text: str, parsed: OnParsed | None) -> Document:
        try:
            node = parse_bounded(text, self._limits)
        except GraphQLSyntaxError as error:
            raise RequestError([error.with_traceback(None)], None) from None
        if parsed is not None:
            parsed(node)
        return self._validated(node)

    def _validated(self, node: DocumentNode) -> Document:
        errors = validate(
            self._schema,
            node,
            self._rules,
            max_errors(self._limits),
            hide_suggestions=self._hide_suggestions,
        )
        operations: dict[str | None, Kind] = {}
        for each in node.definitions:
            if isinstance(each, OperationDefinitionNode):
                name = each.name.value if each.name is not None else None
                operations[name] = each.operation.value
                if self._schema.get_root_type(each.operation) is None:
                    # What graphql-core says only when it is executed.
                    reason = f"The schema has no {each.operation.value}"
                    errors.append(GraphQLError(reason, each))
        if errors:
            raise RequestError(_without_frames(errors), None, is_invalid=True)
        return Document(node, operations)


def _without_frames(errors: list[GraphQLError]) -> list[GraphQLError]:
    return [error.with_traceback(None) for error in errors]
