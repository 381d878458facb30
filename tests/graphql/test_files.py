"""Files that come with a request: in memory, on the disk, and gone."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    execute_sync,
    parse,
    print_schema,
    validate,
    validate_schema,
)
from temporary_files import named_files, none_left, open_files

from bareasgi_graphql.files import MEMORY, GraphQLUpload, StoredFile, Upload

FEW = b"0123456789"
MANY = bytes(range(256)) * (MEMORY // 256 * 3) + b"and more"

each_size = pytest.mark.parametrize("content", [FEW, MANY], ids=["few", "many"])


@pytest.fixture(autouse=True)
def no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Fail a test that leaves a temporary file."""
    with none_left(tmp_path, monkeypatch):
        yield


@asynccontextmanager
async def stored(content: bytes, size: int = 1000) -> AsyncGenerator[StoredFile]:
    with closing(StoredFile()) as file:
        for start in range(0, len(content), size):
            await file.write(content[start : start + size])
        await file.end()
        yield file


@each_size
@pytest.mark.parametrize("size", [1000, len(MANY)])
async def test_a_file_is_read_as_it_was_written(content: bytes, size: int) -> None:
    async with stored(content, size) as file:
        assert file.size == len(content)
        upload = Upload(file, None, None)
        assert upload.size == len(content)
        assert await upload.read() == content
        assert await upload.read() == b""


async def test_few_bytes_stay_in_memory_and_many_do_not() -> None:
    before = open_files()
    async with stored(b"x" * MEMORY):
        assert open_files() == before
    async with stored(b"x" * (MEMORY + 1)):
        assert len(open_files() - before) == 1


async def test_a_file_on_the_disk_has_no_name() -> None:
    async with stored(MANY):
        assert named_files() == []


@each_size
async def test_reading_goes_on_where_it_ended(content: bytes) -> None:
    async with stored(content) as file:
        upload = Upload(file, "a.txt", "text/plain")
        assert await upload.read(4) == content[:4]
        assert await upload.read(0) == b""
        assert await upload.read(3) == content[4:7]
        assert await upload.read() == content[7:]
        assert await upload.read(1) == b""


@each_size
async def test_a_file_that_is_in_two_places_is_read_at_each_alone(
    content: bytes,
) -> None:
    async with stored(content) as file:
        one, other = Upload(file, None, None), Upload(file, None, None)
        assert await one.read(5) == content[:5]
        assert await other.read(3) == content[:3]
        both = await asyncio.gather(one.read(), other.read())
        assert [*both] == [content[5:], content[3:]]


@each_size
async def test_a_loop_gives_all_bytes_in_chunks_each_time(content: bytes) -> None:
    async with stored(content) as file:
        upload = Upload(file, None, None)
        await upload.read(7)
        for _ in range(2):
            chunks = [chunk async for chunk in upload]
            assert b"".join(chunks) == content
            assert max(map(len, chunks)) <= MEMORY


async def test_an_empty_file_has_nothing_to_read() -> None:
    async with stored(b"") as file:
        upload = Upload(file, "empty", None)
        assert upload.size == 0
        assert await upload.read() == b""
        assert [chunk async for chunk in upload] == []


@each_size
async def test_nothing_is_read_of_a_file_whose_operation_has_ended(
    content: bytes,
) -> None:
    async with stored(content) as file:
        upload = Upload(file, None, None)
        await upload.read(1)
    with pytest.raises(ValueError, match="until its operation has ended"):
        await upload.read()
    with pytest.raises(ValueError, match="until its operation has ended"):
        [chunk async for chunk in upload]
    file.close()


def test_an_upload_shows_what_it_is() -> None:
    with closing(StoredFile()) as file:
        assert repr(Upload(file, "a.txt", None)) == "<Upload 'a.txt', 0 bytes>"


async def test_a_file_is_closed_though_a_thread_may_still_write_to_it() -> None:
    before = open_files()
    for _ in range(20):
        with closing(StoredFile()) as file:
            writing = asyncio.create_task(file.write(MANY))
            await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
        assert open_files() == before


def name(root: object, info: object, file: Upload) -> str | None:
    return file.filename


def names(root: object, info: object, album: dict[str, Upload]) -> list[str | None]:
    return [upload.filename for upload in album.values()]


def back(root: object, info: object, file: Upload) -> Upload:
    return file


ALBUM = GraphQLInputObjectType(
    "Album",
    {"cover": GraphQLInputField(GraphQLUpload)},
)
SCHEMA = GraphQLSchema(
    GraphQLObjectType(
        "Query",
        {
            "name": GraphQLField(
                GraphQLString,
                args={"file": GraphQLArgument(GraphQLNonNull(GraphQLUpload))},
                resolve=name,
            ),
            "names": GraphQLField(
                GraphQLList(GraphQLString),
                args={"album": GraphQLArgument(ALBUM)},
                resolve=names,
            ),
            "back": GraphQLField(
                GraphQLUpload,
                args={"file": GraphQLArgument(GraphQLUpload)},
                resolve=back,
            ),
        },
    )
)


def test_the_scalar_is_part_of_a_schema() -> None:
    assert validate_schema(SCHEMA) == []
    assert "scalar Upload @specifiedBy(url:" in print_schema(SCHEMA)


def test_the_scalar_takes_files() -> None:
    with closing(StoredFile()) as file:
        result = execute_sync(
            SCHEMA,
            parse(
                "query ($file: Upload!, $album: Album) {"
                " name(file: $file) names(album: $album) }"
            ),
            variable_values={
                "file": Upload(file, "a.txt", None),
                "album": {"cover": Upload(file, "b.txt", None)},
            },
        )
    assert result.errors is None
    assert result.data == {"name": "a.txt", "names": ["b.txt"]}


@pytest.mark.parametrize("value", ["a.txt", 1, {}, {"filename": "a.txt"}, []])
def test_the_scalar_takes_no_other_value(value: object) -> None:
    document = parse("query ($file: Upload!) { name(file: $file) }")
    result = execute_sync(SCHEMA, document, variable_values={"file": value})
    assert result.data is None
    assert result.errors is not None
    message = result.errors[0].message
    assert "Upload must be a file of a multipart request." in message


@pytest.mark.parametrize("literal", ['"a.txt"', "1", "{}", "[]", "A"])
def test_the_scalar_cannot_be_written_in_a_document(literal: str) -> None:
    errors = validate(SCHEMA, parse(f"{{ name(file: {literal}) }}"))
    assert [error.message for error in errors] == [
        "Upload must be a variable, and cannot be written."
    ]


def test_the_scalar_cannot_be_a_result() -> None:
    document = parse("query ($file: Upload!) { back(file: $file) }")
    with closing(StoredFile()) as file:
        variables = {"file": Upload(file, "a.txt", None)}
        result = execute_sync(SCHEMA, document, variable_values=variables)
    assert result.data == {"back": None}
    assert result.errors is not None
    assert result.errors[0].message == "Upload cannot be part of a result."
