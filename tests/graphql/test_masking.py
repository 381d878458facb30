"""What a client is told of an error, and what only the log is told."""

import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from enum import Enum
from typing import Any, Final

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    graphql_sync,
)
from graphql_transports import TRANSPORTS, Ask, get, post

from bareasgi import Application, HttpError
from bareasgi_graphql import Limits, add_graphql
from bareasgi_graphql.masking import Masking, unexpected

MASKED: Final = "Internal Server Error"
SECRET: Final = "the secret of the server"  # noqa: S105 - an error's text
TOLD: Final = "what the client may know"


class SecretError(Exception):
    """Nothing that a client knows of."""


def raising(error: Exception) -> Callable[..., Any]:
    def resolve(*_: object) -> Any:
        raise error

    return resolve


def raising_later(error: Exception) -> Callable[..., Any]:
    async def resolve(*_: object) -> Any:
        raise error

    return resolve


def giving(value: object) -> Callable[..., Any]:
    return lambda *_: value


def giving_later(value: object) -> Callable[..., Any]:
    async def resolve(*_: object) -> object:
        return value

    return resolve


def serialize_strictly(value: object) -> str:
    if not isinstance(value, str):
        raise GraphQLError(TOLD)
    return value


def parse_strictly(value: object) -> object:
    if value == "refused":
        raise GraphQLError(TOLD)
    if value == "failing":
        raise SecretError(SECRET)
    return value


STRICT: Final = GraphQLScalarType(
    "Strict", serialize=serialize_strictly, parse_value=parse_strictly
)
FAILING: Final = GraphQLScalarType("Failing", serialize=raising(SecretError(SECRET)))
COLOUR: Final = GraphQLEnumType("Colour", {"RED": 1})
THING: Final = GraphQLObjectType(
    "Thing", {"name": GraphQLField(GraphQLString)}, is_type_of=lambda value, _: False
)
PLAIN: Final = GraphQLObjectType("Plain", {"name": GraphQLField(GraphQLString)})


def union(name: str, resolve_type: Callable[..., Any] | None) -> GraphQLUnionType:
    return GraphQLUnionType(name, [PLAIN], resolve_type=resolve_type)


def schema_with(field: GraphQLField) -> GraphQLSchema:
    return GraphQLSchema(GraphQLObjectType("Query", {"field": field}))


def serving(schema: GraphQLSchema, **options: Any) -> Application:
    app = Application()
    add_graphql(app, schema, **options)
    return app


# What is hidden: by what the field is, and what is asked for.

NAME: Final = "{ field { name } }"
HIDDEN: Final[Mapping[str, tuple[GraphQLField, str]]] = {
    "raised": (
        GraphQLField(GraphQLString, resolve=raising(SecretError(SECRET))),
        "{ field }",
    ),
    "raised later": (
        GraphQLField(GraphQLString, resolve=raising_later(SecretError(SECRET))),
        "{ field }",
    ),
    "given as a value": (
        GraphQLField(GraphQLString, resolve=giving(SecretError(SECRET))),
        "{ field }",
    ),
    "in a list": (
        GraphQLField(GraphQLList(GraphQLString), resolve=giving([SecretError(SECRET)])),
        "{ field }",
    ),
    "an HttpError": (
        GraphQLField(GraphQLString, resolve=raising(HttpError(403, SECRET))),
        "{ field }",
    ),
    "a TimeoutError": (
        GraphQLField(GraphQLString, resolve=raising_later(TimeoutError(SECRET))),
        "{ field }",
    ),
    "no int": (GraphQLField(GraphQLInt, resolve=giving(SECRET)), "{ field }"),
    "no int later": (
        GraphQLField(GraphQLInt, resolve=giving_later(SECRET)),
        "{ field }",
    ),
    "no int in a list": (
        GraphQLField(GraphQLList(GraphQLInt), resolve=giving([SECRET])),
        "{ field }",
    ),
    "too large an int": (
        GraphQLField(GraphQLInt, resolve=giving(2**40)),
        "{ field }",
    ),
    "no float": (GraphQLField(GraphQLFloat, resolve=giving(SECRET)), "{ field }"),
    "no string": (GraphQLField(GraphQLString, resolve=giving([SECRET])), "{ field }"),
    "no colour": (GraphQLField(COLOUR, resolve=giving(SECRET)), "{ field }"),
    "no colour at all": (GraphQLField(COLOUR, resolve=giving([SECRET])), "{ field }"),
    "null": (
        GraphQLField(GraphQLNonNull(GraphQLString), resolve=giving(None)),
        "{ field }",
    ),
    "no list": (
        GraphQLField(GraphQLList(GraphQLString), resolve=giving(7)),
        "{ field }",
    ),
    "a scalar that fails": (GraphQLField(FAILING, resolve=giving(1)), "{ field }"),
    "a type that it is not of": (GraphQLField(THING, resolve=giving([SECRET])), NAME),
    "a type that does not exist": (
        GraphQLField(union("A", lambda *_: SECRET), resolve=giving({})),
        "{ field { ... on Plain { name } } }",
    ),
    "no type's name": (
        GraphQLField(union("B", lambda *_: [SECRET]), resolve=giving([SECRET])),
        "{ field { ... on Plain { name } } }",
    ),
    "of no type": (
        GraphQLField(union("C", None), resolve=giving([SECRET])),
        "{ field { ... on Plain { name } } }",
    ),
    "of another type": (
        GraphQLField(union("D", lambda *_: "Query"), resolve=giving([SECRET])),
        "{ field { ... on Plain { name } } }",
    ),
}


@pytest.mark.parametrize(("field", "query"), HIDDEN.values(), ids=HIDDEN)
async def test_what_was_not_expected_is_masked_and_logged(
    caplog: pytest.LogCaptureFixture, field: GraphQLField, query: str
) -> None:
    response = await post(serving(schema_with(field)), {"query": query})
    assert response.status == 200
    [error] = response.json()["errors"]
    assert error["message"] == MASKED
    assert error.keys() == {"message", "locations", "path"}
    assert error["path"][0] == "field"
    assert SECRET not in response.text
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "bareasgi_graphql.masking")
    assert record.exc_info
    assert "field" in record.getMessage()


@pytest.mark.parametrize(("field", "query"), HIDDEN.values(), ids=HIDDEN)
async def test_masking_can_be_left_out(
    caplog: pytest.LogCaptureFixture, field: GraphQLField, query: str
) -> None:
    schema = schema_with(field)
    app = serving(schema, mask_errors=False)
    response = await post(app, {"query": query})
    [error] = response.json()["errors"]
    assert error["message"] != MASKED
    assert len(caplog.records) == 1


async def test_the_log_has_the_traceback_of_what_went_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = serving(schema_with(HIDDEN["raised"][0]))
    await post(app, {"query": "{ field }"})
    assert f"SecretError: {SECRET}" in caplog.text
    assert "in resolve" in caplog.text


@pytest.mark.parametrize("ask", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_every_transport_masks(
    caplog: pytest.LogCaptureFixture, ask: Ask
) -> None:
    app = serving(schema_with(HIDDEN["raised"][0]))
    answer = await ask(app, {"query": "{ field }"})
    assert answer.message == MASKED
    assert answer.result["data"] == {"field": None}
    assert SECRET in caplog.text


# What is told.


def raising_with_a_cause(*_: object) -> None:
    try:
        raising(SecretError(SECRET))()
    except SecretError as error:
        raise GraphQLError(TOLD, original_error=error) from error


def raising_from_within(*_: object) -> None:
    """Pass on what another schema had to say, as a gateway does."""
    inner = schema_with(GraphQLField(GraphQLString, resolve=raising(DELIBERATE())))
    errors = graphql_sync(inner, "{ field }").errors
    assert errors
    raise errors[0]


class DELIBERATE(GraphQLError):  # noqa: N818 - reads as a value in the table
    """An error of the application's own, meant for clients."""

    def __init__(self) -> None:
        super().__init__(TOLD, extensions={"code": "DELIBERATE"})


KEPT: Final[Mapping[str, GraphQLField]] = {
    "raised": GraphQLField(GraphQLString, resolve=raising(GraphQLError(TOLD))),
    "raised later": GraphQLField(
        GraphQLString, resolve=raising_later(GraphQLError(TOLD))
    ),
    "given as a value": GraphQLField(GraphQLString, resolve=giving(GraphQLError(TOLD))),
    "given later": GraphQLField(
        GraphQLString, resolve=giving_later(GraphQLError(TOLD))
    ),
    "in a list": GraphQLField(
        GraphQLList(GraphQLString), resolve=giving([GraphQLError(TOLD)])
    ),
    "of a class of its own": GraphQLField(GraphQLString, resolve=raising(DELIBERATE())),
    "with its cause": GraphQLField(GraphQLString, resolve=raising_with_a_cause),
    "of another schema": GraphQLField(GraphQLString, resolve=raising_from_within),
    "of a scalar": GraphQLField(STRICT, resolve=giving(1)),
    "of a scalar later": GraphQLField(STRICT, resolve=giving_later(1)),
    "of a scalar in a list": GraphQLField(GraphQLList(STRICT), resolve=giving([1])),
}


@pytest.mark.parametrize("field", KEPT.values(), ids=KEPT)
async def test_what_was_raised_on_purpose_is_told_and_not_logged(
    caplog: pytest.LogCaptureFixture, field: GraphQLField
) -> None:
    response = await post(serving(schema_with(field)), {"query": "{ field }"})
    assert response.status == 200
    [error] = response.json()["errors"]
    assert error["message"] == TOLD
    assert error["path"][0] == "field"
    assert SECRET not in response.text
    assert caplog.records == []


async def test_extensions_of_an_error_are_told() -> None:
    app = serving(schema_with(KEPT["of a class of its own"]))
    response = await post(app, {"query": "{ field }"})
    assert response.json()["errors"][0]["extensions"] == {"code": "DELIBERATE"}


async def test_fields_beside_one_that_fails_have_their_values() -> None:
    query = GraphQLObjectType(
        "Query",
        {
            "failing": HIDDEN["raised"][0],
            "well": GraphQLField(GraphQLString, resolve=giving("well")),
        },
    )
    response = await post(serving(GraphQLSchema(query)), {"query": "{ failing well }"})
    assert response.json()["data"] == {"failing": None, "well": "well"}


# What a client does wrong is its own, and it is told.

TAKING: Final = schema_with(
    GraphQLField(
        GraphQLString,
        args={
            "int": GraphQLArgument(GraphQLInt),
            "strict": GraphQLArgument(STRICT),
            "colour": GraphQLArgument(COLOUR),
        },
        resolve=lambda *_, **given: json.dumps(given),
    )
)


@pytest.mark.parametrize("ask", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize(
    ("type_", "argument", "value", "told"),
    [
        ("Int", "int", "abc", "cannot represent non-integer value: 'abc'"),
        ("Int", "int", 2**40, "non 32-bit signed integer value"),
        ("Colour", "colour", "BLUE", "'BLUE'"),
        ("Strict", "strict", "refused", TOLD),
    ],
)
async def test_variables_that_do_not_fit_are_told_and_not_logged(
    caplog: pytest.LogCaptureFixture,
    ask: Ask,
    type_: str,
    argument: str,
    value: object,
    told: str,
) -> None:
    query = f"query ($value: {type_}) {{ field({argument}: $value) }}"
    parameters = {"query": query, "variables": {"value": value}}
    answer = await ask(serving(TAKING), parameters)
    assert not answer.is_run
    assert "$value" in answer.message
    assert told in answer.message
    assert caplog.records == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('int: "abc"', 'Int cannot represent non-integer value: "abc"'),
        ('strict: "refused"', TOLD),
        ("colour: BLUE", "BLUE"),
        ("nothing: 1", "nothing"),
    ],
)
async def test_literals_that_do_not_fit_are_told_and_not_logged(
    caplog: pytest.LogCaptureFixture, arguments: str, told: str
) -> None:
    response = await post(serving(TAKING), {"query": f"{{ field({arguments}) }}"})
    assert response.status == 400
    assert told in response.json()["errors"][0]["message"]
    assert caplog.records == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"query": '{ field(strict: "failing") }'},
        {
            "query": "query ($value: Strict) { field(strict: $value) }",
            "variables": {"value": "failing"},
        },
    ],
    ids=["literal", "variable"],
)
async def test_a_scalar_that_fails_to_read_a_value_does_not_say_why(
    caplog: pytest.LogCaptureFixture, parameters: dict[str, Any]
) -> None:
    response = await post(serving(TAKING), parameters)
    assert response.status == 400
    assert "data" not in response.json()
    assert SECRET not in response.text
    assert SECRET in caplog.text


# The source of a subscription.


def subscribing(
    subscribe: Callable[..., Any], resolve: Callable[..., Any]
) -> GraphQLSchema:
    query = GraphQLObjectType("Query", {"field": GraphQLField(GraphQLString)})
    field = GraphQLField(GraphQLString, subscribe=subscribe, resolve=resolve)
    subscription = GraphQLObjectType("Subscription", {"field": field})
    return GraphQLSchema(query, subscription=subscription)


async def failing_source(*_: object) -> AsyncGenerator[str, None]:
    raise SecretError(SECRET)
    yield ""  # makes it a generator


async def refusing_source(*_: object) -> AsyncGenerator[str, None]:
    raise GraphQLError(TOLD)
    yield ""  # makes it a generator


async def source(*_: object) -> AsyncGenerator[str, None]:
    yield ""


@pytest.mark.parametrize(
    ("subscribe", "resolve", "message"),
    [
        (failing_source, giving(""), MASKED),
        (raising(SecretError(SECRET)), giving(""), MASKED),
        (raising_later(SecretError(SECRET)), giving(""), MASKED),
        (giving(SecretError(SECRET)), giving(""), MASKED),
        (giving([SECRET]), giving(""), MASKED),
        (source, raising(SecretError(SECRET)), MASKED),
        (source, raising_later(SecretError(SECRET)), MASKED),
        (refusing_source, giving(""), TOLD),
        (raising(GraphQLError(TOLD)), giving(""), TOLD),
        (raising_later(GraphQLError(TOLD)), giving(""), TOLD),
        (source, raising(GraphQLError(TOLD)), TOLD),
    ],
    ids=[
        "fails",
        "is not made",
        "is not made later",
        "is an error",
        "is no source",
        "has an event that fails",
        "has an event that fails later",
        "refuses",
        "is refused",
        "is refused later",
        "has an event that is refused",
    ],
)
@pytest.mark.parametrize(
    "ask",
    [ask for name, ask in TRANSPORTS.items() if name not in ("POST", "GET")],
    ids=[name for name in TRANSPORTS if name not in ("POST", "GET")],
)
async def test_a_source_that_fails_is_masked_like_a_resolver(
    caplog: pytest.LogCaptureFixture,
    ask: Ask,
    subscribe: Callable[..., Any],
    resolve: Callable[..., Any],
    message: str,
) -> None:
    app = serving(subscribing(subscribe, resolve))
    answer = await ask(app, {"query": "subscription { field }"})
    assert answer.message == message
    assert SECRET not in json.dumps(answer.result)
    assert bool(caplog.records) == (message == MASKED)


# The context.


async def test_what_the_context_raises_on_purpose_is_told() -> None:
    app = serving(TAKING, context=raising_later(GraphQLError(TOLD)))
    response = await post(app, {"query": "{ field }"})
    assert (response.status, response.json()) == (400, {"errors": [{"message": TOLD}]})


@pytest.mark.parametrize("make", [raising, raising_later])
@pytest.mark.parametrize("ask", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_a_context_that_cannot_be_made_says_nothing_to_the_client(
    caplog: pytest.LogCaptureFixture, ask: Ask, make: Callable[..., Any]
) -> None:
    app = serving(TAKING, context=make(SecretError(SECRET)))
    if ask in (TRANSPORTS["POST"], TRANSPORTS["GET"]):
        response = await post(app, {"query": "{ field }"})
        assert (response.status, response.text) == (500, MASKED)
    else:
        answer = await ask(app, {"query": "{ field }"})
        assert (answer.is_run, answer.message) == (False, MASKED)
    assert SECRET in caplog.text


# How errors are written.


async def test_format_error_makes_what_the_client_is_given() -> None:
    seen: list[GraphQLError] = []

    def format_error(error: GraphQLError) -> dict[str, Any]:
        seen.append(error)
        return {"message": error.message.upper(), "code": 7}

    for field, message in (
        (KEPT["raised"], TOLD),
        (HIDDEN["raised"][0], MASKED),
    ):
        app = serving(schema_with(field), format_error=format_error)
        response = await post(app, {"query": "{ field }"})
        assert response.json()["errors"] == [{"message": message.upper(), "code": 7}]
        # It is not given what is to be hidden.
        assert seen[-1].message == message
    assert seen[-1].original_error is None


@pytest.mark.parametrize(
    ("query", "status"),
    [("{ field", 400), ("{ nothing }", 400), ("query A { field }", 200)],
)
async def test_format_error_makes_errors_of_requests_too(
    query: str, status: int
) -> None:
    app = serving(TAKING, format_error=lambda error: {"message": "formatted"})
    response = await post(app, {"query": query})
    assert response.status == status
    if status == 400:
        assert response.json() == {"errors": [{"message": "formatted"}]}
    wrong = await post(app, {"query": query, "operationName": "B"})
    assert wrong.json() == {"errors": [{"message": "formatted"}]}


async def test_without_masking_format_error_decides_alone() -> None:
    app = serving(
        schema_with(HIDDEN["raised"][0]),
        mask_errors=False,
        format_error=lambda error: {
            "message": "formatted",
            "extensions": {"type": type(error.original_error).__name__},
        },
    )
    response = await post(app, {"query": "{ field }"})
    [error] = response.json()["errors"]
    assert error["extensions"] == {"type": "SecretError"}


def test_only_so_many_errors_are_formatted_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors = [GraphQLError("", original_error=SecretError()) for _ in range(5)]
    for limit, count in ((3, 3), (None, 5), (5, 5), (9, 5)):
        caplog.clear()
        masking = Masking(mask=True, format_error=None, limit=limit)
        assert masking.formatted(errors) == [{"message": MASKED}] * count
        assert len(caplog.records) == count


def test_an_error_without_a_cause_was_meant_for_the_client() -> None:
    secret = SecretError()
    assert unexpected(GraphQLError("told")) is None
    assert unexpected(GraphQLError("hidden", original_error=secret)) is secret
    never_raised = GraphQLError("told")
    assert unexpected(GraphQLError("told", original_error=never_raised)) is None


# Without introspection nothing is told of the schema.

RICH: Final = GraphQLSchema(
    GraphQLObjectType(
        "Query",
        {
            "colourful": GraphQLField(
                GraphQLString,
                args={
                    "colour": GraphQLArgument(
                        GraphQLEnumType("Colour", {"CRIMSON": 1, "SCARLET": 2})
                    ),
                    "amount": GraphQLArgument(GraphQLInt),
                },
                resolve=giving("yes"),
            ),
            "plain": GraphQLField(
                GraphQLInterfaceType("Named", {"name": GraphQLField(GraphQLString)})
            ),
        },
    )
)
SLIPS: Final[Mapping[str, dict[str, Any]]] = {
    "a field": {"query": "{ colourfull }"},
    "an argument": {"query": "{ colourful(coluor: CRIMSON) }"},
    "a value": {"query": "{ colourful(colour: CRIMSONE) }"},
    "a type": {"query": "query ($x: Colours) { colourful(colour: $x) }"},
    "a fragment's type": {"query": "{ ... on Querry { colourful } }"},
    "a variable's value": {
        "query": "query ($x: Colour) { colourful(colour: $x) }",
        "variables": {"x": "CRIMSONE"},
    },
    "a string for a value": {"query": '{ colourful(colour: "CRIMSON") }'},
}


@pytest.mark.parametrize("parameters", SLIPS.values(), ids=SLIPS)
async def test_names_are_suggested_only_where_the_schema_may_be_seen(
    parameters: dict[str, Any],
) -> None:
    open_, closed = serving(RICH), serving(RICH, introspection=False)
    assert "Did you mean" in (await post(open_, parameters)).text
    for ask in TRANSPORTS.values():
        answer = await ask(closed, parameters)
        assert not answer.is_run
        assert "Did you mean" not in json.dumps(answer.result)


@pytest.mark.parametrize(
    "query", ["{ __schema { types { name } } }", '{ __type(name: "Query") { name } }']
)
async def test_without_introspection_there_is_no_schema_to_be_seen(query: str) -> None:
    for ask in TRANSPORTS.values():
        answer = await ask(serving(RICH, introspection=False), {"query": query})
        assert not answer.is_run
        assert "introspection" in answer.message
    sdl = await get(serving(RICH, introspection=False), {"sdl": ""})
    assert sdl.status == 400
    assert "CRIMSON" not in sdl.text


async def test_the_names_of_types_in_results_are_no_introspection() -> None:
    app = serving(RICH, introspection=False)
    response = await post(app, {"query": "{ __typename }"})
    assert response.json() == {"data": {"__typename": "Query"}}


class Level(Enum):
    """The values of an enum of Python's."""

    LOW = "the low secret"


async def test_a_value_of_no_member_of_an_enum_is_masked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    level = GraphQLEnumType("Level", Level)
    field = GraphQLField(level, resolve=giving("the high secret"))
    response = await post(serving(schema_with(field)), {"query": "{ field }"})
    assert response.json()["errors"][0]["message"] == MASKED
    assert "the high secret" in caplog.text


async def test_more_errors_than_the_limit_are_left_out_of_a_response() -> None:
    field = GraphQLField(GraphQLList(GraphQLInt), resolve=giving([SECRET] * 5))
    app = serving(schema_with(field), limits=Limits(errors=2))
    response = await post(app, {"query": "{ field }"})
    assert [error["path"] for error in response.json()["errors"]] == [
        ["field", 0],
        ["field", 1],
    ]
