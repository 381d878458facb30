"""Requests and messages at random: nearly right, and not right at all."""

import json
import random
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import quote_plus

from graphql_transports import LEGACY, MODERN, TOKEN

from bareasgi import Header

DOCUMENTS: Final = (
    "{ hello }",
    """
    query A($name: String = "x") { hello(name: $name) self { ...F } }
    fragment F on Query { sum(of: [1, 2]) colour(of: RED) }
    """,
    "mutation B { change }",
    "subscription C { ticks(to: 2) }",
    "query D($by: Find) { find(by: $by) }",
    'query E { find(by: { and: [{ name: "a", size: 1.5e3 }], size: 2 }) }',
    "{ list(empty: false) { told failing list { hello } } }",
    '{ any(value: { a: [1, -2.5, "b", """block""", true, null, ENUM] }) }',
    "{ __schema { types { name kind fields { name } } } __typename }",
    '{ __type(name: "Query") { name } x: hello @include(if: true) @skip(if: false) }',
    "query A { hello } mutation B { change } # a comment",
)

_PIECES: Final[tuple[str, ...]] = (
    *'{}()[]:=!|&@$#"\\,._- \n\0\ufeff',
    *("...", '"""', "on", "null", "true", "query", "mutation", "subscription"),
    *("fragment F on Query { hello }", "@skip(if: true)", "@defer", "@stream", "$a"),
    *("...F", "-0", "1e999", "9" * 40, "\\ud83d", "é", "😀", "\ud800", "__schema"),
    *("type A { b: C }", "extend schema", "{ hello }", "held", "ticks", "self {"),
)

_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**70, 1e308, "", "x", "RED", "\ud800"),
    *("{ hello }", "\0", "é" * 50, [], {}, [[]], [None], [1, "a"], {"a": {}}),
    *({"": None}, {"query": "{ hello }"}, [{"query": "{ hello }"}], {"name": "x"}),
)

_METHODS: Final = (
    *("GET",) * 4,
    *("POST",) * 8,
    *("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "X-ODD"),
)

_MEDIA_TYPES: Final = (
    *(b"application/json",) * 6,
    *(b"application/graphql",) * 2,
    b"application/json; charset=utf-8",
    b'application/json; charset="UTF-8"; x=y',
    b"application/json; charset=utf-16",
    b"application/json, text/plain",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"multipart/form-data",
    b"text/plain",
    b"",
    b";;;",
    b"\xff/\xff",
)

_ACCEPTS: Final = (
    *(b"application/json", b"application/graphql-response+json", b"*/*") * 2,
    b"text/event-stream",
    b"multipart/mixed",
    b"text/html",
    b"application/*;q=0.5, text/event-stream;q=0.1",
    b"*/*;q=0",
    b"application/json;q=0, */*",
    b"text/plain",
    b"",
    b",,,;q=1",
    b"\xff\xfe",
    b'application/json;a="\\',
    b"a" * 300,
)

_ORIGINS: Final = (b"http://localhost", b"https://evil.test", b"null", b"", b"\xff")


class Chaos:
    """Makes what is sent. The same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same in every run

    def request(self) -> tuple[str, str, list[Header], bytes]:
        """Make a request: method, query string, headers and body."""
        chance = self._random
        headers: list[Header] = []
        for name, values, probability in (
            (b"content-type", _MEDIA_TYPES, 0.9),
            (b"content-type", _MEDIA_TYPES, 0.03),
            (b"accept", _ACCEPTS, 0.8),
            (b"accept", _ACCEPTS, 0.1),
            (b"origin", _ORIGINS, 0.2),
            (TOKEN, (b"", b"none", b"\xff"), 0.05),
            (b"graphql-require-preflight", (b"", b"1"), 0.1),
        ):
            if chance.random() < probability:
                headers.append((name, chance.choice(values)))
        method = chance.choice(_METHODS)
        return method, self._query_string(), headers, self._body()

    def message(self, protocol: str) -> str | bytes:
        """Make a message for a WebSocket."""
        chance = self._random
        kinds = {
            MODERN: ("subscribe", "complete", "ping", "pong", "connection_init"),
            LEGACY: ("start", "stop", "connection_init", "connection_terminate"),
        }[protocol]
        weights = [8, 4, *[1] * (len(kinds) - 2)]
        message: Any = {"type": chance.choices(kinds, weights)[0]}
        if chance.random() < 0.95:
            message["id"] = chance.choice("123")
        if chance.random() < 0.9:
            message["payload"] = self.parameters()
        if chance.random() < 0.1:
            message = self._shaken(message)
        text = json.dumps(message)
        match chance.randrange(30):
            case 0:
                return self._mangled(text).encode(errors="surrogatepass")
            case 1:
                return self._mangled(text)
            case _:
                return text

    def parameters(self) -> Any:
        """Make what is asked for, which should be an object and may be anything."""
        chance = self._random
        parameters: Any = {"query": self.document()}
        if chance.random() < 0.3:
            parameters["operationName"] = chance.choice(("A", "B", "C", "D", "Z", ""))
        if chance.random() < 0.3:
            values = {"name": "x", "by": {"and": [{"name": "y"}]}, "a": 1}
            parameters["variables"] = self._shaken(values)
        if chance.random() < 0.2:
            parameters["extensions"] = {"operationId": chance.choice("12")}
        return self._shaken(parameters) if chance.random() < 0.15 else parameters

    def document(self) -> str:
        """Make a document, half of the time one that is valid."""
        text: str = self._random.choice(DOCUMENTS)
        while self._random.random() < 0.5:
            text = self._mangled(text)
        return text

    def _mangled(self, text: str) -> str:
        """Change a text in one place."""
        chance = self._random
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 8))
        match chance.randrange(5):
            case 0:
                return text[:start] + text[end:]
            case 1:
                return (
                    text[:start] + text[start:end] * chance.choice((2, 20)) + text[end:]
                )
            case 2:
                return text[:start] + chance.choice(_PIECES) + text[end:]
            case 3:
                other = chance.choice(DOCUMENTS)
                return text[:start] + other[chance.randint(0, len(other)) :]
            case _:
                return text[:start] + chr(chance.randrange(0x3000)) + text[end:]

    def _shaken(self, value: Any) -> Any:
        """Change a JSON value somewhere."""
        chance = self._random
        if chance.random() < 0.3 or not value:
            return chance.choice(_VALUES)
        if isinstance(value, dict):
            fields = cast(dict[str, Any], value)
            name = chance.choice([*fields])
            changed = {**fields, name: self._shaken(fields[name])}
            if chance.random() < 0.2:
                del changed[name]
            return changed
        if isinstance(value, list):
            items = cast(Sequence[Any], value)
            return [self._shaken(items[0]), *items[1:]]
        return [value] * chance.randint(0, 3)

    def _query_string(self) -> str:
        chance = self._random
        if chance.random() < 0.5:
            return ""
        fields: list[tuple[str, str]] = []
        parameters = self.parameters()
        if isinstance(parameters, dict):
            fields = [
                (name, each if isinstance(each, str) else json.dumps(each))
                for name, each in cast(dict[str, Any], parameters).items()
            ]
        for name, probability in (("sdl", 0.03), ("token", 0.05), ("query", 0.03)):
            if chance.random() < probability:
                fields.append((name, chance.choice(("", "x", "{hello}"))))
        text = "&".join(
            f"{quote_plus(name, errors='replace')}={quote_plus(each, errors='replace')}"
            for name, each in fields
        )
        if chance.random() < 0.1:
            cut = chance.randint(0, len(text))
            text = text[:cut] + chance.choice(("%", "%ff", "&", "=", "+", "%00", ";"))
        return text

    def _body(self) -> bytes:
        chance = self._random
        parameters = self.parameters()
        match chance.randrange(12):
            case 0:
                return chance.randbytes(chance.randint(0, 60))
            case 1:
                return self._mangled(json.dumps(parameters)).encode(
                    errors="surrogatepass"
                )
            case 2:
                return json.dumps([parameters] * chance.randint(0, 5)).encode()
            case 3:
                return self.document().encode(errors="surrogatepass")
            case 4:
                return json.dumps(chance.choice(_VALUES)).encode()
            case _:
                return json.dumps(parameters).encode()
