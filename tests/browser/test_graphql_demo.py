"""The demo of GraphQL in a browser: answers in parts, live ones, and an upload."""

import sys
from collections.abc import Iterator

import pytest
from programs import free_port, running
from repository import ROOT

from .chromium import Browser, Page

DEMO = ROOT / "examples" / "graphql" / "demo.py"
CHOOSE = """{
    const chosen = new DataTransfer()
    chosen.items.add(new File(['%s'], 'temperatures.txt'))
    find('file').files = chosen.files
    find('station').value = '4'
    find('upload').requestSubmit()
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = free_port()
    with running(sys.executable, str(DEMO), port=port, env={"PORT": str(port)}):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The demo, with its stations there. At the end the console must be empty.

    It is one for all tests: what is live has one of a browser's six connections.
    """
    page = Page(browser)
    page.open(address)
    page.until("find('stations').rows.length == 4")
    yield page
    assert page.complaints() == []


def test_forecasts_are_shown_when_they_are_there(page: Page) -> None:
    page.until("[...rows.values()].every(cells => cells[2].textContent)")


def test_temperatures_change(page: Page) -> None:
    page.run("window.first = rows.get('1')[1].textContent")
    page.until("rows.get('1')[1].textContent != first")


def test_a_history_is_shown_item_by_item(page: Page) -> None:
    page.run("rows.get('2')[3].querySelector('button').click()")
    page.until("/^-?[0-9.]+ /.test(rows.get('2')[3].textContent)")


def test_a_station_gets_another_name(page: Page) -> None:
    page.run("find('station').value = '3'; find('name').value = 'Bog'")
    page.run("find('change').requestSubmit()")
    page.until("find('message').textContent == 'Done'")
    page.until("rows.get('3')[0].textContent == 'Bog'")


def test_a_file_is_taken(page: Page) -> None:
    page.run(CHOOSE % "41.5")
    page.until("find('message').textContent == 'Done'")
    page.until("rows.get('4')[1].textContent > 40")


def test_what_is_wrong_with_a_file_is_shown(page: Page) -> None:
    page.run(CHOOSE % "warm")
    page.until("find('message').textContent == 'Each line has to be a temperature'")
