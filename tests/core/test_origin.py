"""Whether a request comes from a page of this site."""

from typing import Any

import pytest

from bareasgi import same_origin


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "websocket", "headers": [*headers]}


@pytest.mark.parametrize(
    ("host", "origin", "is_same"),
    [
        (b"app.example", b"https://app.example", True),
        (b"app.example", b"http://app.example", True),
        (b"app.example:443", b"https://app.example", True),
        (b"app.example:80", b"http://app.example", True),
        (b"app.example", b"https://app.example:443", True),
        (b"app.example:9009", b"http://app.example:9009", True),
        (b"APP.example", b"https://app.example", True),
        (b"127.0.0.1:9009", b"http://127.0.0.1:9009", True),
        (b"[::1]:9009", b"http://[::1]:9009", True),
        (b"app.example:80", b"https://app.example", False),
        (b"app.example", b"https://app.example:8443", False),
        (b"app.example:9009", b"http://app.example", False),
        (b"app.example", b"https://evil.example", False),
        (b"app.example", b"https://app.example.evil.example", False),
        (b"app.example", b"https://evil-app.example", False),
        (b"app.example", b"https://app.example.", False),
        (b"app.example", b"https://app.example/", False),
        (b"app.example", b"https://app.example/path", False),
        (b"app.example", b"https://app.example?", False),
        (b"app.example", b"https://app.example#", False),
        (b"app.example", b"https://user@app.example", False),
        (b"app.example", b"https://app.example:x", False),
        (b"app.example", b"https://app.example:99999", False),
        (b"app.example", b"https://[app.example", False),
        (b"app.example", b"ws://app.example", False),
        (b"app.example", b"chrome-extension://app.example", False),
        (b"app.example", b"null", False),
        (b"app.example", b"", False),
        (b"app.example", b"app.example", False),
        (b"app.example", b"https://", False),
        (b"app.example", b"https://app.example\xff", False),
        (b"", b"https://", False),
    ],
)
def test_host_and_port_decide(host: bytes, origin: bytes, is_same: bool) -> None:  # noqa: FBT001
    assert same_origin(scope((b"host", host), (b"origin", origin))) is is_same


def test_without_an_origin_no_browser_sent_it_from_a_page() -> None:
    assert same_origin(scope((b"host", b"app.example")))


def test_two_origins_are_nobody_s() -> None:
    origin = (b"origin", b"https://app.example")
    assert not same_origin(scope((b"host", b"app.example"), origin, origin))


@pytest.mark.parametrize("hosts", [[], [b"app.example", b"app.example"]])
def test_without_one_host_there_is_nothing_to_compare(hosts: list[bytes]) -> None:
    headers = [(b"host", host) for host in hosts]
    assert not same_origin(scope(*headers, (b"origin", b"https://app.example")))


def test_others_may_be_allowed_exactly() -> None:
    allowed = {"https://other.example", "null"}
    for origin, is_allowed in {
        b"https://other.example": True,
        b"null": True,
        b"https://other.example:443": False,
        b"http://other.example": False,
        b"https://OTHER.example": False,
    }.items():
        headers = [(b"host", b"app.example"), (b"origin", origin)]
        assert same_origin(scope(*headers), allowed) is is_allowed
        assert not same_origin(scope(*headers))


def test_a_plain_str_is_no_set() -> None:
    with pytest.raises(TypeError, match="must be a set"):
        same_origin(scope(), "https://app.example")
