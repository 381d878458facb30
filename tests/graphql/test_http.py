"""GraphQL over HTTP, section by section, and what else one path serves."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema, build_schema

from bareasgi import Application, Header, HttpError, Info, RouteMatches, Scope
from bareasgi.testing import http_request
from bareasgi_graphql import Limits, add_graphql, graphql_handler

JSON = b"application/json"
MODERN = b"application/graphql-response+json"
STREAM = b"text/event-stream"
BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
SDL = """
type Query {
  hello(name: String = "World"): String!
  who: String
  nothing: String!
  refused: String
  broken: String
  slow: Int
}

type Mutation {
  add(number: Int!): Int!
}

type Subscription {
  count(to: Int!): Int!
}
"""


def make_schema() -> GraphQLSchema:
    schema = build_schema(SDL)
    total = 0

    def refused(source: object, info: GraphQLResolveInfo) -> None:
        raise GraphQLError("not today", extensions={"code": "CLOSED"})

    def broken(source: object, info: GraphQLResolveInfo) -> None:
        raise ValueError("hunter2")

    async def slow(source: object, info: GraphQLResolveInfo) -> int:
        await asyncio.sleep(60)
        return 1

    def add(source: object, info: GraphQLResolveInfo, number: int) -> int:
        nonlocal total
        total += number
        return total

    async def count(
        source: object, info: GraphQLResolveInfo, to: int
    ) -> AsyncIterator[dict[str, int]]:
        for number in range(to):
            yield {"count": number}

    fields = schema.type_map["Query"].fields  # type: ignore[attr-defined]
    fields["hello"].resolve = lambda source, info, name: f"Hello, {name}!"
    fields["who"].resolve = lambda source, info: info.context["name"]
    fields["refused"].resolve = refused
    fields["broken"].resolve = broken
    fields["slow"].resolve = slow
    fields = schema.type_map["Mutation"].fields  # type: ignore[attr-defined]
    fields["add"].resolve = add
    fields = schema.type_map["Subscription"].fields  # type: ignore[attr-defined]
    fields["count"].subscribe = count
    return schema


def make_app(**options: Any) -> Application:
    app = Application(info={"name": "Ada"})
    add_graphql(app, make_schema(), **options)
    return app


class Answer:
    """A response, with its body read as JSON."""

    def __init__(self, status: int, headers: list[Header], body: bytes) -> None:
        self.status = status
        self.headers = dict(headers)
        self.body = body

    @property
    def type(self) -> bytes:
        return self.headers[b"content-type"].partition(b";")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.json["errors"]]


async def ask(
    app: Application,
    method: str,
    path: str = "/graphql",
    *,
    body: bytes = b"",
    **headers: bytes,
) -> Answer:
    fields = [
        (name.replace("_", "-").encode(), value) for name, value in headers.items()
    ]
    response = await http_request(app, method, path, headers=fields, content=body)
    return Answer(response.status, list(response.headers), response.body)


async def post(
    app: Application, query: object, accept: bytes | None = JSON, **parameters: Any
) -> Answer:
    fields = {} if accept is None else {"accept": accept}
    body = json.dumps({"query": query, **parameters}).encode()
    return await ask(app, "POST", content_type=JSON, body=body, **fields)


async def get(app: Application, accept: bytes = JSON, **parameters: str) -> Answer:
    return await ask(app, "GET", f"/graphql?{urlencode(parameters)}", accept=accept)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        (b"*/*", JSON),
        (b"application/*", JSON),
        (JSON, JSON),
        (b"APPLICATION/JSON", JSON),
        (b"application/json; charset=utf-8", JSON),
        (MODERN, MODERN),
        (MODERN + b"; charset=utf-8, application/json", MODERN),
        (MODERN + b", application/json", MODERN),
        (b"application/json, " + MODERN, JSON),
        (b"application/json;q=0.5, " + MODERN, MODERN),
        (MODERN + b";q=0.5, application/json", JSON),
        (MODERN + b", */*;q=0.1", MODERN),
        (b"text/html, application/json;q=0.1", JSON),
        (b"text/event-stream, application/json;q=0.1", JSON),
        (b"x/y, " * 100 + MODERN, MODERN),
    ],
)
async def test_a_query_is_answered_in_the_type_that_the_client_likes_best(
    accept: bytes | None, expected: bytes
) -> None:
    answer = await post(make_app(graphiql=False), "{ hello }", accept)
    assert (answer.status, answer.type) == (200, expected)
    assert answer.headers[b"content-type"].endswith(b"; charset=utf-8")
    assert answer.json == {"data": {"hello": "Hello, World!"}}


@pytest.mark.parametrize(
    "accept", [b"text/html", b"image/*", b"*/*;q=0", b"text/*;q=0"]
)
async def test_nothing_is_run_for_a_client_that_accepts_no_answer(
    accept: bytes,
) -> None:
    app = make_app()
    answer = await post(app, "mutation { add(number: 1) }", accept)
    assert (answer.status, answer.type) == (406, JSON)
    assert "application/json" in answer.messages[0]
    answer = await post(app, "mutation { add(number: 0) }")
    assert answer.json == {"data": {"add": 0}}


async def test_variables_and_an_operation_of_several_are_taken() -> None:
    app = make_app()
    query = "query A { hello } query B($name: String) { hello(name: $name) }"
    answer = await post(app, query, variables={"name": "Bo"}, operationName="B")
    assert answer.json == {"data": {"hello": "Hello, Bo!"}}
    answer = await get(
        app, query=query, variables='{"name": "Cy"}', operationName="B", extensions=""
    )
    assert answer.json == {"data": {"hello": "Hello, Cy!"}}


async def test_a_document_is_taken_as_it_is() -> None:
    answer = await ask(
        make_app(),
        "POST",
        content_type=b"Application/GraphQL; charset=UTF-8",
        body='{ hello(name: "Zoë") }'.encode(),
    )
    assert answer.json == {"data": {"hello": "Hello, Zoë!"}}


async def test_a_query_may_be_asked_for_its_header_alone() -> None:
    answer = await ask(make_app(), "HEAD", "/graphql?query={hello}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers[b"content-length"] == b"36"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", [JSON, MODERN, STREAM])
async def test_a_mutation_is_not_run_by_a_link(method: str, accept: bytes) -> None:
    app = make_app()
    path = "/graphql?query=mutation{add(number:1)}"
    answer = await ask(app, method, path, accept=accept)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")
    assert (await post(app, "mutation { add(number: 0) }")).json["data"] == {"add": 0}


NO_TYPE = pytest.param({}, id="none")
FORMS = [
    NO_TYPE,
    *(
        pytest.param({"content_type": each}, id=each.decode())
        for each in (
            b"text/plain",
            b"text/plain; charset=utf-8; application/json",
            b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=x",
            b"application/json; charset=utf-16",
            b"application/json-patch+json",
            b"json",
            b"",
        )
    ),
]


@pytest.mark.parametrize("headers", FORMS)
async def test_a_type_that_a_foreign_page_may_send_is_refused(
    headers: dict[str, bytes],
) -> None:
    body = b'{"query": "mutation { add(number: 1) }"}'
    answer = await ask(make_app(), "POST", body=body, **headers)
    assert (answer.status, answer.type) == (415, JSON)


async def test_two_content_types_are_none() -> None:
    response = await http_request(
        make_app(),
        "POST",
        "/graphql",
        headers=[(b"content-type", JSON), (b"content-type", b"text/plain")],
        content=b'{"query": "{ hello }"}',
    )
    assert response.status == 415


@pytest.mark.parametrize("accept", [JSON, MODERN, STREAM])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NONSENSE",
        b'{"query":',
        b"null",
        b"[]",
        b'["{ hello }"]',
        b'"{ hello }"',
        b"{}",
        b'{"qeury": "{ hello }"}',
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": ["{ hello }"]}',
        b'{"query": "{ hello }", "variables": [7]}',
        b'{"query": "{ hello }", "variables": "{}"}',
        b'{"query": "{ hello }", "operationName": 1}',
        b'{"query": "{ hello }", "extensions": []}',
        b'{"query": "{ hello \xff }"}',
        b'\xff\xfe{\x00"\x00',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_request_is_a_400(body: bytes, accept: bytes) -> None:
    answer = await ask(make_app(), "POST", content_type=JSON, accept=accept, body=body)
    assert answer.status == 400
    assert answer.type == (JSON if accept == STREAM else accept)
    assert answer.json.keys() == {"errors"}


@pytest.mark.parametrize(
    "query_string",
    [
        "",
        "query=",
        "query=a&query=b",
        "query={hello}&variables=[1]",
        "query={hello}&variables={",
        "query={hello}&extensions=1",
        "query=%ff",
        "&".join(f"a{number}=1" for number in range(200)),
    ],
)
async def test_a_query_string_that_is_no_request_is_a_400(query_string: str) -> None:
    answer = await ask(make_app(), "GET", f"/graphql?{query_string}", accept=MODERN)
    assert (answer.status, answer.type) == (400, MODERN)


INVALID = [
    pytest.param("{", {}, id="no document"),
    pytest.param("{ helo }", {}, id="not valid"),
    pytest.param("{ hello } { who }", {}, id="not valid either"),
    pytest.param("fragment A on Query { hello }", {}, id="nothing to run"),
    pytest.param("query A { hello }", {"operationName": "B"}, id="unknown operation"),
    pytest.param("query A { hello } query B { who }", {}, id="which operation"),
    pytest.param(
        "query ($name: String) { hello(name: $name) }",
        {"variables": {"name": 1}},
        id="wrong variables",
    ),
    pytest.param(
        "mutation ($number: Int!) { add(number: $number) }", {}, id="no variables"
    ),
]


@pytest.mark.parametrize(("query", "parameters"), INVALID)
async def test_an_operation_that_cannot_be_run_is_a_400_only_in_the_modern_type(
    query: str, parameters: dict[str, Any]
) -> None:
    app = make_app()
    answer = await post(app, query, MODERN, **parameters)
    assert (answer.status, answer.type) == (400, MODERN)
    assert answer.json.keys() == {"errors"}
    answer = await post(app, query, JSON, **parameters)
    assert (answer.status, answer.type) == (200, JSON)
    assert answer.json.keys() == {"errors"}
    answer = await post(app, query, STREAM, **parameters)
    assert (answer.status, answer.type) == (200, STREAM)
    assert b'"errors"' in answer.body
    assert b"event: complete" in answer.body


@pytest.mark.parametrize(("query", "parameters"), INVALID)
async def test_the_newer_draft_has_a_status_for_what_is_not_valid(
    query: str, parameters: dict[str, Any]
) -> None:
    app = make_app(http_status="2026")
    answer = await post(app, query, MODERN, **parameters)
    assert answer.status == (400 if query == "{" else 422)
    assert (await post(app, query, JSON, **parameters)).status == 200


async def test_the_newer_draft_has_a_status_for_half_an_answer() -> None:
    app = make_app(http_status="2026")
    assert (await post(app, "{ hello refused }", MODERN)).status == 294
    assert (await post(app, "{ nothing }", MODERN)).status == 294
    assert (await post(app, "{ hello }", MODERN)).status == 200
    assert (await post(app, "{ hello refused }", JSON)).status == 200


async def test_errors_of_fields_are_part_of_the_answer() -> None:
    answer = await post(make_app(), "{ hello refused broken }", MODERN)
    assert answer.status == 200
    assert answer.json == {
        "data": {"hello": "Hello, World!", "refused": None, "broken": None},
        "errors": [
            {
                "message": "not today",
                "locations": [{"line": 1, "column": 9}],
                "path": ["refused"],
                "extensions": {"code": "CLOSED"},
            },
            {
                "message": "Internal Server Error",
                "locations": [{"line": 1, "column": 17}],
                "path": ["broken"],
            },
        ],
    }


async def test_no_data_at_all_is_still_an_answer() -> None:
    answer = await post(make_app(), "{ nothing }", MODERN)
    assert (answer.status, answer.json["data"]) == (200, None)
    assert answer.messages == ["Internal Server Error"]


async def test_a_query_that_takes_too_long_is_ended() -> None:
    answer = await post(make_app(limits=Limits(query_timeout=0.01)), "{ slow }")
    assert (answer.status, answer.json.keys()) == (400, {"errors"})
    assert "0.01 seconds" in answer.messages[0]


async def test_a_body_that_is_too_long_is_a_413() -> None:
    app = make_app(limits=Limits(body=1000))
    assert (await post(app, "{ hello }" + " " * 1000)).status == 413
    assert (await post(app, "{ hello }", MODERN)).status == 200


async def test_a_schema_without_mutations_has_none() -> None:
    app = Application()
    add_graphql(app, build_schema("type Query { a: Int }"))
    answer = await post(app, "mutation { a }", MODERN)
    assert (answer.status, answer.json.keys()) == (400, {"errors"})


async def test_a_query_string_that_is_too_long_is_a_414() -> None:
    answer = await get(make_app(), query="{ hello }", extensions=" " * 1024 * 1024)
    assert (answer.status, answer.json.keys()) == (414, {"errors"})


async def test_a_result_that_is_nested_too_deeply_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    app = Application()
    schema = build_schema("scalar Json type Query { deep: Json }")
    add_graphql(app, schema, root_value={"deep": value})
    answer = await post(app, "{ deep }")
    assert (answer.status, answer.json.keys()) == (400, {"errors"})


async def test_a_batch_is_off_unless_it_is_wanted() -> None:
    body = json.dumps([{"query": "{ hello }"}]).encode()
    answer = await ask(make_app(), "POST", content_type=JSON, body=body)
    assert answer.status == 400


async def test_a_batch_is_run_in_order_and_each_has_its_result() -> None:
    queries = [
        "mutation { add(number: 1) }",
        "mutation { add(number: 2) }",
        "{ helo }",
        "subscription { count(to: 1) }",
        "{ refused }",
    ]
    body = json.dumps([{"query": query} for query in queries]).encode()
    app = make_app(batch=5)
    answer = await ask(app, "POST", content_type=JSON, accept=MODERN, body=body)
    assert (answer.status, answer.type) == (200, MODERN)
    first, second, *others = answer.json
    assert (first, second) == ({"data": {"add": 1}}, {"data": {"add": 3}})
    assert [each.keys() for each in others] == [
        {"errors"},
        {"errors"},
        {"data", "errors"},
    ]
    assert (await post(app, "{ hello }")).json["data"] == {"hello": "Hello, World!"}


@pytest.mark.parametrize("count", [0, 3])
async def test_a_batch_has_a_size(count: int) -> None:
    body = json.dumps([{"query": "{ hello }"}] * count).encode()
    answer = await ask(make_app(batch=2), "POST", content_type=JSON, body=body)
    assert (answer.status, answer.messages) == (
        400,
        ["A batch has from 1 to 2 operations"],
    )


async def test_a_batch_with_something_wrong_in_it_is_not_run() -> None:
    app = make_app(batch=2)
    body = b'[{"query": "mutation { add(number: 1) }"}, 1]'
    assert (await ask(app, "POST", content_type=JSON, body=body)).status == 400
    assert (await post(app, "mutation { add(number: 0) }")).json["data"] == {"add": 0}


async def test_a_batch_is_not_streamed() -> None:
    body = b'[{"query": "{ hello }"}]'
    app = make_app(batch=2)
    answer = await ask(app, "POST", content_type=JSON, accept=STREAM, body=body)
    assert answer.status == 406


async def test_a_batch_is_not_for_a_reserved_event_stream() -> None:
    app = make_app(batch=2)
    token = (await ask(app, "PUT")).body
    answer = await ask(
        app,
        "POST",
        content_type=JSON,
        accept=JSON,
        x_graphql_event_stream_token=token,
        body=b'[{"query": "{ hello }"}]',
    )
    assert (answer.status, answer.json.keys()) == (400, {"errors"})


@pytest.mark.parametrize(
    "accept", [STREAM, b"*/*", b"application/json, text/event-stream"]
)
async def test_a_subscription_is_streamed(accept: bytes) -> None:
    answer = await post(make_app(), "subscription { count(to: 2) }", accept)
    assert (answer.status, answer.type) == (200, STREAM)
    assert answer.body.count(b"event: next") == 2


async def test_a_subscription_has_no_answer_in_one_piece() -> None:
    answer = await post(make_app(), "subscription { count(to: 2) }", JSON)
    assert (answer.status, answer.type) == (406, JSON)
    assert "text/event-stream" in answer.messages[0]


async def test_without_subscriptions_nothing_is_streamed() -> None:
    app = make_app(subscriptions=False)
    for query in ("subscription { count(to: 2) }", "{ hello }"):
        answer = await post(app, query, STREAM)
        assert (answer.status, answer.type) == (400, JSON)
    assert (await ask(app, "PUT")).status == 405
    assert (await post(app, "{ hello }")).status == 200
    assert app.ws_router.resolve("/graphql")[0] is None


async def test_a_page_of_another_origin_has_no_event_stream() -> None:
    app = make_app(allowed_origins={"https://friend.example"})
    path = "/graphql?query=subscription{count(to:1)}"

    async def status(origin: bytes) -> int:
        answer = await ask(app, "GET", path, accept=STREAM, host=b"a", origin=origin)
        return answer.status

    assert await status(b"https://evil.example") == 403
    assert await status(b"null") == 403
    assert await status(b"https://friend.example") == 200
    assert await status(b"https://a") == 200


async def test_the_text_of_the_schema_is_there_to_read() -> None:
    answer = await ask(make_app(), "GET", "/graphql?sdl")
    assert answer.headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert "type Mutation {\n  add(number: Int!): Int!\n}" in answer.body.decode()
    assert (await ask(make_app(), "HEAD", "/graphql?sdl", accept=BROWSER)).status == 200


@pytest.mark.parametrize(
    "path", ["/graphql?query={hello}&a=sdl", "/graphql?query={hello}"]
)
async def test_a_query_is_not_taken_for_the_schema(path: str) -> None:
    answer = await ask(make_app(), "GET", path)
    assert answer.json == {"data": {"hello": "Hello, World!"}}


async def test_without_introspection_the_schema_is_not_shown() -> None:
    app = make_app(introspection=False)
    assert (await ask(app, "GET", "/graphql?sdl")).status == 400
    answer = await post(app, "{ __schema { types { name } } }", MODERN)
    assert answer.status == 400
    answer = await post(app, "{ helo __typename }")
    assert answer.messages == ["Cannot query field 'helo' on type 'Query'."]
    answer = await post(app, "{ __typename }")
    assert answer.json == {"data": {"__typename": "Query"}}


async def test_a_browser_gets_the_page_and_its_files() -> None:
    app = make_app()
    answer = await ask(app, "GET", "/graphql?query={hello}", accept=BROWSER)
    assert (answer.status, answer.type) == (200, b"text/html")
    assert b"graphql/graphiql/start.js" in answer.body
    answer = await ask(app, "GET", "/graphql/graphiql/start.js")
    assert (answer.status, answer.type) == (200, b"text/javascript")
    assert (await ask(app, "GET", "/graphql/graphiql/other.js")).status == 404


async def test_the_page_may_be_at_the_root() -> None:
    app = make_app(path="/")
    answer = await ask(app, "GET", "/", accept=BROWSER)
    assert b'"./graphiql/start.js"' in answer.body
    assert (await ask(app, "GET", "/graphiql/start.js")).status == 200


async def test_without_the_page_a_browser_gets_json() -> None:
    app = make_app(graphiql=False)
    answer = await ask(app, "GET", "/graphql?query={hello}", accept=BROWSER)
    assert answer.type == JSON
    assert (await ask(app, "GET", "/graphql/graphiql/start.js")).status == 404


async def test_a_browser_that_posts_gets_json() -> None:
    answer = await post(make_app(), "{ hello }", BROWSER)
    assert (answer.status, answer.type) == (200, JSON)


async def test_resolvers_have_the_info_of_the_application() -> None:
    assert (await post(make_app(), "{ who }")).json == {"data": {"who": "Ada"}}


async def test_a_context_is_made_for_each_operation_of_the_request() -> None:
    made = []

    def context(scope: Scope, info: Info, matches: RouteMatches) -> dict[str, str]:
        made.append((scope["path"], info["name"], dict(matches)))
        return {"name": scope["method"]}

    app = make_app(path="/graphql/{tenant}", context=context, batch=2)
    body = json.dumps([{"query": "{ who }"}] * 2).encode()
    answer = await ask(app, "POST", "/graphql/a", content_type=JSON, body=body)
    assert answer.json == [{"data": {"who": "POST"}}] * 2
    assert made == [("/graphql/a", "Ada", {"tenant": "a"})] * 2


@pytest.mark.parametrize("accept", [JSON, STREAM])
async def test_a_context_may_be_awaited_and_may_refuse(accept: bytes) -> None:
    async def context(scope: Scope, info: Info, matches: RouteMatches) -> object:
        await asyncio.sleep(0)
        if b"x-refuse" in dict(scope["headers"]):
            raise GraphQLError("who are you?")
        return {"name": "Bo"}

    app = make_app(context=context)
    body = b'{"query": "{ who }"}'
    answer = await ask(app, "POST", content_type=JSON, accept=accept, body=body)
    assert b'{"data": {"who": "Bo"}}' in answer.body
    answer = await ask(
        app, "POST", content_type=JSON, accept=accept, x_refuse=b"1", body=body
    )
    assert b'{"errors": [{"message": "who are you?"}]}' in answer.body


async def test_the_context_may_be_the_one_who_answers() -> None:
    def context(scope: Scope, info: Info, matches: RouteMatches) -> object:
        raise HttpError(401, "Log in", [(b"www-authenticate", b"Basic")])

    app = make_app(context=context)
    answer = await post(app, "{ who }")
    assert (answer.status, answer.body) == (401, b"Log in")
    answer = await post(app, "{ who }", STREAM)
    assert b'{"errors": [{"message": "Log in"}]}' in answer.body


async def test_a_context_that_fails_tells_nothing() -> None:
    def context(scope: Scope, info: Info, matches: RouteMatches) -> object:
        raise ValueError("hunter2")

    app = make_app(context=context)
    answer = await post(app, "{ who }")
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    answer = await post(app, "{ who }", STREAM)
    assert b'{"errors": [{"message": "Internal Server Error"}]}' in answer.body


async def test_the_parts_serve_by_hand() -> None:
    app = Application(info={"name": "Ada"})
    graphql = graphql_handler(make_schema(), subscriptions=False)
    app.http_router.add({"POST"}, "/api", graphql)
    response = await http_request(
        app,
        "POST",
        "/api",
        headers=[(b"content-type", JSON)],
        content=b'{"query": "{ who }"}',
    )
    assert response.body == b'{"data": {"who": "Ada"}}'
    assert graphql.web_socket is None


async def test_json_is_read_and_written_as_the_application_likes() -> None:
    def dumps(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def loads(text: str | bytes) -> Any:
        return {"query": '{ hello(name: "é") }'}

    answer = await post(make_app(dumps=dumps, loads=loads), "{ who }")
    assert answer.body == '{"data":{"hello":"Hello, é!"}}'.encode()


async def test_half_a_pair_of_surrogates_does_no_harm() -> None:
    def dumps(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    app = make_app(dumps=dumps)
    answer = await post(
        app,
        "query ($name: String) { hello(name: $name) }",
        variables={"name": "\ud800"},
    )
    assert answer.json == {"data": {"hello": "Hello, \ud800!"}}
    answer = await post(app, '{ hello(name: "\ud800") }', MODERN)
    assert answer.status == 400
