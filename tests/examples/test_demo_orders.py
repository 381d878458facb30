"""Which orders the demo takes, and what it says of those that it does not."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from board.model import Order
from board.orders import OrderError, order_from_form, order_from_json

KEY = "3f0c1f80-1111-4222-8333-444455556666"
GOOD = {"key": KEY, "side": "buy", "symbol": "LUM", "quantity": 10, "limit": "17.5"}
SYMBOLS = ("LUM", "OTTR")


def test_an_order_is_made_of_json() -> None:
    expected = Order(UUID(KEY), "buy", "LUM", 10, Decimal("17.50"))
    assert order_from_json(GOOD, SYMBOLS) == expected


def test_an_order_is_made_of_the_text_of_a_form() -> None:
    form = {name: str(value) for name, value in GOOD.items()}
    assert order_from_form(form, SYMBOLS) == order_from_json(GOOD, SYMBOLS)


def test_an_order_without_a_key_is_given_one_and_needs_no_limit() -> None:
    few = {"side": "sell", "symbol": "OTTR", "quantity": 1}
    one, other = order_from_json(few, SYMBOLS), order_from_json(few, SYMBOLS)
    assert one.key != other.key
    assert one.limit is None
    empty = {"key": "", "side": "sell", "symbol": "OTTR", "quantity": "1", "limit": ""}
    assert order_from_form(empty, SYMBOLS).limit is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("key", value)
            for value in ("x", "", 1, [], KEY + "0", f"{{{KEY}}}", KEY[1:])
        ),
        *(("side", value) for value in (None, "", "BUY", "hold", 1, [])),
        *(("symbol", value) for value in (None, "", "lum", "XXX", 1, ["LUM"])),
        *(("quantity", v) for v in (None, 0, 1001, -1, 1.0, 1.5, "10", True, 10**30)),
        *(("limit", value) for value in ("", "x", "0", "-1", "1.234", 17.5, 17, True)),
        ("colour", "blue"),
    ],
)
def test_a_bad_value_is_told_at_its_field(field: str, value: Any) -> None:
    with pytest.raises(OrderError, match=field) as caught:
        order_from_json({**GOOD, field: value}, SYMBOLS)
    assert caught.value.problems.keys() == {field}


@pytest.mark.parametrize(
    "quantity",
    ["", "0", "1001", "ten", "1.5", "-1", "+1", "\u0661", "\u00b2", "9" * 99],
)
def test_a_form_may_have_any_text_as_its_quantity(quantity: str) -> None:
    form = {"side": "buy", "symbol": "LUM", "quantity": quantity}
    with pytest.raises(OrderError) as caught:
        order_from_form(form, SYMBOLS)
    assert caught.value.problems.keys() == {"quantity"}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(OrderError) as caught:
        order_from_json({"limit": "x"}, SYMBOLS)
    problems = caught.value.problems
    assert problems.keys() == {"side", "symbol", "quantity", "limit"}
    assert problems["symbol"] == "Choose one of LUM, OTTR."
    assert all(text.endswith(".") for text in problems.values())
