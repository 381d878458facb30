"""The demo of GraphQL does all that it shows, and shows each part as it comes."""

import asyncio
import html
import json
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final

import pytest
from forms import FORM, form, part
from forms import request as form_parts
from graphql import build_schema, parse, validate
from programs import Answer, free_port, request, running
from repository import ROOT

from .clients import CutError, Exchange
from .http1_client import connect_http1
from .socket_client import open_socket

DEADLINE: Final = 10.0
FOLDER: Final = ROOT / "examples" / "graphql"
COMMAND: Final = (sys.executable, str(FOLDER / "demo.py"))
PAGE: Final = (FOLDER / "demo.html").read_text("utf-8")

JSON: Final = {"content-type": "application/json", "accept": "application/json"}
PREFLIGHT: Final = {"graphql-require-preflight": "1"}
MULTIPART: Final = b"multipart/mixed;incrementalSpec=v0.2"
EVENTS: Final = b"text/event-stream"

FORECASTS: Final = "{ stations { id ... @defer { forecast } } }"
HISTORY: Final = '{ station(id: "2") { history @stream(initialCount: 1) } }'
MEASURED: Final = "subscription { measured { id temperature } }"
RECORD: Final = (
    "mutation ($station: ID!, $file: Upload!)"
    " { record(station: $station, file: $file) { history } }"
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serves the demo."""
    number = free_port()
    with running(*COMMAND, port=number, env={"PORT": str(number)}):
        yield number


def post(port: int, query: str, **variables: object) -> Any:
    """What the answer to a query or mutation is."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    answer = request(port, "POST", "/graphql", headers=JSON, body=body)
    assert answer.status == 200
    return json.loads(answer.body)


def upload(port: int, file: bytes, station: str = "3") -> Answer:
    """Send a file with temperatures."""
    variables = {"station": station, "file": None}
    parts = form_parts(
        {"query": RECORD, "variables": variables},
        {"0": ["variables.file"]},
        part("0", file, filename="temperatures.txt"),
    )
    headers = {FORM[0].decode(): FORM[1].decode(), **PREFLIGHT, "accept": "*/*"}
    return request(port, "POST", "/graphql", headers=headers, body=form(*parts))


@asynccontextmanager
async def asked(port: int, query: str, accept: bytes) -> AsyncGenerator[Exchange]:
    """Ask for something whose answer is not there at once."""
    async with asyncio.timeout(DEADLINE), await connect_http1(port) as connection:
        headers = [(b"content-type", b"application/json"), (b"accept", accept)]
        content = json.dumps({"query": query}).encode()
        exchange = await connection.request("POST", "/graphql", headers, content)
        assert (await exchange.head()).status == 200
        yield exchange


async def payloads(exchange: Exchange) -> list[Any]:
    """What an answer has, by what arrived together: a payload each time, or less."""
    arrived: list[Any] = []
    async for chunk in exchange:
        found = re.findall(rb"^(?:data: )?(\{.*)$", chunk, re.MULTILINE)
        assert len(found) <= 1
        arrived += [json.loads(text) for text in found]
    return arrived


def test_the_page_is_one_file(port: int) -> None:
    answer = request(port, "GET", "/")
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.body.decode() == PAGE


def test_a_browser_finds_graphiql(port: int) -> None:
    answer = request(port, "GET", "/graphql", headers={"accept": "text/html"})
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")


def test_the_schema_has_all_that_the_page_asks_for(port: int) -> None:
    schema = build_schema(request(port, "GET", "/graphql?sdl").body.decode())
    queries = re.findall(r"`([^`]*)`", html.unescape(PAGE))
    assert len(queries) == 5
    for query in queries:
        written = query.replace("${JSON.stringify(id)}", '"1"')
        assert validate(schema, parse(written)) == []


def test_a_query_is_answered(port: int) -> None:
    stations = post(port, "{ stations { id name temperature } }")["data"]["stations"]
    assert [station["id"] for station in stations] == ["1", "2", "3", "4"]
    assert post(port, '{ station(id: "5") { id } }') == {"data": {"station": None}}


def test_a_mutation_changes_a_name(port: int) -> None:
    query = (
        "mutation ($station: ID!, $name: String!)"
        " { rename(station: $station, name: $name) { name } }"
    )
    renamed = {"rename": {"name": "Bog"}}
    assert post(port, query, station="3", name="Bog") == {"data": renamed}
    assert post(port, '{ station(id: "3") { name } }')["data"]["station"] == {
        "name": "Bog"
    }
    nothing = {"data": {"rename": None}}
    assert post(port, query, station="5", name="Bog") == nothing


@pytest.mark.parametrize("accept", [MULTIPART, EVENTS])
async def test_forecasts_arrive_one_by_one_after_the_stations(
    port: int, accept: bytes
) -> None:
    async with asked(port, FORECASTS, accept) as exchange:
        first, *rest = await payloads(exchange)
    stations = [{"id": identity} for identity in "1234"]
    assert first["data"] == {"stations": stations}
    places = {each["id"]: each["path"] for each in first["pending"]}
    arrived = [
        incremental for payload in rest for incremental in payload["incremental"]
    ]
    assert [places[each["id"]] for each in arrived] == [
        ["stations", index] for index in range(4)
    ]
    assert all(list(each["data"]) == ["forecast"] for each in arrived)
    assert len(rest) > 1
    assert [payload["hasNext"] for payload in rest] == [True] * (len(rest) - 1) + [
        False
    ]


@pytest.mark.parametrize("accept", [MULTIPART, EVENTS])
async def test_a_history_arrives_item_by_item(port: int, accept: bytes) -> None:
    assert upload(port, b"1 2 3 4", "2").status == 200
    async with asked(port, HISTORY, accept) as exchange:
        first, *rest = await payloads(exchange)
    assert len(first["data"]["station"]["history"]) == 1
    items = [
        item
        for payload in rest
        for each in payload.get("incremental", ())
        for item in each["items"]
    ]
    assert len(rest) > 1
    assert 1.0 in items


def test_a_client_that_takes_no_parts_gets_all_at_once(port: int) -> None:
    answer = post(port, '{ station(id: "1") { id ... @defer { forecast } } }')
    assert list(answer["data"]["station"]) == ["id", "forecast"]


async def test_a_page_hears_of_what_is_measured(port: int) -> None:
    async with asked(port, MEASURED, EVENTS) as exchange:
        assert await exchange.chunk() == b":\n\n"
        ids: list[str] = []
        while len(set(ids)) < 2:
            event = await exchange.chunk()
            result = json.loads(event.removeprefix(b"event: next\ndata: "))
            ids.append(result["data"]["measured"]["id"])
    # The weather changes at one station after the other.
    assert set(ids) <= set("1234")


async def test_a_socket_hears_of_what_is_measured(port: int) -> None:
    async with (
        asyncio.timeout(DEADLINE),
        open_socket(
            await connect_http1(port), "/graphql", subprotocols=["graphql-transport-ws"]
        ) as socket,
    ):
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await socket.message()) == {"type": "connection_ack"}
        message = {"id": "1", "type": "subscribe", "payload": {"query": MEASURED}}
        await socket.send(json.dumps(message))
        result = json.loads(await socket.message())
        assert (result["id"], result["type"]) == ("1", "next")


def test_temperatures_are_taken_from_a_file(port: int) -> None:
    answer = upload(port, b"-1.5\r\n20\n\n7.2")
    history = json.loads(answer.body)["data"]["record"]["history"]
    # A station may have measured in between.
    assert {-1.5, 20.0, 7.2} <= set(history)
    assert json.loads(upload(port, b"1", "5").body) == {"data": {"record": None}}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"warm", "Each line has to be a temperature"),
        (b"\xff", "Each line has to be a temperature"),
        (b"nan", "No place has less than -90.0 or more than 60.0"),
        (b"1\n61", "No place has less than -90.0 or more than 60.0"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    port: int, file: bytes, message: str
) -> None:
    answer = json.loads(upload(port, file).body)
    assert answer["data"] == {"record": None}
    assert answer["errors"][0]["message"] == message


def test_what_is_no_file_is_refused(port: int) -> None:
    assert upload(port, b"1\n" * 2**15).status == 413
    answer = post(port, RECORD, station="1", file="name")
    message = "The file has to be sent beside the operation"
    assert answer["errors"][0]["message"] == message


async def test_the_demo_ends_on_sigterm_in_the_middle_of_everything() -> None:
    with ExitStack() as server:
        port = free_port()
        environment = {"PORT": str(port)}
        server.enter_context(running(*COMMAND, port=port, env=environment))
        async with asked(port, MEASURED, EVENTS) as live:
            await live.chunk()
            async with asked(port, FORECASTS, MULTIPART) as deferred:
                await deferred.chunk()
                ending = asyncio.create_task(asyncio.to_thread(server.close))
                for exchange in live, deferred:
                    with pytest.raises(CutError):
                        await exchange.body()
                await ending
