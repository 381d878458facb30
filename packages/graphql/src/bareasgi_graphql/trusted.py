"""Documents that are known before the server starts: those that its own clients send.

They are in a folder, a file for each, or in a manifest that a client's tools or
`python -m bareasgi_graphql documents` wrote. A client sends the id of a document, which
is the SHA-256 of its text unless a manifest has ids of another kind.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    Source,
    SourceLocation,
    parse,
)

from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.persisted import (
    document_hash,
    is_hash,
    persisted_identity,
    same_identity,
)

FORMAT: Final = "apollo-persisted-query-manifest"
VERSION: Final = 1

_KIND: Final = (FORMAT, VERSION)

SUFFIXES: Final = (".gql", ".graphql")


class DocumentsError(ValueError):
    """Documents that cannot be trusted. Its text is one line, and says where it is."""


def load_documents(source: str | PathLike[str]) -> dict[str, Source]:
    """Read documents from a folder, or from a manifest, by their ids.

    In a folder each file `*.graphql` or `*.gql`, below it too, is a document, with at
    least one operation and all fragments that it spreads. Its id is the SHA-256 of the
    file, in lower-case hexadecimal digits. They are in the order of their paths.

    A manifest is a JSON object in UTF-8: Apollo's, with a list `operations` whose items
    have an `id` and a `body`, or one with a document for each id. An id of 64
    hexadecimal digits, with or without `sha256:` before it, has to be the SHA-256 of
    its document. It is given without that prefix, in lower case; any other id as it is.

    The name of a source tells where its document is from. Raises TypeError for what is
    no path, and DocumentsError when nothing can be read, there are no documents, one of
    them is empty or no document, or two have the same id.
    """
    if not isinstance(cast(object, source), (str, PathLike)):
        raise TypeError(f"documents must be the path of a folder or file: {source!r}")
    path = Path(source)
    entries = _in_folder(path) if path.is_dir() else _in_manifest(path)
    documents: dict[str, Source] = {}
    for identity, document in entries:
        earlier = documents.get(identity)
        if earlier is not None:
            raise DocumentsError(f"{document.name}: has the id of {earlier.name}")
        _parsed(document)
        documents[identity] = document
    if not documents:
        raise DocumentsError(f"{path}: there are no documents in it")
    return documents


def trusted_identity(
    documents: Mapping[str, Source],
    query: str | None,
    document_id: str | None,
    extensions: Mapping[str, Any] | None,
) -> str:
    """Give the id of the trusted document that a request asks for.

    It is in the parameter `documentId` (GraphQL over HTTP, appendix on persisted
    documents), or else in Apollo's extension `persistedQuery`. A request may have the
    text of that document besides. Raises RequestError, which is a 400, for any other
    text, and for one without an id: what is not known by its id is not run.
    """
    given = persisted_identity(extensions) if document_id is None else document_id
    if given is None:
        message = "Only trusted documents are run: send the id of one"
        raise _refusal(message, "PERSISTED_QUERY_ID_REQUIRED")
    # Most clients write it as it is kept.
    identity = given if given in documents else same_identity(given)
    document = documents.get(identity)
    # Not Apollo's PersistedQueryNotFound, to which a client sends the whole document.
    if document is None:
        message = "There is no trusted document with this id"
        raise _refusal(message, "PERSISTED_QUERY_NOT_IN_LIST")
    if query is not None and query != document.body:
        raise RequestError("The document is not the one with this id")
    return identity


def manifest(documents: Mapping[str, Source]) -> dict[str, Any]:
    """Make Apollo's manifest of documents, to be written as JSON.

    `name` and `type` are those of a document's first operation; the name is empty if
    the operation has none.
    """
    operations: list[dict[str, str]] = []
    for identity, document in documents.items():
        operation = _operations(parse(document))[0]
        operations.append(
            {
                "id": identity,
                "name": operation.name.value if operation.name is not None else "",
                "type": operation.operation.value,
                "body": document.body,
            }
        )
    return {"format": FORMAT, "version": VERSION, "operations": operations}


def differences(documents: Mapping[str, Source], path: Path) -> list[str]:
    """Tell, in a line for each, how documents differ from those of a manifest.

    Raises DocumentsError when there is no manifest, or it is wrong in itself.
    """
    written = load_documents(path)
    found = [
        f"{document.name}: is not in {path}"
        for identity, document in documents.items()
        if identity not in written
    ]
    found += [
        f"{document.name}: is not in the folder"
        for identity, document in written.items()
        if identity not in documents
    ]
    if not found and _read_json(path) != manifest(documents):
        found.append(f"{path}: has the documents, but is not as it would be written")
    return found


def _refusal(message: str, code: str) -> RequestError:
    return RequestError([GraphQLError(message, extensions={"code": code})])


def _in_folder(folder: Path) -> Iterator[tuple[str, Source]]:
    def refuse(error: OSError) -> NoReturn:
        raise _unreadable(Path(error.filename), error) from error

    paths = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if name.endswith(SUFFIXES)
    ]
    for path in sorted(paths):
        try:
            # As it is: what other programs take for the file's hash is its id.
            text = _read(path).decode()
        except UnicodeDecodeError as error:
            raise DocumentsError(f"{path}: is not in UTF-8: {error}") from error
        yield document_hash(text), Source(text, str(path))


def _in_manifest(path: Path) -> Iterator[tuple[str, Source]]:
    value = _read_json(path)
    if not isinstance(value, dict):
        raise DocumentsError(f"{path}: must be an object with documents by their ids")
    fields = cast(dict[str, object], value)
    pairs: Iterable[tuple[str, object]] = fields.items()
    operations = fields.get("operations")
    if isinstance(operations, list):
        if (fields.get("format", FORMAT), fields.get("version", VERSION)) != _KIND:
            raise DocumentsError(f"{path}: must have format {FORMAT!r}, version 1")
        pairs = _pairs(path, cast(list[object], operations))
    for given, text in pairs:
        name = f"{path}({given})"
        if not given or not isinstance(text, str):
            raise DocumentsError(f"{name}: must have an id, and a string as document")
        identity = same_identity(given)
        if is_hash(identity) and identity != document_hash(text):
            raise DocumentsError(
                f"{name}: the id is not the SHA-256 of the document, which is"
                f" {document_hash(text)}"
            )
        yield identity, Source(text, name)


def _pairs(path: Path, operations: list[object]) -> Iterator[tuple[str, object]]:
    for number, operation in enumerate(operations):
        match operation:
            case {"id": str(identity), "body": str(text)}:
                yield identity, text
            case _:
                raise DocumentsError(
                    f"{path}: operations[{number}] must have the strings 'id' and"
                    " 'body'"
                )


def _parsed(source: Source) -> DocumentNode:
    if not source.body.strip():
        raise DocumentsError(f"{source.name}: is empty")
    try:
        document = parse(source)
    except GraphQLSyntaxError as error:
        line, column = cast(list[SourceLocation], error.locations)[0]
        raise DocumentsError(
            f"{source.name}:{line}:{column}: {error.message}"
        ) from error
    if not _operations(document):
        raise DocumentsError(
            f"{source.name}: has no operation; fragments belong in the documents that"
            " spread them"
        )
    return document


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [
        each
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode)
    ]


def _read_json(path: Path) -> object:
    content = _read(path)
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise DocumentsError(f"{path}: is no manifest: {error}") from error


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"{key!r} is in it twice")
        values[key] = value
    return values


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DocumentsError:
    return DocumentsError(f"{path}: cannot be read: {error.strerror}")
