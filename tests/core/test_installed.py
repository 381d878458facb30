"""What the tests import is the wheel of this tree, and the whole of it."""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

import bareasgi

PACKAGE = Path(__file__).parents[2] / "packages" / "core"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_installed_version_is_that_of_this_tree() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    assert distribution("bareasgi").version == project["version"]


def test_the_installed_files_are_those_of_this_tree() -> None:
    assert bareasgi.__file__ is not None
    installed = Path(bareasgi.__file__).parent
    assert installed != PACKAGE / "src" / "bareasgi"
    assert files(installed) == files(PACKAGE / "src" / "bareasgi")


def test_the_wheel_brings_its_licence_and_says_that_it_is_typed() -> None:
    names = {path.name for path in distribution("bareasgi").files or []}
    assert {"LICENSE", "py.typed"} <= names
