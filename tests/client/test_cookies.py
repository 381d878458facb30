"""Cookies: kept, sent where they belong, and nowhere else (RFC 6265)."""

from typing import Any

import pytest

from bareasgi import HttpResponse
from bareclient import Client, cookies, make_jar, redirects
from bareclient.fields import find


class Server:
    """A transport that sets cookies, and remembers which it was sent."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = [*answers]
        self.seen: list[str | None] = []
        self.locations: list[bytes] = []

    async def __call__(self, scope: Any, *arguments: Any) -> HttpResponse:
        sent = find(scope["headers"], b"cookie")
        self.seen.append(None if sent is None else sent.decode("latin-1"))
        set_ = self.answers.pop(0) if self.answers else []
        headers = [(b"set-cookie", each.encode("latin-1")) for each in set_]
        if self.locations:
            return 302, [*headers, (b"location", self.locations.pop(0))]
        return 200, headers


async def sent(set_: str, first: str, second: str) -> str | None:
    """Set a cookie at one URL, and give what is sent to another."""
    server = Server([set_])
    client = Client(transport=server, cookies=True)
    await client.request("GET", first)
    await client.request("GET", second)
    return server.seen[1]


HOST = "http://a.example/x/y"


@pytest.mark.parametrize(
    ("set_", "first", "second", "expected"),
    [
        ("a=b", HOST, HOST, "a=b"),
        ("a=b; Path=/", HOST, "http://a.example/", "a=b"),
        ("a=b", HOST, "http://a.example/", None),
        ("a=b", HOST, "http://a.example/x/z", "a=b"),
        ("a=b; Path=/x", HOST, "http://a.example/xy", None),
        ("a=b", HOST, "http://a.example:81/x/", "a=b"),
        ("a=b", HOST, "http://b.a.example/x/", None),
        ("a=b", HOST, "http://b.example/x/", None),
        ("a=b; Domain=a.example", HOST, "http://b.a.example/x/", "a=b"),
        ("a=b; Domain=.a.example", HOST, "http://b.a.example/x/", "a=b"),
        ("a=b; Domain=b.example", HOST, "http://b.example/x/", None),
        ("a=b; Domain=example", HOST, "http://b.example/x/", None),
        ("a=b; Domain=co.uk", "http://a.co.uk/", "http://b.co.uk/", None),
        ("a=b; Domain=a.co.uk", "http://x.a.co.uk/", "http://y.a.co.uk/", "a=b"),
        ("a=b; Secure", HOST, "https://a.example/x/", None),
        ("a=b; Secure", "https://a.example/", "https://a.example/", "a=b"),
        ("a=b; Secure", "https://a.example/", "http://a.example/", None),
        ("a=b", "https://a.example/", "http://a.example/", "a=b"),
        ("a=b; Max-Age=0", HOST, HOST, None),
        ("a=b; Max-Age=100", HOST, HOST, "a=b"),
        ("a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT", HOST, HOST, None),
        ("a=b; Expires=Wed, 21 Oct 2065 07:28:00 GMT", HOST, HOST, "a=b"),
        ("a=b; HttpOnly; SameSite=Strict", HOST, HOST, "a=b"),
        ('a="b c"', HOST, HOST, 'a="b c"'),
        ("a=b=c", HOST, HOST, "a=b=c"),
        ("a=", HOST, HOST, "a="),
        ("a=\xfc", HOST, HOST, "a=\xfc"),
        ("nonsense", HOST, HOST, "nonsense"),
        (f"a={'x' * 4096}", HOST, HOST, None),
        ("__Secure-a=b", "https://a.example/", "https://a.example/", None),
        ("__Secure-a=b; Secure", "https://a.example/", "https://a.example/", None),
        ("__Host-a=b; Secure; Path=/", "https://h.x/", "https://h.x/", "__Host-a=b"),
        ("__Host-a=b; Secure; Path=/a", "https://h.x/a", "https://h.x/a", None),
        ("a=b", "http://localhost:81/", "http://localhost:82/", "a=b"),
        ("a=b", "http://127.0.0.1/", "http://127.0.0.1/", "a=b"),
        ("a=b", "http://[::1]/", "http://[::1]/", "a=b"),
    ],
)
async def test_a_cookie_is_sent_where_it_belongs(
    set_: str, first: str, second: str, expected: str | None
) -> None:
    if set_ == "__Secure-a=b; Secure":
        expected = "__Secure-a=b"
    assert await sent(set_, first, second) == expected


async def test_a_host_cookie_may_not_name_a_domain() -> None:
    set_ = "__Host-a=b; Secure; Path=/; Domain=h.example"
    assert await sent(set_, "https://h.example/", "https://h.example/") is None


async def test_several_cookies_are_sent_in_one_field() -> None:
    server = Server(["a=1; Path=/", "b=2; Path=/"], ["a=3; Path=/"])
    client = Client(transport=server, cookies=True)
    for _ in range(3):
        await client.request("GET", "http://h.example/")
    assert server.seen[:2] == [None, "a=1; b=2"]
    assert server.seen[2] in {"b=2; a=3", "a=3; b=2"}


async def test_the_cookie_of_a_request_goes_first() -> None:
    server = Server(["a=1"])
    client = Client(transport=server, cookies=True)
    await client.request("GET", "http://h.example/")
    await client.request("GET", "http://h.example/", [(b"cookie", b"x=y")])
    assert server.seen[1] == "x=y; a=1"


async def test_a_jar_is_shared_by_whoever_has_it() -> None:
    jar = make_jar()
    server = Server(["a=1"])
    first = Client(transport=server, cookies=jar)
    second = Client(transport=server, middlewares=[cookies(jar)])
    await first.request("GET", "http://h.example/")
    await second.request("GET", "http://h.example/")
    assert server.seen == [None, "a=1"]
    assert first.cookies is jar
    assert [cookie.name for cookie in jar] == ["a"]


async def test_a_middleware_has_a_jar_of_its_own() -> None:
    server = Server(["a=1"])
    await Client(transport=server, middlewares=[cookies()]).request("GET", HOST)
    await Client(transport=server, middlewares=[cookies()]).request("GET", HOST)
    assert server.seen == [None, None]


async def test_without_cookies_none_is_kept() -> None:
    server = Server(["a=1"])
    client = Client(transport=server)
    for _ in range(2):
        await client.request("GET", HOST)
    assert server.seen == [None, None]
    assert client.cookies is None


async def test_cookies_are_set_and_sent_on_the_way_of_a_redirect() -> None:
    server = Server(["a=1; Path=/"], ["b=2; Path=/"])
    server.locations = [b"/next", b"http://other.example/", b"http://h.example/"]
    client = Client(transport=server, cookies=True, follow_redirects=True)
    await client.request("GET", "http://h.example/")
    assert server.seen[:3] == [None, "a=1", None]
    assert server.seen[3] in {"a=1; b=2", "b=2; a=1"}


async def test_cookies_outside_of_redirects_do_not_go_elsewhere_either() -> None:
    server = Server(["a=1"])
    client = Client(transport=server, middlewares=[cookies(), redirects()])
    await client.request("GET", "http://h.example/")
    server.locations = [b"http://other.example/"]
    await client.request("GET", "http://h.example/")
    assert server.seen == [None, "a=1", None]


async def test_a_jar_cannot_be_filled_without_end() -> None:
    jar = make_jar()
    server = Server(*[[f"a{n}{m}=1" for m in range(700)] for n in range(5)])
    client = Client(transport=server, cookies=jar)
    await Client(transport=Server(["b=1"]), cookies=jar).request("GET", "http://x.y/")
    for _ in range(5):
        await client.request("GET", "http://h.example/")
        assert len(jar) <= 3000
    assert "b" in [cookie.name for cookie in jar]
