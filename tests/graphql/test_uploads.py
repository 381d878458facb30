"""GraphQL multipart requests: files in their places, and every fault of a form."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import pytest
from forms import BOUNDARY, FORM, form, opened, part, request
from temporary_files import none_left

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpDisconnectError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    json_response,
)
from bareasgi.testing import http_request, http_stream
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.files import MEMORY, Upload
from bareasgi_graphql.uploads import has_preflight, read_uploads

KIB: Final = 1024
MIB: Final = KIB * KIB
LARGE: Final = b"0123456789abcdef" * (MEMORY // 4)

QUERY: Final = "mutation ($file: Upload) { keep(file: $file) }"
ONE: Final = {"query": QUERY, "variables": {"file": None}}
ONE_PLACE: Final = {"0": ["variables.file"]}
A: Final = part("0", "alpha", filename="a.txt")


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Fail a test that leaves a temporary file."""
    with none_left(tmp_path, monkeypatch):
        yield


async def told(value: Any) -> object:
    """Make JSON of what was read: of each file its name, type and content."""
    if isinstance(value, Upload):
        content = (await value.read()).decode()
        assert value.size == len(content)
        return [value.filename, value.content_type, content]
    if isinstance(value, dict):
        return {key: await told(each) for key, each in value.items()}
    if isinstance(value, list):
        return [await told(each) for each in value]
    return value


def reading(
    content: Content,
    headers: Headers = (FORM,),
    *,
    max_bytes: int | None = None,
    max_text: int | None = None,
    max_files: int | None = None,
) -> AbstractAsyncContextManager[Any]:
    """Read a form, without limits but for these."""
    return read_uploads(
        {"headers": headers},
        content,
        max_bytes=max_bytes,
        max_text=max_text,
        max_files=max_files,
        loads=json.loads,
    )


def make_app(
    use: Callable[[Any], Awaitable[object]] = told,
    *,
    max_bytes: int | None = 16 * MIB,
    max_text: int | None = MIB,
    max_files: int | None = 20,
) -> Application:
    app = Application()

    @app.on_http_request({"POST"}, "/graphql")
    async def upload(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        try:
            async with reading(
                content,
                scope["headers"],
                max_bytes=max_bytes,
                max_text=max_text,
                max_files=max_files,
            ) as value:
                return json_response(200, None, await use(value))
        except RequestError as error:
            return json_response(error.status or 0, None, str(error))

    return app


async def send(
    *parts: bytes, app: Application | None = None, body: bytes | None = None
) -> tuple[int, Any]:
    content = form(*parts) if body is None else body
    pieces = (content[start : start + 4096] for start in range(0, len(content), 4096))
    response = await http_request(
        app or make_app(), "POST", "/graphql", headers=[FORM], content=pieces
    )
    return response.status, response.json()


async def test_a_file_is_put_in_its_place() -> None:
    file = part(
        "0", "alpha", filename="a.txt", headers=[b"Content-Type: Text/Plain; x=y"]
    )
    assert await send(*request(ONE, ONE_PLACE, file)) == (
        200,
        {"query": QUERY, "variables": {"file": ["a.txt", "text/plain", "alpha"]}},
    )


async def test_files_are_put_in_lists_and_objects_in_any_order() -> None:
    operations = {
        "query": QUERY,
        "variables": {
            "files": [None, "kept", None],
            "album": {"covers": [[None]], "title": "x"},
        },
    }
    file_map = {
        "a": ["variables.files.0"],
        "b": ["variables.files.2"],
        "c": ["variables.album.covers.0.0"],
    }
    files = [part("c", "C", filename="c"), part("b", ""), part("a", LARGE)]
    status, value = await send(*request(operations, file_map, *files))
    assert status == 200
    assert value["variables"] == {
        "files": [[None, None, LARGE.decode()], "kept", [None, None, ""]],
        "album": {"covers": [[["c", None, "C"]]], "title": "x"},
    }


async def test_a_batch_has_files_in_each_operation() -> None:
    operations = [ONE, {"query": QUERY, "variables": {"files": [None, None]}}]
    file_map = {"0": ["0.variables.file", "1.variables.files.1"]}
    status, value = await send(*request(operations, file_map, A))
    assert status == 200
    told_of_it = ["a.txt", None, "alpha"]
    assert [each["variables"] for each in value] == [
        {"file": told_of_it},
        {"files": [None, told_of_it]},
    ]


async def test_a_file_in_several_places_is_read_at_each() -> None:
    operations = {"query": QUERY, "variables": {"a": None, "b": None}}
    file_map = {"0": ["variables.a", "variables.b"]}
    status, value = await send(*request(operations, file_map, part("0", LARGE)))
    assert status == 200
    told_of_it = [None, None, LARGE.decode()]
    assert value["variables"] == {"a": told_of_it, "b": told_of_it}


async def test_a_request_may_come_without_files() -> None:
    operations = {"query": "{ a }"}
    assert await send(*request(operations, {})) == (200, operations)


async def test_a_file_without_a_name_has_none() -> None:
    for filename in None, "":
        file = part("0", "alpha", filename=filename)
        _, value = await send(*request(ONE, ONE_PLACE, file))
        assert value["variables"] == {"file": [None, None, "alpha"]}


async def test_keys_that_are_special_elsewhere_are_keys_like_others() -> None:
    operations = {"query": QUERY, "variables": {"__proto__": {"constructor": None}}}
    file_map = {"__proto__": ["variables.__proto__.constructor"]}
    _, value = await send(*request(operations, file_map, part("__proto__", "x")))
    assert value["variables"] == {"__proto__": {"constructor": [None, None, "x"]}}


async def test_json_is_read_as_the_caller_says() -> None:
    texts: list[str | bytes] = []

    def loads(text: str | bytes) -> object:
        texts.append(text)
        return json.loads(text)

    async def content() -> AsyncGenerator[bytes]:
        yield form(*request(ONE, ONE_PLACE, A))

    async with read_uploads(
        {"headers": [FORM]},
        content(),
        max_bytes=None,
        max_text=None,
        max_files=None,
        loads=loads,
    ) as value:
        assert isinstance(value, dict)
    assert texts == [json.dumps(ONE), json.dumps(ONE_PLACE)]


FORM_ORDER: Final = "must have 'operations', 'map' and then its files"
FAULTS: Final[Mapping[str, tuple[tuple[bytes, ...], str]]] = {
    "nothing": ((), FORM_ORDER),
    "no operations": (request(ONE, ONE_PLACE, A)[1:], FORM_ORDER),
    "no map": ((request(ONE, {})[0], A), FORM_ORDER),
    "operations alone": (request(ONE, {})[:1], FORM_ORDER),
    "map first": (request(ONE, ONE_PLACE)[::-1], FORM_ORDER),
    "file first": ((A, *request(ONE, ONE_PLACE)), FORM_ORDER),
    "file before map": (
        (request(ONE, {})[0], A, request(ONE, ONE_PLACE)[1]),
        FORM_ORDER,
    ),
    "operations twice": (request(ONE, {})[:1] * 2, FORM_ORDER),
    "map twice": (
        (*request(ONE, ONE_PLACE), request(ONE, ONE_PLACE)[1]),
        "The file 'map' is not in the map, or came twice",
    ),
    "operations no JSON": (
        (part("operations", "{"), part("map", "{}")),
        "not valid JSON",
    ),
    "operations too deep": (
        (part("operations", "[" * 200_000), part("map", "{}")),
        "not valid JSON",
    ),
    "operations no text": (
        (part("operations", b"\xff"), part("map", "{}")),
        "The part 'operations' is not in UTF-8",
    ),
    "map no JSON": ((part("operations", "{}"), part("map", "x")), "not valid JSON"),
    "map no text": (
        (part("operations", "{}"), part("map", b"\xc3")),
        "The part 'map' is not in UTF-8",
    ),
    "a file twice": (
        request(ONE, ONE_PLACE, A, A),
        "The file '0' is not in the map, or came twice",
    ),
    "a file missing": (
        request(ONE, ONE_PLACE),
        "The file '0' is in the map, and did not come",
    ),
    "a file that nobody asked for": (
        request(ONE, ONE_PLACE, A, part("x" * 1000, "")),
        f"The file {'x' * 80 + '...'!r} is not in the map",
    ),
    "operations no object": (
        request(7, ONE_PLACE, A),
        "The path 'variables.file' leads nowhere",
    ),
    "no variables": (
        request({"query": QUERY}, ONE_PLACE, A),
        "The path 'variables.file' leads nowhere",
    ),
    "variables null": (
        request({"variables": None}, {"0": ["variables"]}, A),
        "The path 'variables' does not lead to a variable",
    ),
    "10,000 parts": (
        request(ONE, ONE_PLACE, *[part(str(number), "") for number in range(10_000)]),
        "The file '1' is not in the map",
    ),
    "10,000 files": (
        request(
            {"variables": {"files": [None] * 10_000}},
            {str(number): [f"variables.files.{number}"] for number in range(10_000)},
            *[part(str(number), "") for number in range(10_000)],
        ),
        "There are more than 20 files",
    ),
    "header of 1 MB": (
        request(ONE, ONE_PLACE, part("0", "x", headers=[b"x: " + bytes([120]) * MIB])),
        "The form cannot be read: Maximum segment header length exceeded",
    ),
    "larger than said": (
        request(ONE, ONE_PLACE, part("0", LARGE, headers=[b"Content-Length: 5"])),
        "The form cannot be read: Segment Content-Length exceeded",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_refused(fault: str) -> None:
    parts, message = FAULTS[fault]
    status, told_of_it = await send(*parts)
    assert status == 400
    assert message in told_of_it


NO_OBJECT: Final = "The map must be a JSON object"
NO_PATHS: Final = "The file '0' must have a list of paths"
TWICE: Final = "The path 'variables.file' is in the map twice"
NOT_IN_MAP: Final = "The file '0' is not in the map, or came twice"


@pytest.mark.parametrize(
    ("file_map", "message"),
    [
        ("null", NO_OBJECT),
        ("[]", NO_OBJECT),
        ('[["variables.file"]]', NO_OBJECT),
        ('"0"', NO_OBJECT),
        ('{"0": null}', NO_PATHS),
        ('{"0": []}', NO_PATHS),
        ('{"0": "variables.file"}', NO_PATHS),
        ('{"0": {"a": "b"}}', NO_PATHS),
        ('{"0": ["variables.file", 1]}', NO_PATHS),
        ('{"0": [["variables", "file"]]}', NO_PATHS),
        ('{"0": ["variables.file", "variables.file"]}', TWICE),
        ('{"0": ["variables.file"], "1": ["variables.file"]}', TWICE),
        ("{}", NOT_IN_MAP),
        ('{"1": ["variables.file"]}', NOT_IN_MAP),
        (
            '{"0": ["variables.file"], "1": ["variables.x.0"]}',
            "The path 'variables.x.0' leads nowhere",
        ),
    ],
)
async def test_a_malformed_map_is_refused(file_map: str, message: str) -> None:
    parts = [part("operations", json.dumps(ONE)), part("map", file_map), A]
    assert await send(*parts) == (400, message)


PLACES: Final = {
    "query": None,
    "extensions": {"file": None},
    "operationName": "A",
    "variables": {
        "file": None,
        "name": "Ada",
        "files": [None, None],
        "none": [],
        "": None,
        "a.b": None,
    },
}


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "file",
        "variables",
        "query",
        "extensions.file",
        "Variables.file",
        "0.variables.file",
    ],
)
async def test_a_path_must_lead_to_a_variable(path: str) -> None:
    status, told_of_it = await send(*request(PLACES, {"0": [path]}, A))
    assert status == 400
    assert told_of_it == f"The path {path!r} does not lead to a variable"


@pytest.mark.parametrize(
    "path",
    [
        "variables.other",
        "variables.file.0",
        "variables.file.length",
        "variables.name.0",
        "variables.files.2",
        "variables.files.-1",
        "variables.files.+1",
        "variables.files.00",
        "variables.files.1.0",
        "variables.files. 1",
        "variables.files.\u0661",
        "variables.files.1e0",
        "variables.files.length",
        "variables.files.",
        "variables.files." + "9" * 5000,
        "variables.none.0",
        "variables..",
        "variables.a.b",
        "variables.__proto__",
        "variables.__proto__.polluted",
        "variables.constructor.prototype.polluted",
        "variables.__class__.__init__",
        "variables.file.__class__",
        "variables.files.__len__",
        "variables." + "a." * 100_000,
    ],
    ids=lambda path: path[:40],
)
async def test_a_path_must_lead_somewhere(path: str) -> None:
    status, told_of_it = await send(*request(PLACES, {"0": [path]}, A))
    assert status == 400
    assert told_of_it.endswith("leads nowhere")
    assert len(told_of_it) < 200


@pytest.mark.parametrize(
    "path", ["variables.name", "variables.files", "variables.none"]
)
async def test_a_path_must_lead_to_null(path: str) -> None:
    status, told_of_it = await send(*request(PLACES, {"0": [path]}, A))
    assert status == 400
    assert told_of_it == f"The path {path!r} leads to a value that is not null"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("variables.file", "does not lead to a variable"),
        ("0.variables", "does not lead to a variable"),
        ("0.query.file", "does not lead to a variable"),
        ("1.variables.file", "leads nowhere"),
        ("-1.variables.file", "leads nowhere"),
        ("a.variables.file", "leads nowhere"),
    ],
)
async def test_a_path_of_a_batch_begins_with_the_operation(
    path: str, reason: str
) -> None:
    status, told_of_it = await send(*request([ONE], {"0": [path]}, A))
    assert status == 400
    assert told_of_it == f"The path {path!r} {reason}"


async def test_a_form_needs_a_boundary() -> None:
    headers = [(b"content-type", b"multipart/form-data")]
    response = await http_request(
        make_app(), "POST", "/graphql", headers=headers, content=b"x"
    )
    assert response.status == 400
    assert response.json() == "The content type must have one boundary"


async def test_there_are_at_most_so_many_files() -> None:
    parts = request(
        {"variables": {"files": [None] * 3}},
        {str(number): [f"variables.files.{number}"] for number in range(3)},
        *[part(str(number), "x") for number in range(3)],
    )
    for most in 3, None:
        status, _ = await send(*parts, app=make_app(max_files=most))
        assert status == 200
    status, told_of_it = await send(*parts, app=make_app(max_files=2))
    assert (status, told_of_it) == (400, "There are more than 2 files")


@pytest.mark.parametrize("name", ["operations", "map"])
async def test_the_json_has_at_most_so_many_bytes(name: str) -> None:
    texts = {"operations": "{}", "map": "{}", name: "{" + " " * 98 + "}"}
    parts = [part(key, text) for key, text in texts.items()]
    for most in 100, None:
        status, _ = await send(*parts, app=make_app(max_text=most))
        assert status == 200
    status, told_of_it = await send(*parts, app=make_app(max_text=99))
    assert status == 413
    assert told_of_it == f"The part {name!r} is longer than 99 bytes"


async def test_a_request_has_at_most_so_many_bytes() -> None:
    parts = request(ONE, ONE_PLACE, part("0", LARGE))
    most = len(form(*parts))
    for limit in most, None:
        status, _ = await send(*parts, app=make_app(max_bytes=limit))
        assert status == 200
    status, told_of_it = await send(*parts, app=make_app(max_bytes=most - 1))
    assert status == 413
    assert told_of_it == f"The request is longer than {most - 1} bytes"


async def test_a_request_that_is_announced_to_be_too_large_is_not_read() -> None:
    headers = [FORM, (b"content-length", b"%d" % (16 * MIB + 1))]
    async with http_stream(
        make_app(), "POST", "/graphql", headers=headers, content=None
    ) as stream:
        await stream.started()
        assert stream.status == 413


async def test_a_form_that_ends_too_soon_is_refused_wherever_it_ends() -> None:
    body = form(*request(ONE, ONE_PLACE, part("0", "alpha", filename="a")))
    app = make_app()
    for end in range(len(body) - len(b"\r\n")):
        status, _ = await send(app=app, body=body[:end])
        assert status == 400


async def test_a_large_file_that_ends_too_soon_is_gone() -> None:
    body = opened(*request(ONE, ONE_PLACE, part("0", LARGE)))
    status, told_of_it = await send(body=body)
    assert status == 400
    assert "The form cannot be read" in told_of_it


@pytest.mark.parametrize("arrived", [100, len(LARGE), 3 * len(LARGE)])
async def test_a_client_that_leaves_in_the_middle_leaves_nothing(arrived: int) -> None:
    ended = asyncio.Event()
    left: list[type[BaseException]] = []

    async def upload(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        try:
            async with reading(content):
                return 200
        except BaseException as error:
            left.append(type(error))
            raise
        finally:
            ended.set()

    app = Application()
    app.http_router.add({"POST"}, "/graphql", upload)
    body = opened(*request(ONE, ONE_PLACE, part("0", LARGE * 4)))[: arrived + 600]
    async with http_stream(
        app, "POST", "/graphql", headers=[FORM], content=None
    ) as stream:
        for start in range(0, len(body), MEMORY):
            await stream.upload(body[start : start + MEMORY])
        stream.leave()
        await ended.wait()
    assert left == [HttpDisconnectError]


async def test_a_task_that_is_cancelled_leaves_nothing() -> None:
    reached = asyncio.Event()

    async def content() -> AsyncGenerator[bytes]:
        yield opened(*request(ONE, ONE_PLACE, part("0", LARGE)))
        yield LARGE
        reached.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async with reading(content()):
            pass

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("content", [b"alpha", LARGE], ids=["small", "large"])
async def test_what_goes_wrong_with_the_files_leaves_none(content: bytes) -> None:
    kept: list[Upload] = []

    async def fail(value: Any) -> object:
        kept.append(value["variables"]["file"])
        raise RequestError("not today")

    answer = await send(
        *request(ONE, ONE_PLACE, part("0", content)), app=make_app(fail)
    )
    assert answer == (400, "not today")
    with pytest.raises(ValueError, match="until its operation has ended"):
        await kept[0].read()


async def test_large_files_take_no_memory() -> None:
    size = 32 * MIB
    piece = b"x" * MEMORY

    async def content() -> AsyncGenerator[bytes]:
        yield opened(*request(ONE, ONE_PLACE)) + b"--" + BOUNDARY + b"\r\n"
        yield part("0", "")
        for _ in range(size // MEMORY):
            yield piece
        yield b"\r\n--" + BOUNDARY + b"--\r\n"

    tracemalloc.start()
    try:
        async with reading(content()) as value:
            upload: Upload = value["variables"]["file"]
            assert upload.size == size
            read = 0
            async for chunk in upload:
                read += len(chunk)
            assert read == size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MIB


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (b"graphql-require-preflight", b"1", True),
        (b"apollo-require-preflight", b"true", True),
        (b"x-apollo-operation-name", b"Upload", True),
        (b"graphql-require-preflight", b"", False),
        (b"graphql-require-preflight", b" ", False),
        (b"x-requested-with", b"XMLHttpRequest", False),
        (b"content-type", b"graphql-require-preflight", False),
    ],
)
def test_a_header_tells_that_the_browser_asked_before(
    name: bytes,
    value: bytes,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert has_preflight([(b"host", b"localhost"), (name, value)]) is expected
    assert has_preflight([]) is False
