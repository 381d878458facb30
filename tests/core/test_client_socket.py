"""The client's end of a socket, for tests of applications."""

import asyncio
from typing import Any

import pytest

from bareasgi.testing import ProtocolError, web_socket

CONNECT = {"type": "websocket.connect"}
ACCEPT: dict[str, Any] = {"type": "websocket.accept"}


async def accepting(scope: Any, receive: Any, send: Any) -> None:
    """Accept, and echo until the client leaves."""
    assert await receive() == CONNECT
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def test_the_scope_is_that_of_a_socket() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await accepting(scope, receive, send)

    async with web_socket(
        app, "/a%2Fb?c=d e", headers=[(b"X-A", b"1")], subprotocols=["p"]
    ):
        pass
    (scope,) = seen
    assert (scope["type"], scope["scheme"]) == ("websocket", "ws")
    assert (scope["path"], scope["raw_path"]) == ("/a/b", b"/a%2Fb")
    assert scope["query_string"] == b"c=d%20e"
    assert scope["headers"] == [(b"host", b"localhost"), (b"x-a", b"1")]
    assert scope["subprotocols"] == ["p"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope


async def test_messages_go_both_ways() -> None:
    async with web_socket(accepting, "/") as client:
        assert client.is_accepted
        assert (client.subprotocol, client.headers) == (None, [])
        await client.send("text")
        assert await client.receive() == "text"
        await client.send(b"bytes")
        assert [m async for m in one(client)] == [b"bytes"]
        assert (client.code, client.reason) == (None, "")


async def one(client: Any) -> Any:
    async for message in client:
        yield message
        return


async def test_receive_gives_none_when_the_application_has_closed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.close", "code": 4000, "reason": "done"})

    async with web_socket(app, "/") as client:
        assert await client.receive() is None
        assert (client.code, client.reason) == (4000, "done")
        await client.send("lost")
        assert [m async for m in client] == []


async def test_a_close_without_a_code_is_1000() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

    async with web_socket(app, "/") as client:
        assert (client.is_accepted, client.code) == (False, 1000)


async def test_a_response_to_the_handshake_is_told() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        start = {"type": "websocket.http.response.start", "status": 401, "headers": []}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b"who?"})

    async with web_socket(app, "/") as client:
        assert not client.is_accepted
        assert (client.response.status, client.response.body) == (401, b"who?")


async def test_an_application_that_fails_raises_at_the_start() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with web_socket(app, "/"):
            pytest.fail("the block ran")


async def test_an_application_that_does_not_answer_is_a_protocol_error() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    with pytest.raises(ProtocolError, match="an answer to the handshake"):
        async with web_socket(app, "/", timeout=0.05):
            pytest.fail("the block ran")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_application_that_fails_later_raises_where_it_is_waited_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        raise ZeroDivisionError

    async with web_socket(app, "/") as client:
        await client.send("fail")
        with pytest.raises(ZeroDivisionError):
            await client.receive()
    with pytest.raises(ZeroDivisionError):
        async with web_socket(app, "/") as client:
            await client.send("fail")


async def test_an_application_that_does_not_return_is_cancelled_and_told() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await asyncio.sleep(3600)

    with pytest.raises(ProtocolError, match="the client has left"):
        async with web_socket(app, "/", timeout=0.05):
            pass
    with pytest.raises(KeyError):
        async with web_socket(app, "/", timeout=0.05):
            raise KeyError


async def test_an_error_of_the_block_goes_first() -> None:
    with pytest.raises(KeyError):
        async with web_socket(accepting, "/"):
            raise KeyError


async def test_a_message_that_is_not_received_in_time_is_told() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await asyncio.sleep(3600)

    with pytest.raises(ProtocolError, match="receive the message"):
        async with web_socket(app, "/", timeout=0.05) as client:
            await client.send("a")


async def test_the_buffer_holds_a_sender_up() -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        for number in range(5):
            await send({"type": "websocket.send", "text": str(number)})
            sent.append(number)

    async with web_socket(app, "/", buffer=2) as client:
        await client.blocked()
        assert sent == [0, 1]
        assert await client.receive() == "0"
        await client.blocked()
        assert sent == [0, 1, 2]
        assert [await client.receive() for _ in range(4)] == ["1", "2", "3", "4"]
        with pytest.raises(ProtocolError, match="too early"):
            await client.finished()


async def test_an_application_that_is_not_blocked_is_told() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

    with pytest.raises(ProtocolError, match="not blocked in send"):
        async with web_socket(app, "/") as client:
            await client.blocked()


@pytest.mark.parametrize("send_raises", [True, False])
async def test_a_client_that_leaves_ends_a_blocked_send(send_raises: bool) -> None:  # noqa: FBT001
    raised: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        try:
            await send({"type": "websocket.send", "text": "a"})
            await send({"type": "websocket.send", "text": "b"})
        except OSError:
            raised.append(True)
        assert await receive() == {
            "type": "websocket.disconnect",
            "code": 1006,
            "reason": None,
        }

    async with web_socket(app, "/", buffer=0) as client:
        await client.blocked()
        client.leave(send_raises=send_raises)
        await client.finished()
    assert raised == ([True] if send_raises else [])


async def test_what_was_sent_before_close_is_received_and_before_leave_is_lost() -> (
    None
):
    received: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await gate.wait()
        while (message := await receive())["type"] == "websocket.receive":
            received.append(message["text"])

    for leave, expected in ((False, ["a"]), (True, [])):
        gate = asyncio.Event()
        received.clear()
        async with web_socket(app, "/") as client:
            sending = asyncio.create_task(client.send("a"))
            await asyncio.sleep(0)
            if leave:
                client.leave()
            else:
                client.close(4000)
            gate.set()
            await sending
        assert received == expected


async def test_cancel_cancels_the_application() -> None:
    async with web_socket(accepting, "/") as client:
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.finished()
    async with web_socket(accepting, "/") as client:
        client.cancel()


async def test_sending_after_the_call_returned_is_told() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

        async def late() -> None:
            await asyncio.sleep(0)
            await send({"type": "websocket.close"})

        tasks.append(asyncio.create_task(late()))

    with pytest.raises(ProtocolError, match="after the application returned"):
        async with web_socket(app, "/"):
            await asyncio.sleep(0.01)
    with pytest.raises(ProtocolError):
        await tasks[0]
