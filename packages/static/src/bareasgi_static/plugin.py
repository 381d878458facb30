"""Wires files to an application, and keeps the older names."""

import re
from collections.abc import Iterable
from os import PathLike
from typing import Final

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi_static.encodings import SUFFIXES
from bareasgi_static.handler import TEMPORARY_REDIRECT, static_handler
from bareasgi_static.options import MEMORY, Root, check_mount
from bareasgi_static.paths import with_slash

_METHODS: Final = ("GET", "HEAD")


def add_static(
    app: Application,
    root: Root,
    *,
    path: str = "/static",
    index: str | None = "index.html",
    cache_control: str | None = None,
    immutable: str | re.Pattern[str] | None = None,
    fallback: str | None = None,
    precompressed: Iterable[str] = tuple(SUFFIXES),
    follow_symlinks: bool = False,
    dotfiles: bool = False,
    memory: int = MEMORY,
    name: str | None = None,
) -> None:
    """Serve the files below a folder, to GET and HEAD.

    `root` is a folder, or `(package, "folder")` for files that come with a package. The
    route that was added first wins: with `path="/"` this is added last. The path
    without its slash is redirected by a 307, and so are folders with an index. Whatever
    is not there, or must not be seen, is answered by the router's `not_found_response`.

    `index` is the name of the file for a folder, None for none. `cache_control` is the
    value of that header; files whose whole path below the root matches the regular
    expression `immutable` are kept by clients for a year instead. `fallback` is the
    path of a file below the root for whoever accepts HTML and would get a 404: the page
    of an application that reads the address itself. `precompressed` are the codings
    looked for beside a file, the best first: br, zstd, gzip. With `follow_symlinks`
    symbolic links are followed, also out of the root. With `dotfiles` names that begin
    with a dot are served. `memory` is how many bytes of small files are kept, 16 MiB
    unless told otherwise. A `name` makes addresses: `app.url_for(name, path="a.css")`.

    Raises NotADirectoryError when the root is not there, and TypeError or ValueError
    for options that cannot be.
    """
    mount = check_mount(path)
    handler = static_handler(
        root,
        index=index,
        cache_control=cache_control,
        immutable=immutable,
        fallback=fallback,
        precompressed=precompressed,
        follow_symlinks=follow_symlinks,
        dotfiles=dotfiles,
        memory=memory,
        not_found=_not_found_of(app),
    )
    _add_routes(app, mount, handler, name)


class StaticFilesProvider:
    """Serves the files below a folder: the older name of `static_handler`.

    The path is the route's last parameter, or the one called `path_variable`. There is
    no index unless it is named. A folder that is not there fails at once, unless
    `check_source_folder` is False.
    """

    def __init__(
        self,
        source_folder: str | PathLike[str],
        *,
        path_variable: str | None = None,
        check_source_folder: bool = True,
        index_filename: str | None = None,
        not_found: HttpHandler | None = None,
    ) -> None:
        self._path_variable = path_variable
        self._handler: HttpHandler = static_handler(
            source_folder,
            index=index_filename,
            must_exist=check_source_folder,
            not_found=not_found,
        )

    async def __call__(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Answer as the handler that it is."""
        if self._path_variable is not None:
            matches = {self._path_variable: matches[self._path_variable]}
        return await self._handler(scope, info, matches, content)


def add_static_file_provider(
    app: Application,
    source_folder: str | PathLike[str],
    *,
    mount_point: str = "/",
    check_source_folder: bool = True,
    index_filename: str | None = None,
) -> None:
    """Serve the files below a folder: the older name of `add_static`."""
    provider = StaticFilesProvider(
        source_folder,
        check_source_folder=check_source_folder,
        index_filename=index_filename,
        not_found=_not_found_of(app),
    )
    _add_routes(app, check_mount(mount_point), provider, None)


def _add_routes(
    app: Application, mount: str, handler: HttpHandler, name: str | None
) -> None:
    template = f"{mount}/{{path:path}}"
    if name is None:
        # Routers of the user's own may know no names.
        app.http_router.add(_METHODS, template, handler)
    else:
        app.http_router.add(_METHODS, template, handler, name)
    if mount:
        app.http_router.add(_METHODS, mount, _add_slash)


def _not_found_of(app: Application) -> HttpHandler:
    """Answer as the application does to a path that it does not know."""

    async def not_found(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        # What does not begin with a slash has no route. The response may be replaced
        # at any time, and the router knows how to send its body more than once.
        handler, nothing = app.http_router.resolve(scope["method"], "")
        return await handler(scope, info, nothing, content)

    return not_found


async def _add_slash(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return TEMPORARY_REDIRECT, [(b"location", with_slash(scope))]
