"""Content types are the same on every machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from bareasgi_static.content_types import content_type, is_compressible


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.HTML", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.xml", "application/xml"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.ico", "image/vnd.microsoft.icon"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.wasm", "application/wasm"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        ("a.webm", "video/webm"),
        ("a.wav", "audio/wav"),
        ("a.zip", "application/zip"),
        ("a.tar", "application/x-tar"),
        ("a.tar.gz", "application/gzip"),
        ("a.css.br", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("a", "application/octet-stream"),
        (".html", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_name(name: str, expected: str) -> None:
    assert content_type(name) == expected.encode()


def test_the_machine_has_no_say(tmp_path: Path) -> None:
    types = tmp_path / "mime.types"
    types.write_text("text/strange unheard-of html zip")
    program = (
        "import mimetypes\n"
        f"mimetypes.init([{str(types)!r}])\n"
        "from bareasgi_static.content_types import content_type\n"
        "print(*(content_type(f'a.{each}') for each in ('unheard-of', 'html', 'zip')))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert printed.stdout.split() == [
        "b'application/octet-stream'",
        "b'text/html;",
        "charset=utf-8'",
        "b'application/zip'",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.html", True),
        ("a.js", True),
        ("a.json", True),
        ("a.svg", True),
        ("a.webmanifest", True),
        ("a.wasm", True),
        ("a.ttf", True),
        ("a.xml", True),
        ("a.png", False),
        ("a.woff2", False),
        ("a.gz", False),
        ("a.mp4", False),
        ("a", False),
    ],
)
def test_only_what_shrinks_is_compressed(name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_compressible(name) is expected
