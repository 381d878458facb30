"""Folders of real files to serve, and what can be seen of how they are served."""

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bareasgi import Application
from bareasgi_static import add_static

SETTLED_AFTER = 2.0
"""How many seconds after its last change a file may be kept in memory."""

MODIFIED = 1580608922
"""Sun, 02 Feb 2020 02:02:02 GMT"""


def write(path: Path, content: bytes | str, *, modified: int | None = None) -> Path:
    """Make a file and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if modified is not None:
        os.utime(path, (modified, modified))
    return path


def settle(folder: Path) -> None:
    """Wait until the files of a folder, as they are now, may be kept in memory."""
    changed = max(path.lstat().st_ctime for path in (folder, *folder.rglob("*")))
    while time.time() <= changed + SETTLED_AFTER:
        time.sleep(0.05)


def app_of(root: Path | tuple[str, str], **options: Any) -> Application:
    """Make an application that serves a folder below /static, or another path."""
    app = Application()
    add_static(app, root, **options)
    return app


def descriptors() -> set[str]:
    """Give the files that this process has open, by their paths."""
    found: set[str] = set()
    for entry in [*Path("/dev/fd").iterdir()]:
        # The one that lists them is not there any more.
        with suppress(OSError):
            found.add(str(entry.readlink()))
    return found


_OPENED: list[str] = []
_IS_WATCHING = [False]


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _IS_WATCHING[0] and event == "open":
        _OPENED.append(str(arguments[0]))


# It cannot be taken away again, so it is added once, and listens when it is told to.
sys.addaudithook(_watch)


@contextmanager
def watching_opens() -> Generator[list[str]]:
    """Give the names of what is opened in the block."""
    _OPENED.clear()
    _IS_WATCHING[0] = True
    try:
        yield _OPENED
    finally:
        _IS_WATCHING[0] = False
