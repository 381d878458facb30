"""CPU time of a request, in process: `python -m benchmarks [quick]`.

Every contender answers the requests of `cases.py`, and what counts is the ratio to the
application that was written by hand for the case. Of three runs the worst counts. The
exit status is 1 when a target was missed or a bad header got through, but only after
everything was printed. A framework that is missing or answers wrongly ends the run: a
comparison with fewer would look the same.
"""

import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from benchmarks import contenders, headers
from benchmarks.cases import CASES, AsgiApplication, Case
from benchmarks.driver import (
    BASELINE,
    FULL,
    QUICK,
    Timing,
    measure,
    running,
    table,
    verify,
)
from benchmarks.report import OURS, Report, Table, Target, at_most, say

_QUICK_NAMES: Final = (BASELINE, OURS, "Starlette", "FastAPI", "Falcon")
_QUICK_CASES: Final = ("plaintext", "parameters", "body_whole", "stream", "middlewares")

NOTES: Final = """\
- Falcon's and BlackSheep's hot paths are partly compiled; the others are Python.
- Falcon's and Sanic's middlewares are hooks that are called in a row, everyone else's
  are nested.
- While a body streams, bareASGI, Starlette, FastAPI, Muffin and Quart notice that the
  client leaves; hand-written, Falcon, BlackSheep and Sanic do not look.
- Muffin remembers the last 1,024 paths it looked up, so the paths with parameters vary.
- BlackSheep does not convert parameters for a handler that takes the request; int() is
  called in the handler.
- Every JSON text comes from the standard library, with those too that have another.
- The 404 is everyone's own; their texts and headers differ.\
"""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report("requests", arguments, [*contenders.DISTRIBUTIONS.values()])
    names: Sequence[str] = [*contenders.MODULES]
    cases = CASES
    left_out: list[str] = []
    if report.is_quick:
        left_out = [name for name in names if name not in _QUICK_NAMES]
        left_out += [each.title for each in CASES if each.name not in _QUICK_CASES]
        names = _QUICK_NAMES
        cases = [case for case in CASES if case.name in _QUICK_CASES]
    asyncio.run(_measure(report, names, cases))
    say(f"\n{NOTES}")
    for name, lacking in contenders.LACKS.items():
        for case, reason in lacking.items():
            say(f"- {name} has no figure for {case}: {reason}.")
    leaks = asyncio.run(headers.leaks())
    say(f"\nheaders with CR, LF or NUL: {len(leaks)} got through")
    return report.finish(left_out, [f"a bad header: {leak}" for leak in leaks])


async def _measure(report: Report, names: Sequence[str], cases: Sequence[Case]) -> None:
    """Measure every case, once in each run."""
    by_name = {name: contenders.applications(name) for name in names}
    async with AsyncExitStack() as stack:
        for name, applications in by_name.items():
            used = [applications[case.name] for case in _cases_of(name, cases)]
            # Some serve two cases with one application.
            for application in {id(each): each for each in used}.values():
                await stack.enter_async_context(running(application))
            for case in _cases_of(name, cases):
                await verify(name, applications[case.name], case)
        # Everything built so far is out of the collector's way, for everyone.
        gc.collect()
        gc.freeze()
        plan = QUICK if report.is_quick else FULL
        for case in cases:
            able = _able(by_name, case)
            runs = [await measure(able, case, plan) for _ in range(report.runs)]
            report.add(_table(case, runs))


def _cases_of(name: str, cases: Sequence[Case]) -> Sequence[Case]:
    """Give the cases without those that a contender is known to lack."""
    return [case for case in cases if case.name not in contenders.LACKS.get(name, ())]


def _able(
    by_name: Mapping[str, Mapping[str, AsgiApplication]], case: Case
) -> Mapping[str, AsgiApplication]:
    return {
        name: applications[case.name]
        for name, applications in by_name.items()
        if case.name not in contenders.LACKS.get(name, ())
    }


def _table(case: Case, runs: Sequence[Mapping[str, Timing]]) -> Table:
    targets: list[Target] = []
    if case.target is not None:
        ratios = [run[OURS].ratio for run in runs]
        targets = [at_most(f"ratio to {BASELINE}", ratios, case.target)]
    return table(case.title, runs, targets, group="requests")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
