"""Shows how much of a download has arrived: with tqdm where it is there, or plainly."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Protocol, TextIO

from bareclient.settings import MIB

PAUSE: Final = 0.1
"""Seconds between two times that something is shown."""


class Progress(Protocol):
    """What is told of each piece that has arrived."""

    def update(self, n: int) -> object:
        """Count more bytes."""

    def close(self) -> object:
        """Show the last of it, and end the line."""


class PlainProgress:
    """Counts on one line of a terminal, and shows nothing elsewhere."""

    def __init__(self, total: int | None, out: TextIO) -> None:
        self._total = total
        self._out = out
        self._count = 0
        self._is_shown = out.isatty()
        self._shown_at = monotonic() - PAUSE

    def update(self, n: int) -> None:
        """Count more bytes."""
        self._count += n
        if monotonic() - self._shown_at >= PAUSE:
            self._show()

    def close(self) -> None:
        """Show the last of it, and end the line."""
        self._show()
        if self._is_shown:
            self._out.write("\n")

    def _show(self) -> None:
        self._shown_at = monotonic()
        if self._is_shown:
            of = "" if self._total is None else f" of {self._total / MIB:.1f}"
            self._out.write(f"\r{self._count / MIB:.1f}{of} MiB")
            self._out.flush()


def make_progress(total: int | None, find: Callable[[str], Any]) -> Progress:
    """Show progress on the terminal that stderr is, if it is one."""
    tqdm = find("tqdm")
    if tqdm is None:
        return PlainProgress(total, sys.stderr)
    bar: Progress = tqdm.tqdm(
        total=total, unit="B", unit_scale=True, disable=not sys.stderr.isatty()
    )
    return bar
