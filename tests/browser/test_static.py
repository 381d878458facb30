"""A page of static files in Chromium: styles, script, font, and a sound to seek in."""

import json
import struct
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from programs import free_port, request, running
from repository import ROOT

from .chromium import Page

PROGRAM = ROOT / "tests" / "static" / "served.py"
SECONDS = 180
RATE = 44_100

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Files</title>
<link rel="icon" href="icon.svg">
<link rel="stylesheet" href="styles/site.css">
<script type="module" src="scripts/site.js"></script>
</head>
<body>
<p id="wide">A</p>
<audio id="sound" src="sound.wav" preload="metadata"></audio>
</body>
</html>
"""
STYLES = """\
@font-face { font-family: Wide; src: url("../fonts/wide.ttf"); }
#wide { font: 50px Wide; display: inline-block; margin: 0; }
"""
SCRIPT = """\
import { greeting } from "./greeting.mjs";
document.title = greeting;
"""
ICON = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'


def table(*values: tuple[str, int]) -> bytes:
    return b"".join(struct.pack(f">{code}", value) for code, value in values)


def shorts(*values: int) -> bytes:
    return struct.pack(f">{len(values)}h", *values)


def font(width: int) -> bytes:
    """Make a TrueType font whose one letter is an A of a width in thousandths."""
    # A box, of four points.
    glyph = shorts(1, 0, 0, 500, 500, 3, 0) + bytes([1, 1, 1, 1])
    glyph += shorts(0, 500, 0, -500) + shorts(0, 0, 500, 0)
    words = {"family": "Wide", "style": "Regular", "full": "Wide", "ps": "Wide"}
    texts = [text.encode("utf-16-be") for text in words.values()]
    names, position = b"", 0
    for number, text in zip((1, 2, 4, 6), texts, strict=True):
        names += shorts(3, 1, 0x409, number, len(text), position)
        position += len(text)
    segments = shorts(4, 32, 0, 4, 4, 1, 0, 65, -1, 0, 65, -1, 1 - 65, 1, 0, 0)
    tables = {
        b"OS/2": shorts(4, width, 400, 5, 0, *[0] * 10, 0)
        + bytes(26)
        + b"NONE"
        + shorts(64, 65, 65, 800, -200, 0, 800, 200)
        + bytes(18),
        b"cmap": shorts(0, 1, 3, 1, 0, 12) + segments,
        b"glyf": glyph,
        b"head": table(("I", 0x10000), ("I", 0x10000), ("I", 0), ("I", 0x5F0F3CF5))
        + shorts(3, 1000)
        + bytes(16)
        + shorts(0, 0, 500, 500, 0, 8, 2, 1, 0),
        b"hhea": table(("I", 0x10000))
        + shorts(800, -200, 0, width, 0, 0, 500, 1, 0, 0, 0, 0, 0, 0, 0, 2),
        b"hmtx": shorts(width, 0, width, 0),
        b"loca": struct.pack(">3I", 0, 0, len(glyph)),
        b"maxp": table(("I", 0x10000)) + shorts(2, 4, 1, 0, 0, 2, *[0] * 8),
        b"name": shorts(0, 4, 6 + 12 * 4) + names + b"".join(texts),
        b"post": table(("I", 0x30000)) + bytes(28),
    }
    head = table(("I", 0x10000)) + shorts(len(tables), 128, 3, len(tables) * 16 - 128)
    offset = len(head) + 16 * len(tables)
    body = b""
    for tag, content in tables.items():
        padded = content + bytes(-len(content) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) % 2**32
        head += tag + struct.pack(">3I", checksum, offset + len(body), len(content))
        body += padded
    return head + body


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the files, which all tests here share."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("styles", "scripts", "fonts", "docs"):
        (folder / name).mkdir()
    for name, text in {
        "index.html": PAGE,
        "docs/index.html": PAGE.replace('href="', 'href="../'),
        "styles/site.css": STYLES,
        "scripts/site.js": SCRIPT,
        "scripts/greeting.mjs": 'export const greeting = "It works";',
        "icon.svg": ICON,
    }.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "fonts" / "wide.ttf").write_bytes(font(3000))
    write_sound(folder / "sound.wav")
    number = free_port()
    env = {"FOLDER": str(folder), "PORT": str(number)}
    with running(sys.executable, str(PROGRAM), "hypercorn", port=number, env=env):
        yield number


def write_sound(path: Path) -> None:
    """Write some minutes of a tone, too many to be fetched before they are played."""
    period = [int(8000 * (step / 50 - 1)) for step in range(100)]
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(struct.pack("<100h", *period) * (RATE * SECONDS // 100))


def state(port: int) -> dict[str, Any]:
    """Ask the server what went on."""
    told: dict[str, Any] = json.loads(request(port, "GET", "/state").body)
    return told


def test_a_page_loads_with_its_styles_script_and_font(page: Page, port: int) -> None:
    page.open(f"http://127.0.0.1:{port}/static/")
    page.until("document.title == 'It works'")
    page.until("document.fonts.check('50px Wide') && document.fonts.size == 1")
    page.run("document.fonts.load('50px Wide')")
    # The letter is three times as wide as its font is high, as in no other font.
    page.until("document.querySelector('#wide').offsetWidth == 150")
    assert page.complaints() == []
    loaded = {urlsplit(address).path for address in page.addresses()}
    assert {
        "/static/styles/site.css",
        "/static/scripts/site.js",
        "/static/scripts/greeting.mjs",
        "/static/fonts/wide.ttf",
    } <= loaded


def test_a_folder_without_its_slash_is_followed_to_its_page(
    page: Page, port: int
) -> None:
    page.open(f"http://127.0.0.1:{port}/static/docs?a=1#top")
    page.until("document.querySelector('#wide')")
    assert page.run("location.href").endswith("/static/docs/?a=1#top")
    assert page.run("document.styleSheets.length") == 1


def test_a_file_that_is_asked_for_again_is_not_sent_again(
    page: Page, port: int
) -> None:
    page.open(f"http://127.0.0.1:{port}/static/icon.svg")
    page.until("document.documentElement.nodeName == 'svg'")
    again = "fetch('styles/site.css', {cache: 'no-cache'}).then(it => it.text())"
    assert page.run(again) == page.run(again) == STYLES
    assert state(port)["statuses"]["304"] >= 1


def test_seeking_in_a_sound_asks_for_ranges(page: Page, port: int) -> None:
    size = RATE * SECONDS * 2
    page.open(f"http://127.0.0.1:{port}/static/")
    page.until("document.querySelector('#sound')?.readyState >= 1")
    assert page.run("Math.round(document.querySelector('#sound').duration)") == SECONDS
    assert page.run("document.querySelector('#sound').seekable.end(0)") > SECONDS - 1
    page.run(
        "new Promise((done, fail) => {"
        " const sound = document.querySelector('#sound');"
        " sound.onseeked = done; sound.onerror = () => fail(sound.error.message);"
        f" sound.currentTime = {SECONDS - 30};"
        "})"
    )
    assert page.run("document.querySelector('#sound').currentTime") == SECONDS - 30
    page.until("document.querySelector('#sound').readyState >= 2")
    # It went to where the moment is, and did not read its way there.
    asked: list[str] = state(port)["ranges"]
    starts = [int(each.removeprefix("bytes=").partition("-")[0]) for each in asked]
    assert max(starts) > size / 2
    assert page.complaints() == []
