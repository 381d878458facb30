"""The two commands that a newcomer types."""

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from programs import DEFAULT_PORT, free_port, request, running
from repository import ROOT, files_of_the_tree

README = (ROOT / "README.md").read_text("utf-8")


def commands() -> list[str]:
    """The blocks marked `sh` below the heading."""
    section = README.split("\n## Quick start\n")[1].split("\n## ")[0]
    return [part.split("```")[0] for part in section.split("```sh\n")[1:]]


@pytest.mark.parametrize("number", [1, 2])
def test_a_command_is_one_line_for_a_plain_user(number: int) -> None:
    command = commands()[number - 1]
    assert command.count("\n") == 1
    assert "python3 -m venv .venv && " in command
    assert "sudo" not in command


@pytest.mark.parametrize("number", [1, 2])
def test_the_commands_that_are_run_are_those_of_the_readme(number: int) -> None:
    command = [str(ROOT / ".ci" / "quick-start"), str(number)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)
    assert printed.stdout == commands()[number - 1]


def test_the_run_of_all_checks_takes_its_command_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "command=$(.ci/quick-start 2)" in script
    assert 'sh -c "$command"' in script


@pytest.mark.timeout(300)
def test_the_first_command_serves_the_demo_from_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for path in files_of_the_tree():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, clone / path)
    # The ports that the demo has unless told otherwise, if no other program has them.
    are_free = is_free(DEFAULT_PORT) and is_free(DEFAULT_PORT + 1)
    port = DEFAULT_PORT if are_free else free_port()
    other_port = port + 1 if are_free else free_port()
    with running(
        *("sh", "-c", commands()[0]),
        port=port,
        env={"PORT": str(port), "OTHER_PORT": str(other_port)},
        cwd=clone,
        number=signal.SIGINT,
        start_within=240,
    ):
        page = request(port, "GET", "/")
    assert page.status == 200
    assert b" bareASGI demo</title>" in page.body
    assert f"<http://127.0.0.1:{DEFAULT_PORT}/>" in README


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
