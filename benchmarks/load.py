"""Requests over sockets: as many as a server answers, on a number of connections.

h2load, which is written in C, makes them where it is installed. Elsewhere this module
does: each connection sends a request when the answer to the one before is complete, and
all of them are served by one loop over the sockets that have something to read.
"""

import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

HOST: Final = "127.0.0.1"
_H2LOAD: Final = "h2load"
_DEADLINE: Final = 20.0
_READ: Final = 262_144
_MICROSECOND: Final = 1e-6


class LoadError(Exception):
    """A server closed a connection, or an answer was wrong: figures mean nothing."""


@dataclass(frozen=True)
class Request:
    """A request, its answer's body, and whether that comes in chunks.

    Answers are told apart by their ends: by the body, or by the last chunk.
    """

    method: str
    path: str
    body: bytes
    answer: bytes
    is_streamed: bool = False

    def sent(self, *others: str) -> bytes:
        """Give the bytes that go to the server, with other headers if there are any."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "host: localhost", *others]
        if self.body:
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join([*lines, "\r\n"]).encode() + self.body

    @property
    def end(self) -> bytes:
        """The last bytes of an answer."""
        return b"\r\n0\r\n\r\n" if self.is_streamed else self.answer


@dataclass(frozen=True)
class Load:
    """What happened: answers, the seconds it took, and those of each answer."""

    answers: int
    seconds: float
    latencies: Sequence[float]

    def percentile(self, percent: int) -> float:
        """Give the seconds within which so many per cent of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Generator(Protocol):
    """Makes a request again and again, and raises LoadError when that fails."""

    def __call__(
        self, port: int, request: Request, connections: int, seconds: float, /
    ) -> Load:
        """Load the server on this port for some seconds."""
        ...


def generator() -> tuple[str, str, Generator]:
    """Choose what makes the requests, and give its name and version too."""
    command = shutil.which(_H2LOAD)
    if command is None:
        return "load generator", "of these benchmarks", by_loop
    told = subprocess.run(  # noqa: S603 - the program that was found
        [command, "--version"], check=True, capture_output=True, text=True
    )
    return _H2LOAD, told.stdout.strip().removeprefix(f"{_H2LOAD} "), by_h2load


def check(port: int, request: Request) -> None:
    """Make a request once, on a server that may still be starting."""
    with _dial(port) as connection:
        connection.sendall(request.sent("connection: close"))
        received = b""
        while data := connection.recv(_READ):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200" not in head.partition(b"\r\n")[0]:
        raise LoadError(f"{request.path}: {head!r:.300}")
    if re.search(rb"(?im)^transfer-encoding: *chunked", head):
        body = _joined(body)
    if body != request.answer:
        raise LoadError(f"{request.path}: the body is {body!r:.100}")


def by_loop(port: int, request: Request, connections: int, seconds: float) -> Load:
    """Make the requests here."""
    sent, end = request.sent(), request.end
    latencies: list[float] = []
    with ExitStack() as stack:
        ready = stack.enter_context(selectors.DefaultSelector())
        asked: dict[socket.socket, float] = {}
        tails: dict[socket.socket, bytes] = {}
        for _ in range(connections):
            connection = stack.enter_context(_dial(port))
            ready.register(connection, selectors.EVENT_READ, connection)
            asked[connection], tails[connection] = time.perf_counter(), b""
            connection.sendall(sent)
        started = now = time.perf_counter()
        while now - started < seconds:
            events = ready.select(_DEADLINE)
            if not events:
                raise LoadError(f"{request.path}: the server does not answer")
            for key, _ in events:
                connection = key.data
                data = connection.recv(_READ)
                if not data:
                    raise LoadError(f"{request.path}: the server closes connections")
                tail = tails[connection] + data
                now = time.perf_counter()
                if not tail.endswith(end):
                    # The end of an answer may come in two parts.
                    tails[connection] = tail[-len(end) :]
                    continue
                tails[connection] = b""
                latencies.append(now - asked[connection])
                asked[connection] = now
                connection.sendall(sent)
    return Load(len(latencies), now - started, latencies)


def by_h2load(port: int, request: Request, connections: int, seconds: float) -> Load:
    """Have h2load make the requests, in HTTP/1.1."""
    with TemporaryDirectory() as work:
        log, body = Path(work, "log"), Path(work, "body")
        command = [_H2LOAD, "--h1", f"-c{connections}", f"-D{seconds * 1000:.0f}ms"]
        command.append(f"--log-file={log}")
        if request.body:
            body.write_bytes(request.body)
            command.append(f"--data={body}")
        url = f"http://{HOST}:{port}{request.path}"
        told = subprocess.run(  # noqa: S603 - the program that was found
            [*command, url], check=True, capture_output=True, text=True
        ).stdout
        # Of each answer: when it was asked for, its status, how long it took.
        answers = [line.split("\t") for line in log.read_text("ascii").splitlines()]
    # hypercorn sends no reason phrase, without which h2load reads no status: there,
    # only the size of the answers tells that they are right.
    wrong = {status for _, status, _ in answers} - {"200", "0"}
    failed = re.search(r"(\d+) errored, (\d+) timeout", told)
    data = re.search(r"\((\d+)\) data", told)
    is_short = data is None or int(data[1]) < len(answers) * len(request.answer)
    if wrong or is_short or failed is None or any(map(int, failed.groups())):
        raise LoadError(f"{request.path}: h2load says {told}")
    if not answers:
        raise LoadError(f"{request.path}: there was no answer")
    latencies = [int(taken) * _MICROSECOND for _, _, taken in answers]
    return Load(len(answers), seconds, latencies)


def _dial(port: int) -> socket.socket:
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            return socket.create_connection((HOST, port), _DEADLINE)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _joined(body: bytes) -> bytes:
    """Take the chunks of HTTP/1.1 apart (RFC 9112, section 7.1)."""
    joined = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        joined, body = joined + rest[:length], rest[length + 2 :]
        if not length:
            break
    return joined
