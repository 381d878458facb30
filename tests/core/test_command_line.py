"""`python -m bareasgi`: the table of routes, and what is wrong with them."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bareasgi import Application, HttpRouter, Route, mw
from bareasgi.__main__ import main
from bareasgi.basic_router import CONVERTERS, BasicHttpRouter, BasicWebSocketRouter
from bareasgi.route_report import problems, remarks, table

HERE = __name__


async def show(scope: Any, info: Any, matches: Any, content: Any) -> int:
    return 204


async def save(scope: Any, info: Any, matches: Any, content: Any) -> int:
    return 204


async def talk(scope: Any, info: Any, matches: Any, web_socket: Any) -> None: ...


async def other_app(scope: Any, receive: Any, send: Any) -> None: ...


class Shop:
    async def show(self, scope: Any, info: Any, matches: Any, content: Any) -> int:
        return 204

    async def __call__(self, scope: Any, info: Any, matches: Any, content: Any) -> int:
        return 204


def routing(*routes: str, app: Application | None = None) -> Application:
    """Make an application of routes such as `GET,POST /path name`."""
    app = Application() if app is None else app
    for text in routes:
        methods, path, *names = text.split(" ")
        if methods == "WEBSOCKET":
            app.on_ws_request(path)(talk)
        elif methods == "MOUNT":
            app.mount(path, other_app)
        else:
            app.http_router.add(methods.split(","), path, show, *names)
    return app


# --- the table ------------------------------------------------------------------------


def test_the_table_tells_method_template_name_and_handler_in_order() -> None:
    app = routing("POST,GET /users users", "GET /users/{id:int}", "WEBSOCKET /talk")
    app.mount("/old", other_app)
    app.http_router.add({"PUT"}, "/é", save, "é")
    assert table(app) == [
        "method     template         name   handler",
        f"GET, POST  /users           users  {HERE}.show",
        f"GET        /users/{{id:int}}  -      {HERE}.show",
        f"PUT        /é               é      {HERE}.save",
        f"WEBSOCKET  /talk            -      {HERE}.talk",
        f"MOUNT      /old             -      {HERE}.other_app",
    ]


def test_the_table_of_no_routes_has_its_headings() -> None:
    assert table(Application()) == ["method  template  name  handler"]


async def middleware(
    scope: Any, info: Any, matches: Any, content: Any, handler: Any
) -> Any: ...


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (show, f"{HERE}.show"),
        (Shop().show, f"{HERE}.Shop.show"),
        (Shop(), f"{HERE}.Shop"),
        (partial(partial(show), info={}), f"{HERE}.show"),
        # The outermost is what the route leads to.
        (mw(middleware, handler=show), f"{HERE}.middleware"),
    ],
    ids=["function", "method", "object", "partial", "mw"],
)
def test_a_handler_is_told_by_the_name_that_the_source_has(
    handler: Any, name: str
) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/", handler)
    assert table(app)[1].endswith(f" {name}")


# --- problems -------------------------------------------------------------------------

REACHED = [
    ["GET /users/me", "GET /users/{id}"],
    ["GET /{id:int}", "GET /{name}"],
    ["GET /{id:int}", "GET /{price:float}"],
    ["GET /{id:int}", "GET /me", "GET /{key:uuid}"],
    ["GET /{day:datetime:%Y}", "GET /{day:datetime:%m}"],
    ["GET /a", "POST /a", "HEAD /a", "WEBSOCKET /a"],
    ["GET /a", "GET /a/"],
    ["GET /a/{x}", "GET /a/", "GET /a", "GET /a/{x}/", "GET /a/{x}/b"],
    ["GET /a/{rest:path}", "GET /a", "GET /b/c"],
    ["GET /a/{x}", "GET /a/{rest:path}"],
    ["GET /{a}/{b}", "GET /{a}/{b}/{c}"],
    ["GET /about", "GET /{path}"],
    ["MOUNT /api", "GET /apis", "GET /", "MOUNT /api/old"],
]


@pytest.mark.parametrize("routes", REACHED, ids=", ".join)
def test_nothing_is_wrong_with_routes_that_can_all_be_reached(
    routes: list[str],
) -> None:
    assert problems(routing(*routes)) == []


EARLIER = "was added before it, and matches all its paths"
HIDDEN = [
    (["GET /a", "GET /a"], f"GET /a ({HERE}.show) {EARLIER}"),
    (["GET /{id}", "GET /{name}"], f"GET /{{id}} ({HERE}.show) {EARLIER}"),
    (["GET /{id}", "GET /me"], f"GET /{{id}} ({HERE}.show) {EARLIER}"),
    (["GET /{id:int}", "GET /12"], f"GET /{{id:int}} ({HERE}.show) {EARLIER}"),
    (["GET /{id}", "GET /{id:int}"], f"GET /{{id}} ({HERE}.show) {EARLIER}"),
    (["GET /{x:float}", "GET /{x:int}"], f"GET /{{x:float}} ({HERE}.show) {EARLIER}"),
    (
        ["GET /a/{x}/{y}", "GET /b", "GET /a/b/{y:int}"],
        f"GET /a/{{x}}/{{y}} ({HERE}.show) {EARLIER}",
    ),
    (["WEBSOCKET /{x}", "WEBSOCKET /a"], f"WEBSOCKET /{{x}} ({HERE}.talk) {EARLIER}"),
    (
        ["GET /{path}", "GET /"],
        f"it is behind the catch-all GET /{{path}} ({HERE}.show)",
    ),
    (
        ["GET /{path}", "GET /a/{x}/b"],
        f"it is behind the catch-all GET /{{path}} ({HERE}.show)",
    ),
    (
        ["GET /a/{all:path}", "GET /a/{x}/{rest:path}"],
        f"it is behind the catch-all GET /a/{{all:path}} ({HERE}.show)",
    ),
    (
        ["GET /a/{all:path}", "GET /a/"],
        f"it is behind the catch-all GET /a/{{all:path}} ({HERE}.show)",
    ),
    (["GET /api", "MOUNT /api"], f"what is mounted at /api ({HERE}.other_app)"),
    (["MOUNT /api", "GET /api/{x}"], f"what is mounted at /api ({HERE}.other_app)"),
    (["MOUNT /a/b", "WEBSOCKET /a/b/c"], f"what is mounted at /a/b ({HERE}.other_app)"),
]


@pytest.mark.parametrize(
    ("routes", "why"), HIDDEN, ids=[", ".join(routes) for routes, _ in HIDDEN]
)
def test_a_route_that_is_never_reached_is_told_with_what_hides_it(
    routes: list[str], why: str
) -> None:
    (problem,) = problems(routing(*routes))
    assert " is never reached: " in problem
    assert why in problem


@pytest.mark.parametrize(
    ("routes", "paths"),
    [
        (["GET /{id}", "GET /me"], ["/me"]),
        (["GET /{path}", "GET /a/b"], ["/a/b"]),
        (["GET /{x:float}", "GET /{x:int}"], ["/1", "/-12", "/" + "9" * 18]),
        (["GET /a/{all:path}", "GET /a/{x}/{rest:path}"], ["/a/b/", "/a/b/c/d"]),
    ],
    ids=repr,
)
def test_the_router_agrees_on_what_is_never_reached(
    routes: list[str], paths: list[str]
) -> None:
    app = routing(*routes)
    first, second = app.routes
    router = app.http_router
    assert second.path in problems(app)[0]
    assert [router.find("GET", path)[2] for path in paths] == [first] * len(paths)


def test_a_route_for_several_methods_is_told_with_those_that_are_hidden() -> None:
    app = routing("GET /{x}", "POST /{y}", "DELETE,GET,POST,PUT /a")
    assert problems(app) == [
        f"GET /a ({HERE}.show) is never reached: GET /{{x}} ({HERE}.show) {EARLIER}",
        f"POST /a ({HERE}.show) is never reached: POST /{{y}} ({HERE}.show) {EARLIER}",
    ]
    app = routing("GET,POST /{x}", "GET,POST /a")
    (problem,) = problems(app)
    assert problem == (
        f"GET, POST /a ({HERE}.show) is never reached:"
        f" GET, POST /{{x}} ({HERE}.show) {EARLIER}"
    )


def test_a_converter_of_the_users_own_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_colour(text: str, _format: str) -> str:
        if text not in {"red", "blue"}:
            raise ValueError(text)
        return text

    monkeypatch.setitem(CONVERTERS, "colour", to_colour)
    app = routing("GET /{x:colour}", "GET /red", "GET /green", "GET /{y:colour}")
    assert [text.split(" (")[0] for text in problems(app)] == [
        "GET /red",
        "GET /{y:colour}",
    ]


def test_many_routes_are_looked_at_in_a_moment() -> None:
    app = routing(*(f"GET /{n}/{{x}}" for n in range(3000)), "GET /{x}/{y}")
    assert problems(app) == []


class OwnRouter(BasicHttpRouter):
    """A router that lets a name be given twice."""

    told: Sequence[Route] = ()

    @property
    def routes(self) -> Sequence[Route]:
        return self.told


def test_a_name_that_is_given_to_several_paths_is_told() -> None:
    router = OwnRouter()
    router.told = [
        Route("/a", "/a", "page", methods=["GET"], handler=show),
        Route("/b", "/b", "page", methods=["GET"], handler=save),
        # One name for one path, by method.
        Route("/c", "/c", "form", methods=["GET"], handler=show),
        Route("/c", "/c", "form", methods=["POST"], handler=save),
    ]
    assert problems(Application(http_router=router)) == [
        f"the name 'page' is given to GET /a ({HERE}.show) and GET /b ({HERE}.save)"
    ]


# --- routers of the user's own --------------------------------------------------------


class Plain:
    """A router that knows nothing of routes as data."""

    def add(self, *arguments: Any) -> None: ...

    def resolve(self, *arguments: Any) -> Any: ...


class FromTheBase(HttpRouter):
    not_found_response = 404

    add = Plain.add

    def resolve(self, method: str, path: str) -> Any: ...


class Telling(Plain):
    routes = (
        Route("<anything>", "<anything>", methods=["GET"], handler=show),
        Route("/{x}", "/{x}", methods=["GET"]),
        Route("/a", "/a", "page", methods=["GET"], handler=show),
    )


class TellingLate(Plain):
    def __init__(self) -> None:
        self.routes = Telling.routes


@pytest.mark.parametrize("make", [Plain, FromTheBase])
def test_a_router_that_does_not_tell_its_routes_is_named(
    make: Callable[[], Any],
) -> None:
    app = Application(http_router=make())
    name = make.__qualname__
    assert remarks(app) == [f"the HTTP router {HERE}.{name} does not tell its routes"]
    assert (table(app)[1:], problems(app)) == ([], [])
    app = Application(ws_router=Plain())  # type: ignore[arg-type]
    assert remarks(app) == [
        f"the WebSocket router {HERE}.Plain does not tell its routes"
    ]


@pytest.mark.parametrize("make", [Telling, TellingLate])
def test_a_router_with_an_order_of_its_own_is_not_judged(
    make: Callable[[], Any],
) -> None:
    app = Application(http_router=make())
    (remark,) = remarks(app)
    assert "has an order of its own" in remark
    assert [line.split()[-1] for line in table(app)[1:]] == [
        f"{HERE}.show",
        "-",
        f"{HERE}.show",
    ]
    assert problems(app) == []


def test_a_template_that_cannot_be_taken_apart_is_passed_over() -> None:
    router = OwnRouter()
    router.told = [
        Route("<anything>", "<anything>", methods=["GET"], handler=show),
        Route("/{x:unknown}", "/{x}", methods=["GET"], handler=show),
        Route("/{x}", "/{x}", methods=["GET"], handler=show),
    ]
    assert problems(Application(http_router=router)) == []


def test_our_own_routers_need_no_remark() -> None:
    app = Application(http_router=OwnRouter(), ws_router=BasicWebSocketRouter())
    assert remarks(app) == []


# --- the command ----------------------------------------------------------------------

SHOP = """
from types import SimpleNamespace

from bareasgi import Application

clean, hidden = Application(), Application()


@clean.on_http_request({"GET"}, "/prices/{fruit}", "price")
async def price(scope, info, matches, content):
    return 204


def make(path="/made"):
    app = Application()
    app.http_router.add({"GET"}, path, price)
    return app


def fail():
    raise OSError("there is no\\ndatabase")


for path in ("/{fruit}", "/plums"):
    hidden.http_router.add({"GET"}, path, price)
services = SimpleNamespace(web=SimpleNamespace(app=make("/in-parts")))
number = 1
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "broken.py").write_text("import shop_that_is_not_there", "utf-8")
    (tmp_path / "ending.py").write_text("raise SystemExit(0)", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("shop", None)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("shop:clean", "/prices/{fruit}"),
        ("shop:make()", "/made"),
        ("shop:services.web.app", "/in-parts"),
    ],
)
def test_routes_prints_the_table(
    target: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["routes", target]) == 0
    printed = capsys.readouterr()
    headings, route = printed.out.splitlines()
    assert headings.split() == ["method", "template", "name", "handler"]
    assert route.split()[:2] == ["GET", path]
    assert route.endswith(" shop.price")
    assert printed.err == ""


@pytest.mark.usefixtures("shop")
def test_check_ends_with_0_when_nothing_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "shop:clean"]) == 0
    assert capsys.readouterr() == ("routes: 1, problems: 0\n", "")


@pytest.mark.usefixtures("shop")
def test_check_ends_with_1_and_a_line_for_each_problem(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "shop:hidden"]) == 1
    problem, summary = capsys.readouterr().out.splitlines()
    assert problem == (
        "GET /plums (shop.price) is never reached: GET /{fruit} (shop.price)"
        " was added before it, and matches all its paths"
    )
    assert summary == "routes: 2, problems: 1"


@pytest.mark.usefixtures("shop")
def test_remarks_go_beside_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Application(http_router=FromTheBase())
    monkeypatch.setattr(sys.modules[HERE], "app", app, raising=False)
    assert main(["check", f"{HERE}:app"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "routes: 0, problems: 0\n"
    assert printed.err.endswith("FromTheBase does not tell its routes\n")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("command", ["routes", "check"])
@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("shop", "must be a module and a name in it: module:app"),
        ("shop:", "module:app"),
        (":clean", "module:app"),
        ("bazaar:app", "ModuleNotFoundError: No module named 'bazaar'"),
        ("shop.py:clean", "'shop' is not a package"),
        ("./shop:clean", "'./shop' is not imported"),
        (".shop:clean", "'.shop' is not imported"),
        ("broken:app", "No module named 'shop_that_is_not_there'"),
        ("ending:app", "SystemExit: 0"),
        ("shop:open", "there is no 'open' in 'shop:open'"),
        ("shop:services.shut.app", "there is no 'shut' in"),
        ("shop:number", "is no bareasgi.Application but int"),
        ("shop:number()", "is no bareasgi.Application but int"),
        ("shop:make", "if it makes one, write 'shop:make()'"),
        ("shop:price()", "'shop:price()' failed: TypeError"),
        ("shop:fail()", "'shop:fail()' failed: OSError: there is no database"),
    ],
)
def test_what_is_no_application_ends_with_2_and_one_line(
    command: str, target: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, target]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert text in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["routes"], ["serve", "a:b"]], ids=repr)
def test_wrong_usage_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m bareasgi")


@pytest.mark.usefixtures("shop")
def test_the_package_runs_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bareasgi", "routes", "shop:clean"])
    monkeypatch.delitem(sys.modules, "bareasgi.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("bareasgi", run_name="__main__")
    assert caught.value.code == 0
    assert "/prices/{fruit}" in capsys.readouterr().out


@pytest.mark.usefixtures("shop")
def test_modules_in_the_working_directory_are_found(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    ended = subprocess.run(
        [sys.executable, "-m", "bareasgi", "check", "shop:hidden"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path.replace(str(tmp_path), "")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert ended.stdout.endswith("routes: 2, problems: 1\n")
