"""Tells of an application's routes: what there is, and what is never reached.

Of `python -m bareasgi`; no request comes this way.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from bareasgi.application import Application
from bareasgi.basic_router import (
    CONVERTERS,
    BasicHttpRouter,
    BasicWebSocketRouter,
    PathDefinition,
    PathSegment,
)
from bareasgi.errors import ParseError
from bareasgi.types import HttpRouter, Route, WebSocketRouter

HEADINGS: Final = ("method", "template", "name", "handler")

# What every int is, too. The types as they are before an application changes them.
_STR, _FLOAT, _INT = CONVERTERS["str"], CONVERTERS["float"], CONVERTERS["int"]


def table(app: Application) -> list[str]:
    """Make the lines of a table of the routes, its headings first."""
    rows = [
        HEADINGS,
        *(
            (_methods(route), route.path, route.name or "-", _handler(route))
            for route in app.routes
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def problems(app: Application) -> list[str]:
    """Find the routes that are never reached, and the names that are given twice."""
    routes = app.routes
    judged = [
        *(_of(routes, "http") if isinstance(app.http_router, BasicHttpRouter) else ()),
        *(
            _of(routes, "websocket")
            if isinstance(app.ws_router, BasicWebSocketRouter)
            else ()
        ),
    ]
    return [*_mounted_over(routes), *_hidden(judged), *_same_names(routes)]


def remarks(app: Application) -> list[str]:
    """Say what is not known of the routers, because they are of the user's own."""
    found: list[str] = []
    for title, router, base, own in (
        ("HTTP", app.http_router, HttpRouter, BasicHttpRouter),
        ("WebSocket", app.ws_router, WebSocketRouter, BasicWebSocketRouter),
    ):
        if isinstance(router, own):
            continue
        what = f"the {title} router {_name(type(router))}"
        told = getattr(type(router), "routes", None)
        if told is base.routes or not hasattr(router, "routes"):
            found.append(f"{what} does not tell its routes")
        else:
            found.append(
                f"{what} has an order of its own: nothing is said of routes that it"
                " does not reach"
            )
    return found


def _of(routes: Sequence[Route], kind: str) -> list[Route]:
    return [route for route in routes if route.kind == kind]


def _mounted_over(routes: Sequence[Route]) -> Iterator[str]:
    """A mounted application takes all that is below its path, whatever the order."""
    mounts = _of(routes, "mount")
    for route in routes:
        for mount in mounts:
            is_below = f"{route.path}/".startswith(f"{mount.path}/")
            if is_below and route.kind != "mount":
                yield (
                    f"{_title(route)} is never reached: what is mounted at"
                    f" {mount.path} ({_handler(mount)}) takes its paths"
                )
                break


def _hidden(routes: Sequence[Route]) -> Iterator[str]:
    """Of the routes that match a path the first one wins: some never do."""
    # By method and first segment, so that not every route is compared with every other.
    earlier: dict[tuple[str, str | None], list[tuple[Route, PathDefinition]]] = {}
    for route in routes:
        definition = _definition(route)
        if definition is None:
            continue
        first = definition.segments[0]
        key = None if first.is_variable else first.text
        hiding: dict[Route, list[str]] = {}
        for method in route.methods or ("WEBSOCKET",):
            candidates = [
                *earlier.get((method, None), ()),
                *(earlier.get((method, key), ()) if key is not None else ()),
            ]
            for other, wider in candidates:
                if _covers(wider, definition):
                    hiding.setdefault(other, []).append(method)
                    break
            earlier.setdefault((method, key), []).append((route, definition))
        yield from (_hidden_by(route, other, hiding[other]) for other in hiding)


def _hidden_by(route: Route, other: Route, methods: list[str]) -> str:
    title = f"{', '.join(methods)} {route.path} ({_handler(route)}) is never reached:"
    definition = _definition(other)
    if definition is not None and definition.has_rest:
        return f"{title} it is behind the catch-all {_title(other)}"
    return f"{title} {_title(other)} was added before it, and matches all its paths"


def _same_names(routes: Sequence[Route]) -> Iterator[str]:
    named: dict[str, dict[str, Route]] = {}
    for route in routes:
        if route.name is not None:
            # A router may have a route for each method: one name for one path is right.
            named.setdefault(route.name, {}).setdefault(route.path, route)
    for name, by_path in named.items():
        if len(by_path) > 1:
            titles = " and ".join(map(_title, by_path.values()))
            yield f"the name {name!r} is given to {titles}"


def _definition(route: Route) -> PathDefinition | None:
    """Take the template apart, unless it is one that only a user's router knows."""
    try:
        return PathDefinition(route.path)
    except (ParseError, TypeError):
        return None


def _covers(wider: PathDefinition, other: PathDefinition) -> bool:
    """Whether a template matches every path that another one matches."""
    segments = wider.segments[:-1] if wider.has_rest else wider.segments
    if wider.has_rest:
        is_as_long = len(other.segments) > len(segments)
    else:
        is_as_long = len(other.segments) == len(segments) and not other.has_rest
    return is_as_long and all(map(_takes, segments, other.segments))


def _takes(wider: PathSegment, other: PathSegment) -> bool:
    if not wider.is_variable:
        return not other.is_variable and wider.text == other.text
    if not other.is_variable:
        return wider.match(other.text)[0]
    if (wider.converter, wider.format) == (other.converter, other.format):
        return True
    return wider.converter is _STR or (
        wider.converter is _FLOAT and other.converter is _INT
    )


def _title(route: Route) -> str:
    return f"{_methods(route)} {route.path} ({_handler(route)})"


def _methods(route: Route) -> str:
    return ", ".join(route.methods) or route.kind.upper()


def _handler(route: Route) -> str:
    handler: object = route.handler
    while isinstance(handler, partial):
        handler = handler.func
    # That of a chain is its outermost middleware.
    handler = getattr(handler, "__wrapped__", handler)
    return "-" if handler is None else _name(handler)


def _name(named: object) -> str:
    """Give the name by which something is found in the source, or its class's."""
    if not hasattr(named, "__qualname__"):
        named = type(named)
    return f"{named.__module__}.{getattr(named, '__qualname__', '')}"
