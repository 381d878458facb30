"""The WebSockets of the application that every server of these tests runs.

Each notes in the record of its name when it began and ended, how many messages it had,
and the code and reason that the connection was closed with.
"""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Final

from bareasgi import (
    HttpError,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketHandler,
    same_origin,
    text_writer,
)

from .counting import RECORDS, Record

PIECE: Final = bytes(65536)
PATIENCE: Final = 0.001
TICK: Final = 0.02


@contextmanager
def noted(matches: RouteMatches, web_socket: WebSocket) -> Generator[Record]:
    """Count a handler that begins, and note how its connection ended."""
    record = RECORDS[matches["name"]]
    with record.running():
        try:
            yield record
        finally:
            record.code, record.reason = web_socket.code, web_socket.reason


# Handlers that receive.


async def echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send back every message."""
    with noted(matches, web_socket) as record:
        await web_socket.accept()
        async for message in web_socket:
            record.chunks += 1
            await web_socket.send(message)


async def listening(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Count the messages, and say nothing."""
    with noted(matches, web_socket) as record:
        await web_socket.accept()
        async for _ in web_socket:
            record.chunks += 1


async def impatient_echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send back every message, and give up waiting for it again and again."""
    with noted(matches, web_socket) as record:
        await web_socket.accept()
        while web_socket.code is None:
            try:
                async with asyncio.timeout(PATIENCE):
                    message = await web_socket.receive()
            except TimeoutError:
                continue
            if message is not None:
                record.chunks += 1
                await web_socket.send(message)


async def ticking_echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send back every message, while another task sends ticks."""

    async def tick() -> None:
        while True:
            await web_socket.send("tick")
            await asyncio.sleep(TICK)

    with noted(matches, web_socket) as record:
        await web_socket.accept()
        ticking = asyncio.create_task(tick())
        try:
            async for message in web_socket:
                record.chunks += 1
                await web_socket.send(message)
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])


# Handlers that never receive.


async def ticks(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send a tick now and then."""
    with noted(matches, web_socket) as record:
        await web_socket.accept()
        for record.chunks in count(1):
            await web_socket.send(f"tick {record.chunks}")
            await asyncio.sleep(TICK)


async def flood(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send without end, and wait for nothing else."""
    with noted(matches, web_socket) as record:
        await web_socket.accept()
        for record.chunks in count(1):
            record.is_sending = True
            await web_socket.send(PIECE)
            record.is_sending = False


async def chorus(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send from ten tasks at once, and close."""

    async def sing(singer: int) -> None:
        for verse in range(20):
            await web_socket.send(f"{singer} {verse} " + "la" * 1000)

    with noted(matches, web_socket):
        await web_socket.accept()
        async with asyncio.TaskGroup() as group:
            for singer in range(10):
                group.create_task(sing(singer))


async def gated(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Send once, wait for the gate, and send again."""
    with noted(matches, web_socket) as record:
        await web_socket.accept()
        await web_socket.send("first")
        await record.passed()
        await web_socket.send("second")


# Handshakes, and ends.


async def late(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Accept when the gate was opened, and send back every message."""
    with noted(matches, web_socket) as record:
        await record.passed()
        await web_socket.accept()
        async for message in web_socket:
            await web_socket.send(message)


async def choosing(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Take the second subprotocol that is offered, set a cookie, and tell."""
    offered: list[str] = scope["subprotocols"]
    chosen = offered[1] if len(offered) > 1 else None
    await web_socket.accept(chosen, [(b"set-cookie", b"name=value")])
    await web_socket.send(f"{chosen} of {offered}")


async def guarded(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Accept pages of this site, and of one other."""
    if not same_origin(scope, {"https://friend.example"}):
        raise HttpError(403, "Foreign page")
    await web_socket.accept()


async def closing(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Close at once, in the way that the path says."""
    await web_socket.accept()
    match matches["how"]:
        case "returning":
            return
        case "failing":
            raise ValueError("a secret of the application")
        case "plainly":
            await web_socket.close()
        case code:
            await web_socket.close(int(code), "for a reason, naïvely")


async def refusing(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    """Refuse, in the way that the path says."""
    match matches["how"]:
        case "closing":
            await web_socket.close(4000, "nobody is told")
        case "returning":
            return
        case "failing":
            raise ValueError("a secret of the application")
        case "sending":
            await web_socket.send("too early")
        case "split":
            await web_socket.accept(None, [(b"x-header", b"v\r\nset-cookie: a=b")])
        case "unoffered":
            await web_socket.accept("a subprotocol that nobody offered")
        case _:
            headers = {"content-type": "text/plain", "retry-after": "7"}
            raise HttpError(429, text_writer("Not so fast"), headers)


SOCKETS: Final[Mapping[str, WebSocketHandler]] = {
    "/echo/{name}": echo,
    "/listening/{name}": listening,
    "/impatient-echo/{name}": impatient_echo,
    "/ticking-echo/{name}": ticking_echo,
    "/ticks/{name}": ticks,
    "/flood/{name}": flood,
    "/chorus/{name}": chorus,
    "/gated/{name}": gated,
    "/late/{name}": late,
    "/choosing": choosing,
    "/guarded": guarded,
    "/closing/{how}": closing,
    "/refusing/{how}": refusing,
}
