"""Counters, gauges and histograms that cost little: numbers of one event loop.

They are called as prometheus-client's own are, and stand in a registry as those do. But
nothing is locked, for one thread changes them, and a bucket is found by bisection. What
a family holds becomes samples only while it is read, one label set after the other, so
whoever reads it may stop in between.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from time import time
from typing import ClassVar, Final, Generic, TypeVar, cast, overload

from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, Metric, Sample
from prometheus_client.registry import Collector

from bareasgi_prometheus.numbers import INFINITY, number

_Value = tuple[str, dict[str, str], float, Exemplar | None]
"""A sample without what all of its label set have: suffix, label, value, exemplar."""


class Child(ABC):
    """The numbers of one label set."""

    __slots__ = ()

    @abstractmethod
    def values(self) -> Iterable[_Value]:
        """Give its samples, all from the same moment."""


_Child = TypeVar("_Child", bound=Child)


class Count(Child):
    """How often something happened."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0.0

    def inc(self) -> None:
        """Count one more."""
        self._value += 1.0

    def values(self) -> Iterable[_Value]:
        """Give the one sample."""
        return [("_total", {}, self._value, None)]


class Level(Child):
    """How many there are now."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0.0

    def inc(self) -> None:
        """Count one that begins."""
        self._value += 1.0

    def dec(self) -> None:
        """Count one that ends."""
        self._value -= 1.0

    def values(self) -> Iterable[_Value]:
        """Give the one sample."""
        return [("", {}, self._value, None)]


class Distribution(Child):
    """How often values came to lie between bounds, and their sum."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._sum = 0.0
        self._exemplars: dict[int, Exemplar] = {}

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count a value. The last exemplar of each bucket is kept."""
        place = bisect_left(self._bounds, amount)
        self._counts[place] += 1
        self._sum += amount
        if exemplar:
            self._exemplars[place] = Exemplar(exemplar, amount, time())

    def values(self) -> Iterable[_Value]:
        """Give the buckets, each of which holds those before, the count and the sum."""
        found: list[_Value] = []
        total = 0.0
        for place, bound in enumerate(self._bounds):
            total += self._counts[place]
            label = {"le": number(bound)}
            found.append(("_bucket", label, total, self._exemplars.get(place)))
        found += [("_count", {}, total, None), ("_sum", {}, self._sum, None)]
        return found


class Family(Collector, Generic[_Child]):
    """All label sets of one metric, as a collector of a registry."""

    kind: ClassVar[str]

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str],
        registry: CollectorRegistry,
    ) -> None:
        # As prometheus-client has it: the suffix belongs to the samples.
        self._name = name.removesuffix("_total")
        self._documentation = documentation
        self._labelnames = labelnames
        self._children: dict[tuple[str, ...], _Child] = {}
        registry.register(self)

    @abstractmethod
    def _make(self) -> _Child: ...

    def labels(self, *labelvalues: str) -> _Child:
        """Give the numbers of a label set, which begin when they are asked for."""
        child = self._children.get(labelvalues)
        if child is None:
            child = self._children[labelvalues] = self._make()
        return child

    def describe(self) -> Iterable[Metric]:
        """Tell the registry which names are taken."""
        return [Metric(self._name, self._documentation, self.kind)]

    def collect(self) -> Iterable[Metric]:
        """Give the metric, whose samples are made while they are read."""
        metric = Metric(self._name, self._documentation, self.kind)
        samples = _Samples(self._name, self._labelnames, self._children)
        metric.samples = cast(list[Sample], samples)
        return [metric]


class Counter(Family[Count]):
    """A family of counters, whose name ends in `_total`."""

    kind = "counter"

    def _make(self) -> Count:
        return Count()


class Gauge(Family[Level]):
    """A family of gauges."""

    kind = "gauge"

    def _make(self) -> Level:
        return Level()


class Histogram(Family[Distribution]):
    """A family of histograms with the same buckets: upper bounds, in order."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str],
        registry: CollectorRegistry,
        buckets: Sequence[float],
    ) -> None:
        self._bounds: Final = (*(b for b in buckets if b != INFINITY), INFINITY)
        super().__init__(name, documentation, labelnames, registry)

    def _make(self) -> Distribution:
        return Distribution(self._bounds)


class _Samples(Sequence[Sample]):
    """The samples of a family, each made when it is read."""

    def __init__(
        self,
        name: str,
        labelnames: Sequence[str],
        children: dict[tuple[str, ...], _Child],
    ) -> None:
        self._name = name
        self._labelnames = labelnames
        # Others may begin while these are read.
        self._children: list[tuple[tuple[str, ...], Child]] = [*children.items()]

    def __iter__(self) -> Iterator[Sample]:
        for values, child in self._children:
            labels = dict(zip(self._labelnames, values, strict=True))
            for suffix, label, value, exemplar in child.values():
                name = self._name + suffix
                yield Sample(name, {**labels, **label}, value, None, exemplar)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        return [*self][index]
