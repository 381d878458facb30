"""Bar charts as SVG: readable on a phone, in light and dark, and by a screen reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.report import OURS

_WIDTH: Final = 440
_MARGIN: Final = 14
_LABEL: Final = 92
_VALUE: Final = 62
_BAR: Final = 14
_STEP: Final = 20
_HEADING: Final = 34
_BARS: Final = _WIDTH - 2 * _MARGIN - _LABEL - _VALUE

# Text has a contrast of at least 7 to 1 with the ground, and bars of 3 to 1.
_STYLE: Final = """\
    .ground { fill: #ffffff; stroke: #d0d7de }
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }
    .heading, .panel, .own { font-weight: 700 }
    .heading { font-size: 13px }
    .label { text-anchor: end }
    .bar { fill: #6e7781 }
    .first { fill: #9a6700 }
    .ours { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #3d444d }
      text { fill: #f0f6fc }
      .bar { fill: #8b949e }
      .first { fill: #d29922 }
      .ours { fill: #4493f8 }
    }"""


@dataclass(frozen=True)
class Panel:
    """One group of bars: what they are, and how long and how labelled each is."""

    title: str
    bars: Mapping[str, tuple[float, str]]

    def __str__(self) -> str:
        """Say it in words."""
        values = ", ".join(f"{name} {text}" for name, (_, text) in self.bars.items())
        return f"{self.title}: {values}."


@dataclass(frozen=True)
class Chart:
    """Panels, one below the other, and what they are together."""

    title: str
    panels: Sequence[Panel]


def bar_chart(chart: Chart, baseline: str) -> str:
    """Draw a chart, with a scale for each panel."""
    lines = [_text("heading", _MARGIN, _MARGIN + 12, chart.title)]
    top = _MARGIN + _STEP
    for panel in chart.panels:
        lines += _panel(panel, top, {baseline: "first", OURS: "ours"})
        top += _HEADING + _STEP * len(panel.bars)
    height = top + _MARGIN
    described = escape(" ".join(map(str, chart.panels)))
    root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' aria-labelledby="title description">'
    )
    return "\n".join(
        [
            root,
            f'  <title id="title">{escape(chart.title)}</title>',
            f'  <desc id="description">{described}</desc>',
            f"  <style>\n{_STYLE}\n  </style>",
            _rectangle("ground", 0.5, 0.5, _WIDTH - 1, height - 1, 8),
            *lines,
            "</svg>\n",
        ]
    )


def _panel(panel: Panel, top: int, kinds: Mapping[str, str]) -> Sequence[str]:
    longest = max(length for length, _ in panel.bars.values())
    lines = [_text("panel", _MARGIN, top + 18, panel.title)]
    x = _MARGIN + _LABEL
    for index, (name, (length, value)) in enumerate(panel.bars.items()):
        y = top + _HEADING - 6 + index * _STEP
        kind = kinds.get(name, "bar")
        # Not by its colour alone.
        weight = "own" if kind == "ours" else "other"
        width = max(1.0, round(_BARS * length / longest, 1))
        lines += [
            _text(f"{weight} label", x - 8, y + 11, name),
            _rectangle(kind, x, y, width, _BAR, 2),
            _text(weight, x + width + 6, y + 11, value),
        ]
    return lines


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'  <text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _rectangle(
    kind: str, x: float, y: float, width: float, height: float, radius: int
) -> str:
    return (
        f'  <rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}"'
        f' height="{height:g}" rx="{radius}"/>'
    )
