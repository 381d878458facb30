"""Makes the metrics of a naming in a registry, and bounds their label sets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import prometheus_client
from prometheus_client import CollectorRegistry

from bareasgi_prometheus import storage
from bareasgi_prometheus.labels import Labels, Values
from bareasgi_prometheus.naming import ERROR, OUTCOME, FamilyName


class Counts(Protocol):
    """Counts what happens."""

    def inc(self) -> None:
        """Count one more."""
        ...


class Levels(Protocol):
    """Counts what there is."""

    def inc(self) -> None:
        """Count one that begins."""
        ...

    def dec(self) -> None:
        """Count one that ends."""
        ...


class Observes(Protocol):
    """Counts values by their size."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count a value."""
        ...


Child_co = TypeVar("Child_co", covariant=True)


@dataclass(frozen=True)
class Family(Generic[Child_co]):
    """A metric.

    Attributes:
        name: what it is called.
        sources: what its labels tell, in order.
        labels: gives the numbers for the values of the labels, in order.
    """

    name: str
    sources: Sequence[str]
    labels: Callable[..., Child_co]

    def label_set(self, values: Values) -> tuple[str, ...]:
        """Give the values of its labels."""
        return tuple([values[source] for source in self.sources])

    def child(self, values: Values) -> Child_co:
        """Give the numbers of a label set."""
        return self.labels(*self.label_set(values))


class Nothing:
    """Stands for the numbers of what is not measured."""

    def inc(self) -> None:
        """Count nothing."""

    def dec(self) -> None:
        """Count nothing."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count nothing."""


NOTHING: Final = Nothing()

_NOT_MEASURED: Final = Family("", (), lambda: NOTHING)


class Maker:
    """Makes the families of a registry, all with some labels more.

    The numbers are in files for all processes if they are shared, and else in memory.
    Without a name nothing is measured.
    """

    def __init__(
        self, registry: CollectorRegistry, extra: Mapping[str, str], *, is_shared: bool
    ) -> None:
        self._registry = registry
        self._extra = extra
        self._is_shared = is_shared

    def counter(self, name: FamilyName | None) -> Family[Counts]:
        """Make a counter."""
        if name is None:
            return _NOT_MEASURED
        make = prometheus_client.Counter if self._is_shared else storage.Counter
        labels = {**self._extra, **name.labels}
        family = make(name.name, name.documentation, [*labels], registry=self._registry)
        return Family(name.name, [*labels.values()], family.labels)

    def gauge(self, name: FamilyName | None) -> Family[Levels]:
        """Make a gauge. A shared one is the sum over the processes that live."""
        if name is None:
            return _NOT_MEASURED
        labels = {**self._extra, **name.labels}
        family: prometheus_client.Gauge | storage.Gauge
        if self._is_shared:
            family = prometheus_client.Gauge(
                name.name,
                name.documentation,
                [*labels],
                registry=self._registry,
                multiprocess_mode="livesum",
            )
        else:
            family = storage.Gauge(
                name.name, name.documentation, [*labels], self._registry
            )
        return Family(name.name, [*labels.values()], family.labels)

    def histogram(
        self, name: FamilyName | None, buckets: Sequence[float]
    ) -> Family[Observes]:
        """Make a histogram with these upper bounds."""
        if name is None:
            return _NOT_MEASURED
        make = prometheus_client.Histogram if self._is_shared else storage.Histogram
        labels = {**self._extra, **name.labels}
        family = make(
            name.name,
            name.documentation,
            [*labels],
            registry=self._registry,
            buckets=buckets,
        )
        return Family(name.name, [*labels.values()], family.labels)


class Room:
    """How many label sets there may be, over all families together."""

    def __init__(self, limit: int, labels: Labels, names: Sequence[FamilyName]) -> None:
        self._limit: Final = limit
        self._labels = labels
        self._least = least_series(names)
        # For what is counted under `<overflow>` by method and status.
        self._reserve = max(self._least, limit // 10)
        self._taken: set[tuple[str, tuple[str, ...]]] = set()

    def place(self, families: Sequence[Family[object]], values: Values) -> Values:
        """Take room for a label set in each family, and give the values to use there.

        They are those given if there is room for all of them, and else the ones of
        `<overflow>`, which tell as much as there is room for.
        """
        if self._take(families, values, self._reserve):
            return values
        overflow = self._labels.overflow(values)
        if self._take(families, overflow, self._least):
            return overflow
        least = self._labels.least(values)
        self._take(families, least, 0)
        return least

    def _take(
        self, families: Sequence[Family[object]], values: Values, reserve: int
    ) -> bool:
        wanted = {(each.name, each.label_set(values)) for each in families if each.name}
        wanted -= self._taken
        if len(self._taken) + len(wanted) > self._limit - reserve:
            return False
        self._taken |= wanted
        return True


def least_series(names: Sequence[FamilyName]) -> int:
    """Tell how many label sets are needed to count requests by how they end."""
    return sum(3 if {OUTCOME, ERROR} & {*each.labels.values()} else 1 for each in names)
