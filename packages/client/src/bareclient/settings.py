"""How long the client waits, and how much it takes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Timeouts:
    """Seconds that each step may take; None waits for ever.

    Each is about one step, not the whole request, for which there is
    `asyncio.timeout`. A body that arrives slowly but steadily never times out.

    Attributes:
        connect: to make a connection, TLS included.
        read: until the next bytes of the answer arrive.
        write: until the server has taken the next bytes of the request.
        pool: until one of the connections is free.
    """

    connect: float | None = 5.0
    read: float | None = 5.0
    write: float | None = 5.0
    pool: float | None = 5.0

    @cached_property
    def by_name(self) -> dict[str, float | None]:
        """The same as a dict, in the form of httpcore2."""
        return {
            "connect": self.connect,
            "read": self.read,
            "write": self.write,
            "pool": self.pool,
        }


@dataclass(frozen=True)
class Limits:
    """How many connections there may be, and how much of an answer is taken.

    Attributes:
        connections: how many are open at once, None for any number.
        keep_alive: how many of them may be idle, None for any number.
        keep_alive_expiry: seconds after which an idle one is closed, None for never.
        header_fields: how many fields an answer may have.
        header_bytes: how many bytes they may have, names and values together.
        body: how many bytes `text`, `json`, `raw` and the functions collect, None for
            any number. A body that is iterated over has no limit.
        event: how many bytes one event of an event stream may have.
    """

    connections: int | None = 100
    keep_alive: int | None = 20
    keep_alive_expiry: float | None = 5.0
    header_fields: int = 1000
    header_bytes: int = 65_536
    body: int | None = 2 * MIB
    event: int = MIB


DEFAULT_TIMEOUTS: Final = Timeouts()


def timeouts(value: Timeouts | float | None) -> Timeouts:
    """Take one number for all four, and None for none."""
    if isinstance(value, Timeouts):
        return value
    return Timeouts(value, value, value, value)
