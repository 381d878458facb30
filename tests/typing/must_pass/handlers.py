"""Every shape of handler, response and registration."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from bareasgi import (
    Application,
    Body,
    Content,
    FullHttpResponse,
    Header,
    Headers,
    HttpHandler,
    HttpRequestCallback,
    HttpResponse,
    Info,
    Message,
    Push,
    Pushes,
    PushResponse,
    PushResponses,
    RouteMatches,
    Scope,
    after_body,
    bytes_reader,
    bytes_response,
    bytes_writer,
    json_response,
    text_reader,
    text_response,
    text_writer,
)

app = Application()
headers: Headers = [(b"x-a", b"1")]
header: Header = (b"x-a", b"1")
push: Push = ("/style.css", headers)
older_push: PushResponse = push
pushes: Pushes = [push]
older_pushes: PushResponses = pushes


# Every length of response.


@app.on_http_request({"GET"}, "/int")
async def only_int(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


@app.on_http_request({"GET"}, "/enum")
async def only_enum(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return HTTPStatus.NO_CONTENT


@app.on_http_request({"GET"}, "/one")
async def one(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return (204,)


@app.on_http_request({"GET"}, "/two")
async def two(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    if "none" in matches:
        return HTTPStatus.OK, None
    return 200, [(b"x-a", b"1")]


@app.on_http_request({"GET"}, "/three")
async def three(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    if "none" in matches:
        return 200, None, None
    return 200, [(b"x-a", b"1")], text_writer("x")


@app.on_http_request({"GET"}, "/four")
async def four(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    if "none" in matches:
        return 200, None, None, None
    return 200, [header], bytes_writer(b"x"), [("/a", [(b"x-a", b"1")])]


@app.on_http_request({"GET"}, "/shared")
async def shared(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, headers, text_writer("x"), pushes


# A handler may promise one shape of response.


@app.on_http_request({"GET"}, "/narrow")
async def narrow(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> int:
    return 204


@app.on_http_request({"GET"}, "/pair")
async def pair(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> tuple[int, list[tuple[bytes, bytes]]]:
    return 200, [(b"x-a", b"1")]


# It may name wider types, and other names.


@app.on_http_request({"GET"}, "/wide")
async def wide(
    scope: MutableMapping[str, Any],
    info: Mapping[str, Any],
    matches: Mapping[str, Any],
    content: AsyncIterable[bytes],
) -> HttpResponse:
    return 204


@app.on_http_request({"GET"}, "/underscores")
async def underscores(
    _scope: Scope, _info: Info, _matches: RouteMatches, _content: Content
) -> HttpResponse:
    return 204


@app.on_http_request({"GET"}, "/any")
async def anything(*args: Any) -> HttpResponse:
    return 204


# Any callable will do.


class Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        self.count += 1
        return 200, None, text_writer(str(self.count))

    async def method(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer(str(self.count))


counter = Counter()
app.http_router.add({"GET"}, "/object", counter)
app.http_router.add({"GET"}, "/method", counter.method)
app.http_router.add(["GET", "POST"], "/list", shared)
app.http_router.add(("GET",), "/tuple", shared, name="tuple")
app.http_router.add((method for method in ("GET", "POST")), "/generator", shared)
app.on_http_request(frozenset({"GET"}), "/decorated", name="decorated")(shared)
path: str = app.url_for("tuple", id=5)

# The decorator keeps the function's own type.
same: HttpHandler = only_int
older: HttpRequestCallback = only_int
not_found: HttpResponse = 404
app.http_router.not_found_response = 404, None, text_writer("Nothing here")
other = Application(not_found_response=not_found)


# Bodies and readers.


async def chunks() -> AsyncIterator[bytes]:
    yield b"a"


class Lines:
    """A body that can be read again and again."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a"


body: Body = chunks()
line_body: Body = Lines()
known: Body = bytes_writer(bytearray(b"x"), 2)
view: Body = bytes_writer(memoryview(b"x"), chunk_size=2)
text: Body = text_writer("x", "latin-1", chunk_size=1)


@app.on_http_request({"POST"}, "/echo")
async def echo(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, content


@app.on_http_request({"POST"}, "/read")
async def read(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    if "text" in matches:
        string: str = await text_reader(content, "latin-1", max_bytes=None)
        return 200, None, text_writer(string)
    whole: bytes = await bytes_reader(content, max_bytes=10)
    async for chunk in content:
        whole += chunk
    return 200, None, after_body(bytes_writer(whole), lambda: None)


# Responses in one call.


@app.on_http_request({"GET"}, "/responses")
async def responses(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    full: FullHttpResponse = json_response(200, None, {"a": 1}, chunk_size=10)
    if "text" in matches:
        return text_response(200, [(b"x-a", b"1")], "x", content_type=b"text/html")
    if "bytes" in matches:
        return bytes_response(HTTPStatus.OK, headers, b"x", pushes=pushes)
    if "dumps" in matches:
        return json_response(200, None, object(), dumps=str)
    return full


# Lifespan.


@app.on_startup
async def start(scope: Scope, info: Info, request: Message) -> None:
    info["db"] = object()


@app.on_shutdown
async def stop(scope: Scope, info: Info, request: Message) -> None:
    del info["db"]


app.startup_handlers.append(start)
app.shutdown_handlers.insert(0, stop)
