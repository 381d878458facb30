"""Finds a path among many templates, without trying them one by one.

A literal path is one look-up in a dictionary. Templates hang in a tree, a level for
each segment: from one node, paths go on by the next segment's text, or by a converter
that several templates share. The cost of a search follows from the path's length and
from how many converters compete for one segment, not from the number of routes.
"""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from bareasgi.basic_router.path_definition import PathDefinition
from bareasgi.basic_router.path_segment import (
    NO_MATCH,
    Converter,
    PathSegment,
    to_str,
)
from bareasgi.types import Route

T = TypeVar("T")


class _Leaf(Generic[T]):
    """Where a template ends."""

    __slots__ = ("callback", "names", "order", "route")

    def __init__(
        self, order: int, route: Route, callback: T, names: tuple[str, ...]
    ) -> None:
        self.order = order
        self.route = route
        self.callback = callback
        self.names = names


class _Node(Generic[T]):
    """Where templates that begin alike part.

    Attributes:
        first: the order of the first route below, which bounds a search.
        literals: the nodes that a segment's text leads to.
        variables: the nodes that a converter, with its format, leads to.
        end: the route that ends here.
        rest: the route that takes whatever is left of the path.
        is_fork: whether one segment may lead to several nodes.
    """

    __slots__ = ("end", "first", "is_fork", "literals", "rest", "variables")

    def __init__(self, first: int) -> None:
        self.first = first
        self.literals: dict[str, _Node[T]] = {}
        self.variables: list[tuple[Converter, str, _Node[T]]] = []
        self.end: _Leaf[T] | None = None
        self.rest: _Leaf[T] | None = None
        self.is_fork = False

    def grow(self, segment: PathSegment, order: int) -> "_Node[T]":
        """Give the node that a segment leads to, and make it if there is none."""
        if not segment.is_variable:
            child = self.literals.setdefault(segment.text, _Node(order))
        else:
            for converter, form, child in self.variables:
                if converter == segment.converter and form == segment.format:
                    return child
            child = _Node[T](order)
            self.variables.append((segment.converter, segment.format, child))
        self.is_fork = len(self.variables) + bool(self.literals) > 1
        return child

    def branches(self, text: str) -> Iterator[tuple["_Node[T]", list[Any]]]:
        """Give each node that a text leads to, with the text's value if it has one."""
        if text in self.literals:
            yield self.literals[text], []
        for converter, form, child in self.variables if text else ():
            try:
                value = converter(text, form)
            except NO_MATCH:
                continue
            yield child, [value]


class RouteTable(Generic[T]):
    """Routes in the order they were added: of those that match, the first wins."""

    __slots__ = ("_count", "_root", "has_templates", "literals")

    literals: dict[str, tuple[T, Route]]
    """The paths without parameters, but for those that an earlier route hides."""

    has_templates: bool
    """Whether there are paths with parameters."""

    def __init__(self) -> None:
        self._count = 0
        self.has_templates = False
        self.literals = {}
        self._root: _Node[T] = _Node(0)

    def add(self, definition: PathDefinition, route: Route, callback: T) -> bool:
        """Add a route. False, and nothing is added, when an earlier one hides it.

        A literal path is hidden by any route that matches it, and a template by one
        that differs in its parameters' names alone.
        """
        if not definition.names:
            if self.find(definition.path) is not None:
                return False
            self.literals[definition.path] = callback, route
            return True
        self._count += 1
        self.has_templates = True
        leaf = _Leaf(self._count, route, callback, definition.names)
        *parents, last = definition.segments
        node = self._root
        for segment in parents:
            node = node.grow(segment, leaf.order)
        if last.is_rest:
            is_hidden = node.rest is not None
            node.rest = node.rest or leaf
        else:
            node = node.grow(last, leaf.order)
            is_hidden = node.end is not None
            node.end = node.end or leaf
        return not is_hidden

    def find(self, path: str) -> tuple[T, dict[str, Any], Route] | None:
        """Find the first route that matches, and the values of its parameters."""
        literal = self.literals.get(path)
        if literal is not None:
            callback, route = literal
            return callback, {}, route
        if not self.has_templates or path[:1] != "/":
            return None
        found = _search(self._root, path.split("/"), 1, self._count + 1)
        if found is None:
            return None
        leaf, values = found
        # As many values as names: a strict zip would only cost time.
        return leaf.callback, dict(zip(leaf.names, values)), leaf.route  # noqa: B905


def _search(
    node: _Node[T], texts: list[str], depth: int, limit: int
) -> tuple[_Leaf[T], list[Any]] | None:
    """Find the first of the routes below a node that were added before the limit.

    Where a path forks every branch is tried that may lead to an earlier route: it is
    their age that decides, and not that one is literal and the other is not.
    """
    found: tuple[_Leaf[T], list[Any]] | None = None
    values: list[Any] = []
    while depth < len(texts):
        text = texts[depth]
        if node.rest is not None and node.rest.order < limit:
            limit = node.rest.order
            found = node.rest, [*values, "/".join(texts[depth:])]
        depth += 1
        if node.is_fork:
            for branch, value in node.branches(text):
                if branch.first < limit:
                    below = _search(branch, texts, depth, limit)
                    if below is not None:
                        limit = below[0].order
                        found = below[0], [*values, *value, *below[1]]
            return found
        # Most segments lead to one node at the most, and that is quickly told.
        if node.literals:
            child = node.literals.get(text)
            if child is None:
                return found
            node = child
        elif node.variables and text:
            converter, form, node = node.variables[0]
            try:
                values.append(text if converter is to_str else converter(text, form))
            except NO_MATCH:
                return found
        else:
            return found
    if node.end is not None and node.end.order < limit:
        return node.end, values
    return found
