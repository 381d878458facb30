"""The board on the parts of a worker."""

from contextlib import nullcontext

from bareasgi import Application
from board.application import build
from board.opening import Parts
from scale_out.opening import Worker
from scale_out.settings import Settings
from scale_out.stale_prices import stale_prices_middleware


def make_application(settings: Settings, worker: Worker) -> Application:
    """Make the board of the demo: pages, API, streams and all, on other parts."""
    parts = Parts(worker.store, worker.ticks, worker.bell)
    app = build(settings, nullcontext(parts))
    app.middlewares.append(stale_prices_middleware(settings.stale_seconds))
    return app
