"""What a client asks for, in whatever shape it comes."""

import json
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest

from bareasgi import Header
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.request import (
    GraphQLRequest,
    content_type,
    parse_json,
    query_fields,
    request_from,
    request_from_query_string,
)

QUERY: Final = "query A($x: Int) { a }"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"query": QUERY}, GraphQLRequest(QUERY, None, None, None)),
        ({"query": ""}, GraphQLRequest("", None, None, None)),
        (
            {
                "query": QUERY,
                "operationName": "A",
                "variables": {"x": 1},
                "extensions": {"y": 2},
            },
            GraphQLRequest(QUERY, "A", {"x": 1}, {"y": 2}),
        ),
        (
            {
                "query": QUERY,
                "operationName": None,
                "variables": None,
                "extensions": None,
            },
            GraphQLRequest(QUERY, None, None, None),
        ),
        ({"query": QUERY, "operationName": ""}, GraphQLRequest(QUERY)),
        ({"query": QUERY, "variables": {}}, GraphQLRequest(QUERY, None, {}, None)),
        ({"query": QUERY, "id": 7, "onError": "NULL"}, GraphQLRequest(QUERY)),
    ],
    ids=["query", "empty", "all", "nulls", "no name", "no variables", "more"],
)
def test_a_request_is_made_of_an_object(
    value: dict[str, Any], expected: GraphQLRequest
) -> None:
    assert request_from(value) == expected


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "{ a }", [], [{"query": QUERY}]])
def test_a_request_must_be_an_object(value: object) -> None:
    with pytest.raises(RequestError, match="must be a JSON object") as caught:
        request_from(value)
    assert caught.value.status == 400


WRONG: Final[tuple[object, ...]] = (True, 1, 1.5, "text", [], ["text"], {}, {"a": 1})


@pytest.mark.parametrize("name", ["query", "operationName", "variables", "extensions"])
@pytest.mark.parametrize("wrong", WRONG, ids=map(json.dumps, WRONG))
def test_a_parameter_of_the_wrong_type_is_named(name: str, wrong: object) -> None:
    is_text = name in ("query", "operationName")
    value = {"query": QUERY, name: wrong}
    if isinstance(wrong, str if is_text else dict):
        request_from(value)
        return
    with pytest.raises(RequestError, match=f"parameter '{name}'") as caught:
        request_from(value)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [{}, {"query": None}, {"Query": QUERY}])
def test_a_request_must_have_a_query(value: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="'query' must be a string"):
        request_from(value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"query": QUERY}, GraphQLRequest(QUERY)),
        ({"query": '{ a(b: "+ %&=é😀") }'}, None),
        (
            {
                "query": QUERY,
                "operationName": "A",
                "variables": '{"x": 1}',
                "extensions": '{"y": null}',
            },
            GraphQLRequest(QUERY, "A", {"x": 1}, {"y": None}),
        ),
        (
            {"query": QUERY, "operationName": "", "variables": "", "extensions": ""},
            GraphQLRequest(QUERY),
        ),
        ({"query": QUERY, "variables": "null"}, GraphQLRequest(QUERY)),
        ({"query": QUERY, "other": "[", "": ""}, GraphQLRequest(QUERY)),
    ],
    ids=["query", "letters", "all", "empty", "null", "more"],
)
def test_a_request_is_made_of_a_query_string(
    fields: dict[str, str], expected: GraphQLRequest | None
) -> None:
    request = request_from_query_string(urlencode(fields).encode(), json.loads)
    assert request == (expected or GraphQLRequest(fields["query"]))


@pytest.mark.parametrize(
    ("query_string", "reason"),
    [
        (b"", "'query' must be a string"),
        (b"query=", "'query' must be a string"),
        (b"query", "'query' must be a string"),
        (b"query={a}&query={a}", "'query' was given twice"),
        (b"query={a}&variables={}&variables={}", "'variables' was given twice"),
        (b"query={a}&x=1&x=2", "'x' was given twice"),
        (b"query={a}&variables={", "not valid JSON"),
        (b"query={a}&variables=[]", "'variables' must be an object"),
        (b"query={a}&variables=1", "'variables' must be an object"),
        (b"query={a}&extensions=%22%22", "'extensions' must be an object"),
        (b"query={a}&variables=" + b"[" * 100_000, "not valid JSON"),
        (b"query={a}&variables=" + b"9" * 10_000, "not valid JSON"),
        (b"query=%ff", "cannot be decoded"),
        (b"query=%ed%a0%80", "cannot be decoded"),
        (b"query=\xc3\xa9", "cannot be decoded"),
        (b"&".join(b"x%d=" % each for each in range(101)), "cannot be decoded"),
    ],
)
def test_a_query_string_that_makes_no_request_is_a_400(
    query_string: bytes, reason: str
) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        request_from_query_string(query_string, json.loads)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("query_string", "fields"),
    [
        (b"", []),
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"a&b=", [("a", ""), ("b", "")]),
        (b"a=1+2%2B3%26%3D", [("a", "1 2+3&=")]),
        (b"a=%", [("a", "%")]),
        (b"a=%C3%A9%00", [("a", "é\0")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_a_query_string_is_taken_apart_as_forms_are(
    query_string: bytes, fields: list[tuple[str, str]]
) -> None:
    assert query_fields(query_string) == fields


def test_a_query_string_may_have_a_hundred_fields() -> None:
    text = "&".join(f"x{each}=1" for each in range(99)) + "&query=" + quote(QUERY)
    request = request_from_query_string(text.encode(), json.loads)
    assert request == GraphQLRequest(QUERY)


NO_JSON: Final = {
    "nothing": "",
    "open": "{",
    "odd": "{]",
    "word": "nul",
    "quote": "'",
    "NUL": "\0",
    "line": '"\n"',
    "digits": "9" * 10_000,
    "deep lists": "[" * 200_000,
    "deep objects": '{"a":' * 200_000,
}


@pytest.mark.parametrize("text", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_is_a_400(text: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(RequestError, match="not valid JSON") as caught:
            parse_json(form, json.loads)
        assert caught.value.status == 400
        assert caught.value.__cause__ is None


def test_bytes_that_are_no_text_are_no_json() -> None:
    with pytest.raises(RequestError, match="not valid JSON"):
        parse_json(b'"\xff"', json.loads)


def test_another_reader_of_json_may_be_used() -> None:
    assert parse_json("text", str.upper) == "TEXT"  # type: ignore[arg-type]


TYPE: Final = b"content-type"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"application/json", b"application/json"),
        (b"Application/JSON", b"application/json"),
        (b"application/json; charset=utf-8", b"application/json"),
        (b"application/json;charset=UTF-8", b"application/json"),
        (b'application/json ;\tCharset="utf-8"', b"application/json"),
        (b"application/json; charset=utf8", b"application/json"),
        (b"application/json; q=1; charset=utf-8", b"application/json"),
        (b"application/json;", b"application/json"),
        (b"application/json; charset=latin-1", None),
        (b"application/json; charset=utf-16; charset=utf-8", None),
        (b"application/json; charset=", None),
        (b"application/json; charset", None),
        (b"text/plain", b"text/plain"),
        (b"", b""),
        (b";", b""),
    ],
)
def test_the_type_of_a_body_is_told_without_its_parameters(
    value: bytes, expected: bytes | None
) -> None:
    assert content_type([(b"host", b"x"), (TYPE, value)]) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"accept", b"application/json")],
        [(TYPE, b"application/json"), (TYPE, b"text/plain")],
        [(TYPE, b"application/json"), (TYPE, b"application/json")],
    ],
    ids=["absent", "another", "two", "twice"],
)
def test_a_body_without_one_type_has_none(headers: list[Header]) -> None:
    assert content_type(headers) is None
