"""A query whose document the server has: kept, trusted, or by its hash."""

import gc
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bareasgi import Application
from bareasgi_graphql import add_graphql
from benchmarks.cases import AsgiApplication, Message, Receive, Scope, Send
from benchmarks.driver import BASELINE, Plan, Timing, measure, running, verify
from benchmarks.graphql_query import DOCUMENT, VARIABLES, query_case, verify_data
from benchmarks.graphql_schema import Market, core_schema, make_schema

TRUSTED: Final = "trusted, by its id"
_AUTOMATIC: Final = "kept, by its hash"
_HASH: Final = sha256(DOCUMENT.encode()).hexdigest()
_PERSISTED: Final = {"persistedQuery": {"version": 1, "sha256Hash": _HASH}}


async def documents(plan: Plan, runs: int) -> Sequence[Mapping[str, Timing]]:
    """Measure the query with each kind of document, once in each run."""
    kept, trusted, automatic = Application(), Application(), Application()
    schema = core_schema(make_schema(Market()))
    add_graphql(kept, schema)
    add_graphql(automatic, schema, persisted=10)
    with TemporaryDirectory() as folder:
        (Path(folder) / "hero.graphql").write_text(DOCUMENT, "utf-8")
        add_graphql(trusted, schema, documents=folder)
    measured: Mapping[str, AsgiApplication] = {
        BASELINE: _asked(kept, query=DOCUMENT),
        TRUSTED: _asked(trusted, documentId=_HASH),
        _AUTOMATIC: _asked(automatic, extensions=_PERSISTED),
    }
    case = query_case(None)
    async with AsyncExitStack() as stack:
        for application in kept, trusted, automatic:
            await stack.enter_async_context(running(application))
        # From then on its hash is known.
        first = _asked(automatic, query=DOCUMENT, extensions=_PERSISTED)
        for name, asked in (_AUTOMATIC, first), *measured.items():
            await verify(name, asked, case)
            await verify_data(name, asked, case)
        gc.collect()
        gc.freeze()
        timings = [await measure(measured, case, plan) for _ in range(runs)]
    gc.unfreeze()
    return timings


def _asked(application: AsgiApplication, **fields: object) -> AsgiApplication:
    """Give the application this request in place of any other."""
    request = {**fields, "operationName": "Hero", "variables": VARIABLES}
    message: Message = {"type": "http.request", "body": json.dumps(request).encode()}

    async def own() -> Message:
        return message

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        await application(scope, own if is_http else receive, send)

    return asked
