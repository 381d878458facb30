"""What a framework costs at rest: `python -m benchmarks.footprint [quick]`.

An interpreter that has loaded asyncio, json, logging and urllib.error, as any program
of this kind has, imports a framework and makes an application; another one does not.
What counts is what the first needs more, of CPU time and resident memory, and how many
distributions an installation has. Of three runs the worst counts. The exit status is 1
when a target was missed. A package that is missing ends the run.
"""

import importlib.metadata
import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import contenders
from benchmarks.report import OURS, Column, Figure, Report, Table, at_most

MILLISECONDS: Final = 10.0
"""The most CPU time that we may add."""

DISTRIBUTIONS: Final = 2
"""The most distributions that an installation of ours may have."""

_ALONE: Final = "import asyncio, json, logging, urllib.error"
_MADE: Final[Mapping[str, str]] = {
    OURS: "from bareasgi import Application; app = Application()",
    "Starlette": "from starlette.applications import Starlette; app = Starlette()",
    "FastAPI": "from fastapi import FastAPI; app = FastAPI()",
    "Falcon": "from falcon.asgi import App; app = App()",
    "BlackSheep": "from blacksheep import Application; app = Application()",
    "Litestar": "from litestar import Litestar; app = Litestar([])",
    "Muffin": "from muffin import Application; app = Application()",
    "Quart": "from quart import Quart; app = Quart('app')",
    "Sanic": "from sanic import Sanic; app = Sanic('app')",
}
_TELL: Final = """
import gc, re
from pathlib import Path
gc.collect()
print(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""

_FULL: Final = 15
_QUICK: Final = 3
_QUICK_NAMES: Final = (OURS, "Starlette", "FastAPI")


@dataclass(frozen=True)
class Cost:
    """Milliseconds of CPU time, user's and system's, and KiB of resident memory."""

    cpu: float
    memory: float


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report("footprint", arguments, [*contenders.DISTRIBUTIONS.values()])
    names, rounds, left_out = [*_MADE], _FULL, list[str]()
    if report.is_quick:
        left_out = [name for name in names if name not in _QUICK_NAMES]
        names, rounds = [*_QUICK_NAMES], _QUICK
    runs = [_measure(names, rounds) for _ in range(report.runs)]
    report.add(_memory_table(runs))
    report.add(_installation_table(names))
    return report.finish(left_out)


def _memory_table(runs: Sequence[Mapping[str, Cost]]) -> Table:
    return Table(
        title="an import and an empty application, beyond the interpreter",
        columns=[Column("CPU time", "ms", 1), Column("memory", "MiB", 1)],
        rows={
            name: [
                Figure([run[name].cpu for run in runs]),
                Figure([run[name].memory / 1024 for run in runs]),
            ]
            for name in runs[0]
        },
        targets=[
            at_most("import", [run[OURS].cpu for run in runs], MILLISECONDS, "ms")
        ],
    )


def _installation_table(names: Sequence[str]) -> Table:
    """Count, once: it is the same every time."""
    installed = {name: _installed(contenders.DISTRIBUTIONS[name]) for name in names}
    count = len(installed[OURS])
    return Table(
        title="what an installation has, without a server",
        columns=[Column("distributions", digits=0), Column("size", "MiB", 1)],
        rows={
            name: [Figure([len(found)]), Figure([sum(map(_size, found)) / 1024**2])]
            for name, found in installed.items()
        },
        targets=[at_most("distributions", [count], DISTRIBUTIONS)],
    )


def _measure(names: Sequence[str], rounds: int) -> Mapping[str, Cost]:
    """Start interpreters in turn, and give the medians of what each adds."""
    programs = {"": _ALONE, **{name: f"{_ALONE}\n{_MADE[name]}" for name in names}}
    found: dict[str, list[Cost]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            cost = _run(program + _TELL)
            if number:  # The first compiles and fills the file cache.
                found[name].append(cost)
    alone = _median(found.pop(""))
    costs = {name: _median(each) for name, each in found.items()}
    return {
        name: Cost(cost.cpu - alone.cpu, cost.memory - alone.memory)
        for name, cost in costs.items()
    }


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(median(c.cpu for c in costs), median(c.memory for c in costs))


def _run(program: str) -> Cost:
    before = _children_cpu()
    # What is installed runs from compiled files, whatever this process was told.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    told = subprocess.run(  # noqa: S603 - our own code
        command, check=True, env=env, capture_output=True, text=True
    )
    return Cost((_children_cpu() - before) * 1e3, float(told.stdout.split()[-1]))


def _children_cpu() -> float:
    # os.times() counts in ticks of ten milliseconds.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _installed(name: str) -> set[str]:
    """Give what an installation of the named distribution consists of, itself too.

    Raises PackageNotFoundError when a part is not installed.
    """
    found: set[str] = set()
    pending = [name]
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for requirement in importlib.metadata.requires(name) or []:
            required, _, marker = requirement.partition(";")
            other = re.split(r"[^\w.-]", required.strip())[0]
            # Extras come only when asked for. What another condition asks for is there
            # where that is met.
            if not marker or ("extra" not in marker and _is_there(other)):
                pending.append(other)
    return found


def _is_there(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _size(name: str) -> int:
    """Give the bytes of a distribution's files, without what Python compiles."""
    files = importlib.metadata.files(name) or []
    paths = [Path(str(each.locate())) for each in files if each.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
