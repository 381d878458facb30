"""WebSockets over servers: handshakes, messages, frames and closings (RFC 6455)."""

import asyncio
from typing import Final

import pytest

from .clients import CutError, Fields
from .servers import DEADLINE, SOCKETS, Endpoint
from .socket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    encode,
    mask,
)

MEBIBYTE: Final = 2**20
TOO_LARGE: Final = 17 * MEBIBYTE
"""More than any of the servers takes for one message, unless it is told to."""

every_server = pytest.mark.parametrize("endpoint", SOCKETS, indirect=True)
with_daphne = pytest.mark.parametrize(
    "endpoint", [*SOCKETS, "daphne h1"], indirect=True
)

MESSAGES: Final[dict[str, str | bytes]] = {
    "text": "Hello, World!",
    "binary": b"\x00\x01\xfe\xff",
    "empty text": "",
    "empty binary": b"",
    "text of every width": "a é € 🙂 \0 \U0010ffff",
    "the longest of the short lengths": bytes(125),
    "the shortest of the middle lengths": "x" * 126,
    "the longest of the middle lengths": bytes(65535),
    "the shortest of the long lengths": "x" * 65536,
    "a mebibyte": b"\xff" * MEBIBYTE,
}
DROPPED_BY_DAPHNE: Final = {"", b""}


@with_daphne
async def test_messages_come_back_as_they_were_sent(endpoint: Endpoint) -> None:
    name = endpoint.new_name()
    async with endpoint.socket(f"/echo/{name}") as socket:
        for message in MESSAGES.values():
            if endpoint.server.kind == "daphne" and message in DROPPED_BY_DAPHNE:
                continue
            await socket.send(message)
            assert await socket.message() == message
        assert (await socket.close()).code == 1000
    await endpoint.server.until_at_rest(name)


@with_daphne
async def test_the_fragments_of_a_message_are_put_together(endpoint: Endpoint) -> None:
    name = endpoint.new_name()
    text = "a € in every piece: €€€"
    async with endpoint.socket(f"/echo/{name}") as socket:
        for pieces in (2, 3, len(text.encode()), 100):  # also within a character
            await socket.send(text, pieces=pieces)
            assert await socket.message() == text
            await socket.send(text.encode(), pieces=pieces)
            assert await socket.message() == text.encode()
        # Control frames may come in between.
        await socket.send_frame(TEXT, b"one, ", is_final=False)
        await socket.send_frame(PING, b"are you there?")
        assert await socket.frame() == Frame(PONG, b"are you there?")
        await socket.send_frame(CONTINUATION, b"two")
        assert await socket.message() == "one, two"


@with_daphne
async def test_bytes_that_trickle_in_make_a_message(endpoint: Endpoint) -> None:
    async with endpoint.socket(f"/echo/{endpoint.new_name()}") as socket:
        for byte in encode(TEXT, b"slowly") + encode(BINARY, b"but surely"):
            await socket.send_raw(bytes([byte]))
        assert await socket.message() == "slowly"
        assert await socket.message() == b"but surely"


@with_daphne
@pytest.mark.parametrize("payload", [b"", b"x", bytes(125)])
async def test_a_ping_is_answered_and_a_pong_is_not(
    endpoint: Endpoint, payload: bytes
) -> None:
    async with endpoint.socket(f"/echo/{endpoint.new_name()}") as socket:
        await socket.send_frame(PONG, payload)
        await socket.send_frame(PING, payload)
        assert await socket.frame() == Frame(PONG, payload)


@with_daphne
async def test_100_concurrent_sockets_get_their_own_messages(
    endpoint: Endpoint,
) -> None:
    name = endpoint.new_name()
    all_are_open = asyncio.Barrier(100)

    async def talk(number: int) -> None:
        async with endpoint.socket(f"/echo/{name}") as socket:
            await all_are_open.wait()
            for turn in range(5):
                await socket.send(f"{number} {turn}")
            for turn in range(5):
                assert await socket.message() == f"{number} {turn}"
            await all_are_open.wait()
            assert (await socket.close()).code == 1000

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(talk(number))
    counters = await endpoint.server.until_at_rest(name)
    assert counters.begun == 100


@with_daphne
async def test_what_several_tasks_send_goes_out_whole_and_in_order(
    endpoint: Endpoint,
) -> None:
    verses: dict[str, list[int]] = {}
    async with endpoint.socket(f"/chorus/{endpoint.new_name()}") as socket:
        for _ in range(200):
            singer, verse, song = str(await socket.message()).split(" ")
            assert song == "la" * 1000
            verses.setdefault(singer, []).append(int(verse))
        assert (await socket.closed()).code == 1000
    assert [*verses.values()] == [[*range(20)]] * 10


@with_daphne
async def test_a_handler_that_gives_up_waiting_loses_no_message(
    endpoint: Endpoint,
) -> None:
    sent = [f"message {number}" for number in range(100)]
    async with endpoint.socket(f"/impatient-echo/{endpoint.new_name()}") as socket:
        for number, message in enumerate(sent):
            await socket.send(message)
            # Now and then the next one comes in the moment of giving up.
            await asyncio.sleep(0.0005 * (number % 4))
        assert [await socket.message() for _ in sent] == sent


# Closings. What a server does not tell the application is written as None.

CLOSINGS: Final[dict[str, tuple[int | None, str]]] = {
    "without a code": (None, ""),
    "normally": (1000, ""),
    "going away": (1001, "the tab was closed"),
    "with a code of its own": (3000, ""),
    "with a private code and a reason": (4999, "naïve"),
    "with the longest reason": (1000, "r" * 123),
}


@with_daphne
@pytest.mark.parametrize(("code", "reason"), CLOSINGS.values(), ids=CLOSINGS)
async def test_a_client_that_closes_is_answered_and_ends_the_handler(
    endpoint: Endpoint, code: int | None, reason: str
) -> None:
    name, kind = endpoint.new_name(), endpoint.server.kind
    async with endpoint.socket(f"/echo/{name}") as socket:
        await socket.send("last words")
        assert await socket.message() == "last words"
        closed = await socket.close(code, reason)
        assert closed.code in {code or 1005, 1000}
    told = await endpoint.server.until(
        lambda told: told.closed == 1 and told.calls == 0, name
    )
    if kind.startswith("hypercorn"):
        # It says for every connection that it was lost.
        assert told.code == 1006
    else:
        assert told.code == (code or 1005)
    if kind.startswith("uvicorn"):
        assert (told.reason or "") == reason


ENDINGS: Final = {
    "returning": (1000, ""),
    "plainly": (1000, ""),
    "1001": (1001, "for a reason, naïvely"),
    "3000": (3000, "for a reason, naïvely"),
    "4999": (4999, "for a reason, naïvely"),
}


@with_daphne
@pytest.mark.parametrize(
    ("how", "code", "reason"), [(k, *v) for k, v in ENDINGS.items()]
)
async def test_a_handler_that_ends_closes_and_says_why(
    endpoint: Endpoint, how: str, code: int, reason: str
) -> None:
    if (endpoint.server.kind, code) == ("daphne", 1001):
        pytest.skip("daphne's library refuses to send this code")
    async with endpoint.socket(f"/closing/{how}") as socket:
        closed = await socket.closed()
        assert closed.code == code
        if endpoint.server.kind != "daphne":
            assert closed.reason == reason
        await socket.send_frame(CLOSE, code.to_bytes(2))
        if not endpoint.is_http2:
            await socket.ended()
    await endpoint.server.until(lambda told: told.calls == 0, "-")


@with_daphne
@pytest.mark.troubled
async def test_a_handler_that_fails_closes_with_1011_and_tells_nothing(
    endpoint: Endpoint,
) -> None:
    written = len(endpoint.server.log())
    async with endpoint.socket("/closing/failing") as socket:
        closed = await socket.closed()
    assert (closed.code, closed.reason) == (1011, "")
    assert "a secret of the application" in endpoint.server.log()[written:]


# Frames that must not be.

MALFORMED: Final = {
    "a reserved bit": encode(TEXT, b"text", reserved=1),
    "an unknown kind": encode(3, b"text"),
    "an unknown kind of control": encode(11),
    "no mask": encode(TEXT, b"text", is_masked=False),
    "a ping in fragments": encode(PING, b"pi", is_final=False),
    "a ping that is too long": encode(PING, bytes(126)),
    "a continuation of nothing": encode(CONTINUATION, b"text"),
    "a message within a message": (
        encode(TEXT, b"text", is_final=False) + encode(TEXT, b"text")
    ),
    "text that is not UTF-8": encode(TEXT, b"\xff\xfe"),
    "text that ends within a character": encode(TEXT, "é".encode()[:1]),
    "text with a surrogate": encode(TEXT, b"\xed\xa0\x80"),
    "text whose second fragment is not UTF-8": (
        encode(TEXT, b"text", is_final=False) + encode(CONTINUATION, b"\xff")
    ),
    "a close frame with half a code": encode(CLOSE, b"\x03"),
    "a code below all": encode(CLOSE, (999).to_bytes(2)),
    "a code that is not sent": encode(CLOSE, (1005).to_bytes(2)),
    "another code that is not sent": encode(CLOSE, (1006).to_bytes(2)),
    "a code above all": encode(CLOSE, (5000).to_bytes(2)),
    "a reason that is not UTF-8": encode(CLOSE, (1000).to_bytes(2) + b"\xff"),
    "a length with its highest bit": b"\x82\xff" + (2**63).to_bytes(8) + b"mask",
    "a message that is too large": encode(BINARY, bytes(TOO_LARGE)),
    "a request": b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
}
RIGHTLY: Final = {1002, 1007, 1009}


@with_daphne
async def test_malformed_frames_end_their_connections_and_leave_nothing(
    endpoint: Endpoint,
) -> None:
    name = endpoint.new_name()

    async def send(what: str, data: bytes) -> None:
        async with endpoint.socket(f"/echo/{name}") as socket:
            try:
                await socket.send_raw(data)
                closed = await socket.closed()
            except (CutError, ConnectionError):
                pass
            else:
                # granian closes without a code.
                assert closed.code in RIGHTLY or endpoint.server.kind == "granian", what

    async with asyncio.TaskGroup() as group:
        for what, data in MALFORMED.items():
            group.create_task(send(what, data))
    told = await endpoint.server.until_at_rest(name)
    assert (told.begun, told.chunks) == (len(MALFORMED), 0)
    assert told.code in {*RIGHTLY, 1005, 1006}


HALVES: Final = (
    b"\x82\xff" + (2**40).to_bytes(8) + b"mask",
    encode(TEXT, b"a fragment", is_final=False),
    b"\x81\x85ma",
    b"\x81\xfe" + (500).to_bytes(2) + mask(b"the beginning"),
)


@every_server
async def test_half_a_message_and_a_lost_client_leave_nothing(
    endpoint: Endpoint,
) -> None:
    name = endpoint.new_name()
    for begun, data in enumerate(HALVES, start=1):
        async with endpoint.socket(f"/echo/{name}") as socket:
            await socket.send_raw(data)
            # The server has read it when it answers another request.
            assert (await endpoint.server.counters(name)).begun == begun
    told = await endpoint.server.until_at_rest(name)
    assert (told.begun, told.chunks) == (len(HALVES), 0)


# Handshakes.


@with_daphne
async def test_a_handler_chooses_one_of_the_subprotocols_and_sets_a_header(
    endpoint: Endpoint,
) -> None:
    offered = ["chat.v1", "chat.v2"]
    async with endpoint.socket("/choosing", subprotocols=offered) as socket:
        assert socket.head.get(b"sec-websocket-protocol") == b"chat.v2"
        if endpoint.server.kind not in {"granian", "daphne"}:
            assert socket.head.get(b"set-cookie") == b"name=value"
        assert await socket.message() == f"chat.v2 of {offered}"
    async with endpoint.socket("/choosing") as socket:
        assert socket.head.get(b"sec-websocket-protocol") is None
        assert await socket.message() == "None of []"


REFUSALS: Final[dict[str, tuple[int, bytes]]] = {
    "/refusing/closing": (403, b""),
    "/refusing/returning": (403, b""),
    "/refusing/failing": (500, b"Internal Server Error"),
    "/refusing/sending": (500, b"Internal Server Error"),
    "/refusing/split": (500, b"Internal Server Error"),
    "/refusing/unoffered": (500, b"Internal Server Error"),
    "/refusing/telling": (429, b"Not so fast"),
    "/no-such-socket": (404, b"Not Found"),
    "/hello-world": (404, b"Not Found"),
}


@with_daphne
@pytest.mark.troubled
@pytest.mark.parametrize(
    ("path", "status", "body"), [(path, *answer) for path, answer in REFUSALS.items()]
)
async def test_a_refused_client_gets_a_response(
    endpoint: Endpoint, path: str, status: int, body: bytes
) -> None:
    if endpoint.server.kind == "daphne":
        # It has one answer for all that is not accepted.
        status, body = 403, b""
    async with endpoint.socket(path) as socket:
        assert (socket.head.status, socket.is_accepted) == (status, False)
        assert socket.head.get(b"set-cookie") is None
        if status == 429:
            assert socket.head.get(b"retry-after") == b"7"
            assert socket.head.get(b"content-type") == b"text/plain"
        if body:
            assert await socket.exchange.body() == body
    await endpoint.server.until(lambda told: told.calls == 0, "-")


ORIGINS: Final[dict[str, tuple[Fields, bool]]] = {
    "none": ([], True),
    "this site": ([(b"origin", b"http://localhost")], True),
    "a friend": ([(b"origin", b"https://friend.example")], True),
    "another port of this site": ([(b"origin", b"http://localhost:81")], False),
    "another site": ([(b"origin", b"https://evil.example")], False),
    "a site that begins alike": ([(b"origin", b"http://localhost.evil")], False),
    "null": ([(b"origin", b"null")], False),
}


@with_daphne
@pytest.mark.parametrize(("headers", "is_welcome"), ORIGINS.values(), ids=ORIGINS)
async def test_a_page_of_another_site_is_refused(
    endpoint: Endpoint, headers: Fields, *, is_welcome: bool
) -> None:
    async with endpoint.socket("/guarded", headers=headers) as socket:
        assert socket.is_accepted == is_welcome
        if not is_welcome:
            assert socket.head.status == 403


@every_server
async def test_a_request_that_is_no_handshake_is_not_a_socket(
    endpoint: Endpoint,
) -> None:
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("GET", f"/chorus/{endpoint.new_name()}")
        assert (await exchange.head()).status == 404
        assert await exchange.body() == b"Not Found"
