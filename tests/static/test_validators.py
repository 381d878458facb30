"""Dates and tags. What they decide is in test_conditions.py."""

import time

import pytest

from bareasgi_static.validators import (
    entity_tag,
    evaluate,
    http_date,
    parse_http_date,
)

NOVEMBER = 784111777


@pytest.mark.parametrize(
    "text",
    [
        # The examples of RFC 9110, section 5.6.7.
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_the_three_forms_of_a_date_are_read(text: str) -> None:
    assert parse_http_date(text.encode()) == NOVEMBER


def test_dates_are_written_in_the_first_form() -> None:
    assert http_date(NOVEMBER) == b"Sun, 06 Nov 1994 08:49:37 GMT"
    for moment in (0, 1, 951782400, 2**31, 2**32, int(time.time())):
        assert parse_http_date(http_date(moment)) == moment


def test_a_year_of_two_digits_is_at_most_fifty_years_ahead() -> None:
    this_year = time.gmtime().tm_year
    for ahead in range(-49, 51):
        year = this_year + ahead
        text = f"Sunday, 06-Nov-{year % 100:02} 08:49:37 GMT"
        moment = parse_http_date(text.encode())
        assert moment is not None
        assert time.gmtime(moment).tm_year == year


def test_a_leap_second_is_a_date() -> None:
    leap = parse_http_date(b"Sat, 31 Dec 2016 23:59:60 GMT")
    assert leap == parse_http_date(b"Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff" * 20,
        b"x" * 100_000,
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nov 1994 08:49 GMT",
        b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Xxx, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Xxx 1994 08:49:37 GMT",
        b"Sun, 31 Jun 1994 08:49:37 GMT",
        b"Sun, 00 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:49:37 GMT",
        b"Sun, 06 Nov 1994 08:60:37 GMT",
        b"Sun, 06 Nov 1994 08:49:61 GMT\n",
        b" Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT".encode(),
    ],
)
def test_anything_else_is_no_date(value: bytes) -> None:
    assert parse_http_date(value) is None


def test_tags_are_strong_and_quoted_and_differ_by_coding() -> None:
    tags = {entity_tag(1, 2), entity_tag(1, 2, b"br"), entity_tag(2, 1)}
    assert len(tags) == 3
    for tag in tags:
        assert tag.startswith(b'"')
        assert tag.endswith(b'"')


@pytest.mark.parametrize(
    "value",
    [b'"' * 65_536, b"," * 65_536, b'"a",' * 16_384, b"W/" * 32_768, b'"a" ' * 16_384],
    ids=lambda value: value[:8].decode(),
)
def test_a_long_list_of_tags_takes_no_time(value: bytes) -> None:
    before = time.process_time()
    for name in (b"if-match", b"if-none-match"):
        assert evaluate({name: [value]}, b'"b"', 0) in {200, 412}
    assert time.process_time() - before < 2
