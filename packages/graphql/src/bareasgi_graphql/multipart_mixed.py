"""Results that come one after the other, as the parts of one response.

There are two uses of `multipart/mixed`: for an incremental result (the RFC "Incremental
Delivery over HTTP" of GraphQL over HTTP), and for the results of a subscription (the
multipart protocol of Apollo's router and clients). Each part is sent together with the
delimiter that follows it, so a client can show it without waiting for the next one.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from logging import Logger, getLogger
from typing import Final

from bareasgi import FullHttpResponse, Header, Headers, after_body
from bareasgi.negotiation import accepted_media_type
from bareasgi_graphql.errors import Result
from bareasgi_graphql.incremental_formats import IncrementalFormat
from bareasgi_graphql.masking import MASKED
from bareasgi_graphql.request import Dumps
from bareasgi_graphql.response import (
    EVENT_STREAM,
    OK,
    ResultStream,
    acceptable,
    encoded,
)

logger: Final[Logger] = getLogger(__name__)

BY_IDENTITY: Final = b'multipart/mixed; boundary="-"; incrementalSpec=v0.2'
BY_PLACE: Final = b'multipart/mixed; boundary="-"; deferSpec=20220824'
SUBSCRIPTION: Final = b'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0'

FORMATS: Final[Mapping[bytes, IncrementalFormat]] = {
    EVENT_STREAM: "incrementalSpec=v0.2",
    BY_IDENTITY: "incrementalSpec=v0.2",
    BY_PLACE: "deferSpec=20220824",
}
"""The format of the payloads in each type that an incremental result may have."""

HEARTBEAT: Final = 5.0
"""Seconds without a result after which an empty part is sent."""

_HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    # nginx collects a response before it passes it on, unless it is told not to.
    (b"x-accel-buffering", b"no"),
]
# Neither can be in JSON, which has no line breaks in its strings.
_DELIMITER: Final = b"\r\n---"
_SUBSCRIPTION_DELIMITER: Final = b"\r\n--graphql"
# Without a charset, which some clients do not expect: Apollo's for iOS, for one.
_CONTENT_TYPE: Final = b"content-type: application/json\r\n\r\n"
_EMPTY: Final = b"{}"
_NEXT: Final = b"\r\n"
_END: Final = b"--\r\n"

_MASKED_ERRORS: Final = [{"message": MASKED}]
# What top-level errors do not have, by the protocol for subscriptions.
_OF_A_FIELD: Final = ("locations", "path")

_remove_boundary: Final = partial(
    re.compile(rb"[ \t]*;[ \t]*boundary=(?:\"[^\"]*\"|[^\",;]*)").sub, b""
)


def incremental_type(headers: Headers) -> bytes | None:
    """Choose the type for an incremental result, one of FORMATS.

    None stands for a client that names none of them, and gets the whole result in one
    piece: what it does not name, as in `*/*`, it might not be able to read. One that
    names `multipart/mixed`, and not the format, gets the older one.

    Of types that the client likes equally, event streams come last, whatever its order.
    Their format cannot be asked for, and urql, which names all of them, puts the items
    of `@stream` in the wrong place when they have ids.
    """
    accept = _accept(headers)
    offered: list[bytes] = []
    if b"incrementalspec" in accept:
        offered.append(BY_IDENTITY)
    if b"multipart/" in accept:
        offered.append(BY_PLACE)
    if EVENT_STREAM in accept:
        offered.append(EVENT_STREAM)
    return accepted_media_type([(b"accept", accept)], offered)


def subscription_type(headers: Headers) -> bytes | None:
    """Choose the type for a subscription: EVENT_STREAM, SUBSCRIPTION or neither."""
    accept = _accept(headers)
    offered = [EVENT_STREAM]
    if b"subscriptionspec" in accept:
        offered.append(SUBSCRIPTION)
    return acceptable([(b"accept", accept)] if accept else [], offered)


def multipart_response(
    payloads: ResultStream, media_type: bytes, *, dumps: Dumps = json.dumps
) -> FullHttpResponse:
    """Make the response that sends an incremental result.

    `media_type` is BY_IDENTITY or BY_PLACE, and the payloads are in its format. The
    first one whose `hasNext` is not True is the last. They are closed when the response
    is over, even if it was never sent. A payload that cannot be written as JSON ends
    the result, with an error that tells nothing; the log does.
    """
    return _response(_parts(payloads, dumps), payloads, media_type)


def subscription_response(
    results: ResultStream,
    *,
    dumps: Dumps = json.dumps,
    heartbeat: float | None = HEARTBEAT,
) -> FullHttpResponse:
    """Make the response that sends the results of a subscription.

    There is an empty part at first, which tells the client that it is connected, one
    whenever no result came for `heartbeat` seconds, unless that is None, and one at the
    end. A result without `data`, and one that cannot be written as JSON, is an error of
    the transport, which ends the subscription. The results are closed when the response
    is over, even if it was never sent.
    """
    body = _subscription_parts(results, dumps, heartbeat)
    return _response(body, results, SUBSCRIPTION)


async def _parts(payloads: ResultStream, dumps: Dumps) -> AsyncGenerator[bytes, None]:
    yield _DELIMITER + _NEXT
    async with aclosing(payloads):
        try:
            async for payload in payloads:
                has_next = payload.get("hasNext") is True
                data = encoded(payload, dumps)
                yield _part(data, _DELIMITER, _NEXT if has_next else _END)
                if not has_next:
                    return
        except Exception:
            logger.exception("a payload cannot be sent")
            failure = {"errors": _MASKED_ERRORS, "hasNext": False}
            yield _part(encoded(failure, dumps), _DELIMITER, _END)


async def _subscription_parts(
    results: ResultStream, dumps: Dumps, heartbeat: float | None
) -> AsyncGenerator[bytes, None]:
    delimiter = _SUBSCRIPTION_DELIMITER
    yield delimiter + _NEXT + _part(_EMPTY, delimiter, _NEXT)
    async with aclosing(_paced(results, heartbeat)) as paced:
        try:
            async for result in paced:
                data = _EMPTY if result is None else encoded(_enveloped(result), dumps)
                yield _part(data, delimiter, _NEXT)
        except Exception:
            logger.exception("a result cannot be sent")
            failure = _enveloped({"errors": _MASKED_ERRORS})
            yield _part(encoded(failure, dumps), delimiter, _NEXT)
    yield _part(_EMPTY, delimiter, _END)


async def _paced(
    results: ResultStream, interval: float | None
) -> AsyncGenerator[Result | None, None]:
    """Give results as they come, and None whenever none came for a time.

    They run in one task, from the first to the last, so that what they wait for goes on
    meanwhile. The next one is asked for when this one was taken.
    """
    given: asyncio.Queue[Result | None] = asyncio.Queue()

    async def give() -> None:
        async with aclosing(results):
            async for result in results:
                given.put_nowait(result)
                await given.join()

    giving = asyncio.create_task(give())
    giving.add_done_callback(lambda _: given.put_nowait(None))
    try:
        while True:
            try:
                async with asyncio.timeout(interval):
                    result = await given.get()
            except TimeoutError:
                yield None
                continue
            if result is None:
                break
            yield result
            given.task_done()
        await giving
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)


def _enveloped(result: Result) -> Result:
    """Put a result where clients look for it.

    Errors of the transport are beside it. They have nothing to do with any one field.
    """
    if "data" in result:
        return {"payload": result}
    errors = [
        {name: value for name, value in error.items() if name not in _OF_A_FIELD}
        for error in result["errors"]
    ]
    return {"payload": None, "errors": errors}


def _part(data: bytes, delimiter: bytes, ending: bytes) -> bytes:
    return b"".join((_CONTENT_TYPE, data, delimiter, ending))


def _response(
    body: AsyncGenerator[bytes, None], results: ResultStream, media_type: bytes
) -> FullHttpResponse:
    headers: list[Header] = [(b"content-type", media_type), *_HEADERS]
    # A body that never begins closes nothing.
    return OK, headers, after_body(body, results.aclose), None


def _accept(headers: Headers) -> bytes:
    """Give what a client accepts, but for the boundary, which is ours to choose."""
    values = [value for name, value in headers if name == b"accept"]
    return _remove_boundary(b",".join(values).lower())
