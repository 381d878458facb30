"""What some servers can do beyond plain ASGI, and what happens where they cannot."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bareasgi import (
    Application,
    Body,
    Content,
    Headers,
    HttpDisconnectError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    after_body,
    bytes_writer,
    early_hints,
    text_writer,
    with_path,
    with_trailers,
)
from bareasgi.testing import Response, http_request, http_stream

EARLY_HINT = "http.response.early_hint"
PATHSEND = "http.response.pathsend"
TRAILERS = "http.response.trailers"

LINK = b"</style.css>; rel=preload; as=style"
WANTED = [(b"te", b"trailers")]


def offering(*names: str) -> dict[str, Any]:
    return {"extensions": {name: {} for name in names}}


def kinds(response: Response) -> list[str]:
    return [message["type"] for message in response.messages]


class Chunks:
    """A body that tells how it was used."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.iterations = 0
        self.closings = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.iterations += 1
        for chunk in self.chunks:
            yield chunk

    async def aclose(self) -> None:
        self.closings += 1


def answering(body: Body | None, status: int = 200) -> Application:
    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return status, [(b"content-type", b"text/plain")], body

    return app


# Early hints.


def hinting(*links: bytes) -> Application:
    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        for link in links:
            await early_hints(scope, [link])
        return 200, None, text_writer("page")

    return app


async def test_early_hints_come_before_the_start() -> None:
    response = await http_request(
        hinting(LINK, b"</a.js>; rel=preload"), "GET", "/", scope=offering(EARLY_HINT)
    )
    assert kinds(response) == [
        EARLY_HINT,
        EARLY_HINT,
        "http.response.start",
        "http.response.body",
    ]
    assert response.messages[0] == {"type": EARLY_HINT, "links": [LINK]}


@pytest.mark.parametrize(
    "scope", [{}, {"extensions": None}, {"extensions": {}}, offering(PATHSEND)]
)
async def test_early_hints_do_nothing_where_they_are_not_offered(
    scope: dict[str, Any],
) -> None:
    response = await http_request(hinting(LINK), "GET", "/", scope=scope)
    assert kinds(response) == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("link", [b"a\r\nb", b"a\nb", b"a\0"])
@pytest.mark.parametrize("scope", [{}, offering(EARLY_HINT)])
async def test_a_link_with_a_control_character_is_a_500_everywhere(
    link: bytes, scope: dict[str, Any]
) -> None:
    response = await http_request(hinting(link), "GET", "/", scope=scope)
    assert response.status == 500
    assert EARLY_HINT not in kinds(response)


async def test_early_hints_in_a_body_are_too_late() -> None:
    app = Application()
    errors: list[str] = []

    @app.on_http_request({"GET"}, "/")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            with pytest.raises(RuntimeError, match="before the response") as raised:
                await early_hints(scope, [LINK])
            errors.append(str(raised.value))
            yield b"a"

        return 200, None, body()

    response = await http_request(app, "GET", "/", scope=offering(EARLY_HINT))
    assert response.body == b"a"
    assert len(errors) == 1


async def test_early_hints_to_a_client_that_left_end_the_request_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Application()
    entered = asyncio.Event()
    errors: list[HttpDisconnectError] = []

    @app.on_http_request({"GET"}, "/")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        entered.set()
        while True:
            await asyncio.sleep(0)
            try:
                await early_hints(scope, [LINK])
            except HttpDisconnectError as error:
                errors.append(error)
                raise

    async with http_stream(app, "GET", "/", scope=offering(EARLY_HINT)) as stream:
        await entered.wait()
        stream.leave(send_raises=True)
        await stream.finished()
    assert len(errors) == 1
    assert caplog.records == []


# Trailers.


def digest() -> Headers:
    return [(b"digest", b"abc")]


async def test_trailers_follow_the_body() -> None:
    body = Chunks(b"a", b"b")
    response = await http_request(
        answering(with_trailers(body, digest)),
        "GET",
        "/",
        headers=WANTED,
        scope=offering(TRAILERS),
    )
    assert kinds(response) == [
        "http.response.start",
        *["http.response.body"] * 3,
        TRAILERS,
    ]
    assert response.messages[0]["trailers"] is True
    assert response.messages[-2]["more_body"] is False
    assert response.messages[-1] == {"type": TRAILERS, "headers": digest()}
    assert (response.body, body.closings) == (b"ab", 1)


async def test_trailers_are_made_when_the_body_has_been_sent() -> None:
    order: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        order.append("body")
        yield b"a"
        order.append("end")

    def make() -> Headers:
        order.append("trailers")
        return digest()

    app = answering(with_trailers(body(), make))
    await http_request(app, "GET", "/", headers=WANTED, scope=offering(TRAILERS))
    assert order == ["body", "end", "trailers"]


@pytest.mark.parametrize("body", [None, bytes_writer(b"")])
async def test_a_response_without_a_body_may_have_trailers(body: Body | None) -> None:
    app = answering(with_trailers(body, digest))
    response = await http_request(
        app, "GET", "/", headers=WANTED, scope=offering(TRAILERS)
    )
    assert kinds(response)[-1] == TRAILERS
    assert response.body == b""


@pytest.mark.parametrize(
    "te", [b"trailers", b"deflate, trailers", b"gzip;q=0.5 ,trailers"]
)
async def test_a_client_asks_for_trailers(te: bytes) -> None:
    app = answering(with_trailers(Chunks(b"a"), digest))
    response = await http_request(
        app, "GET", "/", headers=[(b"te", te)], scope=offering(TRAILERS)
    )
    assert kinds(response)[-1] == TRAILERS


@pytest.mark.parametrize(
    ("method", "status", "headers", "scope"),
    [
        ("GET", 200, [], offering(TRAILERS)),
        ("GET", 200, [(b"te", b"gzip")], offering(TRAILERS)),
        ("GET", 200, WANTED, offering()),
        ("GET", 200, WANTED, {"extensions": None}),
        ("HEAD", 200, WANTED, offering(TRAILERS)),
        ("GET", 204, WANTED, offering(TRAILERS)),
        ("GET", 304, WANTED, offering(TRAILERS)),
    ],
    ids=["not asked", "other te", "not offered", "none", "HEAD", "204", "304"],
)
async def test_otherwise_there_are_no_trailers(
    method: str, status: int, headers: Headers, scope: dict[str, Any]
) -> None:
    body = Chunks(b"a")
    app = answering(with_trailers(body, lambda: pytest.fail("called")), status)
    response = await http_request(app, method, "/", headers=headers, scope=scope)
    assert TRAILERS not in kinds(response)
    assert "trailers" not in response.messages[0]
    assert body.closings == 1


@pytest.mark.parametrize(
    "trailers",
    [[(b"X-A", b"1")], [(b"x-a", b"1\r\n")], [("x-a", "1")]],
    ids=["upper case", "line break", "str"],
)
async def test_trailers_that_must_not_be_sent_cut_the_response(
    trailers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = Chunks(b"a")
    app = answering(with_trailers(body, lambda: trailers))
    with pytest.raises((TypeError, ValueError)):
        await http_request(app, "GET", "/", headers=WANTED, scope=offering(TRAILERS))
    assert "a body failed" in caplog.text
    assert body.closings == 1


# Files that the server sends.


async def test_a_path_goes_to_the_server_in_place_of_the_body(tmp_path: Path) -> None:
    body = Chunks(b"a", b"b")
    app = answering(with_path(body, tmp_path / "a.txt"))
    response = await http_request(app, "GET", "/", scope=offering(PATHSEND))
    assert kinds(response) == ["http.response.start", PATHSEND]
    assert response.messages[1] == {"type": PATHSEND, "path": str(tmp_path / "a.txt")}
    assert (body.iterations, body.closings) == (0, 1)


@pytest.mark.parametrize(
    ("method", "status", "scope"),
    [
        ("GET", 200, offering()),
        ("GET", 200, {"extensions": None}),
        ("HEAD", 200, offering(PATHSEND)),
        ("GET", 204, offering(PATHSEND)),
        ("GET", 304, offering(PATHSEND)),
    ],
    ids=["not offered", "none", "HEAD", "204", "304"],
)
async def test_otherwise_the_body_is_the_body(
    method: str, status: int, scope: dict[str, Any]
) -> None:
    body = Chunks(b"a", b"b")
    app = answering(with_path(body, "/a.txt"), status)
    response = await http_request(app, method, "/", scope=scope)
    assert PATHSEND not in kinds(response)
    assert response.body == (b"ab" if (method, status) == ("GET", 200) else b"")
    assert body.closings == 1


def test_a_path_must_be_absolute() -> None:
    with pytest.raises(ValueError, match="must be absolute"):
        with_path(bytes_writer(b""), "a.txt")


# Together.


async def test_a_callback_after_the_body_leaves_path_and_trailers_as_they_are() -> None:
    called: list[str] = []
    for name in (PATHSEND, TRAILERS):
        body = Chunks(b"a")
        inner = (
            with_path(body, "/a.txt")
            if name == PATHSEND
            else with_trailers(body, digest)
        )
        app = answering(after_body(inner, lambda: called.append("over")))
        response = await http_request(
            app, "GET", "/", headers=WANTED, scope=offering(name)
        )
        assert kinds(response)[-1] == name
        assert body.closings == 1
    assert called == ["over"] * 2


async def test_trailers_go_before_a_path() -> None:
    """The server would send the file without them."""
    app = answering(with_path(with_trailers(Chunks(b"a"), digest), "/a.txt"))
    response = await http_request(
        app, "GET", "/", headers=WANTED, scope=offering(PATHSEND, TRAILERS)
    )
    assert kinds(response)[-1] == TRAILERS
    assert response.body == b"a"


@pytest.mark.parametrize("body", [bytes_writer(b"a"), None], ids=["known", "none"])
async def test_a_callback_sees_that_a_known_body_could_not_be_sent(
    body: Body | None,
) -> None:
    seen: list[BaseException | None] = []
    app = answering(after_body(body, lambda: seen.append(sys.exception())))
    error = BrokenPipeError("the client has left")

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        raise error

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await app(scope, receive, send)
    assert seen == [error]


async def test_a_wrapped_body_closes_what_it_began() -> None:
    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"a"
        finally:
            closed.append("closed")

    closed: list[str] = []
    async with http_stream(
        answering(with_trailers(endless(), digest)), "GET", "/"
    ) as stream:
        assert await stream.chunk() == b"a"
    assert closed == ["closed"]
