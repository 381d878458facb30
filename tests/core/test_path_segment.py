"""One segment of a template: what its parameter accepts, makes, and refuses."""

# Digits of other scripts, and times without a zone, are what this is about.
# ruff: noqa: DTZ001, RUF001

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from bareasgi import ParseError
from bareasgi.basic_router import CONVERTERS, PathSegment

ID = UUID("123e4567-e89b-12d3-a456-426614174000")

# What each type accepts, as template, text and value.
ACCEPTED: list[tuple[str, str, object]] = [
    ("{x}", "bar", "bar"),
    ("{x}", "12", "12"),
    ("{x}", " ", " "),
    ("{x}", "{x}", "{x}"),
    ("{x}", "5\n", "5\n"),
    ("{x}", "\x00", "\x00"),
    ("{x}", "naïve", "naïve"),
    ("{x}", "\udcff", "\udcff"),
    ("{x:str}", "..", ".."),
    ("{x:int}", "0", 0),
    ("{x:int}", "12", 12),
    ("{x:int}", "-12", -12),
    ("{x:int}", "007", 7),
    ("{x:int}", "-0", 0),
    ("{x:int}", "9" * 18, 10**18 - 1),
    ("{x:int}", "-" + "9" * 18, 1 - 10**18),
    ("{x:float}", "1", 1.0),
    ("{x:float}", "-1", -1.0),
    ("{x:float}", "1.5", 1.5),
    ("{x:float}", "-0.25", -0.25),
    ("{x:float}", "1e3", 1000.0),
    ("{x:float}", "1E3", 1000.0),
    ("{x:float}", "2.5e-3", 0.0025),
    ("{x:float}", "1e-400", 0.0),
    ("{x:float}", "123456789012345678901234567890", 1.2345678901234568e29),
    ("{x:datetime:%Y-%m-%d}", "2020-01-31", datetime(2020, 1, 31)),
    ("{x:datetime:%Y%m%dT%H%M}", "20200131T2359", datetime(2020, 1, 31, 23, 59)),
    ("{x:datetime:%H:%M:%S}", "12:34:56", datetime(1900, 1, 1, 12, 34, 56)),
    ("{x:datetime:%d %b %Y}", "31 Jan 2020", datetime(2020, 1, 31)),
    ("{x:datetime:%Y-%m-%d%z}", "2020-01-31+0000", datetime(2020, 1, 31, tzinfo=UTC)),
    ("{x:datetime:am %Y::%m}", "am 2020::02", datetime(2020, 2, 1)),
    ("{x:datetime}", "2020-01-31T12:34:56Z", datetime(2020, 1, 31, 12, 34, 56)),
    ("{x:datetime:}", "2020-01-31T12:34:56Z", datetime(2020, 1, 31, 12, 34, 56)),
    (
        "{x:datetime}",
        "2020-01-31T12:34:56.7Z",
        datetime(2020, 1, 31, 12, 34, 56, 700000),
    ),
    (
        "{x:datetime}",
        "2020-01-31T12:34:56.000001Z",
        datetime(2020, 1, 31, 12, 34, 56, 1),
    ),
    (
        "{x:datetime}",
        "2020-01-31T12:34:56+05:30",
        datetime(
            2020, 1, 31, 12, 34, 56, tzinfo=timezone(timedelta(hours=5, minutes=30))
        ),
    ),
    (
        "{x:datetime}",
        "2020-01-31T12:34:56.25-08:00",
        datetime(2020, 1, 31, 12, 34, 56, 250000, timezone(timedelta(hours=-8))),
    ),
    (
        "{x:datetime}",
        "2020-01-31T12:34:56+00:00",
        datetime(2020, 1, 31, 12, 34, 56, tzinfo=UTC),
    ),
    ("{x:uuid}", str(ID), ID),
    ("{x:uuid}", str(ID).upper(), ID),
    ("{x:path}", "", ""),
    ("{x:path}", "a", "a"),
    ("{x:path}", "a/b//c/", "a/b//c/"),
]

# What each type refuses, as template and texts.
REFUSED: dict[str, list[str]] = {
    "{x}": [""],
    "{x:str}": [""],
    "{x:int}": [
        "",
        "-",
        "--1",
        "+5",
        "5\n",
        "5\r",
        "\n5",
        " 5",
        "5 ",
        "5\x00",
        "1_000",
        "1.0",
        "1e3",
        "0x10",
        "five",
        "٣",
        "１２",  # full-width digits
        "1２",  # one of them full-width
        "²",
        "①",
        "−5",  # a minus sign, not a hyphen
        "1" * 19,
        "-" + "1" * 19,
        "0" * 19,
        "9" * 10_000,
    ],
    "{x:float}": [
        "",
        "-",
        ".",
        ".5",
        "5.",
        "-.5",
        "+1.0",
        "1e+5",
        "1e",
        "e5",
        "1e5.0",
        "nan",
        "NaN",
        "-nan",
        "inf",
        "-inf",
        "Infinity",
        "1e400",
        "-1e400",
        "9" * 400,
        "1_0.0",
        "1.0 ",
        " 1.0",
        "1.0\n",
        "1,5",
        "0x1p3",
        "٣.٥",
        "１.５",  # full-width digits
    ],
    "{x:datetime:%Y-%m-%d}": [
        "",
        "2020-01-32",
        "2020-13-01",
        "2020-01-31\n",
        "2020-01-31 ",
        "2020-01-31T00:00:00",
        "yesterday",
        "２０２０-01-31",  # full-width digits
        "2020-0٣-01",
    ],
    "{x:datetime}": [
        "",
        "2020-01-31",
        "2020-01-31T12:34Z",
        "2020-01-31T12:34:56",
        "2020-01-31 12:34:56Z",
        "2020-01-31t12:34:56Z",
        "2020-01-31T12:34:56z",
        "2020-01-31T12:34:56Z\n",
        "2020-01-31T12:34:56.Z",
        "2020-01-31T12:34:56.1234567Z",
        "2020-01-31T12:34:56,5Z",
        "2020-01-31T12:34:56+0530",
        "2020-01-31T12:34:56+05",
        "2020-01-31T12:34:56+05:30:10",
        "2020-01-31T12:34:56+24:00",
        "2020-01-31T12:34:60Z",
        "2020-01-31T25:00:00Z",
        "2020-02-30T12:34:56Z",
        "0000-01-01T00:00:00Z",
        "20200131T123456Z",
        "2020-W05-5T12:34:56Z",
        "２０２０-01-31T12:34:56Z",  # full-width digits
        "1580474096",
    ],
    "{x:uuid}": [
        "",
        ID.hex,
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f"{ID}\n",
        f" {ID}",
        str(ID)[:-1],
        f"{ID}0",
        str(ID).replace("-", "_"),
        str(ID).replace("1", "g"),
        str(ID).replace("1", "１"),  # a full-width digit
    ],
    "foo": ["", "Foo", "FOO", "foo ", "fo", "foo/", "{foo}"],
}


@pytest.mark.parametrize(("template", "text", "value"), ACCEPTED, ids=ascii)
def test_a_parameter_converts_the_text_of_its_type(
    template: str, text: str, value: object
) -> None:
    is_match, name, found = PathSegment(template).match(text)
    assert (is_match, name, found) == (True, "x", value)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [(template, text) for template, texts in REFUSED.items() for text in texts],
    ids=lambda text: ascii(text[:40]),
)
def test_other_text_does_not_match(template: str, text: str) -> None:
    assert PathSegment(template).match(text)[0] is False


@pytest.mark.parametrize(
    ("text", "naive"),
    [
        ("2020-01-31T12:34:56Z", True),
        ("2020-01-31T12:34:56+00:00", False),
        ("2020-01-31T12:34:56-00:30", False),
    ],
)
def test_a_time_in_utc_is_naive_and_one_with_an_offset_is_aware(
    text: str,
    naive: bool,  # noqa: FBT001 - of a table
) -> None:
    _, _, value = PathSegment("{x:datetime}").match(text)
    assert (value.tzinfo is None) is naive


def test_literal_text_matches_itself_and_has_no_name_or_value() -> None:
    segment = PathSegment("foo")
    assert segment.match("foo") == (True, None, None)
    assert segment.is_variable is False


def test_empty_literal_text_matches_empty_text_only() -> None:
    segment = PathSegment("")
    assert segment.match("")[0]
    assert not segment.match("a")[0]


@pytest.mark.parametrize(
    ("template", "name", "kind", "form"),
    [
        ("{id}", "id", "str", ""),
        ("{id:int}", "id", "int", ""),
        ("{id:int:}", "id", "int", ""),
        ("{at:datetime:%Y-%m-%d}", "at", "datetime", "%Y-%m-%d"),
        ("{at:datetime:%H:%M:%S}", "at", "datetime", "%H:%M:%S"),
        ("{at:datetime::}", "at", "datetime", ":"),
        ("{rest:path}", "rest", "path", ""),
        ("{with space}", "with space", "str", ""),
        ("{class}", "class", "str", ""),
    ],
)
def test_a_parameter_has_a_name_a_type_and_the_format_after_the_second_colon(
    template: str, name: str, kind: str, form: str
) -> None:
    segment = PathSegment(template)
    assert segment.is_variable is True
    assert (segment.name, segment.type, segment.format) == (name, kind, form)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{x",
        "x}",
        "{{x}}",
        "{x}}",
        "{{x}",
        "}x{",
        "a{x}",
        "{x}a",
        "{x}{y}",
        "{x}-{y}",
        "a{b",
        "a}b",
        "{x:datetime:{}}",
    ],
)
def test_braces_that_are_not_around_the_whole_segment_are_refused(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        PathSegment(text)
    # The message has the offending text, and what to write instead.
    assert repr(text) in str(caught.value)
    assert "{name}" in str(caught.value)


@pytest.mark.parametrize("text", ["{}", "{:int}", "{:}", "{::}", "{:datetime:%Y}"])
def test_a_parameter_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        PathSegment(text)
    assert repr(text) in str(caught.value)
    assert "name" in str(caught.value)


@pytest.mark.parametrize("text", ["{x:integer}", "{x:INT}", "{x: int}", "{x:}"])
def test_an_unknown_type_is_refused_with_the_types_there_are(text: str) -> None:
    with pytest.raises(TypeError) as caught:
        PathSegment(text)
    assert repr(text) in str(caught.value)
    for known in ("str", "int", "float", "datetime", "uuid", "path"):
        assert known in str(caught.value)
    assert "CONVERTERS" in str(caught.value)


def test_a_parse_error_is_a_value_error() -> None:
    assert issubclass(ParseError, ValueError)


def test_the_registry_has_the_six_types() -> None:
    assert set(CONVERTERS) == {"str", "int", "float", "datetime", "uuid", "path"}


def test_a_type_added_to_the_registry_is_given_text_and_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONVERTERS, "pair", lambda text, form: (text, form))
    segment = PathSegment("{x:pair:a:b}")
    assert segment.type == "pair"
    assert segment.match("text") == (True, "x", ("text", "a:b"))
    assert PathSegment("{x:pair}").match("text")[2] == ("text", "")


def test_a_type_of_the_registry_can_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONVERTERS, "int", lambda text, _: int(text, 16))
    assert PathSegment("{x:int}").match("ff")[2] == 255


def test_a_converter_may_find_none_and_other_false_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONVERTERS, "nothing", lambda *_: None)
    assert PathSegment("{x:nothing}").match("text") == (True, "x", None)


def test_a_converter_of_the_user_is_not_asked_about_empty_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setitem(CONVERTERS, "any", lambda text, _: asked.append(text))
    assert not PathSegment("{x:any}").match("")[0]
    assert asked == []


@pytest.mark.parametrize(
    "error",
    [
        ValueError,
        UnicodeError,
        OverflowError,
        ZeroDivisionError,
        ArithmeticError,
        TypeError,
    ],
)
def test_a_converter_says_no_match_by_raising(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(text: str, form: str) -> Any:
        raise error

    monkeypatch.setitem(CONVERTERS, "picky", refuse)
    assert PathSegment("{x:picky}").match("text")[0] is False


@pytest.mark.parametrize("form", ["%Y%Y", "%H%X", "%", "%Q", "%Y-%"])
def test_a_format_that_strptime_cannot_read_is_refused(form: str) -> None:
    with pytest.raises(ParseError) as caught:
        PathSegment(f"{{x:datetime:{form}}}")
    assert repr(form) in str(caught.value)


@pytest.mark.parametrize("convert", [int, float, str], ids=["int", "float", "str"])
def test_converters_are_called_anew_for_each_text(
    monkeypatch: pytest.MonkeyPatch, convert: Callable[[str], Any]
) -> None:
    monkeypatch.setitem(CONVERTERS, "mine", lambda text, _: convert(text))
    segment = PathSegment("{x:mine}")
    assert segment.match("1")[2] == convert("1")
    assert segment.match("2")[2] == convert("2")
