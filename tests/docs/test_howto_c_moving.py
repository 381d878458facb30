"""What the guides for newcomers from elsewhere say is so: before, and after."""

import asyncio
import http.client
import json
import re
import subprocess
import sys
import types
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from graphql import build_schema
from howto import PAGES, changed, file, library
from programs import free_port, running
from repository import ROOT
from websockets.asyncio.client import connect

import bareasgi
from bareasgi import Application
from bareasgi.testing import http_request, http_stream, web_socket
from bareclient import AsgiTransport

MIGRATING: Final = (PAGES / "migrating.md").read_text("utf-8")
DEADLINE: Final = 20.0


# Names


def older_names() -> list[tuple[str, str, bool]]:
    """The rows of the two tables of names, and whether they are said to be the same."""
    same, beside = (
        MIGRATING.split("\n### Names\n")[1].split("\n### ")[0].split("beside")
    )
    row = re.compile(r"^\| `(bare\S+)` \| `(bare\S+)` \|$", re.MULTILINE)
    return [
        (older, newer, text is same)
        for text in (same, beside)
        for older, newer in row.findall(text)
    ]


@pytest.mark.parametrize(("older", "newer", "is_same"), older_names())
def test_an_older_name_is_there_and_means_what_the_table_says(
    older: str, newer: str, *, is_same: bool
) -> None:
    first, second = (
        getattr(import_module(module), name)
        for module, name in (each.rsplit(".", 1) for each in (older, newer))
    )
    assert (first is second) == is_same


def test_the_tables_list_every_alias_of_the_core() -> None:
    source = Path(ROOT, "packages/core/src/bareasgi/types.py").read_text("utf-8")
    aliases = re.findall(
        r"^(\w+): TypeAlias", source.split("# The older names")[1], re.MULTILINE
    )
    assert aliases
    listed = {older for older, _, _ in older_names()}
    assert {f"bareasgi.{alias}" for alias in aliases} <= listed


# Changes


class Change(NamedTuple):
    """The lines before and after, as they stand below a heading."""

    before: str
    after: str


def change(heading: str) -> Change:
    section = MIGRATING.split(f"\n## {heading}\n")[-1]
    if section == MIGRATING:
        section = MIGRATING.split(f"\n### {heading}\n")[1]
    section = re.split(r"\n##+ ", section)[0]
    (lines,) = re.findall(r"^```diff\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    kept = [(line[:1], line[1:]) for line in lines.splitlines()]
    before, after = (
        "\n".join(line for mark, line in kept if mark in {"", " ", own}) for own in "-+"
    )
    return Change(before, after)


async def show(scope: Any, info: Any, matches: Any, content: Any) -> Any:
    return bareasgi.text_response(200, None, repr(dict(matches)))


def made_by(lines: str, **names: Any) -> dict[str, Any]:
    """Run lines of the page beside an application, and give all its names."""
    space: dict[str, Any] = {name: getattr(bareasgi, name) for name in bareasgi.__all__}
    space |= {"app": Application(), "show": show, "asyncio": asyncio, **names}
    exec(compile(lines, "migrating.md", "exec"), space)  # noqa: S102
    return space


async def test_a_last_parameter_named_path_takes_the_rest_unless_it_is_a_str() -> None:
    before, after = (
        made_by(lines)["app"] for lines in change("The last parameter named path")
    )
    assert (await http_request(before, "GET", "/files/a/b")).text == "{'path': 'a/b'}"
    assert (await http_request(after, "GET", "/files/a/b")).status == 404
    assert (await http_request(after, "GET", "/files/a")).text == "{'path': 'a'}"


async def test_a_date_that_is_none_does_not_match() -> None:
    for lines in change("Parameters that do not convert"):
        app = made_by(lines)["app"]
        assert (await http_request(app, "GET", "/days/2026-11-22")).text == "Sunday"
        assert (await http_request(app, "GET", "/days/today")).text == "Not Found"
        assert (await http_request(app, "GET", "/days/")).status == 404
    with pytest.raises(bareasgi.ParseError):
        Application().http_router.add({"GET"}, "/{rest:path}/a", show)


async def test_another_method_is_a_405_and_head_is_served_by_get() -> None:
    for lines in change("Other methods, and HEAD"):
        app = made_by(lines)["app"]
        assert (await http_request(app, "HEAD", "/")).status == 200
        refused = await http_request(app, "POST", "/")
        assert refused.status == 405
        assert dict(refused.headers)[b"allow"] == b"GET, HEAD"


async def test_a_middleware_sees_an_exception_and_what_is_outside_does_not() -> None:
    async def fail(scope: Any, info: Any, matches: Any, content: Any) -> Any:
        raise RuntimeError("the reason")

    before, after = change("Exceptions that nobody caught")
    for lines, name, seen in ((before, "reporting", 0), (after, "app", 1)):
        reported: list[Exception] = []
        space = made_by(lines, reported=reported)
        space["app"].http_router.add({"GET"}, "/", fail)
        response = await http_request(space[name], "GET", "/")
        assert (response.status, response.text) == (500, "Internal Server Error")
        assert len(reported) == seen


async def test_both_kinds_of_http_error_are_answers() -> None:
    urllib = types.SimpleNamespace(error=import_module("urllib.error"))
    for lines in change("Errors that are answers"):
        app = made_by(lines, urllib=urllib)["app"]
        response = await http_request(app, "GET", "/private")
        assert (response.status, response.text) == (403, "keep out")


async def test_a_body_over_2_mib_is_read_where_that_is_said() -> None:
    data = bytes(2 * 1024 * 1024 + 1)
    before, after = (made_by(lines)["app"] for lines in change("Large bodies"))
    assert (await http_request(before, "POST", "/", content=data)).status == 413
    response = await http_request(after, "POST", "/", content=data)
    assert (response.status, response.text) == (200, str(len(data)))


async def test_names_of_headers_are_in_lower_case() -> None:
    before, after = (made_by(lines)["app"] for lines in change("Names of headers"))
    assert (await http_request(before, "GET", "/")).status == 500
    assert (await http_request(after, "GET", "/")).text == "hello"


async def test_something_is_called_when_the_response_is_over() -> None:
    calls: list[int] = []

    def count() -> None:
        calls.append(1)

    for expected, lines in enumerate(change("When the response is over")):
        app = made_by(lines, count=count)["app"]
        assert (await http_request(app, "GET", "/")).text == "hello"
        assert len(calls) == expected


async def test_a_token_of_the_handler_cannot_be_used_in_its_body() -> None:
    before, after = change("Context variables in streams")
    app = made_by(before, user=ContextVar[str]("user"))["app"]
    async with http_stream(app, "GET", "/") as stream:
        assert await stream.chunk() == b"ada"
        with pytest.raises(ValueError, match="different Context"):
            await stream.chunk()
    app = made_by(after, user=ContextVar[str]("user"))["app"]
    assert (await http_request(app, "GET", "/")).text == "ada"


@pytest.mark.parametrize("which", ["before", "after"])
async def test_an_empty_message_is_a_message(which: str) -> None:
    lines = getattr(change("Empty messages of WebSockets"), which)
    async with web_socket(made_by(lines)["app"], "/echo") as socket:
        await socket.send("")
        if which == "before":
            assert await socket.receive() is None
            assert socket.code == 1000
        else:
            assert await socket.receive() == ""


async def test_compression_is_in_a_module_of_the_core() -> None:
    async def answer(scope: Any, info: Any, matches: Any, content: Any) -> Any:
        return bareasgi.text_response(200, None, "a" * 1000)

    app = made_by(change("Compression").after)["app"]
    app.http_router.add({"GET"}, "/", answer)
    accepted = [(b"accept-encoding", b"gzip")]
    response = await http_request(app, "GET", "/", headers=accepted)
    assert dict(response.headers)[b"content-encoding"] == b"gzip"


def test_any_origin_with_credentials_fails_when_the_policy_is_made() -> None:
    cors = vars(import_module("bareasgi_cors"))
    before, after = change("CORS")
    with pytest.raises(ValueError, match="credentials"):
        made_by(before, **cors)
    assert len(made_by(after, **cors)["app"].middlewares) == 1


async def test_links_and_dot_files_are_served_where_that_is_said(
    tmp_path: Path,
) -> None:
    (tmp_path / "index.html").write_text("index")
    (tmp_path / ".hidden").write_text("hidden")
    (tmp_path / "link").symlink_to("index.html")
    static = vars(import_module("bareasgi_static"))
    for lines, found in zip(change("Static files"), (404, 200), strict=True):
        app = made_by(lines, folder=tmp_path, **static)["app"]
        assert (await http_request(app, "GET", "/")).text == "index"
        for path in ("/.hidden", "/link"):
            assert (await http_request(app, "GET", path)).status == found


async def test_graphql_is_at_one_path_or_at_the_three_older_ones() -> None:
    schema = build_schema("type Query { hello: String }")
    before, after = change("GraphQL")
    older = changed(before, {"from bareasgi_graphql_next": "from bareasgi_graphql"})
    paths = [
        {route.path for route in made_by(lines, schema=schema)["app"].routes}
        for lines in (older, after)
    ]
    assert {"/graphql", "/subscriptions", "/graphiql"} <= paths[0]
    assert "/graphql" in paths[1]
    assert "/subscriptions" not in paths[1]
    assert made_by(after, schema=schema)["app"].info == {}


async def test_the_label_of_metrics_is_the_route() -> None:
    prometheus = vars(import_module("bareasgi_prometheus"))
    labels = ('path="/users/{id}"', 'route="/users/{id}"')
    for lines, label in zip(change("Metrics"), labels, strict=True):
        app = made_by(lines, **prometheus)["app"]
        app.http_router.add({"GET"}, "/users/{id}", show)
        await http_request(app, "GET", "/users/1")
        assert label in (await http_request(app, "GET", "/metrics")).text


async def test_answers_of_the_client_have_attributes_and_the_older_keys() -> None:
    client = import_module("bareclient")
    app = Application()
    app.http_router.add({"GET"}, "/", show)

    def make(name: str) -> Callable[..., Any]:
        def made(*args: Any, **options: Any) -> Any:
            return getattr(client, name)(*args, transport=AsgiTransport(app), **options)

        return made

    for lines in change("The client"):
        text = "\n    ".join(["async def run():", *lines.splitlines(), "return status"])
        made = {name: make(name) for name in ("Client", "HttpClient")}
        run: Callable[[], Coroutine[Any, Any, int]]
        run = made_by(text, url="http://app/", **made)["run"]
        assert await run() == 200


async def test_a_handler_of_4_says_the_same_as_a_tuple() -> None:
    app = made_by(change("From 4.x").after)["app"]
    assert (await http_request(app, "GET", "/hello/ada")).text == "ada"


# The same service twice


class Asked(NamedTuple):
    """A request, and what is compared of its answers."""

    method: str
    path: str
    body: str | None = None


REQUESTS: Final = (
    Asked("GET", "/notes"),
    Asked("POST", "/notes", '{"text": "see Ada"}'),
    Asked("GET", "/notes?with=Ada"),
    Asked("GET", "/notes/1"),
    Asked("GET", "/notes/2"),
    Asked("GET", "/notes/x"),
    Asked("HEAD", "/notes"),
    Asked("GET", "/export"),
    Asked("DELETE", "/notes"),
    Asked("GET", "/nothing"),
)


def answers(port: int, *, with_errors: bool) -> list[Any]:
    """Ask all of them, and give the answers in a form that does not say whose."""
    return [answer(port, asked, with_errors=with_errors) for asked in REQUESTS]


def answer(port: int, asked: Asked, *, with_errors: bool) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    headers = {} if asked.body is None else {"content-type": "application/json"}
    connection.request(asked.method, asked.path, asked.body, headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    kind = (response.getheader("content-type") or "").partition(";")[0]
    told = [
        response.status,
        response.getheader("location"),
        response.getheader("x-served-by"),
    ]
    if response.status >= 400 and not with_errors:
        return told
    said = json.loads(body) if body and kind == "application/json" else body
    return [*told, kind, said]


def serve_and_ask(
    page: str, title: str, folder: Path, *, with_errors: bool
) -> list[Any]:
    port = free_port()
    source = file(page, title, "py" if title == "flask_app.py" else "python")
    assert "9009" in source
    (folder / title).write_text(source.replace("9009", str(port)), "utf-8")
    with running(sys.executable, title, port=port, cwd=folder):
        if "on_ws_request" in source or "WebSocketRoute" in source:
            asyncio.run(echo(port))
        return answers(port, with_errors=with_errors)


async def echo(port: int) -> None:
    async with (
        asyncio.timeout(DEADLINE),
        connect(f"ws://127.0.0.1:{port}/echo/ada") as socket,
    ):
        await socket.send("hello")
        assert await socket.recv() == "hello"


def test_the_service_of_starlette_and_ours_give_the_same_answers(
    tmp_path: Path,
) -> None:
    theirs, ours = (
        serve_and_ask("from-starlette.md", title, tmp_path, with_errors=True)
        for title in ("starlette_app.py", "app.py")
    )
    assert theirs == ours
    assert [each[0] for each in ours] == [
        200,
        201,
        200,
        200,
        404,
        404,
        200,
        200,
        405,
        404,
    ]


def test_the_service_of_flask_and_ours_give_the_same_answers(tmp_path: Path) -> None:
    library("flask")
    # Errors of Flask are pages.
    theirs, ours = (
        serve_and_ask("from-flask.md", title, tmp_path, with_errors=False)
        for title in ("flask_app.py", "app.py")
    )
    assert theirs == ours
    assert [each[0] for each in ours] == [
        200,
        201,
        200,
        200,
        404,
        404,
        200,
        200,
        405,
        404,
    ]


def test_a_service_of_flask_goes_on_below_a_path(tmp_path: Path) -> None:
    library("flask")
    for title in ("flask_app.py", "app.py"):
        text = file("from-flask.md", title, "py")
        (tmp_path / title).write_text(text, "utf-8")
    check = """
import asyncio
import json
from app import app
from bareasgi.testing import http_request

async def main():
    assert (await http_request(app, "GET", "/notes")).text == "the new notes"
    for path, text in (("notes", '["buy milk"]\\n'), ("export", "buy milk\\n")):
        answer = await http_request(app, "GET", f"/older/{path}")
        assert (answer.status, answer.text) == (200, text)
    for size, status in ((2**20, 201), (2**24, 400)):
        body = json.dumps({"text": "a" * size}).encode()
        headers = [(b"content-type", b"application/json"),
                   (b"content-length", b"%d" % len(body))]
        answer = await http_request(
            app, "POST", "/older/notes", headers=headers, content=body
        )
        assert answer.status == status

asyncio.run(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()


# Tables


def words(page: str) -> list[str]:
    """What the right-hand column of a table of concepts has in code."""
    text = (PAGES / page).read_text("utf-8").split("\n## What is called what\n")[1]
    rows = re.findall(r"^\| (.*) \| (.*) \|$", text, re.MULTILINE)[1:]
    assert len(rows) > 20
    return [code for _, ours in rows for code in re.findall(r"`([^`]+)`", ours)]


@pytest.mark.parametrize("page", ["from-starlette.md", "from-flask.md"])
def test_every_function_that_a_table_names_is_there(page: str) -> None:
    modules = [
        import_module(name)
        for name in (
            *("bareasgi", "bareasgi.compression", "bareasgi_cors", "bareasgi_static"),
            *("bareasgi_jinja2", "bareclient", "urllib.parse", "json"),
        )
    ]
    known = {"header", "encode", "decode", "model_validate_json", "find", "loads"}
    known |= {"receive", "send", "handler", "templates", "generator", "template"}
    for code in words(page):
        for name in re.findall(r"\b([A-Za-z_]\w*)(?=\()", code):
            owners: list[Any] = [*modules, Application]
            assert name in known or any(hasattr(each, name) for each in owners), name
