"""What the tests import is the wheel of this tree, and the whole of it."""

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import bareclient

PACKAGE = Path(__file__).parents[2] / "packages" / "client"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_installed_versions_are_those_of_this_tree() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    assert distribution("bareclient").version == project["version"]
    assert distribution("bareasgi").version == project["version"]


def test_the_installed_files_are_those_of_this_tree() -> None:
    assert bareclient.__file__ is not None
    installed = Path(bareclient.__file__).parent
    assert installed != PACKAGE / "src" / "bareclient"
    assert files(installed) == files(PACKAGE / "src" / "bareclient")


def test_the_wheel_brings_its_licence_and_says_that_it_is_typed() -> None:
    names = {path.name for path in distribution("bareclient").files or []}
    assert {"LICENSE", "py.typed"} <= names


def test_importing_loads_only_what_is_declared() -> None:
    program = (
        "import sys, bareclient\n"
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
    # What httpcore2 needs, and its extras for asyncio, HTTP/2 and SOCKS.
    brought = {"anyio", "h11", "h2", "hpack", "httpcore2", "hyperframe"}
    brought |= {"socksio", "truststore", "typing_extensions"}
    ours = {"bareasgi", "bareutils", "bareclient", "idna"}
    assert found - {"sitecustomize"} <= {*ours, *brought}


def test_every_public_name_says_what_it_is() -> None:
    for name in bareclient.__all__:
        assert getattr(bareclient, name).__doc__, name
