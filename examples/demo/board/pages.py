"""The pages, and the parts of them that htmx swaps in place."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from bareutils import header

from bareasgi import (
    Content,
    Headers,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi_jinja2 import templates_from
from board.orders import parse_key
from board.query import number_parameter, text_parameter
from board.state import Board, board_from
from board.views import stock_view, trade_view
from board.words import result_of

ROWS: Final = 50
"""How many trades a page shows."""


def page_headers(*connect_to: str) -> Headers:
    """Make the headers of a page, whose scripts may connect to this server and others.

    Whatever is not named is refused by the browser: no text that found its way into a
    page can be a script, and nothing is loaded from elsewhere.
    """
    policy = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            " ".join(["connect-src 'self'", *connect_to]),
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        # Forms have keys that are used once: "Back" must not show an old one.
        (b"cache-control", b"no-store"),
        # Either a whole page or a part of it, depending on who asks.
        (b"vary", b"hx-request"),
    ]


HEADERS: Final = page_headers()


async def show_board(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The board. After an order by a plain form, what became of it: ?placed=KEY."""
    board = board_from(info)
    key = parse_key(text_parameter(scope, "placed"))
    placed = None if key is None else await board.store.order(key)
    result = None if placed is None else result_of(placed)
    variables = await board_variables(board, result=result)
    return await templates_from(info).render("board.html", variables, headers=HEADERS)


async def show_stocks(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The rows of the stocks alone."""
    quotes = board_from(info).market.quotes.values()
    variables = {"stocks": [stock_view(quote) for quote in quotes]}
    return await templates_from(info).render(
        "board.html", variables, headers=HEADERS, block="stocks"
    )


async def show_recent_trades(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The rows of the last trades alone."""
    trades = await board_from(info).store.trades_before(None, ROWS)
    variables = {"trades": [trade_view(trade) for trade in trades]}
    return await templates_from(info).render(
        "board.html", variables, headers=HEADERS, block="trades"
    )


async def show_history(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """All trades, some on each page: ?before=NUMBER&symbol=SYMBOL."""
    board = board_from(info)
    before = number_parameter(scope, "before", 0) or None
    symbol = text_parameter(scope, "symbol")
    # One more than is shown tells whether there are older ones.
    found = await board.store.trades_before(before, ROWS + 1, symbol or None)
    trades = found[:ROWS]
    variables = {
        "trades": [trade_view(trade) for trade in trades],
        "symbols": [*board.market.quotes],
        "symbol": symbol,
        "older": trades[-1].number if len(found) > ROWS else None,
    }
    return await templates_from(info).render(
        "history.html",
        variables,
        headers=HEADERS,
        block="rows" if is_fragment(scope) else None,
    )


async def board_variables(
    board: Board,
    *,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    result: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """What the template of the board needs."""
    quotes = board.market.quotes
    trades = await board.store.trades_before(None, ROWS)
    first_form = {
        "key": str(uuid4()),
        "side": "buy",
        "symbol": next(iter(quotes)),
        "quantity": "10",
        "limit": "",
    }
    return {
        "stocks": [stock_view(quote) for quote in quotes.values()],
        "trades": [trade_view(trade) for trade in trades],
        "last_number": trades[0].number if trades else 0,
        "form": form or first_form,
        "errors": errors or {},
        "result": result,
    }


def links(scope: Scope, info: Info, matches: RouteMatches) -> Mapping[str, Any]:
    """What all pages know: a context processor."""
    return {"other_origin": board_from(info).settings.other_origin}


def is_fragment(scope: Scope) -> bool:
    """Tell whether htmx asks, for a part of a page."""
    asks = header.find(b"hx-request", scope["headers"]) == b"true"
    # It asks for a whole page to go back to one that it has forgotten.
    goes_back = header.find(b"hx-history-restore-request", scope["headers"]) == b"true"
    return asks and not goes_back
