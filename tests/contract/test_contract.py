"""What every plugin promises: it is run once for each of `PLUGINS`.

The core's own tests run in one process with all of this, after every plugin has been
imported. They hold with the plugins installed because a plugin leaves the core as it
was, which the last part is about.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import distribution, packages_distributions

import pytest
from repository import ROOT

from bareasgi import (
    Application,
    Content,
    Header,
    HttpError,
    HttpResponse,
    Info,
    Message,
    NextHandler,
    RouteMatches,
    Scope,
    WebSocket,
    text_response,
    text_writer,
)
from bareasgi.testing import Stream, http_request, http_stream, lifespan, web_socket

from .plugins import ORIGIN, PLUGINS, Plugin, names_in_the_repository, require

# What a browser sends, so that each plugin finds something to do.
BROWSER: Sequence[Header] = [
    (b"accept", b"text/html, */*;q=0.1"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"origin", ORIGIN.encode()),
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
]
PLAIN_TEXT: Sequence[Header] = [(b"content-type", b"text/plain; charset=utf-8")]


@pytest.fixture(params=PLUGINS, ids=lambda plugin: plugin.name)
def plugin(request: pytest.FixtureRequest) -> Plugin:
    chosen: Plugin = request.param
    require(chosen)
    return chosen


async def greet(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return text_response(200, None, f"hello {matches['name']} of {info['owner']}")


async def echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.accept()
    async for message in web_socket:
        await web_socket.send(message)


def make_app(plugin: Plugin, owner: str = "Ada") -> Application:
    """Make an application with the plugin, and routes that it does not know."""
    app = Application(info={"owner": owner})
    plugin.add_to(app)
    app.http_router.add({"GET"}, "/contract/{name}", greet)
    app.ws_router.add("/contract", echo)
    return app


def parts_of(app: Application) -> list[list[object]]:
    """Give copies of everything in an application that a plugin may add to."""
    return [
        [*app.middlewares],
        [*app.ws_middlewares],
        [*app.startup_handlers],
        [*app.shutdown_handlers],
        [*app.routes],
        [*app.info.items()],
    ]


def test_every_plugin_of_the_repository_is_held_to_the_contract() -> None:
    # If this fails, tests/contract/plugins.py wants a line for a new package.
    assert names_in_the_repository() <= {plugin.name for plugin in PLUGINS}


# --- wiring ---------------------------------------------------------------------------


async def test_it_adds_nothing_to_info_but_its_key(plugin: Plugin) -> None:
    mine = object()
    app = Application(info={"mine": mine})
    plugin.add_to(app)
    expected = {"mine"} if plugin.info_key is None else {"mine", plugin.info_key}
    assert app.info.keys() == expected
    before = dict(app.info)
    async with lifespan(app):
        await http_request(app, "GET", "/contract", headers=BROWSER)
    assert app.info == before
    assert app.info["mine"] is mine


def test_its_middleware_is_the_outermost(plugin: Plugin) -> None:
    async def through(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        return await handler(scope, info, matches, content)

    app = Application(middlewares=[through])
    plugin.add_to(app)
    assert app.middlewares[-1] is through
    assert len(app.middlewares) <= 2


async def test_two_applications_stay_independent(plugin: Plugin) -> None:
    first = Application(info={"owner": "Ada"})
    second = Application(info={"owner": "Bess"})
    untouched = parts_of(second)
    handle = plugin.add_to(first)
    assert parts_of(second) == untouched
    touched = parts_of(first)
    other_handle = plugin.add_to(second)
    assert parts_of(first) == touched
    assert handle is None or handle is not other_handle
    for one, other in zip(first.middlewares, second.middlewares, strict=True):
        assert one is not other

    for app in (first, second):
        app.http_router.add({"GET"}, "/contract/{name}", greet)
    async with lifespan(second):
        async with lifespan(first):
            responses = await asyncio.gather(
                *(
                    http_request(app, "GET", f"/contract/{number}", headers=BROWSER)
                    for number in range(100)
                    for app in (first, second)
                )
            )
        # The other one goes on when one has ended.
        last = await http_request(second, "GET", "/contract/last", headers=BROWSER)
    assert [response.text for response in responses] == [
        f"hello {number} of {owner}"
        for number in range(100)
        for owner in ("Ada", "Bess")
    ]
    assert last.text == "hello last of Bess"


def globals_of(plugin: Plugin) -> dict[tuple[str, str], object]:
    """Give a copy of what the plugin's modules hold in lists, dicts and sets."""
    return {
        (name, key): value.copy()
        for name, module in [*sys.modules.items()]
        if name.partition(".")[0] == plugin.module
        for key, value in vars(module).items()
        if isinstance(value, (list, dict, set)) and not key.startswith("__")
    }


async def test_it_keeps_nothing_in_its_modules(plugin: Plugin) -> None:
    make_app(plugin)
    before = globals_of(plugin)
    app = make_app(plugin)
    async with lifespan(app):
        for path in ("/contract/x", "/missing", "/"):
            await http_request(app, "GET", path, headers=BROWSER)
    assert globals_of(plugin) == before


# --- requests and responses -----------------------------------------------------------


class Chunks:
    """A body that tells what is asked of it. Only its first chunk is ready."""

    def __init__(self) -> None:
        self.times_asked = 0
        self.times_closed = 0
        self.gate = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.times_asked += 1
        match self.times_asked:
            case 1:
                return b"first"
            case 2:
                await self.gate.wait()
                return b"second"
            case _:
                raise StopAsyncIteration

    async def aclose(self) -> None:
        self.times_closed += 1


def streaming(plugin: Plugin, body: Chunks) -> Stream:
    """Ask an application with the plugin for the body."""

    async def stream(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, PLAIN_TEXT, body

    app = make_app(plugin)
    app.http_router.add({"GET"}, "/contract/to/stream", stream)
    return http_stream(app, "GET", "/contract/to/stream", headers=BROWSER)


async def test_the_first_chunk_is_delivered_before_the_second_is_asked_for(
    plugin: Plugin,
) -> None:
    body = Chunks()
    async with streaming(plugin, body) as stream:
        await stream.started()
        assert await stream.chunk() == b"first"
        assert body.times_asked == 1
        body.gate.set()
        assert await stream.chunk() == b"second"
        assert await stream.chunk() == b""
        await stream.finished()
    assert body.times_closed == 1


@pytest.mark.parametrize("end", ["cancel", "leave"])
async def test_what_ends_a_stream_midway_closes_the_inner_body_once(
    plugin: Plugin, end: str
) -> None:
    body = Chunks()
    async with streaming(plugin, body) as stream:
        assert await stream.chunk() == b"first"
        if end == "cancel":
            stream.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stream.finished()
        else:
            stream.leave()
            await stream.finished()
    assert body.times_closed == 1
    assert not body.gate.is_set()


async def test_a_known_body_stays_known(plugin: Plugin) -> None:
    app = make_app(plugin)
    response = await http_request(app, "GET", "/contract/x", headers=BROWSER)
    assert [message["type"] for message in response.messages] == [
        "http.response.start",
        "http.response.body",
    ]
    assert (b"content-length", b"14") in response.headers
    assert response.text == "hello x of Ada"


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"1"),
        (b"vary", b"accept"),
        (b"cache-control", b"no-cache"),
        (b"etag", b'"1"'),
        (b"access-control-allow-origin", b"*"),
    ],
    ids=lambda header: header[0].decode(),
)
async def test_the_header_list_that_a_handler_returned_is_unchanged(
    plugin: Plugin, header: Header
) -> None:
    given: list[Header] = [(b"content-type", b"text/plain"), header]
    before = [*given]

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, given, text_writer("text" * 1_000)

    app = make_app(plugin)
    app.http_router.add({"GET"}, "/contract/to/show", show)
    answers = [
        await http_request(app, "GET", "/contract/to/show", headers=BROWSER)
        for _ in range(3)
    ]
    assert given == before
    for answer in answers:
        assert answer.headers == answers[0].headers


@pytest.mark.parametrize("path", ["/missing", "/", "/contract", "/contract/x/y"])
async def test_unmatched_paths_answer_404_through_it(plugin: Plugin, path: str) -> None:
    response = await http_request(make_app(plugin), "GET", path, headers=BROWSER)
    assert (response.status, response.text) == (404, "Not Found")


async def test_other_methods_answer_405_through_it(plugin: Plugin) -> None:
    app = make_app(plugin)
    response = await http_request(app, "PUT", "/contract/x", headers=BROWSER)
    assert response.status == 405
    assert (b"allow", b"GET, HEAD") in response.headers


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (HttpError(418, "I am a teapot"), 418, "I am a teapot"),
        (ZeroDivisionError("secret"), 500, "Internal Server Error"),
    ],
    ids=["an HttpError", "any other"],
)
async def test_an_exception_is_answered_as_without_it_and_logged_once(
    plugin: Plugin,
    error: Exception,
    status: int,
    text: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise error

    app = make_app(plugin)
    app.http_router.add({"GET"}, "/contract/to/fail", fail)
    response = await http_request(app, "GET", "/contract/to/fail", headers=BROWSER)
    assert (response.status, response.text) == (status, text)
    logged = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == (status == 500)


# --- the other scopes -----------------------------------------------------------------


async def test_shutdown_runs_without_start_up(plugin: Plugin) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    await make_app(plugin)(scope, receive, send)
    assert sent == [{"type": "lifespan.shutdown.complete"}]


async def test_the_lifespan_passes(plugin: Plugin) -> None:
    events: list[str] = []

    async def note(scope: Scope, info: Info, message: Message) -> None:
        events.append(message["type"])

    app = make_app(plugin)
    app.on_startup(note)
    app.on_shutdown(note)
    for _ in range(2):
        # Twice, for a test suite may start one application often.
        async with lifespan(app):
            response = await http_request(app, "GET", "/contract/x", headers=BROWSER)
            assert response.status == 200
    assert events == ["lifespan.startup", "lifespan.shutdown"] * 2


async def test_websockets_pass(plugin: Plugin) -> None:
    app = make_app(plugin)
    async with web_socket(app, "/contract", headers=BROWSER) as socket:
        assert socket.is_accepted
        for message in ("text", b"bytes", ""):
            await socket.send(message)
            assert await socket.receive() == message
    async with web_socket(app, "/missing", headers=BROWSER) as socket:
        assert not socket.is_accepted
        assert socket.response.status == 404


# --- what installing and importing it does --------------------------------------------


def declared(name: str) -> set[str]:
    """Give a distribution and all that it needs, extras left out."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if each not in found:
            found.add(each)
            for requirement in distribution(each).requires or []:
                needed = re.match(r"[\w.-]+", requirement)
                if needed and "extra ==" not in requirement:
                    waiting.append(needed[0])
    return found


def loaded(*lines: str) -> set[str]:
    """Give the top-level modules that a program loads, but for those of Python."""
    lines = (
        *lines,
        "import sys",
        "roots = {name.partition('.')[0] for name in sys.modules}",
        "print(*sorted(roots - sys.stdlib_module_names))",
    )
    printed = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", "\n".join(lines)],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(printed.stdout.split())


def test_it_loads_no_package_that_it_does_not_declare(plugin: Plugin) -> None:
    allowed = declared(plugin.distribution)
    # Whatever an interpreter loads by itself is not the plugin's.
    for module in loaded(f"import {plugin.module}") - loaded():
        owners = packages_distributions().get(module, [])
        names = {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
        assert names & allowed, f"{module} of {names} is loaded and not declared"


def test_it_is_not_loaded_by_being_installed(plugin: Plugin) -> None:
    assert plugin.module not in loaded("import bareasgi, bareasgi.testing")
    found = distribution(plugin.distribution)
    assert {each.group for each in found.entry_points} <= {"console_scripts"}
    folders = {path.parts[0] for path in found.files or []}
    assert {each for each in folders if not each.endswith(".dist-info")} - {".."} == {
        plugin.module
    }


def test_it_leaves_the_core_as_it_was(plugin: Plugin) -> None:
    # In a process of its own, where nobody has imported it before.
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-m", "contract.core_state", plugin.name],
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "support")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert printed.stdout == ""
