"""Renders templates as responses: the handle that `add_jinja2` gives."""

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Mapping,
    Sequence,
)
from contextvars import ContextVar
from functools import lru_cache
from inspect import isawaitable
from typing import Any, Final, ParamSpec, TypeAlias, cast

from jinja2 import Environment, Template, TemplateNotFound

from bareasgi import (
    Header,
    Headers,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
    text_writer,
)
from bareasgi_jinja2.blocks import Preambles
from bareasgi_jinja2.decorator import HandlerResult, decorator
from bareasgi_jinja2.errors import TemplateNotFoundError
from bareasgi_jinja2.failures import fail
from bareasgi_jinja2.streaming import body_of

_P = ParamSpec("_P")

Request: TypeAlias = tuple[Scope, Info, RouteMatches]
"""What context processors are told of the request."""

ContextProcessor: TypeAlias = Callable[
    [Scope, Info, RouteMatches], Mapping[str, Any] | Awaitable[Mapping[str, Any]]
]
"""Gives variables that all pages have: `(scope, info, matches)`, sync or async."""

_CONTENT_TYPE: Final = b"content-type"


class Templates:
    """The templates of an application.

    What is rendered has the given variables, before those of the context processors in
    reverse order, before the `shared` ones, before the environment's globals.

    Attributes:
        environment: where the templates come from, as it was given.
        request: the request that the middleware of `add_jinja2` is in, for the context
            processors. Outside of it they do not run.
    """

    environment: Environment
    request: ContextVar[Request | None]

    def __init__(
        self,
        environment: Environment,
        *,
        context_processors: Sequence[ContextProcessor] = (),
        shared: Mapping[str, Any] | None = None,
    ) -> None:
        self.environment = environment
        self.request = ContextVar("bareasgi_jinja2.request", default=None)
        self._processors = tuple(context_processors)
        self._shared = dict(shared or {})
        self._preambles = Preambles()
        for processor in self._processors:
            if not callable(processor):
                raise TypeError(f"a context processor is not callable: {processor!r}")

    def template(
        self, template_name: str, status: int = 200, encoding: str = "utf-8"
    ) -> Callable[
        [Callable[_P, Awaitable[HandlerResult]]], Callable[_P, Awaitable[HttpResponse]]
    ]:
        """Decorate a handler, function or method, that returns a template's variables.

        When it returns an int or a tuple instead, that is the response. Raises
        LookupError for an unknown encoding, and TypeError for what is no handler.
        """

        async def respond(variables: Mapping[str, Any], request: Request) -> Any:
            return await self.render(
                template_name,
                variables,
                status=status,
                encoding=encoding,
                request=request,
            )

        html_headers(encoding)
        return decorator(respond)

    async def render(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Headers | None = None,
        block: str | Sequence[str] | None = None,
        encoding: str = "utf-8",
        request: Request | None = None,
    ) -> HttpResponse:
        """Make the response of a whole page, or of one or several blocks of it.

        It is `text/html` in the encoding, unless the headers, which are copied, have a
        content type. Blocks may be inherited ones and call `super()`. They come in the
        order that was asked for, after the statements outside of blocks that define
        something: `set`, `import`, `macro`. They need the template's source, which not
        every loader has.

        Raises TemplateNotFoundError, BlockNotFoundError, UnicodeEncodeError for what
        the encoding cannot express, and whatever the template raises.
        """
        text = await self.render_string(name, variables, block=block, request=request)
        return status, html_headers(encoding, headers), text_writer(text, encoding)

    async def stream(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Headers | None = None,
        block: str | Sequence[str] | None = None,
        encoding: str = "utf-8",
        request: Request | None = None,
    ) -> HttpResponse:
        """Make a response that is sent while the template runs.

        The page is sent in pieces of 8 to 16 KiB. Less is sent at `</head>`, and, in an
        async environment, whenever the template has to wait. This returns when the
        first piece is there, so what goes wrong before it is raised here; after it
        the response is cut. The template is ended where it is when the reader leaves.

        The arguments, and what is raised, are those of `render`.
        """
        html = html_headers(encoding, headers)
        parts = await self._parts(name, variables, block, request)
        body = body_of(self.environment, parts, encoding)
        whole = await body.begin()
        return status, html, body if whole is None else bytes_writer(whole)

    async def render_string(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        block: str | Sequence[str] | None = None,
        request: Request | None = None,
    ) -> str:
        """Give the text of a page, or of one or several blocks, as `render` does."""
        parts: Any = await self._parts(name, variables, block, request)
        environment = self.environment
        try:
            if environment.is_async:
                return environment.concat([part async for part in parts])
            return environment.concat(parts)
        except Exception as error:  # noqa: BLE001 - it is raised again
            fail(environment, error)

    async def _parts(
        self,
        name: str,
        variables: Mapping[str, Any] | None,
        block: str | Sequence[str] | None,
        request: Request | None,
    ) -> Generator[str, None, None] | AsyncGenerator[str, None]:
        """Give the text in parts, none of which has been made yet."""
        template = self._get(name)
        known = {**self._shared, **(variables or {})}
        if self._processors:
            processed = await self._processed(request)
            known = {**self._shared, **processed, **(variables or {})}
        context = template.new_context(known)
        if block is None:
            # Typed as an iterator for either kind of environment.
            return cast(Generator[str, None, None], template.root_render_func(context))
        blocks = [block] if isinstance(block, str) else block
        if self.environment.is_async:
            return self._preambles.async_parts(template, context, blocks)
        return self._preambles.parts(template, context, blocks)

    def _get(self, name: str) -> Template:
        try:
            return self.environment.get_template(name)
        except TemplateNotFound:
            # Not chained: the loader's message has the name as it is, line ends too.
            raise TemplateNotFoundError(name, self._names()) from None

    def _names(self) -> list[str]:
        try:
            return self.environment.list_templates()
        except TypeError:
            # Not every loader knows what there is.
            return []

    async def _processed(self, request: Request | None) -> Mapping[str, Any]:
        """Give the variables of the context processors, if there is a request."""
        request = request or self.request.get()
        found: dict[str, Any] = {}
        if request is not None:
            for processor in self._processors:
                given: object = processor(*request)
                if isawaitable(given):
                    given = cast(object, await given)
                if not isinstance(given, Mapping):
                    raise TypeError(f"{processor!r} must give a mapping, not {given!r}")
                found.update(cast(Mapping[str, Any], given))
        return found


def html_headers(encoding: str, headers: Headers | None = None) -> Headers:
    """Give the headers with a content type, that of HTML unless they have one.

    Raises LookupError for an unknown encoding.
    """
    html = _html(encoding)
    if not headers:
        return html
    if any(name == _CONTENT_TYPE for name, _ in headers):
        return [*headers]
    return [*html, *headers]


@lru_cache(maxsize=64)
def _html(encoding: str) -> Sequence[Header]:
    # There are codecs that encode no text.
    "".encode(encoding)
    return [(_CONTENT_TYPE, f"text/html; charset={encoding}".encode("ascii"))]
