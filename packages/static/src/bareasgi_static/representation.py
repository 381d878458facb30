"""What is known of a file before it is sent: its headers, and its bytes if it is small.

RFC 9110 calls this a selected representation: the file itself, or a coded form of it.
It is made once and used until the file changes.
"""

import re
from collections.abc import Sequence
from time import time
from typing import Final
from urllib.parse import quote

from bareasgi import Header, Headers
from bareasgi_static.encodings import IDENTITY
from bareasgi_static.files import Look, OpenFile
from bareasgi_static.validators import entity_tag, http_date

SMALL: Final = 256 * 1024
"""Files up to this size are read at once, and may be kept in memory: 256 KiB."""

NOSNIFF: Final[Header] = (b"x-content-type-options", b"nosniff")

# RFC 9110, section 15.4.5: what a cache brings up to date. The date is the server's.
_OF_NOT_MODIFIED: Final = frozenset(
    {b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"}
)

# What only the file itself can say.
_OF_THE_FILE: Final = frozenset(
    {b"accept-ranges", b"content-length", b"content-range", b"etag", b"last-modified"}
)

_UNSAFE: Final = re.compile(r'[^ -~]|["%\\/]')
_NANOSECONDS: Final = 1_000_000_000


class Representation:
    """A file as it is sent.

    Attributes:
        look: how to see whether it is still the same file.
        size: in bytes.
        data: all of them, or None when there are too many to have them in memory.
        modified: when, in seconds since 1970.
        content_type: the value of its header.
        etag: a strong one.
        last_modified: the value of its header.
        headers: those of a 200.
        not_modified: those of a 304.
    """

    __slots__ = (
        "content_type",
        "data",
        "etag",
        "headers",
        "last_modified",
        "look",
        "modified",
        "not_modified",
        "size",
    )

    def __init__(
        self,
        opened: OpenFile,
        data: bytes | None,
        content_type: bytes,
        extra: Headers,
        coding: bytes = IDENTITY,
    ) -> None:
        """Describe a file. `extra` are headers beside those that are the file's own."""
        self.look: Look = opened.look
        self.data: bytes | None = data
        self.size: int = opened.size if data is None else len(data)
        self.content_type: bytes = content_type
        self.etag: bytes = entity_tag(opened.modified_ns, self.size, coding)
        # A clock may have been wrong. Nothing was changed in the future (RFC 9110,
        # section 8.8.2.1).
        modified = min(opened.modified_ns // _NANOSECONDS, int(time()))
        self.modified: int = max(modified, 0)
        self.last_modified: bytes = http_date(self.modified)
        self.headers: Headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % self.size),
            (b"last-modified", self.last_modified),
            (b"etag", self.etag),
            (b"accept-ranges", b"bytes"),
            *([] if coding == IDENTITY else [(b"content-encoding", coding)]),
            *(field for field in extra if field[0] not in _OF_THE_FILE),
        ]
        self.not_modified: Headers = [
            field for field in self.headers if field[0] in _OF_NOT_MODIFIED
        ]

    def with_fields(self, *fields: Header) -> Sequence[Header]:
        """Give the headers of a 200 with these in place of those of the same names."""
        names = {name for name, _ in fields}
        return [*(field for field in self.headers if field[0] not in names), *fields]


def content_disposition(filename: str) -> Header:
    """Have the file saved under a name (RFC 6266, and RFC 8187 for what is not ASCII).

    It is a name and not a path: what would lead to another folder is replaced.
    """
    simple = _UNSAFE.sub("_", filename)
    value = f'attachment; filename="{simple}"'
    if simple != filename:
        exact = re.sub(r"[\0-\x1f\x7f/\\]", "_", filename)
        value += f"; filename*=UTF-8''{quote(exact, safe='', errors='replace')}"
    return b"content-disposition", value.encode("ascii")
