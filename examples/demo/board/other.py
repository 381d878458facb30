"""The page for another origin, which asks for the prices in two ways.

The program is reached at two ports. To a browser each is an origin of its own, so a
page of the second may read what the first answers only if the answer says so (CORS). A
server that asks needs nobody's leave.
"""

from collections.abc import Sequence

from bareasgi import Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi_jinja2 import templates_from
from bareclient import Client, ClientError
from board.pages import page_headers
from board.state import board_from
from board.views import StockView


async def show_other(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The page: what a server may read, and a script that tries it in a browser."""
    board = board_from(info)
    settings = board.settings
    stocks: Sequence[StockView] | None = None
    problem = ""
    try:
        stocks = await read_stocks(board.client)
    except ClientError as error:
        problem = f"The server got no answer: {error}"
    variables = {
        "api_origin": settings.origin,
        "allowed_origin": settings.other_origin,
        "refused_origin": settings.refused_origin,
        "symbol": next(iter(board.market.quotes)),
        "stocks": stocks,
        "problem": problem,
    }
    headers = page_headers(settings.origin)
    return await templates_from(info).render("other.html", variables, headers=headers)


async def read_stocks(client: Client) -> Sequence[StockView]:
    """Ask the API for the stocks, over HTTP. Raises ClientError."""
    async with client.request("GET", "/api/stocks") as response:
        response.raise_for_status()
        stocks: Sequence[StockView] = await response.json()
        return stocks
