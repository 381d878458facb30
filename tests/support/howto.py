"""Takes blocks out of the how-to pages, and finds the programs that they speak of."""

import os
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from guides import Block, blocks_of
from repository import ROOT

PAGES: Final = ROOT / "docs" / "howto"


def blocks(page: str, language: str) -> list[Block]:
    """The blocks of a page in a language, in order."""
    return [each for each in blocks_of(PAGES / page) if each.language == language]


def file(page: str, title: str, language: str | None = None) -> str:
    """The one block of a page with a title, and in a language if that is given."""
    (found,) = [
        each
        for each in blocks_of(PAGES / page)
        if each.title == title and language in {None, each.language}
    ]
    return found.text


def command(page: str, opening: str) -> str:
    """The one line of the `sh` blocks of a page that begins so."""
    lines = [line for each in blocks(page, "sh") for line in each.text.splitlines()]
    (found,) = [line for line in lines if line.startswith(opening)]
    return found


def transcript(block: Block) -> list[tuple[str, str]]:
    """The commands of a `console` block, each with what it prints."""
    nothing, *parts = block.text.split("$ ")
    assert not nothing, block.place
    pairs = [part.split("\n", 1) for part in parts]
    return [(typed, printed) for typed, printed in pairs]


def changed(text: str, changes: Mapping[str, object]) -> str:
    """A text with other ports and folders than it has. Each of them must be in it."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, str(new))
    return text


def placed(text: str, places: Mapping[str, str]) -> str:
    """A text with other ports and folders, where it names them."""
    for old, new in places.items():
        text = text.replace(old, new)
    return text


def library(name: str) -> ModuleType:
    """A module of the group `server-tests`. Without it the test is skipped.

    It fails instead where CI is set.
    """
    try:
        return import_module(name)
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{name} is not installed")


def tool(name: str) -> str:
    """Where a program is. Without it the test is skipped.

    It fails instead where CI is set and the checks are to install the program first.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is not None:
        return found
    reason = f"{name} is not installed"
    installed_first = f"command -v {name} " in Path(ROOT, ".ci", "run").read_text()
    if os.environ.get("CI") and installed_first:
        pytest.fail(reason)
    pytest.skip(reason)
