"""What all pages know of the request, and what developers see of a failure."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, FunctionLoader

from bareasgi import (
    Application,
    Content,
    HttpDisconnectError,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    mw,
)
from bareasgi.testing import Response, http_request
from bareasgi_jinja2 import (
    Request,
    TemplateNotFoundError,
    Templates,
    add_jinja2,
    jinja2_middleware,
)

PAGE = "{{ path }} {{ user }} {{ own }}{% block b %}{{ user }}{% endblock %}"


def environment(sources: Mapping[str, str], *, is_async: bool = False) -> Environment:
    loader = DictLoader(sources)
    return Environment(loader=loader, autoescape=True, enable_async=is_async)


def path_of(scope: Scope, info: Info, matches: RouteMatches) -> Mapping[str, Any]:
    return {"path": scope["path"], "user": "nobody", "own": "lost"}


async def user_of(scope: Scope, info: Info, matches: RouteMatches) -> Mapping[str, Any]:
    await asyncio.sleep(0)
    return {"user": f"{info['prefix']} {matches['name']}"}


each_way = pytest.mark.parametrize("way", ["render", "stream", "decorator", "block"])
each_kind = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@each_kind
@each_way
async def test_context_processors_run_for_every_page(
    way: str, *, is_async: bool
) -> None:
    app = Application(info={"prefix": "Lady"})
    env = environment({"a.html": PAGE}, is_async=is_async)
    templates = add_jinja2(app, env, context_processors=[path_of, user_of])

    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Any:
        variables = {"own": "mine"}
        match way:
            case "render":
                return await templates.render("a.html", variables)
            case "stream":
                return await templates.stream("a.html", variables)
            case "block":
                return await templates.render("a.html", variables, block="b")
            case _:
                return variables

    app.http_router.add({"GET"}, "/{name}", templates.template("a.html")(page))
    answers = await asyncio.gather(
        *(http_request(app, "GET", f"/{name}") for name in ("Ada", "Bess", "Cleo"))
    )
    for name, response in zip(("Ada", "Bess", "Cleo"), answers, strict=True):
        whole = f"/{name} Lady {name} mineLady {name}"
        assert response.text == (f"Lady {name}" if way == "block" else whole)


async def test_context_processors_do_not_run_outside_of_a_request() -> None:
    app = Application()
    env = environment({"a.html": PAGE})
    templates = add_jinja2(app, env, context_processors=[path_of])
    assert await templates.render_string("a.html") == "  "


async def test_a_request_may_be_given() -> None:
    templates = Templates(environment({"a.html": PAGE}), context_processors=[path_of])
    request: Request = {"path": "/x"}, {}, {}
    page = await templates.render_string("a.html", {"own": 1}, request=request)
    assert page == "/x nobody 1nobody"


async def test_the_parts_can_be_put_together_by_hand() -> None:
    templates = Templates(environment({"a.html": PAGE}), context_processors=[path_of])

    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.render("a.html")

    app = Application()
    handler = mw(jinja2_middleware(templates), handler=page)
    app.http_router.add({"GET"}, "/", handler)
    assert (await http_request(app, "GET", "/")).text == "/ nobody lostnobody"


@pytest.mark.parametrize("given", [None, "ab", 3])
async def test_a_processor_that_gives_no_mapping_is_an_error_naming_it(
    given: Any,
) -> None:
    def processor(scope: Scope, info: Info, matches: RouteMatches) -> Any:
        return given

    templates = Templates(environment({"a.html": ""}), context_processors=[processor])
    with pytest.raises(TypeError, match=r"processor.* must give a mapping, not"):
        await templates.render("a.html", request=({}, {}, {}))


async def test_two_applications_do_not_see_each_other_s_requests() -> None:
    inner, outer = Application(), Application()
    env = environment({"a.html": "{{ path }}"})
    of_inner = add_jinja2(inner, env, context_processors=[path_of])
    of_outer = add_jinja2(outer, env, context_processors=[path_of])

    @inner.on_http_request({"GET"}, "/inner")
    async def inside(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        texts = [await each.render_string("a.html") for each in (of_inner, of_outer)]
        return 200, [(b"x-paths", " ".join(texts).encode())]

    @outer.on_http_request({"GET"}, "/outer")
    async def outside(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        response = await http_request(inner, "GET", "/inner")
        assert of_inner.request.get() is None
        return response.status, response.headers[:1]

    response = await http_request(outer, "GET", "/outer")
    # The outer one's page is made in the task of the inner request.
    assert dict(response.headers)[b"x-paths"] == b"/inner /outer"
    assert of_outer.request.get() is None


# --- the debug page -------------------------------------------------------------------

BROKEN = {
    "layout.html": "<html>\n{% block main %}{% endblock %}",
    "page.html": "{% extends 'layout.html' %}\n\n{% block main %}\n"
    "<b>{% include 'part.html' %}</b>\n{% endblock %}",
    "part.html": "one\ntwo\nthree\nfour\nfive <i>{{ 1 / zero }}</i>\nsix\n"
    "seven\neight\nnine\na tenth line",
    "syntax.html": "fine\n{% nonsense %}\n",
    "http.html": "{{ abort() }}",
    "fine.html": "",
}


def abort() -> None:
    raise HttpError(410, "gone")


def leave() -> None:
    raise HttpDisconnectError("left")


async def debug_answer(
    name: str,
    *,
    debug: bool = True,
    way: str = "render",
    is_async: bool = False,
    env: Environment | None = None,
    **options: Any,
) -> Response:
    app = Application()
    env = env or environment(BROKEN, is_async=is_async)
    templates = add_jinja2(app, env, debug=debug)

    @app.on_http_request({"GET"}, "/")
    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        variables = {"zero": 0, "abort": abort, "secret": "<script>"}
        made: HttpResponse = await getattr(templates, way)(name, variables, **options)
        return made

    return await http_request(app, "GET", "/")


@each_kind
@pytest.mark.parametrize("way", ["render", "stream"])
async def test_the_debug_page_shows_the_line_of_each_template(
    way: str, *, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    response = await debug_answer("page.html", way=way, is_async=is_async)
    assert response.status == 500
    assert dict(response.headers)[b"content-type"] == b"text/html; charset=utf-8"
    text = response.text
    assert "<h1>ZeroDivisionError</h1>" in text
    assert "<p>division by zero</p>" in text
    inner = text.index("<h2>part.html, line 5</h2>")
    assert inner < text.index("<h2>page.html, line 4</h2>")
    assert "<mark>   5  five &lt;i&gt;{{ 1 / zero }}&lt;/i&gt;</mark>" in text
    assert "   1  one\n" in text
    assert "   9  nine</pre>" in text
    assert "tenth" not in text.partition("<h2>Traceback")[0]
    assert "ZeroDivisionError: division by zero" in text
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.name == "bareasgi.http"


async def test_the_debug_page_shows_the_line_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("one\n{{ 1 / 0 }}", "utf-8")
    app = Application()
    templates = add_jinja2(app, tmp_path, debug=True)

    @app.on_http_request({"GET"}, "/")
    @templates.template("a.html")
    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Mapping[str, Any]:
        return {}

    response = await http_request(app, "GET", "/")
    assert "<mark>   2  {{ 1 / 0 }}</mark>" in response.text


async def test_the_debug_page_shows_a_syntax_error() -> None:
    text = (await debug_answer("syntax.html")).text
    assert "<h1>TemplateSyntaxError</h1>" in text
    assert "<h2>syntax.html, line 2</h2>" in text
    assert "<mark>   2  {% nonsense %}</mark>" in text


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "missing.html",
            {},
            "no template is named &#x27;missing.html&#x27;: there are",
        ),
        (
            "fine.html",
            {"block": "b"},
            "&#x27;fine.html&#x27; has no block &#x27;b&#x27;",
        ),
    ],
)
async def test_the_debug_page_lists_what_there_is(
    name: str, options: Any, message: str
) -> None:
    response = await debug_answer(name, **options)
    assert response.status == 500
    assert f"<p>{message}" in response.text


async def test_the_debug_page_escapes_everything() -> None:
    env = environment({"a.html": "<script>{{ fail() }}</script>"})

    def fail() -> None:
        raise ValueError("<script>alert(1)</script>")

    env.globals["fail"] = fail
    response = await debug_answer("a.html", env=env)
    assert "<script" not in response.text
    assert "&lt;script&gt;alert(1)" in response.text
    policy = dict(response.headers)[b"content-security-policy"]
    assert policy == b"default-src 'none'; style-src 'unsafe-inline'"


async def test_the_debug_page_does_without_source_that_is_gone() -> None:
    sources = {"a.html": "{{ 1 / zero }}"}
    loader = FunctionLoader(lambda name: sources.pop(name, None))
    env = Environment(loader=loader, autoescape=True)
    response = await debug_answer("a.html", env=env)
    assert "<h2>a.html, line 1</h2>\n<pre></pre>" in response.text


async def test_the_debug_page_does_without_a_loader() -> None:
    env = Environment(autoescape=True)
    inline = env.from_string("{{ 1 / 0 }}")
    app = Application()
    add_jinja2(app, env, debug=True)
    templates = Templates(environment({"a.html": "\n{{ inline.render() }}"}))

    @app.on_http_request({"GET"}, "/")
    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.render("a.html", {"inline": inline})

    response = await http_request(app, "GET", "/")
    assert "<h2>a.html, line 2</h2>\n<pre></pre>" in response.text


@each_kind
async def test_an_http_error_is_the_response_with_the_debug_page_too(
    *,
    is_async: bool,
) -> None:
    response = await debug_answer("http.html", is_async=is_async)
    assert (response.status, response.text) == (410, "gone")


async def test_without_debug_an_error_is_a_plain_500() -> None:
    response = await debug_answer("page.html", debug=False)
    assert (response.status, response.text) == (500, "Internal Server Error")


async def test_errors_of_the_handler_are_not_the_templates_business() -> None:
    app = Application()
    add_jinja2(app, environment({}), debug=True)

    @app.on_http_request({"GET"}, "/")
    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise ValueError("secret")

    response = await http_request(app, "GET", "/")
    assert (response.status, response.text) == (500, "Internal Server Error")


async def test_an_error_that_the_handler_catches_makes_no_debug_page() -> None:
    app = Application()
    templates = add_jinja2(app, environment({}), debug=True)

    @app.on_http_request({"GET"}, "/{name}")
    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        try:
            return await templates.render(matches["name"])
        except TemplateNotFoundError:
            return 404

    assert (await http_request(app, "GET", "/x")).status == 404


async def test_a_client_that_left_gets_no_debug_page() -> None:
    env = environment({"a.html": "{{ leave() }}"})
    env.globals["leave"] = leave
    app = Application()
    templates = add_jinja2(app, env, debug=True)
    handler = mw(jinja2_middleware(templates, debug=True), handler=_page(templates))
    with pytest.raises(HttpDisconnectError):
        await handler({"type": "http", "path": "/"}, {}, {}, _nothing())
    assert templates.request.get() is None


def _page(templates: Templates) -> Any:
    async def page(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.render("a.html")

    return page


async def _nothing() -> Any:
    for each in ():
        yield each
