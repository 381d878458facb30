"""Prints what was measured, and says which targets were missed."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import routing
from benchmarks.cases import Case
from benchmarks.driver import BASELINE, Timing
from benchmarks.imports import DISTRIBUTIONS, MILLISECONDS, ImportCost

OURS: Final = "bareASGI"

NOTES: Final = """\
us: microseconds of CPU per request, the median run. After each ratio, which is the
median of its rounds: half the distance between the quartiles.
- Falcon's and BlackSheep's hot paths are partly compiled; the others are Python.
- Falcon's middlewares are hooks that are called in a row, everyone else's are nested.
- While a body streams, bareASGI, Starlette and Muffin notice that the client leaves;
  hand-written, Falcon and BlackSheep do not look.
- Muffin remembers the last 1,024 paths it looked up, so the paths with parameters vary.
- BlackSheep does not convert parameters for a handler that takes the request; int() is
  called in the handler.
- Every JSON text comes from the standard library, with Muffin and BlackSheep too.
- The 404 is everyone's own; their texts and headers differ.\
"""


def machine(peers: Sequence[str]) -> str:
    """Describe what this runs on, and the version of each of the distributions."""
    versions = ", ".join(f"{name} {_version(name)}" for name in ("bareasgi", *peers))
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.platform()}, {platform.machine()}, {os.cpu_count()} CPUs\n"
        f"{versions}"
    )


def requests(
    cases: Sequence[Case], runs: Sequence[Mapping[str, Mapping[str, Timing]]]
) -> tuple[str, Sequence[str]]:
    """Return the table of CPU time per request, and the targets that were missed.

    `runs` holds, for each run, the timings by case and contender.
    """
    lines = [f"CPU time per request, and the ratio to {BASELINE} in each run"]
    missed: list[str] = []
    for case in cases:
        by_run = [run[case.name] for run in runs]
        worst = max(timings[OURS].ratio for timings in by_run)
        verdict = _verdict(worst, case.target)
        lines += ["", f"{case.title}: {OURS} {verdict}"]
        lines += [
            f"  {name:<14}{_row([timings[name] for timings in by_run])}"
            for name in by_run[0]
        ]
        if case.target is not None and worst > case.target:
            missed.append(f"{case.title}: {verdict}")
    return "\n".join([*lines, "", NOTES]), missed


def look_ups(times: Mapping[str, Sequence[float]]) -> tuple[str, Sequence[str]]:
    """Return the table of look-up times, and the kinds of routes that are not flat."""
    sizes = "".join(f"{size:>10,}" for size in routing.SIZES)
    lines = [f"Look-up of a route, ns{'number of routes:':>32}", f"{'':<32}{sizes}"]
    missed: list[str] = []
    for kind, by_size in times.items():
        figures = "".join(f"{nanoseconds:>10.0f}" for nanoseconds in by_size)
        growth = by_size[-1] / by_size[0]
        verdict = _verdict(growth, routing.FLAT)
        lines.append(f"  {kind:<30}{figures}   growth {verdict}")
        if growth > routing.FLAT:
            missed.append(f"look-up, {kind}: growth {verdict}")
    return "\n".join(lines), missed


def imports(cost: ImportCost, installed: set[str]) -> tuple[str, Sequence[str]]:
    """Return the lines on import and installation, and the targets missed."""
    time = f"{cost.cpu:.1f} ms of CPU, {_of(cost.cpu, MILLISECONDS, 'ms')}"
    count = (
        f"{len(installed)} distributions ({', '.join(sorted(installed))}), "
        f"{_of(len(installed), DISTRIBUTIONS, '')}"
    )
    text = (
        f"import bareasgi: {time}; {cost.wall:.1f} ms on the clock\n"
        f"  a fresh interpreter without it {cost.cpu_without:.1f} ms of CPU, "
        f"with it {cost.cpu_with:.1f} ms\n"
        f"pip install bareasgi: {count}"
    )
    missed = []
    if cost.cpu > MILLISECONDS:
        missed.append(f"import: {time}")
    if len(installed) > DISTRIBUTIONS:
        missed.append(f"installation: {count}")
    return text, missed


def _row(timings: Sequence[Timing]) -> str:
    microseconds = sorted(timing.microseconds for timing in timings)
    ratios = "".join(f"{timing.ratio:>9.2f} ±{timing.spread:.2f}" for timing in timings)
    return f"{microseconds[len(microseconds) // 2]:>9.2f} us{ratios}"


def _verdict(worst: float, target: float | None) -> str:
    if target is None:
        return f"{worst:.2f} (no target)"
    return f"{worst:.2f}, {_of(worst, target, '')}"


def _of(value: float, target: float, unit: str) -> str:
    reached = "reached" if value <= target else "MISSED"
    return f"target {target:g}{unit and ' '}{unit} {reached}"


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
