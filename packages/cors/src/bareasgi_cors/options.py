"""Checks the options of a policy, which are mistakes of the developer if wrong."""

import re
from collections.abc import Iterable
from typing import Final, cast

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

ANY: Final = "*"


def texts(option: str, given: object) -> list[str]:
    """Collect an iterable of texts. Raises TypeError for anything else.

    A text by itself is an iterable of texts too, and never meant to be.
    """
    if isinstance(given, (str, bytes)):
        raise TypeError(
            f"{option} is a single text, {given!r}: write a set, {{{given!r}}}"
        )
    if not isinstance(given, Iterable):
        raise TypeError(f"{option} must be a set of texts, not {given!r}")
    found: list[str] = []
    for each in cast(Iterable[object], given):
        if not isinstance(each, str):
            raise TypeError(f"{option} has {each!r} in it: write a text")
        found.append(each)
    return found


def tokens(option: str, given: object) -> list[str]:
    """Collect an iterable of names of methods or header fields, each of them once.

    Raises ValueError for a text that is no such name (RFC 9110, section 5.6.2).
    """
    found = texts(option, given)
    for each in found:
        if _TOKEN.fullmatch(each) is None:
            raise ValueError(f"{option} has {each!r} in it, which cannot be a name")
    return sorted({*found})


def flag(option: str, given: object) -> bool:
    """Take True or False. Raises TypeError for what only looks like one of them."""
    if not isinstance(given, bool):
        raise TypeError(f"{option} must be True or False, not {given!r}")
    return given


def seconds(option: str, given: object) -> int:
    """Take a number of seconds. Raises TypeError or ValueError for anything else."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{option} must be a number of seconds, not {given!r}")
    if given < 0:
        raise ValueError(f"{option} is {given}: 0 has browsers ask before each request")
    return given
