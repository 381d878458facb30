"""The figures as Markdown: each is the middle of the runs, ± how far they are apart."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from benchmarks.report import OURS, Column, Figure, Result, Table, Target, short

# Our names, and rows that are no one's work but the measure, or part of ours.
_OURS: Final = (OURS, "bareclient")
_NO_PEERS: Final = {
    *_OURS,
    "hand-written",
    "httpcore2",
    "by hand, no checks",
    "graphql.execute alone",
    "kept, sent in full",
    "trusted, by its id",
    "kept, by its hash",
    "bareASGI without",
    "bareASGI, by hand",
    "Starlette without",
    "without it",
}

_PERCENT: Final = 100


def table(found: Table) -> str:
    """Make a heading and a table of all that was found."""
    header = ["", *map(_title, found.columns)]
    rows = [
        [_name(name), *map(cell, figures, found.columns)]
        for name, figures in found.rows.items()
    ]
    return "\n\n".join(
        [f"**{_capital(found.title)}**", _grid(header, rows), *_targets(found.targets)]
    )


def summary(figures: Sequence[tuple[str, Table, int]], names: Sequence[str]) -> str:
    """Make a table of a few figures: what each is, its table, and which column."""
    rows = [
        [
            _capital(words),
            *(
                _plain(found.rows[name][index] if name in found.rows else None, column)
                for name in names
            ),
        ]
        for words, found, index in figures
        for column in [found.columns[index]]
    ]
    return _grid(["", *map(_name, names)], rows)


def requests(tables: Sequence[Table]) -> str:
    """Make one table of the ratios of all cases, a row for each contender."""
    names = [*tables[0].rows]
    header = ["", *names, "worst run of ours", "target"]
    rows: list[list[str]] = []
    for found in tables:
        ratios = {
            name: figures[1] for name, figures in found.rows.items() if figures[1]
        }
        cells = [_plain(ratios.get(name)) for name in names]
        worst = f"{max(ratios[OURS].runs):.2f}"
        rows.append([_capital(found.title), *cells, worst, _outcome(found.targets)])
    spread = max(
        _half_range(figure)
        for found in tables
        for figures in found.rows.values()
        for figure in figures[1:]
        if figure
    )
    return (
        _grid([_name(each) for each in header], rows)
        + "\n\nThe three runs of a ratio lie within"
        + f" ±{spread * _PERCENT:.0f} % of the middle of their range, or closer."
    )


def servers(tables: Sequence[Table]) -> str:
    """Make a table for each case, with columns for each server, and one of waiting."""
    parts: list[str] = []
    by_case: dict[str, dict[str, Table]] = {}
    for found in tables:
        case = found.title.removesuffix(f", on {found.group}")
        by_case.setdefault(case, {})[found.group] = found
    for case, by_server in by_case.items():
        parts += [f"**{_capital(case)}: answers and CPU time**"]
        parts += [_beside(by_server, slice(0, 2))]
        parts += [
            target
            for server, found in by_server.items()
            for target in _targets(found.targets, f" on {server}")
        ]
    case, by_server = next(iter(by_case.items()))
    parts += [f"**{_capital(case)}: how long a client waits**"]
    parts += [_beside(by_server, slice(2, 4))]
    return "\n\n".join(parts)


def machine(results: Mapping[str, Result]) -> str:
    """Make a table of what it was measured on, and with which versions."""
    machines = [result.machine for result in results.values()]
    versions: dict[str, str] = {}
    for result in results.values():
        versions |= result.versions
    loads = [each.load for each in machines]
    cores, memory = _all(m.cores for m in machines), _all(m.memory for m in machines)
    rows = [
        ["day", _all(each.day for each in machines)],
        ["processor", _all(each.processor for each in machines)],
        ["cores, memory", f"{cores}, {memory} GiB"],
        ["system", _all(each.system for each in machines)],
        ["Python", _all(each.python for each in machines)],
        ["load before each part", f"{min(loads):.1f} to {max(loads):.1f}"],
        ["versions", ", ".join(f"{k} {v}" for k, v in sorted(versions.items()))],
    ]
    return _grid(["", ""], rows)


def behind(results: Mapping[str, Result]) -> str:
    """Make a table of all figures in which others have better ones than we have."""
    rows = [
        [f"{_words(name)}, {found.title}: {_title(column)}", ours, theirs]
        for name, result in results.items()
        for found in result.tables
        for column, ours, theirs in _better(found)
    ]
    return _grid(["", "ours", "theirs"], rows)


def missed(results: Mapping[str, Result]) -> str:
    """Say which of our own targets were missed."""
    lines = [
        f"- {_words(name)}, {found.title}, {str(target).removesuffix(' MISSED')}"
        for name, result in results.items()
        for found in result.tables
        for target in found.targets
        if not target.is_reached
    ]
    count = sum(len(t.targets) for result in results.values() for t in result.tables)
    if not lines:
        return f"All {count} of our own targets were reached."
    return "\n".join(
        [f"{len(lines)} of {count} of our own targets were missed:", "", *lines]
    )


def cell(figure: Figure | None, column: Column) -> str:
    """Write the median with its spread."""
    if figure is None:
        return "-"
    spread = round(_half_range(figure) * _PERCENT)
    return f"{figure.median:,.{column.digits}f}" + (f" ±{spread} %" if spread else "")


def _better(found: Table) -> Iterator[tuple[Column, str, str]]:
    """Give ours and theirs, best first, for each column in which others are ahead."""
    own = next((name for name in _OURS if name in found.rows), None)
    peers = {name: row for name, row in found.rows.items() if name not in _NO_PEERS}
    for index, column in enumerate(found.columns):
        ours = found.rows[own][index] if own else None
        # A ratio says again what the time beside it says.
        if ours is None or not column.unit:
            continue
        ahead = {
            name: figure.median
            for name, row in peers.items()
            if (figure := row[index]) and _is_ahead(figure, ours, column)
        }
        theirs = sorted(ahead, key=lambda name: ahead[name])
        if column.more_is_better:
            theirs.reverse()
        if theirs:
            cells = [f"{name} {_plain(peers[name][index], column)}" for name in theirs]
            yield column, _plain(ours, column), ", ".join(cells)


def _is_ahead(other: Figure, ours: Figure, column: Column) -> bool:
    """Tell whether all runs of another one are better than all of ours."""
    if column.more_is_better:
        return min(other.runs) > max(ours.runs)
    return max(other.runs) < min(ours.runs)


def _beside(by_server: Mapping[str, Table], part: slice) -> str:
    header = [""]
    rows: dict[str, list[str]] = {}
    for server, found in by_server.items():
        header += [f"{server}: {_title(column)}" for column in found.columns[part]]
        for name, figures in found.rows.items():
            cells = map(cell, figures[part], found.columns[part])
            rows.setdefault(name, [_name(name)]).extend(cells)
    return _grid(header, list(rows.values()))


def _targets(targets: Sequence[Target], where: str = "") -> Sequence[str]:
    if not targets:
        return []
    lines = [str(each).replace("MISSED", "**missed**") for each in targets]
    if len(lines) == 1:
        return [f"In our worst run{where}, {lines[0]}."]
    return [f"In our worst run{where}:\n\n" + "\n".join(f"- {line}" for line in lines)]


def _outcome(targets: Sequence[Target]) -> str:
    return "".join(
        f"{short(each.limit)}{'' if each.is_reached else ', **missed**'}"
        for each in targets
    )


def _half_range(figure: Figure) -> float:
    highest, lowest = max(figure.runs), min(figure.runs)
    return (highest - lowest) / 2 / abs(median(figure.runs) or 1)


def _plain(figure: Figure | None, column: Column | None = None) -> str:
    return f"{figure.median:,.{column.digits if column else 2}f}" if figure else "-"


def _title(column: Column) -> str:
    return f"{column.title}, {column.unit}" if column.unit else column.title


def _name(name: str) -> str:
    return f"**{name}**" if name in _OURS else name


def _words(name: str) -> str:
    return _capital(name.replace("_", " ").replace("graphql", "GraphQL"))


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]


def _all(values: Iterator[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table whose first column is text, and the others figures."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    if not any(header):
        rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
