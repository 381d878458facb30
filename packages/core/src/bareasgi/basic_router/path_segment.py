"""One segment of a path template, and the converters that its parameters may name."""

import math
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from bareasgi.errors import ParseError

Converter: TypeAlias = Callable[[str, str], Any]
"""Makes a value of a segment's text, given the template's format ('' for none).

Raises ValueError when the text is not one of its values.
"""

NO_MATCH: Final = (ValueError, ArithmeticError, TypeError)
"""What a converter may raise to say that the segment does not match."""

REST: Final = "path"
"""The type, and when a last segment has none the name, of the rest of a path."""


MAX_DIGITS: Final = 18
_FLOAT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?")
_DATETIME: Final = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-5][0-9])"
)
_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def to_str(text: str, _format: str) -> str:
    """Take the text itself: the converter of a parameter without a type."""
    return text


def _to_int(text: str, _format: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS):
        raise ValueError(f"{text!r} is not an int of up to 18 digits")
    return int(text)


def _to_float(text: str, _format: str) -> float:
    if _FLOAT.fullmatch(text) is None or not math.isfinite(value := float(text)):
        raise ValueError(f"{text!r} is not a finite float")
    return value


def _to_datetime(text: str, form: str) -> datetime:
    if form:
        # strptime takes the digits of every script; those of a URL are ASCII.
        if any(char.isdecimal() and not char.isascii() for char in text):
            raise ValueError(f"{text!r} has digits that are not ASCII")
        return datetime.strptime(text, form)  # noqa: DTZ007 - the format decides
    if _DATETIME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not an ISO 8601 date and time with its zone")
    # UTC is given as a naive value, as it always was.
    return datetime.fromisoformat(text.removesuffix("Z"))


def _to_uuid(text: str, _format: str) -> UUID:
    if _UUID.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a UUID in its canonical form")
    return UUID(text)


CONVERTERS: Final[dict[str, Converter]] = {
    "str": to_str,
    "int": _to_int,
    "float": _to_float,
    "datetime": _to_datetime,
    "uuid": _to_uuid,
    # The rest of the path is more than one segment's text: the router joins it.
    REST: to_str,
}
"""Types by the name they have in templates. Add an entry to make one of your own; a
template keeps the converters that it found when it was made.
"""


class PathSegment:
    """What stands between two slashes: literal text, or `{name:type:format}`.

    Everything after the second colon is the format, further colons included. Raises
    ParseError for stray braces, text beside braces and a missing name, and TypeError
    for a type that is not in CONVERTERS.
    """

    __slots__ = ("converter", "format", "is_variable", "name", "text", "type")

    text: str
    name: str
    type: str
    format: str
    is_variable: bool
    converter: Converter

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_variable = text.startswith("{") and text.endswith("}")
        inside = text[1:-1] if self.is_variable else text
        if "{" in inside or "}" in inside or text in {"{", "}"}:
            raise ParseError(
                f"the segment {text!r} must be text without braces, or one parameter: "
                "'{name}', '{name:type}' or '{name:type:format}'"
            )
        match inside.split(":", 2) if self.is_variable else []:
            case [name, kind, form]:
                self.name, self.type, self.format = name, kind, form
            case [name, kind]:
                self.name, self.type, self.format = name, kind, ""
            case [name]:
                self.name, self.type, self.format = name, "str", ""
            case _:
                self.name, self.type, self.format = "", "str", ""
        if self.is_variable and not self.name:
            raise ParseError(f"the parameter {text!r} needs a name: '{{name}}'")
        if self.type not in CONVERTERS:
            raise TypeError(
                f"the parameter {text!r} has an unknown type: use one of "
                f"{', '.join(sorted(CONVERTERS))}, or add yours to CONVERTERS"
            )
        self.converter = CONVERTERS[self.type]
        if self.converter is _to_datetime and self.format:
            _check_format(self.format)

    @property
    def is_rest(self) -> bool:
        """Whether it takes the rest of the path, slashes included."""
        return self.is_variable and self.type == REST

    def match(self, text: str) -> tuple[bool, str | None, Any]:
        """Tell whether the text matches, the parameter's name, and its value.

        The name and the value are None for literal text, and where nothing matches. A
        parameter matches no empty text, unless it takes the rest of the path.
        """
        if not self.is_variable:
            return text == self.text, None, None
        if text or self.is_rest:
            with suppress(*NO_MATCH):
                return True, self.name, self.converter(text, self.format)
        return False, None, None

    def make(self, value: object) -> str:
        """Make the percent-encoded text that matches with this value.

        Raises ValueError when there is none.
        """
        match value:
            case datetime() if self.format:
                text = value.strftime(self.format)
            case datetime():
                text = value.isoformat() + ("Z" if value.tzinfo is None else "")
            case float():
                text = repr(value).replace("e+", "e")
            case _:
                text = str(value)
        is_match, _, _ = self.match(text)
        if not is_match or ("/" in text and not self.is_rest):
            raise ValueError(f"{text!r} does not fit the parameter {self.text!r}")
        return _encode(text, _IN_PATH)


_SOME_DAY: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def _check_format(form: str) -> None:
    """Refuse a format that strptime cannot read, which else would never match."""
    try:
        datetime.strptime(_SOME_DAY.strftime(form), form)  # noqa: DTZ007
    except (ValueError, re.error) as error:
        raise ParseError(
            f"the datetime format {form!r} cannot be read: {error}"
        ) from None


_IN_SEGMENT: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"
)
"""What RFC 3986, section 3.3, lets stand in a segment as it is."""

_IN_PATH: Final = _IN_SEGMENT | {*b"/"}


def make_literal(text: str) -> str:
    """Percent-encode literal text for one segment."""
    return _encode(text, _IN_SEGMENT)


def _encode(text: str, kept: frozenset[int]) -> str:
    # urllib.parse, which has it too, takes a fifth of the time to import all of this.
    return "".join(
        chr(byte) if byte in kept else f"%{byte:02X}" for byte in text.encode()
    )
