"""Writes what a registry holds, line by line, in the two formats of Prometheus.

The bytes are those of prometheus-client's own `generate_latest`. But each line is made
when it is asked for, so whoever asks may do something else in between.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final

from prometheus_client.core import Exemplar, Metric, Sample

from bareasgi_prometheus.numbers import number

TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus, which everybody reads."""

OPENMETRICS: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
"""OpenMetrics 1.0, which has exemplars."""

# What other kinds are in the text format, which is the older one.
_KINDS: Final = {
    "info": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
    "unknown": "untyped",
}
_SUFFIXES: Final = {"counter": "_total", "info": "_info"}
_GAUGES: Final = ("_created", "_gcount", "_gsum")
"""Samples that only OpenMetrics has. In text each suffix is a gauge of its own."""

# Newer clients allow any name. Whoever did not ask for these gets underscores.
_foreign: Final = re.compile(r"^[0-9]|[^a-zA-Z0-9_:]").sub
_foreign_label: Final = re.compile(r"^[0-9]|[^a-zA-Z0-9_]").sub


def text_lines(
    metrics: Iterable[Metric], names: Container[str] | None = None
) -> Iterator[str]:
    """Write metrics in the text format of Prometheus, version 0.0.4.

    With names only samples of these names are written.
    """
    for metric in metrics:
        name = _name(metric.name + _SUFFIXES.get(metric.type, ""))
        documentation = metric.documentation.replace("\\", r"\\").replace("\n", r"\n")
        kind = _KINDS.get(metric.type, metric.type)
        head = f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n"
        if names is None:
            yield head
            head = ""
        apart: dict[str, list[Sample]] = {}
        for sample in metric.samples:
            if _is_left_out(sample, names):
                continue
            if head:
                yield head
                head = ""
            suffix = sample.name.removeprefix(metric.name)
            if suffix in _GAUGES:
                apart.setdefault(suffix, []).append(sample)
            else:
                yield _text_line(sample)
        for suffix in sorted(apart):
            name = _name(metric.name + suffix)
            yield f"# HELP {name} {documentation}\n# TYPE {name} gauge\n"
            for sample in apart[suffix]:
                yield _text_line(sample)


def openmetrics_lines(
    metrics: Iterable[Metric], names: Container[str] | None = None
) -> Iterator[str]:
    """Write metrics in the format of OpenMetrics 1.0.

    With names only samples of these names are written.
    """
    for metric in metrics:
        name = _name(metric.name)
        head = f"# HELP {name} {_escaped(metric.documentation)}\n"
        head += f"# TYPE {name} {metric.type}\n"
        if metric.unit:
            head += f"# UNIT {name} {metric.unit}\n"
        if names is None:
            yield head
            head = ""
        for sample in metric.samples:
            if _is_left_out(sample, names):
                continue
            if head:
                yield head
                head = ""
            time = "" if sample.timestamp is None else f" {sample.timestamp}"
            exemplar = _exemplar(sample.exemplar) if sample.exemplar else ""
            yield f"{_series(sample)} {number(sample.value)}{time}{exemplar}\n"
    yield "# EOF\n"


def _is_left_out(sample: Sample, names: Container[str] | None) -> bool:
    if names is not None and sample.name not in names:
        return True
    # Neither format has them.
    return getattr(sample, "native_histogram", None) is not None


def _text_line(sample: Sample) -> str:
    time = ""
    if sample.timestamp is not None:
        time = f" {int(float(sample.timestamp) * 1000)}"
    return f"{_series(sample)} {number(sample.value)}{time}\n"


def _series(sample: Sample) -> str:
    labels = ",".join(
        [
            f'{_label(name)}="{_escaped(sample.labels[name])}"'
            for name in sorted(sample.labels)
        ]
    )
    return f"{_name(sample.name)}{{{labels}}}" if labels else _name(sample.name)


def _exemplar(exemplar: Exemplar) -> str:
    labels = ",".join(
        [
            f'{name}="{_escaped(exemplar.labels[name])}"'
            for name in sorted(exemplar.labels)
        ]
    )
    time = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    return f" # {{{labels}}} {number(exemplar.value)}{time}"


def _name(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _foreign("_", name)


def _label(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _foreign_label("_", name)


def _escaped(text: str) -> str:
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text
