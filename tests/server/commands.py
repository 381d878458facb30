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
    """Where a server listens. Only hypercorn uses both."""

    plain: int
    tls: int


Command: TypeAlias = Callable[[Ports, Certificate], list[str]]


def hypercorn(ports: Ports, certificate: Certificate) -> list[str]:
    """Serve HTTP/1.1 and HTTP/2 on both ports.

    The task of a connection that was closed while idle ends when its keep-alive does.
    """
    return [
        *("hypercorn", "--workers=0", f"--insecure-bind=127.0.0.1:{ports.plain}"),
        *(f"--bind=127.0.0.1:{ports.tls}", f"--certfile={certificate.chain}"),
        *(f"--keyfile={certificate.key}", "--keep-alive=1"),
        "--log-level=warning",
    ]


def uvicorn(parser: str) -> Command:
    """Serve HTTP/1.1, read by h11 or by httptools."""

    def command(ports: Ports, certificate: Certificate) -> list[str]:
        return [
            *("uvicorn", f"--http={parser}", "--host=127.0.0.1"),
            *(f"--port={ports.plain}", "--loop=asyncio", "--ws=none"),
            *("--log-level=warning", "--no-access-log"),
            "--timeout-graceful-shutdown=3",
        ]

    return command


def granian(ports: Ports, certificate: Certificate) -> list[str]:
    """Serve HTTP/1.1 and HTTP/2 by prior knowledge."""
    return [
        *("granian", "--interface=asgi", "--host=127.0.0.1"),
        *(f"--port={ports.plain}", "--loop=asyncio", "--no-ws"),
        *("--log-level=warning", "--workers-kill-timeout=5"),
    ]


COMMANDS: Final[dict[str, Command]] = {
    "hypercorn": hypercorn,
    "uvicorn-h11": uvicorn("h11"),
    "uvicorn-httptools": uvicorn("httptools"),
    "granian": granian,
}
