"""Writes what was measured into the documentation: `python -m benchmarks.page`.

It reads `results/` and changes `docs/benchmarks.md` between the comments `<!-- begin
NAME -->` and `<!-- end NAME -->`, and the charts `docs/images/benchmarks-*.svg`. With
`--check` it changes nothing, and the exit status is 1 when the page or a chart is not
what it would write.
"""

import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import markdown, report
from benchmarks.charts import Chart, Panel, bar_chart
from benchmarks.report import OURS, Result, Table

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = "benchmarks.md"
README: Final = "README.md"

_BASELINE: Final = "hand-written"
# The most telling of the cases: the least work, the most routes, the most messages.
_CHARTED: Final = (
    "plain text",
    "two parameters behind 300 other routes",
    "100 chunks streamed",
)
_AT_REST: Final = "an import and an empty application, beyond the interpreter"
_INSTALLED: Final = "what an installation has, without a server"

# What is shown first: the benchmark, its table and column, and what it is in words.
_SUMMARY: Final = (
    ("requests", "plain text", 0, "plain text, in process: CPU time, µs"),
    ("requests", _CHARTED[1], 0, f"{_CHARTED[1]}: CPU time, µs"),
    (
        "servers",
        "plain text, on uvicorn",
        0,
        "plain text, on uvicorn: answers a second",
    ),
    ("servers", "plain text, on uvicorn", 1, "plain text, on uvicorn: CPU time, µs"),
    ("growth", "the memory of an open stream", 0, "an open stream: memory, KiB"),
    ("footprint", _AT_REST, 0, "import: CPU time, ms"),
    ("footprint", _AT_REST, 1, "import: memory, MiB"),
    ("footprint", _INSTALLED, 0, "installed distributions"),
)
_SUMMARY_NAMES: Final = (OURS, "Starlette", "FastAPI", "Falcon", "Litestar", "Quart")


def main(arguments: Sequence[str]) -> int:
    """Write or check the page and the charts, and give the exit status."""
    parser = ArgumentParser("python -m benchmarks.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--results", type=Path, default=report.RESULTS)
    parser.add_argument("--docs", type=Path, default=DOCS)
    chosen = parser.parse_args(arguments)
    files = _files(chosen.results, chosen.docs)
    if not chosen.check:
        for path, text in files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        return 0
    stale = [path for path, text in files.items() if _read(path) != text]
    for path in stale:
        report.say(f"{path} is not what `python -m benchmarks.page` writes")
    return 1 if stale else 0


def _files(folder: Path, docs: Path) -> Mapping[Path, str]:
    """Make what every file has to be."""
    results = {path.stem: report.load(path) for path in sorted(folder.glob("*.json"))}
    charts = {
        name: make(results[name].tables)
        for name, make in _CHARTS.items()
        if name in results
    }
    parts = {
        "machine": markdown.machine(results),
        "missed": markdown.missed(results),
        "behind": markdown.behind(results),
        **{
            name: _LAYOUTS.get(name, _tables)(result.tables)
            for name, result in results.items()
        },
        **_summary(results),
        **{
            f"chart of {name}": f"![{chart.title}; the table has the figures]"
            f"(images/benchmarks-{name}.svg)"
            for name, chart in charts.items()
        },
    }
    page, readme = docs / PAGE, docs.parent / README
    return {
        page: _filled(page.read_text("utf-8"), parts),
        **_with_summary(readme, parts),
        **{
            docs / "images" / f"benchmarks-{name}.svg": bar_chart(chart, _BASELINE)
            for name, chart in charts.items()
        },
    }


def _summary(results: Mapping[str, Result]) -> Mapping[str, str]:
    if not {name for name, *_ in _SUMMARY} <= results.keys():
        return {}
    figures = [
        (words, found, column)
        for name, title, column, words in _SUMMARY
        for found in results[name].tables
        if found.title == title
    ]
    return {"summary": markdown.summary(figures, _SUMMARY_NAMES)}


def _with_summary(readme: Path, parts: Mapping[str, str]) -> Mapping[Path, str]:
    """Make what the README has to be, where it has a place for the summary."""
    text = _read(readme)
    if "summary" not in parts or "<!-- begin summary -->" not in text:
        return {}
    return {readme: _filled(text, {"summary": parts["summary"]})}


def _filled(page: str, parts: Mapping[str, str]) -> str:
    """Put each part between its comments. Ends the program where one is missing."""
    places = re.findall(r"^<!-- begin (.+) -->$", page, re.MULTILINE)
    if sorted(places) != sorted(parts):
        odd = sorted(set(places) ^ set(parts)) or places
        sys.exit(f"{PAGE} has places for other results than there are: {odd}")
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{text}\n\n{end}{after}"
    return page


def _tables(tables: Sequence[Table]) -> str:
    return "\n\n".join(map(markdown.table, tables))


def _requests_chart(tables: Sequence[Table]) -> Chart:
    cases = {found.title: found for found in tables}
    return Chart(
        "CPU time of a request in process, less is better",
        [_panel(cases[title], title, 0, "µs", 1) for title in _CHARTED],
    )


def _servers_chart(tables: Sequence[Table]) -> Chart:
    case = tables[0].title.removesuffix(f", on {tables[0].group}")
    shown = [found for found in tables if found.title.startswith(case)]
    return Chart(
        f"Answers in a second, {case}, more is better",
        [_panel(found, found.title, 0, "", 0) for found in shown],
    )


def _footprint_chart(tables: Sequence[Table]) -> Chart:
    at_rest = tables[0]
    return Chart(
        "What a framework costs at rest, less is better",
        [
            _panel(at_rest, "memory", 1, "MiB", 1),
            _panel(at_rest, "CPU time of the import", 0, "ms", 0),
        ],
    )


_LAYOUTS: Final[Mapping[str, Callable[[Sequence[Table]], str]]] = {
    "requests": markdown.requests,
    "servers": markdown.servers,
}
_CHARTS: Final[Mapping[str, Callable[[Sequence[Table]], Chart]]] = {
    "requests": _requests_chart,
    "servers": _servers_chart,
    "footprint": _footprint_chart,
}


def _panel(found: Table, title: str, column: int, unit: str, digits: int) -> Panel:
    medians = {
        name: figure.median
        for name, figures in found.rows.items()
        if (figure := figures[column])
    }
    return Panel(
        title[:1].upper() + title[1:],
        {
            name: (value, f"{value:,.{digits}f} {unit}".strip())
            for name, value in medians.items()
        },
    )


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
