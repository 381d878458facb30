"""What may be different from one run of the board to the next: the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent
"""Where app.py, the templates and the static files are."""


class SettingsError(ValueError):
    """A variable of the environment that cannot be used. Its text says why."""


@dataclass(frozen=True)
class BoardSettings:
    """Where a browser finds the board, and how fast prices move."""

    port: int = 9009
    other_port: int = 9010
    tick_seconds: float = 0.5

    @property
    def origin(self) -> str:
        """The board as a browser names it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_origin(self) -> str:
        """The second port: the same program, and another origin to a browser."""
        return f"http://127.0.0.1:{self.other_port}"

    @property
    def refused_origin(self) -> str:
        """The second port by another name of this machine: a third origin."""
        return f"http://localhost:{self.other_port}"


@dataclass(frozen=True)
class Settings(BoardSettings):
    """The settings of a board of a single process, and where its trades are kept."""

    database: Path = FOLDER / "board.sqlite3"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read PORT, OTHER_PORT, TICK_SECONDS and DATABASE; each may be missing.

    Raises SettingsError for a value that cannot be used: a program that starts with a
    wrong setting fails later, in a way that is harder to understand.
    """
    database = _file(environ, "DATABASE", Settings.database)
    return Settings(**vars(read_board_settings(environ)), database=database)


def read_board_settings(environ: Mapping[str, str]) -> BoardSettings:
    """Read PORT, OTHER_PORT and TICK_SECONDS, which every board has."""
    port = _port(environ, "PORT", BoardSettings.port)
    other_port = _port(environ, "OTHER_PORT", port + 1)
    if other_port == port:
        raise SettingsError(f"OTHER_PORT must differ from PORT, and both are {port}")
    tick_seconds = _seconds(environ, "TICK_SECONDS", BoardSettings.tick_seconds)
    return BoardSettings(port, other_port, tick_seconds)


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 2**16:
        raise SettingsError(f"{name} must be a number from 1 to 65535, not {text!r}")
    return int(text)


def _file(environ: Mapping[str, str], name: str, default: Path) -> Path:
    path = Path(environ.get(name) or default)
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise SettingsError(f"{name} must be in a folder to be written to, not {path}")
    return path


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (isfinite(seconds) and seconds > 0):
        raise SettingsError(f"{name} must be a number of seconds above 0, not {text!r}")
    return seconds
