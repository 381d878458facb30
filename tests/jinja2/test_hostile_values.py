"""Values that try to break out of every place that a page may put them in."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from jinja2 import Environment, FileSystemLoader

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi.testing import http_request
from bareasgi_jinja2 import add_jinja2

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><title>{{ value }}</title></head>
<body data-value="{{ value }}" data-single='{{ value }}'
{{ {'data-attr': value}|xmlattr }}>
<p>{{ value }}</p>
<textarea>{{ value }}</textarea>
<a id="query" href="/search?{{ {'q': value}|urlencode }}">q</a>
<a id="path" href="{{ url_for('file', rest=value) }}">p</a>
<button onclick='show({{ value|tojson }})'>b</button>
<script>window.value = {{ value|tojson }};</script>
<script type="application/json">{{ {'value': value}|tojson }}</script>
<p>{% include "part.html" %}{% from "macros.html" import shown %}{{ shown(value) }}</p>
{%- set kept %}{{ value }}{% endset %}<p>{{ kept }}</p>
</body>
</html>
"""

VALUES = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><b>",
    "</textarea><b>",
    "<!--<script>",
    "-->",
    "<![CDATA[",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "` onload=`alert(1)",
    " onload=alert(1) ",
    "x>y",
    "&lt;script&gt;",
    "&amp;",
    "&#34;&#x27;",
    "javascript:alert(1)",
    "//evil.example/",
    '\\"); alert(1); //',
    "\\u003cscript\\u003e",
    "\u2028\u2029",
    "a\nb\tc",
    "{{ 7 * 7 }}{% if %}",
    "../../etc/passwd",
    "?a=b&c=d#e",
    "%2e%2e%2f%00",
    "é\N{PILE OF POO}\u202e",
    "\x00\x01\x7f",
    "+AGEAYgA-",
]


class Reader(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[str]]] = []
        self.attributes: list[dict[str, str | None]] = []
        self.texts: dict[int, str] = {}
        self.oddities: list[str] = []
        self.is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))
        self.attributes.append(dict(attrs))
        self.is_inside = True

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = False

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            at = len(self.tags)
            self.texts[at] = self.texts.get(at, "") + data

    def handle_comment(self, data: str) -> None:
        self.oddities.append(data)

    def unknown_decl(self, data: str) -> None:
        self.oddities.append(data)

    def text_of(self, tag: str) -> list[str]:
        return [
            self.texts.get(number, "")
            for number, (name, _) in enumerate(self.tags, 1)
            if name == tag
        ]

    def attribute(self, name: str) -> list[Any]:
        return [each[name] for each in self.attributes if name in each]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


async def rendered(folder: Path, name: str, value: str, *, is_async: bool) -> str:
    app = Application()
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, enable_async=True
    )
    templates = add_jinja2(app, environment if is_async else folder)

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.render(name, {"value": value})

    app.http_router.add({"GET"}, "/files/{rest:path}", show, "file")
    response = await http_request(app, "GET", "/files/x")
    assert response.status == 200
    return response.text


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("suffix", [".html", ".html.j2", ".txt", ".xml"])
@pytest.mark.parametrize("value", VALUES, ids=ascii)
async def test_a_value_stays_where_it_was_put(
    value: str, suffix: str, *, is_async: bool, tmp_path: Path
) -> None:
    (tmp_path / f"page{suffix}").write_text(PAGE, "utf-8")
    (tmp_path / "part.html").write_text("{{ value }}", "utf-8")
    macros = "{% macro shown(text) %}{{ text }}{% endmacro %}"
    (tmp_path / "macros.html").write_text(macros, "utf-8")

    harmless = read(
        await rendered(tmp_path, f"page{suffix}", "harmless", is_async=is_async)
    )
    page = read(await rendered(tmp_path, f"page{suffix}", value, is_async=is_async))
    # The same elements with the same attributes, and nothing else.
    assert page.tags == harmless.tags
    assert page.oddities == harmless.oddities == []
    # The value, whole, everywhere.
    for name in ("data-value", "data-single", "data-attr"):
        assert page.attribute(name) == [value]
    assert page.text_of("title") == [value]
    assert page.text_of("p") == [value, value * 2, value]
    assert page.text_of("textarea") == [value]
    query, path = page.attribute("href")
    assert parse_qs(urlsplit(query).query, keep_blank_values=True) == {"q": [value]}
    assert query.startswith("/search?")
    assert path.startswith("/files/")
    assert unquote(path.removeprefix("/files/")) == value
    script, data = page.text_of("script")
    assert json.loads(script.split("=", 1)[1].rstrip().removesuffix(";")) == value
    assert json.loads(data) == {"value": value}
    [clicked] = page.attribute("onclick")
    assert json.loads(clicked.removeprefix("show(").removesuffix(")")) == value
