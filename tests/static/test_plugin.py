"""What is added to an application, and what is refused at once."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    HttpRouter,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
)
from bareasgi.testing import http_request
from bareasgi_static import (
    StaticFilesProvider,
    add_static,
    add_static_file_provider,
    static_handler,
)

from .trees import write


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(tmp_path / "index.html", "home")
    write(tmp_path / "a.css", "p {}")
    return tmp_path


async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, [(b"content-type", b"text/plain")], bytes_writer(b"hello")


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/static", "/static"), ("/static/", "/static"), ("/a/b", "/a/b"), ("/", "")],
)
async def test_files_are_served_below_the_path(
    path: str, prefix: str, site: Path
) -> None:
    app = Application()
    add_static(app, site, path=path)
    assert (await http_request(app, "GET", f"{prefix}/a.css")).text == "p {}"
    assert (await http_request(app, "GET", f"{prefix}/")).text == "home"
    if prefix:
        redirect = await http_request(app, "GET", prefix)
        assert redirect.status == 307
        assert (b"location", f"{prefix}/".encode()) in redirect.headers


async def test_only_the_routers_are_touched(site: Path) -> None:
    app = Application()
    assert add_static(app, str(site)) is None  # type: ignore[func-returns-value]
    assert app.info == {}
    assert app.middlewares == []
    assert app.startup_handlers == app.shutdown_handlers == []


async def test_routes_that_were_added_before_win(site: Path) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/a.css", hello)
    add_static(app, site, path="/")
    assert (await http_request(app, "GET", "/a.css")).text == "hello"
    assert (await http_request(app, "GET", "/index.html")).text == "home"


async def test_a_name_makes_addresses(site: Path) -> None:
    app = Application()
    add_static(app, site, name="static")
    assert app.url_for("static", path="a.css") == "/static/a.css"
    assert app.url_for("static", path="b c/d.css") == "/static/b%20c/d.css"


async def test_two_roots_in_one_application_do_not_meet(tmp_path: Path) -> None:
    app = Application()
    for name in ("one", "two"):
        write(tmp_path / name / "a.css", name)
        add_static(app, tmp_path / name, path=f"/{name}", name=name)
    for name in ("one", "two"):
        assert (await http_request(app, "GET", f"/{name}/a.css")).text == name


async def test_what_is_not_there_is_the_routers_answer_of_the_moment(
    site: Path,
) -> None:
    app = Application()
    add_static(app, site)
    assert (await http_request(app, "GET", "/static/x")).text == "Not Found"
    app.http_router.not_found_response = 404, [(b"x-a", b"1")], bytes_writer(b"gone")
    for path in ("/static/x", "/static/../x", "/static/.env", "/elsewhere"):
        response = await http_request(app, "GET", path)
        assert (response.status, response.body) == (404, b"gone"), path
        assert (b"x-a", b"1") in response.headers


async def test_an_answer_that_can_be_read_once_is_complete_each_time(
    site: Path,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"not "
        yield b"here"

    app = Application(not_found_response=(404, [], body()))
    add_static(app, site)
    for path in ("/static/x", "/elsewhere", "/static/../x"):
        response = await http_request(app, "GET", path)
        assert (response.status, response.body) == (404, b"not here"), path


async def test_a_router_of_the_users_own_will_do(site: Path) -> None:
    class Router:
        """Knows no names, and looks at the beginning of a path."""

        def __init__(self) -> None:
            self.not_found_response: HttpResponse = 404
            self.routes: dict[str, HttpHandler] = {}

        def add(self, methods: Any, path: str, callback: HttpHandler) -> None:
            self.routes[path.partition("{")[0]] = callback

        def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
            for prefix, handler in self.routes.items():
                if path.startswith(prefix) and prefix.endswith("/"):
                    return handler, {"path": path.removeprefix(prefix)}
            return self.miss, {}

        async def miss(
            self, scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> HttpResponse:
            return self.not_found_response

    router: Any = Router()
    given: HttpRouter = router
    app = Application(http_router=given)
    add_static(app, site)
    assert (await http_request(app, "GET", "/static/a.css")).text == "p {}"
    assert (await http_request(app, "GET", "/static/x")).status == 404


# --- mistakes of the developer --------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": "static"}, ValueError, "must begin with '/'"),
        ({"index": "docs/index.html"}, ValueError, "index must be the name of a file"),
        ({"index": ""}, ValueError, "index must be the name of a file"),
        ({"index": ".."}, ValueError, "index must be the name of a file"),
        ({"cache_control": 60}, TypeError, "cache_control must be a str"),
        ({"cache_control": b"a"}, TypeError, "cache_control must be a str"),
        ({"cache_control": "a\r\nb"}, ValueError, "must be printable ASCII"),
        ({"cache_control": ""}, ValueError, "must be printable ASCII"),
        ({"immutable": "("}, re.error, "missing"),
        ({"fallback": "nothing.html"}, ValueError, "there is no file 'nothing.html'"),
        ({"fallback": "../a.css"}, ValueError, "must be the path of a file"),
        ({"fallback": "/a.css"}, ValueError, "must be the path of a file"),
        ({"fallback": "docs/"}, ValueError, "must be the path of a file"),
        ({"fallback": ""}, ValueError, "must be the path of a file"),
        ({"precompressed": "br"}, TypeError, r"write \('br',\)"),
        ({"precompressed": ["deflate"]}, ValueError, "'br', 'zstd', 'gzip'"),
        ({"memory": -1}, ValueError, "must be 0, for none, or more"),
    ],
    ids=str,
)
def test_a_mistake_is_an_error_that_says_what_to_write(
    options: dict[str, Any], error: type[Exception], message: str, site: Path
) -> None:
    app = Application()
    with pytest.raises(error, match=message):
        add_static(app, site, **options)


def test_a_folder_as_the_fallback_is_an_error(site: Path) -> None:
    write(site / "docs" / "index.html", "docs")
    (site / "empty").mkdir()
    for name in ("docs", "empty"):
        with pytest.raises(ValueError, match="there is no file"):
            add_static(Application(), site, fallback=name)


def test_a_missing_root_is_an_error(site: Path) -> None:
    for root in (site / "nothing", str(site / "a.css")):
        with pytest.raises(NotADirectoryError, match="there is no folder"):
            add_static(Application(), root)
        with pytest.raises(NotADirectoryError):
            static_handler(root)
        with pytest.raises(NotADirectoryError):
            add_static_file_provider(Application(), root)
    with pytest.raises(ModuleNotFoundError):
        add_static(Application(), ("no_such_package_at_all", "assets"))


async def test_a_relative_root_stays_the_same_folder(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.parent)
    app = Application()
    add_static(app, site.name)
    monkeypatch.chdir("/")
    assert (await http_request(app, "GET", "/static/a.css")).text == "p {}"


# --- the older names ------------------------------------------------------------------


async def test_the_older_function_serves_from_the_root_and_without_an_index(
    site: Path,
) -> None:
    app = Application()
    add_static_file_provider(app, str(site))
    assert (await http_request(app, "GET", "/a.css")).text == "p {}"
    assert (await http_request(app, "GET", "/")).status == 404
    mounted = Application()
    add_static_file_provider(
        mounted, site, mount_point="/ui", index_filename="index.html"
    )
    assert (await http_request(mounted, "GET", "/ui/")).text == "home"
    assert (await http_request(mounted, "GET", "/ui")).status == 307
    assert (await http_request(mounted, "GET", "/ui/nothing")).text == "Not Found"


async def test_the_older_function_takes_a_folder_that_is_made_later(
    site: Path,
) -> None:
    app = Application()
    add_static_file_provider(app, site / "later", check_source_folder=False)
    assert (await http_request(app, "GET", "/b.css")).status == 404
    write(site / "later" / "b.css", "b {}")
    assert (await http_request(app, "GET", "/b.css")).text == "b {}"


async def test_the_older_class_is_a_handler(site: Path) -> None:
    app = Application()
    provider = StaticFilesProvider(str(site), index_filename="index.html")
    app.http_router.add({"GET"}, "/a/{rest:path}", provider)
    named = StaticFilesProvider(site, path_variable="file")
    app.http_router.add({"GET"}, "/b/{file}/{version}", named)
    assert (await http_request(app, "GET", "/a/a.css")).text == "p {}"
    assert (await http_request(app, "GET", "/a/")).text == "home"
    assert (await http_request(app, "GET", "/a/x")).status == 404
    assert (await http_request(app, "GET", "/b/a.css/1")).text == "p {}"
