"""Checks the options, which are mistakes of the developer if wrong."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias, TypedDict, cast

from prometheus_client import Histogram

from bareasgi import Scope
from bareasgi_prometheus.naming import NAMINGS, Naming

LabelValue: TypeAlias = str | Callable[[Scope], object]
"""The value of a label: a text, or what makes it from the scope of each request."""

DEFAULT_BUCKETS: Final[Sequence[float]] = Histogram.DEFAULT_BUCKETS
"""Upper bounds in seconds: 5 ms to 10 s, as OpenTelemetry's conventions advise."""

SIZE_BUCKETS: Final[Sequence[float]] = tuple(float(4**power) for power in range(4, 15))
"""Upper bounds in bytes: 256 B to 256 MiB, each four times the one before."""

_LABEL: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_TYPE: Final = re.compile(r"\{(\w+):[^{}]*\}")


class MetricsOptions(TypedDict, total=False):
    """The options of Metrics."""

    naming: str
    buckets: Sequence[float]
    labels: Mapping[str, LabelValue] | None
    exclude: Iterable[str]
    max_series: int
    exemplars: bool


def chosen_naming(given: str | Naming) -> Naming:
    """Take the name of a naming. Raises ValueError for one that is not known."""
    if isinstance(given, Naming):
        return given
    if given not in NAMINGS:
        known = " or ".join(map(repr, NAMINGS))
        raise ValueError(f"naming is {given!r}: write {known}")
    return NAMINGS[given]


def upper_bounds(given: Iterable[float]) -> Sequence[float]:
    """Take the bounds of buckets, at least one, each above the one before.

    Raises TypeError or ValueError for anything else.
    """
    bounds = [float(each) for each in given]
    if not bounds or not all(lower < upper for lower, upper in pairwise(bounds)):
        raise ValueError(f"buckets are {bounds}: write upper bounds in rising order")
    return bounds


def extra_labels(
    given: Mapping[str, LabelValue] | None, naming: Naming
) -> Mapping[str, LabelValue]:
    """Take labels by name. Raises TypeError or ValueError for what cannot be one."""
    if given is None:
        return {}
    if not isinstance(cast(object, given), Mapping):
        raise TypeError(f"labels must be a mapping of names to values, not {given!r}")
    taken = {label for family in naming.families for label in family.labels}
    for name, value in given.items():
        if not isinstance(cast(object, value), str) and not callable(value):
            raise TypeError(
                f"the label {name!r} is {value!r}: write a text, or a function of the"
                " scope that gives one"
            )
        if not isinstance(cast(object, name), str) or _LABEL.fullmatch(name) is None:
            raise ValueError(
                f"{name!r} cannot be a label: write letters, digits and underscores"
            )
        if name in taken or name == "le":
            raise ValueError(f"there is a label {name!r} already: write another name")
    return dict(given)


def path_formats(given: Iterable[str]) -> frozenset[str]:
    """Take path templates, with or without types. Raises TypeError for a plain str."""
    if isinstance(given, str):
        raise TypeError(f"exclude is a single text: write a set, {{{given!r}}}")
    formats: set[str] = set()
    for each in given:
        if not isinstance(cast(object, each), str):
            raise TypeError(f"exclude has {each!r} in it: write path templates")
        formats.add(_TYPE.sub(r"{\1}", each))
    return frozenset(formats)


def series_limit(given: int, least: int) -> int:
    """Take the limit. Raises TypeError or ValueError for what cannot be one."""
    if isinstance(given, bool) or not isinstance(cast(object, given), int):
        raise TypeError(f"max_series must be a number, not {given!r}")
    if given < least:
        raise ValueError(f"max_series is {given}: it must be at least {least}")
    return given
