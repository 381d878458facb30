"""What the served application knows of its bodies, its calls and its process."""

import asyncio
import resource
import sys
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path


class Call:
    """One call of the application, and how many of its bodies are running."""

    def __init__(self) -> None:
        self.bodies = 0


class Record:
    """What happened to the bodies of one name.

    Attributes:
        begun: how many bodies began to run.
        closed: how often their `finally` ran.
        chunks: how many chunks were asked for.
        is_sending: a chunk was yielded, and its sending has not returned.
        code: that a WebSocket was closed with; reason: what was said to it.
        gate: opened by a client; whoever passes it closes it again.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.closed = 0
        self.chunks = 0
        self.is_sending = False
        self.code: int | None = None
        self.reason: str | None = None
        self.gate = asyncio.Event()

    @contextmanager
    def running(self) -> Generator[None]:
        """Count a body that begins, and its end in whatever way."""
        call = CALL.get()
        call.bodies += 1
        self.begun += 1
        try:
            yield
        finally:
            call.bodies -= 1
            self.closed += 1

    async def passed(self) -> None:
        """Wait for the gate."""
        await self.gate.wait()
        self.gate.clear()


class Process:
    """What happened to all calls.

    Attributes:
        calls: how many have not returned.
        unclosed: how many bodies were still running when their call had returned.
    """

    calls = 0
    unclosed = 0


CALL: ContextVar[Call] = ContextVar("CALL")
RECORDS: defaultdict[str, Record] = defaultdict(Record)


def count_descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list((folder if folder.exists() else Path("/dev/fd")).iterdir()))


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
