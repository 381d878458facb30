"""What RFC 9110 has servers answer to conditional and partial requests, as a table.

The file that is asked for was last modified at LAST_MODIFIED. In the values of headers,
`{etag}` stands for its entity tag, `{size}` for its size, `{end}` for the last position
in it, and `{minus5}` for the fifth before the end.
"""

from dataclasses import dataclass, field

ALPHABET = b"0123456789abcdefghijklmnopqrstuvwxyz"

BEFORE = "Sun, 02 Feb 2020 02:02:01 GMT"
LAST_MODIFIED = "Sun, 02 Feb 2020 02:02:02 GMT"
AFTER = "Sun, 02 Feb 2020 02:02:03 GMT"

WHOLE = slice(None)
NOTHING = slice(0, 0)


@dataclass(frozen=True)
class Case:
    """A request, and what is expected: a status, headers, and a part of the file.

    A header that is None must not be there. `parts` are those of a multipart answer.
    """

    title: str
    request: list[tuple[str, str]]
    status: int
    body: slice = field(default_factory=lambda: NOTHING)
    headers: dict[str, str | None] = field(default_factory=dict[str, str | None])
    method: str = "GET"
    parts: list[tuple[int, int]] | None = None


def whole(title: str, *request: tuple[str, str], method: str = "GET") -> Case:
    """The file is sent as if nothing had been asked of it."""
    expected = {"content-range": None, "content-length": "{size}", "etag": "{etag}"}
    body = NOTHING if method == "HEAD" else WHOLE
    return Case(title, [*request], 200, body, {**expected}, method)


def unmodified(title: str, *request: tuple[str, str], method: str = "GET") -> Case:
    """The client has it already."""
    kept = {
        "etag": "{etag}",
        "cache-control": "max-age=60",
        "last-modified": None,
        "content-type": None,
        "content-range": None,
        "accept-ranges": None,
    }
    return Case(title, [*request], 304, NOTHING, {**kept}, method)


def failed(title: str, *request: tuple[str, str], method: str = "GET") -> Case:
    """It is not what the client thinks it is."""
    return Case(title, [*request], 412, NOTHING, {"etag": None}, method)


def part(title: str, start: int, stop: int, *request: tuple[str, str]) -> Case:
    """One range. Negative positions count from the end."""
    first = "{end}" if start < 0 else str(start)
    last = "{end}" if stop <= 0 else str(stop - 1)
    if start < -1:
        first = f"{{minus{-start}}}"
    headers: dict[str, str | None] = {
        "content-range": f"bytes {first}-{last}/{{size}}",
        "etag": "{etag}",
        "last-modified": LAST_MODIFIED,
        "cache-control": "max-age=60",
        "content-type": "text/plain; charset=utf-8",
        "accept-ranges": "bytes",
    }
    return Case(title, [*request], 206, slice(start, stop or None), headers)


def parts(title: str, *ranges: tuple[int, int], range_: str) -> Case:
    """Several ranges."""
    headers: dict[str, str | None] = {"content-range": None, "etag": "{etag}"}
    return Case(title, [("range", range_)], 206, NOTHING, headers, parts=[*ranges])


def unsatisfiable(title: str, *request: tuple[str, str]) -> Case:
    """No byte of what was asked for is there."""
    expected = {"content-range": "bytes */{size}", "etag": None}
    return Case(title, [*request], 416, NOTHING, {**expected})


MATCH, NONE_MATCH = "if-match", "if-none-match"
SINCE, UNMODIFIED_SINCE = "if-modified-since", "if-unmodified-since"
IF_RANGE, RANGE = "if-range", "range"

CASES = [
    # --- without a condition ---------------------------------------------------------
    whole("9.3.1 GET sends the file"),
    whole("9.3.2 HEAD sends its headers alone", method="HEAD"),
    *(
        Case(
            f"15.5.6 {method} is not allowed, and told what is",
            [],
            405,
            headers={"allow": "GET, HEAD"},
            method=method,
        )
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")
    ),
    # --- If-Match --------------------------------------------------------------------
    whole("13.1.1 If-Match: the tag matches", (MATCH, "{etag}")),
    whole("13.1.1 If-Match: one of several matches", (MATCH, '"a", {etag} ,"b"')),
    whole("13.1.1 If-Match: any", (MATCH, "*")),
    whole(
        "13.1.1 If-Match: the second of two lines matches",
        (MATCH, '"a"'),
        (MATCH, "{etag}"),
    ),
    failed("13.1.1 If-Match: another tag", (MATCH, '"a"')),
    failed("13.1.1 If-Match: none of several", (MATCH, '"a", "b"')),
    failed("8.8.3.2 If-Match compares strongly: a weak tag", (MATCH, "W/{etag}")),
    failed("8.8.3 If-Match: a tag has quotes", (MATCH, "0")),
    failed("13.1.1 If-Match: HEAD too", (MATCH, '"a"'), method="HEAD"),
    # --- If-None-Match ---------------------------------------------------------------
    unmodified("13.1.2 If-None-Match: the tag matches", (NONE_MATCH, "{etag}")),
    unmodified("13.1.2 If-None-Match: HEAD too", (NONE_MATCH, "{etag}"), method="HEAD"),
    unmodified("13.1.2 If-None-Match: any", (NONE_MATCH, "*")),
    unmodified(
        "13.1.2 If-None-Match: one of several", (NONE_MATCH, '"a", W/"b",,{etag}')
    ),
    unmodified(
        "5.3 If-None-Match: the second of two lines",
        (NONE_MATCH, '"a"'),
        (NONE_MATCH, "{etag}"),
    ),
    unmodified("8.8.3.2 If-None-Match compares weakly", (NONE_MATCH, "W/{etag}")),
    unmodified("8.8.3 a comma in a tag", (NONE_MATCH, '"a,b", {etag}')),
    whole("13.1.2 If-None-Match: another tag", (NONE_MATCH, '"a"')),
    whole("8.8.3 If-None-Match: a tag has quotes", (NONE_MATCH, "abc")),
    whole("8.8.3 If-None-Match: the W is in upper case", (NONE_MATCH, "w/{etag}")),
    whole("8.8.3 If-None-Match: a tag that does not end", (NONE_MATCH, '"abc')),
    # --- If-Modified-Since -----------------------------------------------------------
    unmodified("13.1.3 If-Modified-Since: its own time", (SINCE, LAST_MODIFIED)),
    unmodified("13.1.3 If-Modified-Since: a later time", (SINCE, AFTER)),
    unmodified(
        "13.1.3 If-Modified-Since: HEAD too", (SINCE, LAST_MODIFIED), method="HEAD"
    ),
    unmodified("5.6.7 the form of RFC 850", (SINCE, "Sunday, 02-Feb-20 02:02:02 GMT")),
    unmodified("5.6.7 the form of asctime", (SINCE, "Sun Feb  2 02:02:02 2020")),
    whole("13.1.3 If-Modified-Since: an earlier time", (SINCE, BEFORE)),
    whole("5.6.7 asctime, earlier", (SINCE, "Sun Feb  2 02:02:01 2020")),
    whole("5.6.7 RFC 850, of 1994", (SINCE, "Sunday, 06-Nov-94 08:49:37 GMT")),
    *(
        whole(f"13.1.3 If-Modified-Since: {date!r} is no date", (SINCE, date))
        for date in (
            "tomorrow",
            "0",
            "2030-01-01",
            "Sun, 02 Feb 2030 02:02:02 +0000",
            "Sun, 02 Feb 2030 02:02:02",
            "Sun, 2 Feb 2030 02:02:02 GMT",
            "Sat, 30 Feb 2030 02:02:02 GMT",
            "Sun, 02 Feb 2030 25:02:02 GMT",
            "sun, 02 feb 2030 02:02:02 gmt",
            LAST_MODIFIED + ", " + LAST_MODIFIED,
        )
    ),
    whole(
        "13.1.3 If-Modified-Since: two lines are no date",
        (SINCE, AFTER),
        (SINCE, AFTER),
    ),
    # --- If-Unmodified-Since ---------------------------------------------------------
    whole(
        "13.1.4 If-Unmodified-Since: its own time", (UNMODIFIED_SINCE, LAST_MODIFIED)
    ),
    whole("13.1.4 If-Unmodified-Since: a later time", (UNMODIFIED_SINCE, AFTER)),
    failed("13.1.4 If-Unmodified-Since: an earlier time", (UNMODIFIED_SINCE, BEFORE)),
    failed(
        "13.1.4 If-Unmodified-Since: HEAD too",
        (UNMODIFIED_SINCE, BEFORE),
        method="HEAD",
    ),
    whole("13.1.4 If-Unmodified-Since: no date", (UNMODIFIED_SINCE, "yesterday")),
    # --- the order -------------------------------------------------------------------
    whole(
        "13.2.2 1 If-Match goes before If-Unmodified-Since",
        (MATCH, "{etag}"),
        (UNMODIFIED_SINCE, BEFORE),
    ),
    failed(
        "13.2.2 1 If-Match goes before If-None-Match",
        (MATCH, '"a"'),
        (NONE_MATCH, "{etag}"),
    ),
    failed(
        "13.2.2 2 If-Unmodified-Since goes before If-None-Match",
        (UNMODIFIED_SINCE, BEFORE),
        (NONE_MATCH, "{etag}"),
    ),
    unmodified(
        "13.2.2 3 If-None-Match comes after an If-Match that holds",
        (MATCH, "{etag}"),
        (NONE_MATCH, "{etag}"),
    ),
    whole(
        "13.2.2 3 If-None-Match goes before If-Modified-Since",
        (NONE_MATCH, '"a"'),
        (SINCE, AFTER),
    ),
    unmodified(
        "13.2.2 3 If-None-Match goes before Range",
        (NONE_MATCH, "{etag}"),
        (RANGE, "bytes=0-1"),
    ),
    unmodified(
        "13.2.2 4 If-Modified-Since goes before Range",
        (SINCE, AFTER),
        (RANGE, "bytes=0-1"),
    ),
    failed(
        "13.2.2 1 If-Match goes before a range that cannot be",
        (MATCH, '"a"'),
        (RANGE, "bytes=999999999-"),
    ),
    part(
        "13.2.2 5 Range comes after conditions that hold",
        0,
        2,
        (MATCH, "{etag}"),
        (NONE_MATCH, '"a"'),
        (IF_RANGE, "{etag}"),
        (RANGE, "bytes=0-1"),
    ),
    # --- Range -----------------------------------------------------------------------
    part("14.1.2 the first byte", 0, 1, (RANGE, "bytes=0-0")),
    part("14.1.2 the first ten", 0, 10, (RANGE, "bytes=0-9")),
    part("14.1.2 some in the middle", 10, 20, (RANGE, "bytes=10-19")),
    part("14.1.2 from a position on", 10, 0, (RANGE, "bytes=10-")),
    part("14.1.2 all of it", 0, 0, (RANGE, "bytes=0-")),
    part("14.1.2 the last byte", -1, 0, (RANGE, "bytes=-1")),
    part("14.1.2 the last five", -5, 0, (RANGE, "bytes=-5")),
    part("14.1.2 the last that are more than all", 0, 0, (RANGE, "bytes=-999999999")),
    part("14.1.2 an end beyond the end", 30, 0, (RANGE, "bytes=30-999999999")),
    part("14.1 the unit in upper case", 0, 2, (RANGE, "BYTES=0-1")),
    part("5.6.1 an empty item of the list", 0, 2, (RANGE, "bytes=,0-1,")),
    part("15.3.7.2 one of two is there", 0, 2, (RANGE, "bytes=0-1,999999999-")),
    part("14.1.2 a position with leading zeros", 1, 3, (RANGE, "bytes=0001-0002")),
    whole("14.2 HEAD has no ranges", (RANGE, "bytes=0-1"), method="HEAD"),
    whole("14.2 HEAD has none to fail", (RANGE, "bytes=999999999-"), method="HEAD"),
    *(
        whole(f"14.2 Range: {value[:20]!r} is none", (RANGE, value))
        for value in (
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,5-2",
            "bytes=0-1,x",
            "bytes=0x0-0x1",
            "bytes=+0-1",
            "bytes=0--1",
            "bytes=1.5-2",
            "bytes= 0 - 1",
            "bytes: 0-1",
            "0-1",
            "items=0-1",
            "bytes=" + "9" * 1100 + "-",
        )
    ),
    whole(
        "14.2 two lines of Range are none", (RANGE, "bytes=0-1"), (RANGE, "bytes=2-3")
    ),
    unsatisfiable("15.5.17 a start at the end", (RANGE, "bytes={size}-")),
    unsatisfiable("15.5.17 a start after the end", (RANGE, "bytes=999999999-")),
    unsatisfiable("15.5.17 a start after any end", (RANGE, "bytes=" + "9" * 900 + "-")),
    unsatisfiable("14.1.2 the last none", (RANGE, "bytes=-0")),
    unsatisfiable("15.5.17 none of several", (RANGE, "bytes=999999999-,-0")),
    # --- several ranges --------------------------------------------------------------
    parts("14.6 two ranges", (0, 2), (10, 20), range_="bytes=0-1,10-19"),
    parts("14.6 two that touch", (0, 2), (2, 4), range_="bytes=0-1,2-3"),
    parts("14.6 with spaces", (0, 1), (5, 6), range_="bytes=0-0 , 5-5"),
    parts(
        "17.15 sixteen ranges",
        *((2 * number, 2 * number + 1) for number in range(16)),
        range_="bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(16)),
    ),
    whole(
        "17.15 seventeen ranges are too many",
        (RANGE, "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(17))),
    ),
    whole("17.15 ranges that overlap", (RANGE, "bytes=0-10,5-15")),
    whole("17.15 the same range twice", (RANGE, "bytes=0-1,0-1")),
    whole("17.15 ranges that do not ascend", (RANGE, "bytes=10-19,0-1")),
    whole("17.15 everything twice", (RANGE, "bytes=0-,0-")),
    whole("17.15 a range and its end", (RANGE, "bytes=0-,-5")),
    # --- If-Range --------------------------------------------------------------------
    part(
        "13.1.5 If-Range: the tag matches",
        0,
        2,
        (IF_RANGE, "{etag}"),
        (RANGE, "bytes=0-1"),
    ),
    part(
        "13.1.5 If-Range: the date matches",
        0,
        2,
        (IF_RANGE, LAST_MODIFIED),
        (RANGE, "bytes=0-1"),
    ),
    whole("13.1.5 If-Range: another tag", (IF_RANGE, '"a"'), (RANGE, "bytes=0-1")),
    whole(
        "13.1.5 If-Range: a weak tag never matches",
        (IF_RANGE, "W/{etag}"),
        (RANGE, "bytes=0-1"),
    ),
    whole("13.1.5 If-Range: a later date", (IF_RANGE, AFTER), (RANGE, "bytes=0-1")),
    whole("13.1.5 If-Range: an earlier date", (IF_RANGE, BEFORE), (RANGE, "bytes=0-1")),
    whole(
        "13.1.5 If-Range: the same date in another form",
        (IF_RANGE, "Sun Feb  2 02:02:02 2020"),
        (RANGE, "bytes=0-1"),
    ),
    whole(
        "13.1.5 If-Range takes one tag", (IF_RANGE, '{etag}, "a"'), (RANGE, "bytes=0-")
    ),
    whole("13.1.5 If-Range is no star", (IF_RANGE, "*"), (RANGE, "bytes=0-1")),
    whole(
        "13.1.5 If-Range that fails saves from 416",
        (IF_RANGE, '"a"'),
        (RANGE, "bytes=999999999-"),
    ),
    whole("13.1.5 If-Range without Range", (IF_RANGE, "{etag}")),
]
