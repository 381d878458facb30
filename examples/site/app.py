"""A site with templates: a list, a form, a fragment for htmx, and a streamed report.

Run it with `python examples/site/app.py` and open http://127.0.0.1:9009/. Another port
is taken from the environment variable PORT.
"""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from bareutils import header
from hypercorn.asyncio import serve
from hypercorn.config import Config
from jinja2 import Environment, FileSystemLoader

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    bytes_writer,
    text_reader,
)
from bareasgi_jinja2 import add_jinja2, template, templates_from

HERE = Path(__file__).parent

# Everything comes from this server, and no text of a page is ever a script.
POLICY = (b"content-security-policy", b"default-src 'self'; base-uri 'none'")
# The list is a whole page or a fragment of it, depending on who asks.
LIST_HEADERS: Headers = [(b"vary", b"hx-request")]

# What never changes is read once, when the program starts.
STATIC = {
    "htmx.min.js": b"text/javascript; charset=utf-8",
    "site.css": b"text/css; charset=utf-8",
}
STATIC_FILES = {
    name: ([(b"content-type", kind)], (HERE / "static" / name).read_bytes())
    for name, kind in STATIC.items()
}

REPORT_ROWS = 2000
ROWS_IN_A_BATCH = 100


@dataclass(frozen=True)
class Book:
    """What the site is about."""

    title: str
    author: str
    year: int


def first_books() -> list[Book]:
    """The books that are there when the program starts."""
    return [
        Book("Middlemarch", "George Eliot", 1871),
        Book("The Trial", "Franz Kafka", 1925),
        Book("Orlando", "Virginia Woolf", 1928),
        Book("Invisible Cities", "Italo Calvino", 1972),
    ]


async def add_policy(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    """A middleware: every answer has the policy."""
    status, headers, body, pushes = await handler(scope, info, matches, content)
    return status, [*headers, POLICY], body, pushes


async def show_static(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The two files that the pages load."""
    found = STATIC_FILES.get(matches["path"])
    if found is None:
        return 404
    headers, data = found
    return 200, headers, bytes_writer(data)


async def go_to_books(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """The site begins with the list."""
    return 307, [(b"location", b"/books")]


async def list_books(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """All books, or those found: the page, or only its rows when htmx asks."""
    query = parse_qs(scope["query_string"].decode("ascii", "replace"))
    wanted = query.get("q", [""])[0]
    found = [
        book
        for book in info["books"]
        if wanted.casefold() in f"{book.title} {book.author}".casefold()
    ]
    is_fragment = header.find(b"hx-request", scope["headers"]) == b"true"
    return await templates_from(info).render(
        "books.html",
        {"books": found, "wanted": wanted},
        headers=LIST_HEADERS,
        block="rows" if is_fragment else None,
    )


@template("new_book.html")
async def show_form(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> Mapping[str, Any]:
    """The form. A handler with a template returns the template's variables."""
    return {"sent": {}, "problems": {}}


async def add_book(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Takes the form: back to the list, or the form again with what is wrong in it."""
    try:
        fields = parse_qs(await text_reader(content, max_bytes=10_000))
    except UnicodeDecodeError:
        return 400
    sent = {name: values[0].strip() for name, values in fields.items()}
    problems = {
        name: "Please fill this in."
        for name in ("title", "author")
        if not sent.get(name)
    }
    year = sent.get("year", "")
    if not re.fullmatch("[0-9]{1,4}", year):
        problems["year"] = "A year is a number of up to four digits."
    if problems:
        return await templates_from(info).render(
            "new_book.html",
            {"sent": sent, "problems": problems},
            status=422,
        )
    info["books"].append(Book(sent["title"], sent["author"], int(year)))
    # The browser fetches the list, and reloading it does not send the form again.
    return 303, [(b"location", b"/books")]


async def report_rows() -> AsyncIterator[int]:
    """The rows of the report, as slowly as a database might give them."""
    for number in range(REPORT_ROWS):
        if number % ROWS_IN_A_BATCH == 0:
            await asyncio.sleep(0.1)
        yield number


async def show_report(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """A long page, whose head is at the reader's before the first row is known."""
    variables = {"rows": report_rows(), "count": REPORT_ROWS}
    return await templates_from(info).stream("report.html", variables)


def make_application() -> Application:
    """Wires the handlers to their paths, and the templates to the application."""
    app = Application(middlewares=[add_policy], info={"books": first_books()})
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        # Templates may wait: the report does.
        enable_async=True,
    )
    add_jinja2(app, environment)

    route = app.http_router.add
    route({"GET"}, "/", go_to_books)
    route({"GET"}, "/books", list_books, "books")
    route({"POST"}, "/books", add_book)
    route({"GET"}, "/books/new", show_form, "new_book")
    route({"GET"}, "/report", show_report, "report")
    route({"GET"}, "/static/{path:path}", show_static, "static")
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    config = Config()
    config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9009')}"]
    await serve(make_application(), config, shutdown_trigger=stopping.wait)


if __name__ == "__main__":
    asyncio.run(main())
