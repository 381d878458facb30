"""Middleware runs around every request, and sees full responses."""

from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from bareasgi import (
    Application,
    Content,
    FullHttpResponse,
    Header,
    HttpError,
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    bytes_writer,
    mw,
    text_writer,
)
from bareasgi.testing import Response, http_request

HEADERS: list[Header] = [(b"x-a", b"1")]


async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, text_writer("hello")


def tagged(tag: bytes) -> HttpMiddleware:
    """Make a middleware that adds its tag to the end of each answer's trail."""

    async def add_tag(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        status, headers, body, pushes = await handler(scope, info, matches, content)
        return status, [*headers, (b"x-trail", tag)], body, pushes

    return add_tag


def trail(response: Response) -> list[bytes]:
    """Give the tags, innermost first."""
    return [value for name, value in response.headers if name == b"x-trail"]


def application(*middlewares: HttpMiddleware) -> Application:
    app = Application(middlewares=[*middlewares])
    app.http_router.add({"GET"}, "/", hello)
    return app


async def trail_of(app: Application, path: str = "/") -> list[bytes]:
    return trail(await http_request(app, "GET", path))


# Order and reach.


async def test_the_first_middleware_is_the_outermost() -> None:
    app = application(tagged(b"a"), tagged(b"b"), tagged(b"c"))
    assert await trail_of(app) == [b"c", b"b", b"a"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/missing", 404),
        ("POST", "/", 405),
        ("OPTIONS", "/missing", 404),
    ],
)
async def test_they_run_for_every_request(method: str, path: str, status: int) -> None:
    response = await http_request(application(tagged(b"a")), method, path)
    assert response.status == status
    assert trail(response) == [b"a"]


async def test_they_run_for_requests_below_a_root_path() -> None:
    app = application(tagged(b"a"))
    response = await http_request(app, "GET", "/api/", scope={"root_path": "/api"})
    assert (response.status, trail(response)) == (200, [b"a"])


async def test_a_middleware_may_answer_itself() -> None:
    async def refuse(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        return 403

    app = application(tagged(b"a"), refuse, tagged(b"b"))
    response = await http_request(app, "GET", "/")
    assert (response.status, trail(response)) == (403, [b"a"])


async def test_a_middleware_may_call_its_handler_again() -> None:
    calls: list[int] = []

    async def fail_once(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        calls.append(1)
        return 503 if len(calls) == 1 else 200

    async def retry(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        response = await handler(scope, info, matches, content)
        if response[0] == 503:
            return await handler(scope, info, matches, content)
        return response

    app = Application(middlewares=[retry])
    app.http_router.add({"GET"}, "/", fail_once)
    assert (await http_request(app, "GET", "/")).status == 200
    assert len(calls) == 2


async def test_a_middleware_sees_the_exception_and_may_answer_it() -> None:
    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise HttpError(404, "no such user")

    async def catch(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        try:
            return await handler(scope, info, matches, content)
        except HttpError as error:
            return 200, None, text_writer(f"caught {error.code}")

    app = Application(middlewares=[tagged(b"a"), catch, tagged(b"b")])
    app.http_router.add({"GET"}, "/", fail)
    response = await http_request(app, "GET", "/")
    assert (response.text, trail(response)) == ("caught 404", [b"a"])


# The arguments.


@pytest.mark.parametrize("path", ["/5", "/missing/"])
async def test_a_middleware_gets_five_positional_arguments(path: str) -> None:
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    async def watch(*args: Any, **kwargs: Any) -> HttpResponse:
        seen.append((args, kwargs))
        response: HttpResponse = await args[4](*args[:4])
        return response

    got: list[tuple[Any, ...]] = []

    async def handler(*args: Any) -> HttpResponse:
        got.append(args)
        return 200

    info: dict[str, Any] = {}
    app = Application(middlewares=[watch, watch], info=info)
    app.http_router.add({"GET"}, "/{id:int}", handler)
    await http_request(app, "GET", path)
    for args, kwargs in seen:
        assert len(args) == 5
        assert kwargs == {}
        assert args[1] is info
        assert args[2] == ({"id": 5} if path == "/5" else {})
    # They are the same objects all the way.
    for args in got:
        assert all(a is b for a, b in zip(args, seen[0][0][:4], strict=True))


async def test_a_middleware_may_give_other_arguments_to_its_handler() -> None:
    async def replace(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        user = {**scope, "user": "ada"}
        return await handler(user, {"db": 1}, {"id": 2}, bytes_writer(b"3"))

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        parts = [scope["user"], info, matches, [chunk async for chunk in content]]
        return 200, None, text_writer(repr(parts))

    app = Application(middlewares=[replace])
    app.http_router.add({"GET"}, "/", show)
    response = await http_request(app, "GET", "/")
    assert response.text == "['ada', {'db': 1}, {'id': 2}, [b'3']]"


# Short forms. Whatever is returned inside, a middleware gets four elements.

BODY = bytes_writer(b"body")
PUSHES = [("/push", HEADERS)]

SHORT_FORMS: dict[str, tuple[HttpResponse, FullHttpResponse]] = {
    "int": (204, (204, [], None, None)),
    "enum": (HTTPStatus.NO_CONTENT, (204, [], None, None)),
    "status": ((204,), (204, [], None, None)),
    "headers": ((200, HEADERS), (200, HEADERS, None, None)),
    "no headers": ((200, None), (200, [], None, None)),
    "body": ((200, HEADERS, BODY), (200, HEADERS, BODY, None)),
    "body without headers": ((200, None, BODY), (200, [], BODY, None)),
    "no body": ((200, HEADERS, None), (200, HEADERS, None, None)),
    "pushes": ((200, HEADERS, BODY, PUSHES), (200, HEADERS, BODY, PUSHES)),
    "nothing": ((200, None, None, None), (200, [], None, None)),
    "only pushes": ((200, None, None, PUSHES), (200, [], None, PUSHES)),
}


@pytest.fixture(params=SHORT_FORMS.values(), ids=SHORT_FORMS.keys())
def short(request: pytest.FixtureRequest) -> tuple[HttpResponse, FullHttpResponse]:
    forms: tuple[HttpResponse, FullHttpResponse] = request.param
    return forms


def returning(response: HttpResponse) -> HttpHandler:
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return response

    return handler


def answering(response: HttpResponse) -> HttpMiddleware:
    async def middleware(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        return response

    return middleware


def recording(seen: list[Any]) -> HttpMiddleware:
    async def middleware(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        response = await handler(scope, info, matches, content)
        seen.append(response)
        return response

    return middleware


def assert_is_full(found: Any, expected: FullHttpResponse) -> None:
    assert isinstance(found, tuple)
    assert found == expected
    assert type(found[0]) is int
    # The parts are the very objects that were returned.
    assert found[2] is expected[2]
    assert found[3] is expected[3]
    if expected[1]:
        assert found[1] is expected[1]


async def test_a_short_response_of_a_handler_reaches_middleware_whole(
    short: tuple[HttpResponse, FullHttpResponse],
) -> None:
    seen: list[Any] = []
    app = Application(middlewares=[recording(seen), recording(seen)])
    app.http_router.add({"GET"}, "/", returning(short[0]))
    response = await http_request(app, "GET", "/")
    assert response.status == short[1][0]
    assert len(seen) == 2
    for found in seen:
        assert_is_full(found, short[1])


async def test_a_short_response_of_a_middleware_reaches_the_outer_one_whole(
    short: tuple[HttpResponse, FullHttpResponse],
) -> None:
    seen: list[Any] = []
    app = application(recording(seen), answering(short[0]))
    response = await http_request(app, "GET", "/")
    assert response.status == short[1][0]
    assert_is_full(seen[0], short[1])


async def test_a_short_response_of_the_outermost_middleware_is_sent(
    short: tuple[HttpResponse, FullHttpResponse],
) -> None:
    response = await http_request(application(answering(short[0])), "GET", "/")
    assert response.status == short[1][0]
    assert response.body == (b"body" if short[1][2] is BODY else b"")


async def test_a_short_not_found_response_reaches_middleware_whole(
    short: tuple[HttpResponse, FullHttpResponse],
) -> None:
    seen: list[Any] = []
    app = Application(middlewares=[recording(seen)], not_found_response=short[0])
    await http_request(app, "GET", "/missing")
    assert_is_full(seen[0], short[1])


async def test_the_headers_of_a_405_reach_middleware() -> None:
    seen: list[Any] = []
    app = application(recording(seen))
    await http_request(app, "PUT", "/")
    assert (b"allow", b"GET, HEAD") in seen[0][1]


async def test_headers_may_be_any_sequence() -> None:
    seen: list[Any] = []
    headers = ((b"x-a", b"1"),)
    app = Application(middlewares=[recording(seen)])
    app.http_router.add({"GET"}, "/", returning((200, headers)))
    response = await http_request(app, "GET", "/")
    assert seen[0][1] is headers
    assert (b"x-a", b"1") in response.headers


async def test_a_response_may_be_a_named_tuple() -> None:
    class Answer(NamedTuple):
        status: int
        headers: list[Header]
        body: Any

    seen: list[Any] = []
    app = Application(middlewares=[recording(seen)])
    app.http_router.add({"GET"}, "/", returning(Answer(200, HEADERS, BODY)))
    assert (await http_request(app, "GET", "/")).body == b"body"
    assert_is_full(seen[0], (200, HEADERS, BODY, None))


# Nonsense names whoever returned it.


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "200",
        [200],
        (),
        (200, None, None, None, None),
        ("200",),
        (200.0,),
        (99,),
        (600, None),
        (200, {b"x-a": b"1"}),
        (200, b"x-a: 1"),
        (200, None, b""),
        (200, None, [b"x"]),
    ],
    ids=repr,
)
async def test_a_middleware_that_returns_nonsense_is_named_and_gets_a_500(
    nonsense: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk_nonsense(*args: Any) -> Any:
        return nonsense

    response = await http_request(application(talk_nonsense), "GET", "/")
    assert (response.status, response.body) == (500, b"Internal Server Error")
    (record,) = caplog.records
    assert record.name == "bareasgi.http"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], TypeError)
    assert "talk_nonsense" in str(record.exc_info[1])


@pytest.mark.parametrize("is_list", [True, False], ids=["list", "five parts"])
async def test_the_body_in_a_nonsense_response_is_closed_wherever_it_stands(
    is_list: bool,  # noqa: FBT001 - of a table
) -> None:
    class Closable:
        closed = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b""

        async def aclose(self) -> None:
            self.closed += 1

    body = Closable()
    nonsense: Any = [200, None, body] if is_list else (200, None, body, None, None)
    app = application(answering(nonsense))
    assert (await http_request(app, "GET", "/")).status == 500
    assert body.closed == 1


async def test_a_handler_inside_a_chain_that_returns_nonsense_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def talk_nonsense(*args: Any) -> Any:
        return "nonsense"

    app = Application(middlewares=[tagged(b"a")])
    app.http_router.add({"GET"}, "/", talk_nonsense)
    assert (await http_request(app, "GET", "/")).status == 500
    assert "talk_nonsense" in caplog.text


# Header lists belong to whoever made them.


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    "body",
    [None, text_writer("x"), text_writer("xyz", chunk_size=1)],
    ids=["none", "known", "chunked"],
)
async def test_a_header_list_that_was_returned_is_never_changed(
    count: int, body: Any
) -> None:
    headers: list[Header] = [(b"x-a", b"1")]
    app = Application(middlewares=[tagged(b"a")] * count)
    app.http_router.add({"GET"}, "/", returning((200, headers, body)))
    for method in ("GET", "HEAD", "GET"):
        await http_request(app, method, "/")
    assert headers == [(b"x-a", b"1")]


async def test_empty_headers_of_two_requests_are_not_one_list() -> None:
    async def spoil(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        response: Any = await handler(scope, info, matches, content)
        response[1].append((b"x-spoilt", b"1"))
        return 200, response[1]

    app = Application(middlewares=[spoil])
    app.http_router.add({"GET"}, "/", returning(200))
    for _ in range(2):
        response = await http_request(app, "GET", "/")
        assert [name for name, _ in response.headers].count(b"x-spoilt") == 1


async def test_a_body_passes_through_middleware_as_the_same_object() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    stream = body()
    seen: list[Any] = []
    app = Application(middlewares=[recording(seen), tagged(b"a")])
    app.http_router.add({"GET"}, "/", returning((200, None, stream)))
    assert (await http_request(app, "GET", "/")).body == b"x"
    assert seen[0][2] is stream


# Changes of the list.


CHANGES: dict[str, tuple[Callable[[list[Any]], object], list[bytes]]] = {
    "append": (lambda ms: ms.append(tagged(b"c")), [b"c", b"b", b"a"]),
    "insert": (lambda ms: ms.insert(0, tagged(b"c")), [b"b", b"a", b"c"]),
    "extend": (lambda ms: ms.extend([tagged(b"c")] * 2), [b"c", b"c", b"b", b"a"]),
    "remove": (lambda ms: ms.remove(ms[0]), [b"b"]),
    "pop": (lambda ms: ms.pop(), [b"a"]),
    "delete": (lambda ms: ms.__delitem__(0), [b"b"]),
    "clear": (lambda ms: ms.clear(), []),
    "index": (lambda ms: ms.__setitem__(0, tagged(b"c")), [b"b", b"c"]),
    "slice": (
        lambda ms: ms.__setitem__(slice(0, 2), [tagged(b"c"), tagged(b"d")]),
        [b"d", b"c"],
    ),
    "reverse": (lambda ms: ms.reverse(), [b"a", b"b"]),
    "swap": (lambda ms: ms.__setitem__(slice(None), [ms[1], ms[0]]), [b"a", b"b"]),
    "twice": (lambda ms: ms.append(ms[0]), [b"a", b"b", b"a"]),
}


@pytest.mark.parametrize(
    ("change", "expected"), CHANGES.values(), ids=list(CHANGES.keys())
)
@pytest.mark.parametrize("path", ["/", "/missing"])
async def test_a_change_of_the_list_takes_effect_with_the_next_request(
    change: Callable[[list[Any]], object], expected: list[bytes], path: str
) -> None:
    app = application(tagged(b"a"), tagged(b"b"))
    for _ in range(2):
        assert await trail_of(app, path) == [b"b", b"a"]
    change(app.middlewares)
    for _ in range(2):
        assert await trail_of(app, path) == expected


async def test_a_change_back_and_forth_takes_effect_each_time() -> None:
    app = application(tagged(b"a"))
    for _ in range(3):
        assert await trail_of(app) == [b"a"]
        app.middlewares.append(tagged(b"b"))
        assert await trail_of(app) == [b"b", b"a"]
        app.middlewares.pop()


async def test_a_middleware_that_changes_the_list_changes_the_next_request() -> None:
    app = application()

    async def join(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        app.middlewares.append(tagged(b"late"))
        return await handler(scope, info, matches, content)

    app.middlewares.append(join)
    assert await trail_of(app) == []
    assert await trail_of(app) == [b"late"]


async def test_middlewares_that_are_equal_but_not_the_same_are_told_apart() -> None:
    class Equal:
        def __init__(self, tag: bytes) -> None:
            self.tag = tag

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

        async def __call__(
            self,
            scope: Scope,
            info: Info,
            matches: RouteMatches,
            content: Content,
            handler: NextHandler,
        ) -> HttpResponse:
            return await tagged(self.tag)(scope, info, matches, content, handler)

    app = application(Equal(b"a"))
    assert await trail_of(app) == [b"a"]
    app.middlewares[0] = Equal(b"b")
    assert await trail_of(app) == [b"b"]


async def test_a_handler_of_two_applications_has_a_chain_in_each() -> None:
    one, two = application(tagged(b"one")), application(tagged(b"two"))
    for _ in range(2):
        assert await trail_of(one) == [b"one"]
        assert await trail_of(two) == [b"two"]


async def test_a_router_of_two_applications_serves_both_with_their_middlewares() -> (
    None
):
    one = application(tagged(b"one"))
    two = Application(http_router=one.http_router, middlewares=[tagged(b"two")])
    for _ in range(2):
        assert await trail_of(one) == [b"one"]
        assert await trail_of(two) == [b"two"]


# mw.


async def test_mw_wraps_one_handler_the_first_outermost() -> None:
    app = Application(middlewares=[tagged(b"global")])
    handler = mw(tagged(b"a"), tagged(b"b"), handler=hello)
    app.http_router.add({"GET"}, "/", handler)
    assert await trail_of(app) == [b"b", b"a", b"global"]
    assert await trail_of(app, "/missing") == [b"global"]


async def test_a_short_response_of_an_inner_chain_reaches_middleware_whole(
    short: tuple[HttpResponse, FullHttpResponse],
) -> None:
    seen: list[Any] = []
    app = Application()
    chains = [
        mw(recording(seen), handler=mw(handler=returning(short[0]))),
        mw(recording(seen), answering(short[0]), handler=hello),
        mw(recording(seen), handler=mw(answering(short[0]), handler=hello)),
    ]
    for number, handler in enumerate(chains):
        app.http_router.add({"GET"}, f"/{number}", handler)
        response = await http_request(app, "GET", f"/{number}")
        assert response.status == short[1][0]
        assert_is_full(seen.pop(), short[1])


async def test_a_short_response_of_a_chain_is_sent(
    short: tuple[HttpResponse, FullHttpResponse],
) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/a", mw(handler=returning(short[0])))
    app.http_router.add({"GET"}, "/b", mw(answering(short[0]), handler=hello))
    for path in ("/a", "/b"):
        response = await http_request(app, "GET", path)
        assert response.status == short[1][0]
        assert response.body == (b"body" if short[1][2] is BODY else b"")


async def test_mw_can_be_nested() -> None:
    inner = mw(tagged(b"b"), handler=hello)
    app = Application()
    app.http_router.add({"GET"}, "/", mw(tagged(b"a"), handler=inner))
    assert await trail_of(app) == [b"b", b"a"]


def test_mw_wants_its_handler_by_name() -> None:
    call: Any = mw
    with pytest.raises(TypeError, match="handler"):
        call(tagged(b"a"), hello)
