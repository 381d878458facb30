"""The client as a whole: awaited or entered, its middlewares, and what it refuses."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bareasgi import HttpResponse, text_writer
from bareclient import (
    Client,
    ClientError,
    ReadTimeoutError,
    RequestError,
    TimedOutError,
    Timeouts,
    redirects,
)
from bareclient.settings import timeouts

from .peers import DEADLINE, answer, answers, listening

URL = "http://h/"


def handler(response: HttpResponse) -> Any:
    async def transport(*arguments: Any) -> HttpResponse:
        return response

    return transport


class Body:
    """A body that tells whether it was closed."""

    def __init__(self) -> None:
        self.closings = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"1"

    async def aclose(self) -> None:
        self.closings += 1


async def test_an_awaited_answer_is_open() -> None:
    body = Body()
    response = await Client(transport=handler((200, [], body))).request("GET", URL)
    assert body.closings == 0
    assert await response.text() == "1"


async def test_an_entered_answer_is_closed_at_the_end_of_the_block() -> None:
    body = Body()
    async with Client(transport=handler((200, [], body))).request(
        "GET", URL
    ) as response:
        assert response.status == 200
        assert body.closings == 0
    assert body.closings == 1


async def test_an_entered_answer_is_closed_when_the_block_fails() -> None:
    body = Body()
    with pytest.raises(ZeroDivisionError):
        async with Client(transport=handler((200, [], body))).request("GET", URL):
            raise ZeroDivisionError
    assert body.closings == 1


@pytest.mark.parametrize(
    "response", [204, (204,), (204, None), (204, [], None), (204, [], None, None)]
)
async def test_any_handler_is_a_transport(response: HttpResponse) -> None:
    answer_ = await Client(transport=handler(response)).request("GET", URL)
    assert answer_.status == 204
    assert answer_.headers == []


async def test_a_transport_that_returns_nonsense_is_named() -> None:
    with pytest.raises(TypeError, match="transport must return"):
        await Client(transport=handler(None)).request("GET", URL)  # type: ignore[arg-type]


async def test_the_first_middleware_is_the_outermost() -> None:
    order: list[str] = []

    def naming(name: str) -> Any:
        async def middleware(
            scope: Any, info: Any, matches: Any, content: Any, next_handler: Any
        ) -> HttpResponse:
            order.append(name)
            assert matches == {}
            status, headers, body, pushes = await next_handler(
                scope, info, matches, content
            )
            return status, [*headers, (name.encode(), b"")], body, pushes

        return middleware

    client = Client(
        transport=handler((200, [], text_writer("x"))),
        middlewares=[naming("a"), naming("b")],
    )
    response = await client.request("GET", URL)
    assert order == ["a", "b"]
    assert response.headers == [(b"b", b""), (b"a", b"")]


async def test_a_middleware_may_answer_in_short() -> None:
    async def middleware(*arguments: Any) -> HttpResponse:
        return 418

    client = Client(transport=handler(200), middlewares=[middleware])
    assert (await client.request("GET", URL)).status == 418


async def test_middlewares_are_given_the_clients_info() -> None:
    seen: list[object] = []

    async def middleware(
        scope: Any, info: Any, matches: Any, content: Any, next_handler: Any
    ) -> HttpResponse:
        seen.append(info)
        return 204

    info = {"a": 1}
    client = Client(transport=handler(200), middlewares=[middleware], info=info)
    await client.request("GET", URL)
    assert seen == [info]
    assert seen[0] is info is client.info


async def test_the_timeouts_are_the_clients_unless_the_request_has_its_own() -> None:
    seen: list[Timeouts] = []

    async def transport(scope: Any, *arguments: Any) -> HttpResponse:
        seen.append(scope["timeouts"])
        return 204

    client = Client(transport=transport)
    await client.request("GET", URL)
    await client.request("GET", URL, timeout=1)
    own = Timeouts(read=None)
    await client.request("GET", URL, timeout=own)
    assert seen == [Timeouts(5, 5, 5, 5), Timeouts(1, 1, 1, 1), own]
    assert timeouts(None) == Timeouts(None, None, None, None)


async def test_a_transport_is_opened_and_closed_with_the_client() -> None:
    events: list[str] = []

    class Transport:
        async def __call__(self, *arguments: Any) -> HttpResponse:
            return 204

        async def __aenter__(self) -> None:
            events.append("open")

        async def aclose(self) -> None:
            events.append("close")

    async with Client(transport=Transport()) as client:
        assert events == ["open"]
        await client.request("GET", URL)
    assert events == ["open", "close"]


@pytest.mark.parametrize("base_url", ["/relative", "ftp://h/", "http://h\r\n/"])
def test_a_base_url_that_cannot_be_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(RequestError):
        Client(base_url=base_url)


async def test_a_relative_url_needs_a_base() -> None:
    with pytest.raises(RequestError, match="base_url"):
        await Client().request("GET", "/path")


def test_errors_are_of_one_family() -> None:
    assert issubclass(RequestError, ValueError)
    assert issubclass(ReadTimeoutError, TimeoutError)
    for error in (RequestError, ReadTimeoutError, TimedOutError):
        assert issubclass(error, ClientError)


async def test_fifty_at_once_get_their_own_answers() -> None:
    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Any
    ) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(200, head.split(b" ")[1]))

    async with (
        listening(script) as peer,
        Client(base_url=peer.url) as client,
        asyncio.timeout(DEADLINE),
    ):

        async def ask(number: int) -> str:
            response = await client.request("GET", f"/{number}")
            return await response.text()

        texts = await asyncio.gather(*[ask(number) for number in range(200)])
    assert texts == [f"/{number}" for number in range(200)]


async def test_a_client_can_be_closed_twice() -> None:
    async with listening(answers(answer())) as peer:
        client = Client()
        await client.request("GET", peer.url)
        await client.aclose()
        await client.aclose()


async def test_a_middleware_may_copy_the_scope() -> None:
    async def copy(
        scope: Any, info: Any, matches: Any, content: Any, next_handler: Any
    ) -> HttpResponse:
        headers = [*scope["headers"], (b"x-a", b"b")]
        answer_: HttpResponse = await next_handler(
            {**scope, "headers": headers}, info, matches, content
        )
        return answer_

    moved = answer(302, b"", b"location: /there")
    async with listening(answers(moved, answer(200, b"there"))) as peer:
        client = Client(middlewares=[copy, redirects(), copy])
        async with client, asyncio.timeout(DEADLINE):
            response = await client.request("GET", peer.url)
            assert response.url == f"{peer.url}there"
            assert await response.text() == "there"
    assert b"x-a: b\r\n" in peer.requests[1]
