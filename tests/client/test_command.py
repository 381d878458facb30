"""`python -m bareclient URL`, called as a program and as a function."""

import asyncio
import io
import runpy
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from bareclient import Client, NetworkTransport, Timeouts, progress
from bareclient import __main__ as program
from bareclient.command_line import make_client, parse
from bareclient.progress import PlainProgress, make_progress

from .peers import DEADLINE, Script, answer, answers, listening

Run: TypeAlias = Callable[..., Awaitable[tuple[int, bytes, str]]]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the program in a thread, and gives status, output and errors."""

    async def call(*arguments: str) -> tuple[int, bytes, str]:
        async with asyncio.timeout(DEADLINE):
            status = await asyncio.to_thread(program.main, arguments)
        captured = capfdbinary.readouterr()
        return status, captured.out, captured.err.decode()

    return call


async def test_the_body_goes_to_stdout(run: Run) -> None:
    async with listening(answers(answer(200, b"\x00\xffbody\n"))) as peer:
        assert await run(peer.url) == (0, b"\x00\xffbody\n", "")
    assert peer.requests[0].startswith(b"GET / HTTP/1.1\r\n")


async def test_method_header_data_and_user_are_sent(run: Run) -> None:
    async with listening(answers(answer(200, b"ok"))) as peer:
        status, out, _ = await run(
            peer.url,
            "-X",
            "put",
            "-H",
            "X-A:  b: c",
            "-H",
            "x-d:",
            "-d",
            "ü",
            "-u",
            "a:b",
        )
    assert (status, out) == (0, b"ok")
    head = peer.requests[0].lower()
    assert head.startswith(b"put / http/1.1\r\n")
    assert b"x-a: b: c\r\n" in head
    assert b"x-d: \r\n" in head
    assert b"content-length: 2\r\n" in head
    assert b"authorization: basic ytpi\r\n" in head


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def content_script(received: list[bytes]) -> Script:
    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Any
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        peer.requests.append(head)
        if b"content-length" in head.lower():
            received.append(await reader.readexactly(100_000))
        else:
            received.append(await reader.readuntil(b"\r\n0\r\n\r\n"))
        writer.write(answer(200, b"thanks"))
        await reader.read()

    return script


async def test_data_is_read_from_a_file_and_its_length_is_told(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 100_000)
    received: list[bytes] = []
    async with listening(content_script(received)) as peer:
        assert (await run(peer.url, "-d", f"@{path}"))[:2] == (0, b"thanks")
    assert peer.requests[0].startswith(b"POST / ")
    assert received == [b"x" * 100_000]


async def test_data_is_streamed_from_stdin(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(b"from stdin")

    monkeypatch.setattr(sys, "stdin", Stdin)
    received: list[bytes] = []
    async with listening(content_script(received)) as peer:
        assert (await run(peer.url, "-d", "-"))[0] == 0
    assert b"from stdin" in received[0]


async def test_status_and_header_are_shown_when_asked_for(run: Run) -> None:
    async with listening(answers(answer(404, b"no", b"X-A: b"))) as peer:
        status, out, _ = await run(peer.url, "-i")
    assert status == 0
    assert out == b"HTTP/1.1 404 Not Found\ncontent-length: 2\nx-a: b\n\nno"


async def test_another_status_is_an_error_only_when_asked_for(run: Run) -> None:
    async with listening(answers(answer(404, b"no"))) as peer:
        status, out, error = await run(peer.url, "--fail")
    assert (status, out) == (1, b"")
    assert error == f"bareclient: {peer.url} answered 404 Not Found\n"


async def test_redirects_and_compression_are_for_those_who_ask(run: Run) -> None:
    moved = answer(302, b"", b"location: /there")
    async with listening(answers(moved, answer(200, b"there"))) as peer:
        assert (await run(peer.url, "-L", "--compressed", "--http1"))[1] == b"there"
    assert b"accept-encoding: zstd, br, gzip, deflate\r\n" in peer.requests[1]


async def test_it_tries_again_when_asked_to(run: Run) -> None:
    busy = answer(503, b"", b"retry-after: 0")
    async with listening(answers(busy, answer(200, b"there"))) as peer:
        assert (await run(peer.url, "--retries", "1"))[1] == b"there"


async def test_a_download_goes_to_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with listening(answers(answer(200, b"x" * 200_000))) as peer:
        status, out, error = await run(peer.url, "-o", str(path))
    # stderr is no terminal here, so there is no progress to see.
    assert (status, out, error) == (0, b"", "")
    assert path.read_bytes() == b"x" * 200_000
    assert names(tmp_path) == ["file"]


async def test_a_download_of_unknown_length_goes_to_a_file_too(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    reply = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    async with listening(answers(reply, stays=False)) as peer:
        assert (await run(peer.url, "-o", str(path)))[0] == 0
    assert path.read_bytes() == b"all of it"


async def test_half_a_download_leaves_the_file_as_it_was(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"
    async with listening(answers(reply, stays=False)) as peer:
        status, _, error = await run(peer.url, "-o", str(path))
    assert status == 1
    assert "peer closed connection" in error
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "a URL must begin with"),
        (["http://h/", "-H", "nonsense"], "a header is"),
        (["http://h/", "-H", "x: a\r\nb: c"], "control character"),
        (["http://h/", "-d", "@/no/such/file"], "No such file"),
        (["http://h/", "--proxy", "nonsense"], "a proxy is"),
        (["https://h/", "--cafile", "/no/such/file"], "No such file"),
        (["http://h/", "-u", "a:b", "-X", "a b"], "is not a method"),
    ],
)
async def test_what_cannot_be_is_told_in_one_line(
    run: Run, arguments: list[str], told: str
) -> None:
    status, out, error = await run(*arguments)
    assert (status, out) == (1, b"")
    assert error.startswith("bareclient: ")
    assert told in error
    assert error.count("\n") == 1


def test_wrong_usage_is_told_by_the_parser(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--nonsense"], ["http://h/", "--http1", "--http2"]):
        with pytest.raises(SystemExit) as ended:
            program.main(arguments)
        assert ended.value.code == 2
        assert "usage: python -m bareclient" in capsys.readouterr().err


def client_of(*arguments: str) -> tuple[Client, NetworkTransport]:
    client = make_client(parse(["http://h/", *arguments]))
    assert isinstance(client.transport, NetworkTransport)
    return client, client.transport


def test_the_options_become_those_of_a_client() -> None:
    client, transport = client_of("--timeout", "0", "--http2")
    assert not transport.http1
    assert client.timeouts == Timeouts(None, None, None, None)
    client, transport = client_of("--http1")
    assert not transport.http2
    assert client.timeouts.read == 30.0
    assert transport.ssl_context.check_hostname
    _, transport = client_of("--insecure")
    assert transport.ssl_context.verify_mode is ssl.CERT_NONE
    bundle = ssl.get_default_verify_paths().openssl_cafile
    if Path(bundle).exists():
        _, transport = client_of("--cafile", bundle)
        assert transport.ssl_context.check_hostname


def test_an_interrupt_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(coroutine: Any) -> None:
        coroutine.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(program.asyncio, "run", interrupt)
    assert program.main(["http://h/"]) == 130


async def test_a_reader_that_leaves_ends_it_quietly() -> None:
    async with listening(answers(answer(200, b"x" * 1_000_000))) as peer:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bareclient",
            peer.url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.read(10) == b"x" * 10
        pipes: Any = getattr(process, "_transport")  # noqa: B009 - there is no public way
        pipes.get_pipe_transport(1).close()
        async with asyncio.timeout(3 * DEADLINE):
            assert await process.stderr.read() == b""
            assert await process.wait() == 1


def test_a_broken_pipe_is_no_error_to_tell_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(coroutine: Any) -> None:
        coroutine.close()
        raise BrokenPipeError

    with (tmp_path / "stdout").open("w") as stdout:
        monkeypatch.setattr(program.asyncio, "run", broken)
        monkeypatch.setattr(sys, "stdout", stdout)
        assert program.main(["http://h/"]) == 1


def test_it_is_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bareclient", "nonsense"])
    monkeypatch.delitem(sys.modules, "bareclient.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("bareclient", run_name="__main__")
    assert ended.value.code == 1


def test_it_says_how_it_is_used() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bareclient", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.startswith("usage: python -m bareclient")
    assert told.stderr == ""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_plain_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 0.0, 1.0, 1.0, 1.05, 1.05])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    terminal = Terminal()
    bar = PlainProgress(2 * 1024 * 1024, terminal)
    for _ in range(3):
        bar.update(512 * 1024)
    bar.close()
    shown = terminal.getvalue()
    assert shown.startswith("\r0.5 of 2.0 MiB\r1.0 of 2.0 MiB")
    assert shown.endswith("1.5 of 2.0 MiB\n")


def test_plain_progress_is_not_shown_elsewhere() -> None:
    out = io.StringIO()
    bar = PlainProgress(None, out)
    bar.update(1)
    bar.close()
    assert out.getvalue() == ""


def test_progress_of_unknown_length_counts() -> None:
    terminal = Terminal()
    bar = PlainProgress(None, terminal)
    bar.update(1024 * 1024)
    bar.close()
    assert terminal.getvalue() == "\r1.0 MiB\r1.0 MiB\n"


def test_progress_is_plain_where_tqdm_is_missing() -> None:
    assert isinstance(make_progress(1, lambda name: None), PlainProgress)
