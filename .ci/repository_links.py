"""Keeps links that lead out of docs/ from being dead in the site that is built of it.

On GitHub `../examples/drain.py` shows the program. The site has no such file: there the
link leads to the repository, when `repo_url` in mkdocs.yml says where that is, and is
plain text otherwise.
"""

import posixpath
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from zensical.extensions.context import ContextPreprocessor


class _RepositoryLinks(Treeprocessor):
    def __init__(self, md: Markdown, folder: str, address: str | None) -> None:
        super().__init__(md)
        self._folder = folder
        self._address = address

    def run(self, root: Element) -> None:
        for link in root.iter("a"):
            parts = urlsplit(link.get("href", ""))
            if parts.scheme or parts.netloc or not parts.path:
                continue
            target = posixpath.normpath(posixpath.join(self._folder, parts.path))
            if not target.startswith("../"):
                continue
            if self._address is None:
                link.tag = "span"
                del link.attrib["href"]
            else:
                path = target.removeprefix("../")
                link.set("href", f"{self._address.rstrip('/')}/blob/HEAD/{path}")


class RepositoryLinks(Extension):
    """The extension, as mkdocs.yml names it."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - of the base class
        """Look at all links once they are there."""
        context = ContextPreprocessor.from_markdown(md)
        if context is not None:
            folder = posixpath.dirname(context.page.path)
            links = _RepositoryLinks(md, folder, context.config.get("repo_url"))
            md.treeprocessors.register(links, "repository_links", 0)


def makeExtension(**options: Any) -> RepositoryLinks:  # noqa: N802 - looked for
    """Make the extension."""
    return RepositoryLinks(**options)
