"""Where the modules for br and zstd are missing, the rest works without them."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_writer,
)
from bareasgi.testing import http_request

TEXT = b"All work and no play makes Jack a dull boy\n" * 100


@pytest.fixture
def compression(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package as it is where neither module is installed."""
    for name in [*sys.modules]:
        if name.startswith("bareasgi.compression"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("brotli", "backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    return import_module("bareasgi.compression")


async def test_the_middlewares_have_gzip_and_deflate(compression: Any) -> None:
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(await bytes_reader(content))

    app = Application(
        middlewares=[
            compression.make_default_compression_middleware(),
            compression.make_default_decompression_middleware(),
        ]
    )
    app.http_router.add({"POST"}, "/", echo)
    compressor = compression.make_gzip_compressobj()
    content = compressor.compress(TEXT) + compressor.flush()
    for accepted, expected in (
        (b"gzip, deflate, br, zstd", b"gzip"),
        (b"*;q=0.5, gzip;q=0", b"deflate"),
    ):
        response = await http_request(
            app,
            "POST",
            "/",
            headers=[(b"accept-encoding", accepted), (b"content-encoding", b"gzip")],
            content=content,
        )
        assert (b"content-encoding", expected) in response.headers
    response = await http_request(
        app, "POST", "/", headers=[(b"content-encoding", b"br")], content=content
    )
    assert (b"accept-encoding", b"gzip, deflate") in response.headers


@pytest.mark.parametrize(
    ("maker", "missing"),
    [
        ("make_br_compressobj", r"br needs a module: install 'brotli', or bareasgi"),
        ("make_br_decompressobj", r"install 'brotli', or bareasgi\[br\]"),
        ("make_zstd_compressobj", r"install 'backports.zstd', or bareasgi\[zstd\]"),
        ("make_zstd_decompressobj", r"zstd needs a module: install 'backports.zstd'"),
    ],
)
def test_a_maker_says_what_to_install(
    compression: Any, maker: str, missing: str
) -> None:
    with pytest.raises(RuntimeError, match=missing):
        getattr(compression, maker)()
