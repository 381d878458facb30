"""Compressed content is decompressed as it is read, however much it stands for."""

import asyncio
import random
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from gzip import compress as gzip
from time import process_time
from typing import Any

import brotli
import pytest
from backports import zstd

from bareasgi import (
    Application,
    Content,
    ContentTooLarge,
    Header,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_writer,
    text_writer,
)
from bareasgi.compression import (
    DecompressionMiddleware,
    Decompressor,
    compression_reader,
    compression_reader_adapter,
    make_br_decompressobj,
    make_compress_decompressobj,
    make_default_decompression_middleware,
    make_deflate_decompressobj,
    make_gzip_decompressobj,
    make_zstd_decompressobj,
)
from bareasgi.testing import Response, http_request, http_stream

LIMIT = 2.0  # seconds
MEBIBYTE = 1024 * 1024

TEXT = b"All work and no play makes Jack a dull boy\n" * 100

ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
MAKE: dict[str, Callable[[], Decompressor]] = {
    "gzip": make_gzip_decompressobj,
    "deflate": make_deflate_decompressobj,
    "br": make_br_decompressobj,
    "zstd": make_zstd_decompressobj,
}
each_coding = pytest.mark.parametrize("coding", list(ENCODE))


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def echo(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, bytes_writer(await bytes_reader(content))


def app_of(handler: Any = echo, middleware: Any = None) -> Application:
    app = Application(
        middlewares=[middleware or make_default_decompression_middleware()]
    )
    app.http_router.add({"GET", "POST"}, "/", handler)
    return app


async def post(app: Application, content: Any, *codings: str) -> Response:
    headers = [(b"content-encoding", coding.encode()) for coding in codings]
    if isinstance(content, bytes):
        headers.append((b"content-length", b"%d" % len(content)))
    return await http_request(app, "POST", "/", headers=headers, content=content)


@each_coding
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_content_is_decompressed(coding: str, size: int) -> None:
    chunks = pieces(ENCODE[coding](TEXT), size)
    response = await post(app_of(), chunks, coding)
    assert (response.status, response.body) == (200, TEXT)


@each_coding
async def test_what_becomes_large_comes_in_pieces(coding: str) -> None:
    sizes: list[int] = []

    async def measure(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async for piece in content:
            sizes.append(len(piece))
            assert set(piece) == {0}
        return 204

    data = ENCODE[coding](bytes(MEBIBYTE))
    response = await post(app_of(measure), data, coding)
    assert response.status == 204
    assert sum(sizes) == MEBIBYTE
    # brotli takes the limit as a hint.
    assert max(sizes) <= 128 * 1024


@pytest.mark.parametrize(
    "coding", ["GZIP", "x-gzip", " gzip ", "identity, gzip", ",gzip"]
)
async def test_a_coding_may_be_spelt_in_several_ways(coding: str) -> None:
    response = await post(app_of(), gzip(TEXT), coding)
    assert (response.status, response.body) == (200, TEXT)


@pytest.mark.parametrize("codings", [(), ("identity",), ("",), ("identity", "")])
async def test_content_that_is_not_coded_is_left_alone(codings: tuple[str]) -> None:
    seen: list[Any] = []

    async def look(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        seen.extend((scope, content, await bytes_reader(content)))
        return 204

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await app(scope, receive, send)

    app = app_of(look)
    headers = [(b"content-encoding", coding.encode()) for coding in codings]
    await http_request(asgi, "POST", "/", headers=headers, content=b"plain")
    outer, inner, content, data = seen
    assert inner is outer
    assert type(content).__name__ == "RequestBody"
    assert data == b"plain"


async def test_the_handler_sees_a_scope_without_what_is_not_true_any_more() -> None:
    seen: list[Any] = []

    async def look(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        seen.append(scope)
        return 204

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await app(scope, receive, send)

    app = app_of(look)
    headers: list[Header] = [
        (b"host", b"localhost"),
        (b"content-length", b"20"),
        (b"content-encoding", b"gzip"),
        (b"content-type", b"text/plain"),
    ]
    await http_request(asgi, "POST", "/", headers=headers, content=gzip(b"")[:20])
    outer, inner = seen
    assert inner["headers"] == [headers[0], headers[3]]
    assert outer["headers"] == headers
    assert inner["route"] is outer["route"]


@pytest.mark.parametrize(
    "codings",
    [
        ("lzma",),
        ("compress",),
        ("gzip, gzip",),
        ("gzip", "br"),
        ("gzip;q=1",),
        ("\xff",),
        ("gzip " * 1_000,),
    ],
)
async def test_an_unknown_coding_is_a_415_that_tells_which_are_known(
    codings: tuple[str],
) -> None:
    response = await post(app_of(), gzip(TEXT), *codings)
    assert response.status == 415
    [accepted] = [v for n, v in response.headers if n == b"accept-encoding"]
    assert accepted == b"zstd, br, gzip, deflate"
    assert response.text == "Unsupported Media Type"


async def test_no_bytes_at_all_are_no_content() -> None:
    for content in (b"", [b"", b""]):
        response = await post(app_of(), content, "gzip")
        assert (response.status, response.body) == (200, b"")


# What is malformed.


@each_coding
async def test_content_that_ends_too_early_is_a_400(coding: str) -> None:
    data = ENCODE[coding](TEXT)
    for size in (1, 2, len(data) // 2, len(data) - 1):
        response = await post(app_of(), data[:size], coding)
        assert response.status == 400, size
        assert response.text == "The content is not in the coding that it claims"


@each_coding
@pytest.mark.parametrize("size", [1, 100_000])
async def test_what_stands_behind_the_end_is_a_400(coding: str, size: int) -> None:
    data = ENCODE[coding](TEXT) + b"and then some more"
    response = await post(app_of(), pieces(data, size), coding)
    assert response.status == 400


@each_coding
async def test_what_is_in_no_format_is_a_400(coding: str) -> None:
    for data in (b"plain text, and not little of it", b"\xff" * 100):
        response = await post(app_of(), data, coding)
        assert response.status == 400


@each_coding
async def test_no_damaged_byte_is_a_500(coding: str) -> None:
    data = ENCODE[coding](TEXT)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x55
        response = await post(app_of(), bytes(damaged), coding)
        # Some formats have no checksum, and some bytes no meaning.
        assert response.status in {200, 400}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [1, 5, 100_000])
async def test_several_members_are_one_content(coding: str, size: int) -> None:
    encode = ENCODE[coding]
    data = encode(b"one ") + encode(b"") + encode(b"two ") + encode(TEXT)
    response = await post(app_of(), pieces(data, size), coding)
    assert response.body == b"one two " + TEXT


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_second_member_that_ends_too_early_is_a_400(coding: str) -> None:
    data = ENCODE[coding](TEXT) + ENCODE[coding](TEXT)[:-1]
    response = await post(app_of(), data, coding)
    assert response.status == 400


@pytest.mark.parametrize("coding", ["deflate", "br"])
async def test_other_codings_have_one_member(coding: str) -> None:
    response = await post(app_of(), ENCODE[coding](TEXT) * 2, coding)
    assert response.status == 400


async def test_a_frame_of_zstd_may_be_one_to_be_skipped() -> None:
    skipped = struct.pack("<II", 0x184D2A50, 5) + b"extra"
    response = await post(app_of(), skipped + zstd.compress(TEXT), "zstd")
    assert response.body == TEXT


async def test_a_window_of_zstd_beyond_8_mib_is_a_400() -> None:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 24})
    # Without the size of the whole, which would make the window smaller.
    data = compressor.compress(TEXT) + compressor.flush()
    response = await post(app_of(), data, "zstd")
    assert response.status == 400


# What is too much.


@each_coding
async def test_a_bomb_is_a_413_and_takes_no_memory(coding: str) -> None:
    data = ENCODE[coding](bytes(32 * MEBIBYTE))
    app = app_of()
    tracemalloc.start()
    response = await post(app, data, coding)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (response.status, response.text) == (413, "Content Too Large")
    assert peak < 16 * MEBIBYTE


async def test_a_bomb_that_is_not_kept_takes_little_memory() -> None:
    async def count(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        size = 0
        async for chunk in content:
            size += len(chunk)
        return 200, None, text_writer(str(size))

    data = gzip(bytes(64 * MEBIBYTE))
    app = app_of(count, make_default_decompression_middleware(max_bytes=None))
    tracemalloc.start()
    response = await post(app, data, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.text == str(64 * MEBIBYTE)
    assert peak < 4 * MEBIBYTE


@each_coding
async def test_the_limit_is_met_to_the_byte(coding: str) -> None:
    middleware = make_default_decompression_middleware(max_bytes=5_000)
    app = app_of(middleware=middleware)
    assert (await post(app, ENCODE[coding](b"x" * 5_000), coding)).status == 200
    assert (await post(app, ENCODE[coding](b"x" * 5_001), coding)).status == 413


async def test_the_limit_of_the_reader_counts_too() -> None:
    async def little(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(await bytes_reader(content, max_bytes=100))

    assert (await post(app_of(little), gzip(b"x" * 101), "gzip")).status == 413
    assert (await post(app_of(little), gzip(b"x" * 100), "gzip")).status == 200


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [999, 100_000])
async def test_a_thousand_small_members_are_enough(coding: str, size: int) -> None:
    small, large = ENCODE[coding](b""), ENCODE[coding](random.Random(1).randbytes(300))  # noqa: S311 - no secret
    for content, status in (
        (small * 1_001, 200),
        (small * 1_002, 400),
        (large * 1_002, 200),
        ((large + small) * 1_001, 200),
    ):
        response = await post(app_of(), pieces(content, size), coding)
        assert response.status == status


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_megabyte_of_nothing_takes_next_to_no_time(coding: str) -> None:
    nothing = ENCODE[coding](b"")
    content = nothing * (MEBIBYTE // len(nothing))
    began = process_time()
    assert (await post(app_of(), content, coding)).status == 400
    assert process_time() - began < LIMIT


# RFC 1951, section 3.2.4: stored, of no length.
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"


async def test_an_endless_upload_that_stands_for_nothing_is_a_413() -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        compressor = zlib.compressobj(wbits=31)
        yield compressor.compress(b"x") + compressor.flush(zlib.Z_SYNC_FLUSH)
        while True:
            given += 1
            yield EMPTY_BLOCK * 1_000

    response = await post(app_of(), endless(), "gzip")
    assert response.status == 413
    assert given < 1_000


async def test_a_bomb_in_one_chunk_takes_time_in_proportion() -> None:
    data = gzip(bytes(256 * MEBIBYTE))
    size = 0
    began = process_time()
    reader = compression_reader_adapter(stream([data]), make_gzip_decompressobj())
    async for piece in reader:
        size += len(piece)
    assert size == 256 * MEBIBYTE
    assert process_time() - began < LIMIT * 2


async def test_a_long_content_lets_others_have_their_turn() -> None:
    turns = 0
    is_over = False

    async def others() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            await asyncio.sleep(0)

    data = gzip(bytes(64 * MEBIBYTE))
    task = asyncio.create_task(others())
    reader = compression_reader_adapter(stream([data]), make_gzip_decompressobj())
    began = process_time()
    async for piece in reader:
        del piece
    seconds = process_time() - began
    is_over = True
    await task
    # About every 5 ms. The others took their share of the time too.
    assert turns > seconds / 0.05


# Reading goes on as it would without.


async def test_no_more_is_read_than_is_asked_for() -> None:
    given = 0

    async def upload() -> AsyncIterator[bytes]:
        nonlocal given
        compressor = zlib.compressobj()
        for _ in range(100):
            given += 1
            yield compressor.compress(b"x" * 100) + compressor.flush(zlib.Z_SYNC_FLUSH)

    reader = compression_reader_adapter(upload(), make_deflate_decompressobj())
    assert await anext(reader) == b"x" * 100
    assert given == 1
    assert await anext(reader) == b"x" * 100
    assert given == 2


@each_coding
async def test_each_chunk_is_there_when_it_arrives(coding: str) -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async for piece in content:
            await arrived.put(piece)
        return 204

    parts = {
        "gzip": lambda: zlib.compressobj(wbits=31),
        "deflate": zlib.compressobj,
        "br": brotli.Compressor,
        "zstd": zstd.ZstdCompressor,
    }[coding]()
    compress: Any = parts.process if coding == "br" else parts.compress
    flush: Any = {
        "gzip": lambda: parts.flush(zlib.Z_SYNC_FLUSH),
        "deflate": lambda: parts.flush(zlib.Z_SYNC_FLUSH),
        "br": parts.flush,
        "zstd": lambda: parts.flush(parts.FLUSH_BLOCK),
    }[coding]
    finish: Any = parts.finish if coding == "br" else parts.flush
    async with http_stream(
        app_of(listen),
        "POST",
        "/",
        headers=[(b"content-encoding", coding.encode())],
        content=None,
    ) as upload:
        for text in (b"one", b"two", b"three"):
            await upload.upload(compress(text) + flush())
            assert await arrived.get() == text
        await upload.upload(finish(), more=False)
        await upload.finished()
    assert upload.status == 204


async def test_content_may_be_echoed_while_it_arrives() -> None:
    async def duplex(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, content

    compressor = zlib.compressobj(wbits=31)
    async with http_stream(
        app_of(duplex),
        "POST",
        "/",
        headers=[(b"content-encoding", b"gzip")],
        content=None,
    ) as both:
        for text in (b"one", b"two"):
            data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
            await both.upload(data)
            assert await both.chunk() == text
        await both.upload(compressor.flush(), more=False)
        assert await both.chunk() == b""
        await both.finished()


async def test_a_client_that_leaves_ends_the_request_quietly() -> None:
    headers = [(b"content-encoding", b"gzip")]
    async with http_stream(app_of(), "POST", "/", headers=headers, content=None) as it:
        await it.upload(gzip(TEXT)[:20])
    assert it.messages == []


async def test_what_fails_in_a_stream_cuts_it() -> None:
    async def duplex(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, content

    with pytest.raises(HttpError, match="400"):
        await post(app_of(duplex), gzip(TEXT)[:-1], "gzip")


async def test_a_handler_that_reads_nothing_makes_nothing_be_decompressed() -> None:
    made = 0

    class Counting:
        eof = False
        unconsumed_tail = b""
        unused_data = b""

        def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
            nonlocal made
            made += 1
            return data

    async def ignore(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 204

    middleware = DecompressionMiddleware({b"x-none": Counting})
    app = app_of(ignore, middleware)
    assert (await post(app, b"anything", "x-none")).status == 204
    assert made == 0
    assert (await post(app_of(echo, middleware), b"text", "x-none")).status == 400
    assert made > 0


# The parts.


@each_coding
async def test_the_whole_of_the_content_is_read(coding: str) -> None:
    chunks = pieces(ENCODE[coding](TEXT), 50)
    assert await compression_reader(stream(chunks), MAKE[coding]()) == TEXT


async def test_an_object_of_zlib_does_as_well() -> None:
    data = stream([zlib.compress(TEXT)])
    assert await compression_reader(data, zlib.decompressobj()) == TEXT


async def test_the_older_name_reads_the_format_of_zlib() -> None:
    data = stream([zlib.compress(TEXT)])
    assert await compression_reader(data, make_compress_decompressobj()) == TEXT


async def test_the_reader_has_a_limit_which_can_be_lifted() -> None:
    data = zlib.compress(bytes(3 * MEBIBYTE))
    with pytest.raises(ContentTooLarge):
        await compression_reader(stream([data]), make_deflate_decompressobj())
    with pytest.raises(ContentTooLarge):
        await compression_reader(
            stream([data]), make_deflate_decompressobj(), max_bytes=3 * MEBIBYTE - 1
        )
    for limit in (3 * MEBIBYTE, None):
        read = await compression_reader(
            stream([data]), make_deflate_decompressobj(), max_bytes=limit
        )
        assert read == bytes(3 * MEBIBYTE)


async def test_what_arrives_is_limited_as_well() -> None:
    data = zlib.compress(b"x", level=0)
    with pytest.raises(ContentTooLarge):
        await compression_reader(
            stream([data]), make_deflate_decompressobj(), max_bytes=len(data) - 1
        )


async def test_there_is_no_second_pass() -> None:
    reader = compression_reader_adapter(stream([gzip(TEXT)]), make_gzip_decompressobj())
    assert b"".join([piece async for piece in reader]) == TEXT
    assert [piece async for piece in reader] == []


async def test_after_an_error_there_is_nothing_more() -> None:
    reader = compression_reader_adapter(stream([b"x" * 20]), make_gzip_decompressobj())
    with pytest.raises(HttpError):
        await anext(reader)
    with pytest.raises(HttpError):
        await anext(reader)
    assert [piece async for piece in reader] == []


async def test_to_close_decompressed_content_closes_the_content_once() -> None:
    class Source:
        def __init__(self) -> None:
            self.closed = 0

        def __aiter__(self) -> AsyncIterator[bytes]:
            return stream([gzip(TEXT), gzip(TEXT)])

        async def aclose(self) -> None:
            self.closed += 1

    source = Source()
    reader = compression_reader_adapter(source, make_gzip_decompressobj())
    assert await anext(reader) == TEXT
    await reader.aclose()
    await reader.aclose()
    assert source.closed == 1
    assert [piece async for piece in reader] == []


@each_coding
def test_a_decompressor_gives_all_at_once_if_asked(coding: str) -> None:
    decompressor = MAKE[coding]()
    assert not decompressor.eof
    data = ENCODE[coding](bytes(MEBIBYTE))
    assert decompressor.decompress(data) == bytes(MEBIBYTE)
    assert decompressor.eof
    assert decompressor.unused_data == b""
    assert decompressor.unconsumed_tail == b""
    assert decompressor.decompress(b"") == b""


# What a developer gets wrong.


@pytest.mark.parametrize("name", [b"GZIP", b"gz ip", b"", b"identity"])
def test_a_coding_has_a_name_in_lower_case(name: bytes) -> None:
    with pytest.raises(ValueError, match="is not the name of a coding"):
        DecompressionMiddleware({name: make_gzip_decompressobj})


def test_there_must_be_a_coding() -> None:
    with pytest.raises(ValueError, match="at least one coding"):
        DecompressionMiddleware({})


def test_a_limit_is_not_negative() -> None:
    with pytest.raises(ValueError, match="max_bytes must not be negative: -1"):
        make_default_decompression_middleware(max_bytes=-1)
