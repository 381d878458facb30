"""Workers: processes that serve the board of the example."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from programs import free_port, request
from repository import ROOT

from .engines import Nginx
from .processes import Process

PROGRAM: Final = ROOT / "examples" / "scale_out" / "worker.py"


class Worker:
    """One worker, which may be started again on its port after it has ended."""

    def __init__(self, name: str, folder: Path, env: Mapping[str, str]) -> None:
        self.port = free_port()
        self.process = Process(
            name,
            [sys.executable, str(PROGRAM)],
            folder,
            env={**env, "BIND": f"127.0.0.1:{self.port}"},
        )

    async def start(self) -> None:
        """Start it, and wait until it is ready, while the tasks of the test go on."""
        self.process.start()
        await self.process.until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it should be sent requests, and takes orders."""
        told = self.health("ready")
        return told is not None and told["ready"] and told["prices"] == "fresh"

    def is_drained(self) -> bool:
        """Whether its streams and sockets are gone, and no new ones are taken."""
        told = self.health("ready")
        return told is not None and told["state"] == "drained"

    def health(self, what: str) -> Mapping[str, Any] | None:
        """What it tells of itself, and its status; None if it does not answer."""
        with suppress(OSError):
            answer = request(self.port, "GET", f"/health/{what}")
            told: Mapping[str, Any] = json.loads(answer.body)
            return {"http": answer.status, **told}
        return None

    async def end(self) -> int:
        """Tell it to end, and give its exit status."""
        self.process.send(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait)


class Site(NamedTuple):
    """Workers, and nginx in front of them."""

    nginx: Nginx
    workers: Sequence[Worker]

    @property
    def port(self) -> int:
        """Where browsers find the board."""
        return self.nginx.port


def start_all(workers: Sequence[Worker]) -> None:
    """Start workers at once, and wait until all are ready."""
    for worker in workers:
        worker.process.start()
    for worker in workers:
        worker.process.wait_until(worker.is_ready)
