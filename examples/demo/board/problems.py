"""What clients are told when something is wrong, whoever found it."""

from collections.abc import Mapping
from http import HTTPStatus
from logging import getLogger
from typing import Final

from bareasgi import (
    Content,
    FullHttpResponse,
    HttpError,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    error_response,
    json_response,
    text_reader,
)
from board.store import StoreError

logger = getLogger(__name__)

PREFIX: Final = "/api/"
PROBLEM: Final = b"application/problem+json"


def problem(
    status: int, detail: str, fields: Mapping[str, str] | None = None
) -> FullHttpResponse:
    """Make the details of a problem (RFC 9457): in general, and for single fields."""
    told: dict[str, object] = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if fields:
        told["errors"] = [
            {"field": name, "message": text} for name, text in fields.items()
        ]
    return json_response(status, None, told, content_type=PROBLEM)


async def problems_middleware(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    """Turn each plain error under /api, those of the framework too, into a problem."""
    if not scope["path"].startswith(PREFIX):
        return await handler(scope, info, matches, content)
    try:
        response = await handler(scope, info, matches, content)
    except Exception as error:  # noqa: BLE001 - error_response logs what it has to
        response = error_response(error, scope)
    status, headers, body, pushes = response
    if status < HTTPStatus.BAD_REQUEST or (b"content-type", PROBLEM) in headers:
        return response
    detail = "" if body is None else await text_reader(body)
    _, told, body, _ = problem(status, detail)
    replaced = {b"content-type", b"content-length"}
    kept = [field for field in headers if field[0] not in replaced]
    return status, [*kept, *told], body, pushes


async def unavailable_middleware(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    """Answer 503 while the database is away, since it comes back."""
    try:
        return await handler(scope, info, matches, content)
    except StoreError as error:
        cause = error.__cause__ or error
        logger.warning("%s %r: %r", scope["method"], scope["path"], cause)
        raise HttpError(503, str(error), [(b"retry-after", b"1")]) from error
