"""No dead link, no page without an example, and nothing left out of the reference.

Links are looked at twice: in the Markdown as GitHub shows it, and in the site that
zensical builds of it. `nox -s docs` runs this.
"""

import ast
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from documentation import build_site
from guides import blocks_of
from repository import ROOT, files_of_the_tree

# The first test of the site waits until it is built.
pytestmark = pytest.mark.timeout(180)

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
DOCUMENTS = [ROOT / path for path in files_of_the_tree() if path.suffix == ".md"]
SETTINGS = (ROOT / "mkdocs.yml").read_text("utf-8")

# Where the public names of each package are told about.
REFERENCE = {
    "core/src/bareasgi": "core",
    "core/src/bareasgi/basic_router": "core",
    "core/src/bareasgi/testing": "testing",
    "core/src/bareasgi/compression": "compression",
    "cors/src/bareasgi_cors": "cors",
    "static/src/bareasgi_static": "static",
    "graphql/src/bareasgi_graphql": "graphql",
    "jinja2/src/bareasgi_jinja2": "jinja2",
    "prometheus/src/bareasgi_prometheus": "prometheus",
    "client/src/bareclient": "client",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pages_of_the_nav() -> list[str]:
    nav = SETTINGS.split("\nnav:\n")[1].split("\n\n")[0]
    return re.findall(r"[\w./-]+\.md$", nav, re.MULTILINE)


def test_every_page_of_the_nav_is_there() -> None:
    missing = [page for page in pages_of_the_nav() if not (DOCS / page).is_file()]
    assert missing == [], "pages that mkdocs.yml names, and nobody has written"


def test_every_page_is_in_the_nav_once() -> None:
    written = [str(page.relative_to(DOCS)) for page in PAGES]
    in_the_nav = [page for page in pages_of_the_nav() if (DOCS / page).is_file()]
    assert sorted(in_the_nav) == sorted(written)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_has_one_title_and_an_example(page: Path) -> None:
    prose = without_code(page.read_text("utf-8"))
    assert len(re.findall(r"^# \S", prose, re.MULTILINE)) == 1
    assert any(block.text.strip() for block in blocks_of(page))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_a_link_leads_somewhere_on_github(document: Path) -> None:
    dead: list[str] = []
    for link in links_of(document):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = document
        if parts.path:
            target = (document.parent / unquote(parts.path)).resolve()
        if not target.exists():
            dead.append(f"{link}: there is no {os.path.relpath(target, ROOT)}")
        elif not target.is_relative_to(ROOT):
            dead.append(f"{link}: is outside of the repository")
        elif parts.fragment and parts.fragment not in anchors_of(target):
            dead.append(f"{link}: no heading of {name(target)} has that anchor")
    assert dead == [], f"dead links of {name(document)}"


def without_code(text: str) -> str:
    """What is left of a page when fenced blocks and code in the text are taken out."""
    text = re.sub(r"^( *)(`{3,}).*?^\1\2$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def links_of(document: Path) -> list[str]:
    text = re.sub(r"`[^`\n]*`", "code", without_code(document.read_text("utf-8")))
    return [
        *re.findall(r"\]\(\s*<?([^)\s>]+)", text),
        *re.findall(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", text, re.MULTILINE),
        *re.findall(r"""<[^>]*\b(?:href|src|srcset)=["']([^"' ]+)""", text),
    ]


def anchors_of(document: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    if document.suffix != ".md":
        return set()
    text = without_code(document.read_text("utf-8"))
    anchors = set(re.findall(r"""<a (?:id|name)=["']([^"']+)""", text))
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        numbered = (f"{slug}-{number}" if number else slug for number in count())
        anchors.add(next(each for each in numbered if each not in anchors))
    return anchors


class Page(HTMLParser):
    """A page of the site: its anchors, what it links to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.codes: list[str] = []
        self._is_code = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value for key, value in attrs if value is not None}
        self._is_code = tag == "code"
        if "id" in values:
            self.anchors.append(values["id"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(values["href"])
        elif "src" in values:
            self.loads.append(values["src"])

    def handle_data(self, data: str) -> None:
        if self._is_code:
            self.codes.append(data)
            self._is_code = False


class Site(NamedTuple):
    """What was built, and what was printed meanwhile."""

    folder: Path
    printed: str
    pages: list[Page]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    built = build_site(tmp_path_factory.mktemp("repository"))
    pages = [Page(path) for path in built.folder.glob("**/*.html")]
    return Site(built.folder, built.printed, pages)


def test_the_site_is_built_without_a_warning(site: Site) -> None:
    assert "No issues found" in site.printed, site.printed
    assert not re.search("warning|error", site.printed, re.IGNORECASE), site.printed


def test_every_page_of_the_nav_is_in_the_site(site: Site) -> None:
    pages = [page.removesuffix(".md") for page in pages_of_the_nav()]
    places = ["." if page == "index" else page for page in pages]
    missing = [page for page in places if not (site.folder / page).is_dir()]
    assert missing == []


def test_no_link_in_the_site_is_dead(site: Site) -> None:
    pages = {page.path: page for page in site.pages}
    dead: list[str] = []
    for page in site.pages:
        for link in page.links:
            target, fragment = destination(site, page, link)
            where = page.path.parent.relative_to(site.folder)
            if target is None:
                continue
            if not target.is_file():
                dead.append(f"{where}: {link}: there is no such page")
            elif fragment and fragment not in pages[target].anchors:
                dead.append(f"{where}: {link}: there is no such anchor")
    assert dead == []


def destination(site: Site, page: Page, link: str) -> tuple[Path | None, str]:
    """The file that a link leads to, None on another host."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None, ""
    start = site.folder if parts.path.startswith("/") else page.path.parent
    target = page.path
    if parts.path:
        target = (start / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target /= "index.html"
    return target, unquote(parts.fragment)


def test_the_site_loads_nothing_from_another_host(site: Site) -> None:
    assert [link for page in site.pages for link in foreign(page.loads)] == []
    for style in site.folder.glob("**/*.css"):
        loads = re.findall(r"""(?:url\(|@import)\s*["']?([^"')]+)""", style.read_text())
        assert foreign(loads) == [], style.name


def foreign(links: list[str]) -> list[str]:
    return [
        link
        for link in links
        if urlsplit(link).netloc or urlsplit(link).scheme not in ("", "data")
    ]


def test_whatever_a_page_loads_is_there(site: Site) -> None:
    missing = [
        f"{page.path.relative_to(site.folder)}: {link}"
        for page in site.pages
        for link in page.loads
        for target, _ in [destination(site, page, link)]
        if target is not None and not target.is_file()
    ]
    assert missing == []


def test_no_anchor_is_there_twice(site: Site) -> None:
    for page in site.pages:
        twice = {each for each in page.anchors if page.anchors.count(each) > 1}
        assert twice == set(), page.path


@pytest.mark.parametrize("package", REFERENCE)
def test_every_public_name_is_in_the_reference(site: Site, package: str) -> None:
    [page] = [
        page
        for page in site.pages
        if page.path.parent == site.folder / "reference" / REFERENCE[package]
    ]
    told = {anchor.rpartition(".")[2] for anchor in page.anchors} | {*page.codes}
    names = public_names(ROOT / "packages" / package)
    assert [name for name in names if name not in told] == []


def public_names(package: Path) -> Iterator[str]:
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                yield from ast.literal_eval(value)
            case _:
                pass
