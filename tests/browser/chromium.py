"""Headless Chromium, driven by its own debugging protocol over a pair of pipes.

That takes nothing but the browser: messages are JSON, each ended by a NUL byte. A page
is told what to do by JavaScript, as a user would do it, and what is waited for is
looked for in the page, with a deadline.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

DEADLINE: Final = 20.0  # seconds

COMMANDS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)

# Where the browser looks for its two ends of the pipes.
_READ_AT: Final = 3
_WRITE_AT: Final = 4
_FREE: Final = 10
"""File descriptors from here on are neither of these."""


class BrowserError(Exception):
    """The browser refused something, or a script in a page failed."""


def find_chromium() -> str | None:
    """Give the browser's path, or None when the machine has none."""
    return next(filter(None, map(shutil.which, COMMANDS)), None)


class Browser:
    """A running browser: what is sent to it, and what it told."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        self._received = b""
        self._number = 0
        self.events: deque[dict[str, Any]] = deque(maxlen=10_000)

    def call(
        self, method: str, session: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Call a method of the protocol, and give its result."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {
            "id": number,
            "method": method,
            "params": parameters,
        }
        if session is not None:
            message["sessionId"] = session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = self._next(deadline)
            if answer.get("id") == number:
                break
            self.events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._reading], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self._reading, 2**16)
            if not data:
                raise BrowserError("the browser has ended")
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed


class Page:
    """A tab."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def open(self, address: str) -> None:
        """Go to an address. Wait for what should be there with `until`."""
        result = self._call("Page.navigate", url=address)
        if "errorText" in result:
            raise BrowserError(f"{address}: {result['errorText']}")

    def run(self, script: str) -> Any:
        """Give the value of an expression; a promise is waited for."""
        result = self._call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in result:
            raise BrowserError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, claim: str, seconds: float = DEADLINE) -> None:
        """Look until an expression is true, on whichever page there is by then."""
        deadline = time.monotonic() + seconds
        while True:
            # A page that is being replaced can fail a script, or forget it.
            with suppress(BrowserError):
                if self.run(f"!!({claim})"):
                    return
            if time.monotonic() > deadline:
                page = self.run("document.documentElement.outerHTML")
                raise TimeoutError(f"{claim} did not become true in:\n{page}")
            select.select([], [], [], 0.02)

    def complaints(self) -> list[str]:
        """Give what the browser's console says: errors, and refused requests."""
        self.run("0")  # so that everything before has arrived
        found: list[str] = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            given = event["params"]
            match event["method"]:
                case "Log.entryAdded" if given["entry"]["level"] in {
                    "error",
                    "warning",
                }:
                    found.append(str(given["entry"]))
                case "Runtime.exceptionThrown":
                    found.append(str(given["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if given["type"] in {
                    "error",
                    "warning",
                }:
                    found.append(str(given["args"]))
                case _:
                    pass
        return found

    def addresses(self) -> list[str]:
        """Give the address of every request that the page made."""
        self.run("0")
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session
            and event["method"] == "Network.requestWillBeSent"
        ]


@contextmanager
def running_browser(command: str, folder: Path) -> Generator[Browser]:
    """Start a browser with a new profile in the folder, and end it."""
    from_us, to_browser = _pipe()
    from_browser, to_us = _pipe()
    process = os.posix_spawn(
        command,
        [command, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        {**os.environ, "HOME": str(folder)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, from_us, _READ_AT),
            (os.POSIX_SPAWN_DUP2, to_us, _WRITE_AT),
        ],
        setpgroup=0,
    )
    os.close(from_us)
    os.close(to_us)
    browser = Browser(from_browser, to_browser)
    try:
        yield browser
    finally:
        with suppress(BrowserError, TimeoutError, OSError):
            browser.call("Browser.close")
        _end(process)
        os.close(from_browser)
        os.close(to_browser)


def _pipe() -> tuple[int, int]:
    """Make a pipe of descriptors that the browser's own places do not clash with."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FREE) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _end(process: int) -> None:
    """Wait for the browser, and end it and its children if it does not by itself."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if os.waitpid(process, os.WNOHANG)[0]:
            return
        select.select([], [], [], 0.05)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
