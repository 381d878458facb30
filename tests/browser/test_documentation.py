"""The site of the documentation, narrow and wide, light and dark. `nox -s docs`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from documentation import build_site
from programs import free_port, running

from .chromium import Page

# The first test waits until the site is built; each looks at every page.
pytestmark = pytest.mark.timeout(240)

# Shows a page of the site in a frame, and tells what sticks out of it or is not there.
LOOK = """
(async (address, width) => {
    const frame = document.createElement("iframe")
    frame.style = `width: ${width}px; height: 900px; border: 0`
    frame.src = address
    const loaded = new Promise(resolve => { frame.onload = resolve })
    document.body.replaceChildren(frame)
    await loaded
    const { documentElement: root, images } = frame.contentDocument
    const style = element => frame.contentWindow.getComputedStyle(element)
    const isClipped = element => {
        while ((element = element.parentElement) !== root)
            if (["auto", "scroll", "hidden"].includes(style(element).overflowX))
                return true
        return false
    }
    const sticksOut = element => {
        const box = element.getBoundingClientRect()
        return box.width && box.right > root.clientWidth + 1 && !isClipped(element)
    }
    return [
        ...[...root.querySelectorAll("main *")].filter(sticksOut)
            .map(element => `sticks out: ${element.outerHTML.slice(0, 100)}`),
        ...[...images].filter(image => !image.naturalWidth)
            .map(image => `is not shown: ${image.src}`),
    ]
})
"""

# Contrasts that are too low to be read (WCAG 2.2, 1.4.3), by the formula given there.
PALE = """
(() => {
    const numbers = color => color.match(/[\\d.]+/g).map(Number)
    const over = ([r, g, b, alpha = 1], below) =>
        [r, g, b].map((value, index) => value * alpha + below[index] * (1 - alpha))
    const background = element => element === null ? [255, 255, 255]
        : over(numbers(getComputedStyle(element).backgroundColor),
            background(element.parentElement))
    const luminance = color => color
        .map(value => value / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0)
    const contrast = element => {
        const below = background(element)
        const color = over(numbers(getComputedStyle(element).color), below)
        const [low, high] = [luminance(color), luminance(below)].sort((a, b) => a - b)
        return (high + 0.05) / (low + 0.05)
    }
    const texts = "nav a, main p, main p a, main li, main code *"
    return [...document.querySelectorAll(texts)]
        .filter(element => element.offsetWidth && contrast(element) < 4.5)
        .map(element => `${contrast(element).toFixed(2)}: ${element.outerHTML}`)
})()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("repository")).folder


@pytest.fixture(scope="module")
def port(site: Path) -> Iterator[int]:
    number = free_port()
    serve = ["-m", "http.server", "--bind=127.0.0.1", f"--directory={site}"]
    with running(sys.executable, *serve, str(number), port=number):
        yield number


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_of_a_page(
    page: Page, site: Path, port: int, width: int
) -> None:
    page.open(f"http://127.0.0.1:{port}/404.html")
    page.until("document.readyState === 'complete'")
    folders = [path.parent for path in sorted(site.glob("**/index.html"))]
    for folder in folders:
        address = json.dumps(f"/{folder.relative_to(site)}/")
        assert page.run(f"{LOOK}({address}, {width})") == [], address
    assert page.complaints() == []
    asked = [address for address in page.addresses() if address.startswith("http")]
    assert {urlsplit(address).netloc for address in asked} == {f"127.0.0.1:{port}"}


def test_a_page_turns_dark_and_can_be_read_both_ways(page: Page, port: int) -> None:
    page.open(f"http://127.0.0.1:{port}/tutorial/2-routes/")
    page.until("document.body.dataset.mdColorScheme === 'default'")
    assert page.run(PALE) == []
    page.run("document.querySelector('label[title=Dark]').click()")
    page.until("document.body.dataset.mdColorScheme === 'slate'")
    # Colours change step by step.
    page.until("document.getAnimations().every(each => each.playState !== 'running')")
    assert page.run(PALE) == []
