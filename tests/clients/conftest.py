"""Node, and the programs of this folder beside the packages that they import."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def node() -> str:
    """The command. Without it the test is skipped, or fails where CI is set."""
    return shutil.which("node") or _missing(
        "Node is not installed (on Debian: apt-get install nodejs npm)"
    )


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs, and with the packages and the manifest they read."""
    packages = Path(os.environ.get("NODE_PACKAGES", ""), "node_modules")
    if not packages.is_absolute() or not packages.is_dir():
        _missing("the npm packages are not installed: `nox -s clients` does that")
    folder = tmp_path_factory.mktemp("programs")
    folder.joinpath("node_modules").symlink_to(packages)
    for program in Path(__file__).parent.glob("*.mjs"):
        shutil.copy(program, folder)
    documents = Path(__file__).with_name("documents")
    command = (sys.executable, "-m", "bareasgi_graphql", "documents", str(documents))
    manifest = str(folder / "manifest.json")
    subprocess.run((*command, "--output", manifest), check=True)
    return folder


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
