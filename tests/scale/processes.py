"""Programs that tests start: what they print is kept, and none outlives the tests."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from pwd import getpwnam
from shutil import which
from typing import Final

import pytest

DEADLINE: Final = 60.0
"""Seconds that anything may take; it takes far less than a tenth of them."""

PAUSE: Final = 0.05
"""Seconds between two looks at what is waited for."""


class Process:
    """A program that can be started more than once, and killed.

    Attributes:
        log_path: where everything goes that it prints, from all of its starts.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        ends_by: str = "KILL",
    ) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._command = [*_ending_with_us(ends_by), *command]
        self._folder = folder
        self._env = {**os.environ, **(env or {})}
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Everything that it printed."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it, and do not wait until it is ready."""
        assert not self.is_running
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
                group=None if self._user is None else getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
            )

    def wait_until(self, claim: Callable[[], bool]) -> None:
        """Wait until a claim is true. An error, with the log, if the program ends."""
        deadline = time.monotonic() + DEADLINE
        while not claim():
            if not self.is_running:
                raise ChildProcessError(f"{self.name} has ended:\n{self.log()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is late:\n{self.log()}")
            time.sleep(PAUSE)

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until a claim is true, while the tasks of the test go on."""
        await asyncio.to_thread(self.wait_until, claim)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until it has ended, and give its exit status."""
        assert self._process is not None
        try:
            return self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired as error:
            error.add_note(f"{self.name} printed:\n{self.log()}")
            raise

    def kill(self) -> None:
        """Kill it, and all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def find_program(name: str, package: str, *folders: Path) -> str:
    """Find a program. Without it the test is skipped, or fails where CI is set."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, folders)]
    command = which(name, path=os.pathsep.join(places))
    if command is not None:
        return command
    reason = f"{name} is not installed (on Debian: apt-get install {package})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _ending_with_us(number: str) -> list[str]:
    """Have Linux end what we start by a signal, when we are killed ourselves."""
    setpriv = which("setpriv")
    return [] if setpriv is None else [setpriv, f"--pdeathsig={number}", "--"]
