"""Bodies of files: exactly the bytes that were announced, and no descriptor left."""

import asyncio
import os
from contextlib import aclosing, suppress
from io import FileIO
from pathlib import Path

import pytest

from bareasgi_static import FileShrankError
from bareasgi_static.bodies import PIECE, FileBody

from .executors import busy_executor, turns
from .trees import write


def body_of(path: Path, *pieces: bytes | range, piece_size: int = PIECE) -> FileBody:
    return FileBody(FileIO(path), pieces, piece_size)


def slow(folder: Path) -> Path:
    """Give a file that is read in a thread.

    Of what is no real file Linux does not say whether it has it in memory, and other
    systems never do.
    """
    path = Path("/proc/cpuinfo")
    return path if path.exists() else write(folder / "file", bytes(100))


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 19, 20, 21, 100])
async def test_all_bytes_come_in_pieces_of_the_size(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    path = write(tmp_path / "file", content)
    async with aclosing(body_of(path, range(size), piece_size=10)) as body:
        chunks = [chunk async for chunk in body]
    assert b"".join(chunks) == content
    assert all(len(chunk) == 10 for chunk in chunks[:-1])
    assert b"" not in chunks


async def test_ranges_and_bytes_are_mixed(tmp_path: Path) -> None:
    path = write(tmp_path / "file", bytes(range(100)))
    pieces: list[bytes | range] = [
        b"<",
        range(10, 13),
        b">",
        range(50, 50),
        range(98, 100),
        b"!",
    ]
    async with aclosing(body_of(path, *pieces)) as body:
        chunks = [chunk async for chunk in body]
    assert chunks == [b"<", bytes([10, 11, 12]), b">", bytes([98, 99]), b"!"]


async def test_what_is_read_in_a_thread_is_the_same(tmp_path: Path) -> None:
    path = slow(tmp_path)
    async with aclosing(body_of(path, range(10, 50), piece_size=7)) as body:
        chunks = [chunk async for chunk in body]
    assert b"".join(chunks) == path.read_bytes()[10:50]


async def test_a_file_that_grows_is_sent_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "file", b"a" * 20)
    async with aclosing(body_of(path, range(20), piece_size=10)) as body:
        first = await anext(body)
        with path.open("ab") as file:
            file.write(b"b" * 20)
        assert first + b"".join([chunk async for chunk in body]) == b"a" * 20


@pytest.mark.parametrize("left", [0, 5, 10, 15])
async def test_a_file_that_shrinks_is_an_error_after_what_is_there(
    left: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "file", b"a" * 20)
    async with aclosing(body_of(path, range(20), piece_size=10)) as body:
        received = await anext(body)
        os.truncate(path, left)
        with pytest.raises(FileShrankError, match="has no byte"):  # noqa: PT012
            async for chunk in body:
                received += chunk
    assert received == b"a" * max(10, left)


async def test_a_file_that_is_deleted_is_sent_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "file", b"a" * 20)
    async with aclosing(body_of(path, range(20), piece_size=10)) as body:
        await anext(body)
        path.unlink()
        assert len(b"".join([chunk async for chunk in body])) == 10


# --- closing --------------------------------------------------------------------------


async def test_the_file_is_closed_with_a_body_that_was_never_begun(
    tmp_path: Path,
) -> None:
    file = FileIO(write(tmp_path / "file", b"content"))
    await FileBody(file, [range(7)]).aclose()
    assert file.closed


async def test_the_file_is_closed_once_and_nothing_comes_after(tmp_path: Path) -> None:
    file = FileIO(write(tmp_path / "file", b"content"))
    body = FileBody(file, [range(7)], 2)
    await anext(body)
    await body.aclose()
    await body.aclose()
    assert file.closed
    assert [chunk async for chunk in body] == []


async def test_a_read_in_a_thread_has_its_file_until_it_is_done(tmp_path: Path) -> None:
    file = FileIO(slow(tmp_path))
    body = FileBody(file, [range(100)])
    async with busy_executor() as executor:
        reading = asyncio.ensure_future(anext(body))
        await turns()
        assert not reading.done(), "it was not read in a thread"
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await body.aclose()
        # Else the thread would read from whatever has this number by then.
        assert not file.closed
        await executor.release()
        await turns()
        assert file.closed


async def test_a_read_that_never_began_leaves_nothing_open(tmp_path: Path) -> None:
    file = FileIO(slow(tmp_path))
    body = FileBody(file, [range(100)])
    async with busy_executor() as executor:
        reading = asyncio.ensure_future(anext(body))
        await turns()
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await body.aclose()
        await executor.drop()
        await turns()
        assert file.closed


async def test_an_error_of_a_read_that_nobody_waits_for_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = FileIO(slow(tmp_path))
    body = FileBody(file, [range(100)])
    async with busy_executor() as executor:
        reading = asyncio.ensure_future(anext(body))
        await turns()
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        # What a disk that fails would do.
        write_only = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
        os.dup2(write_only, file.fileno())
        os.close(write_only)
        await body.aclose()
        await executor.release()
        await turns()
        assert file.closed
    assert caplog.records == []
