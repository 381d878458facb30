"""Tells the templates which request they are rendered for, and shows what failed."""

from typing import Final
from urllib.error import HTTPError

from jinja2 import TemplateError

from bareasgi import (
    Content,
    Headers,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    error_response,
    text_writer,
)
from bareasgi_jinja2.debug import debug_page
from bareasgi_jinja2.errors import BlockNotFoundError
from bareasgi_jinja2.failures import places
from bareasgi_jinja2.templates import Templates

_HEADERS: Final[Headers] = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
]


def jinja2_middleware(templates: Templates, *, debug: bool = False) -> HttpMiddleware:
    """Make the middleware that context processors and the debug page need.

    Inside of it, `templates.request` is the request. With `debug`, what a template
    raises and nobody catches is logged, and answered by a page with the line of the
    template. That page is for developers only: it shows source, values and paths.
    """

    async def call(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        token = templates.request.set((scope, info, matches))
        try:
            return await handler(scope, info, matches, content)
        except Exception as error:
            # An HTTPError is a response, wherever it is raised.
            if not debug or isinstance(error, HTTPError) or not _is_ours(error):
                raise
            status, *_ = error_response(error, scope)
            page = debug_page(templates.environment, error)
            return status, _HEADERS, text_writer(page)
        finally:
            templates.request.reset(token)

    return call


def _is_ours(error: Exception) -> bool:
    return bool(places(error)) or isinstance(error, (TemplateError, BlockNotFoundError))
