"""Real files over real sockets: curl, large files, and clients that are slow or leave.

Needs the servers, so it runs where they are installed, and curl for some of it.
"""

import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from programs import free_port, request, running

from .rfc9110 import CASES, Case
from .spellings import SECRET, SPELLINGS, plant, spelled
from .test_conditions import KINDS, check, filled, values
from .trees import MODIFIED, write

for server in ("hypercorn", "uvicorn"):
    pytest.importorskip(server, reason=f"{server} is not installed")

HERE = Path(__file__).parent
DEADLINE = 20.0  # seconds
MIB = 1024**2
GIB = 1024**3


@contextmanager
def serving(server: str, folder: Path) -> Generator[int]:
    """Serve a folder below /static, and give the port."""
    port = free_port()
    command = [sys.executable, str(HERE / "served.py"), server]
    if server == "granian":
        module = ["--interface", "asgi", "--port", str(port), "served:app"]
        command = [sys.executable, "-m", "granian", *module]
    env = {"FOLDER": str(folder), "PORT": str(port)}
    with running(*command, port=port, env=env, cwd=HERE):
        yield port


def state(port: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(request(port, "GET", "/state").body)
    return told


def until_nothing_is_open(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while left := state(port)["open"]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


# --- curl -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def curl() -> str:
    command = shutil.which("curl")
    if command is None:
        reason = "curl is not installed (on Debian: apt-get install curl)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return command


@dataclass
class Curled:
    """What curl got."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def ask(
        cls,
        curl: str,
        port: int,
        path: str,
        headers: Sequence[tuple[bytes, bytes]] = (),
        method: str = "GET",
    ) -> "Curled":
        options = ["--head"] if method == "HEAD" else ["--include", "-X", method]
        for name, value in headers:
            options += ["--header", f"{name.decode()}: {value.decode()}"]
        address = f"http://127.0.0.1:{port}{path}"
        ran = subprocess.run(
            [curl, "--silent", "--show-error", "--path-as-is", *options, address],
            capture_output=True,
            check=True,
            timeout=DEADLINE,
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        fields = [line.partition(b": ")[::2] for line in lines]
        return cls(int(first.split()[1]), [(n.lower(), v) for n, v in fields], body)


@pytest.fixture(scope="module")
def table_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("table")
    for kind, content in KINDS.items():
        write(folder / f"{kind}.txt", content, modified=MODIFIED)
    with serving("hypercorn", folder) as port:
        yield port


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
@pytest.mark.parametrize("kind", KINDS)
def test_curl_gets_what_rfc_9110_says(
    kind: str, case: Case, curl: str, table_port: int
) -> None:
    path = f"/static/{kind}.txt"
    first = Curled.ask(curl, table_port, path, method="HEAD")
    fill = values(len(KINDS[kind]), dict(first.headers)[b"etag"])
    answer = Curled.ask(curl, table_port, path, filled(case, fill), case.method)
    check(answer, case, fill, KINDS[kind])


def test_curl_goes_on_with_a_download_and_does_not_repeat_one(
    curl: str, table_port: int, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{table_port}/static/large.txt"
    partial = write(tmp_path / "large.txt", KINDS["large"][:1000])

    def run(*options: str) -> str:
        return subprocess.run(
            [curl, "-sS", "-w", "%{http_code}", *options, address],
            capture_output=True,
            check=True,
            text=True,
            timeout=DEADLINE,
        ).stdout

    assert run("-C", "-", "-o", str(partial)) == "206"
    assert partial.read_bytes() == KINDS["large"]
    etag, copy = str(tmp_path / "etag"), str(tmp_path / "copy")
    assert run("--etag-save", etag, "-o", copy) == "200"
    assert run("--etag-compare", etag, "-o", copy) == "304"
    assert run("-z", "Sun, 02 Feb 2020 02:02:02 GMT", "-o", copy) == "304"


# --- spellings ------------------------------------------------------------------------


def raw(port: int, target: str) -> bytes:
    """Ask for a target as it is, and give all of the answer."""
    head = f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(head.encode())
        answer = b""
        # A server that refuses a target may do so before it has read it all.
        try:
            while data := client.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
    return answer


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_no_spelling_leads_out_of_the_root(server: str, tmp_path: Path) -> None:
    root = plant(tmp_path)
    with serving(server, root) as port:
        assert raw(port, "/static/page.txt").endswith(b"\r\n\r\na page")
        for spelling in [each for family in SPELLINGS.values() for each in family]:
            answer = raw(port, "/static" + spelled(spelling, tmp_path))
            # What is too long or no target at all is refused by the server itself.
            status = int(answer.split()[1]) if answer else 400
            assert status in {404, 400, 414, 431}, spelling
            assert SECRET not in answer, spelling
            assert str(tmp_path).encode() not in answer, spelling
        until_nothing_is_open(port)


# --- large files, and what becomes of them --------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that no buffer on the way can take."""
    path = write(tmp_path / "large", b"")
    os.truncate(path, 64 * MIB)
    return path


@contextmanager
def download(port: int, path: str) -> Generator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request("GET", path)
        yield connection.getresponse()
    finally:
        connection.close()


def read_all(response: http.client.HTTPResponse) -> int:
    """Read to the end, and give the number of bytes."""
    buffer = bytearray(MIB)
    return sum(iter(lambda: response.readinto(buffer), 0))


@pytest.mark.timeout(600)
def test_5_gib_are_sent_with_flat_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "huge", b"")
    os.truncate(path, 5 * GIB)
    with path.open("r+b") as file:
        file.seek(5 * GIB - 7)
        file.write(b"the end")
    with serving("uvicorn", tmp_path) as port:
        with download(port, "/static/huge") as response:
            response.read(64 * MIB)
            before = state(port)["memory"]
            assert 64 * MIB + read_all(response) == 5 * GIB
        assert state(port)["memory"] - before < 16 * MIB
        until_nothing_is_open(port)


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_200_clients_that_leave_in_the_middle_leave_nothing_open(
    server: str, large: Path
) -> None:
    with serving(server, large.parent) as port:
        clients: list[socket.socket] = []
        for number in range(200):
            client = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
            client.sendall(b"GET /static/large HTTP/1.1\r\nhost: localhost\r\n\r\n")
            if number % 2:
                # It goes without a word.
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            clients.append(client)
        for client in clients[::4]:
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        for client in clients:
            client.close()
        until_nothing_is_open(port)
        with download(port, "/static/large") as response:
            assert read_all(response) == 64 * MIB


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_slow_clients_cost_little_memory(server: str, large: Path) -> None:
    with serving(server, large.parent) as port:
        with download(port, "/static/large") as response:
            assert read_all(response) == 64 * MIB
        before = state(port)["memory"]
        clients = [
            socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
            for _ in range(50)
        ]
        for client in clients:
            client.sendall(b"GET /static/large HTTP/1.1\r\nhost: localhost\r\n\r\n")
        for client in clients:
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        # Of 64 MiB each there are some pieces of a quarter of one.
        assert state(port)["memory"] - before < 50 * 2 * MIB
        for client in clients:
            client.close()
        until_nothing_is_open(port)


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_a_file_that_shrinks_while_it_is_sent_cuts_the_connection(
    server: str, large: Path
) -> None:
    with serving(server, large.parent) as port:
        with download(port, "/static/large") as response:
            assert response.getheader("content-length") == str(64 * MIB)
            received = len(response.read(MIB))
            os.truncate(large, MIB)
            with pytest.raises((http.client.IncompleteRead, ConnectionError)) as error:
                received += len(response.read())
        if isinstance(error.value, http.client.IncompleteRead):
            received += len(error.value.partial)
        assert received < 64 * MIB
        until_nothing_is_open(port)


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_a_file_that_grows_while_it_is_sent_ends_where_it_did(
    server: str, large: Path
) -> None:
    with serving(server, large.parent) as port:
        with download(port, "/static/large") as response:
            received = len(response.read(MIB))
            with large.open("ab") as file:
                file.write(b"x" * MIB)
            rest = response.read()
        assert received + len(rest) == 64 * MIB
        assert b"x" not in rest
        large.unlink()
        assert request(port, "GET", "/static/large").status == 404
        until_nothing_is_open(port)


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_a_file_that_is_deleted_while_it_is_sent_arrives(
    server: str, large: Path
) -> None:
    with serving(server, large.parent) as port:
        with download(port, "/static/large") as response:
            received = len(response.read(MIB))
            large.unlink()
            assert received + read_all(response) == 64 * MIB
        until_nothing_is_open(port)


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_a_fifo_keeps_nobody_waiting(server: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with serving(server, tmp_path) as port:
        for _ in range(20):
            assert request(port, "GET", "/static/fifo").status == 404


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_a_range_header_of_10_kib_is_the_whole_file(server: str, large: Path) -> None:
    os.truncate(large, 1000)
    with serving(server, large.parent) as port:
        for value in ("0-0," * 2500, "9" * 10_000 + "-", "-" * 10_000):
            sent = {"range": f"bytes={value}"}
            answer = request(port, "GET", "/static/large", headers=sent)
            assert (answer.status, len(answer.body)) == (200, 1000)


def test_granian_sends_files_by_itself(large: Path) -> None:
    pytest.importorskip("granian", reason="granian is not installed")
    write(large.parent / "small", b"small")
    with large.open("r+b") as file:
        file.write(b"begin")
    with serving("granian", large.parent) as port:
        assert request(port, "GET", "/static/small").body == b"small"
        with download(port, "/static/large") as response:
            assert response.getheader("content-length") == str(64 * MIB)
            assert response.read(5) == b"begin"
            assert read_all(response) == 64 * MIB - 5
        assert state(port)["sent"]["http.response.pathsend"] == 1
        part = request(port, "GET", "/static/large", headers={"range": "bytes=1-4"})
        assert (part.status, part.body) == (206, b"egin")
        until_nothing_is_open(port)
