"""Parts of a file: which bytes a client asks for, and how several are sent in one.

RFC 9110, section 14. Pure: nothing is read here. A part is a `range` of positions.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from bareasgi import Header

MAX_RANGES: Final = 16
"""More than these are not answered in parts (section 17.15)."""

Piece: TypeAlias = bytes | range
"""What a body is made of: bytes as they are, or a range of the file's."""

# Sixteen ranges of the longest numbers, with spaces between them, are no longer.
_MAX_VALUE: Final = 1024
_RANGE: Final = re.compile(rb"([0-9]*)-([0-9]*)")
_UNIT: Final = b"bytes="


class Unsatisfiable(Exception):  # noqa: N818 - the name of the status
    """None of the ranges has a byte of the file: 416 (section 15.5.17)."""


def parse_ranges(values: Sequence[bytes], size: int) -> Sequence[range] | None:
    """Give the ranges that are asked for, cut to the size, or None for the whole.

    The whole is given to what is malformed, in another unit, more than 16 ranges, and
    ranges that overlap or do not ascend (section 14.2 leaves that to the server): the
    answer is never longer than the file but for the headers of its parts. Raises
    Unsatisfiable when there is no range left.
    """
    value = values[0].strip(b" \t") if len(values) == 1 else b""
    if len(value) > _MAX_VALUE or value[: len(_UNIT)].lower() != _UNIT:
        return None
    specs = [spec.strip(b" \t") for spec in value[len(_UNIT) :].split(b",")]
    asked = [_RANGE.fullmatch(spec) for spec in specs if spec]
    if not asked or len(asked) > MAX_RANGES:
        return None
    found: list[range] = []
    for match in asked:
        part = None if match is None else _part(match[1], match[2], size)
        if part is None:
            return None
        if part:
            found.append(part)
    if not found:
        raise Unsatisfiable
    is_in_order = all(one.stop <= other.start for one, other in pairwise(found))
    return found if is_in_order else None


def content_range(part: range, size: int) -> Header:
    """Tell which bytes of how many a part has (section 14.4)."""
    return b"content-range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, size)


def unsatisfied_range(size: int) -> Header:
    """Tell how many bytes there are, when none of those that were asked for are."""
    return b"content-range", b"bytes */%d" % size


def multipart(
    parts: Sequence[range], size: int, content_type: bytes, boundary: bytes
) -> Sequence[Piece]:
    """Give the content of multipart/byteranges (section 14.6)."""
    pieces: list[Piece] = []
    start = b"--"
    for part in parts:
        head = b"%b%b\r\ncontent-type: %b\r\n%b: %b\r\n\r\n"
        name, value = content_range(part, size)
        pieces += [head % (start, boundary, content_type, name, value), part]
        start = b"\r\n--"
    return [*pieces, b"\r\n--%b--\r\n" % boundary]


def _part(first: bytes, last: bytes, size: int) -> range | None:
    """Give the bytes that a range has, none if it begins after the end.

    None stands for what is no range, or is the whole (sections 14.1.1 and 14.1.2).
    """
    if not first:
        # The last so many bytes; of an empty file these are the whole of it.
        if not last or (size == 0 and int(last) > 0):
            return None
        return range(max(size - int(last), 0), size)
    start = int(first)
    if not last:
        return range(start, size)
    if int(last) < start:
        return None
    return range(start, min(int(last) + 1, size))
