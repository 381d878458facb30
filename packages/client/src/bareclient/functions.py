"""One request in one call, without a client to keep."""

import json
from collections.abc import Callable
from typing import Any, Unpack

from bareasgi import Headers
from bareclient.client import Call
from bareclient.content import Sendable
from bareclient.options import Options, make_client
from bareclient.sessions import without_keep_alive


def request(
    url: str,
    method: str = "GET",
    headers: Headers | None = None,
    content: Sendable = None,
    *,
    body: Sendable = None,
    **options: Unpack[Options],
) -> Call:
    """Make one request, to be awaited or entered, as `Client.request` does.

    The connection is closed with the answer's body. `body` is an older name of
    `content`. For the options see `Options`.
    """
    client = make_client(**without_keep_alive(options))
    return client.request(method, url, headers, body if content is None else content)


async def get(
    url: str, headers: Headers | None = None, **options: Unpack[Options]
) -> bytes:
    """Get bytes. Raises StatusError unless the status is from 200 to 299."""
    return await _read(request(url, "GET", headers, **options))


async def get_text(
    url: str,
    headers: Headers | None = None,
    *,
    encoding: str | None = None,
    **options: Unpack[Options],
) -> str:
    """Get text, in the charset of the answer unless an encoding is given."""
    async with request(url, "GET", headers, **options) as response:
        response.raise_for_status()
        return await response.text(encoding)


async def get_json(
    url: str,
    headers: Headers | None = None,
    *,
    loads: Callable[[bytes], Any] = json.loads,
    **options: Unpack[Options],
) -> Any:
    """Get JSON."""
    fields = _with(headers, b"accept", b"application/json")
    async with request(url, "GET", fields, **options) as response:
        response.raise_for_status()
        return await response.json(loads)


async def post(
    url: str,
    content: Sendable = None,
    headers: Headers | None = None,
    *,
    body: Sendable = None,
    **options: Unpack[Options],
) -> bytes:
    """Post bytes or a stream of them, and give the answer's bytes."""
    return await _read(request(url, "POST", headers, content, body=body, **options))


async def post_text(
    url: str,
    text: str,
    headers: Headers | None = None,
    *,
    encoding: str = "utf-8",
    **options: Unpack[Options],
) -> str:
    """Post text as `text/plain`, and give the answer's text."""
    kind = f"text/plain; charset={encoding}".encode()
    fields = _with(headers, b"content-type", kind)
    data = text.encode(encoding)
    async with request(url, "POST", fields, data, **options) as response:
        response.raise_for_status()
        return await response.text()


async def post_json(
    url: str,
    obj: object,
    headers: Headers | None = None,
    *,
    dumps: Callable[[object], str | bytes] = json.dumps,
    loads: Callable[[bytes], Any] = json.loads,
    **options: Unpack[Options],
) -> Any:
    """Post a value as JSON, and give the answer's, or None when it has no body."""
    dumped = dumps(obj)
    data = dumped.encode() if isinstance(dumped, str) else dumped
    fields = _with(headers, b"content-type", b"application/json")
    fields = _with(fields, b"accept", b"application/json")
    async with request(url, "POST", fields, data, **options) as response:
        response.raise_for_status()
        return loads(answer) if (answer := await response.raw()) else None


async def _read(call: Call) -> bytes:
    async with call as response:
        response.raise_for_status()
        return await response.raw()


def _with(headers: Headers | None, name: bytes, value: bytes) -> Headers:
    """Add a field, unless it is there."""
    given = [*(headers or ())]
    if all(other.lower() != name for other, _ in given):
        given.append((name, value))
    return given
