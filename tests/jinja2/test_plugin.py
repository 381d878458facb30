"""Wiring: from folders, packages and environments, into applications."""

import os
import sys
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jinja2 import (
    DictLoader,
    Environment,
    FileSystemBytecodeCache,
    select_autoescape,
)

import bareasgi_jinja2
from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi.testing import http_request, lifespan
from bareasgi_jinja2 import (
    INFO_KEY,
    Jinja2TemplateProvider,
    TemplateNotFoundError,
    Templates,
    add_jinja2,
    templates_from,
)

LINKS = (
    "{% from 'macros.html' import link %}"
    "{{ url_for('user', name=name) }} {{ link('static', path='a b/app.css') }}"
)
MACROS = "{% macro link(name) %}{{ url_for(name, **kwargs) }}{% endmacro %}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of templates, with a secret beside it."""
    pages = tmp_path / "pages"
    pages.joinpath("sub").mkdir(parents=True)
    pages.joinpath("a.html").write_text("<p>{{ name }}</p>", "utf-8")
    pages.joinpath("sub", "b.html").write_text("b", "utf-8")
    pages.joinpath("links.html").write_text(LINKS, "utf-8")
    pages.joinpath("macros.html").write_text(MACROS, "utf-8")
    tmp_path.joinpath("secret.html").write_text("secret", "utf-8")
    return pages


async def answer(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200


def named_routes() -> Application:
    app = Application()
    app.http_router.add({"GET"}, "/users/{name}", answer, "user")
    app.http_router.add({"GET"}, "/static/{path:path}", answer, "static")
    return app


@pytest.mark.parametrize("make", [str, Path], ids=["str", "Path"])
async def test_a_folder_gives_templates(folder: Path, make: Callable[..., Any]) -> None:
    templates = add_jinja2(Application(), make(folder))
    assert await templates.render_string("a.html", {"name": "<"}) == "<p>&lt;</p>"
    assert await templates.render_string("sub/b.html") == "b"
    assert templates.environment.autoescape is True
    assert templates.environment.is_async is False


async def test_a_folder_stays_the_same_when_the_program_changes_to_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    templates = add_jinja2(Application(), "pages")
    monkeypatch.chdir(folder / "sub")
    assert await templates.render_string("sub/b.html") == "b"


async def test_a_package_gives_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pages_of_a_package"
    package.joinpath("pages").mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    package.joinpath("pages", "a.txt").write_text("{{ name }}", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    templates = add_jinja2(Application(), ("pages_of_a_package", "pages"))
    assert await templates.render_string("a.txt", {"name": "<"}) == "&lt;"
    with pytest.raises(TemplateNotFoundError, match=r"there are \['a.txt'\]"):
        await templates.render("../__init__.py")
    with pytest.raises(ValueError, match="pages"):
        add_jinja2(Application(), ("pages_of_a_package", "no_pages"))
    del sys.modules["pages_of_a_package"]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_environment_is_taken_as_it_is(*, is_async: bool) -> None:
    environment = Environment(
        loader=DictLoader({}),
        enable_async=is_async,
        autoescape=select_autoescape(["html"]),
    )
    before = dict(vars(environment)), dict(environment.globals)
    templates = add_jinja2(Application(), environment)
    assert templates.environment is environment
    assert (dict(vars(environment)), dict(environment.globals)) == before


@pytest.mark.parametrize("name", ["missing", "a.html"])
def test_a_folder_that_is_not_there_fails_when_added(folder: Path, name: str) -> None:
    with pytest.raises(NotADirectoryError, match=f"there is no folder .*{name}"):
        add_jinja2(Application(), folder / name)


@pytest.mark.parametrize(
    "options", [{"auto_reload": True}, {"bytecode_cache": FileSystemBytecodeCache()}]
)
def test_options_of_the_environment_are_refused_beside_one(options: Any) -> None:
    with pytest.raises(ValueError, match="on the environment"):
        add_jinja2(Application(), Environment(autoescape=True), **options)


def test_a_processor_that_cannot_be_called_fails_when_added(folder: Path) -> None:
    wrong: Any = ["user"]
    with pytest.raises(TypeError, match="not callable: 'user'"):
        add_jinja2(Application(), folder, context_processors=wrong)


def test_one_key_of_info_and_nothing_else_is_used(folder: Path) -> None:
    app = Application(info={"mine": 1})
    templates = add_jinja2(app, folder)
    assert INFO_KEY == "bareasgi_jinja2.Jinja2TemplateProvider"
    assert app.info == {"mine": 1, INFO_KEY: templates}
    others = app.middlewares, app.startup_handlers, app.shutdown_handlers
    assert others == ([], [], [])


def test_templates_are_found_in_info(folder: Path) -> None:
    app = Application()
    one, two = add_jinja2(app, folder), add_jinja2(app, folder, "two")
    assert templates_from(app.info) is one
    assert templates_from(app.info, "two") is two
    with pytest.raises(RuntimeError, match="'three': call add_jinja2"):
        templates_from(app.info, "three")


def test_the_older_name_is_the_same_class(folder: Path) -> None:
    assert Jinja2TemplateProvider is Templates


def test_the_public_names_are_these() -> None:
    assert set(bareasgi_jinja2.__all__) == {
        "INFO_KEY",
        "BlockNotFoundError",
        "ContextProcessor",
        "Jinja2TemplateProvider",
        "Request",
        "TemplateNotFoundError",
        "Templates",
        "add_jinja2",
        "jinja2_middleware",
        "template",
        "templates_from",
    }


# --- links ----------------------------------------------------------------------------

LINKED = "/users/A&B%20%22%C3%A9 /static/a%20b/app.css"


async def test_url_for_knows_the_named_routes_also_in_macros(folder: Path) -> None:
    templates = add_jinja2(named_routes(), folder)
    text = await templates.render_string("links.html", {"name": 'A&B "é'})
    assert unescape(text) == LINKED


@pytest.mark.parametrize("is_async", [False, True])
async def test_url_for_is_a_variable_where_the_environment_is_given(
    *,
    is_async: bool,
) -> None:
    sources = {"links.html": LINKS.replace("link %}", "link with context %}")}
    environment = Environment(
        loader=DictLoader({**sources, "macros.html": MACROS}),
        enable_async=is_async,
        autoescape=True,
    )
    templates = add_jinja2(named_routes(), environment)
    text = await templates.render_string("links.html", {"name": 'A&B "é'})
    assert unescape(text) == LINKED
    assert "url_for" not in environment.globals


async def test_two_applications_may_share_an_environment() -> None:
    loader = DictLoader({"a.html": "{{ url_for('home') }}"})
    environment = Environment(loader=loader, autoescape=True)
    one, two = Application(), Application()
    one.http_router.add({"GET"}, "/one", answer, "home")
    two.http_router.add({"GET"}, "/two", answer, "home")
    pages = [add_jinja2(app, environment) for app in (one, two)]
    texts = [await templates.render_string("a.html") for templates in pages * 2]
    assert texts == ["/one", "/two"] * 2


async def test_url_for_of_an_environment_or_a_page_goes_first() -> None:
    loader = DictLoader({"a.html": "{{ url_for('home') }}"})
    environment = Environment(loader=loader, autoescape=True)
    templates = add_jinja2(Application(), environment)
    mine = {"url_for": lambda name: f"my {name}"}
    assert await templates.render_string("a.html", mine) == "my home"
    environment.globals["url_for"] = lambda name: f"the environment's {name}"
    templates = add_jinja2(Application(), environment)
    assert "environment" in await templates.render_string("a.html")


async def test_a_link_to_no_route_is_an_error(folder: Path) -> None:
    templates = add_jinja2(Application(), folder)
    with pytest.raises(LookupError, match="no route is named 'user'"):
        await templates.render_string("links.html", {"name": "x"})


# --- options --------------------------------------------------------------------------


def rewrite(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    # The second write may come within the same tick of the file system's clock.
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("auto_reload", [False, True])
async def test_changed_files_are_looked_for_when_asked_to(
    folder: Path, *, auto_reload: bool
) -> None:
    templates = add_jinja2(Application(), folder, auto_reload=auto_reload)
    assert await templates.render_string("sub/b.html") == "b"
    rewrite(folder / "sub" / "b.html", "changed")
    expected = "changed" if auto_reload else "b"
    assert await templates.render_string("sub/b.html") == expected


@pytest.mark.parametrize("make", [str, Path, lambda x: FileSystemBytecodeCache(str(x))])
async def test_compiled_templates_are_kept_in_the_bytecode_cache(
    folder: Path, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for _ in range(2):
        templates = add_jinja2(Application(), folder, bytecode_cache=make(cache))
        assert await templates.render_string("sub/b.html") == "b"
        assert len(list(cache.iterdir())) == 1


def test_a_bytecode_cache_that_is_not_there_fails_when_added(folder: Path) -> None:
    with pytest.raises(NotADirectoryError):
        add_jinja2(Application(), folder, bytecode_cache=folder / "missing")


# --- as a plugin ----------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"debug": True}])
async def test_other_answers_are_left_alone(
    folder: Path, options: Mapping[str, Any]
) -> None:
    app = Application()
    headers = [(b"x-a", b"1")]

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, headers, content

    app.http_router.add({"POST"}, "/echo", handler)
    add_jinja2(app, folder, debug=bool(options))
    async with lifespan(app):
        missing = await http_request(app, "GET", "/missing")
        assert (missing.status, missing.text) == (404, "Not Found")
        echo = await http_request(app, "POST", "/echo", content=[b"a", b"b"])
        assert echo.chunks == [b"a", b"b"]
        assert echo.headers is headers


# --- names that clients choose --------------------------------------------------------

OUTSIDE = [
    "../secret.html",
    "sub/../../secret.html",
    "..\\secret.html",
    "./../secret.html",
    "sub/../a.html",
    "..",
    ".",
    "/",
    "",
    "sub",
    "sub/",
    "a.html\0",
    "a.html\0.txt",
    "a.html\n",
    "\ud800",
    "a" * 5000,
    "a/" * 5000,
    "%2e%2e/secret.html",
    "....//secret.html",
    "~/secret.html",
    "C:\\secret.html",
    "//secret.html",
]


@pytest.mark.parametrize("name", OUTSIDE, ids=lambda name: repr(name[:20]))
async def test_a_name_cannot_leave_the_folder(folder: Path, name: str) -> None:
    templates = add_jinja2(Application(), folder)
    for way in (templates.render, templates.stream):
        with pytest.raises(TemplateNotFoundError, match="no template is named"):
            await way(name)


async def test_an_absolute_name_is_one_below_the_folder(folder: Path) -> None:
    templates = add_jinja2(Application(), folder)
    with pytest.raises(TemplateNotFoundError):
        await templates.render(str(folder.parent / "secret.html"))
    assert await templates.render_string("/sub/b.html") == "b"
