"""Every Python block in the README files and guides is a program that runs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from programs import DEFAULT_PORT, free_port, on_port, request, running
from repository import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("packages/*/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]


class Block(NamedTuple):
    """A fenced block: where it stands and what is in it."""

    place: str
    text: str


def blocks(language: str) -> list[Block]:
    """All blocks of a language, in all documents."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found: list[Block] = []
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        for match in fence.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(f"{path.relative_to(ROOT)}:{line}", match[1]))
    return found


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.place)
def test_a_python_block_runs(block: Block, tmp_path: Path) -> None:
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(on_port(block.text, port), "utf-8")
    if f":{DEFAULT_PORT}" not in block.text:
        subprocess.run(
            [sys.executable, str(program)], cwd=tmp_path, check=True, timeout=30
        )
        return
    literal_paths = re.findall(r"""["'](/[\w/.-]*)["']""", block.text)
    with running(sys.executable, str(program), port=port, cwd=tmp_path):
        for path in literal_paths:
            accepted = {"accept": "application/json"}
            assert request(port, "GET", path, headers=accepted).status == 200, path
