"""`python -m bareasgi_graphql documents`, called as a program and as a function."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import pytest

from bareasgi_graphql import __main__ as program
from bareasgi_graphql.trusted import load_documents, manifest

Run: TypeAlias = Callable[..., tuple[int, str]]

TEXT = "query Greetings {\n  a\n}\n# ü\n"
HASH = sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the program, and gives its status and what it told."""

    def call(*arguments: str | Path) -> tuple[int, str]:
        status = program.main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert captured.out == ""
        return status, captured.err

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "greetings.graphql").write_bytes(TEXT.encode())
    return folder


def test_the_manifest_is_written_into_the_folder(run: Run, folder: Path) -> None:
    file = folder / "manifest.json"
    assert run("documents", folder) == (0, f"1 documents were written to {file}\n")
    text = file.read_bytes().decode()
    assert text.startswith('{\n  "format": "apollo-persisted-query-manifest",\n')
    assert text.endswith("}\n")
    assert "# ü" in text
    assert json.loads(text) == manifest(load_documents(folder))
    assert [*load_documents(file)] == [HASH]
    # It is no document, so that the command may be run again.
    assert run("documents", folder)[0] == 0
    assert file.read_bytes().decode() == text


def test_the_manifest_is_written_where_it_is_wanted(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "elsewhere.json"
    status, told = run("documents", folder, "--output", file)
    assert (status, told) == (0, f"1 documents were written to {file}\n")
    assert [*load_documents(file)] == [HASH]
    assert [path.name for path in folder.iterdir()] == ["greetings.graphql"]
    status, told = run("documents", folder, "--check", "--output", file)
    assert (status, told) == (0, f"1 documents are as in {file}\n")


def test_a_check_tells_what_differs_and_writes_nothing(run: Run, folder: Path) -> None:
    file = folder / "manifest.json"
    run("documents", folder)
    before = file.read_bytes()
    (folder / "greetings.graphql").rename(folder / "hello.graphql")
    assert run("documents", folder, "--check")[0] == 0
    (folder / "hello.graphql").write_text("{ hello }")
    status, told = run("documents", folder, "--check")
    assert status == 1
    assert told.splitlines() == [
        f"{folder}/hello.graphql: is not in {file}",
        f"{file}({HASH}): is not in the folder",
    ]
    assert file.read_bytes() == before


def test_a_check_without_a_manifest_fails(run: Run, folder: Path) -> None:
    file = folder / "manifest.json"
    assert run("documents", folder, "--check") == (
        1,
        f"{file}: cannot be read: No such file or directory\n",
    )
    assert not file.exists()


def test_a_wrong_document_is_told_by_file_and_line(run: Run, folder: Path) -> None:
    (folder / "wrong.gql").write_text("{\n  a(}")
    assert run("documents", folder) == (
        1,
        f"{folder}/wrong.gql:2:5: Syntax Error: Expected Name, found '}}'.\n",
    )
    assert not (folder / "manifest.json").exists()


def test_a_manifest_that_cannot_be_written_is_told(run: Run, folder: Path) -> None:
    file = folder / "missing" / "manifest.json"
    status, told = run("documents", folder, "--output", file)
    assert status == 1
    assert str(file) in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["documents"], "required: FOLDER"),
        (["documents", "missing"], "there is no folder 'missing'"),
        (["publish"], "invalid choice: 'publish'"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(["documents", "--help"])
    assert caught.value.code == 0
    help_text = " ".join(capsys.readouterr().out.split())
    assert "python -m bareasgi_graphql documents" in help_text
    assert "default: manifest.json in the folder" in help_text


def test_it_is_a_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bareasgi_graphql", "documents", str(folder)])
    monkeypatch.delitem(sys.modules, "bareasgi_graphql.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("bareasgi_graphql", run_name="__main__")
    assert caught.value.code == 0
    assert "1 documents were written" in capfd.readouterr().err


def test_it_runs_as_a_process_of_its_own(folder: Path) -> None:
    command = [sys.executable, "-m", "bareasgi_graphql", "documents", str(folder)]
    ended = subprocess.run(
        [*command, "--check"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert ended.returncode == 1
    assert ended.stdout == b""
    assert b"cannot be read" in ended.stderr
