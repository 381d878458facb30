"""Opens files below a root, in such a way that nothing outside of it can be opened.

A path is checked and then used by somebody else's clock: between the two a folder may
become a link to another place. So no path is opened here but the root's own. Folder by
folder, each name is opened in the one before it, and a name that is a symbolic link is
refused by the very call that opens it. All of it may wait for a disk.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO
from typing import Final, TypeAlias

Fingerprint: TypeAlias = tuple[int, int, int, int, int, int]
"""Device, inode, mode, size, and the times of change of content and of the inode."""

Look: TypeAlias = tuple[Callable[[str], os.stat_result], str, Fingerprint]
"""How to look at a path again, and what it was."""

# Where there is O_PATH, a folder need not be readable to be passed through. Something
# that is no file might wait (a fifo), or become our terminal.
_FOLDER: Final = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY

# What a path can do wrong. Anything else, such as too many open files, is our fault.
_MISSING: Final = frozenset(
    {
        errno.EACCES,
        errno.EILSEQ,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMLINK,
        errno.ENAMETOOLONG,
        errno.ENODEV,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.ESTALE,
    }
)


class FolderFoundError(Exception):
    """The name is that of a folder."""


class FileMissingError(Exception):
    """There is no such file, or it is none, or it must not or cannot be opened."""


class OpenFile:
    """A regular file that was opened, and what it was then.

    Attributes:
        file: whoever uses it closes it.
        size: in bytes. The file may have another one by now.
        modified_ns: when its content was changed, in nanoseconds since 1970.
        look: how to see whether it is still the same.
    """

    __slots__ = ("file", "look", "modified_ns", "size")

    def __init__(
        self,
        file: FileIO,
        status: os.stat_result,
        path: str,
        look: Callable[[str], os.stat_result],
    ) -> None:
        self.file: FileIO = file
        self.size: int = status.st_size
        self.modified_ns: int = status.st_mtime_ns
        self.look: Look = (look, path, fingerprint(status))


class Folder:
    """A folder on the way from the root, for as long as files are opened in it.

    Attributes:
        looks: how to see whether the root and each folder up to this one are the same.
    """

    __slots__ = ("_descriptor", "_no_links", "_path", "looks")

    def __init__(self, path: str, *, follow_symlinks: bool) -> None:
        self._path: str = path
        self._no_links: int = 0 if follow_symlinks else os.O_NOFOLLOW
        self._descriptor: int = os.open(path, _FOLDER)
        # The root itself may be a link: whoever set the root has chosen it.
        self.looks: list[Look] = [(os.stat, path, self._fingerprint())]

    def enter(self, name: str) -> None:
        """Go on to the folder with this name in this one."""
        inner = os.open(name, _FOLDER | self._no_links, dir_fd=self._descriptor)
        os.close(self._descriptor)
        self._descriptor = inner
        self._path = f"{self._path}/{name}"
        self.looks.append((self._look, self._path, self._fingerprint()))

    def open(self, name: str) -> OpenFile:
        """Open a regular file in this folder. Raises FolderFoundError for a folder."""
        # First without opening: to open may be to do something, as with a fifo.
        _check_kind(
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=self._follows)
        )
        flags = _FILE | self._no_links
        path = f"{self._path}/{name}"
        return _open(path, self._look, os.open(name, flags, dir_fd=self._descriptor))

    def close(self) -> None:
        """Close the folder; the files stay open."""
        os.close(self._descriptor)

    @property
    def _follows(self) -> bool:
        return self._no_links == 0

    @property
    def _look(self) -> Callable[[str], os.stat_result]:
        return os.stat if self._follows else os.lstat

    def _fingerprint(self) -> Fingerprint:
        return fingerprint(os.fstat(self._descriptor))


@contextmanager
def opened_folder(
    root: str, names: Sequence[str], *, follow_symlinks: bool
) -> Generator[Folder]:
    """Open the folder with these names, one after the other, below the root.

    Raises FileMissingError when there is no such folder, also for what is missing in
    the block.
    """
    with missing():
        folder = Folder(root, follow_symlinks=follow_symlinks)
        try:
            for name in names:
                folder.enter(name)
            yield folder
        finally:
            folder.close()


def open_file(path: str) -> OpenFile:
    """Open a regular file wherever it is. Raises FileMissingError."""
    with missing():
        try:
            _check_kind(os.stat(path))  # noqa: PTH116 - beside its kin
            return _open(path, os.stat, os.open(path, _FILE))
        except FolderFoundError as error:
            raise FileMissingError(path) from error


def resolved_path(look: Look) -> str | None:
    """Give the path without links of a file that was opened, for others to open it.

    None if there is another file by now.
    """
    _, path, known = look
    path = os.path.realpath(path)
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return path if fingerprint(status) == known else None


@contextmanager
def missing() -> Generator[None]:
    """Raise FileMissingError for what a path can do wrong, and only for that."""
    try:
        yield
    except ValueError as error:
        # A name that the file system's encoding cannot express.
        raise FileMissingError from error
    except OSError as error:
        if error.errno in _MISSING:
            raise FileMissingError from error
        raise


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Give what changes whenever a file does, or is replaced."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _open(
    path: str, look: Callable[[str], os.stat_result], descriptor: int
) -> OpenFile:
    with ExitStack() as on_error:
        on_error.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        # It may have been replaced since it was looked at.
        _check_kind(status)
        file = FileIO(descriptor)
        on_error.pop_all()
    return OpenFile(file, status, path, look)


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FolderFoundError
    if not stat.S_ISREG(status.st_mode):
        raise FileMissingError
