"""The client over every way to an application: servers, proxies, and in this process.

The same bodies of tests run over all of them, and see the same.
"""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypercorn.asyncio import serve
from hypercorn.config import Config
from programs import free_port

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_reader,
    json_response,
    text_writer,
)
from bareclient import (
    AsgiTransport,
    Client,
    ConnectError,
    CutError,
    NetworkTransport,
    ProxyError,
    ReadTimeoutError,
    StreamResetError,
    Timeouts,
    decompression,
)
from bareclient.fields import find

DEADLINE: Final = 10.0
MIB: Final = 1024 * 1024
HALF_MIB: Final = MIB // 2
PATIENT: Final = Timeouts(connect=DEADLINE, read=DEADLINE, write=DEADLINE)
IN_PROCESS: Final = "in process"
# hypercorn does not reset the stream of a body that fails on HTTP/2, so that the client
# waits; nginx in front of it speaks HTTP/1.1 to it, and does.
WAYS: Final = (
    IN_PROCESS,
    "hypercorn h1",
    "hypercorn h1-tls",
    "hypercorn h2-tls",
    "nginx h1",
    "nginx h1-tls",
    "nginx h2-tls",
    "tinyproxy h1",
    "tinyproxy h1-tls",
    "tinyproxy h2-tls",
    "microsocks h1",
    "microsocks h2-tls",
)


@dataclass(frozen=True)
class Authority:
    """A certificate for localhost, its key, and the authority that signed it."""

    chain: Path
    key: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    now = datetime.now(UTC)

    def certificate(
        name: str, key: Any, issuer: str, signer: Any, *, is_authority: bool
    ) -> x509.Certificate:
        names = [x509.DNSName("localhost")]
        public = key.public_key()
        signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            signer.public_key()
        )
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public), critical=False
            )
            .add_extension(signer_id, critical=False)
            .sign(signer, hashes.SHA256())
        )

    root_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("Authority", root_key, "Authority", root_key, is_authority=True)
    leaf = certificate("localhost", key, "Authority", root_key, is_authority=False)
    pem = serialization.Encoding.PEM
    (folder / "root.pem").write_bytes(root.public_bytes(pem))
    (folder / "chain.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(cafile=str(folder / "root.pem"))
    return Authority(folder / "chain.pem", folder / "key.pem", context)


def program(name: str) -> str:
    """Find a program; without it the test is skipped, or fails where all must be."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=places)
    if found is None:
        if "CI" in os.environ:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def running(*command: str, port: int, log: Path) -> Iterator[None]:
    """Run a program until the block ends, from when it listens on its port."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = datetime.now(UTC) + timedelta(seconds=DEADLINE)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                if process.poll() is not None or datetime.now(UTC) > deadline:
                    raise RuntimeError(log.read_text("utf-8")) from None
            else:
                break
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


NGINX: Final = """
daemon off; worker_processes 1; pid {folder}/pid; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; {more}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl http2;
    ssl_certificate {chain}; ssl_certificate_key {key};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1; proxy_set_header host $http_host;
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


@contextmanager
def nginx(
    folder: Path, authority: Authority, upstream: int, more: str = ""
) -> Iterator[dict[str, int]]:
    ports = {"plain": free_port(), "tls": free_port()}
    path = folder / "nginx.conf"
    path.write_text(
        NGINX.format(
            folder=folder,
            chain=authority.chain,
            key=authority.key,
            upstream=upstream,
            more=more,
            # Otherwise its worker is someone who cannot write to our folder.
            user="user root;" if os.getuid() == 0 else "",
            **ports,
        )
    )
    log = folder / "nginx.log"
    command = [program("nginx"), "-p", str(folder), "-e", str(log), "-c", str(path)]
    with running(*command, port=ports["plain"], log=log):
        yield ports


@contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[str]:
    port = free_port()
    path = folder / "tinyproxy.conf"
    settings = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "Timeout 60"]
    path.write_text("\n".join([*settings, *lines, ""]))
    command = [program("tinyproxy"), "-d", "-c", str(path)]
    with running(*command, port=port, log=folder / "tinyproxy.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def microsocks(folder: Path) -> Iterator[str]:
    port = free_port()
    login = ["-u", "ada", "-P", "s3cret"]
    command = [program("microsocks"), "-i", "127.0.0.1", "-p", str(port), *login]
    with running(*command, port=port, log=folder / "microsocks.log"):
        yield f"socks5://ada:s3cret@127.0.0.1:{port}"


PROXIES: Final = {"tinyproxy": tinyproxy, "microsocks": microsocks}


class Events:
    """What happened in the application."""

    def __init__(self) -> None:
        self.left = asyncio.Event()


def make_app(events: Events) -> Application:
    app = Application()
    add_answers(app)
    add_streams(app, events)
    return app


def add_answers(app: Application) -> None:
    @app.on_http_request({"GET", "POST", "PUT"}, "/mirror/{path}")
    async def mirror(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        data = await bytes_reader(content, max_bytes=None)
        told = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "x-a": (find(scope["headers"], b"x-a") or b"").decode(),
            "size": len(data),
            "digest": sha256(data).hexdigest(),
        }
        return json_response(201, [(b"x-b", b"1")], told)

    @app.on_http_request({"GET"}, "/status/{status:int}")
    async def status(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return matches["status"], [(b"x-a", b"b")]

    @app.on_http_request({"GET"}, "/redirect")
    async def redirect(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        set_ = (b"set-cookie", b"a=1; Path=/")
        return 303, [(b"location", b"cookies?q"), set_], text_writer("moved")

    @app.on_http_request({"GET"}, "/cookies")
    async def cookies(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [], text_writer((find(scope["headers"], b"cookie") or b"").decode())

    @app.on_http_request({"GET"}, "/fails")
    async def fails(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise ValueError("secret")


def add_streams(app: Application, events: Events) -> None:
    @app.on_http_request({"GET"}, "/download/{size:int}")
    async def download(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            for number in range(matches["size"]):
                yield bytes([number % 251]) * MIB

        return 200, [], body()

    @app.on_http_request({"GET"}, "/ticks")
    async def ticks(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            try:
                yield b"id: 1\ndata: tick\n\n"
                await asyncio.sleep(1000)
            finally:
                events.left.set()

        return 200, [(b"content-type", b"text/event-stream")], body()

    @app.on_http_request({"GET"}, "/breaks")
    async def breaks(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"x" * 1000
            raise ValueError("secret")

        return 200, [], body()

    @app.on_http_request({"GET"}, "/silent")
    async def silent(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.sleep(1000)

        return 200, [], body()


@asynccontextmanager
async def hypercorn(
    app: Application, authority: Authority
) -> AsyncGenerator[Mapping[str, int]]:
    """Serve with hypercorn, without TLS and with it."""
    stopping = asyncio.Event()
    config = Config()
    listeners = {
        name: socket.create_server(("127.0.0.1", 0)) for name in ("plain", "tls")
    }
    ports = {name: each.getsockname()[1] for name, each in listeners.items()}
    config.insecure_bind = [f"fd://{listeners['plain'].detach()}"]
    config.bind = [f"fd://{listeners['tls'].detach()}"]
    config.certfile, config.keyfile = str(authority.chain), str(authority.key)
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 0.1
    any_app: Any = app
    serving = asyncio.create_task(
        serve(any_app, config, shutdown_trigger=stopping.wait)
    )
    try:
        yield ports
    finally:
        stopping.set()
        await serving


class Way:
    """A way to the application.

    Attributes:
        kind: "hypercorn", or what stands before it.
        protocol: the version of HTTP, and whether it is spoken over TLS.
        url: the application's, without a slash at its end.
        options: those of the transport.
        app: the application.
        events: what happened in it.
    """

    def __init__(self, name: str, events: Events, app: Application) -> None:
        self.kind, _, self.protocol = name.partition(" ")
        self.is_in_process = name == IN_PROCESS
        self.url = "http://localhost"
        self.options: dict[str, Any] = {}
        self.app = app
        self.events = events

    def client(self, **options: Any) -> Client:
        """Make a client that goes this way."""
        transport: Any = (
            AsgiTransport(self.app)
            if self.is_in_process
            else NetworkTransport(**self.options)
        )
        return Client(
            base_url=f"{self.url}/",
            transport=transport,
            # tinyproxy closes a connection after its answer and does not say so before:
            # the next request may be on its way already.
            **{
                "timeout": PATIENT,
                "retries": 2 if self.kind == "tinyproxy" else 0,
                **options,
            },
        )


@pytest.fixture(params=WAYS)
async def way(
    request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
) -> AsyncGenerator[Way]:
    """Each way to the application."""
    events = Events()
    app = make_app(events)
    way = Way(request.param, events, app)
    if way.is_in_process:
        yield way
        return
    is_tls = way.protocol.endswith("-tls")
    way.options = {
        "ssl_context": authority.context,
        "http2": way.protocol.startswith("h2"),
    }
    async with hypercorn(app, authority) as served:
        with ExitStack() as stack:
            ports = served
            if way.kind == "nginx":
                front = nginx(tmp_path, authority, served["plain"])
                ports = stack.enter_context(front)
            elif way.kind in PROXIES:
                proxy = stack.enter_context(PROXIES[way.kind](tmp_path))
                way.options["proxy"] = proxy
            port = ports["tls" if is_tls else "plain"]
            way.url = f"http{'s' if is_tls else ''}://localhost:{port}"
            yield way


pytestmark = pytest.mark.filterwarnings(
    # hypercorn leaves some sockets to the garbage collector when it ends.
    "ignore:unclosed:ResourceWarning",
    "ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning",
)


async def test_method_path_query_fields_and_content_arrive(way: Way) -> None:
    async with way.client() as client, asyncio.timeout(DEADLINE):
        url = f"{way.url}/mirror/a%20b?c=%20d#e"
        response = await client.request("PUT", url, [(b"X-A", b"y")], b"content")
        assert response.status == 201
        assert find(response.headers, b"x-b") == b"1"
        assert await response.json() == {
            "method": "PUT",
            "path": "/mirror/a b",
            "query": "c=%20d",
            "x-a": "y",
            "size": 7,
            "digest": sha256(b"content").hexdigest(),
        }
        is_http2 = way.protocol.startswith("h2")
        assert response.http_version == ("2" if is_http2 else "1.1")


async def test_a_long_upload_arrives_whole(way: Way) -> None:
    async def content() -> AsyncIterator[bytes]:
        for number in range(4):
            yield bytes([number]) * HALF_MIB

    async with way.client() as client, asyncio.timeout(3 * DEADLINE):
        response = await client.request("POST", "mirror/", None, content())
        told = await response.json()
    whole = b"".join([bytes([number]) * HALF_MIB for number in range(4)])
    assert told["size"] == len(whole)
    assert told["digest"] == sha256(whole).hexdigest()


async def test_a_long_download_arrives_whole(way: Way) -> None:
    digest = sha256()
    async with (
        way.client() as client,
        asyncio.timeout(3 * DEADLINE),
        client.request("GET", "download/20") as response,
    ):
        async for chunk in response.body:
            digest.update(chunk)
    whole = b"".join([bytes([number % 251]) * MIB for number in range(20)])
    assert digest.digest() == sha256(whole).digest()


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
async def test_an_answer_without_a_body_is_whole(way: Way, status: int) -> None:
    async with way.client() as client, asyncio.timeout(DEADLINE):
        for method in ("GET", "HEAD", "GET"):
            response = await client.request(method, f"status/{status}")
            assert response.status == status
            assert find(response.headers, b"x-a") == b"b"
            assert await response.raw() == b""


async def test_redirects_and_cookies_are_followed_and_kept(way: Way) -> None:
    client = way.client(follow_redirects=True, cookies=True)
    async with client, asyncio.timeout(DEADLINE):
        response = await client.request("GET", "redirect")
        assert response.url == f"{way.url}/cookies?q"
        assert await response.text() == "a=1"


async def test_many_at_once_get_their_own_answers(way: Way) -> None:
    async with way.client() as client, asyncio.timeout(3 * DEADLINE):

        async def ask(number: int) -> str:
            async with client.request("GET", f"mirror/{number}") as response:
                told = await response.json()
                path: str = told["path"]
                return path

        paths = await asyncio.gather(*[ask(number) for number in range(50)])
    assert paths == [f"/mirror/{number}" for number in range(50)]


async def test_an_event_arrives_when_it_is_sent_and_leaving_ends_the_stream(
    way: Way,
) -> None:
    async with way.client() as client, asyncio.timeout(DEADLINE):
        async with client.request("GET", "ticks") as response:
            event = await anext(response.events())
            assert (event.data, event.id) == ("tick", "1")
            assert not way.events.left.is_set()
        await way.events.left.wait()


async def test_a_handler_that_fails_is_a_plain_500(way: Way) -> None:
    async with way.client() as client, asyncio.timeout(DEADLINE):
        response = await client.request("GET", "fails")
        assert response.status == 500
        assert await response.text() == "Internal Server Error"


async def test_a_body_that_breaks_is_never_taken_for_whole(way: Way) -> None:
    is_reset = not (way.protocol == "h2-tls" and way.kind != "nginx")
    cut = (CutError, StreamResetError)
    client = way.client(timeout=PATIENT if is_reset else Timeouts(read=0.5))
    async with client, asyncio.timeout(DEADLINE):
        with pytest.raises(cut if is_reset else ReadTimeoutError):
            async with client.request("GET", "breaks") as response:
                await response.raw()


async def test_silence_is_an_error_after_its_time(way: Way) -> None:
    async with way.client(timeout=Timeouts(read=0.5)) as client:
        async with asyncio.timeout(DEADLINE):
            async with client.request("GET", "silent") as response:
                received = aiter(response.body)
                assert await anext(received) == b"x"
                with pytest.raises(ReadTimeoutError):
                    await anext(received)


async def test_an_unknown_authority_is_not_trusted(authority: Authority) -> None:
    app = make_app(Events())
    async with (
        hypercorn(app, authority) as ports,
        asyncio.timeout(DEADLINE),
        Client() as client,
    ):
        with pytest.raises(ConnectError, match=r"(?i)certificate"):
            await client.request("GET", f"https://localhost:{ports['tls']}/")


async def test_a_certificate_is_for_its_host_only(authority: Authority) -> None:
    app = make_app(Events())
    transport = NetworkTransport(ssl_context=authority.context)
    async with (
        hypercorn(app, authority) as ports,
        asyncio.timeout(DEADLINE),
        Client(transport=transport) as client,
    ):
        with pytest.raises(ConnectError, match=r"(?i)certificate"):
            await client.request("GET", f"https://127.0.0.1:{ports['tls']}/")


async def test_http2_is_spoken_where_both_can(authority: Authority) -> None:
    app = make_app(Events())
    transport = NetworkTransport(ssl_context=authority.context)
    async with (
        hypercorn(app, authority) as ports,
        asyncio.timeout(DEADLINE),
        Client(transport=transport) as client,
    ):
        for name, version in (("tls", "2"), ("plain", "1.1")):
            scheme = "https" if name == "tls" else "http"
            url = f"{scheme}://localhost:{ports[name]}/status/204"
            assert (await client.request("GET", url)).http_version == version


async def test_a_proxy_that_refuses_is_an_error(tmp_path: Path) -> None:
    with tinyproxy(tmp_path, "BasicAuth ada s3cret", "ConnectPort 443") as proxy:
        url = f"https://localhost:{free_port()}/"
        for each, told in (
            (proxy, "407"),
            (proxy.replace("//", "//ada:s3cret@"), "403"),
        ):
            async with Client(transport=NetworkTransport(proxy=each)) as client:
                with pytest.raises(ProxyError, match=told):
                    await client.request("GET", url)


async def test_a_socks_proxy_that_refuses_is_an_error(tmp_path: Path) -> None:
    with microsocks(tmp_path) as proxy:
        url = f"http://localhost:{free_port()}/"
        for each in (proxy, proxy.replace("s3cret", "wrong")):
            async with Client(transport=NetworkTransport(proxy=each)) as client:
                with pytest.raises(ProxyError):
                    await client.request("GET", url)


async def test_nginx_compresses_and_the_client_decodes(
    authority: Authority, tmp_path: Path
) -> None:
    app = make_app(Events())
    compress = "gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any;"
    async with hypercorn(app, authority) as ports:
        with nginx(tmp_path, authority, ports["plain"], compress) as fronts:
            client = Client(middlewares=[decompression()])
            async with client, asyncio.timeout(3 * DEADLINE):
                url = f"http://localhost:{fronts['plain']}/download/3"
                async with client.request("GET", url) as response:
                    assert find(response.headers, b"content-encoding") is None
                    size = sum([len(chunk) async for chunk in response.body])
    assert size == 3 * MIB
