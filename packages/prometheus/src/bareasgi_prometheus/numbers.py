"""Numbers in the form that Prometheus gives them, which is Go's."""

from math import inf, isnan
from typing import Final

INFINITY: Final = inf

_LARGE: Final = 6
"""From how many digits on there is an exponent."""


def number(value: float) -> str:
    """Write a number as Go would: `0.005`, `1.0`, `1.048576e+06`, `+Inf`."""
    value = float(value)
    if value == inf:
        return "+Inf"
    if value == -inf:
        return "-Inf"
    if isnan(value):
        return "NaN"
    text = repr(value)
    point = text.find(".")
    if value > 0 and point > _LARGE:
        digits = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{digits}e+{point - 1:02d}"
    return text
