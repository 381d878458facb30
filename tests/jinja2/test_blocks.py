"""Single blocks, as they would stand in the whole page."""

import os
from collections.abc import Mapping
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from jinja2 import (
    DictLoader,
    Environment,
    ModuleLoader,
    StrictUndefined,
    TemplateRuntimeError,
    UndefinedError,
)
from jinja2.sandbox import SandboxedEnvironment

from bareasgi import Application
from bareasgi_jinja2 import BlockNotFoundError, Templates, add_jinja2

LAYOUT = """\
{% set site = 'Site' %}
{% macro link(text) %}<a>{{ text }}</a>{% endmacro %}
<title>{% block title %}{{ site }}{% endblock %}</title>
<nav>{% for item in menu %}{{ item }}{% endfor %}</nav>
<main>{% block main %}{{ needed_by_the_layout_only }}{% endblock %}</main>
<footer>{% block footer %}{{ link(site) }}{% endblock %}</footer>
"""

PAGE = """\
{% extends 'layout.html' %}
{% import 'macros.html' as macros %}
{% from 'macros.html' import strong, strong as bold %}
{% set heading = 'List of ' ~ what %}
{% set note %}<i>{{ what }}</i>{% endset %}
{% macro row(text) %}<tr>{{ text }}</tr>{% endmacro %}
{% block title %}{{ heading }} - {{ super() }}{% endblock %}
{% block main %}<h1>{{ heading }}</h1>{% block rows %}
{%- for each in things %}{{ row(each) }}{% endfor %}{% endblock %}
{{- macros.em(note) }}{{ strong(1) }}{{ bold(2) }}{% endblock %}
"""

MACROS = """\
{% macro em(text) %}<em>{{ text }}</em>{% endmacro -%}
{% macro strong(text) %}<b>{{ text }}</b>{% endmacro %}
"""

SOURCES = {"layout.html": LAYOUT, "page.html": PAGE, "macros.html": MACROS}
BOOKS = {"what": "<books>", "things": ["a", "<b>"]}

each_kind = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def templates_of(
    sources: Mapping[str, str], *, is_async: bool = False, **options: Any
) -> Templates:
    # Strict: a block must not run what is only needed elsewhere in the page.
    options = {"undefined": StrictUndefined, "extensions": ["jinja2.ext.do"], **options}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, enable_async=is_async, **options
    )
    return Templates(environment)


@each_kind
@pytest.mark.parametrize(
    ("block", "text"),
    [
        pytest.param("rows", "<tr>a</tr><tr>&lt;b&gt;</tr>", id="inside another"),
        pytest.param("title", "List of &lt;books&gt; - Site", id="with super"),
        pytest.param("footer", "<a>Site</a>", id="inherited"),
        pytest.param(
            "main",
            "<h1>List of &lt;books&gt;</h1><tr>a</tr><tr>&lt;b&gt;</tr>"
            "<em><i>&lt;books&gt;</i></em><b>1</b><b>2</b>",
            id="with another inside",
        ),
        pytest.param(
            ["footer", "title"],
            "<a>Site</a>List of &lt;books&gt; - Site",
            id="several in the order asked for",
        ),
        pytest.param([], "", id="none"),
    ],
)
async def test_a_block_is_rendered_alone(
    block: Any, text: str, *, is_async: bool
) -> None:
    templates = templates_of(SOURCES, is_async=is_async)
    for _ in range(2):  # compiled, and kept
        assert await templates.render_string("page.html", BOOKS, block=block) == text


@each_kind
async def test_a_block_is_a_response_with_its_own_length(*, is_async: bool) -> None:
    templates = templates_of(SOURCES, is_async=is_async)
    for response in (
        await templates.render("page.html", BOOKS, status=422, block="footer"),
        await templates.stream("page.html", BOOKS, status=422, block="footer"),
    ):
        match response:
            case (status, headers, body):
                assert (status, headers) == (
                    422,
                    [(b"content-type", b"text/html; charset=utf-8")],
                )
                assert body is not None
                assert [chunk async for chunk in body] == [b"<a>Site</a>"]
            case _:
                pytest.fail(repr(response))


@each_kind
async def test_a_block_of_a_template_that_extends_nothing(*, is_async: bool) -> None:
    source = "{{ no }}{% set a = 1 %}{% block b %}{{ a }}{% endblock %}{{ no }}"
    templates = templates_of({"a.html": source}, is_async=is_async)
    assert await templates.render_string("a.html", block="b") == "1"


@each_kind
async def test_the_whole_page_after_a_block_is_as_before(*, is_async: bool) -> None:
    templates = templates_of(SOURCES, is_async=is_async)
    variables = {**BOOKS, "menu": []}
    whole = await templates.render_string("page.html", variables)
    await templates.render_string("page.html", variables, block="title")
    assert await templates.render_string("page.html", variables) == whole
    assert "<title>List of &lt;books&gt; - Site</title>" in whole


@each_kind
async def test_super_goes_through_every_generation(*, is_async: bool) -> None:
    sources = {
        "a": "{% set x = 'a' %}{% block t %}{{ x }}{{ z }}{% endblock %}",
        "b": "{% extends 'a' %}{% set y = 'b' %}"
        "{% block t %}{{ super() }}{{ y }}{% endblock %}",
        "c": "{% extends 'b' %}{% set z = 'c' %}"
        "{% block t %}{{ super() }}{{ self.u() }}{% endblock %}"
        "{% block u %}{{ z }}{% endblock %}",
    }
    templates = templates_of(sources, is_async=is_async)
    assert await templates.render_string("c", block="t") == "acbc"
    assert await templates.render_string("c") == "acbc"


@each_kind
@pytest.mark.parametrize("is_htmx", [False, True])
async def test_the_template_that_is_extended_may_be_chosen_by_a_variable(
    *, is_async: bool, is_htmx: bool
) -> None:
    sources = {
        "page": "{% if is_htmx %}{% extends 'bare' %}{% else %}"
        "{% extends 'full' %}{% endif %}{% block b %}{{ super() }}!{% endblock %}",
        "bare": "{% block b %}bare{% endblock %}",
        "full": "{% block b %}full{% endblock %}",
    }
    templates = templates_of(sources, is_async=is_async)
    text = await templates.render_string("page", {"is_htmx": is_htmx}, block="b")
    assert text == ("bare!" if is_htmx else "full!")


@each_kind
@pytest.mark.parametrize(
    ("value", "text"), [(1, "one"), (2, "two"), (3, "many")], ids=str
)
async def test_conditions_around_definitions_are_kept(
    *, is_async: bool, value: int, text: str
) -> None:
    source = (
        "{% if value == 1 %}{% set t = 'one' %}{% elif value == 2 %}{{ no }}"
        "{% set t = 'two' %}{% else %}{% set t = 'many' %}{% endif %}"
        "{% if no %}{{ no }}{% elif no %}{{ no }}{% else %}{{ no }}{% endif %}"
        "{% if value == 4 %}{% elif value == 5 %}{% set t = '' %}{% endif %}"
        "{% block b %}{{ t }}{% endblock %}"
    )
    templates = templates_of({"a": source}, is_async=is_async)
    assert await templates.render_string("a", {"value": value}, block="b") == text


@each_kind
async def test_do_statements_run_and_output_does_not(*, is_async: bool) -> None:
    seen: list[int] = []
    source = (
        "{% do seen.append(1) %}{{ seen.append(2) }}"
        "{% block b %}{% do seen.append(3) %}{% endblock %}"
    )
    templates = templates_of({"a": source}, is_async=is_async)
    await templates.render_string("a", {"seen": seen}, block="b")
    assert seen == [1, 3]


@each_kind
@pytest.mark.parametrize("way", ["render", "stream", "render_string"])
async def test_a_missing_block_is_an_error_with_those_that_exist(
    way: str, *, is_async: bool
) -> None:
    templates = templates_of(SOURCES, is_async=is_async)
    expected = "^'page.html' has no block 'no': there are "
    expected += r"\['footer', 'main', 'rows', 'title'\]$"
    with pytest.raises(BlockNotFoundError, match=expected):
        await getattr(templates, way)("page.html", BOOKS, block=["title", "no"])


@each_kind
async def test_a_template_without_blocks_says_so(*, is_async: bool) -> None:
    templates = templates_of({"a": ""}, is_async=is_async)
    with pytest.raises(BlockNotFoundError, match=r"^'a' has no block 'b'$"):
        await templates.render_string("a", block="b")


@each_kind
async def test_a_template_that_extends_itself_is_an_error(*, is_async: bool) -> None:
    sources = {"a": "{% extends 'b' %}", "b": "{% extends 'a' %}"}
    with pytest.raises(TemplateRuntimeError, match="'a' extends itself"):
        await templates_of(sources, is_async=is_async).render_string("a", block="b")


@each_kind
async def test_an_exception_in_a_block_has_its_line_in_the_traceback(
    *,
    is_async: bool,
) -> None:
    templates = templates_of(
        {"a": "\n{% block b %}\n{{ x }}{% endblock %}"}, is_async=is_async
    )
    with pytest.raises(UndefinedError) as caught:
        await templates.render_string("a", block="b")
    assert "line 3, in block 'b'" in "".join(format_exception(caught.value))


@each_kind
async def test_an_exception_outside_of_the_blocks_has_its_line_too(
    *,
    is_async: bool,
) -> None:
    source = "\n\n{% set y = x + 1 %}{% block b %}{% endblock %}"
    templates = templates_of({"a": source}, is_async=is_async)
    with pytest.raises(UndefinedError) as caught:
        await templates.render_string("a", block="b")
    assert "line 3, in top-level" in "".join(format_exception(caught.value))


async def test_blocks_follow_a_template_that_changes(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("{% set x = 1 %}{% block b %}{{ x }}{% endblock %}", "utf-8")
    templates = add_jinja2(Application(), tmp_path, auto_reload=True)
    assert await templates.render_string("a.html", block="b") == "1"
    page.write_text("{% set x = 22 %}{% block b %}{{ x }}{% endblock %}", "utf-8")
    # The second write may come within the same tick of the file system's clock.
    os.utime(page, ns=(0, 0))
    assert await templates.render_string("a.html", block="b") == "22"


async def test_blocks_work_in_a_sandbox() -> None:
    environment = SandboxedEnvironment(loader=DictLoader(SOURCES), autoescape=True)
    templates = Templates(environment)
    text = await templates.render_string("page.html", BOOKS, block="footer")
    assert text == "<a>Site</a>"


async def test_blocks_of_templates_without_source_say_so(tmp_path: Path) -> None:
    environment = Environment(loader=DictLoader(SOURCES), autoescape=True)
    environment.compile_templates(tmp_path / "compiled", zip=None)
    loader = ModuleLoader(tmp_path / "compiled")
    templates = Templates(Environment(loader=loader, autoescape=True))
    variables = {**BOOKS, "menu": []}
    assert "List of" in await templates.render_string("page.html", variables)
    with pytest.raises(RuntimeError, match="cannot provide access to the source"):
        await templates.render_string("page.html", BOOKS, block="title")
