"""The guides to TLS, nginx, Docker, systemd and draining do what they say."""

import asyncio
import http.client
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from howto import PAGES, blocks, changed, command, file, placed, tool, transcript
from programs import free_port, request, running
from repository import ROOT
from websockets.asyncio.client import connect

DEADLINE: Final = 20.0
"""Seconds that anything may take; it takes far less than a tenth of them."""

OF_HTTP3: Final = """
import asyncio
import sys
from pathlib import Path

from server.http3_client import connect_http3


async def main():
    connection = await connect_http3(int(sys.argv[1]), Path(sys.argv[2]))
    exchange = await connection.request("GET", "/")
    sys.stdout.write((await exchange.body()).decode())
    await connection.leave()


asyncio.run(asyncio.wait_for(main(), 10))
"""


def until(claim: Callable[[], bool]) -> None:
    """Wait until the claim is true."""
    deadline = time.monotonic() + DEADLINE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def make_certificate(folder: Path) -> ssl.SSLContext:
    """As the guide to HTTPS does."""
    line = command("https-http2-http3.md", "openssl")
    typed = [tool("openssl"), *shlex.split(line)[1:]]
    subprocess.run(typed, cwd=folder, check=True, capture_output=True)
    return ssl.create_default_context(cafile=folder / "cert.pem")


def output(*typed: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    ended = subprocess.run(
        typed,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ended.returncode == 0, f"{typed}: {ended.stdout}{ended.stderr}"
    return ended.stdout


# HTTPS, HTTP/2 and HTTP/3


@pytest.mark.timeout(120)
def test_the_guide_to_https_prints_what_it_shows_in_three_versions(
    tmp_path: Path,
) -> None:
    page = "https-http2-http3.md"
    curl = tool("curl")
    make_certificate(tmp_path)
    ports = {":9443": f":{free_port()}", ":9009": f":{free_port()}"}
    for name in ("app.py", "hypercorn.toml"):
        text = file(page, name)
        (tmp_path / name).write_text(placed(text, ports), "utf-8")
    typed = shlex.split(command(page, "python -m hypercorn"))
    plain, secure = (int(ports[each][1:]) for each in (":9009", ":9443"))
    shown = [pair for block in blocks(page, "console") for pair in transcript(block)]
    assert len(shown) == 4
    with running(sys.executable, *typed[1:], port=plain, cwd=tmp_path):
        for line, printed in shown:
            if "--http3" in line:
                ask = [sys.executable, "-c", OF_HTTP3, str(secure)]
                said = output(*ask, str(tmp_path / "cert.pem"), cwd=ROOT / "tests")
            else:
                said = output(curl, *shlex.split(placed(line, ports))[1:], cwd=tmp_path)
            assert said.strip() == placed(printed, ports).strip(), line
        offered = output(
            *(curl, "-sI", "--cacert", "cert.pem", f"https://localhost:{secure}/"),
            cwd=tmp_path,
        )
        assert f'alt-svc: h3=":{secure}"' in offered
        # A target that begins with two slashes, or no slash, does not lead elsewhere.
        for target in ("//evil.example/", "/%0d%0aa:b", "*"):
            connection = http.client.HTTPConnection("127.0.0.1", plain, timeout=10)
            connection.putrequest("GET", target)
            connection.endheaders()
            response = connection.getresponse()
            there = response.getheader("location") or ""
            connection.close()
            assert response.status == 308
            assert there.startswith(f"https://localhost:{secure}/"), there


# nginx


AROUND: Final = """
daemon off; worker_processes 1; pid {folder}/pid; {user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/example.conf;
}}
"""


class Front(NamedTuple):
    """An nginx with the application behind it."""

    plain: int
    secure: int
    context: ssl.SSLContext

    def open(self) -> http.client.HTTPSConnection:
        """Connect by TLS and HTTP/1.1."""
        return http.client.HTTPSConnection(
            "localhost", self.secure, context=self.context, timeout=DEADLINE
        )

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Ask, on a connection of its own that ends with the response."""
        connection = self.open()
        connection.request("GET", path, headers={"connection": "close", **headers})
        return connection.getresponse()

    def streams(self) -> int:
        """Ask how many streams are open."""
        seen: dict[str, int] = json.loads(self.get("/").read())
        return seen["open"]


@contextmanager
def nginx(
    folder: Path, *, in_server: str = "", in_program: str = ""
) -> Iterator[Front]:
    """Run the application and the configuration of the guide, with something added."""
    program = tool("nginx")
    context = make_certificate(folder)
    behind, plain, secure = free_port(), free_port(), free_port()
    opening = "    location / {"
    config = changed(
        file("nginx.md", "example.conf"),
        {
            "127.0.0.1:9009": f"127.0.0.1:{behind}",
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{secure} ssl",
            "/etc/nginx/tls": folder,
            opening: f"{in_server}\n{opening}",
        },
    )
    (folder / "example.conf").write_text(config, "utf-8")
    # Otherwise its worker is someone who cannot write to our folder.
    user = "user root;" if os.getuid() == 0 else ""
    around = folder / "nginx.conf"
    around.write_text(AROUND.format(folder=folder, user=user), "utf-8")
    source = changed(
        file("nginx.md", "app.py"),
        {
            "127.0.0.1:9009": f"127.0.0.1:{behind}",
            "config = Config()\n": f"config = Config()\n{in_program}\n",
        },
    )
    (folder / "app.py").write_text(source, "utf-8")
    typed = [program, "-p", str(folder), "-e", str(folder / "log"), "-c", str(around)]
    subprocess.run([*typed, "-t"], check=True, capture_output=True)
    with (
        running(sys.executable, "app.py", port=behind, cwd=folder),
        running(*typed, port=plain, cwd=folder),
    ):
        yield Front(plain, secure, context)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One nginx for the tests that change nothing."""
    with nginx(tmp_path_factory.mktemp("nginx")) as started:
        yield started


def test_behind_nginx_the_application_knows_its_client(front: Front) -> None:
    forged = {"x-forwarded-for": "192.0.2.1", "x-forwarded-host": "evil.example"}
    seen = json.loads(front.get("/", **forged).read())
    host = f"localhost:{front.secure}"
    expected = {"client": "127.0.0.1", "scheme": "https", "host": host}
    assert {name: seen[name] for name in expected} == expected


def test_nginx_sends_plain_requests_to_tls(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=10)
    connection.request("GET", "/a?b=c")
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 308
    assert response.getheader("location") == "https://www.example.com/a?b=c"


def test_a_stream_comes_through_nginx_as_it_is_sent_and_ends_with_its_client(
    front: Front,
) -> None:
    until(lambda: front.streams() == 0)
    # The stream has no end, and its lines are few: a proxy that collects sends none.
    response = front.get("/ticks/a")
    assert [response.readline(), response.readline()] == [b"tick\n"] * 2
    assert front.streams() == 1
    response.close()
    until(lambda: front.streams() == 0)


def test_a_stream_comes_through_nginx_over_http2(front: Front, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(
        ssl.get_server_certificate(("127.0.0.1", front.secure)), "utf-8"
    )
    asked = [tool("curl"), "-sSN", "--http2", "--cacert", "cert.pem"]
    process = subprocess.Popen(
        [*asked, "-w", "%{http_version}", f"https://localhost:{front.secure}/ticks/b"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert [process.stdout.readline() for _ in range(2)] == [b"tick\n"] * 2
    finally:
        process.kill()
        process.communicate()


def test_an_upload_reaches_the_handler_through_nginx_while_it_arrives(
    front: Front,
) -> None:
    with (
        socket.create_connection(("127.0.0.1", front.secure), DEADLINE) as plain,
        front.context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(
            b"PUT /files/a HTTP/1.1\r\nhost: localhost\r\n"
            b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
        )
        # The answer to the first piece comes before the second is sent.
        received = b""
        while b"5\n" not in received:
            received += client.recv(4096)
        client.sendall(b"6\r\n world\r\n0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(4096)
    assert b"11\n" in received


async def test_a_web_socket_comes_through_nginx(front: Front) -> None:
    address = f"wss://localhost:{front.secure}/echo/a"
    async with (
        asyncio.timeout(DEADLINE),
        connect(address, ssl=front.context) as web_socket,
    ):
        for message in ("hello", b"\x00", ""):
            await web_socket.send(message)
            assert await web_socket.recv() == message


def test_an_application_below_a_path_keeps_its_routes(tmp_path: Path) -> None:
    (below,) = [each.text for each in blocks("nginx.md", "nginx") if each.title is None]
    setting = re.search(
        r"`(config\.root_path = .*?)`", (PAGES / "nginx.md").read_text("utf-8")
    )
    assert setting is not None
    with nginx(tmp_path, in_server=below, in_program=setting[1]) as front:
        assert front.get("/shop/").status == 200
        assert front.get("/shop/ticks/a").readline() == b"tick\n"


# systemd


AS_SYSTEMD: Final = """
import os
import sys

os.dup2(int(sys.argv[1]), 3)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    verify = shlex.split(command("systemd.md", "systemd-analyze"))
    program = tool(verify[0])
    for name in ("example.service", "example.socket"):
        text = file("systemd.md", name)
        if name == "example.service":
            # It must be there.
            text = changed(text, {"/srv/example/venv/bin/python": sys.executable})
        (tmp_path / name).write_text(text, "utf-8")
    ended = subprocess.run(
        [program, *verify[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_service_that_restarts_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(file("systemd.md", "app.py"), "utf-8")
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as listening:
        listening.set_inheritable(True)

        def start() -> "subprocess.Popen[bytes]":
            # As systemd does: the socket is descriptor 3, and the environment says so.
            return subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, f"{listening.fileno()}", "app.py"],
                cwd=tmp_path,
                env={**os.environ, "LISTEN_FDS": "1"},
                pass_fds=[listening.fileno()],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        seen: list[str] = []
        for _ in range(2):
            # Nobody serves at this moment, and the client waits instead of failing.
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
            client.request("GET", "/", headers={"connection": "close"})
            process = start()
            try:
                seen.append(client.getresponse().read().decode())
                process.terminate()
                assert process.wait(DEADLINE) == 0
            finally:
                client.close()
                process.kill()
                process.wait(DEADLINE)
            assert seen[-1] == f"Hello from process {process.pid}\n"
    assert seen[0] != seen[1]


# Docker


class Instruction(NamedTuple):
    """One instruction of a Dockerfile."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    lines = file("docker.md", "Dockerfile").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    return [Instruction(*line.split(" ", 1)) for line in wanted]


@pytest.mark.timeout(300)
def test_the_steps_of_the_dockerfile_make_something_that_serves_and_stops(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(file("docker.md", "app.py"), "utf-8")
    wanted = file("docker.md", "requirements.txt")
    # Under this name an index has other software.
    needed = changed(
        wanted,
        {"bareasgi[hypercorn]>=6,<7": f"{ROOT / 'packages' / 'core'}[hypercorn]"},
    )
    (tmp_path / "requirements.txt").write_text(needed, "utf-8")
    port = free_port()
    places = {"/venv": f"{tmp_path / 'venv'}", "/app": f"{tmp_path}", "9009": f"{port}"}
    environment: dict[str, str] = {"PYTHONPATH": ""}
    quick = {**os.environ, "PIP_NO_COMPILE": "1", "PIP_NO_INPUT": "1"}
    listed: dict[str, list[str]] = {}
    for name, rest in instructions():
        match name:
            case "RUN":
                step = placed(rest, places)
                if step.startswith("python "):
                    step = f"{shlex.quote(sys.executable)}{step.removeprefix('python')}"
                typed = ["sh", "-c", step]
                subprocess.run(typed, cwd=tmp_path, env=quick, check=True)
            case "ENV":
                pairs = shlex.split(placed(rest, places))
                environment |= dict(pair.split("=", 1) for pair in pairs)
            case "CMD" | "HEALTHCHECK":
                # Lists, so that no shell stands between docker and the program.
                listed[name] = json.loads(placed(rest, places)[rest.find("[") :])
            case "COPY":
                *sources, _ = rest.removeprefix("--from=build ").split()
                for source in sources:
                    path = Path(placed(source, places))
                    assert (tmp_path / path).exists()
            case "USER":
                assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", rest)
            case _:
                assert name in {"FROM", "WORKDIR", "EXPOSE"}
    assert (environment["BIND"], environment["PYTHONUNBUFFERED"]) == (
        f"0.0.0.0:{port}",
        "1",
    )
    with running(*listed["CMD"], port=port, env=environment, cwd=tmp_path):
        assert request(port, "GET", "/").body == b"Hello from a container\n"
        output(*listed["HEALTHCHECK"], cwd=tmp_path)
    ended = subprocess.run(listed["HEALTHCHECK"], capture_output=True, check=False)
    assert ended.returncode == 1


# Draining


@asynccontextmanager
async def draining(
    folder: Path, noticed_within: float
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, int]]:
    """Run the program of the guide, which gives its balancer so many seconds."""
    port = free_port()
    known = {
        "127.0.0.1:9009": f"127.0.0.1:{port}",
        "NOTICED_WITHIN = 2.0": f"NOTICED_WITHIN = {noticed_within}",
    }
    (folder / "app.py").write_text(changed(file("drain.md", "app.py"), known), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "app.py"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(2 * DEADLINE):
            await asyncio.to_thread(until, lambda: status(port, "/ready") == 200)
            yield process, port
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def open_stream(
    port: int,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /ticks/ada HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await reader.readuntil(b"tick\n")
    return reader, writer


async def test_a_server_that_is_about_to_leave_says_so_and_cuts_nothing_yet(
    tmp_path: Path,
) -> None:
    async with draining(tmp_path, noticed_within=3 * DEADLINE) as (process, port):
        reader, writer = await open_stream(port)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(until, lambda: status(port, "/ready") == 503)
        for _ in range(2):
            await reader.readuntil(b"tick\n")
        writer.close()


async def test_a_server_that_leaves_cuts_closes_tidies_up_and_ends(
    tmp_path: Path,
) -> None:
    async with draining(tmp_path, noticed_within=0.1) as (process, port):
        reader, writer = await open_stream(port)
        async with connect(f"ws://127.0.0.1:{port}/ticks/bob") as web_socket:
            assert await web_socket.recv() == "tick"
            process.send_signal(signal.SIGTERM)
            # What is chunked and whole would end so.
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
            await web_socket.wait_closed()
            assert web_socket.close_code == 1001
        writer.close()
        assert process.stdout is not None
        printed = (await process.stdout.read()).decode().splitlines()
        assert await process.wait() == 0
    assert printed == ["ada was cut", "the database is closed"]


def status(port: int, path: str) -> int | None:
    try:
        return request(port, "GET", path).status
    except OSError:
        return None
