"""What is not there: templates and blocks, and the names of those that are.

The lowest layer: it imports none of the others.
"""

from collections.abc import Iterable
from typing import Final

from jinja2 import TemplateNotFound

_MOST_NAMES: Final = 50


class TemplateNotFoundError(TemplateNotFound):
    """No template has this name.

    The message has the names of those that exist, where the loader can tell. A template
    that is extended, included or imported and is not there is a plain
    `jinja2.TemplateNotFound`, which this one is too.
    """

    def __init__(self, name: str, names: Iterable[str] = ()) -> None:
        super().__init__(name, f"no template is named {name!r}{_listed(names)}")


class BlockNotFoundError(LookupError):
    """A template, with those that it extends, has no block of this name.

    The message has the names of those that exist.
    """

    def __init__(self, name: str, template: str | None, names: Iterable[str]) -> None:
        super().__init__(f"{template!r} has no block {name!r}{_listed(names)}")


def _listed(names: Iterable[str]) -> str:
    known = sorted(names)
    if not known:
        return ""
    more = len(known) - _MOST_NAMES
    return f": there are {known[:_MOST_NAMES]}" + (f" and {more} more" * (more > 0))
