"""One request in one call."""

import json
from typing import Any

import pytest

from bareasgi import HttpError, text_writer
from bareclient import (
    AsgiTransport,
    StatusError,
    get,
    get_json,
    get_text,
    post,
    post_json,
    post_text,
    request,
)

from .applications import fields, loads, make_mirror
from .peers import answer, answers, listening

URL = "http://h/a?b"


def transport() -> AsgiTransport:
    return AsgiTransport(make_mirror())


@pytest.mark.parametrize("name", ["content", "body"])
async def test_a_request_is_awaited_or_entered(name: str) -> None:
    content: Any = {name: b"hello"}
    response = await request(
        URL, "POST", [(b"x", b"y")], transport=transport(), **content
    )
    told = await response.json()
    assert (told["method"], told["content"]) == ("POST", "hello")
    assert fields(told, "x") == ["y"]
    async with request(URL, transport=transport()) as response:
        assert (await response.json())["method"] == "GET"


async def test_get_gives_bytes() -> None:
    told = loads(await get(URL, [(b"x", b"y")], transport=transport()))
    assert (told["method"], told["query_string"]) == ("GET", "b")
    assert fields(told, "x") == ["y"]


async def test_get_text_gives_text() -> None:
    assert loads((await get_text(URL, transport=transport())).encode())["path"] == "/a"
    async with listening(answers(answer(200, b"\xfc"))) as peer:
        assert await get_text(peer.url, encoding="latin-1") == "ü"


async def test_get_json_asks_for_json_and_gives_it() -> None:
    told = await get_json(URL, transport=transport())
    assert fields(told, "accept") == ["application/json"]
    told = await get_json(URL, [(b"Accept", b"text/json")], transport=transport())
    assert fields(told, "accept") == ["text/json"]
    assert await get_json(URL, loads=len, transport=transport()) > 100


async def test_post_sends_bytes_or_a_stream() -> None:
    for content in (b"hello", text_writer("hello"), text_writer("hello", chunk_size=1)):
        told = loads(await post(URL, content, transport=transport()))
        assert (told["method"], told["content"]) == ("POST", "hello")
    told = loads(await post(URL, body=b"hello", transport=transport()))
    assert told["content"] == "hello"


async def test_post_text_sends_text() -> None:
    told = loads((await post_text(URL, "ü", transport=transport())).encode())
    assert told["content"] == "ü".encode().decode("latin-1")
    assert fields(told, "content-type") == ["text/plain; charset=utf-8"]
    text = await post_text(URL, "ü", encoding="latin-1", transport=transport())
    assert loads(text.encode())["content"] == "ü"


@pytest.mark.parametrize("dumps", [json.dumps, lambda obj: json.dumps(obj).encode()])
async def test_post_json_sends_json_and_gives_it(dumps: Any) -> None:
    told = await post_json(URL, {"a": 1}, dumps=dumps, transport=transport())
    assert json.loads(told["content"]) == {"a": 1}
    assert fields(told, "content-type") == ["application/json"]
    assert fields(told, "accept") == ["application/json"]


async def test_post_json_gives_none_for_an_answer_without_a_body() -> None:
    async with listening(answers(b"HTTP/1.1 204 No Content\r\n\r\n")) as peer:
        assert await post_json(peer.url, {}) is None


@pytest.mark.parametrize(
    "ask",
    [
        get,
        get_text,
        get_json,
        post,
        lambda url: post_text(url, ""),
        lambda url: post_json(url, {}),
    ],
)
@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_status_that_is_not_ok_is_raised(ask: Any, status: int) -> None:
    async with listening(answers(answer(status, b"no"))) as peer:
        with pytest.raises(HttpError) as raised:
            await ask(peer.url)
        assert isinstance(raised.value, StatusError)
        assert raised.value.code == status
        # No connection is left, though nobody keeps a client.
        await peer.gone.wait()
