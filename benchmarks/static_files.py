"""Files of 1 KiB, 64 KiB and 10 MiB: `python -m benchmarks.static_files [quick]`.

What is measured is the CPU time, of kernel and program, that a server process takes for
a request: bareASGI with bareasgi-static, Starlette, Falcon, BlackSheep and baize on
uvicorn, aiohttp and nginx on their own. Each is a process of its own on one core, and
is asked by this one on another, over one connection for each case. They are asked in
turn and in slices. All of it is done three times, and the worst of the three ratios to
the best of them, nginx apart, counts.

The ratios to aiohttp and nginx are shown beside it. These two have the kernel send
large files (sendfile), without a copy, which no ASGI application can ask uvicorn for:
there every byte is copied out of the kernel and back into it. Where a server offers to
send a file by its path, as granian does, bareasgi-static lets it. How much of the
kernel's work for 10 MiB is done in the time of the process depends on how TCP paces it.

The exit status is 1 when a target was missed. A package that is missing, or a wrong
answer, ends the run.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import falcon.asgi
import uvicorn
from aiohttp import web
from baize.asgi import Files, Subpaths
from blacksheep import Application as BlackSheep
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from bareasgi import Application
from bareasgi_static import add_static
from benchmarks.driver import Plan
from benchmarks.ports import free_port
from benchmarks.report import OURS, Column, Figure, Report, Table, at_most

_KIB: Final = 1024
_HOST: Final = "127.0.0.1"
_DEADLINE: Final = 20.0
_AIOHTTP: Final = "aiohttp"
_NGINX: Final = "nginx"

_PACKAGES: Final = (
    "bareasgi-static",
    "starlette",
    "falcon",
    "blacksheep",
    "baize",
    "aiohttp",
    "uvicorn",
    "httptools",
)

_QUICK_NAMES: Final = [OURS, "Starlette", _AIOHTTP, _NGINX]

FULL: Final = Plan(rounds=8, slice_seconds=0.5)
QUICK: Final = Plan(rounds=1, slice_seconds=0.1)

_OK: Final = 200
_NOT_MODIFIED: Final = 304


@dataclass(frozen=True)
class Case:
    """A file, how it is asked for, and the highest ratio to the best of the peers."""

    title: str
    size: int
    target: float
    is_known: bool = False

    @property
    def name(self) -> str:
        """The name of the file."""
        # Not every contender sends files of any kind.
        return f"{self.size}.txt"


_CASES: Final[Sequence[Case]] = (
    Case("1 KiB", _KIB, 0.6),
    Case("64 KiB", 64 * _KIB, 0.6),
    Case("10 MiB", 10 * _KIB * _KIB, 0.7),
    Case("304, for 1 KiB", _KIB, 1.0, is_known=True),
)


# --- the servers ----------------------------------------------------------------------


def _bareasgi(folder: str, port: int) -> None:
    app = Application()
    add_static(app, folder)
    _on_uvicorn(app, port)


def _starlette(folder: str, port: int) -> None:
    files = StaticFiles(directory=folder)
    _on_uvicorn(Starlette(routes=[Mount("/static", files)]), port)


def _falcon(folder: str, port: int) -> None:
    app: Any = falcon.asgi.App()
    app.add_static_route("/static", folder)
    _on_uvicorn(app, port)


def _blacksheep(folder: str, port: int) -> None:
    app = BlackSheep()
    app.serve_files(folder, root_path="/static")
    _on_uvicorn(app, port)


def _baize(folder: str, port: int) -> None:
    _on_uvicorn(Subpaths(("/static", Files(folder))), port)


def _aiohttp(folder: str, port: int) -> None:
    app = web.Application()
    app.router.add_static("/static", folder)
    web.run_app(app, host=_HOST, port=port, access_log=None, print=None)


def _nginx(folder: str, port: int) -> None:
    """Become nginx, in one process."""
    work = Path(folder).parent
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {work}/{kind};" for kind in kinds)
    configuration = work / "nginx.conf"
    configuration.write_text(f"""\
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    {temporary}
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    server {{
        listen {_HOST}:{port};
        location /static/ {{ alias {folder}/; }}
    }}
}}
""")
    os.execvp(_NGINX, [_NGINX, "-c", str(configuration)])  # noqa: S606


def _on_uvicorn(app: Any, port: int) -> None:
    uvicorn.run(
        app,
        host=_HOST,
        port=port,
        http="httptools",
        loop="asyncio",
        access_log=False,
        log_level="warning",
    )


_SERVERS: Final[Mapping[str, Callable[[str, int], None]]] = {
    OURS: _bareasgi,
    "Starlette": _starlette,
    "Falcon": _falcon,
    "BlackSheep": _blacksheep,
    "baize": _baize,
    _AIOHTTP: _aiohttp,
    _NGINX: _nginx,
}


class WrongAnswerError(Exception):
    """A server did not send the file: its time would mean nothing."""


class Server:
    """A server process, and the connection to it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._port = free_port()
        command = [sys.executable, "-m", "benchmarks.static_files", "serve", name]
        command += [str(folder), str(self._port)]
        self._process = subprocess.Popen(command)  # noqa: S603
        self._buffer = bytearray(_KIB * _KIB)
        self._connection = socket.socket()

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()

    def prepare(self, case: Case, content: bytes) -> bytes:
        """Make the request of a case, and check that it is answered as it should be.

        The connection is a new one: how fast TCP sends depends on what it sent before.
        """
        self._connection.close()
        self._connection = _connect(self._port)
        request = f"GET /static/{case.name} HTTP/1.1\r\nhost: localhost\r\n".encode()
        head, body = self.ask(request + b"\r\n")
        if _status(head) != _OK or body != content:
            raise WrongAnswerError(f"{self.name} does not send the file: {head!r}")
        if not case.is_known:
            return request + b"\r\n"
        etag = re.search(rb"\r\netag: ([^\r]+)", head, re.IGNORECASE)
        time_ = re.search(rb"\r\nlast-modified: ([^\r]+)", head, re.IGNORECASE)
        if etag is not None:
            request += b"if-none-match: %b\r\n\r\n" % etag[1]
        elif time_ is not None:
            request += b"if-modified-since: %b\r\n\r\n" % time_[1]
        head, body = self.ask(request)
        if _status(head) != _NOT_MODIFIED or body:
            raise WrongAnswerError(f"{self.name} sends the file again: {head!r}")
        return request

    def time(self, request: bytes, seconds: float) -> tuple[float, int]:
        """Ask for some time, and give seconds of CPU time and number of requests."""
        count, before = 0, self._cpu()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._skip(request)
            count += 1
        return self._cpu() - before, count

    def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """Make a request, and give head and body."""
        head, received, length = self._head(request)
        while len(received) < length:
            received += self._connection.recv(_KIB * _KIB)
        return head, received

    def _skip(self, request: bytes) -> None:
        """Make a request, and throw the answer away."""
        _, received, length = self._head(request)
        length -= len(received)
        while length > 0:
            length -= self._connection.recv_into(self._buffer)

    def _head(self, request: bytes) -> tuple[bytes, bytes, int]:
        self._connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            data = self._connection.recv(_KIB * _KIB)
            if not data:
                raise WrongAnswerError(f"{self.name} has closed the connection")
            received += data
        head, _, received = received.partition(b"\r\n\r\n")
        found = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        has_body = found is not None and _status(head) != _NOT_MODIFIED
        return head, received, int(found[1]) if found and has_body else 0

    def _cpu(self) -> float:
        """Give the CPU time of the process and all its threads, in seconds."""
        told = Path(f"/proc/{self._process.pid}/stat").read_text("ascii")
        # The name of the program, in parentheses, may have spaces in it.
        user, system = told.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            connection = socket.create_connection((_HOST, port), timeout=_DEADLINE)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def _status(head: bytes) -> int:
    return int(head.split(maxsplit=2)[1])


# --- the measurement ------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    match arguments:
        case ["serve", name, path, port]:
            _use_core(1)
            _SERVERS[name](path, int(port))
            return 0
        case _:
            report = Report("static_files", arguments, _PACKAGES)
    if shutil.which(_NGINX) is None:
        sys.exit("nginx is not installed (on Debian: apt-get install nginx-light)")
    plan, names, cases, left_out = FULL, [*_SERVERS], _CASES, list[str]()
    if report.is_quick:
        plan, names, cases = QUICK, _QUICK_NAMES, _CASES[::3]
        left_out = [name for name in _SERVERS if name not in names]
        left_out += [case.title for case in _CASES if case not in cases]
    told = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    report.uses(_NGINX, _nginx_version())
    report.uses("TCP congestion control", told.read_text("ascii").strip())
    _use_core(0)
    with TemporaryDirectory() as work:
        folder = Path(work, "files")
        contents = _write_files(folder)
        with _running(folder, names) as servers:
            for case in cases:
                runs = _measure(case, contents[case.name], servers, plan, report.runs)
                report.add(_table(case, runs))
    return report.finish(left_out)


def _measure(
    case: Case, content: bytes, servers: Sequence[Server], plan: Plan, times: int
) -> Sequence[Mapping[str, float]]:
    """Give the CPU time of a request, of each server in each run."""
    requests = {server.name: server.prepare(case, content) for server in servers}
    runs: list[dict[str, float]] = []
    for _ in range(times):
        spent = {server.name: (0.0, 0) for server in servers}
        for _ in range(plan.rounds):
            for server in servers:
                cpu, count = server.time(requests[server.name], plan.slice_seconds)
                before = spent[server.name]
                spent[server.name] = before[0] + cpu, before[1] + count
        runs.append({name: cpu / count for name, (cpu, count) in spent.items()})
    return runs


def _table(case: Case, runs: Sequence[Mapping[str, float]]) -> Table:
    to_best = [run[OURS] / _best_peer(run) for run in runs]
    return Table(
        title=case.title,
        columns=[Column("CPU time", "µs", 1), Column("our CPU time by theirs")],
        rows={
            name: [
                Figure([run[name] * 1e6 for run in runs]),
                Figure([run[OURS] / run[name] for run in runs]),
            ]
            for name in runs[0]
        },
        targets=[at_most("ratio to the best, nginx apart", to_best, case.target)],
    )


def _best_peer(run: Mapping[str, float]) -> float:
    # nginx is no peer, but shows how far there is still to go.
    return min(taken for name, taken in run.items() if name not in {OURS, _NGINX})


def _write_files(folder: Path) -> Mapping[str, bytes]:
    """Write the files, and wait until caches may trust their times."""
    folder.mkdir()
    contents = {case.name: os.urandom(case.size) for case in _CASES}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    settled = time.time() + 2.5
    while time.time() < settled:
        time.sleep(0.1)
    return contents


@contextmanager
def _running(folder: Path, names: Sequence[str]) -> Generator[Sequence[Server]]:
    with ExitStack() as stack:
        servers: list[Server] = []
        for name in names:
            servers.append(Server(name, folder))
            stack.callback(servers[-1].stop)
        yield servers


def _use_core(number: int) -> None:
    """Stay on one core, of those that there are."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})


def _nginx_version() -> str:
    told = subprocess.run([_NGINX, "-v"], check=True, capture_output=True, text=True)  # noqa: S603
    return told.stderr.strip().partition("/")[2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
