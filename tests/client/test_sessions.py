"""The older names keep working, as their documentation shows them."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_reader,
    text_writer,
)
from bareclient import (
    AsgiTransport,
    Client,
    ConnectError,
    HttpClient,
    HttpSession,
    HttpUnboundSession,
    Limits,
    NetworkTransport,
    RequestError,
    Timeouts,
    make_jar,
)
from bareclient.fields import find
from bareclient.options import make_client

from .peers import answer, answers, listening


def make_app() -> Application:
    app = Application()

    @app.on_http_request({"GET", "POST"}, "/{path}")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        sent = await text_reader(content)
        cookie = (find(scope["headers"], b"cookie") or b"none").decode()
        line = f"{scope['method']} {scope['path']} {sent or '-'} {cookie}"
        return 200, [(b"set-cookie", b"a=1; Path=/")], text_writer(line)

    return app


def transport() -> AsgiTransport:
    return AsgiTransport(make_app())


async def test_one_request_is_an_http_client() -> None:
    async with HttpClient("http://h/x", transport=transport()) as response:
        assert response["status_code"] == 200
        assert response["more_body"]
        parts = [part async for part in response["body"]]
        assert parts == [b"GET /x - none"]


@pytest.mark.parametrize("name", ["content", "body"])
async def test_an_http_client_sends_what_it_is_given(name: str) -> None:
    content: Any = {name: text_writer("hello")}
    async with HttpClient(
        "http://h/x",
        method="POST",
        headers=[(b"x", b"y")],
        transport=transport(),
        **content,
    ) as response:
        assert response.ok
        assert response.more_body
        assert await response.text() == "POST /x hello none"


async def test_an_http_client_leaves_no_connection() -> None:
    part = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"
    async with listening(answers(part)) as peer:
        async with HttpClient(peer.url) as response:
            assert response.status == 200
        await peer.gone.wait()


async def test_an_http_client_whose_request_fails_is_closed() -> None:
    closings: list[bool] = []

    class Transport:
        async def __call__(self, *arguments: Any) -> HttpResponse:
            raise ConnectError("no")

        async def aclose(self) -> None:
            closings.append(True)

    with pytest.raises(ConnectError):
        async with HttpClient("http://h/", transport=Transport()):
            pass
    assert closings == [True]


async def test_a_session_asks_one_server_and_keeps_its_cookies() -> None:
    session = HttpSession("http://h.example", transport=transport())
    async with session.request("/x/1", method="GET", headers=None) as response:
        assert await response.text() == "GET /x/1 - none"
    response = await session.request("/y", "POST", body=text_writer("hello"))
    assert await response.text() == "POST /y hello a=1"


async def test_an_unbound_session_asks_any_server() -> None:
    session = HttpUnboundSession(transport=transport(), headers=[(b"x", b"y")])
    for _ in range(2):
        async with session.request("http://a.example/") as response:
            last = await response.text()
    assert last == "GET / - a=1"
    async with session.request("http://b.example/", content=b"1") as response:
        assert await response.text() == "GET / 1 none"
    with pytest.raises(RequestError):
        await session.request("/path")
    await session.aclose()


async def test_a_session_that_is_not_entered_leaves_no_connection() -> None:
    async with listening(answers(answer(200, b"1"))) as peer:
        session = HttpSession(peer.url)
        for _ in range(2):
            response = await session.request("/")
            assert await response.text() == "1"
        await peer.gone.wait()
        assert peer.connections == 2


async def test_a_session_that_is_entered_keeps_its_connection() -> None:
    set_ = answer(200, b"1", b"set-cookie: a=1")
    async with listening(answers(set_, answer(200, b"2"), stays=True)) as peer:
        async with HttpSession(peer.url) as session:
            for _ in range(2):
                response = await session.request("/")
                await response.raw()
        assert peer.connections == 1
        await peer.gone.wait()
        assert b"cookie: a=1" in peer.requests[1].lower()


async def test_a_session_may_do_without_cookies_or_share_them() -> None:
    session = HttpSession("http://h.example", cookies=False, transport=transport())
    for _ in range(2):
        text = await (await session.request("/")).text()
    assert text == "GET / - none"
    jar = make_jar()
    for _ in range(2):
        session = HttpSession("http://h.example", cookies=jar, transport=transport())
        text = await (await session.request("/")).text()
    assert text == "GET / - a=1"


async def test_middleware_is_an_older_name_of_middlewares() -> None:
    async def refuse(*arguments: Any) -> HttpResponse:
        return 418

    async with HttpClient("http://h/", middleware=[refuse]) as response:
        assert response.status == 418


def network(client: Client) -> NetworkTransport:
    assert isinstance(client.transport, NetworkTransport)
    return client.transport


def test_options_become_those_of_a_client() -> None:
    client = make_client(
        "http://h/",
        [(b"x", b"y")],
        loop=object(),
        h11_bufsiz=8096,
        connect_timeout=1.0,
        timeout=Timeouts(read=9.0),
        limits=Limits(body=1),
        protocols=["http/1.1"],
    )
    assert client.timeouts == Timeouts(connect=1.0, read=9.0)
    assert client.limits == Limits(body=1)
    assert not network(client).http2
    assert network(make_client(protocols=["h2"])).http2
    assert network(make_client()).http2


def test_what_is_said_of_tls_is_done(tmp_path: Path) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert network(make_client(ssl_context=own)).ssl_context is own
    client = make_client(
        capath=str(tmp_path),
        ciphers=["ECDHE-RSA-AES256-GCM-SHA384"],
        options=[ssl.OP_NO_TICKET],
    )
    context = network(client).ssl_context
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert "ECDHE-RSA-AES256-GCM-SHA384" in names
    assert "ECDHE-RSA-AES128-GCM-SHA256" not in names
    assert context.options & ssl.OP_NO_TICKET
    assert context.verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(OSError, match="No such file"):
        make_client(cafile=str(tmp_path / "missing.pem"))
    with pytest.raises(ssl.SSLError):
        make_client(cadata="nonsense")


def test_options_alone_leave_the_default_authorities() -> None:
    context = network(make_client(options=[ssl.OP_NO_TICKET])).ssl_context
    default = network(make_client()).ssl_context
    assert context is not default
    assert context.cert_store_stats() == default.cert_store_stats()
