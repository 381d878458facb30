"""Gets rid of an answer that is followed by another one."""

import asyncio
from contextlib import suppress
from typing import Final

from bareasgi import Body
from bareclient.content import close
from bareclient.errors import ClientError

_MAX_BYTES: Final = 65_536
_SECONDS: Final = 1.0


async def discard(body: Body | None) -> None:
    """Read a body to its end if that is near, so that its connection is of use again.

    Otherwise it is closed, and the connection with it.
    """
    if body is None:
        return
    size = 0
    try:
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                async for chunk in body:
                    size += len(chunk)
                    if size > _MAX_BYTES:
                        break
    finally:
        await close(body)
