"""Applications of other frameworks, called in this process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("fastapi", reason="fastapi is not installed")

from fastapi import FastAPI, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi.responses import StreamingResponse as FastAPIStreamingResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from bareclient import AsgiTransport, Client, CutError, decompression

DEADLINE: Final = 10.0


class World:
    """What happened in an application."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.left = asyncio.Event()
        self.worked = asyncio.Event()

    async def work(self) -> None:
        self.worked.set()

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[dict[str, Any]]:
        self.events.append("startup")
        yield {"db": "state"}
        self.events.append("shutdown")

    async def ticks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0)
        finally:
            self.left.set()

    async def breaks(self) -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("secret")


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["X-Stamp"] = "1"
        return response


def make_starlette(world: World) -> Any:
    async def echo(request: Request) -> Response:
        sent = (await request.body()).decode()
        return JSONResponse({"sent": sent, "db": request.state.db}, 201)

    async def stream(request: Request) -> Response:
        return StreamingResponse(world.ticks())

    async def fails(request: Request) -> Response:
        raise ValueError("secret")

    async def background(request: Request) -> Response:
        task = BackgroundTask(world.work)
        return PlainTextResponse("soon", background=task)

    async def redirect(request: Request) -> Response:
        response = RedirectResponse("/cookies")
        response.set_cookie("a", "1")
        return response

    async def cookies(request: Request) -> Response:
        return JSONResponse(request.cookies)

    async def long(request: Request) -> Response:
        return PlainTextResponse("x" * 10_000)

    return Starlette(
        routes=[
            Route("/echo", echo, methods=["POST"]),
            Route("/stream", stream),
            Route("/fails", fails),
            Route("/background", background),
            Route("/redirect", redirect),
            Route("/cookies", cookies),
            Route("/long", long),
        ],
        lifespan=world.lifespan,
        middleware=[Middleware(GZipMiddleware), Middleware(Stamp)],
    )


def make_fastapi(world: World) -> Any:
    app = FastAPI(lifespan=world.lifespan)
    app.add_middleware(Stamp)
    app.add_middleware(GZipMiddleware)

    @app.post("/echo", status_code=201)
    async def echo(request: FastAPIRequest) -> dict[str, str]:
        return {"sent": (await request.body()).decode(), "db": request.state.db}

    @app.get("/stream")
    async def stream() -> FastAPIStreamingResponse:
        return FastAPIStreamingResponse(world.ticks())

    @app.get("/fails")
    async def fails() -> None:
        raise ValueError("secret")

    @app.get("/refuses")
    async def refuses() -> None:
        raise HTTPException(403, "no")

    @app.get("/background")
    async def background() -> Response:
        task = BackgroundTask(world.work)
        return PlainTextResponse("soon", background=task)

    @app.get("/redirect")
    async def redirect() -> Response:
        response = RedirectResponse("/cookies")
        response.set_cookie("a", "1")
        return response

    @app.get("/cookies")
    async def cookies(request: FastAPIRequest) -> dict[str, str]:
        return request.cookies

    @app.get("/long")
    async def long() -> Response:
        return PlainTextResponse("x" * 10_000)

    return app


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=[make_starlette, make_fastapi], ids=["Starlette", "FastAPI"])
async def client(
    request: pytest.FixtureRequest, world: World
) -> AsyncGenerator[Client]:
    transport = AsgiTransport(request.param(world))
    options: Any = {"follow_redirects": True, "cookies": True}
    async with Client(base_url="http://app/", transport=transport, **options) as client:
        yield client
    assert world.events[0] == "startup"
    assert world.events[-1] == "shutdown"


async def chunks() -> AsyncIterator[bytes]:
    for part in (b"a", b"b", b"c"):
        yield part


@pytest.mark.parametrize("content", [b"abc", chunks])
async def test_content_arrives_and_the_answer_is_read(
    client: Client, content: Any
) -> None:
    sent = content if isinstance(content, bytes) else content()
    response = await client.request("POST", "/echo", None, sent)
    assert response.status == 201
    assert (b"x-stamp", b"1") in response.headers
    assert await response.json() == {"sent": "abc", "db": "state"}


async def test_leaving_a_stream_ends_it(client: Client, world: World) -> None:
    async with client.request("GET", "/stream") as response:
        received = aiter(response.body)
        assert await anext(received) == b"tick"
        assert not world.left.is_set()
    await asyncio.wait_for(world.left.wait(), DEADLINE)


async def test_a_failure_is_seen_as_from_afar(client: Client) -> None:
    async with client.request("GET", "/fails") as response:
        assert response.status == 500
        assert await response.text() == "Internal Server Error"


async def test_a_body_that_breaks_is_not_taken_for_whole(world: World) -> None:
    async def breaks(request: Request) -> Response:
        return StreamingResponse(world.breaks())

    # Starlette's BaseHTTPMiddleware would end the response as if it were whole.
    app = Starlette(routes=[Route("/breaks", breaks)])
    async with (
        Client(transport=AsgiTransport(app)) as client,
        client.request("GET", "http://app/breaks") as response,
    ):
        received = aiter(response.body)
        assert await anext(received) == b"x"
        with pytest.raises(CutError):
            await anext(received)


async def test_a_background_task_is_run_after_the_answer(
    client: Client, world: World
) -> None:
    response = await client.request("GET", "/background")
    assert await response.text() == "soon"
    await asyncio.wait_for(world.worked.wait(), DEADLINE)


async def test_head_and_unknown_paths_are_answered(client: Client) -> None:
    async with client.request("HEAD", "/cookies") as response:
        assert response.status in (200, 405)
        assert await response.raw() == b""
    async with client.request("GET", "/nowhere") as response:
        assert response.status == 404


async def test_redirects_and_cookies_are_followed_and_kept(client: Client) -> None:
    response = await client.request("GET", "/redirect")
    assert response.url == "http://app/cookies"
    assert await response.json() == {"a": "1"}


async def test_compression_is_undone(world: World) -> None:
    transport = AsgiTransport(make_starlette(world))
    client = Client(transport=transport, middlewares=[decompression()])
    async with client:
        response = await client.request("GET", "http://app/long")
        assert await response.text() == "x" * 10_000
