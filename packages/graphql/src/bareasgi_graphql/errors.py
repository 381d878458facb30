"""Requests that are refused before anything of them runs."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from graphql import GraphQLError

from bareasgi import Headers

Result: TypeAlias = dict[str, Any]
"""A response of GraphQL, ready to be written as JSON: data, errors and extensions.

Without the key `data` it is a request error: nothing was executed (GraphQL, section
7.1).
"""

BAD_REQUEST: Final = 400


class RequestError(Exception):
    """A request that cannot be run, and why.

    Attributes:
        errors: what the client is told.
        status: the status over HTTP. None for a well-formed request whose operation
            cannot be run, where it depends on the type of the response.
        is_invalid: whether the document could be parsed, and is wrong otherwise.
        headers: what the response has besides its content type.
    """

    def __init__(
        self,
        errors: str | Sequence[GraphQLError],
        status: int | None = BAD_REQUEST,
        *,
        is_invalid: bool = False,
        headers: Headers = (),
    ) -> None:
        if isinstance(errors, str):
            errors = [GraphQLError(errors)]
        super().__init__("; ".join(error.message for error in errors))
        self.errors: Sequence[GraphQLError] = errors
        self.status: int | None = status
        self.is_invalid: bool = is_invalid
        self.headers: Headers = headers
