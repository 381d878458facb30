"""Redirects: how they are followed, which are not, and what is left behind."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bareasgi import HttpResponse, bytes_reader, bytes_writer
from bareclient import Client, RedirectError, Response, redirects
from bareclient.fields import find

from .applications import chunks
from .peers import answer, answers, listening


class Server:
    """A transport that redirects, and remembers what it was asked."""

    def __init__(self, *answers_: tuple[int, bytes], body: Any = None) -> None:
        self.answers = [*answers_]
        self.body = body
        self.requests: list[tuple[str, str, bytes, bytes]] = []
        self.headers: list[Any] = []

    async def __call__(
        self, scope: Any, info: Any, matches: Any, content: Any
    ) -> HttpResponse:
        host, port = scope["server"]
        url = f"{scope['scheme']}://{host}:{port}{scope['path']}"
        sent = await bytes_reader(content)
        self.headers.append(scope["headers"])
        self.requests.append((scope["method"], url, scope["query_string"], sent))
        if not self.answers:
            return 200, [], bytes_writer(b"there")
        status, location = self.answers.pop(0)
        return status, [(b"location", location)], self.body

    async def ask(
        self, method: str = "GET", content: Any = None, **options: Any
    ) -> Response:
        client = Client(transport=self, **{"follow_redirects": True, **options})
        headers = [
            (b"authorization", b"Bearer x"),
            (b"cookie", b"a=b"),
            (b"content-type", b"text/plain"),
            (b"x-a", b"b"),
        ]
        return await client.request(method, "http://h/a/b?c", headers, content)


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "GET", "GET"),
        (301, "HEAD", "HEAD"),
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "GET", "GET"),
        (302, "POST", "GET"),
        (302, "PATCH", "PATCH"),
        (303, "GET", "GET"),
        (303, "HEAD", "HEAD"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (307, "POST", "POST"),
        (307, "GET", "GET"),
        (308, "POST", "POST"),
        (308, "DELETE", "DELETE"),
    ],
)
async def test_the_method_is_kept_or_becomes_get(
    status: int, method: str, expected: str
) -> None:
    server = Server((status, b"/there"))
    response = await server.ask(method, b"content")
    assert response.status == 200
    assert response.url == "http://h/there"
    is_kept = method == expected
    sent = b"content" if is_kept else b""
    assert server.requests[1] == (expected, "http://h:80/there", b"", sent)
    kind = find(server.headers[1], b"content-type")
    assert kind == (b"text/plain" if is_kept else None)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        (b"/d", "http://h/d"),
        (b"d?e#f", "http://h/a/d?e"),
        (b"../d", "http://h/d"),
        (b"?d", "http://h/a/b?d"),
        (b"//other/d", "http://other/d"),
        (b"https://h/d", "https://h/d"),
        ("/\u00fc d".encode(), "http://h/%C3%BC%20d"),
        (b"", "http://h/a/b?c"),
    ],
)
async def test_a_location_is_relative_to_the_url(location: bytes, url: str) -> None:
    response = await Server((302, location)).ask()
    assert response.url == url


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 399, 404])
async def test_other_statuses_are_the_answer(status: int) -> None:
    server = Server((status, b"/there"))
    assert (await server.ask()).status == status
    assert len(server.requests) == 1


async def test_a_redirect_without_a_location_is_the_answer() -> None:
    async def transport(*arguments: Any) -> HttpResponse:
        return 302

    client = Client(transport=transport, follow_redirects=True)
    assert (await client.request("GET", "http://h/")).status == 302


async def test_redirects_are_followed_only_when_asked_for() -> None:
    server = Server((302, b"/there"))
    assert (await server.ask(follow_redirects=False)).status == 302


@pytest.mark.parametrize(
    ("location", "is_kept"),
    [
        (b"/d", True),
        (b"http://h/d", True),
        (b"http://H:80/d", True),
        (b"http://h:81/d", False),
        (b"https://h/d", False),
        (b"http://sub.h/d", False),
        (b"http://other/d", False),
        (b"//other/d", False),
    ],
)
async def test_credentials_do_not_go_to_another_origin(
    location: bytes, *, is_kept: bool
) -> None:
    server = Server((307, location), (307, b"http://h/again"))
    await server.ask()
    assert find(server.headers[0], b"authorization") == b"Bearer x"
    for headers in server.headers[1:]:
        assert (find(headers, b"authorization") is not None) is is_kept
        assert (find(headers, b"cookie") is not None) is is_kept
        assert find(headers, b"x-a") == b"b"


async def test_the_host_is_that_of_the_new_url() -> None:
    server = Server((302, b"http://other:81/"))
    client = Client(transport=server, follow_redirects=True)
    await client.request("GET", "http://h/", [(b"host", b"virtual")])
    assert find(server.headers[0], b"host") == b"virtual"
    assert server.headers[1][0] == (b"host", b"other:81")


@pytest.mark.parametrize(
    "location",
    [b"ftp://h/", b"javascript:alert(1)", b"http://[::1/", b"file:///etc/passwd"],
)
async def test_a_location_that_is_no_url_is_an_error(location: bytes) -> None:
    with pytest.raises(RedirectError, match="no URL"):
        await Server((302, location)).ask()


@pytest.mark.parametrize(("limit", "redirects_"), [(True, 20), (3, 3), (0, 0)])
async def test_so_many_redirects_and_no_more_are_followed(
    *, limit: bool | int, redirects_: int
) -> None:
    server = Server(*[(302, b"/again")] * redirects_)
    assert (await server.ask(follow_redirects=limit)).status == 200
    server = Server(*[(302, b"/again")] * (redirects_ + 1))
    with pytest.raises(RedirectError, match=f"more than {redirects_} redirects"):
        await server.ask(follow_redirects=limit)


async def test_content_that_is_gone_is_not_made_up() -> None:
    server = Server((307, b"/there"))
    with pytest.raises(RedirectError, match="its content was sent"):
        await server.ask("POST", chunks(b"1", b"2"))


async def test_content_that_starts_afresh_is_sent_again() -> None:
    server = Server((307, b"/there"))
    await server.ask("POST", bytes_writer(b"12", 1))
    assert [request[3] for request in server.requests] == [b"12", b"12"]


async def test_a_stream_is_dropped_where_the_method_becomes_get() -> None:
    server = Server((303, b"/there"))
    await server.ask("POST", chunks(b"1", b"2"))
    assert [request[3] for request in server.requests] == [b"12", b""]


class Body:
    """A body that tells whether it was read and closed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.closings = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.count:
            self.count -= 1
            yield bytes(1000)

    async def aclose(self) -> None:
        self.closings += 1


async def test_a_short_body_is_read_and_a_long_one_is_not() -> None:
    short = Body(10)
    await Server((302, b"/there"), body=short).ask()
    assert (short.count, short.closings) == (0, 1)
    long = Body(1000)
    await Server((302, b"/there"), body=long).ask()
    assert long.count > 900
    assert long.closings == 1


async def test_a_connection_is_used_again_after_a_redirect() -> None:
    redirect = answer(302, b"moved", b"location: /there")
    async with listening(answers(redirect, answer(200, b"there"))) as peer:
        async with Client(middlewares=[redirects()]) as client:
            response = await client.request("GET", peer.url)
            assert await response.text() == "there"
        assert peer.connections == 1
