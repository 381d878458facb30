"""Programs with right types check, and programs with wrong types do not.

Both checkers read each folder once. In `must_fail` a comment says which error each line
must give: `# E: mypy[arg-type] pyright[reportArgumentType]`, at the end of the line or
alone on the line before. There may be no other error.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from repository import ROOT

HERE = Path(__file__).parent
CHECKERS = ["mypy", "pyright"]
MARK = "# E: "


class Error(NamedTuple):
    """What a checker says of a line."""

    file: str
    line: int
    code: str


def run_mypy() -> Iterator[tuple[Error, str]]:
    command = [sys.executable, "-m", "mypy", "--output=json", "--no-incremental"]
    completed = subprocess.run(
        [*command, str(HERE / "must_pass"), str(HERE / "must_fail")],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert completed.stderr == ""
    for line in completed.stdout.splitlines():
        if line.startswith("{"):
            error = json.loads(line)
            if error["severity"] == "error":
                where = Path(error["file"]).name, error["line"]
                yield Error(*where, error["code"]), error["message"]


def run_pyright() -> Iterator[tuple[Error, str]]:
    command = [sys.executable, "-m", "pyright", "--outputjson"]
    completed = subprocess.run(
        [*command, "--pythonpath", sys.executable, "--project", str(ROOT), str(HERE)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for error in json.loads(completed.stdout)["generalDiagnostics"]:
        where = Path(error["file"]).name, error["range"]["start"]["line"] + 1
        yield Error(*where, error.get("rule", "syntax")), error["message"]


@cache
def errors_of(checker: str) -> dict[Error, str]:
    """Run a checker once, and give all its errors with their messages."""
    return dict({"mypy": run_mypy, "pyright": run_pyright}[checker]())


def expected(path: Path, checker: str) -> Iterator[Error]:
    """Give the errors that the comments of a file announce."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        code, mark, comment = line.partition(MARK)
        if mark:
            where = number if code.strip() else number + 1
            for found in re.findall(rf"{checker}\[([\w,-]+)\]", comment):
                for name in found.split(","):
                    yield Error(path.name, where, name)


def found(path: Path, checker: str) -> dict[Error, str]:
    return {
        error: message
        for error, message in errors_of(checker).items()
        if error.file == path.name
    }


@pytest.mark.timeout(180)
@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize(
    "path", sorted(HERE.glob("must_pass/*.py")), ids=lambda path: path.stem
)
def test_a_program_with_right_types_checks(path: Path, checker: str) -> None:
    assert found(path, checker) == {}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize(
    "path", sorted(HERE.glob("must_fail/*.py")), ids=lambda path: path.stem
)
def test_each_wrong_line_gives_the_error_it_announces(path: Path, checker: str) -> None:
    errors = found(path, checker)
    wanted = sorted(expected(path, checker))
    assert wanted
    assert sorted(errors) == wanted, errors


@pytest.mark.parametrize(
    "path", sorted(HERE.glob("must_fail/*.py")), ids=lambda path: path.stem
)
def test_each_announced_error_is_expected_of_both_checkers(path: Path) -> None:
    lines = {
        checker: {error.line for error in expected(path, checker)}
        for checker in CHECKERS
    }
    assert lines["mypy"] == lines["pyright"]


def test_the_files_have_names_of_their_own() -> None:
    # A checker knows a script by its name alone.
    names = [path.name for path in HERE.glob("must_*/*.py")]
    assert len(names) == len(set(names))
