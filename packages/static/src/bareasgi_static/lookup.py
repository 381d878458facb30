"""Finds the file that a path means, with its coded forms, and describes them."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from time import time_ns
from typing import Final

from bareasgi import Header
from bareasgi_static.content_types import content_type
from bareasgi_static.encodings import IDENTITY
from bareasgi_static.files import (
    FileMissingError,
    Folder,
    FolderFoundError,
    Look,
    OpenFile,
    fingerprint,
    missing,
    opened_folder,
)
from bareasgi_static.representation import NOSNIFF, SMALL, Representation

_IMMUTABLE: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")

_SETTLED_NS: Final = 2_000_000_000
"""How long ago a change must be for the next one to have another time. Two seconds are
what the coarsest file systems need, and one tick of the kernel what the finest do."""


class Found:
    """What was found for a path: a file, in one or several codings.

    Attributes:
        codings: in order of preference, the file as it is last.
        forms: by coding.
        is_small: whether all of them are in memory.
    """

    __slots__ = ("_looks", "codings", "forms", "is_small")

    def __init__(
        self, forms: Mapping[bytes, Representation], looks: Sequence[Look]
    ) -> None:
        self.codings: Sequence[bytes] = [*forms]
        self.forms: Mapping[bytes, Representation] = forms
        self.is_small: bool = all(form.data is not None for form in forms.values())
        self._looks: Sequence[Look] = looks

    def is_current(self, form: Representation) -> bool:
        """Whether a form of it, and the folders on the way to it, are still the same.

        What was added beside the file has changed its folder.
        """
        try:
            for look, path, known in (*self._looks, form.look):
                if fingerprint(look(path)) != known:
                    return False
        except OSError:
            return False
        return True

    @property
    def is_settled(self) -> bool:
        """Whether the next change of it can be seen."""
        looks = (*self._looks, *(form.look for form in self.forms.values()))
        newest = max(time for *_, known in looks for time in known[-2:])
        return newest < time_ns() - _SETTLED_NS


class Lookup:
    """What is served, and how: the root and the options that go with it."""

    def __init__(
        self,
        root: str,
        *,
        index: str | None,
        cache_control: bytes | None,
        immutable: re.Pattern[str] | None,
        codings: Sequence[tuple[bytes, str]],
        follow_symlinks: bool,
    ) -> None:
        self._root = root
        self._index = index
        self._cache_control: list[Header] = (
            [] if cache_control is None else [(b"cache-control", cache_control)]
        )
        self._immutable = immutable
        self._codings = codings
        self._follow_symlinks = follow_symlinks

    def find(
        self,
        names: Sequence[str],
        *,
        is_folder: bool,
        varies: Sequence[bytes] = (),
        known: Found | None = None,
    ) -> tuple[Found, dict[bytes, FileIO]] | None:
        """Find a file, or the index of a folder. It may wait for a disk.

        Gives, beside what was found, the open files of the forms that are too large for
        memory; the caller closes them. None means that the folder has an index, and the
        client must ask for it with a slash. What is known and has not changed is used
        again. Raises FileMissingError.
        """
        if is_folder:
            if self._index is None:
                raise FileMissingError
            names = [*names, self._index]
        *folders, name = names
        with opened_folder(
            self._root, folders, follow_symlinks=self._follow_symlinks
        ) as folder:
            try:
                file = folder.open(name)
            except FolderFoundError:
                if is_folder:
                    raise FileMissingError from None
                self._check_index(folder, name)
                return None
            with ExitStack() as on_error:
                opened = self._with_coded(folder, name, file, on_error)
                extra = self._headers(names, varies, is_coded=len(opened) > 1)
                forms, files = _describe(opened, content_type(name), extra, known)
                on_error.pop_all()
            return Found(forms, folder.looks), files

    def _check_index(self, folder: Folder, name: str) -> None:
        """Raise FileMissingError unless the inner folder has an index."""
        if self._index is None:
            raise FileMissingError
        folder.enter(name)
        try:
            folder.open(self._index).file.close()
        except FolderFoundError:
            raise FileMissingError from None

    def _with_coded(
        self, folder: Folder, name: str, file: OpenFile, on_error: ExitStack
    ) -> dict[bytes, OpenFile]:
        """Open what lies beside a file in the codings that were asked for."""
        on_error.callback(file.file.close)
        opened: dict[bytes, OpenFile] = {}
        for coding, suffix in self._codings:
            with suppress(FileMissingError, FolderFoundError), missing():
                opened[coding] = folder.open(name + suffix)
                on_error.callback(opened[coding].file.close)
        return {**opened, IDENTITY: file}

    def _headers(
        self, names: Sequence[str], varies: Sequence[bytes], *, is_coded: bool
    ) -> list[Header]:
        headers = [NOSNIFF]
        if self._immutable is not None and self._immutable.fullmatch("/".join(names)):
            headers.append(_IMMUTABLE)
        else:
            headers += self._cache_control
        varies = [*varies, *([b"accept-encoding"] if is_coded else [])]
        if varies:
            headers.append((b"vary", b", ".join(varies)))
        return headers


def close_found(looked_up: tuple[Found, dict[bytes, FileIO]] | None) -> None:
    """Close the files of what nobody waits for any more."""
    if looked_up is not None:
        for file in looked_up[1].values():
            file.close()


def read_small(opened: OpenFile) -> bytes | None:
    """Read a file if it is small, and close it then."""
    if opened.size > SMALL:
        return None
    with opened.file:
        return os.pread(opened.file.fileno(), opened.size, 0)


def _describe(
    opened: Mapping[bytes, OpenFile],
    kind: bytes,
    extra: Sequence[Header],
    known: Found | None,
) -> tuple[dict[bytes, Representation], dict[bytes, FileIO]]:
    """Describe all forms, and give the files of those that were not read."""
    forms: dict[bytes, Representation] = {}
    files: dict[bytes, FileIO] = {}
    before: Mapping[bytes, Representation] = {}
    if known is not None and known.codings == [*opened]:
        before = known.forms
    for coding, file in opened.items():
        form = before.get(coding)
        if form is None or form.look != file.look:
            form = Representation(file, read_small(file), kind, extra, coding)
        forms[coding] = form
        if form.data is None:
            files[coding] = file.file
        else:
            file.file.close()
    return forms, files
