"""Starts the programs of this repository as a reader does, and talks to them."""

import http.client
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, NamedTuple

from repository import ROOT

DEFAULT_PORT = 9009

# How many each process of a run of the tests gives away in turn.
PORTS: Final = 5_000


class Answer(NamedTuple):
    """What a program answered to one request."""

    status: int
    content_type: str | None
    body: bytes


def _own_ports() -> Iterator[int]:
    """Ports that no other process of this run of the tests gives away.

    They are below those that the system gives to clients, else a connection of another
    test may take one before the program that it is meant for.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 10_000 + worker % 4 * PORTS
    start = os.getpid() * 101 % PORTS
    for number in itertools.count(start):
        yield first + number % PORTS


_ports: Final = _own_ports()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on; another at each call."""
    while True:
        port = next(_ports)
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port


def on_port(source: str, port: int) -> str:
    """A program's text, to serve on another port than the one it names."""
    return source.replace(f"127.0.0.1:{DEFAULT_PORT}", f"127.0.0.1:{port}")


def request(
    port: int,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        content_type = response.getheader("content-type")
        return Answer(response.status, content_type, response.read())
    finally:
        connection.close()


@contextmanager
def running(
    *command: str,
    port: int,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    number: signal.Signals = signal.SIGTERM,
    start_within: float = 30,
    end_within: float = 10,
) -> Generator[None]:
    """Starts a program, waits until it answers on the port, and ends it by a signal.

    A program that does not answer, or does not end, in time is an error that shows what
    it printed; so is one that ends in another way than it should.
    """
    with TemporaryFile("w+") as output:
        # A session of its own: the signal reaches all that the program started, as
        # Ctrl-C in a terminal does.
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_answer(process, port, start_within)
            yield
            os.killpg(process.pid, number)
            process.wait(end_within)
        except BaseException as error:
            output.seek(0)
            error.add_note(f"{command} printed:\n{output.read()}")
            raise
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_for_answer(
    process: subprocess.Popen[bytes], port: int, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        try:
            request(port, "GET", "/")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
    raise ChildProcessError(f"ended with {process.returncode} before it answered")
