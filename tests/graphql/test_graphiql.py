"""GraphiQL without a browser: the page, its files, and where they came from."""

import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import quote, unquote, urljoin

import pytest
from bareutils import header

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.compression import make_default_compression_middleware
from bareasgi.testing import Response, http_request
from bareasgi_graphql.graphiql import graphiql_file, graphiql_response

FOLDER = files("bareasgi_graphql") / "graphiql_files"
VENDORED = FOLDER / "vendored"
MANIFEST = json.loads((VENDORED / "manifest.json").read_text("utf-8"))

NAMES = [
    "graphiql.min.css",
    "graphiql.min.js",
    "react-dom.production.min.js",
    "react.production.min.js",
    "start.css",
    "start.js",
]


async def show_page(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return graphiql_response(scope["path"])


async def show_file(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return graphiql_file(matches["name"], scope)


def app_at(path: str) -> Application:
    app = Application()
    app.http_router.add({"GET"}, path, show_page)
    app.http_router.add({"GET"}, path.rstrip("/") + "/graphiql/{name}", show_file)
    return app


class Page(HTMLParser):
    """What a page refers to, and what in it a strict policy would forbid."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.endpoint = ""
        self.inline: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        given = {name: value or "" for name, value in attrs}
        if tag == "script" or given.get("rel") == "stylesheet":
            self.references.append(given.get("src") or given.get("href", ""))
        if tag == "main":
            self.endpoint = given["data-endpoint"]
        self.inline += [each for each in given if each == "style" or each[:2] == "on"]

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)


async def get(
    app: Application, path: str, *headers: tuple[bytes, bytes], root_path: str = ""
) -> Response:
    extra = {"root_path": root_path} if root_path else {}
    return await http_request(app, "GET", path, headers=headers, scope=extra)


def only(response: Response, name: bytes) -> bytes:
    (value,) = header.find_all(name, response.headers)
    return value


# --- the page -------------------------------------------------------------------------


async def test_the_page_may_do_nothing_but_run_its_own_files() -> None:
    response = await get(app_at("/graphql"), "/graphql")
    assert response.status == 200
    assert only(response, b"content-type") == b"text/html; charset=utf-8"
    assert only(response, b"referrer-policy") == b"no-referrer"
    assert only(response, b"x-content-type-options") == b"nosniff"
    policy = only(response, b"content-security-policy").decode()
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "data:",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert Page(response.text).inline == []


async def test_the_page_is_told_apart_from_other_answers_by_accept() -> None:
    response = await get(app_at("/graphql"), "/graphql")
    assert only(response, b"vary") == b"accept"
    assert only(response, b"cache-control") == b"no-cache"


async def test_nothing_that_a_client_sends_is_in_the_page() -> None:
    app = app_at("/graphql")
    plain = await get(app, "/graphql")
    hostile = "/graphql?query=<script>alert(1)</script>&sdl&a='\""
    sent = [(b"host", b"evil.example"), (b"x-forwarded-prefix", b"/evil")]
    assert (await get(app, hostile, *sent)).body == plain.body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/graphql",
        "/graphql/",
        "/a/b/graphql",
        "/a:b",
        "/né è",
        "/a'b\"<&;>",
        "/a?b#c%d",
    ],
)
@pytest.mark.parametrize("root_path", ["", "/below", "/below/two"])
async def test_whatever_its_path_the_page_finds_its_endpoint_and_its_files(
    path: str, root_path: str
) -> None:
    app = app_at(path)
    response = await get(app, quote(root_path + path), root_path=root_path)
    page = Page(response.text)
    address = "http://host" + quote(root_path + path)
    assert unquote(urljoin(address, page.endpoint)) == f"http://host{root_path}{path}"
    addresses = [urljoin(address, each) for each in page.references]
    assert sorted(each.rpartition("/")[2] for each in addresses) == NAMES
    for each in addresses:
        assert each.startswith("http://host/")
        below = each.removeprefix("http://host")
        assert (await get(app, below, root_path=root_path)).status == 200


async def test_the_page_of_a_mounted_application_finds_its_files() -> None:
    outer = Application()
    outer.mount("/inner", app_at("/"))
    page = Page((await get(outer, "/inner")).text)
    for each in page.references:
        path = urljoin("/inner", each)
        assert path.startswith("/inner/graphiql/")
        assert (await get(outer, path)).status == 200


def test_a_path_that_is_no_unicode_is_no_error() -> None:
    graphiql_response("/\ud800<\udcff")


async def test_the_page_may_be_for_an_endpoint_beside_it() -> None:
    app = Application()

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return graphiql_response("/graphql")

    app.http_router.add({"GET"}, "/api/graphiql", show)
    page = Page((await get(app, "/api/graphiql")).text)
    assert urljoin("/api/graphiql", page.endpoint) == "/api/graphql"
    for each in page.references:
        assert urljoin("/api/graphiql", each).startswith("/api/graphql/graphiql/")


# --- the files ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_is_sent_as_what_it_is(name: str) -> None:
    response = await get(app_at("/graphql"), f"/graphql/graphiql/{name}")
    assert response.status == 200
    kind = b"text/css" if name.endswith(".css") else b"text/javascript"
    assert only(response, b"content-type") == kind + b"; charset=utf-8"
    assert only(response, b"x-content-type-options") == b"nosniff"
    assert only(response, b"content-length") == b"%d" % len(response.body)
    response.body.decode()


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_that_the_client_has_is_not_sent_again(name: str) -> None:
    app = app_at("/")
    first = await get(app, f"/graphiql/{name}")
    etag = only(first, b"etag")
    assert only(first, b"cache-control") == b"no-cache"
    again = await get(app, f"/graphiql/{name}", (b"if-none-match", etag))
    assert (again.status, again.body) == (304, b"")
    assert only(again, b"etag") == etag


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"%b"], 304),
        ([b"W/%b"], 304),
        ([b'"other", %b'], 304),
        ([b'"other"', b"%b"], 304),
        ([b"%b ,"], 304),
        ([b"*"], 304),
        ([], 200),
        ([b""], 200),
        ([b'"other"'], 200),
        ([b"other"], 200),
        ([b"\xff,,,"], 200),
    ],
    ids=str,
)
async def test_any_of_the_tags_of_a_client_counts(
    lines: list[bytes], status: int
) -> None:
    app = app_at("/")
    etag = only(await get(app, "/graphiql/start.js"), b"etag")
    sent = [(b"if-none-match", line.replace(b"%b", etag)) for line in lines]
    assert (await get(app, "/graphiql/start.js", *sent)).status == status


async def test_a_file_that_was_compressed_on_its_way_is_not_sent_again() -> None:
    app = app_at("/")
    app.middlewares.append(make_default_compression_middleware())
    gzip = (b"accept-encoding", b"gzip")
    first = await get(app, "/graphiql/graphiql.min.js", gzip)
    assert only(first, b"content-encoding") == b"gzip"
    known = (b"if-none-match", only(first, b"etag"))
    again = await get(app, "/graphiql/graphiql.min.js", gzip, known)
    assert (again.status, again.body) == (304, b"")


async def test_different_files_have_different_tags() -> None:
    app = app_at("/")
    tags = {only(await get(app, f"/graphiql/{name}"), b"etag") for name in NAMES}
    assert len(tags) == len(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "page.html",
        "manifest.json",
        "react.LICENSE",
        "START.JS",
        "start.js.map",
        "index.umd.js.map",
        "vendored/react.production.min.js",
        "../graphiql.py",
        "/etc/passwd",
        "start.js\x00",
    ],
)
async def test_no_other_file_is_there(name: str) -> None:
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return graphiql_file(name, scope)

    app = Application()
    app.http_router.add({"GET"}, "/", show)
    response = await get(app, "/")
    assert (response.status, response.body) == (404, b"Not Found")


# --- what came from elsewhere ---------------------------------------------------------


@pytest.mark.parametrize("package", MANIFEST, ids=lambda each: each["package"])
def test_the_files_of_others_are_unchanged(
    package: dict[str, list[dict[str, str]]],
) -> None:
    for file in package["files"]:
        content = (VENDORED / file["name"]).read_bytes()
        assert sha256(content).hexdigest() == file["sha256"], file["name"]


def test_each_package_comes_with_its_licence() -> None:
    for package in MANIFEST:
        text = (VENDORED / f"{package['package']}.LICENSE").read_text("utf-8")
        assert text.startswith(f"{package['licence']} License")


def test_there_is_no_file_of_others_but_those_that_are_listed() -> None:
    listed = {file["name"] for package in MANIFEST for file in package["files"]}
    assert {each.name for each in VENDORED.iterdir()} == {*listed, "manifest.json"}


def test_the_styles_refer_to_nothing_outside_of_themselves() -> None:
    for folder, name in ((VENDORED, "graphiql.min.css"), (FOLDER, "start.css")):
        text = (folder / name).read_text("utf-8")
        addresses = re.findall(r"url\(\s*[\"']?(.{0,5})", text)
        assert set(addresses) <= {"data:"}
        assert "@import" not in text
