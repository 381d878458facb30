"""The demo in Chromium, as a visitor uses it: by pointer, by keyboard, on a phone.

Nothing may appear in the console, and nothing may be asked of another host, unless a
test says which.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pytest
from programs import free_port, request, running
from repository import ROOT

from .chromium import DEADLINE, find_chromium

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

DEMO: Final = ROOT / "examples" / "demo" / "app.py"
MILLISECONDS: Final = DEADLINE * 1000
REFUSED: Final = re.compile("blocked by CORS policy|net::ERR_FAILED")
BAD_ORDER: Final = re.compile("status of 422")
LOST: Final = re.compile("net::ERR_|WebSocket|htmx:error|status of 503")

expect.set_options(timeout=MILLISECONDS)

# Everything on the page that is text, with the contrast that it has (WCAG 2.2, 1.4.3).
CONTRASTS: Final = """() => {
    const channel = (value) =>
        value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    const luminance = ([r, g, b]) => [r, g, b]
        .map((value) => channel(value / 255))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0)
    const numbers = (text) => text.match(/[\\d.]+/g).map(Number)
    const behind = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = numbers(getComputedStyle(each).backgroundColor)
            if (colour[3] !== 0) return colour
        }
    }
    const found = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim()
        const element = walker.currentNode.parentElement
        if (!text || !element.checkVisibility()) continue
        const pair = [numbers(getComputedStyle(element).color), behind(element)]
        const [low, high] = pair.map(luminance).sort((one, other) => one - other)
        found.push([text, (high + 0.05) / (low + 0.05)])
    }
    return found
}"""

# Whatever is wider than the window and is not scrolled in a box of its own.
TOO_WIDE: Final = """() =>
    document.documentElement.scrollWidth > document.documentElement.clientWidth"""


class Demo(NamedTuple):
    """Where the demo is: its two ports, and its database."""

    port: int
    other_port: int
    database: Path

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def allowed_origin(self) -> str:
        return f"http://127.0.0.1:{self.other_port}"

    @property
    def refused_origin(self) -> str:
        return f"http://localhost:{self.other_port}"

    @contextmanager
    def running(self) -> Generator[None]:
        env = {
            "PORT": str(self.port),
            "OTHER_PORT": str(self.other_port),
            "DATABASE": str(self.database),
            "TICK_SECONDS": "0.1",
        }
        with running(sys.executable, str(DEMO), port=self.port, env=env):
            yield

    def order(self, **fields: object) -> None:
        """Order by REST, as another program does."""
        body = json.dumps(fields).encode()
        headers = {"content-type": "application/json"}
        answer = request(self.port, "POST", "/api/orders", headers=headers, body=body)
        assert answer.status == 201, answer

    def trades(self) -> list[dict[str, Any]]:
        """Give all trades, the oldest first."""
        answer = request(self.port, "GET", "/api/trades?after=0&limit=500")
        trades: list[dict[str, Any]] = json.loads(answer.body)
        return trades


class Visit:
    """A tab, with what it said and asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        self.expected: list[re.Pattern[str]] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def complaints(self) -> list[str]:
        """Give what was said and not expected."""
        return [
            text
            for text in self.said
            if not any(pattern.search(text) for pattern in self.expected)
        ]

    def hosts(self) -> set[str]:
        """Give the hosts and ports that were asked."""
        return {url.split("/")[2] for url in self.asked if not url.startswith("data:")}


Visitor = Callable[..., Visit]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Without it the tests are skipped, or fail in CI."""
    command = find_chromium()
    if command is None:
        reason = "Chromium is not installed (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=command, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visitor]:
    """Opens a page in a profile of its own. At the end its console must be empty."""
    visits: list[Visit] = []

    def open_page(address: str, **options: Any) -> Visit:
        context = chromium.new_context(**options)
        context.set_default_timeout(MILLISECONDS)
        visits.append(Visit(context.new_page()))
        visits[-1].page.goto(address)
        return visits[-1]

    yield open_page
    for each in visits:
        each.page.context.close()
    assert [text for each in visits for text in each.complaints()] == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that the tests share."""
    database = tmp_path_factory.mktemp("demo") / "board.sqlite3"
    shared = Demo(free_port(), free_port(), database)
    with shared.running():
        yield shared


def live(page: Page) -> Page:
    """Wait until prices and trades arrive."""
    expect(page.locator("#prices-state")).to_have_text("Prices live")
    expect(page.locator("#trades-state")).to_have_text("Trades live")
    return page


def wait_for_a_move(page: Page) -> None:
    """Wait until a price is not what it was."""
    prices = page.locator("#stocks .price").all_text_contents()
    page.wait_for_function(
        "before => [...document.querySelectorAll('#stocks .price')]"
        ".some((price, index) => price.textContent != before[index])",
        arg=prices,
    )


def numbers_shown(page: Page) -> list[int]:
    """Give the numbers of the trades in the table, from the top."""
    found: list[int] = page.evaluate(
        "[...document.querySelectorAll('#trades tr')].map(row => +row.dataset.number)"
    )
    return found


def fill(page: Page, *, symbol: str, quantity: str, limit: str = "") -> None:
    page.get_by_label("Stock", exact=True).select_option(symbol)
    page.get_by_label("Quantity").fill(quantity)
    page.get_by_label("Limit").fill(limit)


# --- prices ---------------------------------------------------------------------------


def test_prices_move(visit: Visitor, demo: Demo) -> None:
    visited = visit(demo.origin)
    page = live(visited.page)
    for _ in range(3):
        wait_for_a_move(page)
    streams = [url for url in visited.asked if url.endswith("/prices")]
    assert len(streams) == 2  # the history, and one event stream
    assert visited.hosts() == {f"127.0.0.1:{demo.port}"}


def test_the_chart_has_the_last_five_minutes_of_the_chosen_stock(
    visit: Visitor, demo: Demo
) -> None:
    page = live(visit(demo.origin).page)
    expect(page.locator("#chart canvas")).to_be_visible()
    row = page.locator("#stocks tr").nth(2)
    row.click()
    name = row.locator(".choose span").text_content()
    assert name
    expect(row.get_by_role("button")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name=name)).to_be_visible()
    expect(page.locator("#chosen-name")).to_have_text(name)
    # An order is most likely for the stock that is looked at.
    chosen = page.locator("#chosen-symbol").text_content() or ""
    expect(page.get_by_label("Stock", exact=True)).to_have_value(chosen)
    low = float(page.locator("#chosen-low").text_content() or "")
    high = float(page.locator("#chosen-high").text_content() or "")
    assert 0 < low < high
    box = page.locator("#chart").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#pointed-price")).to_have_text(re.compile(r"^\d+\.\d\d$"))


# --- orders ---------------------------------------------------------------------------


def test_an_order_is_filled_and_its_trade_is_shown_once(
    visit: Visitor, demo: Demo
) -> None:
    page = live(visit(demo.origin).page)
    before = demo.trades()
    other = live(visit(demo.origin).page)
    for count, side in enumerate(("Sell", "Buy"), len(before) + 1):
        page.get_by_label(side, exact=True).check()
        symbol = page.get_by_label("Stock", exact=True).input_value()
        fill(page, symbol=symbol, quantity=str(10 + count))
        page.get_by_role("button", name="Send the order").click()
        done = "Sold" if side == "Sell" else "Bought"
        expect(page.locator("#result")).to_contain_text(f"{done} {10 + count} {symbol}")
        for shown in (page, other):
            row = shown.locator(f"#trades tr[data-number='{count}']")
            expect(row).to_have_count(1)
            expect(row.locator("td").nth(2)).to_have_text(side)
            expect(row.locator("td").nth(3)).to_have_text(str(10 + count))
            assert numbers_shown(shown) == [*range(count, 0, -1)]
    keys = [trade["key"] for trade in demo.trades()]
    assert len(keys) == len(set(keys)) == len(before) + 2


def test_an_order_with_a_limit_waits(visit: Visitor, demo: Demo) -> None:
    page = live(visit(demo.origin).page)
    count = len(demo.trades())
    symbol = page.get_by_label("Stock", exact=True).input_value()
    fill(page, symbol=symbol, quantity="1", limit="0.01")
    page.get_by_role("button", name="Send the order").click()
    expect(page.locator("#result")).to_have_attribute("data-status", "waiting")
    # The next order is not likely to have the same limit.
    expect(page.get_by_label("Limit")).to_have_value("")
    assert len(demo.trades()) == count


def test_a_bad_order_says_why_where_it_is_wrong(visit: Visitor, demo: Demo) -> None:
    visited = visit(demo.origin)
    visited.expected.append(BAD_ORDER)
    page = live(visited.page)
    count = len(demo.trades())
    symbol = page.get_by_label("Stock", exact=True).input_value()
    fill(page, symbol=symbol, quantity="many", limit="cheap")
    page.get_by_role("button", name="Send the order").click()
    quantity, limit = page.get_by_label("Quantity"), page.get_by_label("Limit")
    expect(quantity).to_be_focused()
    expect(quantity).to_have_accessible_description(re.compile("from 1 to 1000"))
    expect(limit).to_have_accessible_description(re.compile("a price"))
    expect(page.locator("#result")).to_contain_text("not placed")
    for field, typed in ((quantity, "many"), (limit, "cheap")):
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_value(typed)
    assert len(demo.trades()) == count
    fill(page, symbol=symbol, quantity="5")
    page.get_by_role("button", name="Send the order").click()
    expect(page.locator("#result")).to_contain_text("Bought 5")
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    assert len(demo.trades()) == count + 1


def test_an_order_can_be_placed_without_scripts(visit: Visitor, demo: Demo) -> None:
    visited = visit(demo.origin, java_script_enabled=False)
    page = visited.page
    page.get_by_label("Quantity").fill("0")
    page.get_by_role("button", name="Send the order").click()
    expect(page.locator("#quantity-problem")).to_contain_text("from 1 to 1000")
    page.get_by_label("Quantity").fill("7")
    page.get_by_role("button", name="Send the order").click()
    expect(page.locator("#result")).to_contain_text("Bought 7")
    expect(page.locator("#trades tr").first.locator("td").nth(3)).to_have_text("7")
    visited.expected.append(BAD_ORDER)


# --- lost answers, and a server that comes back ---------------------------------------


def lose(route: Route) -> None:
    """Let the server have the request, and the page no answer."""
    route.fetch()
    route.abort("connectionreset")


def test_an_order_whose_answer_was_lost_is_placed_once(
    visit: Visitor, demo: Demo
) -> None:
    visited = visit(demo.origin)
    visited.expected.append(LOST)
    page = live(visited.page)
    count = len(demo.trades())
    page.route("**/orders", lose)
    page.get_by_label("Quantity").fill("23")
    page.get_by_role("button", name="Send the order").click()
    expect(page.locator("#result")).to_contain_text("No answer came")
    page.unroute("**/orders")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#result")).to_contain_text("Bought 23")
    expect(page.get_by_role("button", name="Send the order")).to_be_visible()
    assert [trade["quantity"] for trade in demo.trades()[count:]] == [23]


def test_the_page_goes_on_after_the_server_was_restarted(
    visit: Visitor, tmp_path: Path
) -> None:
    demo = Demo(free_port(), free_port(), tmp_path / "board.sqlite3")
    with demo.running():
        visited = visit(demo.origin)
        visited.expected.append(LOST)
        page = live(visited.page)
        page.get_by_label("Quantity").fill("1")
        page.get_by_role("button", name="Send the order").click()
        expect(page.locator("#result")).to_contain_text("Bought 1 ")
        page.route("**/orders", lose)
        page.get_by_label("Quantity").fill("2")
        page.get_by_role("button", name="Send the order").click()
        expect(page.locator("#result")).to_contain_text("No answer came")
        page.unroute("**/orders")
    expect(page.locator("#prices-state")).to_have_text("Prices lost, trying again")
    expect(page.locator("#trades-state")).to_have_text("Trades lost, trying again")
    symbol = page.get_by_label("Stock", exact=True).input_value()
    with demo.running():
        # Most likely before the page is back.
        demo.order(side="sell", symbol=symbol, quantity=3)
        live(page)
        wait_for_a_move(page)
        page.get_by_role("button", name="Send again").click()
        expect(page.locator("#result")).to_contain_text("Bought 2 ")
        demo.order(side="sell", symbol=symbol, quantity=4)
        expect(page.locator("#trades tr")).to_have_count(4)
        assert numbers_shown(page) == [4, 3, 2, 1]
        trades = demo.trades()
        assert [trade["number"] for trade in trades] == [1, 2, 3, 4]
        assert [trade["quantity"] for trade in trades] == [1, 2, 3, 4]


# --- the other pages ------------------------------------------------------------------


def test_the_history_is_filtered_and_turned_in_place(
    visit: Visitor, tmp_path: Path
) -> None:
    demo = Demo(free_port(), free_port(), tmp_path / "board.sqlite3")
    with demo.running():
        stocks = json.loads(request(demo.port, "GET", "/api/stocks").body)
        first, second = stocks[0]["symbol"], stocks[1]["symbol"]
        for number in range(60):
            symbol = second if number == 0 else first
            demo.order(side="buy", symbol=symbol, quantity=number + 1)
        visited = visit(f"{demo.origin}/history")
        page = visited.page
        rows = page.locator("#rows tbody tr")
        expect(rows).to_have_count(50)
        page.evaluate("window.isTheSamePage = true")
        page.get_by_role("link", name="Older trades").click()
        expect(rows).to_have_count(10)
        expect(page).to_have_url(re.compile("before=11$"))
        page.get_by_label("Stock").select_option(second)
        expect(rows).to_have_count(1)
        expect(page.get_by_role("status")).to_contain_text(f"{second} only")
        assert page.evaluate("window.isTheSamePage")
        page.go_back()
        expect(rows).to_have_count(10)
        expect(page.get_by_role("heading", name="History")).to_be_visible()
        assert visited.hosts() == {f"127.0.0.1:{demo.port}"}


def test_another_origin_is_allowed_by_name(visit: Visitor, demo: Demo) -> None:
    visited = visit(f"{demo.allowed_origin}/other")
    page = visited.page
    expect(page.locator("#read")).to_contain_text("The browser let this page read")
    expect(page.locator("#read-stocks tbody tr")).to_have_count(6)
    count = len(demo.trades())
    page.get_by_role("button", name="Buy one share").click()
    expect(page.locator("#ordered")).to_contain_text("The browser let this page order")
    assert [trade["quantity"] for trade in demo.trades()[count:]] == [1]
    assert visited.hosts() == {
        f"127.0.0.1:{demo.port}",
        f"127.0.0.1:{demo.other_port}",
    }


def test_a_third_origin_is_refused(visit: Visitor, demo: Demo) -> None:
    visited = visit(f"{demo.refused_origin}/other")
    visited.expected.append(REFUSED)
    page = visited.page
    expect(page.locator("#read")).to_contain_text("The browser refused")
    expect(page.locator("#read-stocks")).to_be_hidden()
    count = len(demo.trades())
    page.get_by_role("button", name="Buy one share").click()
    expect(page.locator("#ordered")).to_contain_text("The browser refused")
    assert len(demo.trades()) == count
    # A server needs nobody's leave: its answer is in the page all the same.
    expect(page.locator("#server tbody tr")).to_have_count(6)


def test_graphiql_answers(visit: Visitor, demo: Demo) -> None:
    query = quote("{ stocks { symbol price } }")
    visited = visit(f"{demo.origin}/graphql?query={query}")
    page = visited.page
    page.locator(".graphiql-execute-button").click()
    answer = page.locator(".graphiql-response .CodeMirror")
    expect(answer).to_contain_text('"symbol"')
    expect(answer).to_contain_text('"price"')
    assert visited.hosts() == {f"127.0.0.1:{demo.port}"}


def test_graphiql_subscribes(visit: Visitor, demo: Demo) -> None:
    query = quote("subscription { ticks { symbol price } }")
    page = visit(f"{demo.origin}/graphql?query={query}").page
    page.locator(".graphiql-execute-button").click()
    answer = page.locator(".graphiql-response .CodeMirror")
    expect(answer).to_contain_text('"price"')
    first = answer.text_content() or ""
    expect(answer).not_to_have_text(first)


# --- for everybody --------------------------------------------------------------------


def test_everything_can_be_done_by_keyboard(visit: Visitor, demo: Demo) -> None:
    page = live(visit(demo.origin).page)
    count = len(demo.trades())
    press = page.keyboard.press
    press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press("Enter")
    press("Tab")
    press("Tab")
    second = page.locator("#stocks button").nth(1)
    expect(second).to_be_focused()
    assert second.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    press("Enter")
    expect(second).to_have_attribute("aria-pressed", "true")
    for _ in range(4):
        press("Tab")
    press("Tab")
    expect(page.get_by_label("Buy", exact=True)).to_be_focused()
    press("ArrowRight")
    press("Tab")
    press("ArrowDown")
    symbol = page.get_by_label("Stock", exact=True).input_value()
    assert symbol == page.locator("#stocks tr").nth(2).get_attribute("data-symbol")
    press("Tab")
    page.keyboard.type("6")
    press("Enter")
    expect(page.locator("#result")).to_contain_text(f"Sold 6 {symbol}")
    # The reader goes on from where the order was sent.
    expect(page.get_by_label("Quantity")).to_be_focused()
    assert [trade["quantity"] for trade in demo.trades()[count:]] == [6]


def test_names_and_roles_are_there_for_screen_readers(
    visit: Visitor, demo: Demo
) -> None:
    page = live(visit(demo.origin).page)
    expect(page.get_by_role("banner")).to_match_aria_snapshot(
        """
        - banner:
          - navigation "Pages":
            - link "Board"
            - link "History"
            - link "GraphiQL"
            - link "Other origin"
            - link "Metrics"
          - status "Connection": Prices live Trades live
        """
    )
    expect(page.get_by_role("main")).to_match_aria_snapshot(
        r"""
        - main:
          - heading "Trading board" [level=1]
          - region "Prices":
            - table "Prices":
              - rowgroup:
                - row:
                  - columnheader "Stock"
                  - columnheader "Last five minutes"
                  - columnheader "Price"
                  - columnheader "Change"
          - region /[A-Z]+ .+/:
            - img /Price of .+ in the last five minutes/
          - region "Place an order":
            - group "Side":
              - radio "Buy" [checked]
              - radio "Sell"
            - combobox "Stock"
            - textbox "Quantity"
            - textbox "Limit optional"
            - button "Send the order"
            - status
          - region "Trades":
            - group "The last trades":
              - table "Trades"
        """
    )
    # Prices that change twice a second are not read out.
    assert page.locator("#stocks [aria-live], #stocks [role=status]").count() == 0
    assert page.locator("#stocks").evaluate("table => !table.closest('[aria-live]')")


@pytest.mark.parametrize("path", ["/", "/history", "/other"])
def test_a_phone_needs_no_sideways_scrolling(
    visit: Visitor, demo: Demo, path: str
) -> None:
    page = visit(demo.origin + path, viewport={"width": 360, "height": 740}).page
    page.wait_for_load_state("load")
    assert not page.evaluate(TOO_WIDE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/history", "/other"])
def test_all_text_is_easy_to_tell_from_what_is_behind_it(
    visit: Visitor, demo: Demo, path: str, scheme: str
) -> None:
    page = visit(demo.origin + path, color_scheme=scheme, reduced_motion="reduce").page
    if path == "/":
        live(page)
    found: list[tuple[str, float]] = page.evaluate(CONTRASTS)
    assert len(found) > 10
    assert [each for each in found if each[1] < 4.5] == []


def test_nothing_moves_for_whoever_asked_for_that(visit: Visitor, demo: Demo) -> None:
    page = live(visit(demo.origin, reduced_motion="reduce").page)
    wait_for_a_move(page)
    assert page.evaluate("document.getAnimations().length") == 0
