"""How time and memory grow: `python -m benchmarks.growth [quick]`.

Every contender answers with more and more routes, middlewares and request headers, and
with more and more streams at once. Counted are the CPU time of a request, and the bytes
that each route and each open stream takes. Our router is also asked directly, with up
to ten thousand routes, because a whole request would hide what grows.

Of three runs the worst counts. The exit status is 1 when a target was missed. A package
that is missing, or a wrong answer, ends the run.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

from benchmarks import contenders, growth_memory, routing
from benchmarks.cases import CASES, SESSION, AsgiApplication, Case, scope_for
from benchmarks.driver import BASELINE, Plan, measure, running, verify
from benchmarks.report import OURS, Column, Figure, Report, Table, at_most

FULL: Final = Plan(rounds=9, slice_seconds=0.02)
QUICK: Final = Plan(rounds=3, slice_seconds=0.004)

_QUICK_NAMES: Final = (BASELINE, OURS, "Starlette")
_LOOK_UPS: Final = 60
_QUICK_LOOK_UPS: Final = 10
_BY_NAME: Final[Mapping[str, Case]] = {case.name: case for case in CASES}


@dataclass(frozen=True)
class Growth:
    """What grows, in which steps, and how much a request of ours may grow with it.

    `limit` is the time at the last step over that at the first. `make` gives the
    application of a contender and `case` the request, both for a step.
    """

    what: str
    steps: Sequence[int]
    limit: float
    make: Callable[[str, int], AsgiApplication]
    case: Callable[[int], Case]


def _with_routes(name: str, count: int) -> AsgiApplication:
    made: AsgiApplication = contenders.module(name).with_routes(count)
    return made


def _with_middlewares(name: str, count: int) -> AsgiApplication:
    made: AsgiApplication = contenders.module(name).with_middlewares(count)
    return made


def _reading_a_cookie(name: str, count: int) -> AsgiApplication:
    return contenders.applications(name)["cookie"]


def _last_route(count: int) -> Case:
    # Some remember 1,024 paths. A slice has more requests than these, even of theirs.
    paths = [f"/area{count - 1}/name{number}/{number}" for number in range(1_100)]
    return replace(_BY_NAME["parameters"], scopes=[scope_for(path) for path in paths])


def _passed(count: int) -> Case:
    return replace(_BY_NAME["middlewares"], body=str(count).encode())


def _headers(count: int) -> Case:
    others = [(f"x-header-{index}".encode(), b"value") for index in range(count - 1)]
    headers = [*others, (b"cookie", f"theme=dark; session={SESSION}".encode())]
    return replace(_BY_NAME["cookie"], scopes=[scope_for("/cookie", headers=headers)])


_GROWTHS: Final = (
    Growth("routes", (10, 100, 1_000), 1.5, _with_routes, _last_route),
    Growth("middlewares", (1, 5, 20), 4.0, _with_middlewares, _passed),
    Growth("request headers", (5, 50, 500), 4.0, _reading_a_cookie, _headers),
)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report("growth", arguments, [*contenders.DISTRIBUTIONS.values()])
    names, plan, rounds, left_out = [*contenders.MODULES], FULL, _LOOK_UPS, list[str]()
    if report.is_quick:
        left_out = [name for name in names if name not in _QUICK_NAMES]
        names, plan, rounds = [*_QUICK_NAMES], QUICK, _QUICK_LOOK_UPS
    looked_up = [routing.measure(rounds) for _ in range(report.runs)]
    report.add(_look_up_table(looked_up))
    for growth in _GROWTHS:
        runs = [_measure(growth, names, plan) for _ in range(report.runs)]
        report.add(_table(growth, runs))
    for table in growth_memory.tables(names, report.runs):
        report.add(table)
    return report.finish(left_out)


def _look_up_table(runs: Sequence[Mapping[str, Sequence[float]]]) -> Table:
    targets = [
        at_most(
            f"{kind}, {routing.SIZES[-1]:,} routes by {routing.SIZES[0]}",
            [run[kind][-1] / run[kind][0] for run in runs],
            routing.FLAT,
        )
        for kind in routing.KINDS
    ]
    return Table(
        title="looking a route up in our router, by the number of routes",
        columns=[Column(f"{size:,}", "ns", 0) for size in routing.SIZES],
        rows={
            kind: [
                Figure([run[kind][index] for run in runs])
                for index in range(len(routing.SIZES))
            ]
            for kind in routing.KINDS
        },
        targets=targets,
    )


def _measure(
    growth: Growth, names: Sequence[str], plan: Plan
) -> Mapping[str, Sequence[float]]:
    """Give the microseconds of a request, of each contender at each step."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for step in growth.steps:
        timings = asyncio.run(_measure_step(growth, names, plan, step))
        for name, microseconds in timings.items():
            found[name].append(microseconds)
    return found


async def _measure_step(
    growth: Growth, names: Sequence[str], plan: Plan, step: int
) -> Mapping[str, float]:
    case = growth.case(step)
    made = {name: growth.make(name, step) for name in names}
    async with AsyncExitStack() as stack:
        for name, application in made.items():
            await stack.enter_async_context(running(application))
            await verify(name, application, case)
        gc.collect()
        gc.freeze()
        timings = await measure(made, case, plan)
    gc.unfreeze()
    return {name: timing.microseconds for name, timing in timings.items()}


def _table(growth: Growth, runs: Sequence[Mapping[str, Sequence[float]]]) -> Table:
    grown = {name: [run[name][-1] / run[name][0] for run in runs] for name in runs[0]}
    what = f"{growth.steps[-1]:,} by {growth.steps[0]}"
    return Table(
        title=f"a request, by the number of {growth.what}",
        columns=[
            *(Column(f"{step:,}", "µs") for step in growth.steps),
            Column(what),
        ],
        rows={
            name: [
                *(
                    Figure([run[name][index] for run in runs])
                    for index in range(len(growth.steps))
                ),
                Figure(grown[name]),
            ]
            for name in runs[0]
        },
        targets=[at_most(f"{growth.what}, {what}", grown[OURS], growth.limit)],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
