"""What the tests import is the wheel of this tree, and the whole of it."""

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import bareasgi_graphql

PACKAGE = Path(__file__).parents[2] / "packages" / "graphql"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_installed_versions_are_those_of_this_tree() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    assert distribution("bareasgi-graphql").version == project["version"]
    assert distribution("bareasgi").version == project["version"]


def test_the_installed_files_are_those_of_this_tree() -> None:
    assert bareasgi_graphql.__file__ is not None
    installed = Path(bareasgi_graphql.__file__).parent
    assert installed != PACKAGE / "src" / "bareasgi_graphql"
    assert files(installed) == files(PACKAGE / "src" / "bareasgi_graphql")


def test_the_wheel_brings_its_licence_and_says_that_it_is_typed() -> None:
    names = {path.name for path in distribution("bareasgi-graphql").files or []}
    assert {"LICENSE", "py.typed"} <= names


def test_importing_loads_only_what_is_declared() -> None:
    program = (
        "import sys, bareasgi_graphql\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted(roots - sys.stdlib_module_names))"
    )
    printed = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", program],
        check=True,
        capture_output=True,
        text=True,
    )
    found = {name for name in printed.stdout.split() if not name.startswith("_")}
    assert found - {"sitecustomize"} <= {
        "bareasgi",
        "bareasgi_graphql",
        "bareutils",
        "graphql",
        "multipart",
    }
