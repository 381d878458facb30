"""Reads what an HTTP request asks for, from its query string or its body."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from bareasgi import Content, ContentTooLarge, Scope, bytes_reader
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.form_data import announced_length
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.request import (
    GraphQLRequest,
    Loads,
    content_type,
    parse_json,
    request_from_query_string,
    requests_from,
)
from bareasgi_graphql.uploads import has_preflight, read_uploads

SKIPPING_TIME: Final = 5.0
"""Seconds that a client has to send the rest of a form that is refused."""

READING: Final = ("GET", "HEAD")
"""The methods that change nothing (RFC 9110, section 9.2.1)."""


class Reader:
    """Reads requests.

    Attributes:
        max_bytes: of a body, None for any number.
        batch: how many operations a list may have, 0 for no lists.
    """

    def __init__(
        self, limits: Limits, *, uploads: bool, batch: int, loads: Loads
    ) -> None:
        self.max_bytes: int | None = limits.body
        self._limits = limits
        self._uploads = uploads
        self.batch: int = batch
        self._loads = loads

    async def read(
        self, scope: Scope, content: Content
    ) -> GraphQLRequest | list[GraphQLRequest]:
        """Read one request, or a batch.

        Raises RequestError for what cannot be understood, and for what a page of a
        foreign site could send: a browser does not ask us first about a form, as text
        or multipart, nor about a body without a type, but does about JSON (Fetch
        standard, section 3.3.5).
        """
        if scope["method"] in READING:
            return request_from_query_string(scope["query_string"], self._loads)
        media_type = content_type(scope["headers"])
        if media_type not in (b"application/json", b"application/graphql"):
            raise RequestError(
                "The content type must be application/json or application/graphql,"
                " in UTF-8",
                415,
            )
        try:
            body = await bytes_reader(content, max_bytes=self.max_bytes)
            text = body.decode()
        except ContentTooLarge:
            raise RequestError(
                f"The request is longer than {self.max_bytes} bytes", 413
            ) from None
        except UnicodeDecodeError:
            raise RequestError("The request is not in UTF-8") from None
        if media_type == b"application/graphql":
            return GraphQLRequest(text)
        return requests_from(parse_json(text, self._loads), self.batch)

    def takes_files(self, scope: Scope) -> bool:
        """Tell whether a request is a form with files, and may be one."""
        return (
            self._uploads
            and scope["method"] not in READING
            and content_type(scope["headers"]) == b"multipart/form-data"
        )

    @asynccontextmanager
    async def read_files(
        self, scope: Scope, content: Content
    ) -> AsyncGenerator[GraphQLRequest | list[GraphQLRequest], None]:
        """Read a request, or a batch, whose files are there until the block ends.

        Raises RequestError as `read` does, and for a form that a page of a foreign site
        could have sent.
        """
        async with AsyncExitStack() as files:
            try:
                _check_preflight(scope)
                reading = read_uploads(
                    scope,
                    content,
                    max_bytes=self._limits.upload,
                    max_text=self._limits.body,
                    max_files=self._limits.files,
                    loads=self._loads,
                )
                value = await files.enter_async_context(reading)
                request = requests_from(value, self.batch)
            except RequestError:
                await _skip(scope, content, self._limits.upload)
                raise
            yield request

    async def read_one(self, scope: Scope, content: Content) -> GraphQLRequest:
        """Read one request, and raise RequestError for a batch, too."""
        request = await self.read(scope, content)
        if isinstance(request, list):
            raise RequestError("A batch cannot be sent to an event stream")
        return request


def _check_preflight(scope: Scope) -> None:
    if not has_preflight(scope["headers"]):
        raise RequestError(
            "A form must have the header graphql-require-preflight, and not empty"
        )


async def _skip(scope: Scope, content: Content, max_bytes: int | None) -> None:
    """Throw away what is left of a form, as far as it might have been read anyway.

    Servers close the connection to a client that is still sending, which then does not
    see what the answer was. A client that means to send more than that is told at once:
    it may be waiting for leave to send (RFC 9110, section 10.1.1).
    """
    if max_bytes is not None and announced_length(scope["headers"]) > max_bytes:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(SKIPPING_TIME):
            async for chunk in content:
                if max_bytes is not None:
                    max_bytes -= len(chunk)
                    if max_bytes < 0:
                        break
