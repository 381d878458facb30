"""What the board is about: companies, ticks, orders and trades, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias
from uuid import UUID

Side: TypeAlias = Literal["buy", "sell"]
Status: TypeAlias = Literal["waiting", "filled", "cancelled"]


@dataclass(frozen=True)
class Company:
    """Whose stock is traded, and at what price its day begins."""

    symbol: str
    name: str
    opening: Decimal


COMPANIES: Final = (
    Company("ALDR", "Alder & Finch Paper", Decimal("101.25")),
    Company("BRIG", "Brigantine Freight", Decimal("48.60")),
    Company("KELP", "Kelpworks Energy", Decimal("212.40")),
    Company("LUM", "Lumen Lighthouse", Decimal("17.85")),
    Company("OTTR", "Otter Robotics", Decimal("334.10")),
    Company("QUIN", "Quince Orchards", Decimal("76.95")),
)


@dataclass(frozen=True)
class Tick:
    """A moment of the market: the prices that changed in it."""

    time: datetime
    prices: Mapping[str, Decimal]


@dataclass(frozen=True)
class Order:
    """What somebody wants.

    Attributes:
        key: made by whoever orders. Sent twice, it is still one order.
        limit: the worst price at which to trade; None takes the price there is.
    """

    key: UUID
    side: Side
    symbol: str
    quantity: int
    limit: Decimal | None = None


@dataclass(frozen=True)
class Trade:
    """An order that was filled.

    Attributes:
        number: 1, 2, 3... in the order in which trades were committed: whoever has all
            up to a number can ask for those after it.
        key: that of the order.
    """

    number: int
    time: datetime
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    key: UUID


@dataclass(frozen=True)
class PlacedOrder:
    """An order, what became of it, and its trade if it was filled."""

    order: Order
    time: datetime
    status: Status
    trade: Trade | None = None
