"""Which origins can be listed, and which a list, a pattern or a function admits."""

import asyncio
import re
from collections.abc import Awaitable, Iterable
from typing import Any

import pytest

from bareasgi import Scope
from bareasgi_cors import CorsPolicy

SCOPE: Scope = {"type": "http", "method": "GET", "headers": []}

ORIGINS = [
    "https://a.example",
    "http://a.example:8080",
    "https://a.example:80",
    "http://localhost",
    "http://localhost:3000",
    "http://127.0.0.1:3000",
    "http://[::1]",
    "http://[::1]:3000",
    "http://[2001:db8::1:0:0:1]:3000",
    "http://[::ffff:102:304]",
    "https://xn--bcher-kva.example",
    "http://my_host:3000",
    "https://1and1.example",
    "chrome-extension://aapocclcgogkmnckokdopfmhonfmgoek",
    "moz-extension://9d1b1e0a-5a1f-4d8e-9d5c-0e2f1a3b4c5d",
    "capacitor://localhost",
    "null",
]

# What is no origin as browsers send it, and the origin that is meant, if one is.
MISTAKES = {
    "https://a.example/": "https://a.example",
    "https://a.example/path": "https://a.example",
    "https://a.example?a=b": "https://a.example",
    "https://a.example#a": "https://a.example",
    "https://user@a.example": "https://a.example",
    "https://a.example:443": "https://a.example",
    "http://a.example:80": "http://a.example",
    "https://a.example:": "https://a.example",
    "https://a.example:08443": "https://a.example:8443",
    "HTTPS://a.example": "https://a.example",
    "https://A.example": "https://a.example",
    "https://a.example.": "https://a.example",
    "https://a.example\n": "https://a.example",
    " https://a.example": "https://a.example",
    "http://[0:0:0:0:0:0:0:1]": "http://[::1]",
    "http://[2001:DB8::1]": "http://[2001:db8::1]",
    "http://[::ffff:1.2.3.4]": "http://[::ffff:102:304]",
    "https://bücher.example": "https://xn--bcher-kva.example",
}
NONSENSE = [
    "",
    "a.example",
    "localhost:3000",
    "//a.example",
    "https://",
    "https:///path",
    "https:a.example",
    "file:///index.html",
    "NULL",
    "https://*.a.example",
    "https://a..example",
    "https://.example",
    "https://a b.example",
    "https://a,b.example",
    "https://a.example:port",
    "https://a.example:65536",
    "https://a.example:-1",
    "http://127.1",
    "http://256.0.0.1",
    "http://[::1",
    "http://[::1%25eth0]",
    "http://[::1%é]",
    "https://\udcff.example",
    f"https://{'a' * 600}.example",
]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_listed_origin_is_allowed_and_no_other(origin: str) -> None:
    policy = CorsPolicy(allow_origins=[origin])
    assert await policy.allows(origin, SCOPE)
    assert await policy.allows(origin.encode(), SCOPE)
    for other in ORIGINS:
        assert await policy.allows(other, SCOPE) == (other == origin)


@pytest.mark.parametrize(("given", "meant"), MISTAKES.items(), ids=map(repr, MISTAKES))
def test_what_is_almost_an_origin_is_refused_with_what_to_write(
    given: str, meant: str
) -> None:
    with pytest.raises(ValueError, match="would never match") as caught:
        CorsPolicy(allow_origins={"https://b.example", given})
    assert repr(given) in str(caught.value)
    assert f"write {meant!r}" in str(caught.value)
    CorsPolicy(allow_origins={meant})


@pytest.mark.parametrize("given", NONSENSE, ids=ascii)
def test_what_is_no_origin_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(ValueError, match=r"for instance 'https://example\.com'"):
        CorsPolicy(allow_origins={given})


def test_a_mistake_names_the_pattern_as_the_way_to_many_hosts() -> None:
    with pytest.raises(ValueError, match="allow_origin_regex"):
        CorsPolicy(allow_origins={"https://*.example.com"})


@pytest.mark.parametrize("given", ["https://a.example", "*", "", b"https://a.example"])
def test_a_single_text_in_place_of_a_set_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="write a set") as caught:
        CorsPolicy(allow_origins=given)
    assert f"{{{given!r}}}" in str(caught.value)


@pytest.mark.parametrize("given", [3, True, re.compile("a"), object()])
def test_what_is_neither_a_set_nor_a_function_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="allow_origins must be a set of texts"):
        CorsPolicy(allow_origins=given)


@pytest.mark.parametrize("given", [b"https://a.example", 3, None])
def test_what_is_no_text_in_the_set_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="allow_origins has"):
        CorsPolicy(allow_origins=["https://a.example", given])


@pytest.mark.parametrize(
    "given",
    [
        ["https://a.example", "https://b.example"],
        ("https://b.example", "https://a.example"),
        {"https://a.example": 1, "https://b.example": 2},
        iter(["https://a.example", "https://b.example"]),
        (f"https://{name}.example" for name in "ab"),
    ],
    ids=["list", "tuple", "dict", "iterator", "generator"],
)
async def test_any_iterable_is_read_once(given: Iterable[str]) -> None:
    policy = CorsPolicy(allow_origins=given)
    for _ in range(3):
        assert await policy.allows("https://a.example", SCOPE)
        assert await policy.allows("https://b.example", SCOPE)
        assert not await policy.allows("https://c.example", SCOPE)


async def test_a_set_that_is_changed_later_changes_nothing() -> None:
    origins = {"https://a.example"}
    policy = CorsPolicy(allow_origins=origins)
    origins.add("https://b.example")
    assert not await policy.allows("https://b.example", SCOPE)


async def test_an_empty_set_admits_nobody() -> None:
    policy = CorsPolicy(allow_origins=set())
    for origin in ORIGINS:
        assert not await policy.allows(origin, SCOPE)


@pytest.mark.parametrize("options", [{}, {"allow_origins": {"*"}}], ids=["none", "*"])
async def test_any_origin_is_any_that_a_browser_sends(options: dict[str, Any]) -> None:
    policy = CorsPolicy(**options)
    for origin in [*ORIGINS, "file://", "app://."]:
        assert await policy.allows(origin, SCOPE)
    for sent in ["", "a.example", "https://a.example\n", "https://a.example/"]:
        assert not await policy.allows(sent, SCOPE)


@pytest.mark.parametrize(
    "options",
    [
        {"allow_origins": ["*", "https://a.example"]},
        {"allow_origins": ["*", "null"]},
        {"allow_origins": {"*"}, "allow_origin_regex": "https://a"},
    ],
)
def test_the_wildcard_stands_alone(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="stands alone"):
        CorsPolicy(**options)


# --- patterns -------------------------------------------------------------------------

SUBDOMAINS = r"https://[a-z]+\.a\.example"
each_form = pytest.mark.parametrize("compiled", [False, True])


@each_form
@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://www.a.example", True),
        ("https://www.a.example.evil.net", False),
        ("https://www.a.example:8443", False),
        ("xhttps://www.a.example", False),
        ("https://www.aXexample", False),
        ("https://www.a.example\n", False),
        ("null", False),
    ],
)
async def test_a_pattern_alone_decides_and_matches_in_full(
    origin: str, *, is_allowed: bool, compiled: bool
) -> None:
    pattern = re.compile(SUBDOMAINS) if compiled else SUBDOMAINS
    policy = CorsPolicy(allow_origin_regex=pattern)
    assert await policy.allows(origin, SCOPE) == is_allowed


async def test_the_flags_of_a_pattern_count_but_admit_no_other_spelling() -> None:
    policy = CorsPolicy(
        allow_origin_regex=re.compile("HTTPS://A[.]EXAMPLE", re.IGNORECASE)
    )
    assert await policy.allows("https://a.example", SCOPE)
    assert not await policy.allows("https://A.example", SCOPE)


async def test_either_the_list_or_the_pattern_admits() -> None:
    policy = CorsPolicy(
        allow_origins={"https://b.example", "null"}, allow_origin_regex=SUBDOMAINS
    )
    for origin in ("https://b.example", "null", "https://www.a.example"):
        assert await policy.allows(origin, SCOPE)
    assert not await policy.allows("https://a.example", SCOPE)


@pytest.mark.parametrize("pattern", ["(", "[a", "*.example", "(?P<a"])
def test_a_pattern_that_does_not_compile_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression") as caught:
        CorsPolicy(allow_origin_regex=pattern)
    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize(
    "pattern", [b"https", re.compile(b"https"), ["https://a"], {"https://a"}, 3]
)
def test_a_pattern_that_is_no_text_is_refused(pattern: Any) -> None:
    with pytest.raises(TypeError, match="must be one pattern of text"):
        CorsPolicy(allow_origin_regex=pattern)


# --- functions ------------------------------------------------------------------------


def is_ours(origin: str, scope: Scope) -> bool:
    return origin == "https://a.example" and scope["path"] == "/open"


async def is_ours_async(origin: str, scope: Scope) -> bool:
    await asyncio.sleep(0)
    return is_ours(origin, scope)


class IsOurs:
    """An object that can be called."""

    def __call__(self, origin: str, scope: Scope) -> bool:
        return is_ours(origin, scope)


def is_ours_later(origin: str, scope: Scope) -> Awaitable[bool]:
    return asyncio.ensure_future(is_ours_async(origin, scope))


@pytest.mark.parametrize("check", [is_ours, is_ours_async, is_ours_later, IsOurs()])
async def test_a_function_is_asked_with_the_origin_and_the_scope(check: Any) -> None:
    policy = CorsPolicy(allow_origins=check)
    opened, closed = {**SCOPE, "path": "/open"}, {**SCOPE, "path": "/closed"}
    assert await policy.allows("https://a.example", opened)
    assert not await policy.allows("https://a.example", closed)
    assert not await policy.allows("https://b.example", opened)


async def test_a_function_is_asked_each_time_and_only_about_origins() -> None:
    asked: list[str] = []

    def check(origin: str, scope: Scope) -> bool:
        asked.append(origin)
        return len(asked) == 1

    policy = CorsPolicy(allow_origins=check)
    assert await policy.allows("https://a.example", SCOPE)
    assert not await policy.allows("https://a.example", SCOPE)
    others: list[str | bytes] = [
        "null",
        "",
        "https://a.example\r\nset-cookie: a=b",
        "https://A.example",
        f"https://{'a' * 600}",
        b"https://\xff.example",
        "\ud800",
    ]
    for sent in others:
        assert not await policy.allows(sent, SCOPE)
    assert asked == ["https://a.example"] * 2


async def test_the_pattern_is_asked_before_the_function() -> None:
    def check(origin: str, scope: Scope) -> bool:
        return origin == "https://b.example"

    policy = CorsPolicy(allow_origins=check, allow_origin_regex=SUBDOMAINS)
    assert await policy.allows("https://www.a.example", SCOPE)
    assert await policy.allows("https://b.example", SCOPE)
    assert not await policy.allows("https://c.example", SCOPE)


@pytest.mark.parametrize(
    ("answer", "is_allowed"), [(None, False), ("", False), (1, True)]
)
async def test_whatever_a_function_gives_is_taken_as_yes_or_no(
    answer: Any, *, is_allowed: bool
) -> None:
    policy = CorsPolicy(allow_origins=lambda origin, scope: answer)
    assert (await policy.allows("https://a.example", SCOPE)) is is_allowed


async def test_no_origin_is_allowed_for_no_page_sent_it() -> None:
    for policy in (CorsPolicy(), CorsPolicy(allow_origins=set())):
        assert await policy.allows(None, SCOPE)
