"""What the metrics and their labels are called, in each of the ways to call them."""

from dataclasses import dataclass
from typing import Final

METHOD: Final = "method"
ROUTE: Final = "route"
STATUS: Final = "status"
OUTCOME: Final = "outcome"
ERROR: Final = "error"
SCHEME: Final = "scheme"
VERSION: Final = "version"
"""What a label can tell of a request."""

COMPLETE: Final = "complete"
CANCELLED: Final = "cancelled"
FAILED: Final = "error"
"""How a request can end."""

UNMATCHED: Final = "<unmatched>"
OVERFLOW: Final = "<overflow>"
OTHER: Final = "_OTHER"

METHODS: Final = frozenset(
    {
        "CONNECT",
        "DELETE",
        "GET",
        "HEAD",
        "OPTIONS",
        "PATCH",
        "POST",
        "PUT",
        "TRACE",
    }
)
"""The methods of RFC 9110, section 9.3, and RFC 5789. Clients make up any others."""


@dataclass(frozen=True)
class FamilyName:
    """The name of a metric.

    Attributes:
        name: as it is exposed, with its unit.
        documentation: the line of help.
        labels: the names of its labels, each with what it tells.
    """

    name: str
    documentation: str
    labels: dict[str, str]


@dataclass(frozen=True)
class Naming:
    """The names of all metrics. Those that are None are not measured.

    Attributes:
        unmatched: what stands for the route of a request that matches none.
    """

    duration: FamilyName
    in_progress: FamilyName
    count: FamilyName | None = None
    first_byte: FamilyName | None = None
    request_size: FamilyName | None = None
    response_size: FamilyName | None = None
    web_sockets: FamilyName | None = None
    unmatched: str = UNMATCHED

    @property
    def families(self) -> list[FamilyName]:
        """The names of the metrics that there are."""
        everything = [
            self.duration,
            self.in_progress,
            self.count,
            self.first_byte,
            self.request_size,
            self.response_size,
            self.web_sockets,
        ]
        return [each for each in everything if each is not None]


_REQUEST: Final = {"method": METHOD, "route": ROUTE}
_RESPONSE: Final = {**_REQUEST, "status": STATUS}

_OTEL_ACTIVE: Final = {"http_request_method": METHOD, "url_scheme": SCHEME}
_OTEL_RESPONSE: Final = {
    "http_request_method": METHOD,
    "http_route": ROUTE,
    "http_response_status_code": STATUS,
    "url_scheme": SCHEME,
    "network_protocol_version": VERSION,
    "error_type": ERROR,
}

_OLDER_REQUEST: Final = {"method": METHOD, "path": ROUTE}

_WEB_SOCKETS: Final = FamilyName(
    "websockets_open", "WebSockets that are open.", {"route": ROUTE}
)

NAMINGS: Final = {
    "prometheus": Naming(
        count=FamilyName(
            "http_requests_total",
            "Requests that have ended, and how.",
            {**_RESPONSE, "outcome": OUTCOME},
        ),
        duration=FamilyName(
            "http_request_duration_seconds",
            "Time from a request to the last byte of its response.",
            _RESPONSE,
        ),
        first_byte=FamilyName(
            "http_request_first_byte_seconds",
            "Time from a request to the first byte of its response's body.",
            _RESPONSE,
        ),
        in_progress=FamilyName(
            "http_requests_in_progress",
            "Requests whose responses have not ended.",
            _REQUEST,
        ),
        request_size=FamilyName(
            "http_request_size_bytes",
            "Size of requests' bodies, by their content-length.",
            _RESPONSE,
        ),
        response_size=FamilyName(
            "http_response_size_bytes", "Size of responses' bodies as sent.", _RESPONSE
        ),
        web_sockets=_WEB_SOCKETS,
    ),
    # The semantic conventions of OpenTelemetry for HTTP, in the form that its exporter
    # for Prometheus gives them. An empty label is one that is not there.
    "otel": Naming(
        duration=FamilyName(
            "http_server_request_duration_seconds",
            "Duration of HTTP server requests.",
            _OTEL_RESPONSE,
        ),
        in_progress=FamilyName(
            "http_server_active_requests",
            "Number of active HTTP server requests.",
            _OTEL_ACTIVE,
        ),
        request_size=FamilyName(
            "http_server_request_body_size_bytes",
            "Size of HTTP server request bodies.",
            _OTEL_RESPONSE,
        ),
        response_size=FamilyName(
            "http_server_response_body_size_bytes",
            "Size of HTTP server response bodies.",
            _OTEL_RESPONSE,
        ),
        web_sockets=FamilyName(
            "websockets_open", "WebSockets that are open.", {"http_route": ROUTE}
        ),
        unmatched="",
    ),
}
"""The names to choose from."""

OLDER: Final = Naming(
    count=FamilyName(
        "http_requests_total",
        "Requests that have ended.",
        {**_OLDER_REQUEST, "status": STATUS},
    ),
    duration=FamilyName(
        "http_request_duration_seconds",
        "Time from a request to the last byte of its response.",
        _OLDER_REQUEST,
    ),
    in_progress=FamilyName(
        "http_requests_in_progress",
        "Requests whose responses have not ended.",
        _OLDER_REQUEST,
    ),
)
"""The names of the older function, whose labels begin with host and app_name."""
