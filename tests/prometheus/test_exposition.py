"""What is served is what prometheus-client would write, and its parsers read it."""

import gzip
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import prometheus_client.openmetrics.exposition as openmetrics
import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    generate_latest,
)
from prometheus_client.core import (
    GaugeHistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bareasgi import Application
from bareasgi.testing import Response, http_request
from bareasgi_prometheus import metrics_handler
from bareasgi_prometheus.exposition import openmetrics_lines, text_lines
from bareasgi_prometheus.numbers import number

from .applications import TRACEPARENT, make_app

NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.005,
    1e-9,
    123456.0,
    1234567.0,
    1048576.0,
    100000000.0,
    1e16,
    1.5e300,
    -123456789.0,
    math.inf,
    -math.inf,
    math.nan,
]


class Others(Collector):
    """Samples that no metric of prometheus-client makes."""

    def collect(self) -> Iterable[Metric]:
        unknown = UnknownMetricFamily(
            "some", 'a "quoted"\nline \\ of help', labels=["a"]
        )
        unknown.add_metric(["x"], 1.5, timestamp=1700000000.25)
        yield unknown
        gauges = GaugeHistogramMetricFamily("gauges", "of a histogram")
        gauges.add_metric([], buckets=[("1.0", 2), ("+Inf", 3)], gsum_value=4.0)
        yield gauges
        unit = Metric("weight_grams", "with a unit", "gauge", "grams")
        unit.add_sample("weight_grams", {}, 7)
        yield unit
        yield Metric("nothing", "without a sample", "counter")


def everything() -> CollectorRegistry:
    """Make a registry with metrics of every kind."""
    registry = CollectorRegistry(target_info={"env": "test"})
    count = Counter("hits", "Hits.", ["path"], registry=registry)
    count.labels('/a"b\\c\nd').inc(1048576)
    count.labels("/é").inc(0.5)
    level = Gauge("level", "Levels \\ of\nall", ["n"], registry=registry)
    for place, value in enumerate(NUMBERS):
        level.labels(str(place)).set(value)
    times = Histogram("times", "Times.", ["b", "a"], registry=registry)
    times.labels("1", "2").observe(0.3, {"trace_id": 'a"b'})
    times.labels("1", "2").observe(1e9)
    Summary("sizes", "Sizes.", registry=registry).observe(3)
    Info("build", "Build.", registry=registry).info({"version": "1"})
    Enum("state", "State.", states=["on", "off"], registry=registry).state("off")
    registry.register(Others())
    return registry


async def measured() -> CollectorRegistry:
    """Make a registry with what was measured of some requests."""
    app, registry, gate = make_app(
        # Without what tells of the process, which changes from moment to moment.
        registry=CollectorRegistry(),
        exemplars=True,
        labels={"host": 'a"b\n'},
    )
    gate.opened.set()
    for path in ("/users/1", "/stream", "/missing", "/fails"):
        await http_request(app, "GET", path, headers=[(b"traceparent", TRACEPARENT)])
    return registry


@pytest.mark.parametrize("value", NUMBERS, ids=str)
def test_numbers_are_written_as_prometheus_client_writes_them(value: float) -> None:
    assert number(value) == floatToGoString(value)


def test_an_exponent_has_two_digits() -> None:
    # Of older clients it had three from ten on.
    assert [number(1e9), number(1e15)] == ["1e+09", "1e+15"]


@pytest.mark.parametrize("which", ["everything", "measured"])
async def test_the_bytes_are_those_of_prometheus_client(which: str) -> None:
    registry = everything() if which == "everything" else await measured()
    text = "".join(text_lines(registry.collect()))
    assert text.encode() == generate_latest(registry)
    text = "".join(openmetrics_lines(registry.collect()))
    assert text.encode() == openmetrics.generate_latest(registry)


@pytest.mark.parametrize(
    "names",
    [
        {"hits_total"},
        {"times_bucket"},
        {"sizes_count"},
        {"nothing"},
        {"target_info"},
        {"hits_created"},
    ],
    ids=str,
)
def test_chosen_samples_are_those_of_prometheus_client(names: set[str]) -> None:
    registry = everything()
    chosen = registry.restricted_registry(names)
    found = "".join(text_lines(registry.collect(), names)).encode()
    assert found == generate_latest(chosen)  # type: ignore[arg-type]
    found = "".join(openmetrics_lines(registry.collect(), names)).encode()
    assert found == openmetrics.generate_latest(chosen)


def test_names_of_any_kind_are_escaped() -> None:
    metric = Metric("plain", "", "gauge")
    metric.name = "1.ö:x"
    metric.add_sample("1.ö:x", {"a.b": "1", "2": "x"}, 1)
    lines = [*text_lines([metric])]
    assert lines[1:] == ['___:x{_="x",a_b="1"} 1.0\n']
    assert [*openmetrics_lines([metric])][1:] == [
        '___:x{_="x",a_b="1"} 1.0\n',
        "# EOF\n",
    ]


def test_native_histograms_are_left_out() -> None:
    class Native(NamedTuple):
        name: str
        native_histogram: object

    native: Any = Native("times", object())
    metric = Metric("times", "", "histogram")
    metric.samples = [native]
    assert len([*text_lines([metric])]) == 1
    assert [*openmetrics_lines([metric])][1:] == ["# EOF\n"]


# --- over HTTP ------------------------------------------------------------------------

PROMETHEUS_2 = (
    b"application/openmetrics-text;version=1.0.0,"
    b"application/openmetrics-text;version=0.0.1;q=0.75,"
    b"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    b"application/openmetrics-text;version=0.0.1;q=0.5,"
    b"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    b"text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


def field(response: Response, name: bytes) -> bytes | None:
    return dict(response.headers).get(name)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, TEXT),
        (b"*/*", TEXT),
        (b"text/html, */*;q=0.1", TEXT),
        (b"text/plain", TEXT),
        (b"application/json", TEXT),
        (b"application/openmetrics-text", OPENMETRICS),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS + b"; escaping=underscores"),
        (b"application/openmetrics-text;q=0.1, text/plain", TEXT),
    ],
    ids=lambda value: (value or b"none").decode()[:40],
)
async def test_the_format_is_the_one_that_the_client_prefers(
    accept: bytes | None, content_type: bytes
) -> None:
    app, _, _ = make_app()
    await http_request(app, "GET", "/users/1")
    headers = [] if accept is None else [(b"accept", accept)]
    response = await http_request(app, "GET", "/metrics", headers=headers)
    assert response.status == 200
    assert field(response, b"content-type") == content_type
    assert field(response, b"vary") == b"accept, accept-encoding"
    parse = parse_text if content_type == TEXT else parse_openmetrics
    families = {family.name: family for family in parse(response.text)}
    count = families["http_requests"].samples
    assert [sample.value for sample in count if sample.name.endswith("_total")] == [1]
    assert families["http_request_duration_seconds"].type == "histogram"


@pytest.mark.parametrize(
    ("accept_encoding", "is_gzip"),
    [
        (None, False),
        (b"gzip", True),
        (b"x-gzip, br;q=1", True),
        (b"gzip;q=0", False),
        (b"br, zstd", False),
        (b"gzip;q=0.5, identity", False),
    ],
    ids=str,
)
async def test_it_is_compressed_for_whoever_accepts_gzip(
    accept_encoding: bytes | None, *, is_gzip: bool
) -> None:
    app, _, _ = make_app()
    headers = [] if accept_encoding is None else [(b"accept-encoding", accept_encoding)]
    path = "/metrics?name[]=python_info"
    response = await http_request(app, "GET", path, headers=headers)
    body = gzip.decompress(response.body) if is_gzip else response.body
    assert field(response, b"content-encoding") == (b"gzip" if is_gzip else None)
    assert field(response, b"content-length") == b"%d" % len(response.body)
    assert b"\npython_info{" in body


async def test_names_in_the_query_choose_samples() -> None:
    app, _, _ = make_app()
    await http_request(app, "GET", "/users/1")
    path = "/metrics?name[]=http_requests_total&name%5B%5D=python_info&%FF=%FF&x"
    response = await http_request(app, "GET", path)
    assert {family.name for family in parse_text(response.text)} == {
        "http_requests",
        "python_info",
    }
    nothing = await http_request(app, "GET", "/metrics?name[]=missing")
    assert (nothing.status, nothing.body) == (200, b"")


async def test_head_has_the_headers_of_get_and_others_are_refused() -> None:
    app, _, _ = make_app()
    path = "/metrics?name[]=python_info"
    get = await http_request(app, "GET", path)
    head = await http_request(app, "HEAD", path)
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")
    assert (await http_request(app, "POST", "/metrics")).status == 405


async def test_exemplars_tell_the_trace_of_a_request() -> None:
    app, _, _ = make_app(exemplars=True)
    await http_request(app, "GET", "/users/1", headers=[(b"traceparent", TRACEPARENT)])
    accept = [(b"accept", b"application/openmetrics-text")]
    response = await http_request(app, "GET", "/metrics", headers=accept)
    exemplars = [
        sample.exemplar
        for family in parse_openmetrics(response.text)
        for sample in family.samples
        if sample.exemplar
    ]
    assert [exemplar.labels for exemplar in exemplars] == [
        {
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
        }
    ]
    text = (await http_request(app, "GET", "/metrics")).text
    assert "trace_id" not in text


@pytest.mark.parametrize(
    "traceparent",
    [
        b"",
        b"nonsense",
        TRACEPARENT + b"-more",
        TRACEPARENT[:-2] + b"00",
        b"ff" + TRACEPARENT[2:],
        TRACEPARENT.upper(),
        b"00-" + b"0" * 32 + TRACEPARENT[35:],
        TRACEPARENT[:36] + b"0" * 16 + b"-01",
    ],
    ids=str,
)
async def test_what_is_no_trace_makes_no_exemplar(traceparent: bytes) -> None:
    app, _, _ = make_app(exemplars=True)
    await http_request(app, "GET", "/users/1", headers=[(b"traceparent", traceparent)])
    accept = [(b"accept", b"application/openmetrics-text")]
    response = await http_request(app, "GET", "/metrics", headers=accept)
    assert "trace_id" not in response.text


async def test_later_versions_of_the_field_are_understood() -> None:
    app, _, _ = make_app(exemplars=True)
    later = b"01" + TRACEPARENT[2:] + b"-more"
    await http_request(app, "GET", "/users/1", headers=[(b"traceparent", later)])
    accept = [(b"accept", b"application/openmetrics-text")]
    response = await http_request(app, "GET", "/metrics", headers=accept)
    assert "trace_id" in response.text


async def test_a_value_that_cannot_be_encoded_leaves_the_rest_readable() -> None:
    app, registry, _ = make_app()
    Gauge("mine", "Mine.", ["a"], registry=registry).labels("\ud800").set(1)
    response = await http_request(app, "GET", "/metrics?name[]=mine")
    assert response.text.endswith('mine{a="?"} 1.0\n')


async def test_what_is_large_is_sent_in_pieces_with_its_length() -> None:
    registry = CollectorRegistry()
    level = Gauge("level", "Levels.", ["n"], registry=registry)
    for place in range(5_000):
        level.labels(str(place)).set(place)
    app = Application()
    app.http_router.add({"GET"}, "/m", metrics_handler(registry))
    response = await http_request(app, "GET", "/m")
    assert len(response.chunks) > 1
    assert field(response, b"content-length") == b"%d" % len(response.body)
    assert response.body == generate_latest(registry)
