"""What an application is made of, and how it takes scopes."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    Message,
    NextHandler,
    RouteMatches,
    Scope,
    text_writer,
)
from bareasgi.basic_router import BasicHttpRouter
from bareasgi.testing import http_request, lifespan


async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, text_writer("hello")


async def through(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    return await handler(scope, info, matches, content)


async def nothing(scope: Scope, info: Info, request: Message) -> None:
    pass


@pytest.mark.parametrize(
    "name", ["middlewares", "startup_handlers", "shutdown_handlers"]
)
@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "filled"])
def test_a_list_that_is_given_is_used_itself(name: str, is_empty: bool) -> None:  # noqa: FBT001
    given: list[Any] = [] if is_empty else [nothing]
    arguments: dict[str, Any] = {name: given}
    app = Application(**arguments)
    assert getattr(app, name) is given


@pytest.mark.parametrize("info", [{}, {"name": "Michael Caine"}], ids=repr)
def test_the_info_that_is_given_is_used_itself(info: dict[str, Any]) -> None:
    assert Application(info=info).info is info


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("middlewares", list),
        ("startup_handlers", list),
        ("shutdown_handlers", list),
        ("info", dict),
    ],
)
def test_what_is_not_given_is_empty_and_its_own(name: str, kind: type[Any]) -> None:
    one, two = Application(), Application()
    assert getattr(one, name) == kind()
    assert getattr(one, name) is not getattr(two, name)
    # It is the live object.
    assert getattr(one, name) is getattr(one, name)


class FalseInfo(dict[str, Any]):
    def __bool__(self) -> bool:
        return False


class FalseRouter(BasicHttpRouter):
    def __bool__(self) -> bool:
        return False


def test_a_false_info_is_used_too() -> None:
    info = FalseInfo(a=1)
    assert Application(info=info).info is info


async def test_a_false_router_is_used_too() -> None:
    router = FalseRouter()
    app = Application(http_router=router)
    assert app.http_router is router
    app.http_router.add({"GET"}, "/", hello)
    assert (await http_request(app, "GET", "/")).text == "hello"


async def test_the_default_router_is_its_own() -> None:
    one, two = Application(), Application()
    one.http_router.add({"GET"}, "/", hello)
    assert isinstance(one.http_router, BasicHttpRouter)
    assert (await http_request(one, "GET", "/")).status == 200
    assert (await http_request(two, "GET", "/")).status == 404


async def test_a_not_found_response_is_for_the_default_router() -> None:
    app = Application(not_found_response=410)
    assert (await http_request(app, "GET", "/")).status == 410


async def test_a_not_found_response_is_not_used_with_a_router() -> None:
    app = Application(http_router=BasicHttpRouter(), not_found_response=410)
    assert (await http_request(app, "GET", "/")).status == 404


def test_all_arguments_are_by_name() -> None:
    make: Any = Application
    with pytest.raises(TypeError):
        make([through])


def test_an_unknown_argument_is_refused() -> None:
    make: Any = Application
    with pytest.raises(TypeError, match="middleware"):
        make(middleware=[through])


@pytest.mark.parametrize(
    "name",
    ["info", "middlewares", "http_router", "startup_handlers", "shutdown_handlers"],
)
def test_the_parts_are_properties_that_cannot_be_replaced(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Application(), name, None)


def decorators(app: Application) -> dict[str, tuple[Callable[[Any], Any], Any]]:
    return {
        "on_http_request": (app.on_http_request({"GET"}, "/"), hello),
        "on_http_request with a name": (
            app.on_http_request({"POST"}, "/", name="it"),
            hello,
        ),
        "on_startup": (app.on_startup, nothing),
        "on_shutdown": (app.on_shutdown, nothing),
    }


@pytest.mark.parametrize("name", decorators(Application()).keys())
def test_a_decorator_returns_the_function_unchanged(name: str) -> None:
    decorate, function = decorators(Application())[name]
    attributes = {**vars(function)}
    assert decorate(function) is function
    assert vars(function) == attributes


async def test_the_decorators_add_in_order() -> None:
    app = Application()
    order: list[str] = []

    def adding(name: str) -> Any:
        async def add(scope: Scope, info: Info, request: Message) -> None:
            order.append(name)

        return add

    for name in ("a", "b"):
        app.on_startup(adding(f"start {name}"))
        app.on_shutdown(adding(f"stop {name}"))
    async with lifespan(app):
        pass
    assert order == ["start a", "start b", "stop a", "stop b"]


async def test_on_http_request_routes_to_the_function() -> None:
    app = Application()

    @app.on_http_request({"GET", "post"}, "/u/{id:int}", name="user")
    async def user(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer(repr(matches))

    assert (await http_request(app, "GET", "/u/5")).text == "{'id': 5}"
    assert (await http_request(app, "POST", "/u/6")).text == "{'id': 6}"
    assert app.url_for("user", id=7) == "/u/7"


async def test_one_function_may_be_decorated_for_several_routes() -> None:
    app = Application()
    handler: HttpHandler = hello
    for path in ("/a", "/b"):
        handler = app.on_http_request({"GET"}, path)(handler)
    for path in ("/a", "/b"):
        assert (await http_request(app, "GET", path)).text == "hello"


async def test_on_http_request_needs_no_router_that_knows_names() -> None:
    class Plain:
        def __init__(self) -> None:
            self.added: list[tuple[Any, ...]] = []

        def add(self, methods: Any, path: str, callback: Any) -> None:
            self.added.append((methods, path, callback))

        def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
            return self.added[0][2], {}

    router: Any = Plain()
    app = Application(http_router=router)
    app.on_http_request({"GET"}, "/")(hello)
    assert router.added == [({"GET"}, "/", hello)]
    assert (await http_request(app, "GET", "/")).text == "hello"


# Scopes.


@pytest.mark.parametrize("kind", ["telnet", "", "HTTP", "http2", None, 5], ids=repr)
async def test_an_unknown_type_of_scope_is_a_value_error_that_names_it(
    kind: Any,
) -> None:
    async def unused(*args: Any) -> Any:
        raise AssertionError(args)

    with pytest.raises(ValueError, match="unknown") as caught:
        await Application()({"type": kind}, unused, unused)
    assert repr(kind) in str(caught.value)


async def test_info_is_one_object_for_everything() -> None:
    info: dict[str, Any] = {}
    seen: list[Any] = []

    async def keep(scope: Scope, info: Info, request: Message) -> None:
        seen.append(info)

    async def middleware(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        seen.append(info)
        return await handler(scope, info, matches, content)

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        seen.append(info)
        return 204

    app = Application(
        info=info,
        middlewares=[middleware],
        startup_handlers=[keep],
        shutdown_handlers=[keep],
    )
    app.http_router.add({"GET"}, "/", handler)
    async with lifespan(app):
        for path in ("/", "/missing"):
            await http_request(app, "GET", path)
    assert len(seen) == 5
    assert all(each is info for each in seen)
    # The framework stores nothing in it.
    assert info == {}


async def test_a_change_of_info_is_seen_by_the_next_request() -> None:
    async def count(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        info["count"] = info.get("count", 0) + 1
        return 200, None, text_writer(str(info["count"]))

    app = Application()
    app.http_router.add({"GET"}, "/", count)
    assert [(await http_request(app, "GET", "/")).text for _ in range(3)] == [
        "1",
        "2",
        "3",
    ]


async def test_requests_are_served_without_lifespan() -> None:
    app = Application(startup_handlers=[nothing])
    app.http_router.add({"GET"}, "/", hello)
    assert (await http_request(app, "GET", "/")).text == "hello"


async def test_an_application_can_be_called_by_keyword() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    app = Application()
    app.http_router.add({"GET"}, "/", hello)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await app(scope=scope, receive=receive, send=send)
    assert sent[0]["status"] == 200


def test_the_application_is_a_coroutine_function_for_servers() -> None:
    # Some servers take anything else for WSGI.

    assert inspect.iscoroutinefunction(Application.__call__)
