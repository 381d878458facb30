"""Every example starts as it stands, answers a real client, and ends when told to."""

import http.client
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import free_port, on_port, request, running
from repository import ROOT

PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
JSON = "application/json"


@contextmanager
def serving(program: Path, tmp_path: Path) -> Generator[int]:
    """Runs a program of one file on a port of its own."""
    port = free_port()
    copy = tmp_path / program.name
    copy.write_text(on_port(program.read_text("utf-8"), port), "utf-8")
    with running(sys.executable, str(copy), port=port):
        yield port


def first_lines_of_stream(port: int, path: str, count: int) -> list[bytes]:
    """Reads some lines of an endless body, and leaves."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("content-type") == "text/event-stream"
    try:
        return [response.readline() for _ in range(count)]
    finally:
        response.close()
        connection.close()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_example_serves_answers_and_ends_on_sigterm(
    program: Path, tmp_path: Path
) -> None:
    with serving(program, tmp_path) as port:
        assert request(port, "GET", "/no-such-page").status == 404


def test_hello_world_says_hello(tmp_path: Path) -> None:
    with serving(ROOT / "examples" / "hello_world.py", tmp_path) as port:
        answer = request(port, "GET", "/hello-world")
    assert answer == (200, "text/plain", b"Hello, World!")


def test_rest_shows_its_info_takes_a_new_name_and_refuses_the_rest(
    tmp_path: Path,
) -> None:
    with serving(ROOT / "examples" / "rest.py", tmp_path) as port:
        before = request(port, "GET", "/info", headers={"accept": JSON})
        assert before == (200, JSON, b'{"name": "Michael Caine"}')
        refused = request(port, "GET", "/info", headers={"accept": "*/*"})
        assert refused == (500, None, b"")

        name = json.dumps({"name": "Peter Sellers"}).encode()
        text = {"content-type": "text/plain"}
        assert request(port, "POST", "/info", headers=text, body=name).status == 500
        sent = {"content-type": JSON}
        assert request(port, "POST", "/info", headers=sent, body=name).status == 204
        after = request(port, "GET", "/info", headers={"accept": JSON})
        assert after.body == b'{"name": "Peter Sellers"}'


def test_rest_converts_path_parameters_and_takes_the_rest_of_a_path(
    tmp_path: Path,
) -> None:
    with serving(ROOT / "examples" / "rest.py", tmp_path) as port:
        typed = request(port, "GET", "/foo/bar/12/2020-01-31").body
        rest = request(port, "GET", "/files/a/b/c").body
    assert typed == (
        b"{'name': 'bar', 'id': 12, 'created': datetime.datetime(2020, 1, 31, 0, 0)}"
    )
    assert rest == b"{'path': 'a/b/c'}"


def test_streaming_ticks_and_ends_after_its_reader_left(tmp_path: Path) -> None:
    with serving(ROOT / "examples" / "streaming.py", tmp_path) as port:
        lines = first_lines_of_stream(port, "/ticks", 4)
    assert lines == [b"data: tick\n", b"\n"] * 2
