"""Wires metrics to an application."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from socket import gethostname

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from bareasgi import Application, Info, LifespanHandler, Message, Scope
from bareasgi_prometheus.handler import metrics_handler
from bareasgi_prometheus.metrics import Metrics
from bareasgi_prometheus.middleware import (
    metrics_middleware,
    web_socket_metrics_middleware,
)
from bareasgi_prometheus.naming import OLDER
from bareasgi_prometheus.options import DEFAULT_BUCKETS, LabelValue, path_formats
from bareasgi_prometheus.processes import remove_leftovers, shared_folder


def add_prometheus(
    app: Application,
    *,
    path: str = "/metrics",
    registry: CollectorRegistry | None = None,
    naming: str = "prometheus",
    buckets: Sequence[float] = DEFAULT_BUCKETS,
    labels: Mapping[str, LabelValue] | None = None,
    exclude: Iterable[str] = (),
    max_series: int = 10_000,
    exemplars: bool = False,
) -> CollectorRegistry:
    """Measure the requests and WebSockets of an application, and serve the metrics.

    The options, and what is raised, are those of Metrics. Without a registry one is
    made, which also has what prometheus-client knows of process, platform and garbage
    collection. Gives the registry, for metrics of the application's own. The metrics
    are served at `path`, and requests for them are not measured, nor are mounted
    applications. None of it is guarded: whoever can reach the path can read it.
    """
    if registry is None:
        registry = _new_registry()
    metrics = Metrics(
        registry,
        naming=naming,
        buckets=buckets,
        labels=labels,
        exclude={*path_formats(exclude), path},
        max_series=max_series,
        exemplars=exemplars,
    )
    _wire(app, metrics, registry, path)
    return registry


# The older name. It stays, so that older programs keep running.
def add_prometheus_middleware(
    app: Application,
    *,
    host: str | None = None,
    app_name: str | None = None,
    metrics_path: str = "/metrics",
) -> Application:
    """Do as `add_prometheus`, with the older names and labels.

    Gives the application. The host is this machine, and the name of the application is
    empty, unless they are given. What the default registry of prometheus-client holds
    is served too, for that is where older programs have metrics of their own.
    """
    registry = CollectorRegistry()
    registry.register(_DefaultRegistry())
    labels = {"host": host or gethostname(), "app_name": app_name or ""}
    metrics = Metrics(registry, naming=OLDER, labels=labels, exclude={metrics_path})
    _wire(app, metrics, registry, metrics_path)
    return app


class _DefaultRegistry(Collector):
    """What other parts of the program have put into prometheus-client's registry."""

    def collect(self) -> Iterable[Metric]:
        """Give all of it."""
        return REGISTRY.collect()


def _new_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _wire(
    app: Application, metrics: Metrics, registry: CollectorRegistry, path: str
) -> None:
    app.http_router.add({"GET", "HEAD"}, path, metrics_handler(registry))
    app.middlewares.insert(0, metrics_middleware(metrics))
    app.ws_middlewares.insert(0, web_socket_metrics_middleware(metrics))
    folder = shared_folder()
    if folder is not None:
        app.startup_handlers.append(_start(folder))


def _start(folder: Path) -> LifespanHandler:
    async def start(scope: Scope, info: Info, message: Message) -> None:
        remove_leftovers(folder)

    return start
