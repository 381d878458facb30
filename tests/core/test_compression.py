"""Responses are compressed for those who want it, and are otherwise as they were."""

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Callable
from time import process_time
from typing import Any, Self

import brotli
import pytest
from backports import zstd

from bareasgi import (
    Application,
    Content,
    Header,
    HttpError,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    after_body,
    bytes_writer,
    mw,
    text_writer,
)
from bareasgi.compression import (
    CompressionMiddleware,
    Compressor,
    compression_writer,
    compression_writer_adapter,
    make_br_compressobj,
    make_compress_compressobj,
    make_default_compression_middleware,
    make_deflate_compressobj,
    make_gzip_compressobj,
    make_zstd_compressobj,
)
from bareasgi.extensions import with_path, with_trailers
from bareasgi.testing import Response, http_request, http_stream

LIMIT = 2.0  # seconds
CHUNKS = 20_000

TEXT = b"<p>All work and no play</p>\n" * 100
HTML = [(b"content-type", b"text/html")]

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompress(data, 31),
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}
MAKE: dict[str, Callable[[], Compressor]] = {
    "gzip": make_gzip_compressobj,
    "deflate": make_deflate_compressobj,
    "br": make_br_compressobj,
    "zstd": make_zstd_compressobj,
}
each_coding = pytest.mark.parametrize("coding", list(DECODE))


def incremental(coding: str) -> Callable[[bytes], bytes]:
    """Make what decodes a stream, piece by piece."""
    decoders: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
        "gzip": lambda: zlib.decompressobj(31).decompress,
        "deflate": lambda: zlib.decompressobj().decompress,
        "br": lambda: brotli.Decompressor().process,
        "zstd": lambda: zstd.ZstdDecompressor().decompress,
    }
    return decoders[coding]()


def returning(
    body: Any,
    headers: Any = HTML,
    status: int = 200,
    *,
    pushes: Any = None,
    middleware: Any = None,
) -> Application:
    """Make an application that answers every request with this, compressed."""

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return status, headers, body, pushes

    app = Application(middlewares=[middleware or make_default_compression_middleware()])
    app.http_router.add({"GET"}, "/", answer)
    return app


async def get(
    app: Application, accepted: str | None = "gzip", method: str = "GET", **fields: str
) -> Response:
    headers = [] if accepted is None else [(b"accept-encoding", accepted.encode())]
    headers += [(n.replace("_", "-").encode(), v.encode()) for n, v in fields.items()]
    return await http_request(app, method, "/", headers=headers)


def values(response: Response, wanted: bytes) -> list[bytes]:
    return [value for name, value in response.headers if name == wanted]


class Tape:
    """A body that tells what happened to it."""

    def __init__(self, *chunks: Any, error: Exception | None = None) -> None:
        self.chunks = [*chunks]
        self.error = error
        self.asked = 0
        self.closed = 0

    def __aiter__(self) -> "Tape":
        return self

    async def __anext__(self) -> Any:
        self.asked += 1
        if self.chunks:
            return self.chunks.pop(0)
        if self.error is not None:
            raise self.error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1


# What is in memory.


@each_coding
async def test_bytes_in_memory_are_compressed_whole(coding: str) -> None:
    response = await get(returning(bytes_writer(TEXT)), coding)
    assert DECODE[coding](response.body) == TEXT
    assert len(response.body) < len(TEXT) / 4
    assert len(response.messages) == 2
    assert values(response, b"content-encoding") == [coding.encode()]
    assert values(response, b"content-length") == [b"%d" % len(response.body)]
    assert values(response, b"vary") == [b"accept-encoding"]


@each_coding
async def test_a_body_larger_than_any_window_comes_through(coding: str) -> None:
    data = random.Random(1).randbytes(300_000) * 3  # noqa: S311 - the same in every run
    response = await get(returning(bytes_writer(data)), coding)
    assert DECODE[coding](response.body) == data


async def test_a_body_may_be_used_by_many_responses() -> None:
    app = returning(bytes_writer(TEXT))
    for accepted in ("gzip", "br", "gzip", "identity"):
        response = await get(app, accepted)
        decode = DECODE.get(accepted, bytes)
        assert decode(response.body) == TEXT


async def test_what_waits_for_the_end_of_the_response_is_called_once() -> None:
    called: list[str] = []
    body = after_body(bytes_writer(TEXT), lambda: called.append("over"))
    response = await get(returning(body))
    assert DECODE["gzip"](response.body) == TEXT
    assert len(response.messages) == 2
    assert called == ["over"]


class Others:
    """What else there is to do. Tells for how long it was kept from it, and in all."""

    async def __aenter__(self) -> Self:
        self.longest = 0.0
        self.began = process_time()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.all = process_time() - self.began
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            before = process_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, process_time() - before)


# Six megabytes that keep gzip busy for some tenths of a second.
SLOW = random.Random(2).randbytes(3_000_000).hex().encode()  # noqa: S311 - no secret
SLOWLY = {b"gzip": lambda: zlib.compressobj(9, zlib.DEFLATED, 31)}


async def test_a_long_body_lets_others_have_their_turn() -> None:
    app = returning(bytes_writer(SLOW), middleware=CompressionMiddleware(SLOWLY))
    async with Others() as others:
        response = await get(app)
    # 92 pieces, and each may be followed by a turn.
    assert others.longest < others.all / 4
    assert DECODE["gzip"](response.body) == SLOW


# Streams.


@each_coding
async def test_each_chunk_can_be_decoded_when_it_arrives(coding: str) -> None:
    go_on = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"data: one\n\n"
        yield b"data: two\n\n"
        await go_on.wait()
        yield b"data: three\n\n"

    app = returning(events(), [(b"content-type", b"text/event-stream")])
    accepted = [(b"accept-encoding", coding.encode())]
    decode = incremental(coding)
    async with http_stream(app, "GET", "/", headers=accepted) as stream:
        assert decode(await stream.chunk()) == b"data: one\n\n"
        assert decode(await stream.chunk()) == b"data: two\n\n"
        # The third waits, and the first two are here.
        go_on.set()
        assert decode(await stream.chunk()) == b"data: three\n\n"
        await stream.chunk()
        await stream.finished()
        assert values(stream, b"content-encoding") == [coding.encode()]
        assert values(stream, b"content-length") == []
        assert (
            DECODE[coding](stream.body) == b"data: one\n\ndata: two\n\ndata: three\n\n"
        )


@each_coding
async def test_no_chunk_is_asked_for_before_the_last_was_sent(coding: str) -> None:
    body = Tape(b"a", b"b")
    accepted = [(b"accept-encoding", coding.encode())]
    async with http_stream(returning(body), "GET", "/", headers=accepted) as stream:
        await stream.blocked()
        assert body.asked == 1
        await stream.chunk()
        await stream.blocked()
        assert body.asked == 2
        assert [chunk async for chunk in stream]
        await stream.finished()
    assert body.asked == 3


@each_coding
@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [b"", b"a", b"", b"", b"b"],
        [bytearray(b"a"), memoryview(b"bc"), bytearray()],
        [memoryview(b"abcd").cast("I")],
        [b"x" * 200_000, b"y" * 70_000],
    ],
    ids=["none", "empty", "some empty", "other types", "words", "long"],
)
async def test_a_stream_of_any_chunks_comes_through(
    coding: str, chunks: list[Any]
) -> None:
    response = await get(returning(Tape(*chunks)), coding)
    assert DECODE[coding](response.body) == b"".join(bytes(each) for each in chunks)


@each_coding
async def test_an_empty_chunk_is_skipped(coding: str) -> None:
    response = await get(returning(Tape(b"", b"a", b"", b"")), coding)
    # The chunk, and what ends the coding.
    assert len(response.chunks) == 2


async def test_a_chunk_of_a_wrong_type_cuts_the_response() -> None:
    body: Any = Tape(b"a", "text")
    with pytest.raises(TypeError, match="bytes-like object is required"):
        await get(returning(body))
    assert body.closed == 1


async def test_a_long_chunk_lets_others_have_their_turn() -> None:
    app = returning(Tape(SLOW), middleware=CompressionMiddleware(SLOWLY))
    async with Others() as others:
        response = await get(app)
    assert others.longest < others.all / 4
    assert DECODE["gzip"](response.body) == SLOW


async def test_20_000_chunks_take_time_in_proportion() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(CHUNKS):
            yield b"x"

    app = returning(stream())
    began = process_time()
    async with http_stream(
        app, "GET", "/", headers=[(b"accept-encoding", b"gzip")], buffer=None
    ) as response:
        await response.finished()
        assert process_time() - began < LIMIT
    assert DECODE["gzip"](response.body) == b"x" * CHUNKS


async def test_trailers_are_sent_after_a_compressed_body() -> None:
    body = with_trailers(Tape(b"a" * 1_000), lambda: [(b"x-sum", b"1")])
    response = await http_request(
        returning(body),
        "GET",
        "/",
        headers=[(b"accept-encoding", b"gzip"), (b"te", b"trailers")],
        scope={"extensions": {"http.response.trailers": {}}},
    )
    assert DECODE["gzip"](response.body) == b"a" * 1_000
    [trailers] = [
        message["headers"]
        for message in response.messages
        if message["type"] == "http.response.trailers"
    ]
    assert trailers == [(b"x-sum", b"1")]


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_the_server_sends_a_file_by_itself_only_uncompressed(
    accepted: str,
) -> None:
    body = with_path(Tape(TEXT), "/somewhere/page.html")
    response = await http_request(
        returning(body),
        "GET",
        "/",
        headers=[(b"accept-encoding", accepted.encode())],
        scope={"extensions": {"http.response.pathsend": {}}},
    )
    types = {message["type"] for message in response.messages}
    assert ("http.response.pathsend" in types) == (accepted == "identity")


# The end of a body.


async def test_a_stream_is_closed_once_at_its_end() -> None:
    body = Tape(b"a", b"b")
    await get(returning(body))
    assert body.closed == 1


async def test_a_stream_that_fails_is_closed_once_and_cut() -> None:
    body = Tape(b"a", error=LookupError("no more"))
    with pytest.raises(LookupError, match="no more"):
        await get(returning(body))
    assert body.closed == 1


async def test_a_stream_is_closed_once_when_the_client_leaves() -> None:
    body = Tape(b"a", b"b", b"c")
    accepted = [(b"accept-encoding", b"gzip")]
    async with http_stream(returning(body), "GET", "/", headers=accepted) as stream:
        await stream.chunk()
    assert body.closed == 1


async def test_a_sleeping_stream_is_cancelled_when_the_client_leaves() -> None:
    is_asleep = asyncio.Event()
    ended: list[str] = []

    async def sleep() -> AsyncIterator[bytes]:
        try:
            is_asleep.set()
            await asyncio.Event().wait()
            yield b""
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    accepted = [(b"accept-encoding", b"gzip")]
    async with http_stream(returning(sleep()), "GET", "/", headers=accepted):
        await is_asleep.wait()
    assert ended == ["cancelled"]


async def test_an_iterable_and_its_iterator_are_each_closed_once() -> None:
    class Source:
        def __init__(self) -> None:
            self.closed = 0
            self.tape = Tape(b"a")

        def __aiter__(self) -> Tape:
            return self.tape

        async def aclose(self) -> None:
            self.closed += 1

    body = Source()
    await get(returning(body))
    assert (body.closed, body.tape.closed) == (1, 1)


async def test_a_compressor_that_fails_leaves_no_body_open() -> None:
    class Broken:
        def __init__(self) -> None:
            self.is_tried = False

        def compress(self, data: bytes, /) -> bytes:
            raise LookupError("broken")

        def flush(self, mode: int = 4, /) -> bytes:
            raise LookupError("broken")

    middleware = CompressionMiddleware({b"gzip": Broken})
    called: list[str] = []
    body = after_body(bytes_writer(TEXT), lambda: called.append("over"))
    response = await get(returning(body, middleware=middleware))
    assert response.status == 500
    assert called == ["over"]


async def test_a_maker_that_fails_later_leaves_no_stream_open() -> None:
    made = 0

    def make() -> Compressor:
        nonlocal made
        made += 1
        if made > 1:
            raise LookupError("no more of them")
        return make_gzip_compressobj()

    body = Tape(TEXT)
    middleware = CompressionMiddleware({b"gzip": make})
    response = await get(returning(body, middleware=middleware))
    assert response.status == 500
    assert (body.asked, body.closed) == (0, 1)


async def test_headers_that_make_no_sense_leave_no_stream_open() -> None:
    body = Tape(TEXT)
    response = await get(returning(body, [(b"etag", 1)]))
    assert response.status == 500
    assert (body.asked, body.closed) == (0, 1)


async def test_headers_that_make_no_sense_need_no_body() -> None:
    response = await get(returning(None, [(b"vary", 1)], 304))
    assert response.status == 500


# What is asked for.


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", b"gzip"),
        ("x-gzip", b"gzip"),
        ("deflate, gzip", b"gzip"),
        ("gzip, deflate, br", b"br"),
        ("gzip, deflate, br, zstd", b"zstd"),
        ("gzip;q=0.9, br;q=0.8, zstd;q=0.1", b"gzip"),
        ("*", b"zstd"),
        ("zstd;q=0, *", b"br"),
        ("deflate;q=0.5, *;q=0", b"deflate"),
        ("identity;q=0, gzip;q=0.1", b"gzip"),
        ("gzip;q=2, deflate", b"deflate"),
    ],
)
async def test_the_coding_is_the_one_the_client_likes_best(
    accepted: str, expected: bytes
) -> None:
    response = await get(returning(bytes_writer(TEXT)), accepted)
    assert values(response, b"content-encoding") == [expected]


@pytest.mark.parametrize(
    "accepted", [None, "", "identity", "gzip;q=0", "compress", "identity, gzip;q=0.5"]
)
async def test_a_client_that_wants_none_gets_the_very_body(
    accepted: str | None,
) -> None:
    stream = Tape(TEXT)
    for body in (bytes_writer(TEXT), stream):
        response = await get(returning(body), accepted)
        assert response.body == TEXT
        assert values(response, b"content-encoding") == []
        assert values(response, b"vary") == [b"accept-encoding"]
    assert stream.closed == 1


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize("kind", [b"text/html", b"image/png"])
@pytest.mark.parametrize(
    "accepted", ["identity;q=0", "*;q=0", "gzip;q=0, *;q=0", "compress, identity;q=0"]
)
async def test_what_is_not_acceptable_is_a_406(
    accepted: str, size: int, kind: bytes
) -> None:
    called: list[str] = []
    for body in (Tape(b"x" * size), bytes_writer(b"x" * size)):
        observed = after_body(body, lambda: called.append("over"))
        app = returning(observed, [(b"content-type", kind), (b"x-secret", b"1")])
        response = await get(app, accepted)
        assert response.status == 406
        assert response.text == "Not Acceptable"
        assert response.headers == [
            (b"content-type", b"text/plain"),
            (b"vary", b"accept-encoding"),
            (b"content-length", b"14"),
        ]
    assert called == ["over", "over"]


async def test_a_body_that_is_not_acceptable_is_closed_unread() -> None:
    body = Tape(TEXT)
    response = await get(returning(body), "*;q=0")
    assert response.status == 406
    assert (body.asked, body.closed) == (0, 1)


async def test_who_refuses_identity_gets_even_what_is_small_in_a_coding() -> None:
    for kind in (b"text/html", b"image/png"):
        app = returning(bytes_writer(b"small"), [(b"content-type", kind)])
        response = await get(app, "gzip, identity;q=0")
        assert DECODE["gzip"](response.body) == b"small"


# What is compressed, and what is not.


@pytest.mark.parametrize("status", [200, 201, 202, 203, 207, 226])
async def test_successful_responses_are_compressed(status: int) -> None:
    response = await get(returning(bytes_writer(TEXT), status=status))
    assert values(response, b"content-encoding") == [b"gzip"]


@pytest.mark.parametrize("status", [204, 205, 206, 301, 400, 404, 416, 500, 503])
async def test_others_are_left_alone(status: int) -> None:
    headers = [*HTML, (b"etag", b'"1"')]
    response = await get(returning(bytes_writer(TEXT), headers, status=status))
    length = [] if status == 204 else [(b"content-length", b"2800")]
    assert response.headers == [*headers, *length]


async def test_a_not_found_is_left_alone() -> None:
    app = returning(bytes_writer(TEXT))
    response = await http_request(
        app, "GET", "/nowhere", headers=[(b"accept-encoding", b"gzip")]
    )
    assert (response.status, response.text) == (404, "Not Found")


async def test_an_exception_passes_through() -> None:
    async def fail(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise HttpError(418, "I'm a teapot")

    app = Application()
    app.http_router.add(
        {"GET"}, "/", mw(make_default_compression_middleware(), handler=fail)
    )
    response = await get(app)
    assert (response.status, response.text) == (418, "I'm a teapot")


@pytest.mark.parametrize("body", [None, bytes_writer(b"")])
@pytest.mark.parametrize("accepted", ["gzip", "gzip, identity;q=0", "*;q=0"])
async def test_where_there_is_no_body_there_is_nothing_to_do(
    body: Any, accepted: str
) -> None:
    app = returning(body, middleware=CompressionMiddleware(DEFAULT, 0))
    response = await get(app, accepted)
    assert response.status == 200
    assert response.headers == [*HTML, (b"content-length", b"0")]


DEFAULT = {b"gzip": make_gzip_compressobj}


@pytest.mark.parametrize(
    "kind",
    [
        b"text/plain",
        b"TEXT/html; charset=utf-8",
        b"text/event-stream",
        b"text/css",
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/javascript",
        b"application/x-javascript",
        b"application/ecmascript",
        b"application/xml",
        b"application/wasm",
        b"application/x-ndjson",
        b"application/vnd.api+json",
        b"application/graphql-response+json; charset=utf-8",
        b"application/xhtml+xml",
        b"application/rss+xml ;charset=utf-8",
        b"image/svg+xml",
        b"image/svg",
        b" text/plain",
        b"",
    ],
)
async def test_text_and_what_is_like_it_is_compressed(kind: bytes) -> None:
    app = returning(bytes_writer(TEXT), [(b"content-type", kind)])
    response = await get(app)
    assert values(response, b"content-encoding") == [b"gzip"]


@pytest.mark.parametrize(
    "kind",
    [
        b"image/png",
        b"image/jpeg",
        b"video/mp4",
        b"audio/ogg",
        b"font/woff2",
        b"application/octet-stream",
        b"application/zip",
        b"application/gzip",
        b"application/pdf",
        b"application/jsonish",
        b"application/x-www-form-urlencoded",
        b"multipart/mixed; boundary=text/plain",
        b"application/octet-stream; name=a.json",
        b"application/octet-stream; name=a/json",
        b"application/zip; x=+json",
    ],
)
async def test_other_types_are_left_alone(kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"2800")]
    response = await get(returning(bytes_writer(TEXT), headers))
    assert response.headers is headers
    assert response.body == TEXT


async def test_a_response_without_a_type_is_compressed() -> None:
    response = await get(returning(bytes_writer(TEXT), []))
    assert values(response, b"content-encoding") == [b"gzip"]
    response = await get(returning(bytes_writer(TEXT), None))
    assert values(response, b"content-encoding") == [b"gzip"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"content-encoding", b"br"),
        (b"content-encoding", b"identity"),
        (b"cache-control", b"no-transform"),
        (b"cache-control", b"public, No-Transform , max-age=60"),
    ],
)
@pytest.mark.parametrize("accepted", ["gzip", "gzip, identity;q=0", "*;q=0"])
async def test_what_must_not_be_changed_is_not(
    name: bytes, value: bytes, accepted: str
) -> None:
    headers = [*HTML, (name, value), (b"content-length", b"2800")]
    response = await get(returning(bytes_writer(TEXT), headers), accepted)
    assert (response.status, response.body) == (200, TEXT)
    assert response.headers is headers


async def test_other_cache_controls_do_not_matter() -> None:
    headers = [*HTML, (b"cache-control", b"no-transformation, no-cache")]
    response = await get(returning(bytes_writer(TEXT), headers))
    assert values(response, b"content-encoding") == [b"gzip"]
    assert values(response, b"cache-control") == [b"no-transformation, no-cache"]


@pytest.mark.parametrize(("size", "expected"), [(511, []), (512, [b"gzip"])])
async def test_small_bodies_in_memory_are_left_alone(
    size: int, expected: list[bytes]
) -> None:
    response = await get(returning(bytes_writer(b"x" * size)))
    assert values(response, b"content-encoding") == expected


async def test_the_real_size_of_bytes_in_memory_counts() -> None:
    headers = [*HTML, (b"content-length", b"5")]
    response = await get(returning(bytes_writer(TEXT), headers))
    assert DECODE["gzip"](response.body) == TEXT
    assert values(response, b"content-length") == [b"%d" % len(response.body)]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (None, [b"gzip"]),
        (b"511", []),
        (b"512", [b"gzip"]),
        (b"0", []),
        (b"9" * 5_000, [b"gzip"]),
        (b"x", [b"gzip"]),
        (b"-1", [b"gzip"]),
        (b"", [b"gzip"]),
    ],
)
async def test_small_streams_are_left_alone(
    length: bytes | None, expected: list[bytes]
) -> None:
    headers = [] if length is None else [(b"content-length", length)]
    app = returning(Tape(), [*HTML, *headers])
    response = await get(app, method="HEAD")
    assert values(response, b"content-encoding") == expected
    assert (values(response, b"content-length") == []) == (expected != [])


async def test_the_minimum_size_can_be_set() -> None:
    body = bytes_writer(b"x" * 10)
    for size, expected in ((10, [b"gzip"]), (11, []), (0, [b"gzip"])):
        for middleware in (
            make_default_compression_middleware(minimum_size=size),
            CompressionMiddleware({b"gzip": make_gzip_compressobj}, size),
        ):
            response = await get(returning(body, middleware=middleware))
            assert values(response, b"content-encoding") == expected


# Headers.


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        ([], [b"accept-encoding"]),
        ([b"origin"], [b"origin, accept-encoding"]),
        ([b"origin", b"cookie"], [b"origin, cookie, accept-encoding"]),
        ([b""], [b"accept-encoding"]),
        ([b"Accept-Encoding"], [b"Accept-Encoding"]),
        ([b"origin,Accept-Encoding"], [b"origin,Accept-Encoding"]),
        ([b"*"], [b"*"]),
        ([b"origin", b"*"], [b"origin", b"*"]),
        ([b"accept-encoding-x"], [b"accept-encoding-x, accept-encoding"]),
    ],
)
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_vary_is_merged(
    vary: list[bytes], expected: list[bytes], accepted: str
) -> None:
    lines = [(b"vary", value) for value in vary]
    response = await get(returning(bytes_writer(TEXT), [*HTML, *lines]), accepted)
    assert values(response, b"vary") == expected


async def test_two_middlewares_compress_once_and_vary_once() -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, HTML, bytes_writer(TEXT)

    app = Application(
        middlewares=[
            make_default_compression_middleware(),
            make_default_compression_middleware(),
        ]
    )
    app.http_router.add({"GET"}, "/", answer)
    for accepted in ("gzip", "identity"):
        response = await get(app, accepted)
        assert DECODE.get(accepted, bytes)(response.body) == TEXT
        assert values(response, b"vary") == [b"accept-encoding"]


@pytest.mark.parametrize(
    ("etag", "expected"),
    [(b'"1"', b'W/"1"'), (b'W/"1"', b'W/"1"'), (b"odd", b"odd")],
)
async def test_a_strong_etag_becomes_a_weak_one(etag: bytes, expected: bytes) -> None:
    app = returning(bytes_writer(TEXT), [*HTML, (b"etag", etag)])
    assert values(await get(app), b"etag") == [expected]
    assert values(await get(app, "identity"), b"etag") == [etag]


async def test_what_is_true_of_the_plain_bytes_only_is_dropped() -> None:
    plain = [
        (b"accept-ranges", b"bytes"),
        (b"content-digest", b"sha-256=:AA==:"),
        (b"content-length", b"2800"),
        (b"content-md5", b"AA=="),
        (b"digest", b"sha-256=AA=="),
        (b"repr-digest", b"sha-256=:AA==:"),
    ]
    others = [(b"x-a", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    response = await get(returning(Tape(TEXT), [*plain, *others]))
    assert response.headers == [
        *others,
        (b"content-encoding", b"gzip"),
        (b"vary", b"accept-encoding"),
    ]
    response = await get(returning(Tape(TEXT), [*plain, *others]), "identity")
    assert response.headers == [*plain, *others, (b"vary", b"accept-encoding")]


@pytest.mark.parametrize("accepted", ["gzip", "identity", "*;q=0"])
async def test_the_list_of_headers_is_never_changed(accepted: str) -> None:
    headers = [*HTML, (b"etag", b'"1"'), (b"vary", b"origin")]
    before = [*headers]
    await get(returning(bytes_writer(TEXT), headers), accepted)
    await get(returning(Tape(TEXT), headers), accepted)
    await get(returning(None, headers, 304), accepted, if_none_match='W/"1"')
    assert headers == before


async def test_pushes_are_kept() -> None:
    pushes: list[tuple[str, list[Header]]] = [("/style.css", [])]
    for body in (bytes_writer(TEXT), Tape(TEXT)):
        response = await http_request(
            returning(body, pushes=pushes),
            "GET",
            "/",
            headers=[(b"accept-encoding", b"gzip")],
            scope={"extensions": {"http.response.push": {}}},
        )
        assert response.pushes == pushes


# HEAD and 304.


@each_coding
async def test_head_has_the_headers_of_get(coding: str) -> None:
    app = returning(bytes_writer(TEXT), [*HTML, (b"etag", b'"1"')])
    expected = await get(app, coding)
    response = await get(app, coding, "HEAD")
    assert response.headers == expected.headers
    assert response.body == b""


async def test_head_of_a_stream_has_the_headers_of_get_and_asks_for_nothing() -> None:
    headers = [*HTML, (b"content-length", b"2800"), (b"etag", b'"1"')]
    expected = await get(returning(Tape(TEXT), headers))
    body = Tape(TEXT)
    response = await get(returning(body, headers), method="HEAD")
    assert response.headers == expected.headers
    assert values(response, b"content-length") == []
    assert (body.asked, body.closed) == (0, 1)


async def test_a_304_varies_as_the_whole_response_did() -> None:
    headers = [(b"etag", b'"1"'), (b"cache-control", b"max-age=60")]
    response = await get(returning(None, headers, 304), if_none_match='W/"1", "2"')
    assert response.headers == [
        (b"etag", b'W/"1"'),
        (b"cache-control", b"max-age=60"),
        (b"vary", b"accept-encoding"),
    ]
    # This client has it as it is.
    response = await get(returning(None, headers, 304), if_none_match='"1"')
    assert response.headers == [*headers, (b"vary", b"accept-encoding")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"content-type", b"image/png"),
        (b"content-encoding", b"br"),
        (b"cache-control", b"no-transform"),
    ],
)
async def test_a_304_of_what_is_never_compressed_is_left_alone(
    name: bytes, value: bytes
) -> None:
    headers = [(b"etag", b'"1"'), (name, value)]
    response = await get(returning(None, headers, 304), if_none_match='W/"1"')
    assert response.headers is headers


# The parts.


async def test_a_body_is_compressed_on_its_way() -> None:
    body = compression_writer_adapter(Tape(b"a", b"b"), make_gzip_compressobj())
    decode = incremental("gzip")
    assert decode(await anext(body)) == b"a"
    assert [decode(chunk) async for chunk in body] == [b"b", b""]
    # There is no second pass.
    assert [chunk async for chunk in body] == []


async def test_to_close_a_compressed_body_closes_the_body() -> None:
    tape = Tape(b"a", b"b")
    body = compression_writer_adapter(tape, make_gzip_compressobj())
    await anext(body)
    await body.aclose()
    await body.aclose()
    assert tape.closed == 1
    assert [chunk async for chunk in body] == []


@pytest.mark.parametrize(("chunk_size", "count"), [(-1, 2), (1_000, 4)])
async def test_bytes_are_compressed_when_they_are_asked_for(
    chunk_size: int, count: int
) -> None:
    body = compression_writer(TEXT, make_gzip_compressobj(), chunk_size)
    chunks = [chunk async for chunk in body]
    assert len(chunks) == count
    assert DECODE["gzip"](b"".join(chunks)) == TEXT


@pytest.mark.parametrize("chunk_size", [0, -2])
def test_a_chunk_has_a_size(chunk_size: int) -> None:
    with pytest.raises(ValueError, match="chunk_size"):
        compression_writer(b"", make_gzip_compressobj(), chunk_size)


async def test_a_compressor_that_cannot_flush_in_between_does_for_bytes() -> None:
    class Plain:
        def __init__(self) -> None:
            self.data = b""

        def compress(self, data: bytes, /) -> bytes:
            self.data += data
            return b""

        def flush(self, mode: int = 4, /) -> bytes:
            assert mode == 4
            return self.data[::-1]

    app = returning(
        text_writer("ab" * 500), middleware=CompressionMiddleware({b"x-mirror": Plain})
    )
    response = await get(app, "x-mirror")
    assert response.text == "ba" * 500


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("coding", list(MAKE))
def test_a_maker_takes_a_level(coding: str, level: int) -> None:
    make: Any = MAKE[coding]
    compressor = make(level)
    data = compressor.compress(TEXT) + compressor.flush()
    assert DECODE[coding](data) == TEXT


def test_the_older_name_makes_the_format_of_zlib() -> None:
    compressor = make_compress_compressobj()
    data = compressor.compress(TEXT) + compressor.flush()
    assert zlib.decompress(data) == TEXT


@pytest.mark.parametrize("coding", list(MAKE))
def test_what_is_compressed_in_pieces_is_whole(coding: str) -> None:
    compressor = MAKE[coding]()
    data = b"".join(
        compressor.compress(TEXT[start : start + 100])
        for start in range(0, len(TEXT), 100)
    )
    assert DECODE[coding](data + compressor.flush()) == TEXT


# What a developer gets wrong.


@pytest.mark.parametrize("name", [b"GZIP", b"gz ip", b"", b"identity", b"gzip\n"])
def test_a_coding_has_a_name_in_lower_case(name: bytes) -> None:
    with pytest.raises(ValueError, match="is not the name of a coding"):
        CompressionMiddleware({name: make_gzip_compressobj})


def test_there_must_be_a_coding() -> None:
    with pytest.raises(ValueError, match="at least one coding"):
        CompressionMiddleware({})


def test_a_size_is_not_negative() -> None:
    with pytest.raises(ValueError, match="minimum_size must not be negative: -1"):
        make_default_compression_middleware(minimum_size=-1)


def test_a_maker_is_tried_at_once() -> None:
    compressor: Any = make_gzip_compressobj()
    with pytest.raises(TypeError):
        CompressionMiddleware({b"gzip": compressor})


async def test_makers_that_change_later_change_nothing() -> None:
    makers: dict[bytes, Callable[[], Compressor]] = {b"gzip": make_gzip_compressobj}
    middleware = CompressionMiddleware(makers)
    makers.clear()
    response = await get(returning(bytes_writer(TEXT), middleware=middleware))
    assert DECODE["gzip"](response.body) == TEXT


async def test_other_middlewares_may_stand_around_it() -> None:
    seen: list[bytes] = []

    async def look(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        status, headers, body, pushes = await handler(scope, info, matches, content)
        seen.extend(name for name, _ in headers)
        return status, headers, body, pushes

    app = returning(bytes_writer(TEXT))
    app.middlewares.insert(0, look)
    response = await get(app)
    assert DECODE["gzip"](response.body) == TEXT
    assert b"content-length" in seen
