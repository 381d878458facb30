"""The form that orders are sent with: by htmx, or by any browser as it is."""

from typing import Final
from urllib.parse import parse_qs
from uuid import uuid4

from bareutils import header

from bareasgi import (
    Content,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    same_origin,
    text_reader,
)
from bareasgi_jinja2 import templates_from
from board.orders import FIELDS, OrderError, order_from_form
from board.pages import HEADERS, board_variables, is_fragment
from board.state import board_from
from board.words import result_of

LARGEST_FORM: Final = 10_000
"""Bytes. An order has far less than a thousand."""

MOST_FIELDS: Final = 20
FORM: Final = b"application/x-www-form-urlencoded"


async def take_order(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Takes the form. htmx gets the form again, and a plain browser the page.

    The form that comes back has a new key, unless something was wrong with this one.
    """
    board = board_from(info)
    form = await _read_form(scope, content)
    try:
        order = order_from_form(form, board.market.quotes)
        placed, is_new = await board.exchange.place(order)
    except OrderError as error:
        if "key" in error.problems or not form["key"]:
            form["key"] = str(uuid4())
        variables = await board_variables(board, form=form, errors=error.problems)
        return await templates_from(info).render(
            "board.html",
            variables,
            status=422,
            headers=HEADERS,
            block="order_form" if is_fragment(scope) else None,
        )
    board.metrics.count(placed, is_new=is_new)
    if not is_fragment(scope):
        # The browser fetches the page, and reloading it does not send the form again.
        return 303, [(b"location", f"/?placed={order.key}".encode())]
    form |= {"key": str(uuid4()), "limit": ""}
    variables = await board_variables(board, form=form, result=result_of(placed))
    return await templates_from(info).render(
        "board.html", variables, headers=HEADERS, block="order_form"
    )


async def _read_form(scope: Scope, content: Content) -> dict[str, str]:
    """Read the fields of a form; those that are missing are empty.

    Raises HttpError. A page of another origin may send a form without being asked, with
    all that this browser knows, so whoever takes forms has to look at the origin.
    """
    if not same_origin(scope):
        raise HttpError(403, "This form was sent by a page of another origin.")
    content_type = header.find(b"content-type", scope["headers"]) or b""
    if content_type.partition(b";")[0].strip().lower() != FORM:
        raise HttpError(415, f"Send the form as {FORM.decode()}.")
    try:
        text = await text_reader(content, max_bytes=LARGEST_FORM)
        sent = parse_qs(text, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HttpError(400, "This is no form in UTF-8.") from None
    return {name: sent.get(name, [""])[0].strip() for name in FIELDS}
