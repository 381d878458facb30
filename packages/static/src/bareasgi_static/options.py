"""Checks what a developer gave, when it is given, and makes it ready for use."""

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeAlias

from bareasgi_static.paths import names_of

Root: TypeAlias = str | os.PathLike[str] | tuple[str, str]
"""A folder, or a package and a folder in it."""

MEMORY: Final = 16 * 1024 * 1024
"""How many bytes of small files are kept in memory: 16 MiB."""

_VALUE: Final = re.compile(r"[\t\x20-\x7e]+")


def check_root(root: Root, *, must_exist: bool = True) -> str:
    """Give the path of a folder, absolute: the program may change to another folder.

    Raises NotADirectoryError when it is not there, and for a package whose files are
    not in a folder but in an archive.
    """
    path = _in_package(*root) if isinstance(root, tuple) else Path(root)
    if must_exist and not path.is_dir():
        raise NotADirectoryError(f"there is no folder {str(path)!r}")
    return str(path.absolute())


def check_name(option: str, name: str | None) -> str | None:
    """Take the name of a file in each folder. Raises ValueError for a path."""
    if name is not None and (not names_of(name, dotfiles=True) or "/" in name):
        raise ValueError(f"{option} must be the name of a file, not {name!r}")
    return name


def check_value(option: str, value: object) -> bytes | None:
    """Take the value of a header. Raises TypeError, or ValueError for what is none."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{option} must be a str, not {value!r}")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"{option} must be printable ASCII, not {value!r}")
    return value.encode("ascii")


def check_memory(memory: int) -> int:
    """Take a number of bytes. Raises ValueError when it is negative."""
    if memory < 0:
        raise ValueError(f"memory is {memory}: it must be 0, for none, or more")
    return memory


def check_mount(path: str) -> str:
    """Take the path that files are served below, and give it without its last slash.

    Raises ValueError when it does not begin with a slash.
    """
    if not path.startswith("/"):
        raise ValueError(f"path must begin with '/', not {path!r}")
    return path.rstrip("/")


def _in_package(package: str, folder: str) -> Path:
    found = files(package).joinpath(folder)
    if not isinstance(found, Path):
        raise NotADirectoryError(
            f"{folder!r} of the package {package!r} is in an archive: files can only be"
            " served from a folder, so install the package unpacked"
        )
    return found
