"""The demo's prices: exact, wandering, and the newest for whoever is slow."""

import random
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from board.clock import now, parse_time, time_text
from board.market import KEPT_TICKS, Market
from board.model import COMPANIES, Tick
from board.money import parse_price, percent_text, price_text
from board.ticks import RandomTicks, step

OPENINGS = {company.symbol: company.opening for company in COMPANIES}


def same_chance() -> random.Random:
    return random.Random(1)  # noqa: S311 - to vary, and not to be secret


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("101.25", "101.25"),
        ("5", "5.00"),
        ("5.5", "5.50"),
        ("0.01", "0.01"),
        ("007", "7.00"),
        ("9999999.99", "9999999.99"),
    ],
)
def test_a_price_is_read_and_written_with_its_cents(text: str, price: str) -> None:
    assert price_text(parse_price(text)) == price


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0.00", "-1", "+1", "1,5", "1.", ".5", "1.234", "1e3", "NaN"),
        *("Infinity", "10000000", "1_0", " 1", "1\n", "\u0661", "0x1"),
    ],
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no price"):
        parse_price(text)


@pytest.mark.parametrize(
    ("price", "text"),
    [("110", "+10.00"), ("99.99", "-0.01"), ("100", "0.00"), ("100.001", "0.00")],
)
def test_a_change_is_in_percent_with_its_sign(price: str, text: str) -> None:
    assert percent_text(Decimal(price), Decimal(100)) == text


def test_times_are_whole_milliseconds_and_survive_as_text() -> None:
    time = now()
    assert parse_time(time_text(time)) == time
    assert time_text(time)[-5] == "."
    assert time_text(time)[-1] == "Z"


def test_prices_wander_for_weeks_and_stay_prices() -> None:
    chance = same_chance()
    prices = dict(OPENINGS)
    for _ in range(20_000):
        changed = step(prices, OPENINGS, chance)
        assert all(price != prices[symbol] for symbol, price in changed.items())
        prices |= changed
    for symbol, price in prices.items():
        assert price == price.quantize(Decimal("0.01"))
        assert OPENINGS[symbol] / 2 < price < OPENINGS[symbol] * 2


def test_a_price_never_falls_below_a_cent() -> None:
    chance = same_chance()
    prices = {"LUM": Decimal("0.01")}
    for _ in range(1000):
        prices |= step(prices, prices, chance)
        assert prices["LUM"] >= Decimal("0.01")


async def test_a_market_opens_with_minutes_behind_it() -> None:
    ticks = RandomTicks(COMPANIES, 0.5, same_chance())
    before = now()
    past = await ticks.past()
    assert len(past) == KEPT_TICKS
    assert all(b.time - a.time == timedelta(seconds=0.5) for a, b in pairwise(past))
    assert past[-1].time < now()
    assert past[-1].time >= before - timedelta(seconds=0.5)


async def test_ticks_go_on_from_where_the_past_ended() -> None:
    ticks = RandomTicks(COMPANIES, 0.001, same_chance())
    market = Market(COMPANIES, now())
    for tick in await ticks.past():
        market.apply(tick)
    for _ in range(5):
        known = {symbol: quote.price for symbol, quote in market.quotes.items()}
        tick = await anext(aiter(ticks))
        for symbol, price in tick.prices.items():
            assert abs(price / known[symbol] - 1) < Decimal("0.01")
        market.apply(tick)


def tick(**prices: str) -> Tick:
    return Tick(now(), {name: Decimal(text) for name, text in prices.items()})


async def test_a_slow_reader_gets_the_newest_price_of_each_stock_and_no_backlog() -> (
    None
):
    market = Market(COMPANIES, now())
    changes = market.changes(market.number)
    market.apply(tick(LUM="17.00"))
    first = await anext(changes)
    assert [(q.company.symbol, str(q.price)) for q in first] == [("LUM", "17.00")]
    for cents in range(10, 60):
        market.apply(tick(LUM=f"17.{cents}", KELP=f"200.{cents}"))
    second = await anext(changes)
    assert [(q.company.symbol, str(q.price)) for q in second] == [
        ("KELP", "200.59"),
        ("LUM", "17.59"),
    ]


async def test_a_tick_in_which_nothing_changed_is_not_told() -> None:
    market = Market(COMPANIES, now())
    changes = market.changes(0)
    market.apply(tick())
    market.apply(tick(LUM="17.00"))
    (only,) = await anext(changes)
    assert only.company.symbol == "LUM"


def test_a_market_remembers_the_prices_of_all_stocks_for_some_minutes() -> None:
    market = Market(COMPANIES, now())
    for number in range(KEPT_TICKS + 5):
        market.apply(tick(LUM=f"{number + 1}.00"))
    assert len(market.history) == KEPT_TICKS
    assert str(market.history[0].prices["LUM"]) == "6.00"
    assert all(tick.prices.keys() == OPENINGS.keys() for tick in market.history)
