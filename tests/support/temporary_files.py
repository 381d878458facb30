"""Tells of the temporary files that are there, with a name or without one."""

import gc
import io
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


def open_files() -> set[int]:
    """Find the descriptors of the temporary files that are open."""
    # To ask a weak proxy whether it is an instance fails once its object has gone.
    return {
        each.fileno()
        for each in gc.get_objects()
        if type(each) is io.BufferedRandom and not each.closed
    }


def named_files() -> list[Path]:
    """Find the temporary files that anybody can open."""
    return [*Path(tempfile.gettempdir()).iterdir()]


@contextmanager
def none_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Have temporary files made in an empty folder, and none of them left."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = open_files()
    yield
    assert open_files() == before
    assert named_files() == []
