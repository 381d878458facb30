"""The choice among content codings and media types follows RFC 9110, section 12."""

import random
from collections.abc import Sequence
from time import process_time

import pytest

from bareasgi import Header
from bareasgi.negotiation import accepted_coding, accepted_media_type

LIMIT = 2.0  # seconds
ITEMS = 100_000

CODINGS = [b"br", b"gzip", b"deflate", b"identity"]
TYPES = [b"application/json", b"text/html", b"text/plain; charset=utf-8"]


def lines(name: bytes, *values: bytes) -> list[Header]:
    return [(b"host", b"localhost"), *((name, value) for value in values)]


def coding(*values: bytes, offered: Sequence[bytes] = CODINGS) -> bytes | None:
    return accepted_coding(lines(b"accept-encoding", *values), offered)


def media_type(*values: bytes, offered: Sequence[bytes] = TYPES) -> bytes | None:
    return accepted_media_type(lines(b"accept", *values), offered)


# The examples of RFC 9110, section 12.5.3, and what its rules say beyond them.
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"compress, gzip", b"gzip"),
        (b"", b"identity"),
        (b"*", b"br"),
        (b"compress;q=0.5, gzip;q=1.0", b"gzip"),
        (b"gzip;q=1.0, identity; q=0.5, *;q=0", b"gzip"),
        (b"gzip", b"gzip"),
        (b"GZip", b"gzip"),
        (b"x-gzip", b"gzip"),
        (b"X-GZIP;q=0.9, deflate;q=0.8", b"gzip"),
        (b"gzip, deflate, br", b"br"),
        (b"deflate, gzip", b"gzip"),
        (b"gzip;q=0.9, deflate", b"deflate"),
        (b"gzip;q=0.998, deflate;q=0.999", b"deflate"),
        (b"gzip;q=0.001", b"gzip"),
        (b"gzip;q=0", b"identity"),
        (b"gzip;q=0.000", b"identity"),
        (b"gzip;q=0.", b"identity"),
        (b"gzip;q=1.", b"gzip"),
        (b"gzip;q=1.000, deflate", b"gzip"),
        (b"gzip;Q=0.2, deflate;Q=0.3", b"deflate"),
        (b"zstd", b"identity"),
        (b"identity", b"identity"),
        (b"identity, gzip", b"gzip"),
        (b"identity, gzip;q=0.5", b"identity"),
        (b"identity;q=0.5, gzip;q=0.4", b"identity"),
        (b"identity;q=0.5, gzip;q=0.5", b"gzip"),
        (b"identity;q=0.001, gzip;q=0.001", b"gzip"),
        (b"identity;q=0, gzip;q=0.1", b"gzip"),
        (b"*;q=0.1", b"br"),
        (b"*;q=0.1, gzip", b"gzip"),
        (b"*, br;q=0", b"gzip"),
        (b"*;q=0, gzip", b"gzip"),
        (b"*;q=0, identity", b"identity"),
        (b"*, identity", b"br"),
        (b"*;q=0.5, identity", b"identity"),
        (b"identity;q=0, *", b"br"),
        (b"gzip;q=0, deflate;q=0, br;q=0, *", b"identity"),
        # Twice the same: the highest weight.
        (b"gzip;q=0.1, deflate;q=0.5, gzip;q=0.9", b"gzip"),
        (b"gzip;q=0.9, deflate;q=0.5, gzip;q=0.1", b"gzip"),
        (b"gzip;q=0.1, deflate;q=0.5, x-gzip;q=0.9", b"gzip"),
        # Optional space, and empty items.
        (b"\tgzip ; q=0.3\t,deflate\t;\tq=0.4 ", b"deflate"),
        (b",, gzip ,\t,", b"gzip"),
    ],
)
def test_the_best_coding_is_chosen(value: bytes, expected: bytes) -> None:
    assert coding(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"identity;q=0",
        b"*;q=0",
        b"gzip;q=0, *;q=0",
        b"identity;q=0, *;q=0",
        b"zstd, identity;q=0",
        b"br;q=0, gzip;q=0, deflate;q=0, identity;q=0, *",
        b"identity;q=0.0",
    ],
)
def test_nothing_may_be_acceptable(value: bytes) -> None:
    assert coding(value) is None


@pytest.mark.parametrize(
    "item",
    [
        b"gzip;q",
        b"gzip;q=",
        b"gzip;q=x",
        b"gzip;q=-1",
        b"gzip;q=-0.5",
        b"gzip;q=+0.5",
        b"gzip;q=1.1",
        b"gzip;q=1.001",
        b"gzip;q=2",
        b"gzip;q=10",
        b"gzip;q=.5",
        b"gzip;q=0.1234",
        b"gzip;q=0,5",
        b"gzip;q=1e0",
        b"gzip;q=nan",
        b"gzip;q=inf",
        b"gzip;q=\xc2\xb2",
        b"gzip;q =0.5",
        b"gzip;q= 0.5",
        b"gzip;q=0.5;q=0.6",
        b"gzip;q=0.5;x=1",
        b"gzip;level=1",
        b"gzip;",
        b";q=1",
        b"gzip deflate",
        b"gzip\x00",
        b"gzip\n",
        b"gz\xffip",
        b'"gzip"',
        b"gzip/1",
        b"=",
        b"/",
    ],
)
def test_a_malformed_coding_is_ignored(item: bytes) -> None:
    assert coding(item, offered=[b"gzip", b"identity"]) == b"identity"
    assert coding(item + b", deflate;q=0.1") == b"deflate"
    assert coding(b"deflate;q=0.1 ," + item) == b"deflate"


def test_without_the_field_content_goes_out_as_it_is() -> None:
    assert accepted_coding([], CODINGS) == b"identity"
    assert accepted_coding([(b"accept", b"gzip")], CODINGS) == b"identity"
    assert accepted_coding([], [b"br", b"gzip"]) == b"br"
    assert accepted_coding([], []) is None


def test_all_lines_of_accept_encoding_count() -> None:
    assert coding(b"gzip;q=0.5", b"br;q=0.7") == b"br"
    assert coding(b"gzip;q=0.5,", b", identity;q=0.7") == b"identity"
    assert coding(b"gzip;q=0", b"*;q=0") is None


def test_identity_that_is_not_offered_is_not_given() -> None:
    assert coding(b"identity, gzip;q=0.1", offered=[b"gzip"]) == b"gzip"
    assert coding(b"identity", offered=[b"gzip"]) is None
    assert coding(b"", offered=[b"gzip"]) is None
    assert coding(b"*", offered=[]) is None


def test_identity_is_the_last_resort_wherever_it_is_offered() -> None:
    offered = [b"identity", b"gzip"]
    assert coding(b"gzip;q=0.001", offered=offered) == b"gzip"
    assert coding(b"*;q=0.001", offered=offered) == b"gzip"
    assert coding(b"gzip, identity", offered=offered) == b"identity"
    assert coding(b"br", offered=offered) == b"identity"


# The examples of RFC 9110, section 12.5.1.
LEVELS = (
    b"text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, "
    b"text/plain;format=fixed;q=0.4, */*;q=0.5"
)

# What a browser sends for a page.
PAGE = (
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
    b"image/webp,*/*;q=0.8"
)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (b"text/plain;format=flowed", b"text/plain"),
        (b"text/plain", b"image/jpeg"),
        (b"image/jpeg", b"text/plain;format=fixed"),
        (b"text/plain;format=fixed", b"text/html"),
        (b"text/plain;format=flowed;charset=utf-8", b"text/plain;charset=utf-8"),
        (b"image/jpeg", b"text/html;level=3"),
    ],
)
def test_the_most_specific_range_gives_the_weight(better: bytes, worse: bytes) -> None:
    assert media_type(LEVELS, offered=[worse, better]) == better
    assert media_type(LEVELS, offered=[better, worse]) == better


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"*/*", b"application/json"),
        (b"text/*", b"text/html"),
        (b"text/html", b"text/html"),
        (b"TEXT/Html", b"text/html"),
        (b"text/html, application/json", b"application/json"),
        (b"text/html, application/json;q=0.9", b"text/html"),
        (b"text/html;q=0.2, application/json;q=0.1", b"text/html"),
        (b"*/*;q=0.1, text/html;q=0", b"application/json"),
        (b"*/*, application/json;q=0.5", b"text/html"),
        (b"*/*, application/json;q=0", b"text/html"),
        (b"*/*, application/*;q=0", b"text/html"),
        (b"*/*;q=0, text/plain", b"text/plain; charset=utf-8"),
        (b"application/json;q=0.5, text/*;q=0.6", b"text/html"),
        (b"text/html;q=0.1, text/html;q=0.6, */*;q=0.5", b"text/html"),
        (b"text/html;q=0.6, text/html;q=0.1, */*;q=0.5", b"text/html"),
        # What a browser sends for a page, and for a picture.
        (PAGE, b"text/html"),
        (b"image/avif,image/webp,*/*;q=0.8", b"application/json"),
        # Parameters.
        (b"text/plain;charset=utf-8", b"text/plain; charset=utf-8"),
        (b"text/plain; Charset=UTF-8", b"text/plain; charset=utf-8"),
        (b'text/plain; charset="utf-8"', b"text/plain; charset=utf-8"),
        (rb'text/plain; charset="u\tf-8"', b"text/plain; charset=utf-8"),
        (b"text/*;charset=utf-8", b"text/plain; charset=utf-8"),
        (b"*/*;charset=utf-8", b"text/plain; charset=utf-8"),
        (b"text/html;q=0.5;level=1, text/html;q=0.4", b"text/html"),
        (b"text/html;;q=0.5;, application/json;q=0.4", b"text/html"),
        (b'a/b;x=",", text/html', b"text/html"),
        (b'a/b;x="\\",text/*;q=0,", text/html', b"text/html"),
        # Optional space, and empty items.
        (b"\ttext/html ; q=0.3\t,application/json\t;\tq=0.2 ", b"text/html"),
        (b",, text/html ,\t,", b"text/html"),
    ],
)
def test_the_best_media_type_is_chosen(value: bytes, expected: bytes) -> None:
    assert media_type(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"image/png",
        b"image/*",
        b"*/*;q=0",
        b"text/html;q=0, application/json;q=0.0, text/plain;q=0",
        b"text/html;level=1",
        b"text/plain;charset=latin-1",
        b"text/plain;charset=utf-8;format=flowed",
    ],
)
def test_no_media_type_may_be_acceptable(value: bytes) -> None:
    assert media_type(value) is None


@pytest.mark.parametrize(
    "item",
    [
        b"text",
        b"*",
        b"*/html",
        b"text/",
        b"/html",
        b"/",
        b"text//html",
        b"text /html",
        b"text/html/x",
        b"text/html x",
        b"text/html;q=",
        b"text/html;q=x",
        b"text/html;q=-1",
        b"text/html;q=1.1",
        b"text/html;q=.5",
        b"text/html;q=0.1234",
        b"text/html;q =0.5",
        b"text/html;q=0.5;q=0.6",
        b"text/html;level",
        b"text/html;=1",
        b"text/html\x00",
        b"text/html\n",
        b"t\xe9xt/html",
        b'"text/html"',
        b'text/html;x="',
        b'text/html;x="a"b',
    ],
)
def test_a_malformed_media_range_is_ignored(item: bytes) -> None:
    assert media_type(b"application/json;q=0.1, " + item) == b"application/json"
    # Nothing well formed is as nothing at all.
    assert media_type(item) == b"application/json"
    assert media_type(item, offered=[]) is None


def test_a_quoted_string_that_is_not_closed_takes_the_rest_with_it() -> None:
    assert media_type(b'text/html;q=0.1, a/b;x="c, application/json') == b"text/html"
    assert media_type(b'text/html;q=0.1, a/b;x="c\\') == b"text/html"


def test_without_accept_it_is_the_first_that_is_offered() -> None:
    assert accepted_media_type([], TYPES) == b"application/json"
    assert accepted_media_type([(b"accept-encoding", b"br")], TYPES) == TYPES[0]
    assert media_type(b"") == TYPES[0]
    assert accepted_media_type([], []) is None
    assert media_type(b"*/*", offered=[]) is None


def test_all_lines_of_accept_count() -> None:
    assert media_type(b"application/json;q=0.5", b"text/html") == b"text/html"
    assert media_type(b"application/json;q=0", b"*/*;q=0.1") == b"text/html"


@pytest.mark.parametrize("offered", [b"html", b"", b"*/html", b"text/html;x"])
def test_to_offer_what_is_no_media_type_is_an_error(offered: bytes) -> None:
    with pytest.raises(ValueError, match="is not a media type"):
        media_type(b"text/html", offered=[offered])


HOSTILE = {
    "many": b"gzip;q=0.5, " * ITEMS,
    "many different": b",".join(b"c%d;q=0.5" % number for number in range(ITEMS)),
    "many empty": b", " * ITEMS,
    "many malformed": b"gzip;q=9, " * ITEMS,
    "one long": b"g" * 20 * ITEMS,
    "long white space": b"gzip" + b" \t" * 10 * ITEMS + b"x",
    "long white space before": b" \t" * 10 * ITEMS + b";q=1",
    "many parameters": b"a/b" + b";x=1" * ITEMS,
    "many different parameters": b"a/b"
    + b"".join(b";x%d=1" % number for number in range(ITEMS)),
    "many semicolons": b"a/b" + b" ; " * ITEMS + b"=",
    "many types": b",".join(b"a/b%d;q=0.5" % number for number in range(ITEMS)),
    "the same type": b",".join(b"a/b;x=%d" % number for number in range(ITEMS)),
    "quotes": b'"' * 20 * ITEMS,
    "escaped quotes": b'\\"' * 10 * ITEMS,
    "quoted commas": b'a/b;x="' + b"," * 20 * ITEMS,
    "closed quotes": b'a/b;x="y",' * ITEMS,
    "quotes in quotes": b'a/b;x="' + b'\\"' * 10 * ITEMS,
    "backslashes": b'a/b;x="' + b"\\" * 20 * ITEMS,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_field_takes_time_in_proportion_to_its_size(value: bytes) -> None:
    began = process_time()
    coding(value)
    media_type(value, offered=[b"a/b", b"a/c;x=1", b"text/html"])
    assert process_time() - began < LIMIT


def test_many_lines_take_time_in_proportion_to_their_number() -> None:
    began = process_time()
    assert coding(*[b"gzip;q=0.1"] * ITEMS) == b"gzip"
    assert media_type(*[b"text/html;q=0.1"] * ITEMS) == b"text/html"
    assert process_time() - began < LIMIT


def test_no_bytes_make_the_choice_fail() -> None:
    chance = random.Random(4)  # noqa: S311 - the same bytes in every run
    parts = [b"gzip", b"text/html", b"*", b"/", b";", b"q=0.5", b"=", b",", b" ", b'"']
    parts += [b"\\", b"\xff", b"\0", b"\n", b"identity", b"q=0", b"x"]
    for _ in range(20_000):
        value = b"".join(chance.choices(parts, k=chance.randrange(12)))
        assert coding(value) in [*CODINGS, None]
        assert media_type(value) in [*TYPES, None]
