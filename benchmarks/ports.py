"""Ports for the servers that are measured."""

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

# Below the ports that a system gives to clients, and that it gives when asked for any.
_FIRST: Final = 10_000
_COUNT: Final = 20_000


def _in_turn() -> Iterator[int]:
    for number in itertools.count(os.getpid() * 101):
        yield _FIRST + number % _COUNT


_ports: Final = _in_turn()


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on; another at each call.

    Two calls must never give the same: one server could not start, and the other would
    be measured under both names.
    """
    while True:
        port = next(_ports)
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
