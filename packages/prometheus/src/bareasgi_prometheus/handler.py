"""Serves what a registry holds, in the form that the client likes best."""

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from bareasgi import (
    Content,
    Header,
    HttpHandler,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
)
from bareasgi.negotiation import accepted_coding, accepted_media_type
from bareasgi_prometheus.exposition import (
    OPENMETRICS,
    TEXT,
    openmetrics_lines,
    text_lines,
)
from bareasgi_prometheus.pieces import at_once, in_slices
from bareasgi_prometheus.processes import remove_dead_gauges, shared_folder

_Writer: TypeAlias = Callable[[Iterable[Metric], Container[str] | None], Iterator[str]]

# Prometheus 3 asks for names as they are. Ours need no escaping, and others get it.
_OFFERED: Final = {
    TEXT: TEXT,
    OPENMETRICS: OPENMETRICS,
    OPENMETRICS + b"; escaping=allow-utf-8": OPENMETRICS + b"; escaping=underscores",
}

_PIECE: Final = 65536
"""What is larger is sent in pieces of so many bytes."""


def metrics_handler(registry: CollectorRegistry) -> HttpHandler:
    """Make the handler that serves a registry, for GET and HEAD.

    The format is OpenMetrics 1.0 if the client prefers it, and else the text format;
    both are compressed with gzip where that is accepted. `name[]` in the query, which
    may be repeated, leaves only samples of these names.

    It is made in slices of less than a millisecond, with other requests in between, so
    samples may be from different moments; those of one label set are not. Collectors of
    the application's own are asked for one whole metric at a time.

    Where PROMETHEUS_MULTIPROC_DIR is set it is made in a thread, of what all processes
    have measured, and the registry is not looked at.
    """
    folder = shared_folder()

    async def serve(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        headers = scope["headers"]
        # Whoever accepts neither gets the one that can be read without a program.
        chosen = accepted_media_type(headers, [*_OFFERED]) or TEXT
        is_gzip = accepted_coding(headers, [b"gzip", b"identity"]) == b"gzip"
        write = text_lines if chosen == TEXT else openmetrics_lines
        names = _names(scope)
        if folder is None:
            lines = write(registry.collect(), names)
            data = await in_slices(lines, is_gzip=is_gzip)
        else:
            data = await asyncio.to_thread(
                _shared, folder, write, names, is_gzip=is_gzip
            )
        answer: list[Header] = [
            (b"content-type", _OFFERED[chosen]),
            (b"content-length", b"%d" % len(data)),
            (b"cache-control", b"no-store"),
            (b"vary", b"accept, accept-encoding"),
        ]
        if is_gzip:
            answer.append((b"content-encoding", b"gzip"))
        size = -1 if len(data) <= _PIECE else _PIECE
        return 200, answer, bytes_writer(data, size)

    return serve


def _names(scope: Scope) -> frozenset[str] | None:
    """Read the names of the samples that are wanted, or None for all of them."""
    query = parse_qs(scope["query_string"].decode("ascii", "replace"))
    return frozenset(query["name[]"]) if "name[]" in query else None


def _shared(
    folder: Path, write: _Writer, names: Container[str] | None, *, is_gzip: bool
) -> bytes:
    """Put together what all processes have measured, in a thread."""
    remove_dead_gauges(folder)
    registry = CollectorRegistry()
    # Its parameters have no types.
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return at_once(write(registry.collect(), names), is_gzip=is_gzip)
