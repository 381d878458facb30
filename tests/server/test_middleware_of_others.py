"""ASGI middleware of other people around our application, as its authors ship it."""

from typing import Any

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    text_writer,
)
from bareasgi.testing import http_request, http_stream, lifespan, web_socket


def application() -> Application:
    app = Application()

    @app.on_http_request({"GET"}, "/users/{id:int}")
    async def user(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer(f"user {matches['id']}" * 100)

    @app.on_http_request({"GET"}, "/ticks/{count:int}")
    async def ticks(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> Any:
            for number in range(matches["count"]):
                yield b"tick %d\n" % number

        return 200, None, body()

    @app.on_http_request({"GET"}, "/visits")
    async def visits(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        session: dict[str, int] = scope["session"]
        session["visits"] = session.get("visits", 0) + 1
        return 200, None, text_writer(str(session["visits"]))

    @app.on_ws_request("/rooms/{name}")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        async for message in web_socket:
            await web_socket.send(message)

    return app


class Observed:
    """An application with OpenTelemetry's generic middleware around it."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.spans = InMemorySpanExporter()
        tracing = TracerProvider()
        tracing.add_span_processor(SimpleSpanProcessor(self.spans))
        self.app: Any = OpenTelemetryMiddleware(
            application(),
            tracer_provider=tracing,
            meter_provider=MeterProvider(metric_readers=[self.reader]),
        )

    def series(self, metric: str) -> list[tuple[object, int]]:
        """Give target and count of each series of a metric."""
        data: Any = self.reader.get_metrics_data()
        return [
            (point.attributes.get("http.target"), point.count)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]


async def test_five_users_are_one_series() -> None:
    observed = Observed()
    for number in range(5):
        response = await http_request(observed.app, "GET", f"/users/{number}")
        assert response.status == 200
    assert observed.series("http.server.duration") == [("/users/{id}", 5)]


async def test_streams_sockets_and_lifespan_pass_a_tracer() -> None:
    observed = Observed()
    async with lifespan(observed.app):
        async with http_stream(observed.app, "GET", "/ticks/3") as stream:
            assert [chunk async for chunk in stream] == [
                b"tick 0\n",
                b"tick 1\n",
                b"tick 2\n",
            ]
        async with web_socket(observed.app, "/rooms/tea") as client:
            await client.send("hello")
            assert await client.receive() == "hello"
    names = {span.name for span in observed.spans.get_finished_spans()}
    assert any("/ticks" in name for name in names)
    assert any("websocket" in name for name in names)


async def test_a_session_of_starlette_is_kept_from_request_to_request() -> None:
    app: Any = SessionMiddleware(application(), secret_key="not a secret")  # noqa: S106
    first = await http_request(app, "GET", "/visits")
    (cookie,) = [value for name, value in first.headers if name == b"set-cookie"]
    headers = [(b"cookie", cookie.partition(b";")[0])]
    second = await http_request(app, "GET", "/visits", headers=headers)
    assert (first.text, second.text) == ("1", "2")


@pytest.mark.parametrize("path", ["/users/1", "/ticks/200"])
async def test_a_middleware_that_changes_bodies_may(path: str) -> None:
    app: Any = GZipMiddleware(application(), minimum_size=100)
    response = await http_request(
        app, "GET", path, headers=[(b"accept-encoding", b"gzip")]
    )
    assert (b"content-encoding", b"gzip") in response.headers
