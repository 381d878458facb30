"""The metrics of an application: what is counted for whom, and how much there may be.

A label set is looked up once for each route, method and status, and kept. Their number
is bounded, over all metrics together: what comes when there is no more room is counted
under one route of its own, so totals stay right.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from prometheus_client import CollectorRegistry

from bareasgi import Route, Scope
from bareasgi_prometheus.families import (
    NOTHING,
    Counts,
    Family,
    Levels,
    Maker,
    Observes,
    Room,
    least_series,
)
from bareasgi_prometheus.labels import NO_STATUS, Labels, Values
from bareasgi_prometheus.naming import (
    METHOD,
    METHODS,
    OTHER,
    OVERFLOW,
    UNMATCHED,
    Naming,
)
from bareasgi_prometheus.options import (
    DEFAULT_BUCKETS,
    SIZE_BUCKETS,
    LabelValue,
    chosen_naming,
    extra_labels,
    path_formats,
    series_limit,
    upper_bounds,
)
from bareasgi_prometheus.processes import shared_folder

_Key: TypeAlias = tuple[str, str | None, tuple[str, ...]]


class Series:
    """The numbers of requests to one route that ended in the same way.

    Attributes:
        values: what their labels tell.
        request_size: None until there is a size to count.
    """

    __slots__ = (
        "count",
        "duration",
        "first_byte",
        "request_size",
        "response_size",
        "values",
    )

    def __init__(
        self,
        values: Values,
        count: Counts,
        duration: Observes,
        first_byte: Observes = NOTHING,
        response_size: Observes = NOTHING,
    ) -> None:
        self.values: Values = values
        self.count: Counts = count
        self.duration: Observes = duration
        self.first_byte: Observes = first_byte
        self.response_size: Observes = response_size
        self.request_size: Observes | None = None


class Requests:
    """The requests with one method to one route.

    Attributes:
        metrics: what they belong to.
        in_progress: how many there are now.
        reads_headers: whether their headers have to be looked at.
        series: the numbers of those that have ended, by status and outcome.
    """

    __slots__ = ("_values", "in_progress", "metrics", "reads_headers", "series")

    def __init__(self, metrics: "Metrics", values: Values, in_progress: Levels) -> None:
        self.metrics: Metrics = metrics
        self.in_progress: Levels = in_progress
        # Content of a GET or HEAD has no meaning (RFC 9110, section 9.3.1).
        self.reads_headers: bool = metrics.has_exemplars or (
            metrics.has_request_sizes and values[METHOD] not in ("GET", "HEAD")
        )
        self._values = values
        self.series: dict[tuple[int, str], Series] = {}

    def ended(self, status: int, outcome: str) -> Series:
        """Begin the numbers of those that end in this way."""
        series = self.metrics.ended(self._values, status, outcome)
        self.series[status, outcome] = series
        return series


class Metrics:
    """What is measured of an application, in a registry.

    Attributes:
        has_exemplars: whether durations get the trace that they belong to.
        has_request_sizes: whether the sizes of requests are measured.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        naming: str | Naming = "prometheus",
        buckets: Sequence[float] = DEFAULT_BUCKETS,
        labels: Mapping[str, LabelValue] | None = None,
        exclude: Iterable[str] = (),
        max_series: int = 10_000,
        exemplars: bool = False,
    ) -> None:
        """Add the metrics to the registry.

        `naming` is "prometheus" or "otel". `buckets` are the upper bounds of the
        histograms of time, in seconds. `labels` are more labels for all of the metrics:
        texts, or functions that make a text from the scope of each request. `exclude`
        are path templates whose requests are not measured; `<unmatched>` stands for
        those that match no route. `max_series` bounds the label sets of all metrics
        together. With `exemplars` durations get the trace in `traceparent`.

        Raises TypeError or ValueError for options that cannot be meant, and ValueError
        when the registry has metrics of these names. Where PROMETHEUS_MULTIPROC_DIR is
        set: NotADirectoryError when it is no folder, RuntimeError when it was set after
        prometheus_client was imported.
        """
        names = chosen_naming(naming)
        bounds = upper_bounds(buckets)
        limit = series_limit(max_series, least_series(names.families))
        self._exclude = path_formats(exclude)
        self._unmatched = names.unmatched
        self._labels = Labels(names, extra_labels(labels, names))
        self._room = Room(limit, self._labels, names.families)

        is_shared = shared_folder() is not None
        make = Maker(registry, self._labels.extra, is_shared=is_shared)
        self._count = make.counter(names.count)
        self._duration = make.histogram(names.duration, bounds)
        self._first_byte = make.histogram(names.first_byte, bounds)
        self._in_progress = make.gauge(names.in_progress)
        self._request_size = make.histogram(names.request_size, SIZE_BUCKETS)
        self._response_size = make.histogram(names.response_size, SIZE_BUCKETS)
        self._web_sockets = make.gauge(names.web_sockets)

        self._known: dict[_Key, Requests] = {}
        self._is_read = self._labels.is_read
        self.has_exemplars: bool = exemplars and not is_shared
        self.has_request_sizes: bool = names.request_size is not None

    def requests(self, scope: Scope) -> Requests | None:
        """Give the requests that one belongs to, or None if it is not measured."""
        route: Route | None = scope.get("route")
        read = self._labels.read(scope) if self._is_read else ()
        path_format = None if route is None else route.path_format
        key: _Key = scope["method"], path_format, read
        requests = self._known.get(key)
        return self._find(*key) if requests is None else requests

    def web_sockets(self, scope: Scope) -> Levels | None:
        """Give the WebSockets that one belongs to, or None if it is not measured."""
        route: Route | None = scope.get("route")
        label = self._route_label(None if route is None else route.path_format)
        if label is None:
            return None
        values = self._labels.values(OTHER, label, self._labels.read(scope))
        return self._web_sockets.child(self._room.place([self._web_sockets], values))

    def ended(self, values: Values, status: int, outcome: str) -> Series:
        """Begin the numbers of requests that end in one way."""
        values = self._labels.at_the_end(values, status, outcome)
        families: list[Family[object]] = [self._count, self._duration]
        if status == NO_STATUS:
            values = self._room.place(families, values)
            return Series(
                values, self._count.child(values), self._duration.child(values)
            )
        families += [self._first_byte, self._response_size]
        values = self._room.place(families, values)
        return Series(
            values,
            self._count.child(values),
            self._duration.child(values),
            self._first_byte.child(values),
            self._response_size.child(values),
        )

    def request_size(self, series: Series) -> Observes:
        """Begin the sizes of requests of a series."""
        values = self._room.place([self._request_size], series.values)
        series.request_size = self._request_size.child(values)
        return series.request_size

    def _find(
        self, method: str, path_format: str | None, read: tuple[str, ...]
    ) -> Requests | None:
        """Find the requests to a route that was not asked for as it is now.

        The method may be one that a client has made up, or there may be no room.
        """
        label = self._route_label(path_format)
        if label is None:
            return None
        method = method if method in METHODS else OTHER
        key: _Key = method, path_format, read
        if key not in self._known:
            values = self._labels.values(method, label, read)
            placed = self._room.place([self._in_progress], values)
            if placed != values:
                # Clients may make up more of these than are fit to be kept.
                key = OVERFLOW, None, (*placed.values(),)
            if key not in self._known:
                gauge = self._in_progress.child(placed)
                self._known[key] = Requests(self, placed, gauge)
        return self._known[key]

    def _route_label(self, path_format: str | None) -> str | None:
        """Give what stands for a route, or None if it is not measured."""
        if path_format is None:
            return None if UNMATCHED in self._exclude else self._unmatched
        return None if path_format in self._exclude else path_format
