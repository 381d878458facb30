"""Prometheus metrics for bareASGI: by route, to the last byte, and bounded."""

from bareasgi_prometheus.handler import metrics_handler
from bareasgi_prometheus.metrics import Metrics
from bareasgi_prometheus.middleware import (
    metrics_middleware,
    web_socket_metrics_middleware,
)
from bareasgi_prometheus.options import (
    DEFAULT_BUCKETS,
    SIZE_BUCKETS,
    LabelValue,
    MetricsOptions,
)
from bareasgi_prometheus.plugin import add_prometheus, add_prometheus_middleware

__all__ = [
    "DEFAULT_BUCKETS",
    "SIZE_BUCKETS",
    "LabelValue",
    "Metrics",
    "MetricsOptions",
    "add_prometheus",
    "add_prometheus_middleware",
    "metrics_handler",
    "metrics_middleware",
    "web_socket_metrics_middleware",
]
