"""Label sets tell what they should, and there are never more than allowed."""

from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from bareasgi import (
    Application,
    Content,
    Header,
    HttpResponse,
    Info,
    Message,
    RouteMatches,
    Scope,
)
from bareasgi.testing import http_request, web_socket
from bareasgi_prometheus import (
    DEFAULT_BUCKETS,
    Metrics,
    add_prometheus,
    add_prometheus_middleware,
)

from .applications import counted, label_sets, make_app, samples, total


async def answer(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return int(matches.get("status", 204))


async def ask(app: Application, path: str) -> None:
    """Make a request with nothing around it, for there are many of them."""

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        pass

    scope: dict[str, Any] = {"method": "GET", "path": path, "headers": []}
    await app({"type": "http", **scope}, receive, send)


# --- hostile requests -----------------------------------------------------------------


def hostile_requests(number: int) -> list[tuple[str, str, list[Header]]]:
    """Make requests whose every part is another one each time."""
    return [
        (
            f"M{n}" if n % 3 else "GET",
            f"/{n}/%ff%00/{'x' * (n % 50)}" if n % 2 else f"/users/{n}",
            [
                (b"host", b"host-%d.example" % n),
                (b"user-agent", b"agent %d" % n),
                (b"content-length", b"%d" % n),
                (b"traceparent", b"00-%032x-%016x-01" % (n + 1, n + 1)),
                (b"x-%d" % n, b'a"b\\c%d' % n),
            ],
        )
        for n in range(number)
    ]


@pytest.mark.parametrize("naming", ["prometheus", "otel"])
async def test_hostile_requests_add_a_bounded_number_of_series(naming: str) -> None:
    app, registry, _ = make_app(naming=naming, exemplars=True)
    for method, path, headers in hostile_requests(1_000):
        await http_request(app, method, path, scope={"headers": headers})
    # GET and _OTHER, to a route and to none, found or not allowed.
    assert label_sets(registry) < 30
    if naming == "prometheus":
        assert sum(counted(registry).values()) == 1_000
    assert (await http_request(app, "GET", "/metrics")).status == 200


async def test_the_default_limit_holds_for_20000_label_sets() -> None:
    app = Application()
    registry = add_prometheus(app)
    for n in range(20_000):
        app.http_router.add({"GET"}, f"/route{n}", answer)
    for n in range(20_000):
        await ask(app, f"/route{n}")
    assert label_sets(registry) <= 10_000
    found = counted(registry)
    assert sum(found.values()) == 20_000
    assert found["GET", "<overflow>", "204", "complete"] > 15_000
    assert total(registry, "http_requests_in_progress") == 0


@pytest.mark.parametrize("naming", ["prometheus", "otel"])
@pytest.mark.parametrize("limit", [11, 12, 20, 50, 200])
async def test_no_limit_is_exceeded_and_nothing_is_lost(
    naming: str, limit: int
) -> None:
    app = Application()
    registry = add_prometheus(
        app,
        naming=naming,
        max_series=limit,
        labels={"agent": lambda scope: dict(scope["headers"]).get(b"user-agent")},
    )
    app.http_router.add({"GET", "PUT", "POST"}, "/{name}/{status:int}", answer)
    app.http_router.add({"GET", "PUT", "POST"}, "/other/{status:int}/x", answer)
    for n in range(250):
        method = ("GET", "PUT", "POST", "ODD")[n % 4]
        status = 599 - n % 390
        path = f"/a/{status}" if n % 3 else f"/other/{status}/x"
        headers = [(b"user-agent", b"%d" % n), (b"content-length", b"1")]
        await http_request(app, method, path, scope={"headers": headers})
        async with web_socket(app, f"/{n}", headers=[(b"user-agent", b"%d" % n)]):
            pass
        assert n % 50 or label_sets(registry) <= limit
    assert label_sets(registry) <= limit
    name = "http_request" if naming == "prometheus" else "http_server_request"
    assert total(registry, f"{name}_duration_seconds_count") == 250
    in_progress = (
        "http_requests_in_progress"
        if naming == "prometheus"
        else "http_server_active_requests"
    )
    assert set(samples(registry, in_progress).values()) == {0}
    assert set(samples(registry, "websockets_open").values()) == {0}


async def test_values_that_clients_choose_leave_nothing_behind_when_they_overflow() -> (
    None
):
    registry = CollectorRegistry()
    metrics = Metrics(
        registry, max_series=20, labels={"host": lambda scope: scope["host"]}
    )
    found = {
        id(metrics.requests({"type": "http", "method": "GET", "host": str(n)}))
        for n in range(1_000)
    }
    assert len(found) <= 20


# --- labels ---------------------------------------------------------------------------


async def test_labels_are_texts_or_made_from_the_scope() -> None:
    app, registry, _ = make_app(
        labels={
            "app": "shop",
            "tenant": lambda scope: scope["path"].rpartition("/")[2],
        }
    )
    for path in ("/users/1", "/users/2", "/users/" + "9" * 999):
        await http_request(app, "GET", path)
    name = "http_requests_total"
    assert samples(registry, name) == {
        frozenset({"shop", "1", "GET", "/users/{id}", "200", "complete"}): 1,
        frozenset({"shop", "2", "GET", "/users/{id}", "200", "complete"}): 1,
        frozenset({"shop", "9" * 256, "GET", "<unmatched>", "404", "complete"}): 1,
    }


async def test_a_label_that_fails_is_empty_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, registry, _ = make_app(labels={"tenant": lambda scope: scope["tenant"]})
    assert (await http_request(app, "GET", "/users/1")).status == 200
    assert sum(samples(registry, "http_requests_total").values()) == 1
    assert "there is no value for the label tenant" in caplog.text


@pytest.mark.parametrize(
    "excluded", ["/users/{id}", "/users/{id:int}", "<unmatched>"], ids=str
)
async def test_excluded_routes_are_not_measured(excluded: str) -> None:
    app, registry, _ = make_app(exclude=[excluded])
    for path in ("/users/1", "/teapot", "/missing", "/metrics"):
        await http_request(app, "GET", path)
    routes = {"/users/{id}", "/teapot", "<unmatched>"}
    kept = routes - {excluded.replace(":int", "")}
    assert {route for _, route, _, _ in counted(registry)} == kept


async def test_the_conventions_of_opentelemetry_are_kept() -> None:
    app, registry, _ = make_app(naming="otel")
    common = {"http_request_method": "GET", "url_scheme": "https"}
    scope = {"scheme": "https", "http_version": "2"}
    response = {**common, "network_protocol_version": "2"}
    expected: Sequence[tuple[str, str, str, str]] = [
        ("/users/1", "/users/{id}", "200", ""),
        ("/missing", "", "404", ""),
        ("/fails", "/fails", "500", "500"),
        ("/breaks", "/breaks", "200", "_OTHER"),
    ]
    for path, route, status, error in expected:
        try:
            await http_request(app, "GET", path, scope=scope)
        except ZeroDivisionError:
            assert path == "/breaks"
        labels = {
            **response,
            "http_route": route,
            "http_response_status_code": status,
            "error_type": error,
        }
        name = "http_server_request_duration_seconds_count"
        assert registry.get_sample_value(name, labels) == 1
        name = "http_server_response_body_size_bytes_count"
        assert registry.get_sample_value(name, labels) == 1
    assert registry.get_sample_value("http_server_active_requests", common) == 0
    await http_request(
        app, "POST", "/users/1", content=b"ab", headers=[(b"content-length", b"2")]
    )
    assert total(registry, "http_server_request_body_size_bytes_sum") == 2
    names = {metric.name for metric in registry.collect()}
    assert "http_requests" not in names


async def test_a_cancelled_request_has_that_as_its_type_of_error() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, naming="otel")
    requests = metrics.requests({"type": "http", "method": "GET", "http_version": "9"})
    assert requests is not None
    requests.ended(200, "cancelled").duration.observe(1)
    (found,) = samples(registry, "http_server_request_duration_seconds_count")
    assert found == {"GET", "http", "200", "cancelled", ""}


# --- older names ----------------------------------------------------------------------


async def test_the_older_function_has_its_names_and_labels() -> None:
    app = Application()
    mine = Counter("mine_of_old", "Mine.", registry=REGISTRY)
    try:
        mine.inc()
        assert add_prometheus_middleware(app, host="h", app_name="n") is app
        app.http_router.add({"GET"}, "/a/{b}", answer)
        await http_request(app, "GET", "/a/1", headers=[(b"content-length", b"0")])
        async with web_socket(app, "/missing"):
            text = (await http_request(app, "GET", "/metrics")).text
    finally:
        REGISTRY.unregister(mine)
    labels = 'app_name="n",host="h",method="GET",path="/a/{b}"'
    assert f'http_requests_total{{{labels},status="204"}} 1.0\n' in text
    assert f"http_request_duration_seconds_count{{{labels}}} 1.0\n" in text
    assert f"http_requests_in_progress{{{labels}}} 0.0\n" in text
    assert "mine_of_old_total 1.0\n" in text


async def test_the_older_function_can_be_called_for_several_applications() -> None:
    for path in ("/a", "/b"):
        app = add_prometheus_middleware(Application(), metrics_path=path)
        assert (await http_request(app, "GET", path)).status == 200


# --- registries and options -----------------------------------------------------------


async def test_a_given_registry_is_used_and_gets_nothing_but_the_metrics() -> None:
    registry = CollectorRegistry()
    assert add_prometheus(Application(), registry=registry) is registry
    names = {metric.name for metric in registry.collect()}
    assert all(name.startswith(("http_", "websockets_")) for name in names)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        add_prometheus(Application(), registry=registry)


async def test_a_registry_of_our_own_tells_of_the_process() -> None:
    first, second = add_prometheus(Application()), add_prometheus(Application())
    assert first is not second
    assert {"python_info", "python_gc_collections"} <= {
        metric.name for metric in first.collect()
    }


async def test_buckets_can_be_chosen() -> None:
    app, registry, _ = make_app(buckets=[1, 2.5, float("inf")])
    await http_request(app, "GET", "/users/1")
    bounds = {
        sample.labels["le"]
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "http_request_duration_seconds_bucket"
    }
    assert bounds == {"1.0", "2.5", "+Inf"}
    assert DEFAULT_BUCKETS[0] == 0.005


def test_samples_are_a_sequence_whose_items_are_made_when_read() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    requests = metrics.requests({"type": "http", "method": "GET"})
    assert requests is not None
    found = next(
        metric for metric in registry.collect() if metric.name.endswith("in_progress")
    )
    requests.in_progress.inc()
    assert len(found.samples) == 1
    assert found.samples[0].value == 1
    assert [sample.value for sample in found.samples[:1]] == [1]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"naming": "x"}, ValueError, "write 'prometheus' or 'otel'"),
        ({"buckets": []}, ValueError, "rising order"),
        ({"buckets": [2, 1]}, ValueError, "rising order"),
        ({"labels": ["a"]}, TypeError, "mapping"),
        ({"labels": {"a": 1}}, TypeError, "write a text, or a function"),
        ({"labels": {"a-b": "1"}}, ValueError, "cannot be a label"),
        ({"labels": {1: "1"}}, ValueError, "cannot be a label"),
        ({"labels": {"__a": "1"}}, ValueError, "cannot be a label"),
        ({"labels": {"le": "1"}}, ValueError, "already"),
        ({"labels": {"route": "1"}}, ValueError, "already"),
        ({"exclude": "/health"}, TypeError, "write a set"),
        ({"exclude": [1]}, TypeError, "write path templates"),
        ({"max_series": 8}, ValueError, "at least 9"),
        ({"max_series": "9"}, TypeError, "must be a number"),
        ({"max_series": True}, TypeError, "must be a number"),
    ],
    ids=str,
)
def test_options_that_cannot_be_meant_fail_at_once(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    app = Application()
    with pytest.raises(error, match=text):
        add_prometheus(app, **options)
    assert app.middlewares == []
    assert app.routes == ()
