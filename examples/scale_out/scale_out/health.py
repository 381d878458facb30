"""What tells a load balancer, or Kubernetes, how a worker is.

Alive is a process that answers at all; one that does not is to be killed. Ready is one
that should be sent requests. A worker that drains is alive and not ready: to kill it
would cut what it still answers.
"""

from typing import Final, Literal

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    json_response,
)
from board.store import StoreError
from scale_out.opening import Worker

HEADERS: Final[Headers] = [(b"cache-control", b"no-store")]


class Health:
    """Tells how a worker is.

    Attributes:
        state: "draining" from when it is told to end, and "drained" when its streams
            and sockets are gone, so that it may end at any time.
    """

    def __init__(self, worker: Worker) -> None:
        self.state: Literal["serving", "draining", "drained"] = "serving"
        self._worker = worker

    async def show_live(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Answers, which is all there is to say."""
        return json_response(200, HEADERS, {"status": "live"})

    async def show_ready(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Whether requests should be sent here, and if not, why."""
        worker = self._worker
        database = "open"
        try:
            await worker.store.check()
        except StoreError:
            database = "away"
        is_ready = database == "open" and self.state == "serving"
        told = {
            "ready": is_ready,
            "state": self.state,
            "database": database,
            # Pages and trades do without, so this is no reason to send nobody here.
            "prices": "fresh" if worker.store.has_fresh_prices else "old",
            "ticking": worker.ticker.is_ticking,
        }
        return json_response(200 if is_ready else 503, HEADERS, told)

    async def close_connections(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        """Have each connection end with its next answer, once the worker drains.

        Else a proxy would keep some, and the next request on one of them might be on
        its way when the worker ends.
        """
        status, headers, body, pushes = await handler(scope, info, matches, content)
        if self.state != "serving":
            headers = [*headers, (b"connection", b"close")]
        return status, headers, body, pushes


def add_health(app: Application, worker: Worker) -> Health:
    """Add /health/live and /health/ready, and what else there is to draining."""
    health = Health(worker)
    app.middlewares.insert(0, health.close_connections)
    app.http_router.add({"GET"}, "/health/live", health.show_live)
    app.http_router.add({"GET"}, "/health/ready", health.show_ready)
    return health
