"""Orders as clients write them: what is right becomes an Order, the rest is told."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

from board.model import Order, Side
from board.money import parse_price

FIELDS: Final = ("key", "side", "symbol", "quantity", "limit")
LARGEST: Final = 1000
SIDES: Final[Mapping[object, Side]] = {"buy": "buy", "sell": "sell"}


class OrderError(ValueError):
    """An order that cannot be taken.

    Attributes:
        problems: what is wrong, by the names of the fields, in words for whoever sent
            the order.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(
            "; ".join(f"{name}: {text}" for name, text in problems.items())
        )
        self.problems = problems


def parse_key(text: str) -> UUID | None:
    """Read the key of an order, in the one form that UUIDs are written in."""
    try:
        key = UUID(text)
    except ValueError:
        return None
    return key if str(key) == text.lower() else None


def order_from_json(fields: Mapping[str, object], symbols: Collection[str]) -> Order:
    """Make an order of an object of JSON, `{"side", "symbol", "quantity"}` and so on.

    Without a key it is given one. Raises OrderError with every problem that there is.
    """
    problems = {
        name: "There is no such field." for name in fields if name not in FIELDS
    }
    order = Order(
        key=_read_key(fields.get("key"), problems),
        side=_read_side(fields.get("side"), problems),
        symbol=_read_symbol(fields.get("symbol"), symbols, problems),
        quantity=_read_quantity(fields.get("quantity"), problems),
        limit=_read_limit(fields.get("limit"), problems),
    )
    if problems:
        raise OrderError(problems)
    return order


def order_from_form(fields: Mapping[str, str], symbols: Collection[str]) -> Order:
    """Make an order of the fields of a form, where everything is text."""
    quantity = fields.get("quantity", "")
    is_number = (
        quantity.isascii() and quantity.isdigit() and len(quantity) <= len(str(LARGEST))
    )
    typed: Mapping[str, object] = {
        "key": fields.get("key") or None,
        "side": fields.get("side"),
        "symbol": fields.get("symbol"),
        "quantity": int(quantity) if is_number else quantity,
        "limit": fields.get("limit") or None,
    }
    return order_from_json(typed, symbols)


def _read_key(value: object, problems: dict[str, str]) -> UUID:
    if value is None:
        return uuid4()
    key = parse_key(value) if isinstance(value, str) else None
    if key is None:
        problems["key"] = "The key must be a UUID."
        return uuid4()
    return key


def _read_side(value: object, problems: dict[str, str]) -> Side:
    side = SIDES.get(value) if isinstance(value, str) else None
    if side is None:
        problems["side"] = "Choose buy or sell."
        return "buy"
    return side


def _read_symbol(
    value: object, symbols: Collection[str], problems: dict[str, str]
) -> str:
    if not isinstance(value, str) or value not in symbols:
        problems["symbol"] = f"Choose one of {', '.join(symbols)}."
        return ""
    return value


def _read_quantity(value: object, problems: dict[str, str]) -> int:
    # True is an int to Python, and no quantity.
    if type(value) is not int or not 1 <= value <= LARGEST:
        problems["quantity"] = (
            f"The quantity must be a whole number from 1 to {LARGEST}."
        )
        return 0
    return value


def _read_limit(value: object, problems: dict[str, str]) -> Decimal | None:
    if value is None:
        return None
    try:
        # Not a number of JSON: that would be a float, which is no price.
        limit = parse_price(value) if isinstance(value, str) else None
    except ValueError:
        limit = None
    if limit is None:
        problems["limit"] = "A limit is a price as text, such as 101.25, or nothing."
    return limit
