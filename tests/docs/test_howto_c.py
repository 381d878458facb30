"""The page about releases is right, and so are the forms for those who contribute."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from guides import blocks_of
from howto import library
from packaging.requirements import Requirement
from repository import ROOT

RELEASES: Final = ROOT / "docs" / "releases.md"
FORMS: Final = ROOT / ".github" / "ISSUE_TEMPLATE"
PACKAGES: Final = {
    path: tomllib.loads(path.read_text("utf-8"))["project"]
    for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
}
CORE: Final = PACKAGES[ROOT / "packages" / "core" / "pyproject.toml"]


# Releases


def test_all_packages_have_one_version() -> None:
    assert len({project["version"] for project in PACKAGES.values()}) == 1


def test_packages_ask_for_each_other_in_one_major_version() -> None:
    major = int(CORE["version"].partition(".")[0])
    names = {project["name"] for project in PACKAGES.values()}
    asked = [
        requirement
        for project in PACKAGES.values()
        for text in (
            *project["dependencies"],
            *(
                each
                for extra in project.get("optional-dependencies", {}).values()
                for each in extra
            ),
        )
        for requirement in [Requirement(text)]
        if requirement.name in names and not requirement.extras
    ]
    assert len(asked) >= len(PACKAGES) - 1
    for requirement in asked:
        assert requirement.specifier.contains(CORE["version"]), requirement
        assert not requirement.specifier.contains(f"{major - 1}.99"), requirement
        assert not requirement.specifier.contains(f"{major + 1}.0"), requirement


def test_the_requirement_of_the_page_is_one_that_the_core_fulfils() -> None:
    (text,) = [each.text for each in blocks_of(RELEASES) if each.title is not None]
    requirement = Requirement(text.strip())
    assert requirement.name == CORE["name"]
    assert requirement.extras <= set(CORE["optional-dependencies"])
    assert requirement.specifier.contains(CORE["version"])


def test_the_command_for_a_new_version_changes_that_and_nothing_else(
    tmp_path: Path,
) -> None:
    for path in PACKAGES:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        shutil.copy(path, copy)
    (lines,) = [each.text for each in blocks_of(RELEASES) if "sed -i" in each.text]
    subprocess.run(["sh", "-ec", lines], cwd=tmp_path, check=True)
    for path, project in PACKAGES.items():
        copy = tmp_path / path.relative_to(ROOT)
        older = f'\nversion = "{project["version"]}"\n'
        newer = '\nversion = "6.1.0"\n'
        expected = path.read_text("utf-8").replace(older, newer)
        assert copy.read_text("utf-8") == expected
        assert newer in expected
        assert [each.name for each in copy.parent.iterdir()] == [copy.name]


def test_the_newest_part_of_the_changelog_has_every_package() -> None:
    newest = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1]
    assert newest.startswith(f"{CORE['version']} - ")
    headings = re.findall(r"^### (\S+)$", newest, re.MULTILINE)
    assert sorted(headings) == sorted(each["name"] for each in PACKAGES.values())


def test_every_session_that_is_named_is_one() -> None:
    source = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = re.findall(
        r"^@nox\.session.*?^def (\w+)\(", source, re.MULTILINE | re.DOTALL
    )
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"\bnox -s \"?(\w+)", page.read_text("utf-8"))
    }
    assert "wheels" in named
    assert named <= set(sessions)


# Forms


@pytest.fixture
def bug_report() -> dict[str, Any]:
    text = (FORMS / "bug_report.yml").read_text("utf-8")
    form: dict[str, Any] = library("yaml").safe_load(text)
    return form


def test_the_form_for_bugs_is_one_that_github_takes(
    bug_report: dict[str, Any],
) -> None:
    assert set(bug_report) == {"name", "description", "labels", "body"}
    kinds = {"markdown": {"value"}, "textarea": {"label"}, "dropdown": {"label"}}
    names: list[str] = []
    for field in bug_report["body"]:
        assert kinds[field["type"]] <= set(field["attributes"])
        if field["type"] == "markdown":
            assert "id" not in field
            continue
        names.append(field["id"])
        options = field["attributes"].get("options", [])
        assert all(isinstance(option, str) for option in options)
        assert len(options) == len(set(options))
    assert len(names) == len(set(names)) > 0


def test_the_program_that_the_form_begins_with_runs(
    bug_report: dict[str, Any],
) -> None:
    (program,) = [
        field["attributes"]["value"]
        for field in bug_report["body"]
        if field["attributes"].get("render") == "python"
    ]
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_settings_of_the_forms_are_those_that_github_knows() -> None:
    settings = library("yaml").safe_load((FORMS / "config.yml").read_text("utf-8"))
    assert set(settings) == {"blank_issues_enabled", "contact_links"}
    for link in settings["contact_links"]:
        assert set(link) == {"name", "url", "about"}
        assert link["url"].startswith("https://")


def test_the_code_of_conduct_is_taken_over_by_reference() -> None:
    text = (ROOT / "CODE_OF_CONDUCT.md").read_text("utf-8")
    assert "https://www.contributor-covenant.org/version/2/1/code_of_conduct/" in text
    assert "in private" in text
    assert "in private" in (ROOT / "SECURITY.md").read_text("utf-8")
