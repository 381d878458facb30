"""Runs everything and prints it: `python -m benchmarks`, with `quick` for a short run.

The exit status is 1 when a target was missed or a bad header got through, but only
after everything was printed. A framework that is missing or answers wrongly ends the
run: a comparison with fewer would look the same.
"""

import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from benchmarks import headers, imports, report, routing
from benchmarks.cases import CASES, AsgiApplication
from benchmarks.contenders import (
    bareasgi_app,
    blacksheep_app,
    falcon_app,
    hand_written,
    muffin_app,
    starlette_app,
)
from benchmarks.driver import (
    BASELINE,
    FULL,
    QUICK,
    Plan,
    Timing,
    measure,
    running,
    verify,
)

_RUNS: Final = 3
_PEERS: Final = ("starlette", "falcon", "blacksheep", "muffin")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    if arguments not in ([], ["quick"]):
        sys.exit("usage: python -m benchmarks [quick]")
    is_quick = bool(arguments)
    _say(report.machine(_PEERS))
    missed: list[str] = []

    runs = asyncio.run(_measure_requests(QUICK if is_quick else FULL))
    missed += _print(report.requests(CASES, runs))
    missed += _print(report.look_ups(routing.measure(15 if is_quick else 60)))
    cost = imports.measure(15 if is_quick else 40)
    missed += _print(report.imports(cost, imports.distributions()))
    leaks = asyncio.run(headers.leaks())
    _say(f"\nheaders with CR, LF or NUL: {len(leaks)} got through")
    missed += [f"a bad header got through: {leak}" for leak in leaks]

    verdict = missed or ["all targets reached"]
    _say("\n".join(["", *verdict]))
    return 1 if missed else 0


def _contenders() -> Mapping[str, Mapping[str, AsgiApplication]]:
    return {
        BASELINE: hand_written.applications(),
        report.OURS: bareasgi_app.applications(),
        "Starlette": starlette_app.applications(),
        "Falcon": falcon_app.applications(),
        "BlackSheep": blacksheep_app.applications(),
        "Muffin": muffin_app.applications(),
    }


async def _measure_requests(plan: Plan) -> Sequence[Mapping[str, Mapping[str, Timing]]]:
    """Measure every case once in each run."""
    contenders = _contenders()
    async with AsyncExitStack() as stack:
        for name, applications in contenders.items():
            # Some serve two cases with one application.
            for application in {id(a): a for a in applications.values()}.values():
                await stack.enter_async_context(running(application))
            for case in CASES:
                await verify(name, applications[case.name], case)
        # Everything built so far is out of the collector's way, for everyone.
        gc.collect()
        gc.freeze()
        return [
            {
                case.name: await measure(
                    {name: by_case[case.name] for name, by_case in contenders.items()},
                    case,
                    plan,
                )
                for case in CASES
            }
            for _ in range(_RUNS)
        ]


def _say(text: str) -> None:
    # At once, because the parts are minutes apart.
    print(text, flush=True)  # noqa: T201 - this page is what the program is for


def _print(part: tuple[str, Sequence[str]]) -> Sequence[str]:
    text, missed = part
    _say(f"\n{text}")
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
