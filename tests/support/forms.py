"""Makes forms with files, as clients send them."""

import json
from collections.abc import Iterable
from typing import Final

BOUNDARY: Final = b"----a+Boundary"
FORM: Final = (b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)


def part(
    name: str,
    content: bytes | str,
    *,
    filename: str | None = None,
    headers: Iterable[bytes] = (),
) -> bytes:
    """Make a part: its headers and its content."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    if isinstance(content, str):
        content = content.encode()
    return b"\r\n".join([disposition.encode(), *headers, b"", content])


def form(*parts: bytes) -> bytes:
    """Make a form of its parts."""
    return opened(*parts) + b"--" + BOUNDARY + b"--\r\n"


def opened(*parts: bytes) -> bytes:
    """Make a form that goes on."""
    return b"".join([b"--%b\r\n%b\r\n" % (BOUNDARY, each) for each in parts])


def request(operations: object, file_map: object, *files: bytes) -> tuple[bytes, ...]:
    """Make the parts of a GraphQL request with files."""
    return (
        part("operations", json.dumps(operations)),
        part("map", json.dumps(file_map)),
        *files,
    )
