"""What one path answers with: files, ids of documents, and answers in parts."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from forms import FORM, form, part
from forms import request as form_request
from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema

from bareasgi import Application, Header
from bareasgi.testing import Response, http_request, http_stream
from bareasgi_graphql import DocumentsError, Limits, Upload, add_graphql, reading

JSON: Header = (b"content-type", b"application/json")
PREFLIGHT: Header = (b"graphql-require-preflight", b"1")
PARTS: Header = (b"accept", b"multipart/mixed;incrementalSpec=v0.2")
OLDER_PARTS: Header = (b"accept", b"multipart/mixed;deferSpec=20220824")
EVENTS: Header = (b"accept", b"text/event-stream")
LIVE_PARTS: Header = (b"accept", b'multipart/mixed;boundary="x";subscriptionSpec=1.0')
SDL = """
directive @defer(label: String, if: Boolean! = true)
  on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(label: String, initialCount: Int = 0, if: Boolean! = true) on FIELD

scalar Upload

type Query {
  one: Int
  later: Int
  many: [Int]
}

type Mutation {
  add: Int
  size(file: Upload!): Int
}

type Subscription {
  lines(file: Upload!): String
  count: Int
}
"""
DEFERRED = "{ one ... @defer { later } }"


class World:
    """A schema, and what became of it."""

    def __init__(self) -> None:
        self.added = 0
        self.closed = asyncio.Event()
        self.gate = asyncio.Event()
        self.files: list[Upload] = []
        self.schema: GraphQLSchema = build_schema(SDL)
        fields: dict[str, Any]
        fields = self.schema.type_map["Query"].fields  # type: ignore[attr-defined]
        fields["one"].resolve = lambda source, info: 1
        fields["later"].resolve = self.later
        fields["many"].resolve = lambda source, info: self.many()
        fields = self.schema.type_map["Mutation"].fields  # type: ignore[attr-defined]
        fields["add"].resolve = self.add
        fields["size"].resolve = self.size
        fields = self.schema.type_map["Subscription"].fields  # type: ignore[attr-defined]
        fields["lines"].subscribe = self.lines
        fields["count"].subscribe = self.count

    async def later(self, source: object, info: GraphQLResolveInfo) -> int:
        await self.gate.wait()
        return 2

    async def many(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    def add(self, source: object, info: GraphQLResolveInfo) -> int:
        self.added += 1
        return self.added

    async def size(self, source: object, info: GraphQLResolveInfo, file: Upload) -> int:
        self.files.append(file)
        return len(await file.read())

    async def lines(
        self, source: object, info: GraphQLResolveInfo, file: Upload
    ) -> AsyncIterator[dict[str, str]]:
        self.files.append(file)
        while line := await file.read(3):
            yield {"lines": line.decode()}

    async def count(
        self, source: object, info: GraphQLResolveInfo
    ) -> AsyncIterator[dict[str, int]]:
        try:
            yield {"count": 1}
            await asyncio.Event().wait()
        finally:
            self.closed.set()


@pytest.fixture
def world() -> World:
    return World()


def serving(world: World, **options: Any) -> Application:
    app = Application()
    add_graphql(app, world.schema, **options)
    return app


async def ask(
    app: Application, query: str | None, *headers: Header, **parameters: Any
) -> Response:
    content = json.dumps({"query": query, **parameters}).encode()
    return await http_request(
        app, "POST", "/graphql", headers=[JSON, *headers], content=content
    )


def upload(query: str, content: bytes = b"abcdefg") -> bytes:
    operations = {"query": query, "variables": {"file": None}}
    file = part("0", content, filename="a.txt")
    return form(*form_request(operations, {"0": ["variables.file"]}, file))


SIZE = "mutation ($file: Upload!) { size(file: $file) }"


# Files


async def send_form(app: Application, content: bytes, *headers: Header) -> Response:
    return await http_request(
        app, "POST", "/graphql", headers=[FORM, *headers], content=content
    )


async def test_a_form_is_refused_unless_files_are_wanted(world: World) -> None:
    response = await send_form(serving(world), upload(SIZE), PREFLIGHT)
    assert response.status == 415
    assert not world.files


async def test_a_form_that_a_foreign_page_could_send_is_refused(world: World) -> None:
    app = serving(world, uploads=True)
    for headers in ([], [(PREFLIGHT[0], b"")]):
        response = await send_form(app, upload(SIZE), *headers)
        assert response.status == 400
        assert "graphql-require-preflight" in response.text
    assert not world.files


@pytest.mark.parametrize("limit", [None, 100, 10_000])
async def test_a_refused_form_is_read_as_far_as_another_might_be(
    world: World, limit: int | None
) -> None:
    async def content() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(20):
            taken += 1
            yield b"a" * 50

    taken = 0
    app = serving(world, uploads=True, limits=Limits(upload=limit))
    response = await http_request(
        app, "POST", "/graphql", headers=[FORM], content=content()
    )
    assert response.status == 400
    assert (taken == 20) is (limit != 100)


async def test_a_refused_form_that_stalls_is_answered_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    monkeypatch.setattr(reading, "SKIPPING_TIME", 0.01)
    app = serving(world, uploads=True)
    response = await http_request(
        app, "POST", "/graphql", headers=[FORM], content=content()
    )
    assert response.status == 400
    assert "graphql-require-preflight" in response.text


@pytest.mark.parametrize(
    "name",
    [
        b"graphql-require-preflight",
        b"apollo-require-preflight",
        b"x-apollo-operation-name",
    ],
)
async def test_a_file_reaches_its_resolver(world: World, name: bytes) -> None:
    app = serving(world, uploads=True)
    response = await send_form(app, upload(SIZE), (name, b"1"))
    assert response.json() == {"data": {"size": 7}}
    with pytest.raises(ValueError, match="has ended"):
        await world.files[0].read()


async def test_files_have_limits_of_their_own(world: World) -> None:
    app = serving(world, uploads=True, limits=Limits(upload=1_000, files=1))
    assert (await send_form(app, upload(SIZE, b"a" * 1_000), PREFLIGHT)).status == 413
    assert (await send_form(app, upload(SIZE, b"a" * 100), PREFLIGHT)).status == 200
    two = form(
        *form_request(
            {"query": SIZE, "variables": {"file": None, "other": None}},
            {"0": ["variables.file"], "1": ["variables.other"]},
            part("0", b"a", filename="a"),
            part("1", b"b", filename="b"),
        )
    )
    assert (await send_form(app, two, PREFLIGHT)).status == 400


async def test_a_batch_may_have_files(world: World) -> None:
    operations = [{"query": SIZE, "variables": {"file": None}}] * 2
    content = form(
        *form_request(
            operations,
            {"0": ["0.variables.file"], "1": ["1.variables.file"]},
            part("0", b"a", filename="a"),
            part("1", b"bc", filename="b"),
        )
    )
    response = await send_form(
        serving(world, uploads=True, batch=2), content, PREFLIGHT
    )
    assert response.json() == [{"data": {"size": 1}}, {"data": {"size": 2}}]


async def test_a_subscription_has_its_file_until_its_end(world: World) -> None:
    query = "subscription ($file: Upload!) { lines(file: $file) }"
    app = serving(world, uploads=True)
    response = await send_form(app, upload(query), PREFLIGHT, EVENTS)
    assert response.body.count(b"event: next") == 3
    with pytest.raises(ValueError, match="has ended"):
        await world.files[0].read()


async def test_what_is_no_form_is_read_as_always(world: World) -> None:
    app = serving(world, uploads=True)
    assert (await ask(app, "{ one }")).json() == {"data": {"one": 1}}
    response = await http_request(app, "GET", "/graphql?query={one}", headers=[FORM])
    assert response.json() == {"data": {"one": 1}}


# Ids of documents


def persisted(query: str) -> dict[str, Any]:
    sha = hashlib.sha256(query.encode()).hexdigest()
    return {"persistedQuery": {"version": 1, "sha256Hash": sha}}


async def test_a_document_is_sent_once_and_then_by_its_hash(world: World) -> None:
    app = serving(world, persisted=10)
    extensions = persisted("{ one }")
    first = await ask(app, None, extensions=extensions)
    assert first.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    second = await ask(app, "{ one }", extensions=extensions)
    assert second.json() == {"data": {"one": 1}}
    third = await ask(app, None, extensions=extensions)
    assert third.json() == {"data": {"one": 1}}


async def test_hashes_are_not_taken_unless_they_are_wanted(world: World) -> None:
    response = await ask(serving(world), None, extensions=persisted("{ one }"))
    assert response.json()["errors"][0]["message"] == "PersistedQueryNotSupported"
    response = await ask(serving(world), None, documentId="a")
    assert response.status in (200, 400)
    assert response.json().keys() == {"errors"}


@pytest.mark.parametrize("value", [1, ["a"], True])
async def test_an_id_is_a_string(world: World, value: object) -> None:
    assert (await ask(serving(world), "{ one }", documentId=value)).status == 400


async def test_of_trusted_documents_none_but_they_are_run(
    world: World, tmp_path: Path
) -> None:
    text = "query One { one }"
    deep = "query Two { " + "... { " * 20 + "one" + " }" * 20 + " }"
    tmp_path.joinpath("one.graphql").write_text(text)
    tmp_path.joinpath("two.graphql").write_text(deep)
    app = serving(world, documents=tmp_path, limits=Limits(depth=1, tokens=5))
    for each in (text, deep):
        sha = hashlib.sha256(each.encode()).hexdigest()
        response = await ask(app, None, documentId=f"sha256:{sha}")
        assert response.json() == {"data": {"one": 1}}
        response = await ask(app, None, extensions=persisted(each))
        assert response.json() == {"data": {"one": 1}}
    assert (await ask(app, "{ one }")).status == 400
    assert (await ask(app, text)).status == 400
    assert (await ask(app, None, documentId="other")).status == 400


async def test_a_trusted_document_that_is_not_valid_is_told_of_at_once(
    world: World, tmp_path: Path
) -> None:
    tmp_path.joinpath("bad.graphql").write_text("query Bad {\n  two\n}")
    with pytest.raises(DocumentsError, match=r"bad\.graphql:2:3: Cannot query field"):
        serving(world, documents=tmp_path)


def test_trusted_documents_and_those_of_strangers_exclude_each_other(
    world: World, tmp_path: Path
) -> None:
    tmp_path.joinpath("one.graphql").write_text("{ one }")
    with pytest.raises(ValueError, match="leave out persisted"):
        serving(world, documents=tmp_path, persisted=1)


# Answers in parts


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (PARTS, b"multipart/mixed"),
        (OLDER_PARTS, b"multipart/mixed"),
        (EVENTS, b"text/event-stream"),
    ],
)
async def test_the_first_part_does_not_wait_for_the_others(
    world: World, header: Header, media_type: bytes
) -> None:
    content = json.dumps({"query": DEFERRED}).encode()
    async with http_stream(
        serving(world), "POST", "/graphql", headers=[JSON, header], content=content
    ) as stream:
        first = b""
        while b'"one": 1' not in first:
            first += await stream.chunk() or b""
        assert dict(stream.headers)[b"content-type"].startswith(media_type)
        assert b'"later"' not in first
        world.gate.set()
        rest = b"".join([chunk async for chunk in stream])
    assert b'{"later": 2}' in rest


@pytest.mark.parametrize("header", [(b"accept", b"*/*"), (b"accept", JSON[1])])
async def test_without_a_streaming_type_the_answer_is_whole(
    world: World, header: Header
) -> None:
    world.gate.set()
    response = await ask(serving(world), DEFERRED, header)
    assert response.json() == {"data": {"one": 1, "later": 2}}


@pytest.mark.parametrize("header", [PARTS, EVENTS])
async def test_what_has_no_parts_is_one_part_or_json(
    world: World, header: Header
) -> None:
    app = serving(world)
    response = await ask(app, "{ one }", header)
    assert b'{"data": {"one": 1}}' in response.body
    either = (header[0], header[1] + b", application/json")
    response = await ask(app, "{ one }", either)
    assert response.json() == {"data": {"one": 1}}


async def test_a_client_that_leaves_closes_what_was_begun(world: World) -> None:
    content = json.dumps({"query": "{ many @stream(initialCount: 1) }"}).encode()
    async with http_stream(
        serving(world), "POST", "/graphql", headers=[JSON, PARTS], content=content
    ) as stream:
        first = b""
        while b'"many": [1]' not in first:
            first += await stream.chunk() or b""
    async with asyncio.timeout(10):
        await world.closed.wait()


async def test_a_mutation_in_parts_is_not_run_by_a_link(world: World) -> None:
    path = "/graphql?query=mutation{add}"
    response = await http_request(serving(world), "GET", path, headers=[PARTS])
    assert response.status == 405
    assert not world.added


@pytest.mark.parametrize("query", [DEFERRED, "subscription { count }"])
@pytest.mark.parametrize("header", [EVENTS, LIVE_PARTS])
async def test_a_foreign_page_gets_no_stream(
    world: World, query: str, header: Header
) -> None:
    if query == DEFERRED and header == LIVE_PARTS:
        world.gate.set()
        header = EVENTS
    origin = (b"origin", b"https://foreign.example")
    response = await ask(serving(world), query, header, origin)
    assert response.status == 403


async def test_who_may_have_no_stream_gets_the_answer_whole_if_it_takes_that(
    world: World,
) -> None:
    world.gate.set()
    origin = (b"origin", b"https://foreign.example")
    either = (b"accept", b"application/json, text/event-stream")
    for app, headers in (
        (serving(world), [either, origin]),
        (serving(world, subscriptions=False), [either]),
    ):
        response = await ask(app, DEFERRED, *headers)
        assert response.json() == {"data": {"one": 1, "later": 2}}


async def test_a_client_of_parts_alone_gets_one_from_any_schema(world: World) -> None:
    app = Application()
    add_graphql(app, build_schema("type Query { one: Int }"), root_value={"one": 1})
    for header in (PARTS, OLDER_PARTS):
        response = await ask(app, "{ one }", header)
        assert response.status == 200
        assert response.body.count(b'{"data": {"one": 1}}') == 1
    response = await ask(app, "{ nope }", PARTS)
    assert dict(response.headers)[b"content-type"].startswith(b"application/json")


async def test_without_subscriptions_there_are_parts_and_no_event_streams(
    world: World,
) -> None:
    world.gate.set()
    app = serving(world, subscriptions=False)
    assert b'"later": 2' in (await ask(app, DEFERRED, PARTS)).body
    assert (await ask(app, DEFERRED, EVENTS)).status == 400
    assert (await ask(app, "subscription { count }", LIVE_PARTS)).status == 400


async def test_a_subscription_comes_in_parts_for_who_asks_for_that(
    world: World,
) -> None:
    content = json.dumps({"query": "subscription { count }"}).encode()
    async with http_stream(
        serving(world), "POST", "/graphql", headers=[JSON, LIVE_PARTS], content=content
    ) as stream:
        first = b""
        while b'{"payload": {"data": {"count": 1}}}' not in first:
            first += await stream.chunk() or b""
    async with asyncio.timeout(10):
        await world.closed.wait()


async def test_an_answer_in_parts_that_takes_too_long_is_ended(world: World) -> None:
    app = serving(world, limits=Limits(query_timeout=0.01))
    response = await ask(app, "{ later }", PARTS)
    assert response.status == 400
    assert "0.01 seconds" in response.text


async def test_a_resolver_that_is_cancelled_below_is_a_failure_in_parts_too(
    world: World,
) -> None:
    def cancelled(source: object, info: GraphQLResolveInfo) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.Future()
        future.cancel()
        return future

    fields: dict[str, Any]
    fields = world.schema.type_map["Query"].fields  # type: ignore[attr-defined]
    fields["later"].resolve = cancelled
    response = await ask(serving(world), "{ later }", PARTS)
    assert "Internal Server Error" in response.text


async def test_variables_of_an_answer_in_parts_have_to_fit(world: World) -> None:
    query = "query ($if: Boolean!) { one ... @defer(if: $if) { later } }"
    response = await ask(serving(world), query, PARTS, variables={"if": "maybe"})
    assert b'"errors"' in response.body
    assert b'"data"' not in response.body


async def test_a_form_that_is_announced_to_be_too_long_is_refused_unread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waited for the content would do so for ever.
    monkeypatch.setattr(reading, "SKIPPING_TIME", None)
    app = serving(world, uploads=True, limits=Limits(upload=10))
    headers = [FORM, PREFLIGHT, (b"content-length", b"11")]
    async with http_stream(
        app, "POST", "/graphql", headers=headers, content=None, buffer=None
    ) as stream:
        await stream.finished()
        assert stream.status == 413
