"""The protocols of GraphQL over WebSockets, without a socket, a loop or a schema."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import pytest

from bareasgi_graphql.limits import Limits
from bareasgi_graphql.request import GraphQLRequest
from bareasgi_graphql.subscription import (
    Close,
    Connect,
    Effects,
    LegacyWs,
    Reply,
    Start,
    Stop,
    Subprotocol,
    TransportWs,
)

Json: TypeAlias = dict[str, Any]

QUERY: Final[Json] = {"query": "{ a }"}
BOTH: Final = (TransportWs, LegacyWs)
BEGIN: Final[dict[type[Subprotocol], str]] = {
    TransportWs: "subscribe",
    LegacyWs: "start",
}
END: Final[dict[type[Subprotocol], str]] = {TransportWs: "complete", LegacyWs: "stop"}

each_protocol = pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)


def opened(
    kind: type[Subprotocol],
    limits: Limits | None = None,
    *,
    is_kept_alive: bool = False,
) -> Subprotocol:
    """Make a protocol whose client said nothing yet."""
    return kind(limits or Limits(), json.dumps, json.loads, is_kept_alive=is_kept_alive)


def connecting(kind: type[Subprotocol], limits: Limits | None = None) -> Subprotocol:
    """Make a protocol whose client asked to be let in."""
    protocol = opened(kind, limits)
    assert said(protocol, {"type": "connection_init"}) == [Connect({})]
    return protocol


def connected(kind: type[Subprotocol], limits: Limits | None = None) -> Subprotocol:
    """Make a protocol whose client was let in."""
    protocol = connecting(kind, limits)
    assert replies(protocol.connected()) == [{"type": "connection_ack"}]
    return protocol


def said(protocol: Subprotocol, message: object) -> Sequence[object]:
    """Tell a protocol what the client said, as JSON."""
    return [*protocol.received(json.dumps(message))]


def replies(effects: Sequence[object]) -> list[Json]:
    """Give the messages of effects that are nothing but replies."""
    messages: list[Json] = []
    for effect in effects:
        assert isinstance(effect, Reply)
        messages.append(json.loads(effect.text))
    return messages


def begin(protocol: Subprotocol, name: object, payload: object = QUERY) -> Json:
    """Make the message that begins an operation."""
    return {"type": BEGIN[type(protocol)], "id": name, "payload": payload}


def end(protocol: Subprotocol, name: object) -> Json:
    """Make the message that ends an operation."""
    return {"type": END[type(protocol)], "id": name}


def started(protocol: Subprotocol, name: str = "1") -> Start:
    """Begin an operation."""
    (start,) = said(protocol, begin(protocol, name))
    assert isinstance(start, Start)
    assert start.name == name
    return start


def only_close(effects: Sequence[object]) -> Close:
    """Give the one effect, which is that the socket is closed."""
    (close,) = effects
    assert isinstance(close, Close)
    return close


# Being let in.


@each_protocol
@pytest.mark.parametrize(
    ("message", "payload"),
    [
        ({}, {}),
        ({"payload": None}, {}),
        ({"payload": {}}, {}),
        ({"payload": {"token": [1]}}, {"token": [1]}),
    ],
    ids=["no payload", "null", "an empty one", "parameters"],
)
def test_a_client_asks_to_be_let_in_with_its_parameters(
    kind: type[Subprotocol], message: Json, payload: Json
) -> None:
    protocol = opened(kind)
    effects = said(protocol, {"type": "connection_init", **message})
    assert effects == [Connect(payload)]


@each_protocol
@pytest.mark.parametrize("payload", [[], "text", 1, True, False, 0, ""])
def test_parameters_that_are_no_object_are_refused(
    kind: type[Subprotocol], payload: object
) -> None:
    protocol = opened(kind)
    effects = said(protocol, {"type": "connection_init", "payload": payload})
    reason = "The payload of a message must be an object or null"
    if kind is TransportWs:
        assert effects == [Close(4400, reason)]
    else:
        message = {"type": "connection_error", "payload": {"message": reason}}
        assert replies(effects) == [message]


@each_protocol
@pytest.mark.parametrize("details", [{}, {"a": [1]}])
def test_the_acknowledgement_may_bring_something(
    kind: type[Subprotocol], details: Mapping[str, object]
) -> None:
    message = {"type": "connection_ack", "payload": details}
    assert replies(connecting(kind).connected(details)) == [message]


@each_protocol
def test_a_second_initialisation_closes_whenever_it_comes(
    kind: type[Subprotocol],
) -> None:
    close = Close(4429, "Too many initialisation requests")
    for protocol in (connecting(kind), connected(kind)):
        assert said(protocol, {"type": "connection_init"}) == [close]


@each_protocol
def test_an_initialisation_that_never_comes_closes(kind: type[Subprotocol]) -> None:
    protocol = opened(kind)
    close = Close(4408, "Connection initialisation timeout")
    assert protocol.initialisation_due() == [close]


@each_protocol
def test_an_initialisation_in_time_is_enough(kind: type[Subprotocol]) -> None:
    for protocol in (connecting(kind), connected(kind)):
        assert [*protocol.initialisation_due()] == []


def test_who_is_refused_is_told_so_by_the_close_code() -> None:
    assert connecting(TransportWs).refused() == [Close(4403, "Forbidden")]


def test_who_is_refused_is_told_so_by_a_message_of_the_older_protocol_first() -> None:
    *effects, close = connecting(LegacyWs).refused()
    message = {"type": "connection_error", "payload": {"message": "Forbidden"}}
    assert replies(effects) == [message]
    assert close == Close(4403, "Forbidden")


@each_protocol
def test_a_failure_while_a_client_is_let_in_closes(kind: type[Subprotocol]) -> None:
    *effects, close = connecting(kind).failed()
    payload = {"message": "Internal Server Error"}
    message = {"type": "connection_error", "payload": payload}
    assert replies(effects) == ([message] if kind is LegacyWs else [])
    assert close == Close(4500, "Internal Server Error")


@each_protocol
def test_a_failure_at_any_other_time_closes(kind: type[Subprotocol]) -> None:
    for protocol in (opened(kind), connected(kind)):
        assert protocol.failed() == [Close(4500, "Internal Server Error")]


@each_protocol
def test_nobody_is_let_in_who_did_not_ask(kind: type[Subprotocol]) -> None:
    for protocol in (opened(kind), connected(kind)):
        assert [*protocol.connected()] == []


@each_protocol
def test_an_operation_before_the_initialisation_closes(
    kind: type[Subprotocol],
) -> None:
    protocol = opened(kind)
    assert said(protocol, begin(protocol, "1")) == [Close(4401, "Unauthorized")]


def test_an_operation_before_the_acknowledgement_closes() -> None:
    protocol = connecting(TransportWs)
    assert said(protocol, begin(protocol, "1")) == [Close(4401, "Unauthorized")]


def test_what_an_older_client_starts_waits_for_the_acknowledgement() -> None:
    protocol = connecting(LegacyWs)
    for name in "abc":
        assert said(protocol, begin(protocol, name, {"query": name})) == []
    assert replies(said(protocol, end(protocol, "b"))) == [
        {"type": "complete", "id": "b"}
    ]
    assert said(protocol, begin(protocol, "c", {"query": "again"})) == []
    acknowledgement, *starts = protocol.connected()
    assert replies([acknowledgement]) == [{"type": "connection_ack"}]
    requests: list[tuple[str, str]] = []
    for start in starts:
        assert isinstance(start, Start)
        requests.append((start.name, start.request.query))
    assert requests == [("a", "a"), ("c", "again")]


def test_what_older_clients_start_early_is_limited_too() -> None:
    protocol = connecting(LegacyWs, Limits(subscriptions=1))
    assert said(protocol, begin(protocol, "a")) == []
    (message,) = replies(said(protocol, begin(protocol, "b")))
    assert (message["type"], message["id"]) == ("error", "b")
    assert len(protocol.connected()) == 2


@pytest.mark.parametrize("answer", ["refused", "failed"])
def test_what_an_older_client_started_never_begins_when_it_is_not_let_in(
    answer: str,
) -> None:
    protocol = connecting(LegacyWs)
    said(protocol, begin(protocol, "a"))
    effects: Effects = getattr(protocol, answer)()
    assert not any(isinstance(effect, Start) for effect in effects)
    assert [*protocol.connected()] == []


# Being kept alive.


def test_a_ping_is_answered_at_any_time_with_what_it_brought() -> None:
    for protocol in (
        opened(TransportWs),
        connecting(TransportWs),
        connected(TransportWs),
    ):
        assert replies(said(protocol, {"type": "ping"})) == [{"type": "pong"}]
        message = {"type": "ping", "payload": {"sent": 1}}
        pong = {"type": "pong", "payload": {"sent": 1}}
        assert replies(said(protocol, message)) == [pong]


def test_a_pong_may_come_at_any_time_and_is_ignored() -> None:
    for protocol in (opened(TransportWs), connected(TransportWs)):
        assert said(protocol, {"type": "pong", "payload": {"a": 1}}) == []


@pytest.mark.parametrize(("kind", "message"), [(TransportWs, "ping"), (LegacyWs, "ka")])
def test_a_client_is_pinged_once_it_was_let_in(
    kind: type[Subprotocol], message: str
) -> None:
    assert [*opened(kind).ping_due()] == []
    assert [*connecting(kind).ping_due()] == []
    assert replies(connected(kind).ping_due()) == [{"type": message}]


@pytest.mark.parametrize("is_kept_alive", [True, False])
def test_the_older_protocol_says_with_the_acknowledgement_that_it_keeps_alive(
    *, is_kept_alive: bool
) -> None:
    protocol = opened(LegacyWs, is_kept_alive=is_kept_alive)
    said(protocol, {"type": "connection_init"})
    first: list[Json] = [{"type": "connection_ack"}]
    second: list[Json] = [{"type": "ka"}] if is_kept_alive else []
    assert replies(protocol.connected()) == first + second


# Operations.


@each_protocol
def test_an_operation_is_started_with_all_of_its_request(
    kind: type[Subprotocol],
) -> None:
    protocol = connected(kind)
    payload: Json = {
        "query": "query Q($v: Int) { a }",
        "operationName": "Q",
        "variables": {"v": 1},
        "extensions": {"e": 2},
    }
    (start,) = said(protocol, begin(protocol, "an id", payload))
    assert isinstance(start, Start)
    assert start.name == "an id"
    assert start.request == GraphQLRequest(
        "query Q($v: Int) { a }", "Q", {"v": 1}, {"e": 2}
    )


@pytest.mark.parametrize(("kind", "word"), [(TransportWs, "next"), (LegacyWs, "data")])
def test_results_are_sent_as_they_come_and_then_that_there_are_no_more(
    kind: type[Subprotocol], word: str
) -> None:
    protocol = connected(kind)
    start = started(protocol)
    for result in (
        {"data": {"a": 1}},
        {"data": None, "errors": [{"message": "m"}]},
        {"data": {"a": 2}, "errors": [{"message": "m"}], "extensions": {}},
    ):
        message = {"type": word, "id": "1", "payload": result}
        assert replies(protocol.result(start, result)) == [message]
    assert replies(protocol.ended(start)) == [{"type": "complete", "id": "1"}]


@each_protocol
def test_a_result_without_data_is_an_error_and_the_end(
    kind: type[Subprotocol],
) -> None:
    protocol = connected(kind)
    start = started(protocol)
    errors = [{"message": "first"}, {"message": "second"}]
    payload = errors if kind is TransportWs else errors[0]
    message = {"type": "error", "id": "1", "payload": payload}
    assert replies(protocol.result(start, {"errors": errors})) == [message]
    assert [*protocol.ended(start)] == []
    started(protocol)


@each_protocol
def test_an_operation_that_fails_is_an_error_that_tells_nothing(
    kind: type[Subprotocol],
) -> None:
    protocol = connected(kind)
    start = started(protocol)
    masked = {"message": "Internal Server Error"}
    payload = [masked] if kind is TransportWs else masked
    message = {"type": "error", "id": "1", "payload": payload}
    assert replies(protocol.operation_failed(start)) == [message]
    assert [*protocol.ended(start)] == []


@each_protocol
def test_a_client_stops_an_operation_of_which_nothing_more_is_sent(
    kind: type[Subprotocol],
) -> None:
    protocol = connected(kind)
    start = started(protocol)
    stop, *rest = said(protocol, end(protocol, "1"))
    assert stop == Stop(start)
    # The older protocol confirms it.
    confirmed = [{"type": "complete", "id": "1"}] if kind is LegacyWs else []
    assert replies(rest) == confirmed
    assert [*protocol.result(start, {"data": {}})] == []
    assert [*protocol.result(start, {"errors": [{"message": "m"}]})] == []
    assert [*protocol.operation_failed(start)] == []
    assert [*protocol.ended(start)] == []


@each_protocol
def test_an_end_of_what_does_not_go_on_is_ignored(kind: type[Subprotocol]) -> None:
    protocol = connected(kind)
    start = started(protocol)
    protocol.ended(start)
    for name in ("1", "never begun"):
        assert said(protocol, end(protocol, name)) == []
    assert said(opened(kind), end(protocol, "1")) == []


@each_protocol
def test_a_name_is_free_again_and_its_former_operation_remains_silent(
    kind: type[Subprotocol],
) -> None:
    protocol = connected(kind)
    former = started(protocol)
    said(protocol, end(protocol, "1"))
    latter = started(protocol)
    assert [*protocol.result(former, {"data": "former"})] == []
    assert [*protocol.ended(former)] == []
    assert [*protocol.operation_failed(former)] == []
    (message,) = replies(protocol.result(latter, {"data": "latter"}))
    assert message["payload"] == {"data": "latter"}


def test_a_name_that_is_taken_closes() -> None:
    protocol = connected(TransportWs)
    started(protocol, "taken")
    effects = said(protocol, begin(protocol, "taken"))
    assert effects == [Close(4409, "Subscriber for taken already exists")]


def test_a_name_that_is_taken_replaces_in_the_older_protocol() -> None:
    protocol = connected(LegacyWs)
    former = started(protocol)
    stop, latter = said(protocol, begin(protocol, "1"))
    assert stop == Stop(former)
    assert isinstance(latter, Start)
    assert [*protocol.result(former, {"data": 1})] == []
    assert len(protocol.result(latter, {"data": 2})) == 1


@each_protocol
def test_operations_do_not_mix(kind: type[Subprotocol]) -> None:
    protocol = connected(kind)
    starts = [started(protocol, name) for name in "abc"]
    said(protocol, end(protocol, "b"))
    sent = [
        (message["id"], message["payload"]["data"])
        for start in starts
        for message in replies(protocol.result(start, {"data": start.name}))
    ]
    assert sent == [("a", "a"), ("c", "c")]


@each_protocol
def test_an_operation_too_many_is_an_error_of_its_own(kind: type[Subprotocol]) -> None:
    protocol = connected(kind, Limits(subscriptions=2))
    first = started(protocol, "a")
    started(protocol, "b")
    (message,) = replies(said(protocol, begin(protocol, "c")))
    assert (message["type"], message["id"]) == ("error", "c")
    assert "There are 2 live operations, which is the limit" in json.dumps(message)
    assert len(protocol.result(first, {"data": {}})) == 1
    # There is room again for each that ends, in whichever way.
    protocol.ended(first)
    protocol.operation_failed(started(protocol, "c"))
    protocol.result(started(protocol, "d"), {"errors": [{"message": "m"}]})
    started(protocol, "e")
    said(protocol, end(protocol, "e"))
    started(protocol, "f")


def test_a_replaced_operation_makes_room_for_the_one_in_its_place() -> None:
    protocol = connected(LegacyWs, Limits(subscriptions=1))
    former = started(protocol)
    stop, start = said(protocol, begin(protocol, "1"))
    assert stop == Stop(former)
    assert isinstance(start, Start)


@each_protocol
def test_a_lifted_limit_lets_any_number_go_on(kind: type[Subprotocol]) -> None:
    protocol = connected(kind, Limits(subscriptions=None))
    for number in range(1_000):
        started(protocol, str(number))


# Messages that there are not.

NO_MESSAGES: Final = {
    "no JSON": "no JSON",
    "nothing": "",
    "half of a message": '{"type": "ping"',
    "a number too long": "1" * 5_000,
    "nested too deeply": "[" * 100_000,
    "a list": "[]",
    "null": "null",
    "a string": '"ping"',
    "no type": "{}",
    "a type that is null": '{"type": null}',
    "a type that is a list": '{"type": ["ping"]}',
    "an unknown type": '{"type": "unknown"}',
    "a type in capitals": '{"type": "CONNECTION_INIT"}',
    "a type of the server's": '{"type": "connection_ack"}',
    "another of the server's": '{"type": "error", "id": "1", "payload": []}',
}
NO_IDS: Final[dict[str, object]] = {
    "none": None,
    "empty": "",
    "a number": 1,
    "a list": ["1"],
    "true": True,
    "an object": {},
}
NO_REQUESTS: Final[dict[str, object]] = {
    "null": None,
    "a list": [],
    "a string": "{ a }",
    "without a query": {},
    "null as query": {"query": None},
    "a number as query": {"query": 1},
    "a list as variables": {"query": "{ a }", "variables": []},
    "a string as extensions": {"query": "{ a }", "extensions": "e"},
    "a number as operationName": {"query": "{ a }", "operationName": 1},
}


def is_refused(protocol: Subprotocol, effects: Sequence[object]) -> bool:
    """Whether effects are those of what is no message of a protocol."""
    if isinstance(protocol, TransportWs):
        return only_close(effects).code == 4400
    (message,) = replies(effects)
    return message["type"] == "connection_error" and "id" not in message


@each_protocol
@pytest.mark.parametrize("text", NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_is_no_message_is_refused(kind: type[Subprotocol], text: str) -> None:
    for protocol in (opened(kind), connected(kind)):
        assert is_refused(protocol, protocol.received(text))


@each_protocol
@pytest.mark.parametrize("value", NO_IDS.values(), ids=NO_IDS)
def test_an_operation_needs_a_name(kind: type[Subprotocol], value: object) -> None:
    for message in (begin, end):
        protocol = connected(kind)
        assert is_refused(protocol, said(protocol, message(protocol, value)))


@pytest.mark.parametrize("payload", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_an_operation_needs_a_request(payload: object) -> None:
    protocol = connected(TransportWs)
    effects = said(protocol, begin(protocol, "1", payload))
    assert only_close(effects).code == 4400


@pytest.mark.parametrize("payload", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_in_the_older_protocol_the_lack_of_a_request_is_an_error_of_the_operation(
    payload: object,
) -> None:
    protocol = connected(LegacyWs)
    former = started(protocol)
    stop, *rest = said(protocol, begin(protocol, "1", payload))
    assert stop == Stop(former)
    (message,) = replies(rest)
    assert (message["type"], message["id"]) == ("error", "1")
    assert message["payload"]["message"]
    started(protocol)


@pytest.mark.parametrize("kind", ["ping", "pong", "connection_init"])
def test_the_payload_of_each_message_is_an_object(kind: str) -> None:
    protocol = opened(TransportWs)
    effects = said(protocol, {"type": kind, "payload": [1]})
    assert only_close(effects).code == 4400


@each_protocol
def test_binary_messages_close(kind: type[Subprotocol]) -> None:
    protocol = opened(kind)
    effects = protocol.received(b'{"type": "connection_init"}')
    assert effects == [Close(4400, "A message must be text")]


@each_protocol
@pytest.mark.parametrize(
    ("message", "is_too_big"),
    [
        ("x" * 40, False),
        ("x" * 41, True),
        ("é" * 20, False),
        ("é" * 21, True),
        ("\ud800" * 14, True),
        (b"x" * 41, True),
    ],
)
def test_messages_over_the_limit_of_bytes_close(
    kind: type[Subprotocol], message: str | bytes, *, is_too_big: bool
) -> None:
    protocol = opened(kind, Limits(message=40))
    effects = [*protocol.received(message)]
    assert (effects == [Close(1009, "Message too big")]) == is_too_big


@each_protocol
def test_a_lifted_limit_lets_messages_of_any_size_pass(
    kind: type[Subprotocol],
) -> None:
    protocol = opened(kind, Limits(message=None))
    message = {"type": "connection_init", "payload": {"a": "x" * 2_000_000}}
    (connect,) = said(protocol, message)
    assert isinstance(connect, Connect)


@pytest.mark.parametrize(
    "name", ["x" * 1_000_000, "é" * 1_000, "🙂" * 100, "\ud800", "\0\r\n"]
)
def test_the_reason_of_a_close_always_fits_its_frame(name: str) -> None:
    protocol = connected(TransportWs, Limits(message=None))
    started(protocol, name)
    close = only_close(said(protocol, begin(protocol, name)))
    assert close.code == 4409
    assert close.reason.startswith("Subscriber for ")
    assert len(close.reason.encode()) <= 123


@each_protocol
def test_an_unknown_type_is_not_sent_back_in_full(kind: type[Subprotocol]) -> None:
    protocol = opened(kind)
    (effect,) = said(protocol, {"type": "\0" * 100_000})
    assert len(str(effect)) < 500


# The end.


def test_an_older_client_says_that_it_leaves() -> None:
    for protocol in (opened(LegacyWs), connected(LegacyWs)):
        assert said(protocol, {"type": "connection_terminate"}) == [Close(1000, "")]


@each_protocol
def test_after_a_close_nothing_has_any_effect(kind: type[Subprotocol]) -> None:
    protocol = connected(kind)
    start = started(protocol)
    only_close(protocol.received(b"binary"))
    assert protocol.received(b"binary") == ()
    for message in (
        {"type": "connection_init"},
        {"type": "ping"},
        {"type": "unknown"},
        begin(protocol, "2"),
        end(protocol, "1"),
    ):
        assert said(protocol, message) == []
    assert protocol.connected() == ()
    assert protocol.refused() == ()
    assert protocol.failed() == ()
    assert protocol.initialisation_due() == ()
    assert protocol.ping_due() == ()
    assert protocol.result(start, {"data": {}}) == ()
    assert protocol.operation_failed(start) == ()
    assert protocol.ended(start) == ()


# Writing and reading JSON.


@each_protocol
def test_messages_are_written_and_read_by_the_functions_that_were_given(
    kind: type[Subprotocol],
) -> None:
    read: list[str | bytes] = []

    def loads(text: str | bytes) -> object:
        read.append(text)
        return json.loads(text)

    def dumps(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    protocol = kind(Limits(), dumps, loads, is_kept_alive=False)
    said(protocol, {"type": "connection_init"})
    assert read == ['{"type": "connection_init"}']
    assert protocol.connected({"name": "Zoë"}) == [
        Reply('{"type":"connection_ack","payload":{"name":"Zoë"}}')
    ]


@each_protocol
def test_a_result_that_cannot_be_written_leaves_its_operation_to_fail(
    kind: type[Subprotocol],
) -> None:
    protocol = connected(kind)
    start = started(protocol)
    for result in ({"data": object()}, {"errors": [object()]}):
        with pytest.raises(TypeError):
            protocol.result(start, result)
    (message,) = replies(protocol.operation_failed(start))
    assert message["type"] == "error"


@each_protocol
def test_an_acknowledgement_that_cannot_be_written_lets_nobody_in(
    kind: type[Subprotocol],
) -> None:
    protocol = connecting(kind)
    with pytest.raises(TypeError):
        protocol.connected({"a": object()})
    assert protocol.failed()[-1] == Close(4500, "Internal Server Error")
