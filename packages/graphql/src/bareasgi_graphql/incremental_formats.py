"""The payloads of an incremental result, in the two formats that clients read.

graphql-core tells the parts of a result apart by ids: what is to come is announced as
pending, and completed later. That is the format `incrementalSpec=v0.2`. The older one,
`deferSpec=20220824`, has no ids: each part says itself where it belongs.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

from graphql import (
    GraphQLError,
    IncrementalDeferResult,
    IncrementalStreamResult,
    InitialIncrementalExecutionResult,
    SubsequentIncrementalExecutionResult,
)
from graphql.execution import CompletedResult, PendingResult

from bareasgi_graphql.errors import Result
from bareasgi_graphql.masking import Masking

IncrementalFormat: TypeAlias = Literal["incrementalSpec=v0.2", "deferSpec=20220824"]
"""How the parts of a result are told apart: by ids, or by where they belong."""

_Path: TypeAlias = Sequence[str | int]
_Part: TypeAlias = IncrementalDeferResult | IncrementalStreamResult


class Writer(Protocol):
    """Writes the payloads of one incremental result, one after the other."""

    def initial(self, result: InitialIncrementalExecutionResult) -> Result:
        """Write what there is at first."""
        ...

    def subsequent(self, result: SubsequentIncrementalExecutionResult) -> Result | None:
        """Write what came since then. None: the format has no words for it."""
        ...


def writer(form: IncrementalFormat, masking: Masking) -> Writer:
    """Make a writer for a format, which masks the errors on the way.

    Raises ValueError for an unknown format.
    """
    if form not in _WRITERS:
        raise ValueError(f"the format must be one of {', '.join(_WRITERS)}: {form!r}")
    return _WRITERS[form](masking)


class _ByIdentity:
    """The format with ids, which is graphql-core's own."""

    def __init__(self, masking: Masking) -> None:
        self._masking = masking

    def initial(self, result: InitialIncrementalExecutionResult) -> Result:
        return {
            "data": result.data,
            **_details(self._masking, result.errors, result.extensions),
            "pending": [each.formatted for each in result.pending],
            "hasNext": True,
        }

    def subsequent(self, result: SubsequentIncrementalExecutionResult) -> Result:
        payload: Result = {}
        if result.pending:
            payload["pending"] = [each.formatted for each in result.pending]
        if result.incremental:
            payload["incremental"] = [self._part(part) for part in result.incremental]
        if result.completed:
            payload["completed"] = [self._completed(each) for each in result.completed]
        payload["hasNext"] = result.has_next
        return payload | _details(self._masking, None, result.extensions)

    def _part(self, part: _Part) -> Result:
        written: Result = {"id": part.id}
        if part.sub_path:
            written["subPath"] = part.sub_path
        written |= _content(part)
        return written | _details(self._masking, part.errors, part.extensions)

    def _completed(self, completed: CompletedResult) -> Result:
        return {"id": completed.id, **_details(self._masking, completed.errors)}


@dataclass(slots=True)
class _Place:
    """Where a part belongs.

    Attributes:
        path: of the object that a fragment is of, or of the list.
        label: what the client calls the part, or None.
        length: how many items of the list it has; None for a fragment.
    """

    path: _Path
    label: str | None
    length: int | None = None

    def at(self, sub_path: _Path | None = None) -> Result:
        """Give the place of something below, which for a list is the next item."""
        if self.length is not None:
            sub_path = [self.length]
        written: Result = {"path": [*self.path, *(sub_path or ())]}
        if self.label is not None:
            written["label"] = self.label
        return written


class _ByPlace:
    """The format without ids. A part that failed is null, and has the errors.

    Items are sent with the index of the first one. So it has to be known how much of a
    list the client has: its beginning is in the payload that announces the rest.
    """

    def __init__(self, masking: Masking) -> None:
        self._masking = masking
        self._places: dict[str, _Place] = {}

    def initial(self, result: InitialIncrementalExecutionResult) -> Result:
        sent = _Sent()
        sent.add((), result.data)
        self._announce(result.pending)
        self._measure(result.pending, sent)
        details = _details(self._masking, result.errors, result.extensions)
        return {"data": result.data, **details, "hasNext": True}

    def subsequent(self, result: SubsequentIncrementalExecutionResult) -> Result | None:
        pending = result.pending or ()
        self._announce(pending)
        sent = _Sent()
        parts = [self._part(part, sent) for part in result.incremental or ()]
        # What is announced here begins here, and goes on in later payloads.
        self._measure(pending, sent)
        for completed in result.completed or ():
            place = self._places.pop(completed.id)
            if completed.errors:
                parts.append(self._failed(place, completed.errors))
        if not parts and not result.extensions and result.has_next:
            return None
        payload: Result = {"incremental": parts} if parts else {}
        payload["hasNext"] = result.has_next
        return payload | _details(self._masking, None, result.extensions)

    def _announce(self, pending: Sequence[PendingResult]) -> None:
        for each in pending:
            self._places[each.id] = _Place(each.path, each.label)

    def _measure(self, pending: Sequence[PendingResult], sent: "_Sent") -> None:
        """Find out which of the places are lists, and how much of them was sent."""
        for each in pending:
            place = self._places[each.id]
            place.length = sent.length(place.path)

    def _part(self, part: _Part, sent: "_Sent") -> Result:
        place = self._places[part.id]
        written = _content(part) | place.at(part.sub_path)
        if isinstance(part, IncrementalDeferResult):
            sent.add(written["path"], part.data)
        else:
            start = place.length or 0
            place.length = start + len(part.items)
            sent.add(place.path, dict(enumerate(part.items, start)))
        return written | _details(self._masking, part.errors, part.extensions)

    def _failed(self, place: _Place, errors: list[GraphQLError]) -> Result:
        content = "data" if place.length is None else "items"
        return {content: None, **place.at(), **_details(self._masking, errors)}


class _Sent:
    """What one payload gives to the client, by where it belongs."""

    def __init__(self) -> None:
        self._values: defaultdict[tuple[str | int, ...], list[object]]
        self._values = defaultdict(list)

    def add(self, path: _Path, value: object) -> None:
        """Take in a value. That of items is a mapping, by index."""
        self._values[(*path,)].append(value)

    def length(self, path: _Path) -> int | None:
        """Give the length of the list at a place; None if that is not a list."""
        for end in range(len(path), -1, -1):
            for value in self._values.get((*path[:end],), ()):
                found = _below(value, path[end:])
                if isinstance(found, list):
                    return len(cast(list[object], found))
        return None


def _below(value: Any, path: _Path) -> object:
    """Follow a path down from a value. None if it leads nowhere."""
    try:
        for key in path:
            value = value[key]
    except (LookupError, TypeError):
        return None
    return cast(object, value)


def _content(part: _Part) -> Result:
    if isinstance(part, IncrementalStreamResult):
        return {"items": part.items}
    return {"data": part.data}


def _details(
    masking: Masking,
    errors: list[GraphQLError] | None,
    extensions: dict[str, Any] | None = None,
) -> Result:
    """Write what every piece of a result may have."""
    details: Result = {}
    if errors:
        details["errors"] = masking.formatted(errors)
    if extensions:
        details["extensions"] = extensions
    return details


_WRITERS: Final[Mapping[str, Callable[[Masking], Writer]]] = {
    "incrementalSpec=v0.2": _ByIdentity,
    "deferSpec=20220824": _ByPlace,
}
