"""What `import bareasgi` costs, and what installing it brings along."""

import importlib.metadata
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Final

# Any asynchronous program has most of these loaded, and bareASGI stands on them.
_WITHOUT: Final = "import asyncio, json, logging, urllib.error"
_WITH: Final = f"{_WITHOUT}; import bareasgi"

MILLISECONDS: Final = 10.0
DISTRIBUTIONS: Final = 2


@dataclass(frozen=True)
class ImportCost:
    """Medians in milliseconds of a fresh interpreter, with the import and without.

    `cpu` is user and system time of the process, `wall` the clock on the wall.
    """

    cpu_without: float
    cpu_with: float
    wall_without: float
    wall_with: float

    @property
    def cpu(self) -> float:
        """CPU milliseconds that the import adds. This is what the target is for."""
        return self.cpu_with - self.cpu_without

    @property
    def wall(self) -> float:
        """Milliseconds of waiting that it adds; noisy on a machine that is busy."""
        return self.wall_with - self.wall_without


def measure(runs: int) -> ImportCost:
    """Start interpreters with and without the import, in turn."""
    # The first ones compile and fill the file cache.
    _run(_WITHOUT)
    _run(_WITH)
    without, with_import = [], []
    for _ in range(runs):
        without.append(_run(_WITHOUT))
        with_import.append(_run(_WITH))
    return ImportCost(
        cpu_without=median(cpu for cpu, _ in without),
        cpu_with=median(cpu for cpu, _ in with_import),
        wall_without=median(wall for _, wall in without),
        wall_with=median(wall for _, wall in with_import),
    )


def distributions(name: str = "bareasgi") -> set[str]:
    """Return what an installation of the named distribution consists of, itself too.

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
            # Extras come only when asked for. Every other condition counts as met.
            if "extra" not in marker:
                pending.append(re.split(r"[^\w.-]", required.strip())[0])
    return found


def _run(code: str) -> tuple[float, float]:
    cpu, started = _children_cpu(), time.perf_counter()
    # What is installed runs from compiled files, whatever this process was told.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, env=env)  # noqa: S603 - our own code
    return (_children_cpu() - cpu) * 1e3, (time.perf_counter() - started) * 1e3


def _children_cpu() -> float:
    # os.times() counts in ticks of ten milliseconds.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
