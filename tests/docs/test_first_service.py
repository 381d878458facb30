"""The README's guide, typed into an empty folder as a newcomer types it."""

import http.client
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from programs import free_port, running
from repository import ROOT, files_of_the_tree

GUIDE = (
    (ROOT / "README.md")
    .read_text("utf-8")
    .split("\n## Your first service\n")[1]
    .split("\n## ")[0]
)
PORT = "127.0.0.1:8080"


class Typed(NamedTuple):
    """A folder after everything was typed, but for the command that serves."""

    folder: Path
    said: str
    serve: str


def blocks(opening: str) -> list[tuple[str, str]]:
    """What follows the opening in its line, and what is in the block."""
    return re.findall(
        rf"^```{opening}([^\n]*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
    )


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    beside = tmp_path_factory.mktemp("guide")
    for path in files_of_the_tree():
        if path.parts[0] == "packages":
            (beside / "bareasgi" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, beside / "bareasgi" / path)
    (_, prepare), (_, check) = blocks("sh")
    run("set -e\n" + prepare, beside)
    folder = beside / "thermometer"
    for name, text in blocks("python title="):
        (folder / name.strip('"')).write_text(text, "utf-8")
    test, serve = check.splitlines()
    return Typed(folder, run(test, folder), serve)


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(typed: Typed) -> Iterator[str]:
    """Give where the service answers, since the guide's port may be taken here."""
    port = free_port()
    text = (typed.folder / "service.py").read_text("utf-8")
    assert PORT in text
    moved = typed.folder / f"service_{port}.py"
    moved.write_text(text.replace(PORT, f"127.0.0.1:{port}"), "utf-8")
    command = typed.serve.replace("service.py", moved.name)
    with running("sh", "-c", f"exec {command}", port=port, cwd=typed.folder):
        yield f"127.0.0.1:{port}"


@pytest.mark.timeout(300)
def test_the_tests_of_the_guide_pass(typed: Typed) -> None:
    said = re.search(r"The first says `(.*?)`", GUIDE)
    assert said is not None
    assert said[1] in typed.said


def test_what_curl_is_shown_to_print_it_prints(typed: Typed) -> None:
    ((_, console),) = blocks("console")
    typed_lines = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    with serving(typed) as address:
        for command, *expected in map(str.splitlines, typed_lines):
            check(command.replace(PORT, address), expected)


def check(command: str, expected: list[str]) -> None:
    # A stream does not end by itself.
    limited = command.replace("curl -N", "curl -N --max-time 2", 1)
    printed = subprocess.run(
        ["sh", "-c", limited], capture_output=True, text=True, check=False, timeout=30
    ).stdout
    for line in expected:
        assert line.removesuffix("...") in printed, f"{command} printed: {printed}"


def test_the_service_ends_though_somebody_reads_its_stream(typed: Typed) -> None:
    with serving(typed) as address:
        reader = http.client.HTTPConnection(address, timeout=10)
        reader.request("GET", "/measurements")
        response = reader.getresponse()
        assert response.read(6) == b"data: "
    response.close()
    reader.close()
