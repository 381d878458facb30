"""Programs run as people type them from an article about the framework."""

import asyncio
import http.client
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from programs import free_port, on_port, request, running

from bareasgi import Application, bytes_writer, text_writer
from bareasgi.testing import http_request, http_stream, lifespan

# As text: it is not written in the style of this repository, and it stays so.
SEED = Path(__file__).with_name("programs") / "seed.txt"
JSON = b"application/json"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Application:
    """Run the program up to where it starts its server."""
    served: list[Any] = []
    # The call in the last line, which would serve for ever.
    monkeypatch.setattr(asyncio, "run", served.append)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(SEED.read_text("utf-8"), str(SEED), "exec"), names)  # noqa: S102
    (coroutine,) = served
    coroutine.close()
    made = names["app"]
    assert isinstance(made, Application)
    return made


async def test_hello_world_by_decorator(app: Application) -> None:
    response = await http_request(app, "GET", "/hello-world")
    assert response.status == 200
    assert (b"content-type", b"text/plain") in response.headers
    assert response.body == b"Hello, World!"


# What is sent to /info: method, headers and body; what is answered: status, content
# type and body; and the name that the next reader sees.
INFO: dict[str, tuple[str, list[tuple[bytes, bytes]], bytes, int, bytes, str]] = {
    "read": ("GET", [(b"accept", JSON)], b"", 200, b"Caine", "Michael Caine"),
    "head": ("HEAD", [(b"accept", JSON)], b"", 200, b"", "Michael Caine"),
    "read anything": ("GET", [(b"accept", b"*/*")], b"", 500, b"", "Michael Caine"),
    "read html": ("GET", [(b"accept", b"text/html")], b"", 500, b"", "Michael Caine"),
    "read a list": (
        "GET",
        [(b"accept", b"application/json, */*")],
        b"",
        500,
        b"",
        "Michael Caine",
    ),
    "read whatever": ("GET", [], b"", 500, b"", "Michael Caine"),
    "change": (
        "POST",
        [(b"content-type", JSON)],
        b'{"name": "Peter Sellers"}',
        204,
        b"",
        "Peter Sellers",
    ),
    "change by text": (
        "POST",
        [(b"content-type", b"text/plain")],
        b'{"name": "Peter Sellers"}',
        500,
        b"",
        "Michael Caine",
    ),
    "change by whatever": (
        "POST",
        [],
        b'{"name": "Peter Sellers"}',
        500,
        b"",
        "Michael Caine",
    ),
    "change by no JSON": (
        "POST",
        [(b"content-type", JSON)],
        b"{",
        500,
        b"Internal Server Error",
        "Michael Caine",
    ),
    "put": (
        "PUT",
        [(b"content-type", JSON)],
        b'{"name": "Peter Sellers"}',
        405,
        b"Method Not Allowed",
        "Michael Caine",
    ),
}


@pytest.mark.parametrize(
    ("method", "headers", "content", "status", "body", "name"),
    INFO.values(),
    ids=INFO.keys(),
)
async def test_info_is_read_and_changed_as_json_and_not_otherwise(
    app: Application,
    method: str,
    headers: list[tuple[bytes, bytes]],
    content: bytes,
    status: int,
    body: bytes,
    name: str,
) -> None:
    response = await http_request(
        app, method, "/info", headers=headers, content=content
    )
    assert response.status == status
    assert body in response.body
    if not body:
        assert response.body == b""
    after = await http_request(app, "GET", "/info", headers=[(b"accept", JSON)])
    assert after.json() == {"name": name}
    assert (b"content-type", JSON) in after.headers


async def test_info_is_answered_in_these_very_bytes(app: Application) -> None:
    response = await http_request(app, "GET", "/info", headers=[(b"accept", JSON)])
    assert response.body == b'{"name": "Michael Caine"}'


async def test_a_bare_500_is_the_programs_and_has_no_body(app: Application) -> None:
    response = await http_request(app, "GET", "/info")
    assert (response.status, response.body) == (500, b"")
    assert response.headers == [(b"content-length", b"0")]


async def test_a_204_has_no_body_and_no_length(app: Application) -> None:
    response = await http_request(
        app, "POST", "/info", headers=[(b"content-type", JSON)], content=b"{}"
    )
    assert (response.status, [*response.headers], response.body) == (204, [], b"")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (
            "/foo/bar/12/2020-01-31",
            (
                "{'name': 'bar', 'id': 12, "
                "'created': datetime.datetime(2020, 1, 31, 0, 0)}"
            ),
        ),
        ("/files/a/b/c", "{'path': 'a/b/c'}"),
        ("/files/", "{'path': ''}"),
        ("/files", None),
        ("/foo/bar/x/2020-01-31", None),
        ("/foo/bar/12/31.1.2020", None),
        ("/foo/bar/5%0a/2020-01-31", None),
        ("/foo//12/2020-01-31", None),
    ],
)
async def test_typed_parameters_and_the_rest_of_a_path(
    app: Application, path: str, shown: str | None
) -> None:
    response = await http_request(app, "GET", path)
    if shown is None:
        assert (response.status, response.body) == (404, b"Not Found")
    else:
        assert (response.status, response.text) == (200, shown)


async def test_ticks_arrive_one_by_one_and_end_when_the_client_leaves(
    app: Application,
) -> None:
    async with http_stream(app, "GET", "/ticks") as response:
        await response.started()
        assert (b"content-type", b"text/event-stream") in response.headers
        for _ in range(2):
            assert await response.chunk() == b"data: tick\n\n"
        response.leave()
        await response.finished()
    assert response.messages[-1]["more_body"] is True


async def test_the_program_starts_and_stops(app: Application) -> None:
    async with lifespan(app):
        response = await http_request(app, "GET", "/hello-world")
    assert response.status == 200


async def test_hello_world_by_the_router() -> None:
    app = Application()

    async def hello(scope, info, matches, content):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as typed from an article
        return 200, [(b"content-type", b"text/plain")], text_writer("Hello, World!")

    app.http_router.add({"GET"}, "/hello-world", hello)
    response = await http_request(app, "GET", "/hello-world")
    assert response.body == b"Hello, World!"


async def test_a_handler_may_return_the_body_of_the_request() -> None:
    app = Application()

    @app.on_http_request({"POST"}, "/echo")
    async def echo(scope, info, matches, content):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as typed from an article
        return 200, None, content

    async def upload() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    response = await http_request(app, "POST", "/echo", content=upload())
    assert response.body == b"ab"


async def test_one_body_serves_every_request_of_a_program_with_a_constant() -> None:
    app = Application()
    hello = bytes_writer(b"Hello")

    @app.on_http_request({"GET"}, "/")
    async def index(scope, info, matches, content):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as typed from an article
        return 200, None, hello

    for _ in range(3):
        assert (await http_request(app, "GET", "/")).body == b"Hello"


def test_the_program_serves_on_hypercorn(tmp_path: Path) -> None:
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(on_port(SEED.read_text("utf-8"), port), "utf-8")
    with running(sys.executable, str(program), port=port):
        assert request(port, "GET", "/hello-world").body == b"Hello, World!"
        assert request(port, "GET", "/info").status == 500
        wanted = {"accept": "application/json"}
        before = request(port, "GET", "/info", headers=wanted)
        assert before == (200, "application/json", b'{"name": "Michael Caine"}')
        sent = {"content-type": "application/json"}
        name = b'{"name": "Peter Sellers"}'
        assert request(port, "POST", "/info", headers=sent, body=name).status == 204
        assert request(port, "GET", "/info", headers=wanted).body == name
        assert request(port, "GET", "/files/a/b").body == b"{'path': 'a/b'}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/ticks")
        response = connection.getresponse()
        assert response.readline() == b"data: tick\n"
        response.close()
        connection.close()
