"""What people are told."""

from collections.abc import Mapping

from board.model import PlacedOrder
from board.money import price_text


def result_of(placed: PlacedOrder) -> Mapping[str, str]:
    """Say in words what became of an order."""
    order, trade = placed.order, placed.trade
    what = f"{order.quantity} {order.symbol}"
    if trade is not None:
        verb = "Bought" if order.side == "buy" else "Sold"
        text = f"{verb} {what} at {price_text(trade.price)}."
    elif placed.status == "cancelled":
        text = f"The order to {order.side} {what} was cancelled."
    else:
        limit = "" if order.limit is None else f" at {price_text(order.limit)}"
        text = f"The order to {order.side} {what}{limit} is waiting for its price."
    return {"status": placed.status, "text": text}
