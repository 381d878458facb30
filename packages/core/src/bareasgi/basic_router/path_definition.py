"""A path template, cut into its segments."""

from collections.abc import Mapping
from typing import Any

from bareasgi.basic_router.path_segment import PathSegment, make_literal
from bareasgi.errors import ParseError


class PathDefinition:
    """A path template such as `/users/{id:int}/{rest:path}`.

    Its parameters match whole segments, and a last one of type `path`, or `{path}`
    itself, takes what is left. Two definitions of the same text are equal. Raises
    ParseError, or TypeError for an unknown type.

    Attributes:
        path: the template as written.
        path_format: the template without types: `/users/{id}/{rest}`.
        segments: the parts between the slashes.
        names: the parameters, in order.
        has_rest: whether the last segment takes what is left of a path.
    """

    __slots__ = ("has_rest", "names", "path", "path_format", "segments")

    path: str
    path_format: str
    segments: tuple[PathSegment, ...]
    names: tuple[str, ...]
    has_rest: bool

    def __init__(self, path: str) -> None:
        if not path.startswith("/"):
            raise ParseError(f"the path {path!r} must start with a slash: '/{path}'")
        *texts, last = path[1:].split("/")
        if "" in texts:
            raise ParseError(f"the path {path!r} has an empty segment: drop a slash")
        self.path = path
        self.segments = (
            *(PathSegment(text) for text in texts),
            PathSegment("{path:path}" if last == "{path}" else last),
        )
        self.names = tuple(s.name for s in self.segments if s.is_variable)
        self.has_rest = self.segments[-1].is_rest
        self.path_format = "".join(
            f"/{{{segment.name}}}" if segment.is_variable else f"/{segment.text}"
            for segment in self.segments
        )
        if len(set(self.names)) < len(self.names):
            raise ParseError(f"the path {path!r} uses a parameter's name twice")
        if any(segment.is_rest for segment in self.segments[:-1]):
            raise ParseError(f"the path {path!r} goes on after the rest of the path")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathDefinition) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"PathDefinition({self.path!r})"

    def match(self, path: str) -> tuple[bool, dict[str, Any]]:
        """Tell whether a path matches, and the values of the parameters."""
        start, *texts = path.split("/")
        if self.has_rest and len(texts) >= len(self.segments):
            last = len(self.segments) - 1
            texts[last:] = ["/".join(texts[last:])]
        if start or len(texts) != len(self.segments):
            return False, {}
        matches: dict[str, Any] = {}
        for segment, text in zip(self.segments, texts, strict=True):
            is_match, name, value = segment.match(text)
            if not is_match:
                return False, {}
            if name is not None:
                matches[name] = value
        return True, matches

    def make(self, values: Mapping[str, Any]) -> str:
        """Make a path of the parameters' values, percent-encoded.

        Raises ValueError for a value that does not fit, and for one too many or few.
        """
        if set(values) != set(self.names):
            raise ValueError(
                f"{self.path!r} takes {list(self.names)}, not {list(values)}"
            )
        return "".join(
            "/"
            + (
                segment.make(values[segment.name])
                if segment.is_variable
                else make_literal(segment.text)
            )
            for segment in self.segments
        )
