"""Who is told who asks."""

from typing import Any

import pytest

from bareasgi import HttpResponse
from bareclient import (
    Client,
    RequestError,
    basic_authorization,
    bearer_authorization,
    redirects,
)
from bareclient.fields import find


class Server:
    """A transport that remembers who asked it."""

    def __init__(self, *locations: bytes) -> None:
        self.locations = [*locations]
        self.seen: list[bytes | None] = []

    async def __call__(self, scope: Any, *arguments: Any) -> HttpResponse:
        self.seen.append(find(scope["headers"], b"authorization"))
        if self.locations:
            return 307, [(b"location", self.locations.pop(0))]
        return 204


async def test_basic_authorization_is_sent_with_each_request() -> None:
    server = Server()
    client = Client(
        transport=server, middlewares=[basic_authorization("Aladdin", "open sesame")]
    )
    for _ in range(2):
        await client.request("GET", "http://h/")
    # RFC 7617, section 2.
    assert server.seen == [b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] * 2


async def test_basic_authorization_is_in_utf_8() -> None:
    server = Server()
    client = Client(transport=server, middlewares=[basic_authorization("test", "123£")])
    await client.request("GET", "http://h/")
    # RFC 7617, section 2.1.
    assert server.seen == [b"Basic dGVzdDoxMjPCow=="]


def test_a_user_with_a_colon_is_refused() -> None:
    with pytest.raises(ValueError, match="colon"):
        basic_authorization("a:b", "c")


async def test_a_token_is_sent_with_each_request() -> None:
    server = Server()
    client = Client(transport=server, middlewares=[bearer_authorization("abc")])
    await client.request("GET", "http://h/")
    assert server.seen == [b"Bearer abc"]


async def test_a_token_may_be_asked_for_each_time() -> None:
    tokens = iter("ab")

    async def token() -> str:
        return next(tokens)

    server = Server()
    client = Client(transport=server, middlewares=[bearer_authorization(token)])
    for _ in range(2):
        await client.request("GET", "http://h/")
    assert server.seen == [b"Bearer a", b"Bearer b"]


async def test_a_token_that_would_be_two_fields_is_refused() -> None:
    client = Client(transport=Server(), middlewares=[bearer_authorization("a\r\nx: y")])
    with pytest.raises(RequestError):
        await client.request("GET", "http://h/")


async def test_the_authorization_of_a_request_goes_first() -> None:
    server = Server()
    client = Client(transport=server, middlewares=[bearer_authorization("abc")])
    await client.request("GET", "http://h/", [(b"authorization", b"own")])
    assert server.seen == [b"own"]


@pytest.mark.parametrize("is_inside", [False, True])
async def test_authorization_does_not_go_to_another_origin(*, is_inside: bool) -> None:
    server = Server(b"/same", b"http://other/", b"http://h/back")
    middlewares = [bearer_authorization("abc"), redirects()]
    if is_inside:
        middlewares.reverse()
    client = Client(transport=server, middlewares=middlewares)
    await client.request("GET", "http://h/")
    assert server.seen == [b"Bearer abc", b"Bearer abc", None, None]
