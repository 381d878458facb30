"""Documents that clients send once, and refer to by their hash from then on.

This is Apollo's convention of automatic persisted queries: a request has the SHA-256 of
its document as the extension `persistedQuery`. The document itself comes only after we
said that we do not know it, and is kept. Any client may have any document kept, so it
saves bytes and nothing else.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from sys import getsizeof
from typing import Any, Final, cast

from graphql import GraphQLError

from bareasgi import Headers
from bareasgi_graphql.errors import RequestError

MAX_BYTES: Final = 16 * 1024 * 1024
"""How much memory the texts that are kept may take together."""

_VERSION: Final = 1
_SHA256: Final = re.compile("[0-9a-f]{64}")

# The answer to the same request will soon be another one, also to a GET.
_NOT_TO_KEEP: Final[Headers] = [(b"cache-control", b"no-store")]


class PersistedQueries:
    """Keeps the documents that were used last, by their hash.

    `size` is how many there may be, 0 for none: then only a document in full is
    understood. All of them together take at most `max_bytes` of memory; a single one
    that is larger is not kept.
    """

    def __init__(self, size: int, *, max_bytes: int = MAX_BYTES) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0
        # With what each takes, which Python may change while it is kept.
        self._texts: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def text(self, query: str | None, extensions: Mapping[str, Any] | None) -> str:
        """Find the document of a request, and keep one that came with its hash.

        `query` is the document that the request has, None if it has none. Raises
        RequestError when there is none at all, and when the extension is not as it has
        to be or the hash is another document's, which are 400; and as Apollo's clients
        know them, by message and by code in the extensions of the error:
        `PersistedQueryNotFound` for a hash that is not known, which the client answers
        with the document, and `PersistedQueryNotSupported`, whereupon it sends no more
        hashes.
        """
        given = persisted_identity(extensions) if self._size or query is None else None
        if given is None:
            if query is None:
                raise RequestError("The parameter 'query' must be a string")
            return query
        if not self._size:
            raise _known_error(
                "PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED"
            )
        identity = same_identity(given)
        if not is_hash(identity):
            raise RequestError("The 'sha256Hash' must have 64 hexadecimal digits")
        if query is not None:
            if document_hash(query) != identity:
                raise RequestError("provided sha does not match query")
            self._keep(identity, query)
            return query
        kept = self._texts.get(identity)
        if kept is None:
            raise _known_error("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
        self._texts.move_to_end(identity)
        return kept[0]

    def _keep(self, identity: str, text: str) -> None:
        if identity in self._texts:
            self._texts.move_to_end(identity)
            return
        size = getsizeof(text)
        if size > self._max_bytes:
            return
        self._texts[identity] = text, size
        self._bytes += size
        while len(self._texts) > self._size or self._bytes > self._max_bytes:
            _, (_, freed) = self._texts.popitem(last=False)
            self._bytes -= freed


def persisted_identity(extensions: Mapping[str, Any] | None) -> str | None:
    """Give the id by which a request refers to its document, as it is written.

    None when it has no extension `persistedQuery`, or null. Raises RequestError, which
    is a 400, for anything but an object with `version` 1 and the string `sha256Hash`.
    What a client took from a manifest need not be a hash, whatever the name says.
    """
    value: object = extensions.get("persistedQuery") if extensions else None
    if value is None:
        return None
    if not isinstance(value, dict):
        raise RequestError("The extension 'persistedQuery' must be an object")
    fields = cast(dict[str, Any], value)
    version = fields.get("version")
    if isinstance(version, bool) or version != _VERSION:
        raise RequestError("Unsupported persisted query version: it must be 1")
    identity = fields.get("sha256Hash")
    if not isinstance(identity, str):
        raise RequestError("The 'sha256Hash' of a persisted query must be a string")
    return identity


def same_identity(identity: str) -> str:
    """Give an id as it is kept and looked up: a SHA-256 in lower case, without prefix.

    The prefix `sha256:` is that of a `documentId` (GraphQL over HTTP, appendix on
    persisted documents). Any other id stays as it is.
    """
    digits = identity.removeprefix("sha256:").lower()
    return digits if is_hash(digits) else identity


def is_hash(identity: str) -> bool:
    """Tell whether an id, as `same_identity` gives it, is a SHA-256."""
    return _SHA256.fullmatch(identity) is not None


def document_hash(text: str) -> str:
    """Give the SHA-256 of a document in UTF-8, in lower-case hexadecimal digits."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _known_error(message: str, code: str) -> RequestError:
    error = GraphQLError(message, extensions={"code": code})
    return RequestError([error], None, headers=_NOT_TO_KEEP)
