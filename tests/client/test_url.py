"""How URLs are split, encoded and joined, and which are refused."""

import pytest

from bareclient import RequestError
from bareclient.url import basic, parse_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://Example.COM/A", "http://example.com/A"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:443/", "https://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://example.com:/", "http://example.com/"),
        ("http://example.com?a=1", "http://example.com/?a=1"),
        ("http://example.com/?a=1&b=%20+c#part", "http://example.com/?a=1&b=%20+c"),
        ("http://example.com/#/a?b", "http://example.com/"),
        ("http://example.com/a b/ü?ö", "http://example.com/a%20b/%C3%BC?%C3%B6"),
        ("http://example.com/%2f%zz%", "http://example.com/%2f%25zz%25"),
        ('http://example.com/<">`?<">', "http://example.com/%3C%22%3E%60?%3C%22%3E"),
        ("http://example.com/a;b=c,d:@", "http://example.com/a;b=c,d:@"),
        ("http://example.com/?a[]=1&b={}|^", "http://example.com/?a[]=1&b={}|^"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://faß.example/", "http://xn--fa-hia.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/"),
        ("http://my_host.example/", "http://my_host.example/"),
        ("http://[::1]/", "http://[::1]/"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://127.0.0.1:9009/", "http://127.0.0.1:9009/"),
        ("http://user:secret@example.com/", "http://example.com/"),
    ],
)
def test_a_url_is_normalized(text: str, expected: str) -> None:
    assert str(parse_url(text)) == expected


def test_the_parts_are_those_of_an_asgi_scope() -> None:
    url = parse_url("https://[fe80::1]/a%20b/%C3%BC?q=%20#f")
    assert url.host == "fe80::1"
    assert url.port == 443
    assert url.path == "/a b/ü"
    assert url.raw_path == b"/a%20b/%C3%BC"
    assert url.query == b"q=%20"
    assert url.authority == b"[fe80::1]"
    assert url.authorization is None


def test_a_zone_is_for_the_connection_and_not_for_the_host_field() -> None:
    url = parse_url("http://[fe80::1%eth0]:81/")
    assert url.host == "fe80::1%eth0"
    assert url.authority == b"[fe80::1]:81"


@pytest.mark.parametrize(
    ("userinfo", "user", "password"),
    [
        ("user:secret", b"user", b"secret"),
        ("user", b"user", b""),
        ("us%65r:a%3Ab%40", b"user", b"a:b@"),
        ("üser:p:w", "üser".encode(), b"p:w"),
        ("a@b:c", b"a@b", b"c"),
    ],
)
def test_user_and_password_become_basic_authorization(
    userinfo: str, user: bytes, password: bytes
) -> None:
    url = parse_url(f"http://{userinfo}@example.com/")
    assert url.authorization == basic(user, password)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/path",
        "example.com",
        "example.com:80/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://:80/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:80a/",
        "http://[::1/",
        "http://[::g]/",
        "http://exa mple.com/",
        "http://example.com\\@evil.example/",
        "http://exam<ple.com/",
        "http://example.com%00/",
        "http://%ff.example/",
        f"http://{'ü' * 64}.example/",
        "http://example.com/\r\nx: y",
        "http://example.com/\n",
        "http://example.com/\0",
        "http://example.com/\t",
        "http://exam\tple.com/",
        "http://example.com/\x7f",
        "http://us\ner@example.com/",
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        parse_url(text)


@pytest.mark.parametrize(
    ("base", "text", "expected"),
    [
        ("http://h/a/b?c", "d", "http://h/a/d"),
        ("http://h/a/b/", "d", "http://h/a/b/d"),
        ("http://h/a/b", "/d", "http://h/d"),
        ("http://h/a/b", "../d", "http://h/d"),
        ("http://h/a/b", "?d", "http://h/a/b?d"),
        ("http://h/a/b?c", "", "http://h/a/b?c"),
        ("http://h/a/b", "//other/d", "http://other/d"),
        ("http://h/a/b", "https://other/", "https://other/"),
    ],
)
def test_a_relative_url_is_joined_to_its_base(
    base: str, text: str, expected: str
) -> None:
    assert str(parse_url(text, base)) == expected


def test_the_base_gives_its_credentials_to_its_own_host_only() -> None:
    base = "http://user:secret@h/"
    assert parse_url("/a", base).authorization is not None
    assert parse_url("http://other/a", base).authorization is None
