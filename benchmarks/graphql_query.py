"""The small query that the GraphQL benchmark asks, and its right answer."""

import json
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.cases import AsgiApplication, Case, scope_for
from benchmarks.driver import Server, WrongAnswerError

DOCUMENT: Final = """\
query Hero($id: ID!) {
  hero(id: $id) {
    id
    name
    friends {
      id
      name
    }
  }
}
"""
VARIABLES: Final = {"id": "1000"}
_DATA: Final[Mapping[str, Any]] = {
    "hero": {
        "id": "1000",
        "name": "Luke Skywalker",
        "friends": [
            {"id": "1002", "name": "Han Solo"},
            {"id": "1003", "name": "Leia Organa"},
            {"id": "2001", "name": "R2-D2"},
        ],
    }
}
JSON: Final = [(b"content-type", b"application/json")]


def query_case(target: float | None) -> Case:
    """Make the case in which the document is sent in full."""
    request = {"query": DOCUMENT, "operationName": "Hero", "variables": VARIABLES}
    body = json.dumps(request).encode()
    headers = [*scope_for("/")["headers"], *JSON]
    headers.append((b"content-length", b"%d" % len(body)))
    return Case(
        name="query",
        title="a small query",
        scopes=[scope_for("/graphql", "POST", headers)],
        messages=[{"type": "http.request", "body": body}],
        headers=(("content-type", "application/json"),),
        target=target,
    )


async def verify_data(name: str, application: AsgiApplication, case: Case) -> None:
    """See that the answer is right, however it is spaced."""
    server = Server(case.messages)
    await server.serve(application, case.scopes, 1)
    body = b"".join(message.get("body", b"") for message in server.sent)
    if json.loads(body) != {"data": _DATA}:
        raise WrongAnswerError(f"{name} answers {body!r}")
