"""Pages that are sent while their template runs."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
from jinja2 import DictLoader, Environment

from bareasgi import (
    Application,
    Content,
    HttpMiddleware,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.testing import http_request, http_stream
from bareasgi_jinja2 import Templates, add_jinja2

KIB = 1024
HEAD = "<html><head><title>{{ title }}</title></head><body>"
ROWS = HEAD + "{% for row in rows %}<tr>{{ row }}</tr>{% endfor %}</body></html>"

each_kind = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def app_of(
    source: str,
    make_variables: Callable[[], Mapping[str, Any]],
    *,
    is_async: bool,
    middlewares: list[HttpMiddleware] | None = None,
    **options: Any,
) -> Application:
    """Make an application that streams one template at `/`."""
    app = Application(middlewares=middlewares)
    templates = add_jinja2(
        app,
        Environment(
            loader=DictLoader({"a.html": source}),
            autoescape=True,
            enable_async=is_async,
        ),
    )

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return await templates.stream("a.html", make_variables(), **options)

    app.http_router.add({"GET"}, "/", show)
    return app


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


class Source:
    """Rows that come when they are let, and that tell how they ended."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.is_waiting = asyncio.Event()
        self.ended: list[str] = []

    async def rows(self) -> AsyncIterator[str]:
        try:
            while True:
                self.is_waiting.set()
                await self.gate.wait()
                self.gate.clear()
                yield "row"
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        finally:
            self.ended.append("closed")


@each_kind
async def test_a_long_page_comes_in_pieces_of_8_to_16_kib(*, is_async: bool) -> None:
    app = app_of(ROWS, lambda: {"rows": range(20_000)}, is_async=is_async)
    response = await http_request(app, "GET", "/")
    first, *pieces, _ = response.chunks
    assert first == b"<html><head><title></title></head><body>"
    assert len(pieces) > 10
    assert all(8 * KIB <= len(piece) <= 16 * KIB for piece in pieces)
    expected = "".join(f"<tr>{row}</tr>" for row in range(20_000))
    assert response.text == f"{first.decode()}{expected}</body></html>"
    assert b"content-length" not in dict(response.headers)
    assert dict(response.headers)[b"content-type"] == b"text/html; charset=utf-8"
    assert others() == set()


@each_kind
@pytest.mark.parametrize("size", [16 * KIB, 16 * KIB + 1, 33 * KIB, 1000 * KIB])
async def test_a_long_value_is_cut_into_pieces_of_8_to_16_kib(
    size: int, *, is_async: bool
) -> None:
    app = app_of("{{ text }}", lambda: {"text": "é" * (size // 2)}, is_async=is_async)
    response = await http_request(app, "GET", "/")
    assert response.text == "é" * (size // 2)
    assert all(8 * KIB <= len(piece) <= 16 * KIB for piece in response.chunks)


@each_kind
async def test_the_end_of_the_head_is_sent_at_once(*, is_async: bool) -> None:
    reached: list[int] = []

    def rows() -> Iterator[int]:
        reached.append(1)
        yield 1

    source = ROWS.replace("</head>", "</HEAD >")
    app = app_of(source, lambda: {"rows": rows()}, is_async=is_async)
    async with http_stream(app, "GET", "/") as response:
        assert await response.chunk() == b"<html><head><title></title></HEAD ><body>"
        # An async template runs one piece ahead of what is sent, but not before.
        assert is_async or reached == []
        assert await response.chunk() == b"<tr>1</tr></body></html>"
        assert await response.chunk() == b""


@each_kind
async def test_a_short_page_is_sent_whole_with_its_length(*, is_async: bool) -> None:
    app = app_of("Grüße {{ 1 }}", dict, is_async=is_async)
    response = await http_request(app, "GET", "/")
    assert response.text == "Grüße 1"
    assert dict(response.headers)[b"content-length"] == b"9"
    assert len(response.messages) == 2


@each_kind
async def test_an_empty_page_is_an_empty_body(*, is_async: bool) -> None:
    response = await http_request(app_of("", dict, is_async=is_async), "GET", "/")
    assert (response.status, response.body) == (200, b"")


@each_kind
@pytest.mark.parametrize("encoding", ["utf-16", "iso-2022-jp", "utf-8"])
async def test_pieces_join_to_one_text_in_their_encoding(
    encoding: str, *, is_async: bool
) -> None:
    row = "日本"
    source = "<head></head>{% for _ in rows %}{{ row }}{% endfor %}"
    variables = {"rows": range(9000), "row": row}
    app = app_of(source, lambda: variables, is_async=is_async, encoding=encoding)
    response = await http_request(app, "GET", "/")
    text = "<head></head>" + row * 9000
    assert response.body == text.encode(encoding)
    assert response.text == text


async def test_what_there_is_is_sent_whenever_the_template_waits() -> None:
    source = Source()
    app = app_of(ROWS, lambda: {"rows": source.rows(), "title": "T"}, is_async=True)
    async with http_stream(app, "GET", "/") as response:
        assert await response.chunk() == (b"<html><head><title>T</title></head><body>")
        for _ in range(3):
            source.gate.set()
            assert await response.chunk() == b"<tr>row</tr>"
    assert others() == set()


async def test_a_page_that_waits_at_once_starts_when_there_is_something() -> None:
    gate = asyncio.Event()

    async def title() -> str:
        await gate.wait()
        return "T"

    app = app_of("{{ title() }}{{ title() }}", lambda: {"title": title}, is_async=True)
    async with http_stream(app, "GET", "/") as response:
        assert response.messages == []
        gate.set()
        assert await response.chunk() == b"TT"


async def test_a_slow_reader_holds_the_template_back() -> None:
    made: list[int] = []

    def rows() -> Iterator[str]:
        for number in range(1000):
            made.append(number)
            yield "x" * KIB

    app = app_of(ROWS, lambda: {"rows": rows()}, is_async=True)
    async with http_stream(app, "GET", "/") as response:
        await response.chunk()
        await response.blocked()
        assert len(made) < 50
    assert others() == set()


@each_kind
async def test_two_pages_are_made_in_turn(*, is_async: bool) -> None:
    app = app_of(ROWS, lambda: {"rows": range(5000)}, is_async=is_async)
    one, two = await asyncio.gather(*[http_request(app, "GET", "/") for _ in "ab"])
    assert one.body == two.body


# --- readers that leave ---------------------------------------------------------------


async def test_a_template_that_waits_is_cancelled_when_the_reader_leaves() -> None:
    source = Source()
    app = app_of(ROWS, lambda: {"rows": source.rows()}, is_async=True)
    async with http_stream(app, "GET", "/") as response:
        await response.chunk()
        await asyncio.wait_for(source.is_waiting.wait(), 10)
        response.leave()
        await response.finished()
        assert source.ended == ["cancelled", "closed"]
    assert others() == set()


@each_kind
async def test_a_template_blocked_by_its_reader_ends_when_that_leaves(
    *,
    is_async: bool,
) -> None:
    ended: list[bool] = []

    def rows() -> Iterator[str]:
        try:
            while True:
                yield "x" * KIB
        finally:
            ended.append(True)

    app = app_of(ROWS, lambda: {"rows": rows()}, is_async=is_async)
    async with http_stream(app, "GET", "/") as response:
        await response.chunk()
        await response.blocked()
        response.leave()
        await response.finished()
    assert ended == [True]
    assert others() == set()


@each_kind
async def test_head_ends_the_template(*, is_async: bool) -> None:
    app = app_of(ROWS, lambda: {"rows": range(10_000)}, is_async=is_async)
    response = await http_request(app, "HEAD", "/")
    assert (response.status, response.body) == (200, b"")
    assert others() == set()


async def test_a_handler_cancelled_before_the_first_piece_ends_it_all() -> None:
    source = Source()
    app = app_of(
        "{% for row in rows %}{% endfor %}",
        lambda: {"rows": source.rows()},
        is_async=True,
    )
    async with http_stream(app, "GET", "/") as response:
        await asyncio.wait_for(source.is_waiting.wait(), 10)
        response.cancel()
        with pytest.raises(asyncio.CancelledError):
            await response.finished()
    assert source.ended == ["cancelled", "closed"]
    assert others() == set()


@each_kind
async def test_a_closed_body_gives_nothing_more(*, is_async: bool) -> None:
    seen: list[Any] = []

    async def close(
        scope: Scope, info: Info, matches: RouteMatches, content: Content, handler: Any
    ) -> HttpResponse:
        status, headers, body, _ = await handler(scope, info, matches, content)
        assert aiter(body) is body
        await anext(body)
        await body.aclose()
        await body.aclose()
        seen.extend([chunk async for chunk in body])
        return status, headers

    app = app_of(
        ROWS, lambda: {"rows": range(10_000)}, is_async=is_async, middlewares=[close]
    )
    response = await http_request(app, "GET", "/")
    assert (response.status, response.body, seen) == (200, b"", [])
    assert others() == set()


# --- exceptions -----------------------------------------------------------------------


@each_kind
async def test_an_exception_before_the_first_piece_is_a_plain_500(
    *,
    is_async: bool,
) -> None:
    app = app_of("<p>{{ 1 / 0 }}" + "x" * 20_000, dict, is_async=is_async)
    response = await http_request(app, "GET", "/")
    assert (response.status, response.body) == (500, b"Internal Server Error")
    assert others() == set()


@each_kind
async def test_an_exception_after_the_first_piece_cuts_the_response(
    *, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(
        HEAD + "{{ title }}\n{{ 1 / 0 }}",
        lambda: {"title": "secret"},
        is_async=is_async,
    )
    async with http_stream(app, "GET", "/", buffer=None) as response:
        with pytest.raises(ZeroDivisionError):
            await response.finished()
        assert response.status == 200
        assert response.chunks[0].endswith(b"</head><body>")
        assert response.messages[-1]["more_body"] is True
    assert "line 2, in top-level template code" in caplog.text
    assert others() == set()


async def test_an_exception_while_nobody_waits_for_the_template_is_told_later() -> None:
    gate = asyncio.Event()

    async def fail() -> None:
        await gate.wait()
        raise ValueError("late")

    app = app_of(HEAD + "{{ fail() }}", lambda: {"fail": fail}, is_async=True)
    async with http_stream(app, "GET", "/") as response:
        await response.started()
        gate.set()
        await response.chunk()
        with pytest.raises(ValueError, match="late"):
            await response.chunk()
    assert others() == set()


async def test_an_exception_while_the_template_is_ended_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def rows() -> AsyncIterator[str]:
        try:
            await asyncio.Event().wait()
            yield ""
        finally:
            raise ValueError("cannot end")

    app = app_of(ROWS, lambda: {"rows": rows()}, is_async=True)
    async with http_stream(app, "GET", "/") as response:
        await response.chunk()
        response.leave()
        await response.finished()
    assert "ValueError: cannot end" in caplog.text
    assert others() == set()


async def test_a_template_that_fails_unseen_makes_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, failed = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        await gate.wait()
        failed.set()
        raise ValueError("unseen")

    loader = DictLoader({"a.html": "x{{ fail() }}"})
    templates = Templates(
        Environment(loader=loader, autoescape=True, enable_async=True)
    )
    response: Any = await templates.stream("a.html", {"fail": fail})
    body = response[2]
    assert await anext(body) == b"x"
    gate.set()
    await asyncio.wait_for(failed.wait(), 10)
    await body.aclose()
    del body, response
    gc.collect()
    assert others() == set()
    assert caplog.text == ""
