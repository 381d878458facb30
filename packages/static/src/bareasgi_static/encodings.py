"""The coded forms of a file that lie beside it: `app.js.br`, `app.js.zst`, `app.js.gz`.

They are made once, by `python -m bareasgi_static compress` or a build tool, and chosen
by what the client accepts. A form of its own right: with its own length, time and tag.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

IDENTITY: Final = b"identity"
"""The file as it is."""

SUFFIXES: Final[Mapping[str, str]] = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""What comes after the file's name, by content coding (RFC 9110, section 8.4.1)."""


def check_codings(codings: Iterable[str]) -> Sequence[tuple[bytes, str]]:
    """Give the codings with their suffixes, in the given order.

    Raises TypeError for a plain str, and ValueError for a coding that is not known.
    """
    if isinstance(codings, (str, bytes)):
        raise TypeError(f"precompressed must be several codings: write ({codings!r},)")
    chosen = list(codings)
    for coding in chosen:
        if coding not in SUFFIXES:
            known = ", ".join(map(repr, SUFFIXES))
            raise ValueError(f"{coding!r} is not a known coding: they are {known}")
    return [(coding.encode(), SUFFIXES[coding]) for coding in chosen]
