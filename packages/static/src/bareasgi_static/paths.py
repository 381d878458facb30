"""Takes the path that a client asks for apart, and refuses what could lead astray.

The first thing that is done with a path, and pure: no file is looked at. What is left
are plain names, one for each folder on the way and one for the file, so that opening
one after the other cannot leave the root.
"""

import re
import string
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from bareasgi import Scope

WELL_KNOWN: Final = ".well-known"
"""The one folder that begins with a dot and is meant to be seen (RFC 8615)."""

_TRICKS: Final = re.compile(r"[\0\\]|(?:^|/)[A-Za-z]:")
"""A NUL ends a name in C; a backslash and a drive are path syntax elsewhere."""


def names_of(path: str, *, dotfiles: bool = False) -> Sequence[str] | None:
    """Give the names that a path below the root is made of, or None to refuse it.

    The path is decoded and does not begin with a slash. It may end with one, which asks
    for a folder, and is not part of the names; so the root itself has none. There is
    one spelling for each file: `.`, `..` and empty names are refused wherever they
    lead, and so are NUL, backslashes, drives, what is not valid as UTF-8, and, unless
    `dotfiles`, names that begin with a dot, but for a `.well-known` at the top.
    """
    if _TRICKS.search(path) or not _is_unicode(path):
        return None
    names = path.split("/")
    if names[-1] == "":
        names.pop()
    for position, name in enumerate(names):
        if name in {"", ".", ".."}:
            return None
        is_well_known = name == WELL_KNOWN and position == 0
        if name.startswith(".") and not dotfiles and not is_well_known:
            return None
    return names


def with_slash(scope: Scope) -> bytes:
    """Give the address of the request's path with a slash after it, and its query.

    It is a path alone, as the client sees it, `root_path` included, and never begins
    with `//`, which would name another host (RFC 3986, section 4.2).
    """
    path: str = scope["path"]
    root: str = (scope.get("root_path") or "").rstrip("/")
    if path != root and not path.startswith(root + "/"):
        # A proxy took it away.
        path = root + path
    stripped = path.strip("/")
    location = f"/{quote(stripped, safe='/~')}/" if stripped else "/"
    query: bytes = scope.get("query_string") or b""
    if query:
        location += "?" + quote(query, safe=string.punctuation)
    return location.encode("ascii")


def _is_unicode(path: str) -> bool:
    # A lone surrogate stands for a byte that is not UTF-8, in the names of files too.
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
