"""Documents are parsed and validated once for each text, whoever sends it."""

import asyncio
import gc
import tracemalloc
from collections import Counter
from typing import Final

import pytest
from graphql import (
    DocumentNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    ValueNode,
    build_schema,
    parse,
    print_ast,
)
from graphql.language.parser import Parser
from graphql_transports import (
    PROTOCOLS,
    TRANSPORTS,
    connected,
    next_message,
    post,
    starting,
)

from bareasgi import Application
from bareasgi_graphql import Limits, add_graphql
from bareasgi_graphql.documents import Document, Documents
from bareasgi_graphql.errors import RequestError

SCHEMA: Final = build_schema(
    """
    type Query { hello: String }
    type Mutation { hello: String }
    type Subscription { hello: String }
    """
)


def documents_of(
    schema: GraphQLSchema = SCHEMA, *, size: int = 10, introspection: bool = True
) -> Documents:
    return Documents(schema, Limits(), introspection=introspection, size=size)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that graphql-core parsed, in order."""
    texts: list[str] = []
    parse_document = Parser.parse_document

    def counting(self: Parser) -> DocumentNode:
        document = parse_document(self)
        assert document.loc
        texts.append(document.loc.source.body)
        return document

    monkeypatch.setattr(Parser, "parse_document", counting)
    return texts


class Looked:
    """A schema that counts how often validation looked at a text."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        scalar = GraphQLScalarType(
            "Looked", parse_value=str, parse_literal=self._literal
        )
        field = GraphQLField(
            GraphQLString,
            args={"at": GraphQLArgument(scalar)},
            resolve=lambda *_, at: at,
        )
        self.schema = GraphQLSchema(GraphQLObjectType("Query", {"looked": field}))

    def _literal(self, node: ValueNode, variables: object = None) -> str:
        text = print_ast(node)
        self.seen[text] += 1
        return text


def test_a_text_is_parsed_once_and_gives_the_same_document(parsed: list[str]) -> None:
    documents = documents_of()
    first = documents.get("{ hello }")
    assert documents.get("{ hello }") is first
    assert documents.get("{  hello }") is not first
    assert parsed == ["{ hello }", "{  hello }"]


def test_the_text_that_was_used_longest_ago_is_forgotten_first(
    parsed: list[str],
) -> None:
    documents = documents_of(size=2)
    for text in ("{a:hello}", "{b:hello}", "{a:hello}", "{c:hello}", "{a:hello}"):
        documents.get(text)
    assert parsed == ["{a:hello}", "{b:hello}", "{c:hello}"]
    documents.get("{b:hello}")
    assert parsed[3:] == ["{b:hello}"]
    documents.get("{c:hello}")
    assert parsed[4:] == ["{c:hello}"]


def test_nothing_is_kept_where_there_is_no_room(parsed: list[str]) -> None:
    documents = documents_of(size=0)
    documents.get("{ hello }")
    documents.get("{ hello }")
    assert len(parsed) == 2


@pytest.mark.parametrize("text", ["{ hello", "{ nothing }", "{ " + "hello " * 21 + "}"])
def test_what_is_refused_is_not_kept_and_forgets_nothing(
    parsed: list[str], text: str
) -> None:
    documents = documents_of(size=1)
    documents.get("{ hello }")
    for _ in range(3):
        with pytest.raises(RequestError):
            documents.get(text)
    documents.get("{ hello }")
    assert parsed.count("{ hello }") == 1


async def test_all_transports_share_what_was_parsed_and_validated(
    parsed: list[str],
) -> None:
    looked = Looked()
    app = Application()
    add_graphql(app, looked.schema)
    # Its default is looked at when it is validated, and not after: there is a value.
    query = "query ($at: Looked = 7) { looked(at: $at) }"
    for ask in TRANSPORTS.values():
        answer = await ask(app, {"query": query, "variables": {"at": "x"}})
        assert answer.result == {"data": {"looked": "x"}}
    assert parsed == [query]
    once = looked.seen["7"]
    await post(app, {"query": query + " ", "variables": {"at": "x"}})
    assert looked.seen["7"] == 2 * once > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_sockets_share_what_was_parsed(parsed: list[str], protocol: str) -> None:
    app = Application()
    add_graphql(app, SCHEMA)
    for _ in range(2):
        async with connected(app, protocol) as socket:
            for number in range(5):
                request = {"query": "{ hello }"}
                await socket.send(starting(str(number), request, protocol))
                assert "payload" in await next_message(socket)
                assert (await next_message(socket))["type"] == "complete"
    assert parsed == ["{ hello }"]


async def test_the_size_is_an_option(parsed: list[str]) -> None:
    for cache, times in ((0, 3), (1, 1)):
        parsed.clear()
        app = Application()
        add_graphql(app, SCHEMA, cache=cache)
        for _ in range(3):
            await post(app, {"query": "{ hello }"})
        assert len(parsed) == times


async def test_two_servers_share_nothing(parsed: list[str]) -> None:
    for _ in range(2):
        app = Application()
        add_graphql(app, SCHEMA)
        await post(app, {"query": "{ hello }"})
    assert len(parsed) == 2


async def test_requests_at_the_same_time_do_not_disturb_each_other() -> None:
    app = Application()
    add_graphql(app, SCHEMA, cache=3)
    names = [f"a{number % 7}" for number in range(100)]
    answers = await asyncio.gather(
        *(post(app, {"query": f"{{ {name}: hello }}"}) for name in names)
    )
    assert [answer.json()["data"] for answer in answers] == [
        {name: None} for name in names
    ]


def test_the_memory_of_what_is_kept_is_bounded() -> None:
    documents = documents_of(size=10)

    def fill(start: int) -> int:
        for number in range(start, start + 40):
            documents.get(f"{{ a{number}: hello }} #" + "x" * 10_000)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = fill(0)
        assert fill(1_000) - before < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("{ hello }", None, "query"),
        ("query A { hello }", None, "query"),
        ("query A { hello }", "A", "query"),
        ("mutation { hello }", None, "mutation"),
        ("subscription A { hello }", "A", "subscription"),
        ("query A { hello } mutation B { hello }", "B", "mutation"),
        ("{ ...F } fragment F on Query { hello }", None, "query"),
    ],
)
def test_a_document_knows_what_its_operations_do(
    text: str, name: str | None, kind: str
) -> None:
    assert documents_of().get(text).kind(name) == kind


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("{ hello }", "A", "no operation named 'A'"),
        ("query A { hello }", "B", "no operation named 'B'"),
        ("query A { hello } query B { hello }", None, "several operations"),
    ],
)
def test_an_operation_that_there_is_not_is_refused(
    text: str, name: str | None, reason: str
) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        documents_of().get(text).kind(name)
    assert (caught.value.status, caught.value.is_invalid) == (None, True)


def test_a_document_without_operations_has_none_to_run() -> None:
    document = Document(parse("fragment F on Query { hello }"), {})
    for name, reason in ((None, "has no operation"), ("A", "no operation named 'A'")):
        with pytest.raises(RequestError, match=reason):
            document.kind(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ hello", "Syntax Error"),
        ("", "Syntax Error: Unexpected <EOF>"),
        ("#", "Syntax Error: Unexpected <EOF>"),
        ("\ufeff\ufeff", "Syntax Error"),
        ("\0", "Syntax Error"),
        ("{ \ud800 }", "Syntax Error"),
    ],
)
def test_what_is_no_document_is_told_apart_from_what_is_not_valid(
    text: str, reason: str
) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        documents_of().get(text)
    assert (caught.value.status, caught.value.is_invalid) == (None, False)
    [error] = caught.value.errors
    assert error.locations


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ nothing }", "Cannot query field 'nothing'"),
        ("type Query { hello: String }", "not executable"),
        ("fragment F on Query { hello }", "never used"),
        ("query A { hello } query A { hello }", "only one operation named 'A'"),
        ("{ hello } { hello }", "must be the only"),
        ("query ($a: Int, $a: Int) { hello }", r"only one variable named '\$a'"),
    ],
)
def test_what_is_not_valid_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        documents_of().get(text)
    assert (caught.value.status, caught.value.is_invalid) == (None, True)


@pytest.mark.parametrize("kind", ["mutation", "subscription"])
def test_what_the_schema_has_not_is_refused_with_the_place_of_it(kind: str) -> None:
    documents = documents_of(build_schema("type Query { hello: String }"))
    with pytest.raises(RequestError) as caught:
        documents.get(f"{{ hello }} {kind} A {{ hello }}")
    assert caught.value.is_invalid
    [error] = [each for each in caught.value.errors if "The schema has no" in str(each)]
    assert error.message == f"The schema has no {kind}"
    assert error.locations


def test_errors_that_were_refused_keep_no_frames_alive() -> None:
    for text in ("{ hello", "{ nothing }"):
        with pytest.raises(RequestError) as caught:
            documents_of().get(text)
        assert [error.__traceback__ for error in caught.value.errors] == [None]


def test_without_introspection_there_is_no_schema_to_be_seen() -> None:
    documents = documents_of(introspection=False)
    with pytest.raises(RequestError, match="introspection"):
        documents.get("{ __schema { types { name } } }")
    with pytest.raises(RequestError) as caught:
        documents.get("{ helo }")
    assert "Did you mean" not in str(caught.value)
    with pytest.raises(RequestError, match="Did you mean 'hello'"):
        documents_of().get("{ helo }")
