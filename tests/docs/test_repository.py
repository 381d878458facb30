"""What must not be in the repository, and what must agree in it."""

import re

from repository import ROOT, files_of_the_tree

# Written in two parts, so that this file does not find itself.
FORBIDDEN = {
    "the address of a package index": [
        "--(?:extra-)?index-" + "url",
        "find-" + "links",
        "pypi" + r"\.(?:python\.)?org",
        r"https?://[\w.:-]+/(?:\S*/)?simple" + "/",
    ],
    "a path of one machine": [
        rf"(?<![\w./{{}}]){folder}/\w"
        for folder in ("/" + "root", "/" + "opt", "/" + "work", "/" + "Users")
    ]
    + ["/" + r"home/\w+/"],
}
LOCK_FILES = re.compile(
    r".*\.lock|.*-lock\.(?:json|ya?ml)|pylock.*\.toml|requirements.*\.txt"
)


def test_no_lock_file_is_kept() -> None:
    assert [path for path in files_of_the_tree() if LOCK_FILES.match(path.name)] == []


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    found = [
        f"{path}: {what}: {match[0]}"
        for path in files_of_the_tree()
        for text in [(ROOT / path).read_bytes().decode("utf-8", "replace")]
        for what, patterns in FORBIDDEN.items()
        for pattern in patterns
        for match in re.finditer(pattern, text)
    ]
    assert found == []


def test_every_package_carries_the_licence() -> None:
    licence = (ROOT / "LICENSE").read_bytes()
    for package in ROOT.glob("packages/*/pyproject.toml"):
        assert package.with_name("LICENSE").read_bytes() == licence, package


def test_the_constraints_are_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        assert re.fullmatch(r"#.*|[a-z0-9-]+==[0-9.]+", line), line


def test_the_readme_lists_every_package() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for package in ROOT.glob("packages/*/pyproject.toml"):
        assert f"](packages/{package.parent.name})" in readme


def test_every_local_link_leads_to_a_file() -> None:
    documents = [path for path in files_of_the_tree() if path.suffix == ".md"]
    missing = [
        f"{document}: {target}"
        for document in documents
        for target in re.findall(
            r"\]\((?!https?:|#)([^)#]+)", (ROOT / document).read_text("utf-8")
        )
        if not (ROOT / document).parent.joinpath(target).exists()
    ]
    assert missing == []
