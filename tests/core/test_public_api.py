"""The names that programs import, and what importing them costs."""

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import bareasgi

NAMES = {
    "Application",
    # readers and writers
    "bytes_reader",
    "text_reader",
    "bytes_writer",
    "text_writer",
    "after_body",
    "event_stream",
    "Event",
    "EVENT_STREAM_HEADERS",
    # what some servers can do
    "early_hints",
    "with_path",
    "with_trailers",
    # cookies
    "decode_cookies",
    "decode_set_cookie",
    "encode_cookies",
    "encode_set_cookie",
    # origins
    "same_origin",
    # responses
    "bytes_response",
    "text_response",
    "json_response",
    "error_response",
    # middleware
    "mw",
    # types
    "Body",
    "Content",
    "FullHttpResponse",
    "Header",
    "Headers",
    "HttpHandler",
    "HttpMiddleware",
    "HttpResponse",
    "HttpRouter",
    "Info",
    "LifespanHandler",
    "Message",
    "NextHandler",
    "Push",
    "Pushes",
    "Receive",
    "Route",
    "RouteMatches",
    "Scope",
    "Send",
    "WebSocket",
    "WebSocketHandler",
    "WebSocketMiddleware",
    "WebSocketRouter",
    # their older names
    "HttpChainedCallback",
    "HttpFullResponse",
    "HttpMiddlewareCallback",
    "HttpRequestCallback",
    "PushResponse",
    "PushResponses",
    "WebSocketMiddlewareCallback",
    "WebSocketRequestCallback",
    # errors
    "ContentTooLarge",
    "HttpDisconnectError",
    "WebSocketInternalError",
    "HttpError",
    "HttpInternalError",
    "ParseError",
}

ELSEWHERE = [
    ("bareasgi.middleware", "mw"),
    ("bareasgi.basic_router", "BasicHttpRouter"),
    ("bareasgi.basic_router", "PathDefinition"),
    ("bareasgi.basic_router", "PathSegment"),
    ("bareasgi.basic_router", "CONVERTERS"),
    ("bareasgi.testing", "http_request"),
    ("bareasgi.testing", "http_stream"),
    ("bareasgi.basic_router", "BasicWebSocketRouter"),
    ("bareasgi.testing", "lifespan"),
    ("bareasgi.testing", "web_socket"),
    ("bareasgi.compression", "CompressionMiddleware"),
    ("bareasgi.testing", "checked"),
]

ALIASES = {
    "PushResponse": "Push",
    "PushResponses": "Pushes",
    "HttpFullResponse": "FullHttpResponse",
    "HttpRequestCallback": "HttpHandler",
    "HttpChainedCallback": "NextHandler",
    "HttpMiddlewareCallback": "HttpMiddleware",
    "WebSocketRequestCallback": "WebSocketHandler",
    "WebSocketMiddlewareCallback": "WebSocketMiddleware",
}


def run(program: str) -> Any:
    """Run a program in an interpreter of its own, and read the JSON that it prints."""
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        capture_output=True,
        text=True,
    )
    assert completed.stderr == ""
    return json.loads(completed.stdout)


def test_the_public_names_are_these() -> None:
    assert set(bareasgi.__all__) == NAMES
    assert len(bareasgi.__all__) == len(NAMES)


def test_every_name_that_is_there_is_public_or_a_module() -> None:
    found = {name for name in vars(bareasgi) if not name.startswith("_")}
    others = {name: getattr(bareasgi, name) for name in found - NAMES}
    assert [n for n, v in others.items() if not isinstance(v, types.ModuleType)] == []


@pytest.mark.parametrize(("module", "name"), ELSEWHERE)
def test_names_that_programs_import_from_their_modules(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_mw_is_one_function_wherever_it_is_imported_from() -> None:
    assert importlib.import_module("bareasgi.middleware").mw is bareasgi.mw


@pytest.mark.parametrize(("older", "name"), ALIASES.items())
def test_an_older_name_is_the_same_object(older: str, name: str) -> None:
    assert getattr(bareasgi, older) is getattr(bareasgi, name)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_function_and_class_says_what_it_is(name: str) -> None:
    value = getattr(bareasgi, name)
    if isinstance(value, (type, types.FunctionType)):
        assert value.__doc__
        assert value.__module__.startswith("bareasgi.")


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("HttpError", ("HTTPError", "OSError", "Exception")),
        ("ContentTooLarge", ("HttpError", "HTTPError")),
        ("ParseError", ("ValueError", "Exception")),
        ("HttpInternalError", ("Exception",)),
        ("HttpDisconnectError", ("Exception",)),
    ],
)
def test_the_errors_are_subclasses_of(name: str, bases: tuple[str, ...]) -> None:
    found = {base.__name__ for base in getattr(bareasgi, name).__mro__[1:]}
    assert found >= set(bases)


@pytest.mark.parametrize("name", ["HttpInternalError", "HttpDisconnectError"])
def test_errors_that_are_not_answers_are_no_os_errors(name: str) -> None:
    assert not issubclass(getattr(bareasgi, name), OSError)


def test_the_package_says_that_it_is_typed() -> None:
    assert bareasgi.__file__ is not None
    assert (Path(bareasgi.__file__).parent / "py.typed").is_file()


# Importing, and running, in an interpreter of its own.

BASELINE = (
    "import asyncio, json, logging, sys, urllib.error\nbefore = set(sys.modules)\n"
)
PRINT = "\nprint(json.dumps(sorted(set(sys.modules) - before)))"


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    """Give the modules that importing the package adds."""
    modules: list[str] = run(BASELINE + "import bareasgi" + PRINT)
    return modules


def test_importing_loads_nothing_from_outside_the_standard_library(
    loaded: list[str],
) -> None:
    roots = {module.partition(".")[0] for module in loaded}
    assert roots - {"bareasgi"} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "module",
    [
        "bareasgi.testing",
        "bareasgi.compression",
        "bareutils",
        "hypercorn",
        "h11",
        "h2",
        "uvicorn",
        "dataclasses",
        "typing_extensions",
        "xml",
        "unittest",
        "multiprocessing",
        "http.client",
        "http.server",
        "urllib.request",
        "sqlite3",
    ],
)
def test_importing_does_not_load(loaded: list[str], module: str) -> None:
    assert [name for name in loaded if f"{name}.".startswith(f"{module}.")] == []


SERVE = """
import bareasgi
from bareasgi import Application, HttpError, text_writer

app = Application()

@app.on_http_request({"GET"}, "/{id:int}")
async def show(scope, info, matches, content):
    return 200, None, text_writer("x")

@app.on_http_request({"GET"}, "/fail")
async def fail(scope, info, matches, content):
    raise ValueError("fail")

async def main():
    async def receive():
        return {"type": "http.request"}

    async def send(message):
        pass

    for path in ("/5", "/missing", "/fail"):
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await app(scope, receive, send)

logging.getLogger("bareasgi").addHandler(logging.NullHandler())
logging.getLogger("bareasgi").propagate = False
asyncio.run(main())
"""


def test_nothing_is_printed_and_loggers_are_named_after_modules() -> None:
    # `run` parses all of stdout, and wants stderr empty.
    loggers: list[str] = run(
        BASELINE + SERVE + "print(json.dumps(sorted(logging.root.manager.loggerDict)))"
    )
    ours = [name for name in loggers if name.startswith("bareasgi")]
    assert "bareasgi.http" in ours
    for name in ours:
        importlib.import_module(name)


def test_serving_loads_no_module_but_what_importing_did(loaded: list[str]) -> None:
    served: list[str] = run(BASELINE + SERVE + PRINT)
    added = {name for name in served if name.startswith("bareasgi")} - set(loaded)
    assert added == set()


def test_the_package_may_be_imported_without_asserts_and_docstrings() -> None:
    completed = subprocess.run(
        [sys.executable, "-OO", "-W", "error", "-c", BASELINE + SERVE],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (completed.stdout, completed.stderr) == ("", "")
