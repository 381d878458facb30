"""Several processes that measure into one folder, by prometheus-client's own files.

Each process has its files there. What the dead ones counted still counts, or totals
would go down; but what they had open is not open any more.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import values

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

_LIVE: Final = "gauge_live"


def shared_folder() -> Path | None:
    """Give the folder that processes share, or None where each is on its own.

    Raises NotADirectoryError when it is not there, and RuntimeError when it was named
    too late: prometheus-client looks for it once, when it is imported.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    folder = Path(name).absolute()
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{VARIABLE} is {name!r}: make this folder before the processes start"
        )
    if values.ValueClass is values.MutexValue:
        raise RuntimeError(
            f"{VARIABLE} was set after prometheus_client was imported: set it before"
            " the program starts"
        )
    return folder


def remove_leftovers(folder: Path) -> None:
    """Remove what processes of an earlier run have left, for the start of this one.

    While another process lives it is still the same run: then only what the dead ones
    had open is removed.
    """
    files = [*_files(folder)]
    alive = {pid for _, pid in files if _is_alive(pid)}
    for path, pid in files:
        is_over = alive <= {os.getpid()} or path.name.startswith(_LIVE)
        if pid not in alive and is_over:
            path.unlink(missing_ok=True)


def remove_dead_gauges(folder: Path) -> None:
    """Remove what dead processes had open."""
    for path, pid in _files(folder):
        if path.name.startswith(_LIVE) and not _is_alive(pid):
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Give the files of all processes, each with the number of its process."""
    for path in folder.glob("*.db"):
        # A process may be told apart by something else, of which nothing is known.
        with suppress(ValueError):
            yield path, int(path.stem.rpartition("_")[2])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    # One that was killed is there until its parent has noticed, which it may never do.
    # Only Linux tells so.
    stat = b""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    return stat.rpartition(b")")[2].split()[:1] != [b"Z"]
