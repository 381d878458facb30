"""Why a policy does not grant something, in words."""

from collections.abc import Collection
from typing import Final

from bareasgi import Header

# What a client is told: the same for every refusal. The rule is for the log.
TEXT: Final = "The cross-origin request was refused."
PLAIN_TEXT: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")

_LONGEST: Final = 100
_MOST: Final = 10


class RefusedError(Exception):
    """The policy does not grant this. The text says which rule it is, and of what."""


def quoted(sent: bytes) -> str:
    """Show what a client sent on one line, and not all of it if it is long."""
    text = repr(sent[:_LONGEST].decode("latin-1"))
    return text if len(sent) <= _LONGEST else f"{text}..."


def shown(names: Collection[str]) -> str:
    """Show what an option lists, or the first of many."""
    first = ", ".join(sorted(names)[:_MOST]) or "nothing"
    return first if len(names) <= _MOST else f"{first}, and {len(names) - _MOST} more"
