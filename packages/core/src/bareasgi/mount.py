"""Where an application stands below another one: its root path, and what is mounted."""

from collections.abc import Iterable

from bareasgi.errors import ParseError
from bareasgi.types import Route, Scope


def path_below_root(scope: Scope) -> str:
    """Take away where the application is mounted, at the boundary of a segment."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if not root:
        return path
    if path == root:
        return "/"
    return path[len(root) :] if path.startswith(root + "/") else path


def check_mount(path: str, app: object, mounts: Iterable[Route]) -> None:
    """Refuse what cannot be mounted: ParseError, TypeError or ValueError."""
    if not path.startswith("/") or path.endswith("/") or "//" in path:
        raise ParseError(
            f"the path {path!r} of a mounted application must start with a slash and"
            " end without one: '/api'"
        )
    if "{" in path or "}" in path:
        raise ParseError(f"the path {path!r} of a mounted application has parameters")
    if not callable(app):
        raise TypeError(f"what is mounted at {path!r} is no ASGI application: {app!r}")
    if any(path == mount.path for mount in mounts):
        raise ValueError(f"there is an application at {path!r} already")


def find_mount(mounts: Iterable[Route], path: str) -> Route | None:
    """Find the application that is mounted nearest to a path, or None."""
    above = [each for each in mounts if f"{path}/".startswith(f"{each.path}/")]
    return max(above, key=lambda each: len(each.path), default=None)


def mounted_scope(scope: Scope, mount: Route) -> Scope:
    """Make the scope of an application mounted below this one.

    Its `path` stays whole, and its `root_path` says how much of it leads there (ASGI 3,
    HTTP connection scope).
    """
    below = {**scope, "root_path": scope.get("root_path", "").rstrip("/") + mount.path}
    below.pop("route", None)
    return below
