"""Cookies go out as they were meant, and come in whatever they are."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from http.cookies import SimpleCookie
from time import process_time
from typing import Any

import pytest

from bareasgi.cookies import (
    decode_cookies,
    decode_set_cookie,
    encode_cookies,
    encode_set_cookie,
)

LIMIT = 2.0  # seconds
SIZE = 4 * 1024 * 1024

A_DATE = datetime(2015, 10, 21, 7, 28, tzinfo=UTC)
CONTROLS = [bytes([number]) for number in [*range(0x20), 0x7F]]
WHOLE: dict[str, Any] = {
    "expires": A_DATE,
    "max_age": timedelta(hours=1),
    "domain": b"example.com",
    "path": b"/a",
    "secure": True,
    "http_only": True,
    "same_site": b"Lax",
}


@contextmanager
def in_time() -> Iterator[None]:
    """Hold the block to the limit, in time of ours and not of other processes."""
    began = process_time()
    yield
    assert process_time() - began < LIMIT


def test_a_cookie_is_a_name_and_a_value() -> None:
    assert encode_set_cookie(b"id", b"a1") == b"id=a1"
    assert encode_set_cookie(b"id", b"") == b"id="


def test_all_attributes_are_sent_in_their_order() -> None:
    assert encode_set_cookie(b"id", b"a1", **WHOLE) == (
        b"id=a1; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=3600;"
        b" Domain=example.com; Path=/a; Secure; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"expires": datetime(2015, 10, 21, 7, 28)}, b"Wed, 21 Oct 2015 07:28:00 GMT"),  # noqa: DTZ001 - naive
        (
            {
                "expires": datetime(
                    2015, 10, 21, 7, 28, tzinfo=timezone(timedelta(hours=9))
                )
            },
            b"Tue, 20 Oct 2015 22:28:00 GMT",
        ),
        (
            {"expires": datetime(1970, 1, 1, tzinfo=UTC)},
            b"Thu, 01 Jan 1970 00:00:00 GMT",
        ),
        ({"max_age": 0}, b"0"),
        ({"max_age": -1}, b"-1"),
        ({"max_age": 10**9}, b"1000000000"),
        ({"max_age": timedelta(days=1, milliseconds=1500)}, b"86401"),
        ({"max_age": timedelta(seconds=-2)}, b"-2"),
        ({"same_site": b"Strict"}, b"Strict"),
        ({"same_site": b"None"}, b"None"),
        ({"same_site": b"lax"}, b"lax"),
        ({"path": b""}, b""),
    ],
)
def test_an_attribute_is_written_as_the_field_wants_it(
    options: dict[str, Any], expected: bytes
) -> None:
    _, _, value = encode_set_cookie(b"id", b"a", **options).partition(b"; ")
    assert value.partition(b"=")[2] == expected


def test_a_date_without_a_timezone_is_utc_wherever_this_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    date = A_DATE.replace(tzinfo=None)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        encoded = encode_set_cookie(b"id", b"a", expires=date)
    time.tzset()
    assert encoded == b"id=a; Expires=Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_character_is_refused_wherever_it_is(control: bytes) -> None:
    text = b"a" + control + b"b"
    with pytest.raises(ValueError, match="name of a cookie must not have"):
        encode_set_cookie(text, b"v")
    with pytest.raises(ValueError, match="value of a cookie must not have"):
        encode_set_cookie(b"n", text)
    with pytest.raises(ValueError, match="path of a cookie must not have"):
        encode_set_cookie(b"n", b"v", path=text)
    with pytest.raises(ValueError, match="domain of a cookie must not have"):
        encode_set_cookie(b"n", b"v", domain=text)
    with pytest.raises(ValueError, match="same_site must be"):
        encode_set_cookie(b"n", b"v", same_site=b"Lax" + control)
    with pytest.raises(ValueError, match="name of a cookie must not have"):
        encode_cookies({text: [b"v"]})
    with pytest.raises(ValueError, match="value of a cookie must not have"):
        encode_cookies({b"n": [b"v", text]})


def test_what_would_add_an_attribute_or_a_cookie_is_refused() -> None:
    text = b"a; Domain=evil.example"
    with pytest.raises(ValueError, match="name of a cookie must not have b';'"):
        encode_set_cookie(text, b"v")
    with pytest.raises(ValueError, match="value of a cookie must not have b';'"):
        encode_set_cookie(b"n", text)
    with pytest.raises(ValueError, match="path of a cookie must not have b';'"):
        encode_set_cookie(b"n", b"v", path=text)
    with pytest.raises(ValueError, match="domain of a cookie must not have b';'"):
        encode_set_cookie(b"n", b"v", domain=text)
    with pytest.raises(ValueError, match="same_site must be"):
        encode_set_cookie(b"n", b"v", same_site=text)
    with pytest.raises(ValueError, match="name of a cookie must not have b';'"):
        encode_cookies({b"a;b": [b"v"]})
    with pytest.raises(ValueError, match="name of a cookie must not have b'='"):
        encode_cookies({b"a=b": [b"v"]})
    with pytest.raises(ValueError, match="value of a cookie must not have b';'"):
        encode_cookies({b"n": [b"a;b=c"]})


@pytest.mark.parametrize("name", [b"a b", b"a\tb", b" a", b"a,b", b"a=b", b"="])
def test_a_name_that_is_no_name_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="the name of a cookie must not have"):
        encode_set_cookie(name, b"v")


def test_a_cookie_needs_a_name() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        encode_set_cookie(b"", b"v")


@pytest.mark.parametrize("value", [b'"quoted"', b"a=b", b"a b,c", b"\xc3\xa6", b"%3B"])
def test_a_value_is_sent_as_it_is(value: bytes) -> None:
    assert encode_set_cookie(b"n", value) == b"n=" + value
    assert encode_cookies({b"n": [value]}) == b"n=" + value


@pytest.mark.parametrize("name", [b"__Secure-id", b"__Host-id", b"__host-id"])
def test_a_name_that_promises_to_be_secure_is_held_to_it(name: bytes) -> None:
    with pytest.raises(RuntimeError, match="must be secure"):
        encode_set_cookie(name, b"v")
    assert encode_set_cookie(name, b"v", secure=True) == name + b"=v; Secure"


@pytest.mark.parametrize("same_site", [b"", b"Loose", "Lax"])
def test_same_site_is_one_of_three(same_site: Any) -> None:
    with pytest.raises(ValueError, match="same_site must be b'Lax', b'Strict' or"):
        encode_set_cookie(b"n", b"v", same_site=same_site)


def test_text_in_place_of_bytes_is_an_error_that_says_so() -> None:
    encode: Any = encode_set_cookie
    with pytest.raises(TypeError, match="name of a cookie must be bytes, not 'n'"):
        encode("n", b"v")
    with pytest.raises(TypeError, match="value of a cookie must be bytes, not 'v'"):
        encode(b"n", "v")
    with pytest.raises(TypeError, match="path of a cookie must be bytes, not '/'"):
        encode(b"n", b"v", path="/")
    encode = encode_cookies
    with pytest.raises(TypeError, match="name of a cookie must be bytes, not 'n'"):
        encode({"n": [b"v"]})
    with pytest.raises(TypeError, match="value of a cookie must be bytes, not 118"):
        encode({b"n": b"v"})


def test_what_was_sent_is_understood_again() -> None:
    encoded = encode_set_cookie(b"id", b"a1", **WHOLE)
    assert decode_set_cookie(encoded) == {"name": b"id", "value": b"a1", **WHOLE}
    assert decode_set_cookie(b"id=a1") == {"name": b"id", "value": b"a1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", {"name": b"", "value": b""}),
        (b"=", {"name": b"", "value": b""}),
        (b"=v", {"name": b"", "value": b"v"}),
        (b"n", {"name": b"n", "value": b""}),
        (b";", {"name": b"", "value": b""}),
        (b" n = v ", {"name": b"n", "value": b"v"}),
        (b"\tn\t=\tv\t;", {"name": b"n", "value": b"v"}),
        (b'n="a b"', {"name": b"n", "value": b'"a b"'}),
        (b"n=a=b", {"name": b"n", "value": b"a=b"}),
        (b"n=v;Secure;HttpOnly", {"secure": True, "http_only": True}),
        (b"n=v; SECURE; hTTPoNLY", {"secure": True, "http_only": True}),
        (b"n=v; secure=no", {"secure": True}),
        (b"n=v; Path=/a; Path=/b", {"path": b"/b"}),
        (b"n=v; path = /a ", {"path": b"/a"}),
        (b"n=v; Path", {"path": b""}),
        (b"n=v; Domain=.Example.com", {"domain": b".Example.com"}),
        (b"n=v; SameSite=Odd", {"same_site": b"Odd"}),
        (b"n=v; Max-Age=60", {"max_age": timedelta(minutes=1)}),
        (b"n=v; Max-Age=-60", {"max_age": timedelta(minutes=-1)}),
        (b"n=v; Max-Age=60; Max-Age=x", {"max_age": timedelta(minutes=1)}),
        (b"n=v; Partitioned; Priority=High; ; \xff=\xfe", {}),
    ],
)
def test_a_set_cookie_is_taken_apart(text: bytes, expected: dict[str, object]) -> None:
    assert decode_set_cookie(text) == {"name": b"n", "value": b"v", **expected}


@pytest.mark.parametrize(
    "value",
    [b"", b"x", b"1.5", b"+1", b"--1", b"1 2", b"1e3", b"\xb2", b"9" * 14, b"9" * 5000],
)
def test_a_max_age_that_is_no_number_is_left_out(value: bytes) -> None:
    assert "max_age" not in decode_set_cookie(b"n=v; Max-Age=" + value)


def test_the_largest_max_age_is_understood() -> None:
    decoded = decode_set_cookie(b"n=v; Max-Age=" + b"9" * 13)
    assert decoded.get("max_age") == timedelta(seconds=10**13 - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Wed, 21 Oct 2015 07:28:00 GMT", A_DATE),
        (b"Wednesday, 21-Oct-15 07:28:00 GMT", A_DATE),
        (b"Wed Oct 21 07:28:00 2015", A_DATE),
        (b"Wed, 21-Oct-2015 07:28:00 GMT", A_DATE),
        (b"21 oct 15 7:28:0", A_DATE),
        (b"2015 21 October 07:28:00.123 +0900", A_DATE),
        (b"07:28:00 21 21 Oct 2015", datetime(2021, 10, 21, 7, 28, tzinfo=UTC)),
        (b"01 Jan 1970 00:00:00 GMT", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"01 Jan 70 00:00:00 GMT", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"01 Jan 69 00:00:00 GMT", datetime(2069, 1, 1, tzinfo=UTC)),
        (b"01 Jan 1601 00:00:00 GMT", datetime(1601, 1, 1, tzinfo=UTC)),
        (b"31 Dec 9999 23:59:59 GMT", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_date_is_found_in_any_form(text: bytes, expected: datetime) -> None:
    decoded = decode_set_cookie(b"n=v; Expires=" + text)
    assert decoded.get("expires") == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"tomorrow",
        b"21 Oct 2015",
        b"21 2015 07:28:00",
        b"Oct 2015 07:28:00",
        b"21 Oct 07:28:00",
        b"31 Feb 2015 07:28:00",
        b"00 Oct 2015 07:28:00",
        b"32 Oct 2015 07:28:00",
        b"21 Oct 1600 07:28:00",
        b"21 Oct 20155 07:28:00",
        b"21 Oct 100 07:28:00",
        b"21 Oct 2015 24:00:00",
        b"21 Oct 2015 07:60:00",
        b"21 Oct 2015 07:28:60",
        b"21 Oct 2015 007:28:00",
        b"21 Oct 2015 07:28:001",
        b"\xb2\xb9 Oct 2015 07:28:00",
        b"1445412480",
    ],
)
def test_an_expires_that_is_no_date_is_left_out(text: bytes) -> None:
    assert "expires" not in decode_set_cookie(b"n=v; Expires=" + text)


def test_dates_survive_a_round_trip_at_any_second() -> None:
    chance = random.Random(1)  # noqa: S311 - the same dates in every run
    first = datetime(1601, 1, 1, tzinfo=UTC)
    for _ in range(500):
        date = first + timedelta(seconds=chance.randrange(8398 * 365 * 86400))
        decoded = decode_set_cookie(encode_set_cookie(b"n", b"v", expires=date))
        assert decoded.get("expires") == date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", {}),
        (b";", {}),
        (b" ; ;\t;", {}),
        (b"a=1", {b"a": [b"1"]}),
        (b"a=1; b=2", {b"a": [b"1"], b"b": [b"2"]}),
        (b"a=1;b=2", {b"a": [b"1"], b"b": [b"2"]}),
        (b"a=1;;b=2;", {b"a": [b"1"], b"b": [b"2"]}),
        (b" a=1 ;\tb=2 ", {b"a": [b"1"], b"b": [b"2"]}),
        (b"a = 1; b =2", {b"a": [b"1"], b"b": [b"2"]}),
        (b"a=1; b=2; a=3", {b"a": [b"1", b"3"], b"b": [b"2"]}),
        (b"a=b=c==", {b"a": [b"b=c=="]}),
        (b'a="1 2"', {b"a": [b'"1 2"']}),
        (b"a=", {b"a": [b""]}),
        (b"a", {b"a": [b""]}),
        (b"=1", {b"": [b"1"]}),
        (b"=", {b"": [b""]}),
        (b"A=1; a=2", {b"A": [b"1"], b"a": [b"2"]}),
        (b"\xff=\xfe", {b"\xff": [b"\xfe"]}),
    ],
)
def test_cookies_are_taken_apart(
    text: bytes, expected: dict[bytes, list[bytes]]
) -> None:
    assert decode_cookies(text) == expected


def test_the_order_of_cookies_is_kept() -> None:
    decoded = decode_cookies(b"z=1; a=2; m=3; a=1; z=0")
    assert list(decoded.items()) == [
        (b"z", [b"1", b"0"]),
        (b"a", [b"2", b"1"]),
        (b"m", [b"3"]),
    ]


def test_cookies_are_put_together() -> None:
    assert encode_cookies({}) == b""
    assert encode_cookies({b"a": []}) == b""
    cookies = {b"a": [b"1", b"3"], b"b": [b""]}
    assert encode_cookies(cookies) == b"a=1; a=3; b="
    assert decode_cookies(encode_cookies(cookies)) == cookies


def test_the_standard_library_understands_what_is_sent() -> None:
    parsed = SimpleCookie(encode_set_cookie(b"id", b"a1", **WHOLE).decode())
    assert parsed["id"].value == "a1"
    assert parsed["id"]["max-age"] == "3600"
    assert parsed["id"]["samesite"] == "Lax"
    parsed = SimpleCookie(encode_cookies({b"a": [b"1"], b"b": [b"2"]}).decode())
    assert {name: morsel.value for name, morsel in parsed.items()} == {
        "a": "1",
        "b": "2",
    }


PARTS = [
    *(b"a", b"__Host-b", b"=", b";", b" ", b"\t", b",", b'"', b"\xff", b"\0", b"\r\n"),
    *(b"Expires", b"Max-Age", b"Oct", b"21", b"2015", b"07:28:00", b"-", b"9" * 20),
    *(b"Domain", b"Path", b"Secure", b"SameSite", b":", b"\xb2"),
]


def test_no_bytes_make_decoding_fail() -> None:
    chance = random.Random(2)  # noqa: S311 - the same bytes in every run
    for _ in range(20_000):
        text = b"".join(chance.choices(PARTS, k=chance.randrange(16)))
        decode_set_cookie(text)
        decode_cookies(text)
    for _ in range(2_000):
        text = chance.randbytes(chance.randrange(64))
        decode_set_cookie(text)
        decode_cookies(text)


def test_what_a_client_sent_can_be_sent_on() -> None:
    chance = random.Random(3)  # noqa: S311 - the same bytes in every run
    parts = [part for part in PARTS if part not in {b"\t", b"\0", b"\r\n"}]
    for _ in range(5_000):
        text = b"".join(chance.choices(parts, k=chance.randrange(16)))
        decoded = decode_cookies(text)
        assert decode_cookies(encode_cookies(decoded)) == decoded


def test_nothing_that_is_encoded_has_more_attributes_than_it_was_given() -> None:
    chance = random.Random(5)  # noqa: S311 - the same bytes in every run
    encoded = 0
    for _ in range(20_000):
        name, value, path = (
            b"".join(chance.choices(PARTS, k=chance.randrange(3))) for _ in range(3)
        )
        try:
            text = encode_set_cookie(name, value, path=path)
        except (ValueError, RuntimeError):
            continue
        encoded += 1
        assert text.count(b";") == 1
        decoded = decode_set_cookie(text)
        assert decoded.keys() == {"name", "value", "path"}
        assert decoded["name"] == name
        assert decoded["value"] == value.strip()
    assert encoded > 1_000


COOKIES = {
    "pairs": b"a=b;" * (SIZE // 4),
    "different names": b"".join(b"%08d=;" % number for number in range(SIZE // 10)),
    "semicolons": b";" * SIZE,
    "equals signs": b"=" * SIZE,
    "blanks": b" " * SIZE,
    "blanks and semicolons": b" ;" * (SIZE // 2),
    "one name": b"a" * SIZE,
}


@pytest.mark.parametrize("text", COOKIES.values(), ids=COOKIES)
def test_a_cookie_of_four_megabytes_takes_time_in_proportion(text: bytes) -> None:
    with in_time():
        decode_cookies(text)


LONG = SIZE // 8
SET_COOKIES = {
    **{name: text[:LONG] for name, text in COOKIES.items()},
    "attributes": b"a=b" + b"; Path=/" * (LONG // 8),
    "digits": b"a=b; Max-Age=" + b"9" * LONG,
    "a long number in a date": b"a=b; Expires=" + b"9" * LONG,
    "tokens of a date": b"a=b; Expires=" + b"1 " * (LONG // 2),
    "months": b"a=b; Expires=" + b"Jan-" * (LONG // 4),
    "dates": b"a=b" + b"; Expires=21 Oct 2015 07:28:00" * (LONG // 30),
}


@pytest.mark.parametrize("text", SET_COOKIES.values(), ids=SET_COOKIES)
def test_a_long_set_cookie_takes_time_in_proportion(text: bytes) -> None:
    with in_time():
        decode_set_cookie(text)


def test_as_much_is_sent_in_proportion() -> None:
    cookies = {b"%06d" % number: [b"v"] * 4 for number in range(50_000)}
    with in_time():
        encoded = encode_cookies(cookies)
    assert len(encoded) == 4 * 50_000 * 10 - 2
