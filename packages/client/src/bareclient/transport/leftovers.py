"""Deals with what is left on a connection when an answer is over.

httpcore2 leaves two things undone, and there is no public way to do them. Where one of
the names below is not found, nothing is done, as it would be without this.
"""

from contextlib import suppress
from typing import Any

import httpcore2
from h2.errors import ErrorCodes
from h2.exceptions import H2Error


def extension(answer: Any, name: str) -> Any:
    """Give what httpcore2 tells of an answer, or None."""
    return answer.extensions.get(name)


async def drop_surplus(answer: httpcore2.Response) -> None:
    """Close the connection of a whole answer that more bytes came after.

    The next request would take them for the beginning of its own answer, which the
    server, or whoever spoke through it, has chosen (RFC 9112, section 9.3).
    """
    pooled: Any = answer.stream
    with suppress(AttributeError):
        connection = pooled._stream._connection  # noqa: SLF001 - see above
        surplus, _ = connection._h11_state.trailing_data  # noqa: SLF001
        if surplus:
            await connection.aclose()


async def reset_stream(answer: httpcore2.Response, request: httpcore2.Request) -> None:
    """Reset the stream of an answer that was not read to its end, if it has one.

    Otherwise the server would go on until the windows are full, for nothing, and what
    it sends would use up the window of the whole connection. RFC 9113, section 8.1: a
    client may do so when it lost interest.
    """
    stream_id = extension(answer, "stream_id")
    if stream_id is None:
        return
    pooled: Any = answer.stream
    with suppress(AttributeError, H2Error, httpcore2.NetworkError):
        connection = pooled._stream._connection  # noqa: SLF001 - see above
        state = connection._h2_state  # noqa: SLF001
        # What has arrived and was not read must be given back to the connection.
        for event in connection._events.get(stream_id, ()):  # noqa: SLF001
            length = getattr(event, "flow_controlled_length", 0)
            state.acknowledge_received_data(length, stream_id)
        state.reset_stream(stream_id, ErrorCodes.CANCEL)
        await connection._write_outgoing_data(request)  # noqa: SLF001
