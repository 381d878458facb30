"""The tutorial is typed as a reader does, step by step, into an empty folder."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from guides import Reader, blocks_of
from programs import free_port, running
from repository import ROOT
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

# The first test waits until everything is typed.
pytestmark = pytest.mark.timeout(300)

PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
NOTE = json.dumps({"author": "Ada", "text": "Is anybody here?"})


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory, port: int) -> Path:
    """The folder, when all of it was typed and everything was as the pages say."""
    if shutil.which("curl") is None:
        reason = "curl is not installed (on Debian: apt-get install curl)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tutorial")
    reader = Reader(folder, port)
    reader.follow(block for page in PAGES for block in blocks_of(page))
    return folder


def test_the_tutorial_does_what_it_says(typed: Path) -> None:
    files = {path.name for path in typed.iterdir()}
    assert {"board.py", "serve.py", "test_board.py"} <= files


def test_its_last_program_joins_browsers_and_ends_while_they_stay(
    typed: Path, port: int
) -> None:
    address = f"ws://127.0.0.1:{port}/rooms/coffee/chat"
    command = [sys.executable, "serve.py"]
    with ExitStack() as server:
        env = {"BOARD_FILE": "other.json"}
        server.enter_context(running(*command, port=port, cwd=typed, env=env))
        with connect(address) as ada, connect(address) as grace:
            ada.send(NOTE)
            for client in (ada, grace):
                heard = json.loads(client.recv(timeout=10))
                assert heard == {"id": 1, **json.loads(NOTE)}
            server.close()
            for client in (ada, grace):
                with pytest.raises(ConnectionClosed):
                    client.recv(timeout=10)
                assert client.close_code == 1001
    assert "Is anybody here?" in (typed / "other.json").read_text("utf-8")


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_its_files_pass_a_type_checker_in_the_strict_mode(
    typed: Path, checker: str
) -> None:
    if find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    # hypercorn's own type for WSGI has a bare `dict` in it.
    settings = {"typeCheckingMode": "strict", "reportUnknownVariableType": False}
    (typed / "pyrightconfig.json").write_text(json.dumps(settings))
    command = {
        "mypy": ["mypy", "--strict", "--no-incremental", "."],
        "pyright": ["pyright", f"--pythonpath={sys.executable}", "."],
    }
    checked = subprocess.run(
        [sys.executable, "-m", *command[checker]],
        cwd=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
