"""Wires everything to its path: the table of contents of the board."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from bareasgi import Application, Info, Message, Scope
from bareasgi_cors import add_cors
from bareasgi_graphql import add_graphql
from bareasgi_jinja2 import add_jinja2
from bareasgi_prometheus import add_prometheus
from bareasgi_static import add_static
from board import api, order_form, other, pages, prices, trades
from board.metrics import Metrics
from board.opening import Parts, local_parts, open_board
from board.problems import PREFIX, problems_middleware, unavailable_middleware
from board.schema import make_schema
from board.settings import FOLDER, BoardSettings, Settings
from board.state import KEY, Board


def make_application(settings: Settings) -> Application:
    """Make the board of a single process, with its trades in a file."""
    return build(settings, local_parts(settings))


def build(
    settings: BoardSettings, parts: AbstractAsyncContextManager[Parts]
) -> Application:
    """Make a board on any parts. They are opened at start-up and closed at shutdown.

    The last thing that is added is the outermost: the metrics see every answer, and
    CORS sees every problem.
    """
    app = Application(middlewares=[problems_middleware, unavailable_middleware])
    add_routes(app)
    add_jinja2(app, FOLDER / "templates", context_processors=[pages.links])
    add_static(app, FOLDER / "static", cache_control="no-cache", name="static")
    add_graphql(app, make_schema())

    def may_read(origin: str, scope: Scope) -> bool:
        return origin == settings.other_origin and scope["path"].startswith(PREFIX)

    add_cors(
        app,
        allow_origins=may_read,
        allow_methods={"GET", "POST"},
        allow_headers={"content-type"},
        expose_headers={"location"},
    )
    metrics = Metrics(add_prometheus(app))
    open_at_start(app, open_board(settings, parts, metrics))
    return app


def add_routes(app: Application) -> None:
    """Add what the board answers by itself."""
    route = app.http_router.add
    route({"GET"}, "/", pages.show_board, "board")
    route({"POST"}, "/orders", order_form.take_order, "orders")
    route({"GET"}, "/stocks", pages.show_stocks)
    route({"GET"}, "/trades/recent", pages.show_recent_trades)
    route({"GET"}, "/history", pages.show_history, "history")
    route({"GET"}, "/other", other.show_other, "other")

    route({"GET"}, "/api/stocks", api.list_stocks)
    route({"GET"}, "/api/stocks/{symbol}", api.show_stock)
    route({"GET"}, "/api/prices", api.list_prices)
    route({"GET"}, "/api/trades", api.list_trades)
    route({"POST"}, "/api/orders", api.place_order)
    route({"GET"}, "/api/orders/{key:uuid}", api.show_order)
    route({"DELETE"}, "/api/orders/{key:uuid}", api.cancel_order)

    route({"GET"}, "/prices", prices.stream_prices)
    route({"GET"}, "/trades", trades.stream_trades)
    app.ws_router.add("/trades", trades.send_trades)


def open_at_start(app: Application, board: AbstractAsyncContextManager[Board]) -> None:
    """Open a board before the first request, and close it after the last."""
    stack = AsyncExitStack()

    @app.on_startup
    async def start(scope: Scope, info: Info, message: Message) -> None:
        info[KEY] = await stack.enter_async_context(board)

    @app.on_shutdown
    async def stop(scope: Scope, info: Info, message: Message) -> None:
        await stack.aclose()
