"""What the labels tell of a request: the least that is known of it, and no more."""

from collections.abc import Callable, Mapping
from logging import Logger, getLogger
from typing import Final, TypeAlias

from bareasgi import Scope
from bareasgi_prometheus.naming import (
    CANCELLED,
    ERROR,
    FAILED,
    METHOD,
    OTHER,
    OUTCOME,
    OVERFLOW,
    ROUTE,
    SCHEME,
    STATUS,
    VERSION,
    Naming,
)
from bareasgi_prometheus.options import LabelValue

logger: Final[Logger] = getLogger(__name__)

Values: TypeAlias = Mapping[str, str]
"""What the labels of a request tell, by what they tell of."""

NO_STATUS: Final = 0
"""Stands for the status of a response that never began."""

_LONGEST: Final = 256
"""How much of the value of a label is kept, in characters."""

_SERVER_ERROR: Final = 500
_VERSIONS: Final = frozenset({"1.0", "1.1", "2", "3"})


class Labels:
    """Reads from a scope what labels tell, beyond method and route.

    Attributes:
        extra: the names of the labels that all metrics have more, each with what it
            tells.
        is_read: whether any of it has to be read for each request.
    """

    def __init__(self, naming: Naming, extra: Mapping[str, LabelValue]) -> None:
        self.extra: Mapping[str, str] = {name: f"label {name}" for name in extra}
        self._constants: dict[str, str] = {}
        self._readers: dict[str, Callable[[Scope], object]] = {}
        for name, value in extra.items():
            if isinstance(value, str):
                self._constants[self.extra[name]] = value[:_LONGEST]
            else:
                self._readers[self.extra[name]] = value
        told = {source for each in naming.families for source in each.labels.values()}
        for source, reader in ((SCHEME, _scheme), (VERSION, _version)):
            if source in told:
                self._readers[source] = reader
        self.is_read: bool = bool(self._readers)

    def read(self, scope: Scope) -> tuple[str, ...]:
        """Read what differs from request to request."""
        return tuple([_read(*each, scope) for each in self._readers.items()])

    def values(self, method: str, route: str, read: tuple[str, ...]) -> Values:
        """Put together what there is to tell at the beginning of a request."""
        own = dict(zip(self._readers, read, strict=True))
        return {METHOD: method, ROUTE: route, **self._constants, **own}

    def at_the_end(self, values: Values, status: int, outcome: str) -> Values:
        """Add what there is to tell at the end of a request."""
        # An empty label is one that is not there.
        text = "" if status == NO_STATUS else str(status)
        error = text if status >= _SERVER_ERROR else ""
        if outcome == FAILED:
            error = error or OTHER
        elif outcome == CANCELLED:
            error = outcome
        return {**values, STATUS: text, OUTCOME: outcome, ERROR: error}

    def overflow(self, values: Values) -> Values:
        """Tell no more than a client cannot make up: method, status and outcome."""
        return {**values, ROUTE: OVERFLOW, **dict.fromkeys(self._readers, "")}

    def least(self, values: Values) -> Values:
        """Tell no more than that there was a request, and how it ended."""
        told = {**self.overflow(values), METHOD: OTHER, STATUS: ""}
        if ERROR in told and told[ERROR].isdigit():
            told[ERROR] = ""
        return told


def _read(source: str, reader: Callable[[Scope], object], scope: Scope) -> str:
    try:
        return str(reader(scope))[:_LONGEST]
    except Exception:
        # The request is not to fail because it cannot be measured.
        logger.exception("there is no value for the %s", source)
        return ""


def _scheme(scope: Scope) -> str:
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _version(scope: Scope) -> str:
    version = str(scope.get("http_version"))
    return version if version in _VERSIONS else ""
