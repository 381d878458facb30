"""One module a contender, each with an application for every case it can do."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from benchmarks.cases import AsgiApplication

MODULES: Final[Mapping[str, str]] = {
    "hand-written": "hand_written",
    "bareASGI": "bareasgi_app",
    "Starlette": "starlette_app",
    "FastAPI": "fastapi_app",
    "Falcon": "falcon_app",
    "BlackSheep": "blacksheep_app",
    "Litestar": "litestar_app",
    "Muffin": "muffin_app",
    "Quart": "quart_app",
    "Sanic": "sanic_app",
}
"""The contenders, as they are called on the page, with the baseline first."""

DISTRIBUTIONS: Final[Mapping[str, str]] = {
    name: name.lower() for name in MODULES if name != "hand-written"
}
"""What is installed for each of them."""

_WAITS: Final = "a stream of it ends when the server says that the client has left"

LACKS: Final[Mapping[str, Mapping[str, str]]] = {
    "Litestar": {"stream": _WAITS, "ticks": _WAITS, "many_chunks": _WAITS},
    "Quart": {"echoes": "it drops the messages that still wait when the client leaves"},
    "Sanic": {"not_found": "its answer has no content-length"},
}
"""The cases that a contender cannot do in process, and why."""


def module(name: str) -> Any:
    """Import a contender, and nothing of the others.

    Beside `applications` it has `with_routes` and `with_middlewares`, which make the
    applications of two cases in any size.
    """
    return import_module(f"benchmarks.contenders.{MODULES[name]}")


def applications(name: str) -> Mapping[str, AsgiApplication]:
    """Make a contender's applications, by the names of the cases."""
    made: Mapping[str, AsgiApplication] = module(name).applications()
    return made
