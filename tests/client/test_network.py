"""Connections: kept, given back, closed, shared, and through proxies."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpcore2
import pytest

from bareclient import (
    Client,
    CutError,
    Limits,
    NetworkTransport,
    ProxyError,
    ReadError,
)
from bareclient.transport.leftovers import drop_surplus, reset_stream

from .applications import chunks
from .peers import (
    DEADLINE,
    Http2,
    Peer,
    answer,
    answers,
    listening,
    listening_http2,
    request_head,
)

PART = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with listening(answers(*[answer(200, b"hi")] * 3)) as peer:
        async with Client() as client, asyncio.timeout(DEADLINE):
            for _ in range(3):
                async with client.request("GET", peer.url) as response:
                    assert await response.text() == "hi"
                assert response.http_version == "1.1"
        await asyncio.wait_for(peer.gone.wait(), DEADLINE)
        assert peer.connections == 1


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
        ("GET", answer(200, b"")),
    ],
)
async def test_an_answer_without_a_body_gives_its_connection_back_at_once(
    method: str, reply: bytes
) -> None:
    async with listening(answers(*[reply] * 2)) as peer:
        async with Client() as client, asyncio.timeout(DEADLINE):
            for _ in range(2):
                response = await client.request(method, peer.url)
                assert await response.raw() == b""
        assert peer.connections == 1


async def test_names_are_in_lower_case_and_those_of_the_connection_are_dropped() -> (
    None
):
    fields = [
        b"X-A: b",
        b"Connection: keep-alive, X-Hop",
        b"Keep-Alive: 5",
        b"X-Hop: 1",
        b"Set-Cookie: a=b",
        b"Set-Cookie: c=d",
    ]
    async with (
        listening(answers(answer(200, b"", *fields))) as peer,
        Client() as client,
    ):
        response = await client.request("GET", peer.url)
    assert response.headers == [
        (b"content-length", b"0"),
        (b"x-a", b"b"),
        (b"set-cookie", b"a=b"),
        (b"set-cookie", b"c=d"),
    ]


async def test_closing_an_answer_early_closes_its_connection() -> None:
    async with (
        listening(answers(PART)) as peer,
        Client() as client,
        asyncio.timeout(DEADLINE),
    ):
        async with client.request("GET", peer.url) as response:
            assert await anext(aiter(response.body)) == b"abc"
        await peer.gone.wait()
        assert [chunk async for chunk in response.body] == []


async def test_a_cancelled_reader_leaves_no_connection() -> None:
    async with (
        listening(answers(PART)) as peer,
        Client() as client,
        asyncio.timeout(DEADLINE),
    ):
        response = await client.request("GET", peer.url)
        received = aiter(response.body)
        assert await anext(received) == b"abc"
        reading = asyncio.create_task(_next(received))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await peer.gone.wait()


async def test_a_cancelled_request_leaves_no_connection() -> None:
    asked = asyncio.Event()

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await request_head(reader, peer)
        asked.set()
        await reader.read()
        peer.gone.set()

    async def ask(client: Client, url: str) -> None:
        await client.request("GET", url)

    async with listening(script) as peer, Client() as client, asyncio.timeout(DEADLINE):
        asking = asyncio.create_task(ask(client, peer.url))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await peer.gone.wait()


async def test_a_reader_cancelled_twice_has_closed_its_connection() -> None:
    async with (
        listening(answers(PART)) as peer,
        Client() as client,
        asyncio.timeout(DEADLINE),
    ):
        response = await client.request("GET", peer.url)
        closing = asyncio.create_task(response.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await peer.gone.wait()


async def _next(received: AsyncIterator[bytes]) -> bytes:
    return await anext(received)


async def test_closing_the_client_closes_what_is_open() -> None:
    async with listening(answers(PART)) as peer:
        client = Client()
        response = await client.request("GET", peer.url)
        await client.aclose()
        await asyncio.wait_for(peer.gone.wait(), DEADLINE)
        await response.aclose()


async def test_an_answer_that_nobody_closes_is_told_of() -> None:
    async with listening(answers(PART)) as peer:
        client = Client()
        response = await client.request("GET", peer.url)
        with pytest.warns(ResourceWarning, match="neither read nor closed"):
            del response
        await client.aclose()


async def test_requests_on_http2_share_a_connection() -> None:
    waiting: asyncio.Queue[tuple[Http2, int]] = asyncio.Queue()

    async def script(http2: Http2, stream_id: int) -> None:
        waiting.put_nowait((http2, stream_id))

    async with listening_http2(script) as peer:
        transport = NetworkTransport(http1=False)
        async with Client(transport=transport) as client, asyncio.timeout(DEADLINE):
            # The first tells the client how many streams there may be.
            assert await _answer_first(client, peer, waiting) == "1"
            asking = [asyncio.create_task(_text(client, peer.url)) for _ in range(3)]
            for http2, stream_id in reversed([await waiting.get() for _ in range(3)]):
                await http2.send(stream_id, body=b"%d" % stream_id)
            assert sorted([await task for task in asking]) == ["3", "5", "7"]
        assert peer.connections == 1


async def _answer_first(
    client: Client, peer: Peer, waiting: asyncio.Queue[tuple[Http2, int]]
) -> str:
    asking = asyncio.create_task(_text(client, peer.url))
    http2, stream_id = await waiting.get()
    await http2.send(stream_id, body=b"%d" % stream_id)
    return await asking


async def _text(client: Client, url: str) -> str:
    async with client.request("GET", url) as response:
        assert response.http_version == "2"
        return await response.text()


async def test_a_request_on_http2_has_its_content() -> None:
    received: list[bytes] = []

    async def script(http2: Http2, stream_id: int) -> None:
        received.extend(http2.data.pop(stream_id))
        await http2.send(stream_id, (b"x-a", b"b"), body=b"thanks")

    async with listening_http2(script) as peer:
        transport = NetworkTransport(http1=False)
        async with (
            Client(transport=transport) as client,
            asyncio.timeout(DEADLINE),
            client.request(
                "POST", peer.url, [(b"x-b", b"c")], chunks(b"1", b"2")
            ) as response,
        ):
            assert response.headers == [(b"x-a", b"b")]
            assert await response.text() == "thanks"
    assert b"".join(received) == b"12"
    assert b":method: POST" in peer.requests[0]
    assert b"x-b: c" in peer.requests[0]
    assert b"transfer-encoding" not in peer.requests[0]


async def test_leaving_an_answer_on_http2_resets_its_stream() -> None:
    async def script(http2: Http2, stream_id: int) -> None:
        await http2.send(stream_id, body=None)
        if stream_id == 1:
            http2.state.send_data(stream_id, b"x" * 16_000)
            http2.state.send_data(stream_id, b"y" * 16_000)
        else:
            http2.state.send_data(stream_id, b"whole", end_stream=True)
        await http2.flush()

    async with listening_http2(script) as peer:
        transport = NetworkTransport(http1=False)
        async with Client(transport=transport) as client, asyncio.timeout(DEADLINE):
            async with client.request("GET", peer.url) as response:
                await anext(aiter(response.body))
            await peer.gone.wait()
            # The connection is of use to others.
            async with client.request("GET", peer.url) as response:
                assert await response.text() == "whole"
        assert peer.connections == 1


async def test_leaving_many_answers_on_http2_uses_up_no_window() -> None:
    async def script(http2: Http2, stream_id: int) -> None:
        await http2.send(stream_id, body=None)
        for _ in range(4):
            http2.state.send_data(stream_id, b"x" * 16_000)
        await http2.flush()

    async with listening_http2(script) as peer:
        transport = NetworkTransport(http1=False)
        async with Client(transport=transport) as client, asyncio.timeout(DEADLINE):
            # More than the 16 MiB that the connection has.
            for _ in range(400):
                async with client.request("GET", peer.url) as response:
                    await anext(aiter(response.body))
        assert peer.connections == 1


async def test_what_another_version_of_httpcore2_may_lack_is_not_missed() -> None:
    answer_ = httpcore2.Response(200, extensions={"stream_id": 1})
    await drop_surplus(answer_)
    await reset_stream(answer_, httpcore2.Request("GET", "http://h/"))


@pytest.mark.parametrize("user", ["", "ada:s%40cret@"])
async def test_a_forward_proxy_is_given_the_whole_url(user: str) -> None:
    async with listening(answers(answer(200, b"from the proxy"))) as peer:
        proxy = peer.url.replace("http://", f"http://{user}")
        async with Client(transport=NetworkTransport(proxy=proxy)) as client:
            response = await client.request("GET", "http://far.example/a?b")
            assert await response.text() == "from the proxy"
    head = peer.requests[0]
    assert head.startswith(b"GET http://far.example:80/a?b HTTP/1.1\r\n")
    assert b"host: far.example\r\n" in head.lower()
    authorization = base64.b64encode(b"ada:s@cret")
    assert (authorization in head) is bool(user)


async def test_a_proxy_is_given_an_ipv6_address_in_brackets() -> None:
    async with (
        listening(answers(answer(200, b"from the proxy"))) as peer,
        Client(transport=NetworkTransport(proxy=peer.url)) as client,
    ):
        await (await client.request("GET", "http://[::1]:81/a")).raw()
    assert peer.requests[0].startswith(b"GET http://[::1]:81/a HTTP/1.1\r\n")
    assert b"host: [::1]:81\r\n" in peer.requests[0].lower()


async def test_a_proxy_that_does_not_connect_is_an_error() -> None:
    async with (
        listening(answers(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n")) as peer,
        Client(transport=NetworkTransport(proxy=peer.url)) as client,
    ):
        with pytest.raises(ProxyError, match="403"):
            await client.request("GET", "https://far.example/")
    assert peer.requests[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")


async def test_a_socks_proxy_is_told_the_host() -> None:
    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        version, count = await reader.readexactly(2)
        assert version == 5
        await reader.readexactly(count)
        writer.write(b"\x05\x02")
        _, length = await reader.readexactly(2)
        peer.requests.append(await reader.readexactly(length))
        (length,) = await reader.readexactly(1)
        peer.requests.append(await reader.readexactly(length))
        writer.write(b"\x01\x00")
        *_, length = await reader.readexactly(5)
        peer.requests.append(await reader.readexactly(length + 2))
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        await request_head(reader, peer)
        writer.write(answer(200, b"from afar"))
        await reader.read()

    async with listening(script) as peer:
        proxy = f"socks5://ada:secret@127.0.0.1:{peer.port}"
        transport = NetworkTransport(proxy=proxy)
        async with Client(transport=transport) as client, asyncio.timeout(DEADLINE):
            response = await client.request("GET", "http://far.example:81/")
            assert await response.text() == "from afar"
    assert peer.requests[:3] == [b"ada", b"secret", b"far.example\x00\x51"]


def test_a_socks_proxy_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "bareclient.transport.network.find_spec", dict[str, object]().get
    )
    with pytest.raises(RuntimeError, match=r"bareclient\[socks\]"):
        NetworkTransport(proxy="socks5://127.0.0.1:1080")


@pytest.mark.parametrize(
    "proxy", ["", "127.0.0.1:80", "ftp://h", "http://", "socks4://h"]
)
def test_a_proxy_that_cannot_be_is_refused(proxy: str) -> None:
    with pytest.raises(ValueError, match="a proxy is"):
        NetworkTransport(proxy=proxy)


def test_a_transport_that_speaks_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="http1"):
        NetworkTransport(http1=False, http2=False)


async def test_a_unix_socket_is_asked_whatever_the_host(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(200, b"local", b"connection: close"))
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server, Client(transport=NetworkTransport(uds=str(path))) as client:
        response = await client.request("GET", "http://docker/info")
        assert await response.text() == "local"
    assert b"host: docker\r\n" in heads[0].lower()


async def test_connections_come_from_the_local_address() -> None:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.2", 0))
        except OSError:
            pytest.skip("this machine has one loopback address only")
    seen: list[str] = []

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        await request_head(reader, peer)
        writer.write(answer())
        await reader.read()

    async with listening(script) as peer:
        transport = NetworkTransport(local_address="127.0.0.2")
        async with Client(transport=transport) as client:
            await client.request("GET", peer.url)
    assert seen == ["127.0.0.2"]


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with listening(answers(answer(), answer())) as peer:
        limits = Limits(keep_alive_expiry=0.0)
        async with Client(limits=limits) as client, asyncio.timeout(DEADLINE):
            await client.request("GET", peer.url)
            await client.request("GET", peer.url)
            await peer.gone.wait()
        assert peer.connections == 2


def test_the_default_context_verifies_certificates() -> None:
    context = NetworkTransport().ssl_context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_context_of_the_caller_is_used() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert NetworkTransport(ssl_context=context).ssl_context is context


async def test_one_task_may_close_what_another_one_reads() -> None:
    async with (
        listening(answers(PART)) as peer,
        Client() as client,
        asyncio.timeout(DEADLINE),
    ):
        response = await client.request("GET", peer.url)
        received = aiter(response.body)
        assert await anext(received) == b"abc"
        reading = asyncio.create_task(_next(received))
        await asyncio.sleep(0)
        await response.aclose()
        await peer.gone.wait()
        with pytest.raises((ReadError, StopAsyncIteration, RuntimeError, CutError)):
            await reading
