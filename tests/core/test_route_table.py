"""Which of many routes wins, and what it costs to find it."""

import random
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_writer,
)
from bareasgi.basic_router import CONVERTERS, BasicHttpRouter, PathDefinition
from bareasgi.testing import http_request


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, text_writer(repr(dict(matches)))


def named(name: str) -> HttpHandler:
    """Make a handler that answers with its name."""

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer(name)

    return answer


def routed(*templates: str) -> Application:
    """Make an application whose routes answer with their templates."""
    app = Application()
    for template in templates:
        app.http_router.add({"GET"}, template, named(template))
    return app


async def answer_of(app: Application, path: str, method: str = "GET") -> str | int:
    """Make a request, and give the body of a 200, or another status."""
    response = await http_request(app, method, path)
    return response.text if response.status == 200 else response.status


# The order of routes.

FIRST_WINS = [
    (["/users/me", "/users/{id}"], "/users/me", "/users/me"),
    (["/users/{id}", "/users/me"], "/users/me", "/users/{id}"),
    (["/users/me", "/users/{id}"], "/users/you", "/users/{id}"),
    (["/{path}", "/a", "/a/b"], "/a/b", "/{path}"),
    (["/a", "/{path}", "/a/b"], "/a", "/a"),
    (["/a", "/{path}", "/a/b"], "/a/b", "/{path}"),
    (["/a/b", "/{path}"], "/a/b", "/a/b"),
    (["/{id:int}", "/{name}"], "/5", "/{id:int}"),
    (["/{id:int}", "/{name}"], "/x", "/{name}"),
    (["/{name}", "/{id:int}"], "/5", "/{name}"),
    (["/{id:int}", "/5"], "/5", "/{id:int}"),
    (["/{id:int}", "/x"], "/x", "/x"),
    (["/a/{x}/c", "/a/b/{y}"], "/a/b/c", "/a/{x}/c"),
    (["/a/b/{y}", "/a/{x}/c"], "/a/b/c", "/a/b/{y}"),
    (["/{x}/b/c", "/a/{path}"], "/a/b/c", "/{x}/b/c"),
    (["/a/{path}", "/{x}/b/c"], "/a/b/c", "/a/{path}"),
    (["/a/{path}", "/a/"], "/a/", "/a/{path}"),
    (["/a/", "/a/{path}"], "/a/", "/a/"),
    (["/{a}/{b:int}", "/{a:int}/{b}"], "/1/2", "/{a}/{b:int}"),
    (["/{a:int}/{b}", "/{a}/{b:int}"], "/1/2", "/{a:int}/{b}"),
    (["/{a:int}/{b}", "/{a}/{b:int}"], "/x/2", "/{a}/{b:int}"),
    (["/{a:int}/x", "/{a}/y", "/{path}"], "/5/y", "/{a}/y"),
    (["/{a:int}/x", "/{a}/y", "/{path}"], "/5/z", "/{path}"),
    (["/x/{a:int}", "/x/{a:float}", "/x/{a}"], "/x/5", "/x/{a:int}"),
    (["/x/{a:int}", "/x/{a:float}", "/x/{a}"], "/x/.5", "/x/{a}"),
    (["/x/{a:float}", "/x/{a:int}"], "/x/5", "/x/{a:float}"),
]


@pytest.mark.parametrize(
    ("templates", "path", "expected"),
    FIRST_WINS,
    ids=[f"{path} of {' '.join(ts)}" for ts, path, _ in FIRST_WINS],
)
async def test_of_the_routes_that_match_the_first_added_wins(
    templates: list[str], path: str, expected: str
) -> None:
    assert await answer_of(routed(*templates), path) == expected


async def test_the_same_route_with_other_parameter_names_loses() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{a}", show)
    app.http_router.add({"GET"}, "/{b}", show)
    assert await answer_of(app, "/x") == "{'a': 'x'}"


async def test_parameter_names_are_those_of_the_route_that_won() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/u/{id:int}/posts", show)
    app.http_router.add({"GET"}, "/u/{user:int}/likes", show)
    assert await answer_of(app, "/u/1/posts") == "{'id': 1}"
    assert await answer_of(app, "/u/1/likes") == "{'user': 1}"


async def test_each_method_has_an_order_of_its_own() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{x}", named("get template"))
    app.http_router.add({"GET", "POST"}, "/a", named("literal"))
    app.http_router.add({"POST"}, "/{x}", named("post template"))
    assert await answer_of(app, "/a", "GET") == "get template"
    assert await answer_of(app, "/a", "POST") == "literal"
    assert await answer_of(app, "/b", "POST") == "post template"


# A second router, as plain as can be: it tries every route in turn.

_PATTERNS = {
    "str": "([^/]+)",
    "int": "(-?[0-9]{1,18})",
    "path": "(.*)",
}


class Oracle:
    """Routes in a list, matched one after another by regular expressions."""

    def __init__(self) -> None:
        self.routes: list[tuple[set[str], str, re.Pattern[str]]] = []

    def add(self, methods: set[str], template: str) -> None:
        parts: list[str] = []
        segments = template[1:].split("/")
        for index, segment in enumerate(segments):
            if segment.startswith("{"):
                name, _, kind = segment[1:-1].partition(":")
                is_last = index == len(segments) - 1
                default = "path" if name == "path" and is_last else "str"
                parts.append(_PATTERNS[kind or default])
            else:
                parts.append(re.escape(segment))
        pattern = re.compile("/" + "/".join(parts), re.DOTALL)
        self.routes.append((methods, template, pattern))

    def _first(self, method: str, path: str) -> str | None:
        for methods, template, pattern in self.routes:
            if method in methods and pattern.fullmatch(path):
                return template
        return None

    def answer(self, method: str, path: str) -> tuple[str | None, list[str]]:
        """Give the template that answers, or else what `allow` lists."""
        found = self._first(method, path)
        if found is None and method == "HEAD":
            found = self._first("GET", path)
        if found is not None:
            return found, []
        allowed = {m for m in ("GET", "POST", "HEAD", "PUT") if self._first(m, path)}
        return None, sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))


def random_template(chooser: random.Random) -> str:
    names = iter("wxyz")
    segments: list[str] = []
    for _ in range(chooser.randint(1, 4)):
        kinds = ["a", "b", "1", "-2", "{}", "{:int}", "{:str}"]
        segments.append(chooser.choice(kinds).replace("{", "{" + next(names)))
    match chooser.random():
        case luck if luck < 0.15:
            segments.append("{path}")
        case luck if luck < 0.25:
            segments.append("{rest:path}")
        case luck if luck < 0.4:
            segments.append("")
        case luck if luck < 0.45:
            return "/"
        case _:
            pass
    return "/" + "/".join(segments)


def random_path(chooser: random.Random) -> str:
    texts = ["a", "b", "1", "-2", "77", "A", "", "1\n", "9" * 19]
    weights = [6, 6, 6, 3, 3, 1, 2, 1, 1]
    return "/" + "/".join(chooser.choices(texts, weights, k=chooser.randint(1, 5)))


@pytest.mark.parametrize("seed", range(8))
async def test_the_router_agrees_with_one_that_tries_every_route(seed: int) -> None:
    chooser = random.Random(seed)  # noqa: S311 - for the same routes each time
    for _ in range(250):
        router, oracle = BasicHttpRouter(), Oracle()
        routes: dict[str, list[str]] = {}
        for _ in range(chooser.randint(1, 12)):
            template = random_template(chooser)
            methods = set(chooser.sample(["GET", "POST", "HEAD", "PUT"], k=2))
            router.add(methods, template, named(template))
            oracle.add(methods, template)
            routes.setdefault(template, []).extend(methods)
        for _ in range(20):
            path = random_path(chooser)
            method = chooser.choice(["GET", "HEAD", "POST", "DELETE"])
            expected, allowed = oracle.answer(method, path)
            handler, matches, route = router.find(method, path)
            problem = f"{method} {path!r} of {routes}"
            assert (route and route.path) == expected, problem
            if expected is None:
                scope: Scope = {"method": method, "path": path, "headers": []}
                answer: Any = await handler(scope, {}, matches, text_writer(""))
                assert answer[0] == (405 if allowed else 404), problem
                allow = [value for name, value in answer[1] if name == b"allow"]
                assert allow == ([", ".join(allowed).encode()] if allowed else [])
            else:
                # The two ways to match a path agree on the values too.
                assert PathDefinition(expected).match(path) == (True, matches), problem


# The cost of a look-up.


def work_of(call: Callable[[], object]) -> int:
    """Count the lines of Python that a call executes."""
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines


SHAPES = {
    "literal": "/r{n}/x",
    "one template each": "/r{n}/{{id:int}}",
    "literal after the parameter": "/{{id:int}}/r{n}",
    "rest of the path": "/r{n}/{{rest:path}}",
    "deep": "/a/b/{{x}}/r{n}/{{y}}/c",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("hit", ["first", "last", "miss", "other method"])
def test_the_cost_of_a_look_up_does_not_grow_with_the_number_of_routes(
    shape: str, hit: str
) -> None:
    def cost(count: int) -> int:
        router = BasicHttpRouter()
        for n in range(count):
            router.add({"GET"}, shape.format(n=n), show)
        number = {"first": 0, "miss": count}.get(hit, count - 1)
        path = re.sub(r"\{[^}]+\}", "5", shape.format(n=number))
        method = "POST" if hit == "other method" else "GET"
        is_found = router.find(method, path)[2] is not None
        assert is_found is (hit in ("first", "last"))
        return work_of(lambda: router.find(method, path))

    assert cost(10_000) == cost(10)


def test_a_converter_shared_by_many_routes_is_called_once_a_look_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def count(text: str, form: str) -> str:
        calls.append(text)
        return text

    monkeypatch.setitem(CONVERTERS, "counted", count)
    router = BasicHttpRouter()
    for number in range(10_000):
        router.add({"GET"}, f"/{{x:counted}}/{number}", show)
        router.add({"GET"}, f"/r{number}/{{x:counted}}", show)
    calls.clear()
    assert router.find("GET", "/value/9999")[1] == {"x": "value"}
    assert calls == ["value"]


def test_a_long_path_with_many_branches_is_searched_in_bounded_work() -> None:
    router = BasicHttpRouter()
    depth = 12
    for number in range(2**6):
        kinds = [("{%c}", "a", "{%c:str}")[(number >> i) % 2] for i in range(6)]
        names = [kind.replace("%c", "pqrstu"[i]) for i, kind in enumerate(kinds)]
        router.add({"GET"}, "/" + "/".join(names) + "/end", show)
    path = "/a" * depth
    work = work_of(lambda: router.find("GET", path))
    assert work < 5_000
