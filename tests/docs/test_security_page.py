"""Each promise of the security page is held by tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from repository import ROOT

PAGE: Final = (ROOT / "docs/security.md").read_text("utf-8")
SHORT: Final = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED: Final = re.compile(r"`(tests/[\w/.-]+\.py)(?:::(\w+))?`")
DESIGN: Final = sorted(ROOT.glob("docs/design/*.md"))


def promises() -> dict[str, str]:
    """What stands below each heading of the third level, by the heading."""
    parts = re.split(r"^### (.+)$", PAGE, flags=re.MULTILINE)[1:]
    texts = [text.split("\n## ")[0] for text in parts[1::2]]
    return dict(zip(parts[::2], texts, strict=True))


@cache
def names_of_tests(path: Path) -> set[str]:
    """The names of the test functions in a file."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    body = ast.parse(path.read_bytes()).body
    names = {each.name for each in body if isinstance(each, functions)}
    return {name for name in names if name.startswith("test_")}


def missing(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    return [
        f"{file}::{name}" if name else file
        for file, name in NAMED.findall(text)
        if not (ROOT / file).is_file()
        or (name and name not in names_of_tests(ROOT / file))
    ]


@pytest.mark.parametrize(("promise", "text"), promises().items(), ids=promises().keys())
def test_a_promise_names_tests_and_they_exist(promise: str, text: str) -> None:
    named = [name for _, name in NAMED.findall(text) if name]
    assert named, promise
    assert len(named) == len(set(named)) == text.count("\n- ")
    assert missing(text) == []


def test_no_promise_of_the_short_page_is_left_out() -> None:
    # A bold sentence begins a promise. If this fails, docs/security.md wants a section.
    short = re.findall(r"^\*\*([^*]+?)\.?\*\*", SHORT, re.MULTILINE)
    begun = [" ".join(each.split()) for each in short]
    assert begun
    assert [each for each in begun if not is_told(each)] == []


def is_told(promise: str) -> bool:
    """Whether a section has the promise as its heading."""
    return any(
        promise.startswith(heading) or heading.startswith(promise)
        for heading in promises()
    )


@pytest.mark.parametrize("page", DESIGN, ids=lambda page: page.stem)
def test_the_tests_that_a_page_of_the_design_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    assert missing(text) == []
    contract = names_of_tests(ROOT / "tests/contract/test_contract.py")
    assert [
        name for name in re.findall(r"`(test_\w+)`", text) if name not in contract
    ] == []


def test_a_name_of_no_test_is_found() -> None:
    here = "tests/docs/test_security_page.py"
    assert missing(f"`{here}` `{here}::test_a_name_of_no_test_is_found`") == []
    wrong = [f"{here}::test_no_such_thing", f"{here}::missing", "tests/docs/test_no.py"]
    assert missing(" ".join(f"`{each}`" for each in wrong)) == wrong
