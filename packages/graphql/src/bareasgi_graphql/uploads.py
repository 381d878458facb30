"""Requests with files, by the GraphQL multipart request convention.

They are forms. The first part, `operations`, is the JSON that the body would be without
files, with null in the place of each. The second, `map`, tells by the name of each part
that follows the paths of its places, such as `variables.file`, or `0.variables.files.1`
in a batch.

https://github.com/jaydenseric/graphql-multipart-request-spec
"""

import re
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any, Final, NamedTuple, cast

from bareasgi import Content, Headers, Scope
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.files import StoredFile, Upload
from bareasgi_graphql.form_data import FormData
from bareasgi_graphql.request import Loads, parse_json

_PREFLIGHT: Final = frozenset(
    {
        b"graphql-require-preflight",
        b"apollo-require-preflight",
        b"x-apollo-operation-name",
    }
)
_INDEX: Final = re.compile("0|[1-9][0-9]{0,8}", re.ASCII)
_SHOWN: Final = 80


def has_preflight(headers: Headers) -> bool:
    """Tell whether a browser asked before it let a foreign page send this.

    It sends a form for any page without asking, but no header of these names (Fetch
    standard, section 2.2.2). They must not be empty.
    """
    return any(name in _PREFLIGHT and value.strip() for name, value in headers)


@asynccontextmanager
async def read_uploads(
    scope: Scope,
    content: Content,
    *,
    max_bytes: int | None,
    max_text: int | None,
    max_files: int | None,
    loads: Loads,
) -> AsyncGenerator[object, None]:
    """Read a form, and give its `operations` with an `Upload` in each file's place.

    The whole form has at most `max_bytes` bytes, `operations` and `map` at most
    `max_text` each, and there are at most `max_files` files; None lifts a limit. At the
    end of the block all files are closed, and gone, whatever happened.

    Raises RequestError: a 413 for what has too many bytes, and a 400 for anything but
    `operations`, `map` and the files of the map, in this order, each file once and for
    places among the variables that are there, and null. Raises HttpDisconnectError when
    the client leaves before the end.
    """
    form = FormData(scope["headers"], content, max_bytes=max_bytes)
    operations = parse_json(await _read_text(form, "operations", max_text), loads)
    file_map = parse_json(await _read_text(form, "map", max_text), loads)
    places = _find_places(operations, file_map, max_files)
    with ExitStack() as files:
        await _put_files(form, places, files)
        yield operations


async def _read_text(form: FormData, name: str, max_text: int | None) -> str:
    """Read the next part, which must have this name."""
    part = await form.next_part()
    if part is None or part.name != name:
        raise RequestError("A form must have 'operations', 'map' and then its files")
    text = bytearray()
    while (chunk := await form.next_chunk()) is not None:
        text += chunk
        if max_text is not None and len(text) > max_text:
            raise RequestError(
                f"The part {name!r} is longer than {max_text} bytes", 413
            )
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise RequestError(f"The part {name!r} is not in UTF-8") from None


class _Place(NamedTuple):
    """Where a file belongs: at the key of an object, or at the index of a list."""

    container: Any
    key: str | int


async def _put_files(
    form: FormData, places: dict[str, list[_Place]], files: ExitStack
) -> None:
    """Store the parts that are left, and put each in its places."""
    while (part := await form.next_part()) is not None:
        if part.name not in places:
            raise RequestError(
                f"The file {_shown(part.name)} is not in the map, or came twice"
            )
        file = files.enter_context(closing(StoredFile()))
        while (chunk := await form.next_chunk()) is not None:
            await file.write(chunk)
        await file.end()
        for container, key in places.pop(part.name):
            container[key] = Upload(file, part.filename or None, part.content_type)
    for name in places:
        raise RequestError(f"The file {_shown(name)} is in the map, and did not come")


def _find_places(
    operations: object, file_map: object, max_files: int | None
) -> dict[str, list[_Place]]:
    """Find the places of each file, by the name of its part."""
    if not isinstance(file_map, dict):
        raise RequestError("The map must be a JSON object")
    files = cast(dict[str, object], file_map)
    if max_files is not None and len(files) > max_files:
        raise RequestError(f"There are more than {max_files} files")
    known: set[str] = set()
    places: dict[str, list[_Place]] = {}
    for name, value in files.items():
        paths = _paths(name, value)
        for path in paths:
            if path in known:
                raise RequestError(f"The path {_shown(path)} is in the map twice")
            known.add(path)
        places[name] = [_find_place(operations, path) for path in paths]
    return places


def _paths(name: str, value: object) -> list[str]:
    paths = cast(list[object], value) if isinstance(value, list) else []
    if not paths or not all(isinstance(path, str) for path in paths):
        raise RequestError(f"The file {_shown(name)} must have a list of paths")
    return cast(list[str], paths)


def _find_place(operations: object, path: str) -> _Place:
    """Follow a path. A key is there or not: no other properties can be reached."""
    keys = path.split(".")
    variables = 1 if isinstance(operations, list) else 0
    if len(keys) < variables + 2 or keys[variables] != "variables":
        raise RequestError(f"The path {_shown(path)} does not lead to a variable")
    place = _Place([operations], 0)
    for key in keys:
        value = place.container[place.key]
        if isinstance(value, dict) and key in value:
            place = _Place(value, key)
        elif (
            isinstance(value, list)
            and _INDEX.fullmatch(key)
            and int(key) < len(cast(list[object], value))
        ):
            place = _Place(value, int(key))
        else:
            raise RequestError(f"The path {_shown(path)} leads nowhere")
    if place.container[place.key] is not None:
        raise RequestError(f"The path {_shown(path)} leads to a value that is not null")
    return place


def _shown(text: str) -> str:
    """Quote a client's text, as far as a message should have it."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
