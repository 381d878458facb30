"""What the handlers share, and how they find it."""

from dataclasses import dataclass
from typing import Final, cast

from bareasgi import Info
from bareclient import Client
from board.exchange import Exchange
from board.journal import Journal
from board.market import Market
from board.metrics import Metrics
from board.settings import BoardSettings
from board.store import Store

KEY: Final = "board"


@dataclass(frozen=True)
class Board:
    """All parts of a board that is open.

    Attributes:
        client: asks this server, as any program would ask it.
    """

    settings: BoardSettings
    store: Store
    market: Market
    journal: Journal
    exchange: Exchange
    metrics: Metrics
    client: Client


def board_from(info: Info) -> Board:
    """Give the board of the application whose info this is.

    An `info` may hold anything. Said once here, every handler knows what it gets.
    """
    return cast(Board, info[KEY])
