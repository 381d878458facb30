"""All that may differ between workers, or between one place and another."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

from board.settings import BoardSettings, SettingsError, read_board_settings

SCHEMES: Final = {
    "DATABASE_URL": ("postgresql", "postgres"),
    "REDIS_URL": ("redis", "rediss", "unix"),
}


@dataclass(frozen=True)
class Settings(BoardSettings):
    """Where a worker listens, where its engines are, and how patient it is.

    Each is read from the variable of the same name in capitals.

    Attributes:
        port: where browsers find the board, which is nginx and not a worker.
        other_port: the second port of nginx, a foreign origin to the browser.
        bind: the address and port of this worker.
        database_connections: how many connections to PostgreSQL it opens at most, one
            more not counted, which tells who makes the prices.
        database_seconds: how long a statement may take. The answer is a 503 after at
            most twice as long.
        stale_seconds: how old prices may be for an order to be taken.
        drain_seconds: how long a worker that was told to end goes on as before and only
            says that it is not ready: those who ask for that need the time.
    """

    bind: str = "127.0.0.1:9101"
    database_url: str = "postgresql://board@127.0.0.1:5432/board"
    database_connections: int = 5
    database_seconds: float = 0.75
    redis_url: str = "redis://127.0.0.1:6379/0"
    stale_seconds: float = 3.0
    drain_seconds: float = 0.0


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError, which names the variable."""
    connections = _number(environ, "DATABASE_CONNECTIONS", least=1)
    if not connections.is_integer():
        raise SettingsError("DATABASE_CONNECTIONS must be a whole number")
    return Settings(
        **vars(read_board_settings(environ)),
        bind=_address(environ, "BIND"),
        database_url=_url(environ, "DATABASE_URL"),
        database_connections=int(connections),
        database_seconds=_number(environ, "DATABASE_SECONDS", least=0.1),
        redis_url=_url(environ, "REDIS_URL"),
        stale_seconds=_number(environ, "STALE_SECONDS", least=0.1),
        drain_seconds=_number(environ, "DRAIN_SECONDS", least=0),
    )


def settings_or_exit() -> Settings:
    """Read the settings of this process, or end it with what is wrong with them."""
    try:
        return read_settings(os.environ)
    except SettingsError as error:
        sys.exit(str(error))


def _text(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or str(getattr(Settings, name.lower()))


def _address(environ: Mapping[str, str], name: str) -> str:
    text = _text(environ, name)
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise SettingsError(f"{name} must be address:port, not {text!r}")
    return text


def _url(environ: Mapping[str, str], name: str) -> str:
    text = _text(environ, name)
    if text.partition("://")[0] not in SCHEMES[name]:
        # Not the value: there may be a password in it.
        raise SettingsError(f"{name} must begin with {SCHEMES[name][0]}://")
    return text


def _number(environ: Mapping[str, str], name: str, *, least: float) -> float:
    text = _text(environ, name)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (isfinite(number) and number >= least):
        raise SettingsError(f"{name} must be a number from {least} on, not {text!r}")
    return number
