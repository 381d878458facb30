"""Connections by themselves: full ones, those that break, and TLS."""

import asyncio
import select
import ssl
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from bareclient import Client, ConnectError, NetworkTransport, Timeouts
from bareclient.transport.sockets import SocketBackend

from .peers import DEADLINE, Peer, answer, answers, listening, request_head

# A certificate of localhost that signs itself, and its key, good for tests only.
PEM = Path(__file__).with_name("localhost.pem")


def server_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=PEM)


async def silent(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
) -> None:
    await peer.gone.wait()


async def test_a_full_connection_has_its_writer_wait_and_fail_when_it_breaks() -> None:
    async with listening(silent) as peer, asyncio.timeout(DEADLINE):
        stream = await SocketBackend().connect_tcp("127.0.0.1", peer.port)
        writing = asyncio.create_task(stream.write(bytes(50_000_000)))
        done, _ = await asyncio.wait({writing}, timeout=0.1)
        assert not done
        peer.gone.set()
        with pytest.raises(httpcore2.WriteError):
            await writing
        with pytest.raises(httpcore2.WriteError):
            await stream.write(b"more")
        await stream.aclose()


async def test_a_full_connection_goes_on_when_it_is_read() -> None:
    async def slow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await peer.gone.wait()
        while await reader.read(1_000_000):
            pass

    async with listening(slow) as peer, asyncio.timeout(DEADLINE):
        stream = await SocketBackend().connect_tcp("127.0.0.1", peer.port)
        writing = asyncio.create_task(stream.write(bytes(20_000_000)))
        done, _ = await asyncio.wait({writing}, timeout=0.1)
        assert not done
        peer.gone.set()
        await writing
        await stream.aclose()


async def test_a_peer_is_read_no_faster_than_anyone_wants() -> None:
    sent: list[int] = []

    async def fast(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        for number in range(500):
            writer.write(bytes(100_000))
            await writer.drain()
            sent.append(number)
        # What is still on its way would be lost when the peer hangs up.
        writer.close()
        await writer.wait_closed()

    async with listening(fast) as peer, asyncio.timeout(DEADLINE):
        stream = await SocketBackend().connect_tcp("127.0.0.1", peer.port)
        count = -1
        while count < len(sent):
            count = len(sent)
            await asyncio.sleep(0.05)
        assert count < 400
        size = 0
        while data := await stream.read(65_536):
            assert len(data) <= 65_536
            size += len(data)
        assert size == 50_000_000
        await stream.aclose()


async def test_an_idle_connection_is_readable_when_something_has_come() -> None:
    async with listening(silent) as peer, asyncio.timeout(DEADLINE):
        stream = await SocketBackend().connect_tcp("127.0.0.1", peer.port)
        assert not stream.get_extra_info("is_readable")
        assert stream.get_extra_info("peername") == ("127.0.0.1", peer.port)
        peer.gone.set()
        while not stream.get_extra_info("is_readable"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert await stream.read(1) == b""
        assert stream.get_extra_info("is_readable")
        await stream.aclose()
        await stream.aclose()


async def test_where_there_is_no_poll_the_loop_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(select, "poll")
    reply = answer(200, b"hi")
    async with listening(answers(reply, reply)) as peer:
        async with Client() as client, asyncio.timeout(DEADLINE):
            for _ in range(2):
                response = await client.request("GET", peer.url)
                assert await response.text() == "hi"
        assert peer.connections == 1


async def tls_server(context: ssl.SSLContext, *replies: bytes) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
        await reader.read()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def test_an_answer_comes_over_tls_and_the_connection_is_kept() -> None:
    long = answer(200, b"x" * 300_000)
    server = await tls_server(server_context(), long, answer(200, b"again"))
    transport = NetworkTransport(ssl_context=client_context())
    async with server, Client(transport=transport) as client, asyncio.timeout(DEADLINE):
        url = f"https://localhost:{port_of(server)}/"
        assert len(await (await client.request("GET", url)).raw()) == 300_000
        assert await (await client.request("GET", url)).text() == "again"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_is_trusted_for_its_host_and_by_those_who_know_it(
    host: str,
) -> None:
    server = await tls_server(server_context())
    context = None if host == "localhost" else client_context()
    transport = NetworkTransport(ssl_context=context)
    async with server, Client(transport=transport) as client, asyncio.timeout(DEADLINE):
        with pytest.raises(ConnectError, match=r"(?i)certificate"):
            await client.request("GET", f"https://{host}:{port_of(server)}/")


async def test_a_tunnel_leads_through_a_proxy() -> None:
    server = await tls_server(server_context(), answer(200, b"through"))

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await request_head(reader, peer)
        far_reader, far_writer = await asyncio.open_connection(
            "127.0.0.1", port_of(server)
        )
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                to.write(data)
            to.close()

        try:
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        finally:
            far_writer.transport.abort()

    async with server, listening(script) as peer, asyncio.timeout(DEADLINE):
        transport = NetworkTransport(ssl_context=client_context(), proxy=peer.url)
        async with Client(transport=transport) as client:
            url = f"https://localhost:{port_of(server)}/"
            assert await (await client.request("GET", url)).text() == "through"
    assert peer.requests[0].startswith(b"CONNECT localhost:")


async def test_no_timeout_waits_as_long_as_it_takes() -> None:
    async def late(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await request_head(reader, peer)
        for _ in range(10):
            await asyncio.sleep(0)
        writer.write(answer(200, b"at last"))
        await reader.read()

    async with listening(late) as peer, asyncio.timeout(DEADLINE):
        async with Client(timeout=None) as client:
            assert await (await client.request("GET", peer.url)).text() == "at last"
        assert client.timeouts == Timeouts(None, None, None, None)


def test_the_certificate_of_the_tests_is_a_file_of_this_folder() -> None:
    assert PEM.read_text("ascii").startswith("-----BEGIN CERTIFICATE-----")
