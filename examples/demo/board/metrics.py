"""What the board measures of itself, beside what every application is measured by."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from board.model import PlacedOrder


class Metrics:
    """The board's own metrics, in the registry that /metrics shows.

    Labels have few values, and never one that a client can make up: each set of labels
    is a series of its own, for ever.

    Attributes:
        followers: how many follow the prices or the trades at this moment, by what they
            follow and over what.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.followers = Gauge(
            "board_followers",
            "Who follows prices or trades at this moment.",
            ["of", "over"],
            registry=registry,
            # With several processes, those of all that live.
            multiprocess_mode="livesum",
        )
        self._orders = Counter(
            "board_orders",
            "Orders by side, and by what became of them when they came.",
            ["side", "outcome"],
            registry=registry,
        )

    def count(self, placed: PlacedOrder, *, is_new: bool) -> None:
        """Count an order that came."""
        outcome = placed.status if is_new else "known"
        self._orders.labels(placed.order.side, outcome).inc()
