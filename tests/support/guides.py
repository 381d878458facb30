"""Reads the fenced blocks of a page, and types a whole guide as its reader would."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from programs import DEFAULT_PORT, on_port, running
from repository import ROOT

# What a reader types for a good reason, and the tests have already.
PREPARATIONS: Final = (
    "python -m venv ",
    "python3 -m venv ",
    ". .venv/bin/activate",
    "python -m pip install ",
)

_FENCE: Final = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w-]*)(?P<info>[^\n`]*)\n"
    r"(?P<text>.*?)^(?P=indent)(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)

# Three dots: more of them are the dots of a run of tests.
_ANYTHING: Final = re.compile(r"(?<!\.)\.\.\.(?!\.)")


class Block(NamedTuple):
    """A fenced block: where it stands, what it is called, and what is in it."""

    place: str
    language: str
    title: str | None
    text: str


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page, in order. A title is the name of a file: title="app.py"."""
    text = page.read_text("utf-8")
    where = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        title = re.search(r'title="([^"]*)"', match["info"])
        lines = match["text"].splitlines(keepends=True)
        found.append(
            Block(
                f"{where}:{line}",
                match["language"],
                title and title[1],
                "".join(each.removeprefix(match["indent"]) for each in lines),
            )
        )
    return found


def write_file(folder: Path, name: str, text: str, port: int) -> Path:
    """Save a file of a guide, on another port than the one it names."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is outside of the reader's folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(on_port(text, port), "utf-8")
    return path


class Reader:
    """Types what a guide says into a folder, literally, and looks at what is printed.

    A block with a title is a file, and is saved. The lines of a `sh` block are typed,
    and must not fail. In a `console` block what follows `$ ` is typed, and the lines
    below are what must be printed; `...` in them stands for anything. `python` with a
    program that has `:9009` in it is a server: it is left running until the next one is
    started, or until `^C`. What sets up an environment is left out: there is one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._server = ExitStack()
        bin_folder = str(Path(sys.executable).parent)
        path = os.pathsep.join([bin_folder, os.environ.get("PATH", "")])
        # curl shows its progress only to whoever does not see what it gets.
        settings = folder.with_name(f"{folder.name}-settings")
        settings.mkdir()
        (settings / ".curlrc").write_text("no-progress-meter\n")
        self._env = {**os.environ, "PATH": path, "CURL_HOME": str(settings)}

    def follow(self, blocks: Iterable[Block]) -> None:
        """Do what the blocks say, in order, and stop the last server."""
        with self._server:
            for block in blocks:
                try:
                    self._follow(block)
                except BaseException as error:
                    error.add_note(f"typed from {block.place}")
                    raise

    def _follow(self, block: Block) -> None:
        if block.title is not None:
            write_file(self._folder, block.title, block.text, self._port)
        elif block.language == "sh":
            for command in block.text.replace("\\\n", "").splitlines():
                self._type(command)
        elif block.language == "console":
            parts = re.split(r"^(\$ .*|\^C)\n", block.text, flags=re.MULTILINE)
            if parts[0]:
                raise ValueError(f"a console begins with '$ ', not {parts[0]!r}")
            for command, expected in zip(parts[1::2], parts[2::2], strict=True):
                self._type(command.removeprefix("$ "), expected)

    def _type(self, command: str, expected: str | None = None) -> None:
        if command == "^C":
            self._server.close()
        elif command.startswith(PREPARATIONS):
            pass
        elif self._is_server(command):
            self._server.close()
            started = running(
                *shlex.split(command),
                port=self._port,
                env=self._env,
                cwd=self._folder,
                number=signal.SIGINT,
            )
            self._server.enter_context(started)
        else:
            self._run(command, expected)

    def _is_server(self, command: str) -> bool:
        match shlex.split(command):
            case ["python", program]:
                text = (self._folder / program).read_text("utf-8")
                return f":{self._port}" in text
            case _:
                return False

    def _run(self, command: str, expected: str | None) -> None:
        ended = subprocess.run(
            ["sh", "-c", on_port(command, self._port)],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        printed = ended.stdout.decode().replace(f":{self._port}", f":{DEFAULT_PORT}")
        if expected is None:
            assert ended.returncode == 0, f"{command}\n{printed}"
            return
        parts = _ANYTHING.split(expected.rstrip())
        pattern = "(?s:.*)".join(map(re.escape, parts))
        assert re.fullmatch(pattern, printed.replace("\r\n", "\n").rstrip()), (
            f"{command}\nprinted:\n{printed}\nand not:\n{expected}"
        )
