"""Whole pages: rendered, escaped, in an encoding, with a length."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, FunctionLoader, StrictUndefined
from jinja2 import TemplateNotFound as PlainTemplateNotFound

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.testing import Response, http_request
from bareasgi_jinja2 import TemplateNotFoundError, Templates, add_jinja2

SORRY = b"Internal Server Error"


def environment(
    sources: Mapping[str, str], *, is_async: bool = False, **options: Any
) -> Environment:
    return Environment(
        loader=DictLoader(sources), autoescape=True, enable_async=is_async, **options
    )


def app_for(
    source: Environment | Path, name: str, variables: Any = None, **options: Any
) -> Application:
    """Make an application that renders one template at `/`."""
    app = Application()
    templates = add_jinja2(app, source)

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.render(name, variables, **options)

    app.http_router.add({"GET"}, "/", show)
    return app


async def get(app: Application, path: str = "/") -> Response:
    return await http_request(app, "GET", path)


def fields(response: Response) -> dict[bytes, bytes]:
    assert len({name for name, _ in response.headers}) == len(response.headers)
    return dict(response.headers)


each_kind = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@each_kind
async def test_a_page_is_html_with_charset_and_length(*, is_async: bool) -> None:
    env = environment({"a.html": "<p>{{ name }}</p>"}, is_async=is_async)
    response = await get(app_for(env, "a.html", {"name": "Ada"}))
    assert response.status == 200
    assert response.body == b"<p>Ada</p>"
    assert len(response.messages) == 2
    assert fields(response) == {
        b"content-type": b"text/html; charset=utf-8",
        b"content-length": b"10",
    }


@each_kind
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("utf-8", b"<p>Gr\xc3\xbc\xc3\x9fe \xe2\x82\xac</p>"),
        ("iso-8859-15", b"<p>Gr\xfc\xdfe \xa4</p>"),
        ("utf-16", "<p>Grüße €</p>".encode("utf-16")),
    ],
)
async def test_a_page_has_its_encoding_and_the_length_in_bytes(
    encoding: str, body: bytes, *, is_async: bool
) -> None:
    env = environment({"a.html": "<p>{{ text }}</p>"}, is_async=is_async)
    app = app_for(env, "a.html", {"text": "Grüße €"}, encoding=encoding)
    response = await get(app)
    assert response.body == body
    assert response.text == "<p>Grüße €</p>"
    assert fields(response)[b"content-length"] == b"%d" % len(body)
    assert fields(response)[b"content-type"].endswith(encoding.encode())


async def test_head_has_the_length_of_get_and_no_body() -> None:
    app = app_for(environment({"a.html": "äöü"}), "a.html")
    response = await http_request(app, "HEAD", "/")
    assert (response.body, fields(response)[b"content-length"]) == (b"", b"6")


async def test_text_that_the_encoding_lacks_is_a_plain_500() -> None:
    app = app_for(environment({"a.html": "€"}), "a.html", encoding="latin-1")
    response = await get(app)
    assert (response.status, response.body) == (500, SORRY)


@pytest.mark.parametrize("encoding", ["no-such", "hex"])
async def test_what_is_no_encoding_is_a_lookup_error(encoding: str) -> None:
    templates = Templates(environment({"a.html": ""}))
    with pytest.raises(LookupError):
        await templates.render("a.html", encoding=encoding)
    with pytest.raises(LookupError):
        await templates.stream("a.html", encoding=encoding)
    with pytest.raises(LookupError):
        templates.template("a.html", encoding=encoding)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param(None, [(b"content-type", b"text/html; charset=utf-8")], id="none"),
        pytest.param(
            [(b"x-a", b"1")],
            [(b"content-type", b"text/html; charset=utf-8"), (b"x-a", b"1")],
            id="others",
        ),
        pytest.param(
            [(b"x-a", b"1"), (b"content-type", b"application/xml")],
            [(b"x-a", b"1"), (b"content-type", b"application/xml")],
            id="a content type",
        ),
    ],
)
@pytest.mark.parametrize("way", ["render", "stream"])
async def test_headers_are_copied_and_get_a_content_type(
    way: str, given: Headers | None, sent: Headers
) -> None:
    templates = Templates(environment({"a.html": ""}))
    before = None if given is None else [*given]
    response: Any = await getattr(templates, way)("a.html", status=201, headers=given)
    assert response[0] == 201
    assert response[1] == sent
    assert response[1] is not given
    assert given == before


@each_kind
async def test_render_string_gives_the_text(*, is_async: bool) -> None:
    env = environment({"mail.txt": "Dear {{ name }}"}, is_async=is_async)
    text = await Templates(env).render_string("mail.txt", {"name": "Zoë"})
    assert text == "Dear Zoë"
    assert type(text) is str


@each_kind
async def test_variables_are_optional_and_any_mapping(*, is_async: bool) -> None:
    class Names(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"name": "Ada"}[key]

        def __iter__(self) -> Any:
            return iter(["name"])

        def __len__(self) -> int:
            return 1

    env = environment({"a.html": "{{ name }}"}, is_async=is_async)
    templates = Templates(env)
    assert await templates.render_string("a.html", Names()) == "Ada"
    assert await templates.render_string("a.html") == ""


@pytest.mark.parametrize("suffix", [".html", ".html.j2", ".txt", ".xml", ""])
async def test_every_suffix_is_escaped_in_an_environment_of_a_folder(
    suffix: str, tmp_path: Path
) -> None:
    (tmp_path / f"page{suffix}").write_text("{{ value }}", "utf-8")
    response = await get(app_for(tmp_path, f"page{suffix}", {"value": "<b>&'\""}))
    assert response.text == "&lt;b&gt;&amp;&#39;&#34;"


async def test_async_values_are_awaited_and_async_iterables_iterated() -> None:
    async def total() -> int:
        await asyncio.sleep(0)
        return 3

    async def rows() -> Any:
        for row in "ab":
            await asyncio.sleep(0)
            yield row

    source = "{{ total() }}{% for row in rows %}<li>{{ row }}</li>{% endfor %}"
    env = environment({"a.html": source}, is_async=True)
    app = app_for(env, "a.html", {"total": total, "rows": rows()})
    assert (await get(app)).text == "3<li>a</li><li>b</li>"


async def test_400_pages_at_once_have_their_own_variables() -> None:
    async def wait(turns: int) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        return ""

    env = environment({"a.html": "{{ wait(id % 7) }}{{ id }}"}, is_async=True)
    app = Application()
    templates = add_jinja2(app, env)

    @app.on_http_request({"GET"}, "/{id:int}")
    @templates.template("a.html")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Mapping[str, Any]:
        return {"id": matches["id"], "wait": wait}

    pages = await asyncio.gather(*(get(app, f"/{number}") for number in range(400)))
    assert [page.text for page in pages] == [str(number) for number in range(400)]


# --- what is not there, and what fails ------------------------------------------------


@each_kind
@pytest.mark.parametrize("way", ["render", "stream", "render_string"])
async def test_a_missing_template_is_an_error_with_those_that_exist(
    way: str, *, is_async: bool
) -> None:
    env = environment({"b.html": "", "a.html": ""}, is_async=is_async)
    with pytest.raises(TemplateNotFoundError) as caught:
        await getattr(Templates(env), way)("c.html")
    expected = "no template is named 'c.html': there are ['a.html', 'b.html']"
    assert str(caught.value) == expected
    assert caught.value.name == "c.html"
    assert isinstance(caught.value, PlainTemplateNotFound)


async def test_only_50_of_the_existing_templates_are_listed() -> None:
    templates = Templates(environment({f"{i:03}.html": "" for i in range(60)}))
    with pytest.raises(TemplateNotFoundError, match=r"'049.html'\] and 10 more$"):
        await templates.render("x.html")


async def test_nothing_is_listed_where_the_loader_does_not_know() -> None:
    templates = Templates(
        Environment(loader=FunctionLoader(lambda name: None), autoescape=True)
    )
    with pytest.raises(TemplateNotFoundError, match=r"^no template is named 'x'$"):
        await templates.render("x")


async def test_a_missing_template_is_logged_and_answered_by_a_plain_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = app_for(environment({"a.html": ""}), "missing\n.html")
    response = await get(app)
    assert (response.status, response.body) == (500, SORRY)
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.name == "bareasgi.http"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], TemplateNotFoundError)
    # The name may come from a client: it must not forge a line.
    assert "missing\n" not in caplog.text


@each_kind
async def test_a_missing_template_that_is_extended_is_not_the_one_asked_for(
    *,
    is_async: bool,
) -> None:
    env = environment({"a.html": "{% extends 'b.html' %}"}, is_async=is_async)
    with pytest.raises(PlainTemplateNotFound) as caught:
        await Templates(env).render("a.html")
    assert not isinstance(caught.value, TemplateNotFoundError)
    assert caught.value.name == "b.html"


@each_kind
async def test_an_exception_in_a_template_is_a_plain_500_with_its_line_in_the_log(
    *, is_async: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "a.html").write_text("one\ntwo {{ 1 / zero }}", "utf-8")
    templates = Templates(add_jinja2(Application(), folder).environment)
    templates = Templates(templates.environment.overlay(enable_async=is_async))
    app = Application()

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.render("a.html", {"zero": 0})

    app.http_router.add({"GET"}, "/", show)
    response = await get(app)
    assert (response.status, response.body) == (500, SORRY)
    assert f'File "{folder / "a.html"}", line 2, in top-level' in caplog.text
    assert "two {{ 1 / zero }}" in caplog.text


@each_kind
async def test_a_syntax_error_is_a_plain_500_with_its_line_in_the_log(
    *, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    env = environment({"a.html": "one\n{% if %}"}, is_async=is_async)
    response = await get(app_for(env, "a.html"))
    assert (response.status, response.body) == (500, SORRY)
    assert "line 2" in caplog.text


@each_kind
async def test_an_undefined_variable_is_an_error_where_the_environment_says_so(
    *,
    is_async: bool,
) -> None:
    env = environment(
        {"a.html": "{{ x }}"}, is_async=is_async, undefined=StrictUndefined
    )
    assert (await get(app_for(env, "a.html"))).status == 500


@each_kind
@pytest.mark.parametrize("way", ["render", "stream"])
async def test_an_http_error_raised_in_a_template_is_the_response(
    way: str, *, is_async: bool
) -> None:
    def abort(status: int) -> None:
        raise HttpError(status, "gone")

    env = environment({"a.html": "<p>{{ abort(410) }}"}, is_async=is_async)
    app = Application()
    templates = add_jinja2(app, env)

    @app.on_http_request({"GET"}, "/")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        made: HttpResponse = await getattr(templates, way)("a.html", {"abort": abort})
        return made

    response = await get(app)
    assert (response.status, response.text) == (410, "gone")


async def test_an_environment_without_a_loader_says_so() -> None:
    with pytest.raises(TypeError, match="no loader"):
        await Templates(Environment(autoescape=True)).render("a.html")
