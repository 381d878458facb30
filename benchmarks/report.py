"""What a benchmark finds: printed at once, and kept for the page of the documentation.

A benchmark makes tables of figures, three runs of each, and adds them to its report.
The report of a full run is written to `results/`, from which `benchmarks.page` makes
the tables and charts of the documentation. That of a quick run is only printed.
"""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

OURS: Final = "bareASGI"
RUNS: Final = 3
RESULTS: Final = Path(__file__).parent / "results"

_QUICK_LACKS: Final = (
    "two of three runs",
    "most rounds",
    "a verdict on the targets",
    "writing the results",
)
_GIB: Final = 1024**3
_LONG: Final = 100


@dataclass(frozen=True)
class Column:
    """What a column of figures is, its unit (`""` for a ratio), and its decimals.

    Of most figures less is better.
    """

    title: str
    unit: str = ""
    digits: int = 2
    more_is_better: bool = False


@dataclass(frozen=True)
class Figure:
    """What was measured, once for each run.

    `spread` is half the distance between the quartiles of each run's rounds, where a
    run has rounds.
    """

    runs: Sequence[float]
    spread: Sequence[float] = ()

    @property
    def median(self) -> float:
        """The run in the middle."""
        return median(self.runs)


@dataclass(frozen=True)
class Target:
    """What is asked of us: `counted` is the figure of the run that is worst for us."""

    what: str
    counted: float
    limit: float
    is_reached: bool
    unit: str = ""

    def __str__(self) -> str:
        """Say it in a line."""
        unit = self.unit and f" {self.unit}"
        outcome = "reached" if self.is_reached else "MISSED"
        counted, limit = short(self.counted), short(self.limit)
        return f"{self.what}: {counted}{unit}, target {limit}{unit} {outcome}"


@dataclass(frozen=True)
class Table:
    """Figures of the contenders: a row for each, with a figure or None a column.

    Tables of one `group` are the same question about different things, and are shown
    together on the page.
    """

    title: str
    columns: Sequence[Column]
    rows: Mapping[str, Sequence[Figure | None]]
    targets: Sequence[Target] = ()
    group: str = ""


@dataclass(frozen=True)
class Machine:
    """What a benchmark ran on.

    `load` is how many programs wanted a processor, on average over the minute before.
    """

    day: str
    processor: str
    cores: int
    memory: int
    system: str
    python: str
    load: float

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.processor}, {self.cores} cores, {self.memory} GiB; {self.system};"
            f" {self.python}; load {self.load:.1f} before it began; {self.day}"
        )


@dataclass(frozen=True)
class Result:
    """All that one benchmark found in a full run."""

    machine: Machine
    versions: Mapping[str, str]
    tables: Sequence[Table]


class Report:
    """The report of one benchmark, from its arguments to its exit status.

    Ends the program when the arguments are wrong or one of the distributions is not
    there: a comparison with fewer would look the same.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], distributions: Sequence[str]
    ) -> None:
        if arguments not in ([], ["quick"]):
            module = "benchmarks" if name == "requests" else f"benchmarks.{name}"
            sys.exit(f"usage: python -m {module} [quick]")
        self._name = name
        self.is_quick = bool(arguments)
        self._machine = _machine()
        self._versions = {each: _version(each) for each in distributions}
        self._tables: list[Table] = []
        self._is_reached = True
        say(f"\n=== {name}{', quick' * self.is_quick}: {self._machine}")
        say(", ".join(f"{each} {found}" for each, found in self._versions.items()))

    def uses(self, name: str, version: str) -> None:
        """Print, and keep, the version of a program that is no distribution."""
        say(f"{name} {version}")
        self._versions[name] = version

    def add(self, table: Table) -> None:
        """Print a table, and keep it."""
        say(f"\n{_as_text(table)}")
        self._tables.append(table)
        self._is_reached &= all(target.is_reached for target in table.targets)

    def finish(self, left_out: Sequence[str] = (), failures: Sequence[str] = ()) -> int:
        """Write what a full run has found, and give the exit status.

        `left_out` is what a quick run has not done, and `failures` what is wrong beside
        targets that were missed. A quick run is too short to be judged by targets.
        """
        for each in failures:
            say(f"FAILED: {each}")
        if self.is_quick:
            say(f"\nleft out: {'; '.join([*_QUICK_LACKS, *left_out])}")
            return 1 if failures else 0
        result = Result(self._machine, self._versions, self._tables)
        save(result, RESULTS / f"{self._name}.json")
        return 0 if self._is_reached and not failures else 1

    @property
    def runs(self) -> int:
        """How often everything is measured."""
        return 1 if self.is_quick else RUNS


def save(result: Result, path: Path) -> None:
    """Write a result, so that `load` can read it."""
    path.parent.mkdir(exist_ok=True)
    # Six digits of each number are more than is known.
    told = json.dumps(asdict(result))
    rounded = json.loads(told, parse_float=lambda number: float(f"{float(number):.6g}"))
    path.write_text(json.dumps(rounded, indent=1) + "\n", "utf-8")


def load(path: Path) -> Result:
    """Read what `save` has written."""
    read: Any = json.loads(path.read_text("utf-8"))
    tables = [
        Table(
            title=table["title"],
            columns=[Column(**column) for column in table["columns"]],
            rows={
                name: [each and Figure(**each) for each in figures]
                for name, figures in table["rows"].items()
            },
            targets=[Target(**target) for target in table["targets"]],
            group=table["group"],
        )
        for table in read["tables"]
    ]
    return Result(Machine(**read["machine"]), read["versions"], tables)


def at_most(what: str, found: Sequence[float], limit: float, unit: str = "") -> Target:
    """Ask that no run has more than the limit."""
    return Target(what, max(found), limit, max(found) <= limit, unit)


def at_least(what: str, found: Sequence[float], limit: float, unit: str = "") -> Target:
    """Ask that no run has less than the limit."""
    return Target(what, min(found), limit, min(found) >= limit, unit)


def short(number: float) -> str:
    """Write a number with three digits, or all of those before the point."""
    return f"{number:,.0f}" if abs(number) >= _LONG else f"{number:.3g}"


def say(text: str) -> None:
    """Print at once, because the parts are minutes apart."""
    print(text, flush=True)  # noqa: T201 - this page is what the programs are for


def _as_text(table: Table) -> str:
    """All runs of all figures."""
    header = ["", *(_title(column) for column in table.columns)]
    lines = [
        [name, *map(_cell, figures, table.columns)]
        for name, figures in table.rows.items()
    ]
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    text = [table.title]
    for name, *cells in (header, *lines):
        figures = zip(cells, widths[1:], strict=True)
        row = "   ".join(cell.rjust(width) for cell, width in figures)
        text.append(f"  {name:<{widths[0]}}   {row}")
    return "\n".join([*text, *(f"  {target}" for target in table.targets)])


def _title(column: Column) -> str:
    return f"{column.title}, {column.unit}" if column.unit else column.title


def _cell(figure: Figure | None, column: Column) -> str:
    if figure is None:
        return "-"
    digits = column.digits
    spread = [f" ±{each:.{digits}f}" for each in figure.spread]
    spread = spread or [""] * len(figure.runs)
    return "  ".join(
        f"{run:,.{digits}f}{within}"
        for run, within in zip(figure.runs, spread, strict=True)
    )


def _machine() -> Machine:
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        day=datetime.now(UTC).date().isoformat(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory=round(pages / _GIB),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        load=os.getloadavg()[0],
    )


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text("utf-8").splitlines() if told.exists() else []
    models = [line.split(":")[1] for line in lines if line.startswith("model name")]
    return " ".join(models[0].split()) if models else platform.processor()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"{distribution} is not installed, and this benchmark needs it")
