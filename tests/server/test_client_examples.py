"""The examples of the client do what they say."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import free_port, on_port, running
from repository import ROOT

EXAMPLES = ROOT / "examples" / "client"


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[str]:
    """Serves the example of an endless body, and gives its address."""
    port = free_port()
    program = tmp_path / "streaming.py"
    text = (ROOT / "examples" / "streaming.py").read_text("utf-8")
    program.write_text(on_port(text, port), "utf-8")
    with running(sys.executable, str(program), port=port):
        yield f"http://127.0.0.1:{port}"


def test_fetch_tells_of_each_page(ticking: str) -> None:
    addresses = [f"{ticking}/a", f"{ticking}/b", "http://127.0.0.1:1/"]
    told = subprocess.run(
        [sys.executable, str(EXAMPLES / "fetch.py"), *addresses],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    first, second, third = sorted(told.stdout.splitlines(), reverse=True)
    assert {first, second} == {f"{ticking}/{each}: 404, 9 bytes" for each in "ab"}
    assert third.startswith("http://127.0.0.1:1/: ConnectError: ")
    assert told.stderr == ""


def test_relay_passes_events_on_as_they_come(ticking: str, tmp_path: Path) -> None:
    port = free_port()
    program = tmp_path / "relay.py"
    text = (EXAMPLES / "relay.py").read_text("utf-8")
    program.write_text(on_port(text, port), "utf-8")
    command = [sys.executable, str(program), f"{ticking}/ticks"]
    with running(*command, port=port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/events")
        response = connection.getresponse()
        assert response.getheader("content-type") == "text/event-stream"
        lines = [response.readline() for _ in range(4)]
        response.close()
        connection.close()
    assert lines == [b"data: tick\n", b"\n"] * 2
