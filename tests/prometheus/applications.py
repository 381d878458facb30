"""Applications that end their requests in every way, and what was counted of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CollectorRegistry

from bareasgi import (
    Application,
    Content,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    bytes_reader,
    text_writer,
)
from bareasgi_prometheus import add_prometheus

TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Gate:
    """What a handler or a body waits for, and what it tells of itself."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()
        self.times_closed = 0

    async def wait(self) -> None:
        self.reached.set()
        await self.opened.wait()


def make_app(**options: Any) -> tuple[Application, CollectorRegistry, Gate]:
    """Make an application that is measured, its registry, and its gate."""
    app = Application()
    registry = add_prometheus(app, **options)
    gate = Gate()

    @app.on_http_request({"GET", "POST"}, "/users/{id:int}")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await bytes_reader(content)
        return 200, None, text_writer(f"user {matches['id']}")

    @app.on_http_request({"GET"}, "/stream")
    async def stream(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await gate.wait()
                yield b"second"
            finally:
                gate.times_closed += 1

        return 200, None, body()

    @app.on_http_request({"GET"}, "/breaks")
    async def breaks(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            raise ZeroDivisionError("secret")

        return 200, None, body()

    @app.on_http_request({"GET"}, "/waits")
    async def waits(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await gate.wait()
        return 204

    @app.on_http_request({"GET"}, "/fails")
    async def fails(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise ZeroDivisionError("secret")

    @app.on_http_request({"GET"}, "/teapot")
    async def refuse(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise HttpError(418, "I am a teapot")

    @app.on_ws_request("/echo/{name}")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        async for message in web_socket:
            if message == "fail":
                raise ZeroDivisionError("secret")
            await web_socket.send(message)

    return app, registry, gate


def samples(registry: CollectorRegistry, name: str) -> dict[frozenset[str], float]:
    """Give the samples of a name: the values of their labels, and their value."""
    return {
        frozenset(sample.labels.values()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == name
    }


def counted(registry: CollectorRegistry) -> dict[tuple[str, str, str, str], float]:
    """Give what was counted, by method, route, status and outcome."""
    return {
        (
            sample.labels["method"],
            sample.labels["route"],
            sample.labels["status"],
            sample.labels["outcome"],
        ): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "http_requests_total"
    }


def total(registry: CollectorRegistry, name: str) -> float:
    """Give the sum of all samples of a name."""
    return sum(
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == name
    )


def label_sets(registry: CollectorRegistry) -> int:
    """Count the label sets of what is measured of requests, over all metrics."""
    return len(
        {
            (metric.name, *sample.labels.values())
            for metric in registry.collect()
            for sample in metric.samples
            if metric.name.startswith(("http_", "websockets_"))
            and not sample.name.endswith(("_bucket", "_sum"))
        }
    )
