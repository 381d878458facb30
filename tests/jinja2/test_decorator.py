"""Handlers that return a template's variables."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

import pytest
from jinja2 import DictLoader, Environment

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_writer,
)
from bareasgi.testing import http_request
from bareasgi_jinja2 import Templates, add_jinja2, template

SOURCES = {"a.html": "<p>{{ name }}</p>"}
Variables = Mapping[str, Any]


def environment() -> Environment:
    return Environment(loader=DictLoader(SOURCES), autoescape=True)


app = Application()
templates = add_jinja2(app, environment())


@templates.template("a.html")
async def by_handle(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> Variables:
    """Documented."""
    return {"name": "handle"}


@template("a.html", 201, "utf-16")
async def by_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> Variables:
    """Documented."""
    return {"name": "info"}


class Pages:
    def __init__(self, name: str) -> None:
        self.name = name

    @templates.template("a.html")
    async def by_handle(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Variables:
        """Documented."""
        return {"name": self.name}

    @template("a.html", status=201, encoding="utf-16")
    async def by_info(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Variables:
        """Documented."""
        return {"name": self.name}


async def get(handler: Any, application: Application = app) -> tuple[int, str]:
    other = Application(info=application.info)
    other.http_router.add({"GET"}, "/", handler)
    response = await http_request(other, "GET", "/")
    return response.status, response.text


@pytest.mark.parametrize(
    ("handler", "status", "name"),
    [
        pytest.param(by_handle, 200, "handle", id="function, handle"),
        pytest.param(by_info, 201, "info", id="function, info"),
        pytest.param(Pages("method").by_handle, 200, "method", id="method, handle"),
        pytest.param(Pages("method").by_info, 201, "method", id="method, info"),
    ],
)
async def test_the_mapping_is_rendered(handler: Any, status: int, name: str) -> None:
    assert await get(handler) == (status, f"<p>{name}</p>")


async def nothing() -> Any:
    for each in ():
        yield each


ARGUMENTS: dict[str, Any] = {
    "scope": {"type": "http"},
    "info": app.info,
    "matches": {},
    "content": nothing(),
}


@pytest.mark.parametrize("count", range(5))
@pytest.mark.parametrize(
    "handler", [by_handle, by_info, Pages("x").by_handle, Pages("x").by_info]
)
async def test_arguments_may_be_positional_or_by_keyword(
    handler: Any, count: int
) -> None:
    names = list(ARGUMENTS)
    positional = [ARGUMENTS[name] for name in names[:count]]
    keywords = {name: ARGUMENTS[name] for name in names[count:]}
    status, headers, _ = await handler(*positional, **keywords)
    assert status in {200, 201}
    assert headers[0][1].startswith(b"text/html")


async def test_other_names_and_more_arguments_are_fine() -> None:
    seen: list[Any] = []

    async def see(scope: Scope, info: Info, matches: RouteMatches) -> Variables:
        seen.append((scope, info, matches))
        return {}

    def processor(scope: Scope, info: Info, matches: RouteMatches) -> Variables:
        seen.append((scope, info, matches))
        return {}

    handle = Templates(environment(), context_processors=[processor])

    @handle.template("a.html")
    async def named(
        s: Scope, i: Info, m: RouteMatches, c: Content, extra: int = 1, **more: Any
    ) -> Variables:
        return {"name": f"{extra} {more}"}

    @handle.template("a.html")
    async def keyword_only(
        *, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Variables:
        return {}

    @handle.template("a.html")
    async def anything(*args: Any) -> Variables:
        return {}

    one, two, three, content = {"a": 1}, {"b": 2}, {"c": 3}, nothing()
    await named(one, two, m=three, c=content, extra=2)
    await named(one, two, three, content, more=2)
    await keyword_only(scope=one, info=two, matches=three, content=content)
    await anything(one, two, three, content)
    assert seen == [(one, two, three)] * 4


@pytest.mark.parametrize(
    "handler", [by_handle, by_info, Pages.by_handle, Pages.by_info]
)
def test_metadata_are_kept(handler: Any) -> None:
    assert handler.__name__ in {"by_handle", "by_info"}
    assert handler.__doc__ == "Documented."
    assert handler.__module__ == __name__
    assert list(inspect.signature(handler).parameters)[-4:] == list(ARGUMENTS)
    assert inspect.iscoroutinefunction(handler)


@pytest.mark.parametrize(
    "result",
    [303, (303,), (303, [(b"location", b"/")]), (303, None, text_writer("x"), None)],
)
@pytest.mark.parametrize("decorate", [templates.template("a.html"), template("a.html")])
async def test_what_is_no_mapping_is_the_response(
    result: HttpResponse, decorate: Any
) -> None:
    @decorate
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return result

    assert (await get(handler))[0] == 303
    assert await handler(*ARGUMENTS.values()) is result


@pytest.mark.parametrize("result", [None, "text", ["a"]])
async def test_nonsense_is_logged_under_the_handler_s_name(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @templates.template("a.html")
    async def talks_nonsense(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Any:
        return result

    assert (await get(talks_nonsense))[0] == 500
    assert "talks_nonsense must return" in caplog.text


async def test_a_handler_wrapped_by_another_decorator_is_called_as_it_was() -> None:
    def twice(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(handler)
        async def call(*args: Any, **kwargs: Any) -> Any:
            await handler(*args, **kwargs)
            return await handler(*args, **kwargs)

        return call

    calls: list[Any] = []

    @templates.template("a.html")
    @twice
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Variables:
        calls.append(scope)
        return {"name": "twice"}

    status, _, body = await handler(**ARGUMENTS)
    assert (status, len(calls)) == (200, 2)
    assert [chunk async for chunk in body] == [b"<p>twice</p>"]


@pytest.mark.parametrize("decorate", [templates.template("a.html"), template("a.html")])
def test_what_is_no_handler_is_refused_when_it_is_decorated(decorate: Any) -> None:
    async def handler(request: Any) -> Variables:
        return {}

    with pytest.raises(TypeError, match=r"handler.* must take scope, .* \['request'\]"):
        decorate(handler)


def test_an_unknown_encoding_is_refused_when_the_decorator_is_made() -> None:
    with pytest.raises(LookupError):
        template("a.html", encoding="no-such")


async def test_two_sets_of_templates_have_keys_of_their_own() -> None:
    both = Application()
    add_jinja2(both, environment())
    mine = Environment(loader=DictLoader({"a.html": "mine {{ name }}"}))  # noqa: S701
    add_jinja2(both, mine, "mine")

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Variables:
        return {"name": "x"}

    assert await get(template("a.html")(handler), both) == (200, "<p>x</p>")
    keyed = template("a.html", info_key="mine")(handler)
    assert await get(keyed, both) == (200, "mine x")


async def test_templates_that_were_not_added_are_a_500_naming_add_jinja2(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await get(by_info, Application()) == (500, "Internal Server Error")
    assert "RuntimeError: info has no templates at" in caplog.text
    assert "call add_jinja2" in caplog.text
