"""Which handler answers which method and path, and what it is told about the route."""

# A time without a zone is what some paths stand for.
# ruff: noqa: DTZ001

import asyncio
import random
import re
import string
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

import pytest

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    HttpRouter,
    Info,
    ParseError,
    Route,
    RouteMatches,
    Scope,
    json_response,
    mw,
    text_reader,
    text_writer,
)
from bareasgi.basic_router import CONVERTERS, BasicHttpRouter, PathDefinition
from bareasgi.testing import Response, http_request, http_stream

LOGGER = "bareasgi.basic_router.http_router"


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


def routed(*templates: str, methods: Iterable[str] = ("GET",)) -> Application:
    """Make an application whose routes answer with their templates."""
    app = Application()
    for template in templates:
        app.http_router.add(methods, template, named(template))
    return app


def fields(response: Response, name: bytes) -> list[bytes]:
    return [value for found, value in response.headers if found == name]


async def answer_of(app: Application, path: str, method: str = "GET") -> str | int:
    """Make a request, and give the body of a 200, or another status."""
    response = await http_request(app, method, path)
    return response.text if response.status == 200 else response.status


# Adding routes.


@pytest.mark.parametrize(
    "methods",
    [{"GET", "POST"}, ["get", "Post"], ("POST", "GET"), frozenset({"GET", "post"})],
)
async def test_methods_are_any_iterable_in_either_case(methods: Iterable[str]) -> None:
    app = routed("/a", methods=methods)
    assert await answer_of(app, "/a") == "/a"
    assert await answer_of(app, "/a", "POST") == "/a"


async def test_methods_may_be_given_by_a_generator() -> None:
    app = routed("/a", methods=(method for method in ("GET", "PUT")))
    assert await answer_of(app, "/a") == "/a"
    assert await answer_of(app, "/a", "PUT") == "/a"


async def test_a_method_of_ones_own_can_be_routed() -> None:
    app = routed("/a", methods={"propfind"})
    assert await answer_of(app, "/a", "PROPFIND") == "/a"


@pytest.mark.parametrize("methods", ["GET", "get,post", ""])
def test_methods_as_a_plain_string_are_refused_with_what_to_write(methods: str) -> None:
    with pytest.raises(TypeError) as caught:
        BasicHttpRouter().add(methods, "/", show)
    assert f"{{{methods!r}}}" in str(caught.value)


@pytest.mark.parametrize(
    "methods", [set(), [], (), iter(())], ids=["set", "list", "tuple", "iterator"]
)
def test_no_methods_are_refused_with_what_to_write(methods: Iterable[str]) -> None:
    with pytest.raises(ValueError, match=r"\{'GET'\}"):
        BasicHttpRouter().add(methods, "/", show)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("foo", ParseError),
        ("", ParseError),
        ("/{", ParseError),
        ("/a{b}", ParseError),
        ("/{}", ParseError),
        ("/{a}/{a}", ParseError),
        ("/{a:path}/b", ParseError),
        ("/a//b", ParseError),
        ("/{a:number}", TypeError),
    ],
)
async def test_a_bad_template_fails_when_it_is_added_and_adds_nothing(
    path: str, error: type[Exception]
) -> None:
    app = Application()
    with pytest.raises(error):
        app.http_router.add({"GET"}, path, show, name="bad")
    app.http_router.add({"GET"}, "/good", show, name="bad")
    assert app.url_for("bad") == "/good"


def test_a_bad_template_fails_in_the_decorator_too() -> None:
    app = Application()
    with pytest.raises(ParseError, match="'/foo'"):
        app.on_http_request({"GET"}, "foo")(show)


async def test_add_route_takes_a_method_and_a_definition() -> None:
    router = BasicHttpRouter()
    router.add_route("get", PathDefinition("/u/{id:int}"), show)
    app = Application(http_router=router)
    assert await answer_of(app, "/u/7") == "{'id': 7}"


async def test_routes_may_be_added_while_serving() -> None:
    app = routed("/a")

    async def add(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        app.http_router.add({"GET"}, "/literal", named("literal"))
        app.http_router.add({"GET"}, "/new/{id}", show)
        return 204

    app.http_router.add({"POST"}, "/add", add)
    assert await answer_of(app, "/literal") == 404
    assert await answer_of(app, "/new/1") == 404
    assert await answer_of(app, "/add", "POST") == 204
    assert await answer_of(app, "/literal") == "literal"
    assert await answer_of(app, "/new/1") == "{'id': '1'}"
    assert await answer_of(app, "/a") == "/a"


# Matching.


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/", "/", "{}"),
        ("/", "", 404),
        ("/foo/bar", "/foo/bar", "{}"),
        ("/foo/bar/", "/foo/bar", 404),
        ("/foo/bar", "/foo/bar/", 404),
        ("/foo", "/FOO", 404),
        ("/foo", "/%66oo", "{}"),
        ("/a b", "/a%20b", "{}"),
        ("/{x}", "/a%2Fb", 404),
        ("/{path}", "/a%2Fb", "{'path': 'a/b'}"),
        ("/{x}", "/%C3%B1", "{'x': 'ñ'}"),
        ("/{id:int}", "/5%0a", 404),
        ("/{id:int}", "/%D9%A3", 404),
        ("/{id:int}", "/1234567890123456789", 404),
        ("/{id:int}", "/+5", 404),
        ("/{x:float}", "/nan", 404),
        ("/{x:float}", "/1e999", 404),
        ("/files/{path}", "/files/a/b/c", "{'path': 'a/b/c'}"),
        ("/files/{path}", "/files/", "{'path': ''}"),
        ("/files/{path}", "/files", 404),
        ("/ui/{rest:path}", "/ui/a/", "{'rest': 'a/'}"),
        ("/files/{path:str}", "/files/a/b", 404),
        ("/{a}/{b}", "//b", 404),
        ("/{a}/{b}", "/a/", 404),
    ],
)
async def test_the_decoded_path_decides(
    template: str, path: str, expected: str | int
) -> None:
    app = Application()
    app.http_router.add({"GET"}, template, show)
    assert await answer_of(app, path) == expected


@pytest.mark.parametrize(
    "path", ["", "*", "a", "http://localhost/a", "a/", "\\a", "?", "{path}"]
)
async def test_a_target_without_a_leading_slash_is_not_found(path: str) -> None:
    app = routed("/", "/a", "/{path}", "/{id}/{rest:path}")
    async with http_stream(app, "GET", "/", scope={"path": path}) as stream:
        await stream.started()
    assert stream.status == 404


@pytest.mark.parametrize(
    ("root_path", "path", "expected"),
    [
        ("", "/api/users/1", 404),
        ("/api", "/api/users/1", "{'id': 1}"),
        ("/api/", "/api/users/1", "{'id': 1}"),
        ("/api", "/users/1", "{'id': 1}"),
        ("/a/b", "/a/b/users/1", "{'id': 1}"),
        ("/api", "/apiusers/1", 404),
        ("/api", "/api/api/users/1", 404),
        ("/API", "/api/users/1", 404),
        ("/users", "/users/1", 404),
        ("/api", "/api", "home"),
        ("/api", "/api/", "home"),
        ("/", "/users/1", "{'id': 1}"),
    ],
)
async def test_the_root_path_is_taken_away_at_a_segment_boundary(
    root_path: str, path: str, expected: str | int
) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/", named("home"))
    app.http_router.add({"GET"}, "/users/{id:int}", show)
    scope = {"root_path": root_path}
    response = await http_request(app, "GET", path, scope=scope)
    found = response.text if response.status == 200 else response.status
    assert found == expected


async def test_the_scope_keeps_its_path_below_a_root_path() -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return json_response(200, None, [scope["root_path"], scope["path"]])

    app = Application()
    app.http_router.add({"GET"}, "/x", answer)
    scope = {"root_path": "/api"}
    response = await http_request(app, "GET", "/api/x", scope=scope)
    assert response.json() == ["/api", "/api/x"]


async def test_a_scope_without_a_root_path_is_served() -> None:
    app = routed("/a")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("nobody reads")

    scope = {"type": "http", "method": "GET", "path": "/a", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 200


# HEAD, 405 and 404.


@pytest.mark.parametrize("template", ["/a/b", "/a/{x}", "/{path}"])
async def test_a_get_route_answers_head_without_the_body(template: str) -> None:
    app = routed(template)
    got = await http_request(app, "GET", "/a/b")
    headed = await http_request(app, "HEAD", "/a/b")
    assert headed.status == 200
    assert headed.headers == got.headers
    assert headed.body == b""


@pytest.mark.parametrize("head", ["/a/b", "/a/{x}"])
@pytest.mark.parametrize("get", ["/a/b", "/a/{x}"])
@pytest.mark.parametrize("order", [1, -1], ids=["HEAD first", "GET first"])
async def test_a_head_route_goes_before_a_get_route(
    head: str, get: str, order: int
) -> None:
    app = Application()
    for method, path in [("HEAD", head), ("GET", get)][::order]:

        async def answer(
            scope: Scope,
            info: Info,
            matches: RouteMatches,
            content: Content,
            method: str = method,
        ) -> HttpResponse:
            return 200, [(b"x-route", method.encode())]

        app.http_router.add({method}, path, answer)
    response = await http_request(app, "HEAD", "/a/b")
    assert fields(response, b"x-route") == [b"HEAD"]


async def test_head_is_answered_by_get_where_the_head_route_does_not_match() -> None:
    app = Application()
    app.http_router.add({"HEAD"}, "/{id:int}", named("head"))
    app.http_router.add({"GET"}, "/{name}", named("get"))
    assert (await http_request(app, "HEAD", "/x")).status == 200


async def test_a_head_route_does_not_answer_get() -> None:
    app = routed("/a", methods={"HEAD"})
    response = await http_request(app, "GET", "/a")
    assert response.status == 405
    assert fields(response, b"allow") == [b"HEAD"]


@pytest.mark.parametrize(
    ("methods", "method", "allow"),
    [
        ({"GET"}, "POST", b"GET, HEAD"),
        ({"POST"}, "GET", b"POST"),
        ({"POST"}, "HEAD", b"POST"),
        ({"PUT", "GET", "DELETE"}, "POST", b"DELETE, GET, HEAD, PUT"),
        ({"GET", "HEAD"}, "POST", b"GET, HEAD"),
        ({"GET"}, "OPTIONS", b"GET, HEAD"),
        ({"OPTIONS", "POST"}, "GET", b"OPTIONS, POST"),
        ({"GET"}, "get", b"GET, HEAD"),
        ({"GET"}, "BREW", b"GET, HEAD"),
    ],
)
@pytest.mark.parametrize("template", ["/a/b", "/{x}/b", "/{path}"])
async def test_other_methods_get_405_and_the_sorted_methods(
    template: str, methods: set[str], method: str, allow: bytes
) -> None:
    app = routed(template, methods=methods)
    response = await http_request(app, "POST", "/a/b", scope={"method": method})
    assert response.status == 405
    assert fields(response, b"allow") == [allow]
    assert fields(response, b"content-type") == [b"text/plain"]
    assert response.body == (b"" if method == "HEAD" else b"Method Not Allowed")


async def test_allow_gathers_the_methods_of_all_routes_that_match() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/a/b", show)
    app.http_router.add({"PUT"}, "/a/{x}", show)
    app.http_router.add({"DELETE"}, "/{path}", show)
    app.http_router.add({"PATCH"}, "/c/{path}", show)
    response = await http_request(app, "POST", "/a/b")
    assert fields(response, b"allow") == [b"DELETE, GET, HEAD, PUT"]


async def test_a_failed_conversion_under_another_method_is_no_405() -> None:
    app = routed("/{id:int}", methods={"POST"})
    assert await answer_of(app, "/x") == 404
    assert await answer_of(app, "/5") == 405


async def test_options_is_not_answered_automatically() -> None:
    app = routed("/a")
    assert await answer_of(app, "/a", "OPTIONS") == 405
    assert await answer_of(app, "/b", "OPTIONS") == 404


async def test_what_is_not_routed_is_404_text_and_the_same_every_time() -> None:
    app = routed("/a")
    for _ in range(3):
        response = await http_request(app, "GET", "/b")
        assert response.status == 404
        assert fields(response, b"content-type") == [b"text/plain"]
        assert fields(response, b"content-length") == [b"9"]
        assert response.body == b"Not Found"


async def test_a_405_is_the_same_every_time() -> None:
    app = routed("/a")
    answers = [await http_request(app, "PUT", "/a") for _ in range(3)]
    assert [answer.body for answer in answers] == [b"Method Not Allowed"] * 3


async def test_misses_are_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    app = routed("/a")
    with caplog.at_level("DEBUG", "bareasgi"):
        await http_request(app, "GET", "/missing\n")
        await http_request(app, "PUT", "/a")
        await http_request(app, "HEAD", "/missing")
    records = [record for record in caplog.records if record.name == LOGGER]
    assert [record.levelname for record in records] == ["DEBUG"] * 3
    assert "'/missing\\n'" in records[0].getMessage()
    assert "PUT" in records[1].getMessage()
    assert "HEAD" in records[2].getMessage()


# not_found_response.


def chunks_once(*chunks: bytes) -> AsyncIterator[bytes]:
    """Make a body that can be read only once."""

    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return body()


class OneShot:
    """An iterator of bytes that counts how often it is begun and closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.closed = 0
        self.is_ended = False

    def __aiter__(self) -> "OneShot":
        return self

    async def __anext__(self) -> bytes:
        assert not self.is_ended, "read again after its end"
        await asyncio.sleep(0)
        if not self.chunks:
            self.is_ended = True
            raise StopAsyncIteration
        return self.chunks.pop(0)

    async def aclose(self) -> None:
        self.closed += 1


class Fresh:
    """A body that can be read any number of times."""

    def __init__(self) -> None:
        self.readings = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.readings += 1
        yield b"fre"
        yield b"sh"


NOT_FOUND: list[tuple[HttpResponse, tuple[int, bytes]]] = [
    (410, (410, b"")),
    ((410,), (410, b"")),
    ((404, [(b"x-a", b"b")]), (404, b"")),
    ((404, None, text_writer("gone")), (404, b"gone")),
    ((404, None, text_writer("gone", chunk_size=1)), (404, b"gone")),
    ((404, None, text_writer("gone"), None), (404, b"gone")),
    ((200, None, Fresh()), (200, b"fresh")),
]


@pytest.mark.parametrize(("response", "expected"), NOT_FOUND)
async def test_the_not_found_response_is_given_to_router_application_or_set(
    response: HttpResponse, expected: tuple[int, bytes]
) -> None:
    assigned = Application()
    assigned.http_router.not_found_response = response
    apps = [
        assigned,
        Application(not_found_response=response),
        Application(http_router=BasicHttpRouter(response)),
    ]
    for app in apps:
        assert app.http_router.not_found_response == response
        for _ in range(2):
            found = await http_request(app, "GET", "/missing")
            assert (found.status, found.body) == expected


async def test_the_not_found_response_may_change_while_serving() -> None:
    app = Application()
    assert await answer_of(app, "/") == 404
    app.http_router.not_found_response = 410
    assert await answer_of(app, "/") == 410
    app.http_router.not_found_response = 200, None, text_writer("home")
    assert await answer_of(app, "/") == "home"


def test_the_default_not_found_response_is_404_text() -> None:
    match BasicHttpRouter().not_found_response:
        case (404, [(b"content-type", b"text/plain")], _):
            pass
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("has_pushes", [False, True])
async def test_a_one_shot_not_found_body_is_whole_every_time(
    has_pushes: bool,  # noqa: FBT001 - of a table
) -> None:
    headers = [(b"x-a", b"b")]
    response: HttpResponse = 404, headers, chunks_once(b"not ", b"here")
    if has_pushes:
        response = (*response, [("/a", [])])
    app = Application(not_found_response=response)
    for _ in range(3):
        found = await http_request(app, "GET", "/missing")
        assert (found.status, found.body) == (404, b"not here")
        assert fields(found, b"x-a") == [b"b"]


async def test_a_one_shot_not_found_body_that_is_empty_stays_so() -> None:
    app = Application(not_found_response=(404, None, chunks_once()))
    for _ in range(2):
        assert (await http_request(app, "GET", "/missing")).body == b""


async def test_simultaneous_first_uses_of_a_one_shot_body_are_all_whole() -> None:
    release = asyncio.Event()
    begun = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        assert not begun.is_set(), "read by two requests"
        begun.set()
        yield b"not "
        await release.wait()
        yield b"here"

    app = Application(not_found_response=(404, None, slowly()))
    async with asyncio.TaskGroup() as group:
        requests = [
            group.create_task(http_request(app, "GET", f"/{number}"))
            for number in range(20)
        ]
        await begun.wait()
        release.set()
    assert {request.result().body for request in requests} == {b"not here"}


async def test_a_cancelled_first_use_of_a_one_shot_body_spoils_no_other() -> None:
    release = asyncio.Event()
    begun = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        begun.set()
        yield b"not "
        await release.wait()
        yield b"here"

    app = Application(not_found_response=(404, None, slowly()))
    async with http_stream(app, "GET", "/first") as first:
        await begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first.finished()
    release.set()
    assert (await http_request(app, "GET", "/second")).body == b"not here"


async def test_a_one_shot_not_found_body_is_closed_once() -> None:
    body = OneShot(b"not ", b"here")
    app = Application(not_found_response=(404, None, body))
    for _ in range(3):
        assert (await http_request(app, "GET", "/missing")).body == b"not here"
    assert body.closed == 1


async def test_head_gets_the_length_of_a_one_shot_not_found_body() -> None:
    app = Application(not_found_response=(404, None, chunks_once(b"not ", b"here")))
    response = await http_request(app, "HEAD", "/missing")
    assert fields(response, b"content-length") == [b"8"]
    assert (await http_request(app, "GET", "/missing")).body == b"not here"


# What handlers and middleware are told.


async def report_route(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    route = scope["route"]
    return json_response(200, None, [route.path, route.path_format])


@pytest.mark.parametrize(
    ("template", "path", "path_format"),
    [
        ("/", "/", "/"),
        ("/users/{id:int}", "/users/5", "/users/{id}"),
        (
            "/on/{day:datetime:%Y-%m-%d}/x/",
            "/on/2020-01-31/x/",
            "/on/{day}/x/",
        ),
        ("/files/{path}", "/files/a/b", "/files/{path}"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_route_is_in_the_scope_as_written_and_without_types(
    template: str, path: str, path_format: str, method: str
) -> None:
    seen: list[Route] = []

    async def watch(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: HttpHandler,
    ) -> HttpResponse:
        seen.append(scope["route"])
        return await handler(scope, info, matches, content)

    app = Application(middlewares=[watch])
    app.http_router.add({"GET"}, template, report_route)
    response = await http_request(app, method, path)
    assert response.status == 200
    if method == "GET":
        assert response.json() == [template, path_format]
    assert isinstance(seen[0], Route)
    assert (seen[0].path, seen[0].path_format) == (template, path_format)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/missing", 404), ("POST", "/a", 405), ("GET", "/5x", 404)],
)
@pytest.mark.parametrize("scope", [{}, {"route": "of an outer framework"}], ids=repr)
async def test_the_route_is_absent_when_nothing_matched(
    method: str, path: str, status: int, scope: dict[str, Any]
) -> None:
    seen: list[bool] = []

    async def watch(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: HttpHandler,
    ) -> HttpResponse:
        seen.append("route" in scope)
        return await handler(scope, info, matches, content)

    app = Application(middlewares=[watch])
    app.http_router.add({"GET"}, "/a", show)
    app.http_router.add({"GET"}, "/{id:int}", show)
    response = await http_request(app, method, path, scope=scope)
    assert response.status == status
    assert seen == [False]


@pytest.mark.parametrize("template", ["/a", "/{x}", "/{path}"])
async def test_matches_are_fresh_for_each_request(template: str) -> None:
    seen: list[int] = []
    kept: list[Any] = []

    async def spoil(
        scope: Scope, info: Info, matches: Any, content: Content
    ) -> HttpResponse:
        seen.append(len(matches))
        matches["spoilt"] = True
        kept.append(matches)
        return 204

    app = Application()
    app.http_router.add({"GET"}, template, spoil)
    for _ in range(3):
        await http_request(app, "GET", "/a")
    assert len(set(seen)) == 1
    assert len({id(matches) for matches in kept}) == 3


async def test_matches_of_a_miss_are_fresh_too() -> None:
    kept: list[Any] = []

    async def spoil(
        scope: Scope,
        info: Info,
        matches: Any,
        content: Content,
        handler: HttpHandler,
    ) -> HttpResponse:
        assert matches == {}
        matches["spoilt"] = True
        kept.append(matches)
        return await handler(scope, info, matches, content)

    app = Application(middlewares=[spoil])
    for _ in range(3):
        assert await answer_of(app, "/missing") == 404


def test_resolve_gives_a_handler_and_the_matches() -> None:
    router = BasicHttpRouter()
    router.add({"GET"}, "/u/{id:int}", show)
    assert router.resolve("GET", "/u/5") == (show, {"id": 5})


async def test_resolve_always_gives_a_handler() -> None:
    router = BasicHttpRouter()
    router.add({"GET"}, "/a", show)
    for method, path, status in [("GET", "/b", 404), ("PUT", "/a", 405)]:
        handler, matches = router.resolve(method, path)
        assert matches == {}
        answer: Any = await handler({}, {}, matches, text_writer(""))
        assert answer[0] == status


def test_find_gives_the_route_as_well() -> None:
    router = BasicHttpRouter()
    router.add({"GET"}, "/u/{id:int}", show, name="user")
    handler, matches, route = router.find("GET", "/u/5")
    assert (handler, matches) == (show, {"id": 5})
    assert route is not None
    assert (route.path, route.path_format) == ("/u/{id:int}", "/u/{id}")
    assert "/u/{id:int}" in repr(route)
    assert router.find("GET", "/u/6")[2] is route
    assert router.find("GET", "/missing")[2] is None


# Warnings at registration.


@pytest.mark.parametrize("template", ["/a/b", "/a/{x:int}", "/a/{path}", "/"])
async def test_the_same_route_twice_is_warned_of_once_and_the_first_wins(
    template: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application()
    app.http_router.add({"GET"}, template, named("first"))
    assert caplog.records == []
    app.http_router.add({"GET"}, template, named("second"))
    assert len(caplog.records) == 1
    (record,) = caplog.records
    assert (record.name, record.levelname) == (LOGGER, "WARNING")
    assert f"GET {template}" in record.getMessage()
    path = template.replace("{x:int}", "5").replace("{path}", "b")
    for _ in range(2):
        assert await answer_of(app, path) == "first"
    assert len(caplog.records) == 1


def test_a_literal_that_an_earlier_template_hides_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = BasicHttpRouter()
    router.add({"GET"}, "/users/{id}", show)
    router.add({"GET"}, "/users/me", show)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "/users/me" in record.getMessage()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/users/me", "/users/{id}"),
        ("/users/{id:int}", "/users/me"),
        ("/users/{id}", "/users/me/"),
        ("/users/{id}", "/users/{id}/posts"),
        ("/a", "/A"),
        ("/{path:str}", "/{path}"),
    ],
)
def test_routes_that_can_both_be_reached_are_not_warned_of(
    first: str, second: str, caplog: pytest.LogCaptureFixture
) -> None:
    router = BasicHttpRouter()
    router.add({"GET"}, first, show)
    router.add({"GET"}, second, show)
    assert caplog.records == []


def test_the_same_path_for_other_methods_is_not_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = BasicHttpRouter()
    router.add({"GET"}, "/a/{x}", show)
    router.add({"POST", "HEAD"}, "/a/{x}", show)
    assert caplog.records == []


# Names.

AT = datetime(2020, 1, 31, 12, 34, 56, tzinfo=UTC)
ID = UUID("123e4567-e89b-12d3-a456-426614174000")

# Template, parameters and path: what is made, and matched again.
MADE: list[tuple[str, dict[str, Any], str]] = [
    ("/", {}, "/"),
    ("/a/b/", {}, "/a/b/"),
    ("/a b", {}, "/a%20b"),
    ("/50%", {}, "/50%25"),
    ("/ñ", {}, "/%C3%B1"),
    ("/{x}", {"x": "bar"}, "/bar"),
    ("/{x}", {"x": "a b"}, "/a%20b"),
    ("/{x}", {"x": "ñ"}, "/%C3%B1"),
    ("/{x}", {"x": "a?b#c%d"}, "/a%3Fb%23c%25d"),
    ("/{x}", {"x": "a\r\nb"}, "/a%0D%0Ab"),
    ("/{x}", {"x": '"<>\\^`{|}'}, "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
    ("/{x}/", {"x": "5"}, "/5/"),
    ("/{x:int}", {"x": 12}, "/12"),
    ("/{x:int}", {"x": -12}, "/-12"),
    ("/{x:int}", {"x": 10**18 - 1}, "/999999999999999999"),
    ("/{x:float}", {"x": 0.1}, "/0.1"),
    ("/{x:float}", {"x": -2.5}, "/-2.5"),
    ("/{x:float}", {"x": 1e-7}, "/1e-07"),
    ("/{x:float}", {"x": 1e22}, "/1e22"),
    ("/{x:float}", {"x": 3}, "/3"),
    ("/{x:datetime:%Y-%m-%d}", {"x": datetime(2020, 1, 31)}, "/2020-01-31"),
    ("/{x:datetime:%H:%M}", {"x": datetime(1900, 1, 1, 12, 30)}, "/12:30"),
    ("/{x:datetime}", {"x": AT.replace(tzinfo=None)}, "/2020-01-31T12:34:56Z"),
    (
        "/{x:datetime}",
        {"x": AT.replace(tzinfo=None, microsecond=1)},
        "/2020-01-31T12:34:56.000001Z",
    ),
    ("/{x:datetime}", {"x": AT}, "/2020-01-31T12:34:56+00:00"),
    ("/{x:uuid}", {"x": ID}, f"/{ID}"),
    ("/{x:path}", {"x": ""}, "/"),
    ("/{x:path}", {"x": "a/b c/"}, "/a/b%20c/"),
    ("/{path}", {"path": "a//b"}, "/a//b"),
    ("/{b}/x/{a:int}", {"a": 1, "b": "c"}, "/c/x/1"),
]


@pytest.mark.parametrize(("template", "params", "path"), MADE)
def test_a_path_is_made_of_a_name_and_parameters_and_matches_again(
    template: str, params: dict[str, Any], path: str
) -> None:
    app = Application()
    app.http_router.add({"GET"}, template, show, name="it")
    assert app.url_for("it", **params) == path
    assert app.http_router.url_for("it", **params) == path
    handler, matches = app.http_router.resolve("GET", unquote(path))
    assert handler is show
    assert matches == params


def test_every_printable_character_makes_a_valid_path_and_comes_back() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{x}/{rest:path}", show, name="it")
    for character in string.printable + "ñ€😀\x00\x7f":
        if character == "/":
            continue
        path = app.url_for("it", x=character, rest=character)
        assert re.fullmatch(r"[!$&'()*+,;=:@~%/A-Za-z0-9._-]+", path), path
        found = app.http_router.resolve("GET", unquote(path))[1]
        assert found == {"x": character, "rest": character}


@pytest.mark.parametrize(
    ("template", "params"),
    [
        ("/{x}", {"x": ""}),
        ("/{x}", {"x": "a/b"}),
        ("/{x}", {"x": "\udcff"}),
        ("/{x:int}", {"x": "five"}),
        ("/{x:int}", {"x": 10**18}),
        ("/{x:int}", {"x": 1.5}),
        ("/{x:int}", {"x": None}),
        ("/{x:float}", {"x": float("nan")}),
        ("/{x:float}", {"x": float("inf")}),
        ("/{x:datetime}", {"x": "yesterday"}),
        ("/{x:datetime:%Y}", {"x": "yesterday"}),
        ("/{x:uuid}", {"x": "1234"}),
    ],
    ids=ascii,
)
def test_a_value_that_would_not_match_is_refused(
    template: str, params: dict[str, Any]
) -> None:
    app = Application()
    app.http_router.add({"GET"}, template, show, name="it")
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the codec says
        app.url_for("it", **params)


@pytest.mark.parametrize(
    "params", [{}, {"id": 1}, {"id": 1, "name": "x", "page": 2}, {"id": 1, "nmae": 2}]
)
def test_missing_and_unknown_parameters_are_refused_with_those_there_are(
    params: dict[str, Any],
) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{id}/{name}", show, name="it")
    with pytest.raises(ValueError, match=r"/\{id\}/\{name\}.*'id', 'name'"):
        app.url_for("it", **params)


def test_an_unknown_name_is_a_lookup_error_that_says_it() -> None:
    with pytest.raises(LookupError, match="'nowhere'"):
        Application().url_for("nowhere")


def test_a_parameter_may_be_called_name() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{name}", show, name="it")
    assert app.url_for("it", name="x") == "/x"


async def test_a_name_that_is_taken_is_refused_and_the_route_not_added() -> None:
    app = Application()
    app.http_router.add({"GET"}, "/a", show, name="it")
    with pytest.raises(ValueError, match=r"'it'.*'/a'"):
        app.http_router.add({"GET"}, "/b", show, name="it")
    assert await answer_of(app, "/b") == 404
    assert app.url_for("it") == "/a"


def test_the_decorator_takes_a_name_too() -> None:
    app = Application()
    app.on_http_request({"GET"}, "/u/{id:int}", name="user")(show)
    assert app.url_for("user", id=5) == "/u/5"


def test_a_type_of_the_users_own_is_made_with_str(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONVERTERS, "colour", lambda text, _: int(text, 16))
    app = Application()
    app.http_router.add({"GET"}, "/{x:colour}", show, name="it")
    assert app.url_for("it", x="ff0000") == "/ff0000"
    with pytest.raises(ValueError, match="red"):
        app.url_for("it", x="red")


# Converters.


@pytest.mark.parametrize(
    "error", [ValueError, OverflowError, ZeroDivisionError, ArithmeticError, TypeError]
)
async def test_a_converter_that_raises_lets_the_next_route_match(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(text: str, form: str) -> Any:
        raise error(text)

    monkeypatch.setitem(CONVERTERS, "picky", refuse)
    app = routed("/a/{x:picky}", "/a/{x}/", "/{path}")
    assert await answer_of(app, "/a/b") == "/{path}"
    only = routed("/a/{x:picky}")
    assert await answer_of(only, "/a/b") == 404


async def test_a_converter_may_match_with_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTERS, "nothing", lambda *_: None)
    app = Application()
    app.http_router.add({"GET"}, "/{x:nothing}", show)
    assert await answer_of(app, "/a") == "{'x': None}"


async def test_two_converters_with_other_formats_are_two_routes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def choose(text: str, form: str) -> str:
        if text not in form.split("|"):
            raise ValueError(text)
        return text.upper()

    monkeypatch.setitem(CONVERTERS, "choice", choose)
    app = Application()
    app.http_router.add({"GET"}, "/{x:choice:a|b}", show)
    app.http_router.add({"GET"}, "/{y:choice:c|d}", show)
    assert await answer_of(app, "/b") == "{'x': 'B'}"
    assert await answer_of(app, "/c") == "{'y': 'C'}"
    assert await answer_of(app, "/e") == 404


async def test_a_bug_in_a_converter_is_logged_and_a_plain_500(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str, form: str) -> Any:
        raise RuntimeError("the database is away")

    monkeypatch.setitem(CONVERTERS, "broken", fail)
    app = routed("/{x:broken}")
    response = await http_request(app, "GET", "/a")
    assert (response.status, response.body) == (500, b"Internal Server Error")
    assert "the database is away" in caplog.text


# Routers of the user's own.


class OlderRouter(HttpRouter):
    """A router that knows nothing of `find`, of names and of `Route`."""

    def __init__(self) -> None:
        self._not_found: HttpResponse = 404

    @property
    def not_found_response(self) -> HttpResponse:
        return self._not_found

    @not_found_response.setter
    def not_found_response(self, value: HttpResponse) -> None:
        self._not_found = value

    def add(
        self,
        methods: Iterable[str],
        path: str,
        callback: HttpHandler,
        name: str | None = None,
    ) -> None:
        raise NotImplementedError

    def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
        return named("older"), {"method": method, "path": path}


class ResolveOnly:
    """An object with one method, and empty besides."""

    def __len__(self) -> int:
        return 0

    def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
        # A new closure each time.
        return named(f"{method} {path}"), {}


class FindOnly:
    """An object that tells the route too."""

    def __init__(self) -> None:
        self.route = Route("/{anything}", "/{anything}")

    def find(
        self, method: str, path: str
    ) -> tuple[HttpHandler, RouteMatches, Route | None]:
        return report_route, {}, self.route


async def test_a_router_that_only_resolves_still_fits() -> None:
    router = OlderRouter()
    app = Application(http_router=router)
    assert app.http_router is router
    assert await answer_of(app, "/a") == "older"
    assert router.find("GET", "/a")[1:] == ({"method": "GET", "path": "/a"}, None)


def test_a_router_without_names_says_so() -> None:
    app = Application(http_router=OlderRouter())
    with pytest.raises(LookupError, match="'it'"):
        app.url_for("it")


@pytest.mark.parametrize("count", [0, 2], ids=["bare", "with middlewares"])
async def test_any_object_that_resolves_is_a_router(count: int) -> None:
    async def through(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: HttpHandler,
    ) -> HttpResponse:
        assert "route" not in scope
        return await handler(scope, info, matches, content)

    router: Any = ResolveOnly()
    app = Application(http_router=router, middlewares=[through] * count)
    assert app.http_router is router
    assert await answer_of(app, "/a") == "GET /a"
    assert await answer_of(app, "/b", "PUT") == "PUT /b"


async def test_a_router_of_ones_own_may_tell_the_route() -> None:
    router: Any = FindOnly()
    app = Application(http_router=router)
    response = await http_request(app, "GET", "/a")
    assert response.json() == ["/{anything}", "/{anything}"]


async def test_a_router_of_ones_own_may_give_new_handlers_with_the_same_route() -> None:
    class Changing:
        route = Route("/", "/")
        count = 0

        def find(
            self, method: str, path: str
        ) -> tuple[HttpHandler, RouteMatches, Route | None]:
            self.count += 1
            return named(str(self.count)), {}, self.route

    async def through(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: HttpHandler,
    ) -> HttpResponse:
        return await handler(scope, info, matches, content)

    router: Any = Changing()
    app = Application(http_router=router, middlewares=[through])
    assert [await answer_of(app, "/") for _ in range(3)] == ["1", "2", "3"]


# Whatever a client sends.


def hostile_application() -> Application:
    app = Application()
    for template in [
        "/",
        "/a",
        "/a/{x}",
        "/i/{x:int}",
        "/f/{x:float}",
        "/d/{x:datetime}",
        "/t/{x:datetime:%Y-%m-%d}",
        "/z/{x:datetime:%H:%M:%S%z}",
        "/u/{x:uuid}",
        "/p/{x}/{rest:path}",
    ]:
        app.http_router.add({"GET", "POST"}, template, show)
    return app


PIECES: Sequence[bytes] = [
    *(bytes([number]) for number in range(256)),
    *[b"/", b"/i/", b"/f/", b"/d/", b"/t/", b"/z/", b"/u/", b"/p/", b"/a/"],
    *[b"1", b"-", b"+", b".", b"e", b"E9", b"9" * 400, b"nan", b"inf", b"_", b":"],
    *[b"2020-01-31", b"T12:34:56", b"Z", b"+00:00", b"12:34:56", b"\n", b"%0a", b"%"],
    *[b"../", b"..%2f", "٣".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"{x}", b"\\"],
]


@pytest.mark.parametrize("seed", range(4))
async def test_no_path_is_answered_with_a_server_error(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = hostile_application()
    chooser = random.Random(seed)  # noqa: S311 - for the same paths each time
    for _ in range(1000):
        raw = b"".join(chooser.choices(PIECES, k=chooser.randint(0, 8)))
        prefix = chooser.choice([b"/", b"/i/", b"/f/", b"/d/", b"/t/", b"/z/", b"/u/"])
        target = quote(prefix + raw, safe="/%?")
        method = chooser.choice(["GET", "HEAD", "POST", "PUT", "OPTIONS"])
        response = await http_request(app, method, target)
        assert response.status < 500, target
        # As a server would decode it that does not replace what is not UTF-8.
        path = (prefix + raw).decode("utf-8", "surrogateescape")
        scope = {"path": path, "query_string": raw}
        response = await http_request(app, method, "/", scope=scope)
        assert response.status < 500, path
    assert caplog.records == []


async def test_a_route_may_have_a_chain_of_its_own() -> None:
    async def shout(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: HttpHandler,
    ) -> HttpResponse:
        response: Any = await handler(scope, info, matches, content)
        return response[0], response[1], text_writer("HEY")

    app = routed("/quiet")
    app.http_router.add({"GET"}, "/loud", mw(shout, handler=named("hey")))
    assert await answer_of(app, "/loud") == "HEY"
    assert await answer_of(app, "/quiet") == "/quiet"


async def test_a_handler_may_be_any_callable_that_gives_an_awaitable() -> None:
    class Counter:
        count = 0

        async def __call__(
            self, scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> HttpResponse:
            self.count += 1
            return 200, None, text_writer(await text_reader(content) + str(self.count))

        async def method(
            self, scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> HttpResponse:
            return 200, None, text_writer("method")

    app = Application()
    counter = Counter()
    app.http_router.add({"GET"}, "/object", counter)
    app.http_router.add({"GET"}, "/method", counter.method)
    assert await answer_of(app, "/object") == "1"
    assert await answer_of(app, "/object") == "2"
    assert await answer_of(app, "/method") == "method"


def test_a_handler_that_cannot_be_called_is_refused_when_it_is_added() -> None:
    router: Any = BasicHttpRouter()
    with pytest.raises(TypeError, match=r"'/a'.*None"):
        router.add({"GET"}, "/a", None)
