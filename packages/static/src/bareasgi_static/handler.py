"""The handler: from a path below the root to a response.

A small file that was asked for before is answered from memory, after a look at whether
it is still the same. A look takes the loop about two microseconds for each name in the
path; to have a thread look would take it more than ten times that. Whatever is not in
memory is found in a thread, since the disk may have to be waited for.
"""

import re
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from io import FileIO
from typing import Final

from bareasgi import (
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_response,
)
from bareasgi.negotiation import accepted_coding, accepted_media_type
from bareasgi_static.answers import (
    NOT_ACCEPTABLE,
    respond_from_file,
    respond_from_memory,
)
from bareasgi_static.encodings import SUFFIXES, check_codings
from bareasgi_static.files import FileMissingError
from bareasgi_static.lookup import Found, Lookup, close_found
from bareasgi_static.memory import Memory
from bareasgi_static.options import (
    MEMORY,
    Root,
    check_memory,
    check_name,
    check_root,
    check_value,
)
from bareasgi_static.paths import names_of, with_slash
from bareasgi_static.threads import in_thread

_HTML: Final = (b"text/html",)
TEMPORARY_REDIRECT: Final = 307

_FALLBACK: Final = ("fallback",)
"""What the fallback is kept under. Everything else is under its path, a str."""


def static_handler(
    root: Root,
    *,
    index: str | None = "index.html",
    cache_control: str | None = None,
    immutable: str | re.Pattern[str] | None = None,
    fallback: str | None = None,
    precompressed: Iterable[str] = tuple(SUFFIXES),
    follow_symlinks: bool = False,
    dotfiles: bool = False,
    memory: int = MEMORY,
    not_found: HttpHandler | None = None,
    must_exist: bool = True,
) -> HttpHandler:
    """Make a handler that serves the files below a folder, for GET and HEAD.

    It belongs on a route that ends with the rest of the path, whatever that is called:
    `/files/{path:path}`. The options are those of `add_static`. What cannot be served
    is answered by `not_found`, or with a plain 404. With `must_exist` False the root
    may be made later.
    """
    lookup = Lookup(
        check_root(root, must_exist=must_exist),
        index=check_name("index", index),
        cache_control=check_value("cache_control", cache_control),
        immutable=None if immutable is None else re.compile(immutable),
        codings=check_codings(precompressed),
        follow_symlinks=follow_symlinks,
    )
    return _StaticFiles(
        lookup,
        Memory(check_memory(memory)),
        fallback=_check_fallback(fallback, lookup),
        dotfiles=dotfiles,
        not_found=_plain_not_found if not_found is None else not_found,
    ).serve


class _StaticFiles:
    """What a handler needs to know between requests."""

    def __init__(
        self,
        lookup: Lookup,
        memory: Memory,
        *,
        fallback: Sequence[str] | None,
        dotfiles: bool,
        not_found: HttpHandler,
    ) -> None:
        self._lookup = lookup
        self._memory = memory
        self._fallback = fallback
        self._dotfiles = dotfiles
        self._not_found = not_found

    async def serve(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Answer a GET or HEAD with the file that the rest of the path means."""
        path = _rest_of_path(matches)
        response = self._from_memory(scope, path)
        if response is not None:
            return response
        names = names_of(path, dotfiles=self._dotfiles)
        if names is not None:
            is_folder = path == "" or path.endswith("/")
            with suppress(FileMissingError):
                return await self._from_disk(scope, path, names, is_folder=is_folder)
            with suppress(FileMissingError):
                return await self._fall_back(scope)
        return await self._not_found(scope, info, matches, content)

    async def _fall_back(self, scope: Scope) -> HttpResponse:
        """Answer a reader with the page of the application. Raises FileMissingError."""
        if self._fallback is None or not accepted_media_type(scope["headers"], _HTML):
            raise FileMissingError
        response = self._from_memory(scope, _FALLBACK)
        if response is None:
            response = await self._from_disk(
                scope, _FALLBACK, self._fallback, varies=[b"accept"]
            )
        return response

    def _from_memory(self, scope: Scope, key: Hashable) -> HttpResponse | None:
        """Answer with a file that is in memory, unless it is not, or has changed."""
        found = self._memory.get(key)
        if found is None:
            return None
        coding = accepted_coding(scope["headers"], found.codings)
        if coding is None:
            return NOT_ACCEPTABLE
        form = found.forms[coding]
        if form.data is None or not found.is_current(form):
            return None
        return respond_from_memory(scope, form, form.data)

    async def _from_disk(
        self,
        scope: Scope,
        key: Hashable,
        names: Sequence[str],
        *,
        is_folder: bool = False,
        varies: Sequence[bytes] = (),
    ) -> HttpResponse:
        """Answer with a file, which is then kept. Raises FileMissingError."""
        known = self._memory.get(key)
        find = partial(
            self._lookup.find, names, is_folder=is_folder, varies=varies, known=known
        )
        # The folders of a large file just asked for are in the kernel's memory.
        is_known = known is not None and not known.is_small
        try:
            looked_up = find() if is_known else await in_thread(close_found, find)
        except FileMissingError:
            self._memory.drop(key)
            raise
        if looked_up is not None:
            found, files = looked_up
            self._memory.put(key, found)
            return _respond(scope, found, files)
        if key is _FALLBACK:
            # A folder now, and this is not its address.
            raise FileMissingError
        return TEMPORARY_REDIRECT, [(b"location", with_slash(scope))]


def _rest_of_path(matches: RouteMatches) -> str:
    """Give what the last parameter of the template holds; without one, the root."""
    path = [*matches.values()][-1] if matches else ""
    if not isinstance(path, str):
        raise TypeError(f"the route must end with the rest of the path, not {path!r}")
    return path


def _respond(scope: Scope, found: Found, files: dict[bytes, FileIO]) -> HttpResponse:
    """Answer with a file that was just found, and close what is not used of it."""
    try:
        coding = accepted_coding(scope["headers"], found.codings)
        if coding is None:
            return NOT_ACCEPTABLE
        form = found.forms[coding]
        if form.data is not None:
            return respond_from_memory(scope, form, form.data)
        return respond_from_file(scope, form, files.pop(coding))
    finally:
        for unused in files.values():
            unused.close()


async def _plain_not_found(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return text_response(404, None, "Not Found", content_type=b"text/plain")


def _check_fallback(name: str | None, lookup: Lookup) -> Sequence[str] | None:
    """Give the names that the path of the fallback is made of.

    Raises ValueError when it does not lead to a file below the root.
    """
    if name is None:
        return None
    names = names_of(name, dotfiles=True)
    if not names or name.endswith("/"):
        raise ValueError(f"fallback must be the path of a file, not {name!r}")
    looked_up = None
    with suppress(FileMissingError):
        looked_up = lookup.find(names, is_folder=False)
    if looked_up is None:
        raise ValueError(f"there is no file {name!r} below the root")
    close_found(looked_up)
    return names
