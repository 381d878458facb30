"""Several server processes measure into one folder, and some of them are killed."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from programs import free_port, request

DEADLINE: Final = 20
"""Seconds that anything may take; it takes far less than a tenth of them."""

PROGRAM: Final = """
import asyncio, os
from bareasgi import Application, text_writer
from bareasgi_prometheus import add_prometheus

app = Application()
add_prometheus(app)

@app.on_http_request({"GET"}, "/pid")
async def tell(scope, info, matches, content):
    return 200, None, text_writer(str(os.getpid()))

@app.on_http_request({"GET"}, "/stream")
async def stream(scope, info, matches, content):
    async def body():
        yield b"first"
        await asyncio.sleep(3600)
    return 200, None, body()
"""

COUNTED: Final = r'^http_requests_total\{.*route="/pid".*\} (\S+)$'
IN_PROGRESS: Final = r'^http_requests_in_progress\{.*route="/stream".*\} (\S+)$'


class Servers:
    """Servers in processes of their own, over one folder."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "metrics"
        self.folder.mkdir()
        (place / "measured_program.py").write_text(PROGRAM, "utf-8")
        self._place = place
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, workers: int = 1) -> tuple[int, "subprocess.Popen[bytes]"]:
        """Start a server, and give its port when it answers, and its process."""
        port = free_port()
        command = [sys.executable, "-m", "hypercorn", "--workers", str(workers)]
        process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", "measured_program:app"],
            cwd=self._place,
            env={
                **os.environ,
                "PROMETHEUS_MULTIPROC_DIR": str(self.folder),
                "PYTHONPATH": os.pathsep.join([str(self._place), *sys.path]),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)

        def answers() -> bool:
            assert process.poll() is None
            with contextlib.suppress(OSError):
                return request(port, "GET", "/metrics").status == 200
            return False

        until(answers)
        return port, process

    def pids(self) -> set[int]:
        """Give the processes that have files in the folder."""
        return {int(path.stem.rpartition("_")[2]) for path in self.folder.iterdir()}

    def kill(self) -> None:
        """End them all, and their workers, the hard way."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(DEADLINE)
        self._processes.clear()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    started = Servers(tmp_path)
    yield started
    started.kill()


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read(port: int, pattern: str) -> float:
    """Scrape, and give the sum of the samples that match."""
    text = request(port, "GET", "/metrics").body.decode()
    return sum(map(float, re.findall(pattern, text, re.MULTILINE)))


def test_two_workers_count_together(servers: Servers) -> None:
    port, _ = servers.start(workers=2)
    # Which worker takes a connection is up to the kernel.
    asked: dict[bytes, int] = {}
    totals: list[float] = []

    def ask() -> bool:
        for _ in range(10):
            pid = request(port, "GET", "/pid").body
            asked[pid] = asked.get(pid, 0) + 1
        totals.append(read(port, COUNTED))
        return len(asked) == 2 and len(totals) >= 10

    until(ask)
    # Whichever worker is asked tells what both have counted, and nothing is reset. A
    # client may have its answer a moment before it is counted.
    assert totals == sorted(totals)
    until(lambda: read(port, COUNTED) == sum(asked.values()))


def test_what_a_killed_server_had_open_goes_and_its_total_stays(
    servers: Servers,
) -> None:
    port, _ = servers.start()
    other_port, other = servers.start()
    for each in (port, other_port, other_port):
        assert request(each, "GET", "/pid").status == 200
    connection = http.client.HTTPConnection("127.0.0.1", other_port, timeout=DEADLINE)
    with contextlib.closing(connection):
        connection.request("GET", "/stream")
        assert connection.getresponse().read(5) == b"first"
        until(lambda: read(port, IN_PROGRESS) == 1)
        os.killpg(other.pid, signal.SIGKILL)
        other.wait(DEADLINE)
    # The worker may live for a moment longer than the process that started it.
    until(lambda: read(port, IN_PROGRESS) == 0)
    assert read(port, COUNTED) == 3
    # Another one takes its place, while the first one goes on.
    new_port, _ = servers.start()
    assert request(new_port, "GET", "/pid").status == 200
    until(lambda: read(port, COUNTED) == read(new_port, COUNTED) == 4)


def test_the_next_run_begins_with_an_empty_folder(servers: Servers) -> None:
    port, _ = servers.start()
    assert request(port, "GET", "/pid").status == 200
    earlier = servers.pids()
    servers.kill()
    port, _ = servers.start()
    assert not earlier & servers.pids()
    assert read(port, COUNTED) == 0


def test_without_a_folder_the_server_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "measured_program.py").write_text(PROGRAM, "utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", "import measured_program"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "missing"),
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert "make this folder before the processes start" in ended.stderr
