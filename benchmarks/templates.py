"""A page with a table of a hundred rows: `python -m benchmarks.templates [quick]`.

Three contenders make the same page from the same environment: an application written by
hand that calls `template.render`, encodes and sends, bareASGI with bareasgi-jinja2, and
Starlette's `TemplateResponse`. They run as those of the other benchmarks do. Of three
runs the worst counts. The exit status is 1 when a target was missed. A package that is
missing, or a wrong answer, ends the run.
"""

import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from bareasgi import Application, Content, Info, RouteMatches
from bareasgi import Scope as BareScope
from bareasgi_jinja2 import add_jinja2
from benchmarks.cases import (
    AsgiApplication,
    Case,
    Receive,
    Scope,
    Send,
    scope_for,
)
from benchmarks.driver import (
    BASELINE,
    FULL,
    QUICK,
    Plan,
    Timing,
    measure,
    running,
    table,
    verify,
)
from benchmarks.report import OURS, Report, at_most

TARGET: Final = 1.05
"""The highest ratio to the application that only renders, encodes and sends."""

PEER: Final = "Starlette"
PEER_TARGET: Final = 1.03
"""The highest ratio to Starlette."""

_SOURCES: Final = {
    "layout.html": """\
<!DOCTYPE html>
<html lang="en">
<head><title>{% block title %}{% endblock %}</title></head>
<body>{% block body %}{% endblock %}</body>
</html>
""",
    "table.html": """\
{% extends "layout.html" %}
{% block title %}{{ title }}{% endblock %}
{% block body %}
<h1>{{ title }}</h1>
<table>
{% for row in rows %}
<tr><td>{{ row.id }}</td><td>{{ row.name }}</td><td>{{ row.place }}</td></tr>
{% endfor %}
</table>
{% endblock %}
""",
}

# Everything is escaped, and some of it needs to be.
_VARIABLES: Final[Mapping[str, Any]] = {
    "title": "Ships & harbours",
    "rows": [
        {"id": number, "name": f"<Ship {number}>", "place": "København"}
        for number in range(100)
    ],
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report("templates", arguments, ["bareasgi-jinja2", "jinja2", "starlette"])
    plan = QUICK if report.is_quick else FULL
    runs = asyncio.run(_measure(plan, report.runs))
    by_hand = [run[OURS].ratio for run in runs]
    beside_peer = [run[OURS].ratio / run[PEER].ratio for run in runs]
    targets = [
        at_most(f"ratio to {BASELINE}", by_hand, TARGET),
        at_most(f"ratio to {PEER}", beside_peer, PEER_TARGET),
    ]
    report.add(table("a page with a table of 100 rows", runs, targets))
    return report.finish()


async def _measure(plan: Plan, times: int) -> Sequence[Mapping[str, Timing]]:
    """Measure all contenders, once in each run."""
    environment = Environment(
        loader=DictLoader(_SOURCES), autoescape=True, auto_reload=False
    )
    page = environment.get_template("table.html").render(_VARIABLES)
    case = Case(
        name="table",
        title="a page with a table of 100 rows",
        scopes=[scope_for("/table")],
        body=page.encode(),
        headers=(("content-type", "text/html; charset=utf-8"),),
        target=TARGET,
    )
    contenders: Mapping[str, AsgiApplication] = {
        BASELINE: _by_hand(environment),
        OURS: _ours(environment),
        PEER: _starlette(environment),
    }
    async with AsyncExitStack() as stack:
        for name, application in contenders.items():
            await stack.enter_async_context(running(application))
            await verify(name, application, case)
        gc.collect()
        gc.freeze()
        return [await measure(contenders, case, plan) for _ in range(times)]


def _by_hand(environment: Environment) -> AsgiApplication:
    template = environment.get_template("table.html")

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        body = template.render(_VARIABLES).encode()
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def _ours(environment: Environment) -> AsgiApplication:
    application = Application()
    templates = add_jinja2(application, environment)

    @application.on_http_request({"GET"}, "/table")
    @templates.template("table.html")
    async def table(
        scope: BareScope, info: Info, matches: RouteMatches, content: Content
    ) -> Mapping[str, Any]:
        return _VARIABLES

    return application


def _starlette(environment: Environment) -> AsgiApplication:
    templates = Jinja2Templates(env=environment)

    async def table(request: Request) -> Response:
        return templates.TemplateResponse(request, "table.html", dict(_VARIABLES))

    return Starlette(routes=[Route("/table", table)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
