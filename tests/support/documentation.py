"""Builds the site of the documentation, as `nox -s docs` does, in another folder."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from repository import ROOT


class Built(NamedTuple):
    """Where the site is, and what was printed while it was built."""

    folder: Path
    printed: str


def build_site(root: Path) -> Built:
    """Build it strictly, with a network on which nobody answers.

    Without zensical the test is skipped, or fails where CI is set.
    """
    if importlib.util.find_spec("zensical") is None:
        reason = "zensical is not installed: `nox -s docs` has it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    shutil.copy(ROOT / "mkdocs.yml", root)
    shutil.copytree(ROOT / "docs", root / "docs")
    (root / "packages").symlink_to(ROOT / "packages")
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=root,
        env={**os.environ, **nowhere, "PYTHONPATH": str(ROOT / ".ci")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    printed = re.sub("\x1b\\[[0-9;]*m", "", built.stdout.decode())
    assert built.returncode == 0, printed
    return Built(root / "build" / "site", printed)
