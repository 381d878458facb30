"""One row for each fault and protocol: each gives its own error, and none hangs."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Final

import pytest
from h2.errors import ErrorCodes

from bareclient import (
    BodyTooLargeError,
    Client,
    ClientError,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    DecodingError,
    HeadersTooLargeError,
    NetworkTransport,
    PoolTimeoutError,
    ProtocolError,
    ReadError,
    ReadTimeoutError,
    RefusedError,
    StreamResetError,
    Timeouts,
    WriteTimeoutError,
    decompression,
)
from bareclient.settings import Limits

from .peers import (
    DEADLINE,
    Http2,
    Peer,
    Script,
    Script2,
    answer,
    answers,
    listening,
    listening_http2,
    request_head,
)

OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = OK + b"transfer-encoding: chunked\r\n\r\n"
MANY: Final = b"".join(b"x-%d: 1\r\n" % number for number in range(10_000))
BOMB: Final = gzip.compress(bytes(3_000_000))
WAITS_LITTLE: Final = Timeouts(read=0.2, write=0.2)


async def trickle(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
) -> None:
    await request_head(reader, peer)
    for byte in answer(200, b"drip"):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    await reader.read()


async def break_off(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
) -> None:
    await request_head(reader, peer)
    writer.write(OK + b"content-length: 9\r\n\r\nabc")
    await writer.drain()
    await peer.gone.wait()
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def with_(*fields: bytes, body: bytes) -> Script:
    return answers(answer(200, body, *fields))


FAULTS: Final[dict[str, tuple[Script, type[ClientError] | bytes]]] = {
    "closes at once": (answers(b"", stays=False), CutError),
    "closes in the status line": (answers(OK[:9], stays=False), CutError),
    "closes in the header": (answers(OK + b"a: b", stays=False), CutError),
    "closes in the body": (
        answers(OK + b"content-length: 9\r\n\r\nabc", stays=False),
        CutError,
    ),
    "closes in a chunk": (answers(CHUNKED + b"5\r\nab", stays=False), CutError),
    "closes before the last chunk": (
        answers(CHUNKED + b"2\r\nab\r\n", stays=False),
        CutError,
    ),
    "never answers": (answers(b""), ReadTimeoutError),
    "stops in the header": (answers(OK + b"a: b\r\n"), ReadTimeoutError),
    "stops in the body": (
        answers(OK + b"content-length: 9\r\n\r\nabc"),
        ReadTimeoutError,
    ),
    "trickles": (trickle, b"drip"),
    "sends 103 first": (
        answers(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + answer(200, b"hi")),
        b"hi",
    ),
    "sends 10,000 header fields": (answers(OK + MANY + b"\r\n"), HeadersTooLargeError),
    "sends an endless header": (
        answers(OK + b"a: " + b"x" * 200_000),
        HeadersTooLargeError,
    ),
    "sends a header that is too long": (
        answers(OK + b"a: " + b"x" * 70_000 + b"\r\n\r\n"),
        HeadersTooLargeError,
    ),
    "sends a size that is no number": (answers(CHUNKED + b"zz\r\nab"), ProtocolError),
    "sends a chunk without its end": (
        answers(CHUNKED + b"2\r\nabcd\r\n0\r\n\r\n"),
        ProtocolError,
    ),
    "sends less than content-length": (
        answers(OK + b"content-length: 9\r\n\r\nabc", stays=False),
        CutError,
    ),
    "sends more than content-length": (
        answers(OK + b"content-length: 3\r\n\r\nabcdef"),
        b"abc",
    ),
    "sends two lengths": (
        answers(OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        ProtocolError,
    ),
    "sends a length that is no number": (
        answers(OK + b"content-length: -3\r\n\r\nabc"),
        ProtocolError,
    ),
    "sends a gzip bomb": (
        with_(b"content-encoding: gzip", body=BOMB),
        BodyTooLargeError,
    ),
    "sends what is no gzip": (
        with_(b"content-encoding: gzip", body=b"abc"),
        DecodingError,
    ),
    "cuts its gzip": (
        with_(b"content-encoding: gzip", body=gzip.compress(b"abc")[:-4]),
        DecodingError,
    ),
    "speaks another protocol": (answers(b"SSH-2.0-OpenSSH\r\n\r\n"), ProtocolError),
    "switches the protocol": (
        answers(b"HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        ProtocolError,
    ),
    "sends status 999": (answers(answer(999)), ProtocolError),
    "sends NUL in a field": (answers(OK + b"a: b\0c\r\n\r\n"), ProtocolError),
    "ends the body by closing": (
        answers(b"HTTP/1.0 200 OK\r\n\r\nall of it", stays=False),
        b"all of it",
    ),
}


async def outcome(client: Client, url: str) -> type[BaseException] | bytes:
    """Make a request as a program would, and tell how it ended."""
    async with asyncio.timeout(DEADLINE), client:
        try:
            async with client.request("GET", url) as response:
                return await response.raw()
        except ClientError as error:
            return type(error)


@pytest.mark.parametrize(("script", "expected"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_peer_on_http1(
    script: Script, expected: type[ClientError] | bytes
) -> None:
    async with listening(script) as peer:
        client = Client(
            timeout=WAITS_LITTLE, middlewares=[decompression(max_bytes=1_000_000)]
        )
        assert await outcome(client, peer.url) == expected


async def whole(http2: Http2, stream_id: int) -> None:
    await http2.send(stream_id, body=b"hi")


async def hinting(http2: Http2, stream_id: int) -> None:
    http2.state.send_headers(stream_id, [(b":status", b"103"), (b"link", b"</a>")])
    await http2.send(stream_id, body=b"hi")


async def trickling(http2: Http2, stream_id: int) -> None:
    await http2.send(stream_id, body=None)
    for byte in b"drip":
        http2.state.send_data(stream_id, bytes([byte]))
        await http2.flush()
        await asyncio.sleep(0)
    http2.state.end_stream(stream_id)
    await http2.flush()


async def silent(http2: Http2, stream_id: int) -> None:
    pass


async def stopping(http2: Http2, stream_id: int) -> None:
    await http2.send(stream_id, body=None)


async def leaving(http2: Http2, stream_id: int) -> None:
    http2.leave()


async def leaving_in_the_body(http2: Http2, stream_id: int) -> None:
    await http2.send(stream_id, body=None)
    http2.leave()


def resetting(code: ErrorCodes) -> Script2:
    async def script(http2: Http2, stream_id: int) -> None:
        http2.state.reset_stream(stream_id, code)
        await http2.flush()

    return script


async def resetting_in_the_body(http2: Http2, stream_id: int) -> None:
    await http2.send(stream_id, body=None)
    http2.state.send_data(stream_id, b"abc")
    http2.state.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)
    await http2.flush()


def going_away(last_stream_id: int) -> Script2:
    async def script(http2: Http2, stream_id: int) -> None:
        http2.state.close_connection(last_stream_id=last_stream_id)
        await http2.flush()

    return script


def sending(*fields: tuple[bytes, bytes], body: bytes = b"hi") -> Script2:
    async def script(http2: Http2, stream_id: int) -> None:
        await http2.send(stream_id, *fields, body=body)

    return script


async def without_a_status(http2: Http2, stream_id: int) -> None:
    await http2.send(stream_id, status=b"abc")


async def with_a_frame_of_no_stream(http2: Http2, stream_id: int) -> None:
    await http2.write(b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x")


FAULTS_OF_HTTP2: Final[dict[str, tuple[Script2, type[ClientError] | bytes]]] = {
    "is whole": (whole, b"hi"),
    "sends 103 first": (hinting, b"hi"),
    "trickles": (trickling, b"drip"),
    "never answers": (silent, ReadTimeoutError),
    "stops in the body": (stopping, ReadTimeoutError),
    "closes at once": (leaving, CutError),
    "closes in the body": (leaving_in_the_body, CutError),
    "refuses the stream": (resetting(ErrorCodes.REFUSED_STREAM), RefusedError),
    "resets the stream": (resetting(ErrorCodes.INTERNAL_ERROR), StreamResetError),
    "resets in the body": (resetting_in_the_body, StreamResetError),
    "goes away and takes nothing": (going_away(0), RefusedError),
    "goes away in the middle": (going_away(1), CutError),
    "sends 10,000 header fields": (
        sending(*[(b"x-%d" % number, b"1") for number in range(10_000)]),
        HeadersTooLargeError,
    ),
    "sends 1,100 header fields": (
        sending(*[(b"x-%d" % number, b"1") for number in range(1_100)]),
        HeadersTooLargeError,
    ),
    "sends less than content-length": (
        sending((b"content-length", b"9")),
        ProtocolError,
    ),
    "sends more than content-length": (
        sending((b"content-length", b"1")),
        ProtocolError,
    ),
    "sends a gzip bomb": (
        sending((b"content-encoding", b"gzip"), body=BOMB),
        BodyTooLargeError,
    ),
    "sends CR and LF in a field": (sending((b"a", b"b\r\nc: d")), ProtocolError),
    "sends a status that is no number": (without_a_status, ProtocolError),
    "sends data of no stream": (with_a_frame_of_no_stream, ProtocolError),
}


@pytest.mark.parametrize(
    ("script", "expected"), FAULTS_OF_HTTP2.values(), ids=FAULTS_OF_HTTP2.keys()
)
async def test_a_peer_on_http2(
    script: Script2, expected: type[ClientError] | bytes
) -> None:
    async with listening_http2(script) as peer:
        client = Client(
            timeout=WAITS_LITTLE,
            middlewares=[decompression(max_bytes=1_000_000)],
            transport=NetworkTransport(http1=False),
        )
        assert await outcome(client, peer.url) == expected


async def test_a_peer_on_http1_that_is_taken_for_one_on_http2() -> None:
    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await request_head(reader, peer)
        writer.write(answer(400, b"what?"))
        await reader.read()

    async with listening(script) as peer:
        client = Client(timeout=WAITS_LITTLE, transport=NetworkTransport(http1=False))
        assert await outcome(client, peer.url) in (ProtocolError, ReadTimeoutError)


async def test_nobody_listens() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        assert await outcome(Client(), url) is ConnectError


async def test_a_host_that_is_not_there() -> None:
    assert await outcome(Client(), "http://no-such-host.invalid/") is ConnectError


async def test_a_peer_that_does_not_speak_tls() -> None:
    async with listening(answers(b"HTTP/1.1 400 No\r\n\r\n", stays=False)) as peer:
        url = peer.url.replace("http:", "https:")
        assert await outcome(Client(timeout=1), url) in (
            ConnectError,
            ConnectTimeoutError,
        )


async def test_a_peer_that_lets_tls_wait() -> None:
    async with listening(answers(b"")) as peer:
        url = peer.url.replace("http:", "https:")
        client = Client(timeout=Timeouts(connect=0.2))
        assert await outcome(client, url) is ConnectTimeoutError


async def test_a_connection_that_breaks_while_it_is_read() -> None:
    async with (
        listening(break_off) as peer,
        Client() as client,
        asyncio.timeout(DEADLINE),
    ):
        response = await client.request("GET", peer.url)
        peer.gone.set()
        with pytest.raises((ReadError, CutError)):
            await response.raw()


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(65_536)


async def test_a_peer_that_does_not_take_the_request() -> None:
    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await request_head(reader, peer)
        await peer.gone.wait()

    async with listening(script) as peer:
        async with Client(timeout=WAITS_LITTLE) as client, asyncio.timeout(DEADLINE):
            with pytest.raises(WriteTimeoutError):
                await client.request("POST", peer.url, None, endless())
        peer.gone.set()


async def test_an_answer_before_the_request_was_taken_is_read() -> None:
    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await request_head(reader, peer)
        writer.write(answer(413, b"enough", b"connection: close"))
        await writer.drain()
        # As a server does that wants the answer to arrive: it reads on for a while.
        writer.write_eof()
        for _ in range(20):
            await reader.read(65_536)

    async with (
        listening(script) as peer,
        Client() as client,
        asyncio.timeout(DEADLINE),
    ):
        try:
            response = await client.request("POST", peer.url, None, endless())
        except (ReadError, CutError):
            return  # The reset may have overtaken the answer.
        assert response.status == 413
        assert await response.text() == "enough"


async def test_no_connection_is_free() -> None:
    stuck = answers(OK + b"content-length: 9\r\n\r\nabc")
    async with listening(stuck) as peer:
        client = Client(timeout=Timeouts(pool=0.2), limits=Limits(connections=1))
        async with client, asyncio.timeout(DEADLINE):
            async with client.request("GET", peer.url):
                with pytest.raises(PoolTimeoutError):
                    await client.request("GET", peer.url)
            # Closed before its end, it is no hindrance any more.
            async with client.request("GET", peer.url) as response:
                assert response.status == 200
        assert peer.connections == 2


async def test_what_comes_after_an_answer_is_not_taken_for_the_next_one() -> None:
    forged = answer(200, b"wanted") + answer(200, b"forged")
    async with listening(answers(forged, answer(200, b"later"))) as peer:
        async with Client() as client, asyncio.timeout(DEADLINE):
            first = await client.request("GET", peer.url)
            assert await first.text() == "wanted"
            second = await client.request("GET", peer.url)
            assert await second.text() == "wanted"
        assert peer.connections == 2
