"""Every Python block in the README files and guides is a program that runs.

A block with a title, ```python title="app.py", is a file. It runs under this name, and
the blocks after it on the same page find it beside them: what a page shows step by step
can import what came before. `test_*.py` is run by pytest. Files in other languages are
saved too, and not run. Two guides are typed as a whole instead, commands and all: the
files of the README by test_first_service.py, and the tutorial by test_tutorial.py.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from guides import Block, blocks_of, write_file
from programs import DEFAULT_PORT, free_port, request, running
from repository import ROOT

README = ROOT / "README.md"
DOCUMENTS = [
    README,
    *sorted(ROOT.glob("packages/*/README.md")),
    *(
        path
        for path in sorted(ROOT.glob("docs/**/*.md"))
        if path.parent.name != "tutorial"
    ),
]


class Program(NamedTuple):
    """A Python block, and the files that came before it on its page."""

    block: Block
    files: list[Block]


def programs() -> list[Program]:
    found: list[Program] = []
    for path in DOCUMENTS:
        files: list[Block] = []
        for block in blocks_of(path):
            if block.language == "python" and not (path == README and block.title):
                found.append(Program(block, [*files]))
            if block.title is not None:
                files.append(block)
    return found


@pytest.mark.parametrize("program", programs(), ids=lambda each: each.block.place)
def test_a_python_block_runs(program: Program, tmp_path: Path) -> None:
    port = free_port()
    for file in program.files:
        write_file(tmp_path, file.title or "", file.text, port)
    name, text = program.block.title or "program.py", program.block.text
    path = write_file(tmp_path, name, text, port)
    if path.name.startswith("test_"):
        # Not by the settings of this repository: the reader has none of them.
        own = ["-q", f"--rootdir={tmp_path}", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *own, name]
    else:
        command = [sys.executable, name]
    if f":{DEFAULT_PORT}" not in text:
        subprocess.run(command, cwd=tmp_path, check=True, timeout=30)
        return
    literal_paths = re.findall(r"""["'](/[\w/.-]*)["']""", text)
    with running(*command, port=port, cwd=tmp_path):
        for path in literal_paths:
            accepted = {"accept": "application/json"}
            assert request(port, "GET", path, headers=accepted).status == 200, path
