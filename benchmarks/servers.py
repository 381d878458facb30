"""Real servers and real sockets: `python -m benchmarks.servers [quick]`.

The applications of `contenders/` on hypercorn, uvicorn and granian, each in a process
of its own on one core, asked over 32 connections from another core. Counted are the
answers in a second, the CPU time of the server's processes for an answer, by /proc, and
how long a client waits. The contenders are asked in turn, in three runs of five slices,
and of our three runs the worst counts.

A server costs more than most of what it serves, and costs everyone the same. The exit
status is 1 when a target was missed. A package that is missing, or a wrong answer, ends
the run.
"""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import contenders, load
from benchmarks.cases import CHUNK, CHUNKS, GREETING, UPLOAD_SIZE
from benchmarks.ports import free_port
from benchmarks.report import (
    OURS,
    Column,
    Figure,
    Report,
    Table,
    at_most,
)

CONNECTIONS: Final = 32
PEER: Final = "Starlette"
TARGET: Final = 1.03
"""The highest ratio of our CPU time to that of Starlette, on every server.

Of a stream on hypercorn, hypercorn is nearly all: there, both are the same.
"""

SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "hypercorn": (
        *("hypercorn", "--workers=0", f"--bind={load.HOST}:{{port}}"),
        "--log-level=error",
    ),
    "uvicorn": (
        *("uvicorn", f"--host={load.HOST}", "--port={port}", "--log-level=error"),
        *("--loop=asyncio", "--http=httptools", "--no-access-log"),
    ),
    "granian": (
        *("granian", f"--host={load.HOST}", "--port={port}", "--log-level=error"),
        *("--interface=asgi", "--loop=asyncio", "--workers=1"),
    ),
}

_SLICES: Final = 5
"""How often each contender is asked in a run, of which the slice in the middle counts.

An upload on a loopback interface costs half as much again in one slice in four, whoever
answers: TCP then cuts it into other pieces.
"""

_SECONDS: Final = 0.4
_QUICK_SECONDS: Final = 0.25
_QUICK_NAMES: Final = ("hand-written", OURS, PEER)
_DEADLINE: Final = 20.0


@dataclass(frozen=True)
class Case:
    """What is asked, by the name of the case in `cases.py` that answers it."""

    name: str
    title: str
    request: load.Request


CASES: Final[Sequence[Case]] = (
    Case(
        "plaintext",
        "plain text",
        load.Request("GET", "/plaintext", b"", GREETING.encode()),
    ),
    Case(
        "body_whole",
        "64 KiB body read whole",
        load.Request("POST", "/upload", b"u" * UPLOAD_SIZE, str(UPLOAD_SIZE).encode()),
    ),
    Case(
        "stream",
        f"{CHUNKS} chunks streamed",
        load.Request("GET", "/stream", b"", CHUNK * CHUNKS, is_streamed=True),
    ),
)


@dataclass(frozen=True)
class Timing:
    """Of one contender in one run: answers in a second, and seconds for one of them."""

    rate: float
    cpu: float
    median: float
    slow: float


class Server:
    """A server's processes, one of which listens."""

    def __init__(self, command: Sequence[str], contender: str, case: Case) -> None:
        self._name = f"{contender} on {command[0]}"
        self._port = free_port()
        words = [word.format(port=self._port) for word in command]
        self._process = subprocess.Popen(  # noqa: S603 - the servers named above
            [sys.executable, "-m", *words, "benchmarks.served:app"],
            cwd=Path(__file__).parents[1],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "BENCHMARK_CONTENDER": contender,
                "BENCHMARK_CASE": case.name,
            },
        )
        # Its processes inherit the core.
        _use_core(1, self._process.pid)

    def check(self, case: Case) -> None:
        """Wait until it serves, and see that its answer is right."""
        try:
            load.check(self._port, case.request)
        except (load.LoadError, OSError) as error:
            sys.exit(f"{self._name}, {case.title}: {error!r}")

    def measure(self, case: Case, generate: load.Generator, seconds: float) -> Timing:
        """Ask for some time."""
        before = self._cpu()
        try:
            done = generate(self._port, case.request, CONNECTIONS, seconds)
        except load.LoadError as error:
            sys.exit(f"{self._name}, {case.title}: {error}")
        cpu = (self._cpu() - before) / done.answers
        rate = done.answers / done.seconds
        return Timing(rate, cpu, done.percentile(50), done.percentile(99))

    def stop(self) -> None:
        """End the processes, and wait until the listening one has gone."""
        self._process.terminate()
        try:
            self._process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _cpu(self) -> float:
        """Give the CPU time of the processes and all their threads, in seconds."""
        ticks = 0
        for process in _with_children(self._process.pid):
            told = Path(f"/proc/{process}/stat").read_text("ascii")
            # The name of the program, in parentheses, may have spaces in it.
            user, system = told.rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
        return ticks / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    distributions = [*SERVERS, *contenders.DISTRIBUTIONS.values()]
    report = Report("servers", arguments, distributions)
    name, version, generate = load.generator()
    report.uses(name, version)
    names, cases = [*contenders.MODULES], CASES
    slices, seconds = _SLICES, _SECONDS
    left_out: list[str] = []
    if report.is_quick:
        left_out = [each for each in names if each not in _QUICK_NAMES]
        left_out += [case.title for case in CASES[1:]]
        names, cases = [*_QUICK_NAMES], CASES[:1]
        slices, seconds = 1, _QUICK_SECONDS
    _use_core(0)
    for case in cases:
        for server, command in SERVERS.items():
            with _running(command, names, case) as running:
                # The first is for warming up.
                runs = [
                    _run(running, case, generate, slices, seconds)
                    for _ in range(report.runs + 1)
                ][1:]
            report.add(_table(f"{case.title}, on {server}", runs, server))
    return report.finish(left_out)


@contextmanager
def _running(
    command: Sequence[str], names: Sequence[str], case: Case
) -> Generator[Mapping[str, Server]]:
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name in names:
            servers[name] = Server(command, name, case)
            stack.callback(servers[name].stop)
        for server in servers.values():
            server.check(case)
        yield servers


def _run(
    running: Mapping[str, Server],
    case: Case,
    generate: load.Generator,
    slices: int,
    seconds: float,
) -> Mapping[str, Timing]:
    """Ask everyone in turn, so many times, and give of each the slice in the middle."""
    timings: dict[str, list[Timing]] = {name: [] for name in running}
    for _ in range(slices):
        for name, server in running.items():
            timings[name].append(server.measure(case, generate, seconds))
    return {
        name: sorted(each, key=lambda timing: timing.cpu)[slices // 2]
        for name, each in timings.items()
    }


def _table(title: str, runs: Sequence[Mapping[str, Timing]], server: str) -> Table:
    ratios = [run[OURS].cpu / run[PEER].cpu for run in runs]
    return Table(
        title=title,
        columns=[
            Column("answers", "a second", 0, more_is_better=True),
            Column("CPU time", "µs", 1),
            Column("half within", "ms"),
            Column("99 % within", "ms"),
        ],
        rows={
            name: [
                Figure([run[name].rate for run in runs]),
                Figure([run[name].cpu * 1e6 for run in runs]),
                Figure([run[name].median * 1e3 for run in runs]),
                Figure([run[name].slow * 1e3 for run in runs]),
            ]
            for name in runs[0]
        },
        targets=[at_most(f"CPU time by that of {PEER}", ratios, TARGET)],
        group=server,
    )


def _with_children(process: int) -> Sequence[int]:
    """Give a process, and all that it and its children have started."""
    found = [process]
    for each in found:
        for told in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, told.read_text("ascii").split())
    return found


def _use_core(number: int, process: int = 0) -> None:
    """Keep a process, or this one, on one core of those that there are."""
    cores = sorted(os.sched_getaffinity(process))
    os.sched_setaffinity(process, {cores[number % len(cores)]})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
