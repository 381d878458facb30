"""The demo's pages, as a browser without scripts uses them, and as htmx does."""

import json
import re
from html import unescape
from urllib.parse import urlencode
from uuid import UUID

import pytest
from bareutils import header

from bareasgi.testing import Response
from board.settings import Settings

from .demo_board import JSON, OpenBoard

FORM = (b"content-type", b"application/x-www-form-urlencoded")
HTMX = (b"hx-request", b"true")
KEY = "3f0c1f80-1111-4222-8333-444455556666"
GOOD = {"key": KEY, "side": "buy", "symbol": "LUM", "quantity": "3", "limit": ""}


async def send(
    house: OpenBoard,
    *headers: tuple[bytes, bytes],
    **fields: str,
) -> Response:
    content = urlencode({**GOOD, **fields}).encode()
    return await house.ask("POST", "/orders", headers=[FORM, *headers], content=content)


def key_of(page: Response) -> str:
    (key,) = re.findall(r'name="key"[^>]* value="([^"]*)"', page.text)
    return str(UUID(key))


def result_of(page: Response) -> tuple[str, str]:
    """The state and the text of what became of an order."""
    pattern = r'id="result"[^>]*data-status="(\w+)"[^>]*>([^<]*)<'
    ((status, text),) = re.findall(pattern, page.text)
    return status, unescape(text).strip()


async def test_the_board_is_a_page_that_loads_nothing_from_elsewhere(
    house: OpenBoard,
) -> None:
    page = await house.ask("GET", "/")
    assert page.status == 200
    assert "bareASGI demo</title>" in page.text
    assert result_of(page)[0] == "none"
    policy = header.find(b"content-security-policy", page.headers)
    assert policy is not None
    assert policy.startswith(b"default-src 'none'; script-src 'self';")
    assert b"unsafe" not in policy
    # Neither a script nor a style stands in the page itself: the policy forbids both.
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []
    assert re.findall(r"<style| style=| on\w+=", page.text) == []


async def test_every_address_on_the_board_answers(
    house: OpenBoard, settings: Settings
) -> None:
    page = await house.ask("GET", "/")
    addresses = {*re.findall(r'(?:href|src)="([^"#]+)', page.text)}
    assert len(addresses) > 10
    for address in addresses - {"/prices"}:
        path = address.removeprefix(settings.other_origin)
        assert path.startswith("/"), address
        accept = [(b"accept", b"text/html")]
        answer = await house.ask("GET", path, headers=accept)
        assert answer.status == 200, address


async def test_each_page_has_a_key_of_its_own_and_is_never_kept(
    house: OpenBoard,
) -> None:
    first, second = [await house.ask("GET", "/") for _ in range(2)]
    assert key_of(first) != key_of(second)
    assert header.find(b"cache-control", first.headers) == b"no-store"


async def test_a_plain_form_goes_back_to_the_board_which_tells_what_became_of_it(
    house: OpenBoard,
) -> None:
    sent = await send(house)
    assert sent.status == 303
    location = header.find(b"location", sent.headers).decode()
    page = await house.ask("GET", location)
    assert page.status == 200
    assert result_of(page) == ("filled", "Bought 3 LUM at 17.85.")
    # Reloading the page that was sent is not a second order.
    again = await send(house)
    assert header.find(b"location", again.headers).decode() == location
    assert len((await house.ask("GET", "/api/trades")).json()) == 1


async def test_a_plain_form_with_mistakes_is_the_page_with_the_form_as_it_was(
    house: OpenBoard,
) -> None:
    page = await send(house, quantity='"><b>', limit="cheap")
    assert page.status == 422
    assert "<title>" in page.text
    assert "<b>" not in page.text
    assert key_of(page) == KEY
    assert "The quantity must be a whole number from 1 to 1000." in page.text
    assert result_of(page)[0] == "refused"


async def test_htmx_gets_the_form_alone_with_a_new_key_and_what_became_of_the_order(
    house: OpenBoard,
) -> None:
    form = await send(house, HTMX, side="sell", limit="99.5")
    assert form.status == 200
    assert "<title>" not in form.text
    assert key_of(form) != KEY
    text = "The order to sell 3 LUM at 99.50 is waiting for its price."
    assert result_of(form) == ("waiting", text)
    assert re.search(r'name="limit"[^>]* value=""', form.text)
    assert re.search(r'name="quantity"[^>]* value="3"', form.text)
    assert header.find_all(b"vary", form.headers)[0].startswith(b"hx-request")


async def test_htmx_gets_the_mistakes_of_the_form_at_their_fields(
    house: OpenBoard,
) -> None:
    form = await send(house, HTMX, quantity="0", symbol="XXX")
    assert form.status == 422
    assert "<title>" not in form.text
    assert key_of(form) == KEY
    assert len(re.findall('aria-invalid="true"', form.text)) == 2


@pytest.mark.parametrize("key", ["", "x"])
async def test_a_form_without_a_good_key_gets_one(house: OpenBoard, key: str) -> None:
    form = await send(house, HTMX, key=key, quantity="0")
    assert form.status == 422
    assert key_of(form) not in {KEY, key}


async def test_a_form_with_the_key_of_another_order_gets_a_new_one(
    house: OpenBoard,
) -> None:
    await send(house, HTMX)
    form = await send(house, HTMX, quantity="4")
    assert form.status == 422
    assert key_of(form) != KEY
    status, text = result_of(form)
    assert status == "refused"
    assert "sent before" in text


async def test_the_board_tells_of_an_order_that_was_cancelled(
    house: OpenBoard,
) -> None:
    await send(house, limit="1.00")
    await house.ask("DELETE", f"/api/orders/{KEY}")
    page = await house.ask("GET", f"/?placed={KEY}")
    assert result_of(page) == ("cancelled", "The order to buy 3 LUM was cancelled.")


@pytest.mark.parametrize("key", ["x", KEY, "", "%ff"])
async def test_an_order_that_nobody_placed_is_not_told_of(
    house: OpenBoard, key: str
) -> None:
    page = await house.ask("GET", f"/?placed={key}")
    assert (page.status, result_of(page)[0]) == (200, "none")


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ([FORM, (b"origin", b"http://evil.example")], b"", 403),
        ([FORM, (b"origin", b"null")], b"", 403),
        ([(b"content-type", b"text/plain")], b"", 415),
        ([], b"", 415),
        ([FORM], b"\xff", 400),
        ([FORM], b"key=%ff", 400),
        ([FORM], b"&".join([b"a=1"] * 99), 400),
        ([FORM], b"key=" + b"x" * 10_000, 413),
        ([FORM], b"", 422),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(
    house: OpenBoard,
    headers: list[tuple[bytes, bytes]],
    content: bytes,
    status: int,
) -> None:
    sent = await house.ask("POST", "/orders", headers=headers, content=content)
    assert sent.status == status


async def test_a_form_of_this_site_is_taken(house: OpenBoard) -> None:
    assert (await send(house, (b"origin", b"http://localhost"))).status == 303


async def test_rows_can_be_had_by_themselves(house: OpenBoard) -> None:
    await send(house)
    stocks = await house.ask("GET", "/stocks")
    assert stocks.text.count("<tr") == 6
    trades = await house.ask("GET", "/trades/recent")
    assert trades.text.count("<tr") == 1
    assert "<title>" not in stocks.text + trades.text


async def place_many(house: OpenBoard, count: int) -> None:
    for number in range(count):
        symbol = "LUM" if number % 2 else "KELP"
        order = {"side": "sell", "symbol": symbol, "quantity": 1}
        await house.order(json.dumps(order).encode())


def numbers(page: Response) -> list[int]:
    """Those of the trades that a page of the history shows."""
    found = re.findall(r'<tr>\s*<td class="number">(\d+)</td>', page.text)
    return [int(number) for number in found]


async def test_the_history_has_pages_from_the_newest_to_the_oldest(
    house: OpenBoard,
) -> None:
    await place_many(house, 120)
    seen: list[int] = []
    address = "/history"
    while address:
        page = await house.ask("GET", address)
        assert page.status == 200
        seen += numbers(page)
        older = re.search(r'<a href="(/history\?before=[^"]+)"', page.text)
        address = unescape(older[1]) if older else ""
    assert seen == [*range(120, 0, -1)]


async def test_the_history_of_one_stock_has_pages_too(house: OpenBoard) -> None:
    await place_many(house, 104)
    page = await house.ask("GET", "/history?symbol=LUM")
    assert numbers(page) == [*range(104, 4, -2)]
    older = re.search(r'<a href="(/history\?before=[^"]+)"', page.text)
    assert older is not None
    rest = await house.ask("GET", unescape(older[1]))
    assert numbers(rest) == [4, 2]


async def test_the_history_is_a_part_for_htmx_but_a_page_when_it_goes_back(
    house: OpenBoard,
) -> None:
    part = await house.ask("GET", "/history", headers=[HTMX])
    assert "<title>" not in part.text
    restored = [HTMX, (b"hx-history-restore-request", b"true")]
    page = await house.ask("GET", "/history", headers=restored)
    assert "<title>" in page.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?symbol=XXX", 200),
        ("?before=1", 200),
        ("?before=0", 200),
        ("?before=x", 400),
        ("?symbol=%3Cb%3E", 200),
    ],
)
async def test_the_history_takes_any_query(
    house: OpenBoard, query: str, status: int
) -> None:
    page = await house.ask("GET", f"/history{query}")
    assert page.status == status
    assert "<b>" not in page.text


async def test_the_page_of_another_origin_names_all_three(
    house: OpenBoard, settings: Settings
) -> None:
    page = await house.ask("GET", "/other")
    assert page.status == 200
    for origin in (settings.origin, settings.other_origin, settings.refused_origin):
        assert f"{origin}/other" in page.text
    policy = header.find(b"content-security-policy", page.headers)
    assert f"connect-src 'self' {settings.origin};".encode() in policy
    # Nobody serves this board at its port.
    assert "The server got no answer" in page.text


@pytest.mark.parametrize(
    ("path", "is_allowed"), [("/api/stocks", True), ("/", False), ("/metrics", False)]
)
async def test_the_other_origin_may_read_the_api_and_nothing_else(
    house: OpenBoard, settings: Settings, path: str, *, is_allowed: bool
) -> None:
    origins = {settings.other_origin: is_allowed, settings.refused_origin: False}
    for origin, may_read in origins.items():
        headers = [(b"origin", origin.encode())]
        answer = await house.ask("GET", path, headers=headers)
        granted = header.find(b"access-control-allow-origin", answer.headers)
        assert granted == (origin.encode() if may_read else None)


async def test_the_other_origin_may_send_orders_and_read_what_is_wrong_with_them(
    house: OpenBoard, settings: Settings
) -> None:
    origin = (b"origin", settings.other_origin.encode())
    asking = [
        origin,
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", b"content-type"),
    ]
    asked = await house.ask("OPTIONS", "/api/orders", headers=asking)
    assert asked.status == 204
    path = "/api/orders"
    refused = await house.ask("POST", path, headers=[origin, JSON], content=b"{}")
    assert refused.status == 422
    granted = header.find(b"access-control-allow-origin", refused.headers)
    assert granted == origin[1]
