"""Routes WebSockets by path."""

from collections.abc import Sequence
from logging import Logger, getLogger
from typing import Final

from bareasgi.basic_router.path_definition import PathDefinition
from bareasgi.basic_router.route_table import RouteTable
from bareasgi.types import Route, RouteMatches, WebSocketHandler, WebSocketRouter

logger: Final[Logger] = getLogger(__name__)


class BasicWebSocketRouter(WebSocketRouter):
    """The router that an application has unless it is given another one.

    Templates are those of the HTTP router. Of the routes that match a path the one
    added first wins.
    """

    def __init__(self) -> None:
        self._table: RouteTable[WebSocketHandler] = RouteTable()
        self._routes: list[Route] = []

    def add(self, path: str, callback: WebSocketHandler) -> None:
        """Route connections with a matching path to the handler.

        Raises ParseError for a template that cannot be understood, and TypeError for an
        unknown parameter type and for a handler that cannot be called.
        """
        definition = PathDefinition(path)
        if not callable(callback):
            raise TypeError(f"the handler of {path!r} is not callable: {callback!r}")
        route = Route(path, definition.path_format, kind="websocket", handler=callback)
        self._routes.append(route)
        if not self._table.add(definition, route, callback):
            logger.warning("%s is never reached: an earlier route matches it", path)

    def resolve(self, path: str) -> tuple[WebSocketHandler | None, RouteMatches]:
        """Find the handler, or None where there is no route."""
        handler, matches, _ = self.find(path)
        return handler, matches

    def find(
        self, path: str
    ) -> tuple[WebSocketHandler | None, RouteMatches, Route | None]:
        """Find the handler, and the route that matched, or None."""
        found = self._table.find(path)
        if found is None:
            logger.debug("no route for %r", path)
            return None, {}, None
        return found

    @property
    def routes(self) -> Sequence[Route]:
        """The routes in the order they were added."""
        return tuple(self._routes)
