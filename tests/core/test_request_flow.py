"""The way of a plain request: which files it crosses, and what it costs the loop."""

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import bareasgi
from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
    json_response,
    text_writer,
)

assert bareasgi.__file__ is not None
PACKAGE = Path(bareasgi.__file__).parent
MOST_FILES = 6

# The handler calls it, not the framework.
NOT_COUNTED = "streaming.py"


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, [(b"content-type", b"text/plain")], text_writer(repr(matches))


def scope_of(path: str, method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": method,
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "extensions": {},
    }


class Server:
    """Counts what it is asked for, and keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


class Flow:
    """Follows the calls of one request through the files of the package.

    Attributes:
        entries: the files in the order they were entered from another one. Calls into
            one file that follow on each other are one entry, and so is a file that
            goes on when what it called has returned.
    """

    def __init__(self) -> None:
        self.entries: list[str] = []

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event != "call":
            return
        file = file_of(frame)
        if file is None or file in (NOT_COUNTED, calling_file(frame)):
            return
        if self.entries[-1:] != [file]:
            self.entries.append(file)


def calling_file(frame: FrameType) -> str | None:
    """Give the file of the package that is at work when a frame is entered."""
    back = frame.f_back
    while back is not None and file_of(back) is None:
        back = back.f_back
    return back and file_of(back)


def file_of(frame: FrameType) -> str | None:
    """Give a file of the package by its name, and None for any other."""
    path = Path(frame.f_code.co_filename)
    if PACKAGE not in path.parents:
        return None
    relative = path.relative_to(PACKAGE)
    # A folder is one step of the way.
    return f"{relative.parts[0]}/" if len(relative.parts) > 1 else relative.name


async def flow_of(app: Application, scope: dict[str, Any]) -> tuple[list[str], Server]:
    server, flow = Server(), Flow()
    before = sys.getprofile()
    sys.setprofile(flow)
    try:
        await app(scope, server.receive, server.send)
    finally:
        sys.setprofile(before)
    return flow.entries, server


@pytest.fixture
def app() -> Application:
    app = Application()
    app.http_router.add({"GET"}, "/a/{id:int}", show)
    return app


async def test_a_request_crosses_at_most_six_files_each_entered_once(
    app: Application,
) -> None:
    for _ in range(2):
        entries, server = await flow_of(app, scope_of("/a/5"))
        assert server.sent[1]["body"] == b"{'id': 5}"
        assert entries[0] == "application.py"
        assert "basic_router/" in entries
        assert len(entries) == len(set(entries)), f"entered twice: {entries}"
        assert len(entries) <= MOST_FILES, entries


def answers() -> dict[str, HttpResponse]:
    return {
        "int": 204,
        "headers": (200, [(b"x-a", b"1")]),
        "text": (200, None, text_writer("text")),
        "bytes": (200, None, bytes_writer(b"bytes")),
        "nothing": (200, None, bytes_writer(b"")),
        "json": json_response(200, None, {"a": 1}),
    }


@pytest.mark.parametrize("name", answers().keys())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_plain_answer_takes_two_sends_no_receive_and_no_task(
    name: str, method: str
) -> None:
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return answers()[name]

    app = Application()
    app.http_router.add({"GET"}, "/", handler)
    server = Server()
    call = app(scope_of("/", method), server.receive, server.send)
    # Stepped by hand: it ends at the first step, for it never waits for the loop.
    tasks = asyncio.all_tasks()
    with pytest.raises(StopIteration):
        call.send(None)
    assert asyncio.all_tasks() == tasks
    assert server.received == 0
    assert [message["type"] for message in server.sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert server.sent[1].get("more_body", False) is False


def count_tasks(loop: asyncio.AbstractEventLoop) -> list[Any]:
    made: list[Any] = []

    def factory(
        loop: asyncio.AbstractEventLoop, coroutine: Any, **arguments: Any
    ) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **arguments)

    loop.set_task_factory(factory)
    return made


@pytest.mark.parametrize("path", ["/a/5", "/a/x", "/missing"])
async def test_neither_a_hit_nor_a_miss_makes_a_task(
    app: Application, path: str
) -> None:
    loop = asyncio.get_running_loop()
    made = count_tasks(loop)
    try:
        server = Server()
        await app(scope_of(path), server.receive, server.send)
    finally:
        loop.set_task_factory(None)
    assert made == []
    assert server.received == 0
    assert len(server.sent) == 2


async def test_middlewares_add_no_receive_and_no_send() -> None:
    async def through(
        scope: Scope, info: Info, matches: RouteMatches, content: Content, handler: Any
    ) -> HttpResponse:
        response: HttpResponse = await handler(scope, info, matches, content)
        return response

    app = Application(middlewares=[through] * 5)
    app.http_router.add({"GET"}, "/", show)
    server = Server()
    with pytest.raises(StopIteration):
        app(scope_of("/"), server.receive, server.send).send(None)
    assert (server.received, len(server.sent)) == (0, 2)
