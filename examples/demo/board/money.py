"""Prices: exact decimals inside, text such as "101.25" outside, and never a float."""

import re
from decimal import Decimal
from typing import Final

CENT: Final = Decimal("0.01")

_PRICE: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{1,2})?", re.ASCII)


def parse_price(text: str) -> Decimal:
    """Read a price above nought, of at most seven digits before the point.

    Raises ValueError for anything else: what `Decimal` takes (`1e999`, `NaN`, `-1`) is
    far more than what a price may be.
    """
    if not _PRICE.fullmatch(text) or Decimal(text) == 0:
        raise ValueError(f"{text!r} is no price")
    return Decimal(text).quantize(CENT)


def price_text(price: Decimal) -> str:
    """Write a price with its cents."""
    return f"{price:.2f}"


def percent_text(price: Decimal, opening: Decimal) -> str:
    """Write by how many percent a price is above (`+`) or below (`-`) the opening."""
    change = ((price - opening) / opening * 100).quantize(CENT)
    return f"{change:+}" if change else "0.00"
