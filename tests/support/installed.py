"""What a package is made of, in this tree and where it is installed."""

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from repository import ROOT


class Installed:
    """A package of this tree, by its folder below `packages`.

    Attributes:
        name: the distribution's.
        module: what is imported.
    """

    def __init__(self, folder: str) -> None:
        self._folder: Final[Path] = ROOT / "packages" / folder
        text = (self._folder / "pyproject.toml").read_text("utf-8")
        self._project: Final = tomllib.loads(text)["project"]
        self.name: Final[str] = self._project["name"]
        self.module: Final[str] = self._source.name

    @property
    def _source(self) -> Path:
        return next(self._folder.glob("src/*/__init__.py")).parent

    def check_version(self) -> None:
        """Both this package and the core have the version of this tree."""
        for name in {self.name, "bareasgi"}:
            assert distribution(name).version == self._project["version"], name

    def check_files(self) -> None:
        """Every file of the source is installed as it is, and none beside them."""
        spec = find_spec(self.module)
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent
        assert installed != self._source
        assert _files(installed) == _files(self._source)

    def check_wheel(self) -> None:
        """The licence came with it, and the mark of a typed package."""
        names = {path.name for path in distribution(self.name).files or []}
        assert {"LICENSE", "py.typed"} <= names

    def check_imports(self, *brought: str) -> None:
        """Importing loads this package, the core, what they brought, and no more."""
        program = (
            f"import sys, {self.module}\n"
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
        known = {self.module, "bareasgi", *brought}
        assert found - {"sitecustomize"} <= known


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
