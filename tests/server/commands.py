"""How each kind of server is started from a shell, and what it needs to be told."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias


class Certificate(NamedTuple):
    """The files of a certificate for localhost, and a client's trust in it."""

    chain: Path
    key: Path
    context: ssl.SSLContext


class Ports(NamedTuple):
    """Where a server listens. Only hypercorn uses more than one, and one for QUIC."""

    plain: int
    tls: int
    quic: int


Command: TypeAlias = Callable[[Ports, Certificate], list[str]]


def hypercorn(loop: str, *, has_quic: bool = False) -> Command:
    """Serve HTTP/1.1 and HTTP/2 on both ports, and HTTP/3 on a third.

    The task of a connection that was closed while idle ends when its keep-alive does.
    """

    def command(ports: Ports, certificate: Certificate) -> list[str]:
        quic = [f"--quic-bind=127.0.0.1:{ports.quic}"] if has_quic else []
        return [
            *("hypercorn", f"--worker-class={loop}", "--workers=0"),
            *(f"--insecure-bind=127.0.0.1:{ports.plain}", *quic),
            *(f"--bind=127.0.0.1:{ports.tls}", f"--certfile={certificate.chain}"),
            *(f"--keyfile={certificate.key}", "--keep-alive=1"),
            "--log-level=warning",
        ]

    return command


def uvicorn(parser: str, sockets: str) -> Command:
    """Serve HTTP/1.1, read by h11 or httptools, and WebSockets by either library."""

    def command(ports: Ports, certificate: Certificate) -> list[str]:
        return [
            *("uvicorn", f"--http={parser}", "--host=127.0.0.1"),
            *(f"--port={ports.plain}", "--loop=asyncio"),
            *("--log-level=warning", "--no-access-log"),
            *("--timeout-graceful-shutdown=3", f"--ws={sockets}"),
        ]

    return command


def granian(ports: Ports, certificate: Certificate) -> list[str]:
    """Serve HTTP/1.1 and HTTP/2 by prior knowledge."""
    return [
        *("granian", "--interface=asgi", "--host=127.0.0.1"),
        *(f"--port={ports.plain}", "--loop=asyncio"),
        *("--log-level=warning", "--workers-kill-timeout=5"),
    ]


def daphne(ports: Ports, certificate: Certificate) -> list[str]:
    """Serve HTTP/1.1. It has no lifespan."""
    return [
        *("daphne", "--bind=127.0.0.1", f"--port={ports.plain}"),
        *("--verbosity=0", "--no-server-name"),
    ]


def draining_hypercorn(ports: Ports, certificate: Certificate) -> list[str]:
    """Serve as hypercorn does, and drain first."""
    files = str(certificate.chain), str(certificate.key)
    return ["server.draining", "hypercorn", str(ports.plain), str(ports.tls), *files]


def draining_uvicorn(parser: str, sockets: str) -> Command:
    """Serve as uvicorn does, and drain first."""

    def command(ports: Ports, certificate: Certificate) -> list[str]:
        return ["server.draining", "uvicorn", str(ports.plain), parser, sockets]

    return command


COMMANDS: Final[dict[str, Command]] = {
    "hypercorn": hypercorn("asyncio"),
    "hypercorn-uvloop": hypercorn("uvloop"),
    "hypercorn-h3": hypercorn("asyncio", has_quic=True),
    "uvicorn-h11": uvicorn("h11", "websockets-sansio"),
    "uvicorn-httptools": uvicorn("httptools", "wsproto"),
    "granian": granian,
    "daphne": daphne,
}

DRAINING: Final[dict[str, Command]] = {
    "draining-hypercorn": draining_hypercorn,
    "draining-uvicorn-h11": draining_uvicorn("h11", "websockets-sansio"),
    "draining-uvicorn-httptools": draining_uvicorn("httptools", "wsproto"),
}
