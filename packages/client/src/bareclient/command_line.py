"""What may stand after `python -m bareclient`, and what it means."""

import argparse
import ssl
import sys
from asyncio import to_thread
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import httpcore2

from bareasgi import Header, HttpMiddleware
from bareclient.client import Client
from bareclient.content import Sendable
from bareclient.middleware.authorization import basic_authorization
from bareclient.middleware.decompression import decompression
from bareclient.settings import Timeouts
from bareclient.transport.network import NetworkTransport

_CHUNK: Final = 65_536


class Arguments(argparse.Namespace):
    """The arguments, as they were parsed."""

    url: str
    method: str | None
    header: list[str]
    data: str | None
    output: Path | None
    include: bool
    fail: bool
    follow: bool
    compressed: bool
    user: str | None
    retries: int
    timeout: float | None
    proxy: str | None
    cafile: Path | None
    insecure: bool
    http1: bool
    http2: bool


def parse(arguments: Sequence[str]) -> Arguments:
    """Parse the arguments, or end the program and say how it is used."""
    parser = argparse.ArgumentParser(
        prog="python -m bareclient",
        description="Make a request, and stream the body of the answer.",
        epilog="The exit status is 0 when there was an answer; 1 when there was none,"
        " or with --fail when its status is not from 200 to 299; 2 for wrong usage.",
    )
    add = parser.add_argument
    add("url", help="what to ask for: http:// or https://")
    add("-X", "--method", help="GET, or POST where there is data, unless given")
    add(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header field; may be given several times",
    )
    add("-d", "--data", help="the content: text, @FILE, or - for what stdin gives")
    add("-o", "--output", type=Path, metavar="FILE", help="where the body goes")
    add("-i", "--include", action="store_true", help="show status and header first")
    add("-f", "--fail", action="store_true", help="take other statuses for errors")
    add("-L", "--follow", action="store_true", help="follow redirects")
    add("--compressed", action="store_true", help="ask for compression, and decode it")
    add("-u", "--user", metavar="USER:PASSWORD", help="basic authorization")
    add("--retries", type=int, default=0, metavar="N", help="try again up to N times")
    add(
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="for each step: 30 unless given, 0 for none",
    )
    add("--proxy", metavar="URL", help="http://, https:// or socks5://host:port")
    add("--cafile", type=Path, metavar="FILE", help="trust these authorities only")
    add("-k", "--insecure", action="store_true", help="trust any certificate")
    versions = parser.add_mutually_exclusive_group()
    versions.add_argument("--http1", action="store_true", help="speak HTTP/1.1 only")
    versions.add_argument("--http2", action="store_true", help="speak HTTP/2 only")
    return parser.parse_args(arguments, namespace=Arguments())


def make_client(arguments: Arguments) -> Client:
    """Make the client that the arguments describe. Raises OSError and ValueError."""
    middlewares: list[HttpMiddleware] = []
    if arguments.user is not None:
        user, _, password = arguments.user.partition(":")
        middlewares.append(basic_authorization(user, password))
    if arguments.compressed:
        # What is streamed fills no memory, so it may be of any size.
        middlewares.append(decompression(max_bytes=None))
    wait = arguments.timeout or None
    return Client(
        timeout=Timeouts(wait, wait, wait, wait),
        follow_redirects=arguments.follow,
        retries=arguments.retries,
        middlewares=middlewares,
        transport=NetworkTransport(
            ssl_context=_ssl_context(arguments),
            http1=not arguments.http2,
            http2=not arguments.http1,
            proxy=arguments.proxy,
        ),
    )


def headers_of(arguments: Arguments) -> list[Header]:
    """Give the header fields. Raises ValueError for one without a colon."""
    headers: list[Header] = []
    for line in arguments.header:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"a header is 'name: value', not {line!r}")
        headers.append((name.encode(), value.encode()))
    return headers


def content_of(arguments: Arguments, headers: list[Header]) -> Sendable:
    """Give the content, and add the length of a file. Raises OSError."""
    data = arguments.data
    if data == "-":
        return _chunks(sys.stdin.buffer)
    if data is not None and data.startswith("@"):
        path = Path(data[1:])
        headers.append((b"content-length", b"%d" % path.stat().st_size))
        return _chunks_of(path)
    return None if data is None else data.encode()


async def _chunks_of(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        async for chunk in _chunks(file):
            yield chunk


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await to_thread(file.read, _CHUNK):
        yield chunk


def _ssl_context(arguments: Arguments) -> ssl.SSLContext | None:
    if arguments.cafile is not None:
        return ssl.create_default_context(cafile=arguments.cafile)
    if not arguments.insecure:
        return None
    context = httpcore2.default_ssl_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
