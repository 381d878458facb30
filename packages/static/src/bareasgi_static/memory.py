"""Keeps small files in memory, up to a number of bytes in all."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from bareasgi_static.lookup import Found

_OVERHEAD: Final = 2048
"""About what is kept of a file beside its bytes."""


class Memory:
    """What was found for the paths that were asked for last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._found: OrderedDict[Hashable, Found] = OrderedDict()

    def get(self, key: Hashable) -> Found | None:
        """Give what is kept. Whether it is current is another question."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def put(self, key: Hashable, found: Found) -> None:
        """Keep something in place of what was kept, if a change of it would be seen."""
        before = self._found.pop(key, None)
        if before is not None:
            self._used -= _cost(before)
        cost = _cost(found)
        if cost > self._limit or not found.is_settled:
            return
        self._found[key] = found
        self._used += cost
        while self._used > self._limit:
            self._used -= _cost(self._found.popitem(last=False)[1])

    def drop(self, key: Hashable) -> None:
        """Forget what is not there any more."""
        before = self._found.pop(key, None)
        if before is not None:
            self._used -= _cost(before)


def _cost(found: Found) -> int:
    return sum(_OVERHEAD + len(form.data or b"") for form in found.forms.values())
