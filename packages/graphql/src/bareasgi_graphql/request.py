"""What a client asks for: a document, and how to run it.

All transports bring the same parameters (GraphQL over HTTP, section 5.1): in a JSON
object, or in a query string. Here they are checked, whatever brought them.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from bareasgi import Headers
from bareasgi_graphql.errors import RequestError

Loads: TypeAlias = Callable[[str | bytes], Any]
"""Reads JSON, as `json.loads` does. ValueError and RecursionError mean bad JSON."""

Dumps: TypeAlias = Callable[[Any], str | bytes]
"""Writes JSON, as `json.dumps` does."""

_JSON_FIELDS: Final = ("variables", "extensions")
_MAX_FIELDS: Final = 100
# Most servers take 64 KiB at most, and some any number.
_MAX_QUERY_STRING: Final = 1024 * 1024


class GraphQLRequest(NamedTuple):
    """One operation that a client wants to be run.

    Attributes:
        query: the document, None if it is asked for by its id.
        operation_name: which of the document's operations; None if there is but one.
        variables: their values by name, or None.
        extensions: what the client adds to the protocol, or None.
        document_id: the id of a trusted document, or None.
    """

    query: str | None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None


def request_from(value: object) -> GraphQLRequest:
    """Make a request of a value that came as JSON.

    Raises RequestError, which is a 400, for anything but an object with the string
    `query`, the string `operationName` and the objects `variables` and `extensions`.
    All but the first may be null or absent. What else it has is ignored, as the
    specification demands.
    """
    if not isinstance(value, dict):
        raise RequestError("A request must be a JSON object")
    parameters = cast(dict[str, Any], value)
    query = parameters.get("query")
    if query is not None and not isinstance(query, str):
        raise RequestError("The parameter 'query' must be a string with a document")
    document_id = parameters.get("documentId")
    if document_id is not None and not isinstance(document_id, str):
        raise RequestError("The parameter 'documentId' must be a string or null")
    name = parameters.get("operationName")
    if name is not None and not isinstance(name, str):
        raise RequestError("The parameter 'operationName' must be a string or null")
    variables = parameters.get("variables")
    extensions = parameters.get("extensions")
    if variables is not None and not isinstance(variables, dict):
        raise RequestError("The parameter 'variables' must be an object or null")
    if extensions is not None and not isinstance(extensions, dict):
        raise RequestError("The parameter 'extensions' must be an object or null")
    if (
        query is None
        and document_id is None
        and "persistedQuery" not in (extensions or ())
    ):
        raise RequestError("The parameter 'query' must be a string with a document")
    return GraphQLRequest(
        query,
        name or None,
        cast(dict[str, Any] | None, variables),
        cast(dict[str, Any] | None, extensions),
        document_id,
    )


def requests_from(value: object, batch: int) -> GraphQLRequest | list[GraphQLRequest]:
    """Make a request, or those of a list of at most `batch`, of parsed JSON.

    A batch of 0 allows no list at all. Raises RequestError as `request_from` does.
    """
    if batch and isinstance(value, list):
        values = cast(list[object], value)
        if not 0 < len(values) <= batch:
            raise RequestError(f"A batch has from 1 to {batch} operations")
        return [request_from(each) for each in values]
    return request_from(value)


def request_from_query_string(query_string: bytes, loads: Loads) -> GraphQLRequest:
    """Make a request of the parameters of a GET request.

    `variables` and `extensions` are JSON in themselves. A parameter that comes twice is
    a RequestError, and so is whatever `request_from` refuses.
    """
    fields = query_fields(query_string)
    value: dict[str, Any] = {}
    for name, text in fields:
        if name in value:
            raise RequestError(f"The parameter {name!r} was given twice")
        # An empty one is what a form sends for a field that was left empty.
        is_json = name in _JSON_FIELDS and text
        value[name] = parse_json(text, loads) if is_json else text or None
    return request_from(value)


def query_fields(query_string: bytes) -> list[tuple[str, str]]:
    """Take a query string apart, as forms are encoded (WHATWG URL, section 5.1).

    Raises RequestError for one that is not in UTF-8, or too long.
    """
    if len(query_string) > _MAX_QUERY_STRING:
        raise RequestError("The query string is too long: use POST", 414)
    try:
        return parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise RequestError("The query string cannot be decoded") from None


def parse_json(text: str | bytes, loads: Loads) -> Any:
    """Read JSON, and raise RequestError, a 400, for what is none."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        raise RequestError("The request is not valid JSON") from None


def content_type(headers: Headers) -> bytes | None:
    """Give the type of a request's body in lower case, without its parameters.

    None when it is absent, given twice, or in another encoding than UTF-8.
    """
    values = [value for name, value in headers if name == b"content-type"]
    if len(values) != 1:
        return None
    name, _, parameters = values[0].lower().partition(b";")
    for parameter in parameters.split(b";"):
        key, _, charset = parameter.strip(b" \t").partition(b"=")
        if key == b"charset" and charset.strip(b'"') not in (b"utf-8", b"utf8"):
            return None
    return name.strip(b" \t")
