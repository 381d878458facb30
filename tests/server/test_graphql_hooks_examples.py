"""The examples of hooks count and trace what operations go through."""

import asyncio
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from graphql import build_schema
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from programs import Answer, free_port, request, running
from prometheus_client.parser import text_string_to_metric_families
from repository import ROOT

from bareasgi import Application
from bareasgi.testing import http_request, http_stream
from bareasgi_graphql import add_graphql

from .http1_client import connect_http1
from .socket_client import open_socket

DEADLINE: Final = 10.0
FOLDER: Final = ROOT / "examples" / "graphql"
METRICS: Final = FOLDER / "hooks_metrics.py"
TRACES: Final = FOLDER / "hooks_opentelemetry.py"
JSON: Final = [(b"content-type", b"application/json")]


@contextmanager
def serving(program: Path) -> Generator[int]:
    """Serves an example on a port of its own, and ends it by SIGTERM."""
    port = free_port()
    with running(sys.executable, str(program), port=port, env={"PORT": str(port)}):
        yield port


def load(program: Path) -> ModuleType:
    """Imports an example."""
    spec = spec_from_file_location(program.stem, program)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def post(port: int, query: str) -> Answer:
    """The answer to a POST."""
    body = json.dumps({"query": query}).encode()
    headers = {"content-type": "application/json", "accept": "application/json"}
    return request(port, "POST", "/graphql", headers=headers, body=body)


def metrics(port: int) -> dict[str, float]:
    """What was counted so far, by name and labels."""
    text = request(port, "GET", "/metrics").body.decode()
    return {
        " ".join([sample.name, *map("=".join, sample.labels.items())]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("graphql_")
    }


async def count_down(port: int, numbers: int) -> None:
    """Listens to a subscription, and leaves after so many numbers."""
    connection = await connect_http1(port)
    protocols = ["graphql-transport-ws"]
    async with open_socket(connection, "/graphql", subprotocols=protocols) as socket:
        await socket.send('{"type": "connection_init"}')
        assert json.loads(await socket.message())["type"] == "connection_ack"
        query = "subscription { countdown(from: 1000) }"
        message = {"id": "1", "type": "subscribe", "payload": {"query": query}}
        await socket.send(json.dumps(message))
        received = 0
        while received < numbers:
            async with asyncio.timeout(DEADLINE):
                kind = json.loads(await socket.message())["type"]
            received += kind == "next"


async def at_rest(port: int) -> dict[str, float]:
    """What was counted when no operation is live any more."""
    async with asyncio.timeout(DEADLINE):
        while metrics(port)["graphql_operations_in_progress"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return metrics(port)


async def test_operations_are_counted_beside_requests() -> None:
    with serving(METRICS) as port:
        for _ in range(2):
            hello = post(port, "{ hello }")
            assert json.loads(hello.body) == {"data": {"hello": "Hello, World!"}}
        post(port, "{ broken }")
        post(port, "{ nothing }")
        await count_down(port, 2)
        counted = await at_rest(port)
        ended = "graphql_operation_duration_seconds_count"
        assert counted[f"{ended} outcome=complete type=query"] == 3
        assert counted[f"{ended} outcome=error type="] == 1
        assert counted[f"{ended} outcome=stopped type=subscription"] == 1
        assert counted["graphql_documents_parsed_total"] == 4
        assert counted["graphql_results_total type=query"] == 3
        assert counted["graphql_results_total type=subscription"] >= 2
        assert counted["graphql_errors_total type=query"] == 1
        text = request(port, "GET", "/metrics").body.decode()
        assert 'http_requests_total{method="POST"' in text


class Traces:
    """An example that is traced, and the spans that came of it."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = provider.get_tracer("tests")
        self.example: Any = load(TRACES)
        self.app: Application = self.example.make_application(self.tracer)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """Those that ended, by name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}

    async def ask(self, query: object, app: Application | None = None) -> Any:
        """The answer to a POST, in a request that has a span itself."""
        with self.tracer.start_as_current_span("POST /graphql"):
            answer = await http_request(
                app or self.app,
                "POST",
                "/graphql",
                headers=JSON,
                content=json.dumps(query).encode(),
            )
        return answer.json()


@pytest.fixture
def traces() -> Iterator[Traces]:
    return Traces()


def is_below(span: ReadableSpan, other: ReadableSpan) -> bool:
    """Whether the parent of a span is the other."""
    assert span.parent is not None
    return span.parent.span_id == other.get_span_context().span_id


async def test_an_operation_is_a_span_between_the_request_and_the_resolver(
    traces: Traces,
) -> None:
    await traces.ask({"query": "query Greeting { hello }"})
    spans = traces.spans
    operation = spans["query"]
    assert operation.kind is SpanKind.SERVER
    assert operation.attributes == {
        "graphql.operation.type": "query",
        "graphql.operation.name": "Greeting",
    }
    assert operation.status.status_code is StatusCode.UNSET
    assert [event.name for event in operation.events] == ["parsed", "executed"]
    assert is_below(operation, spans["POST /graphql"])
    assert is_below(spans["think of a greeting"], operation)


async def test_a_span_has_what_a_resolver_raised(traces: Traces) -> None:
    answer = await traces.ask({"query": "{ broken }"})
    assert answer["errors"][0]["message"] == "Internal Server Error"
    _, _, event = traces.spans["query"].events
    assert event.attributes is not None
    assert event.attributes["exception.type"] == "ValueError"


async def test_the_span_of_a_refused_operation_has_an_error(traces: Traces) -> None:
    await traces.ask({"query": "{ nothing }"})
    span = traces.spans["GraphQL Operation"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is not None
    assert "Cannot query field 'nothing'" in span.status.description


async def test_the_operations_of_a_batch_are_side_by_side(traces: Traces) -> None:
    app = Application()
    schema = build_schema("type Query { a: Int } type Mutation { b: Int }")
    hooks = [lambda: traces.example.Traced(traces.tracer)]
    add_graphql(app, schema, hooks=hooks, batch=2)
    await traces.ask([{"query": "{ a }"}, {"query": "mutation { b }"}], app)
    spans = traces.spans
    assert is_below(spans["query"], spans["POST /graphql"])
    assert is_below(spans["mutation"], spans["POST /graphql"])


async def test_the_span_of_a_stream_ends_with_it_and_without_complaint(
    traces: Traces, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/graphql?query={hello}"
    headers = [(b"accept", b"text/event-stream")]
    async with http_stream(traces.app, "GET", path, headers=headers) as stream:
        text = b"".join([chunk async for chunk in stream])
    assert b"Hello, World!" in text
    assert is_below(traces.spans["think of a greeting"], traces.spans["query"])
    assert caplog.records == []


def test_traces_need_no_sdk() -> None:
    with serving(TRACES) as port:
        hello = post(port, "{ hello }")
        assert json.loads(hello.body) == {"data": {"hello": "Hello, World!"}}
    assert "opentelemetry.sdk" not in TRACES.read_text("utf-8")
