"""The server's side of the CORS protocol, case by case.

The sections are those of the Fetch standard: "CORS protocol" with its parts, "Origin
header", and "CORS-preflight fetch", which is what a browser makes of the answers.
"""

from typing import Any, NamedTuple

import pytest

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi.testing import Response, http_request
from bareasgi_cors import add_cors

A = "https://a.example"
METHOD = "access-control-request-method"
NAMES = "access-control-request-headers"
HANDLED: dict[str, str | None] = {"x-handled": "yes"}
EVERY_METHOD = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def always(origin: str, scope: Scope) -> bool:
    return True


class Case(NamedTuple):
    """A request, the options of the policy, and what the answer must have.

    A header that `answer` gives as None must not be there.
    """

    section: str
    about: str
    method: str
    headers: dict[str, str]
    options: dict[str, Any]
    status: int
    answer: dict[str, str | None]

    def __str__(self) -> str:
        return f"{self.section}: {self.about}"


ANY: dict[str, Any] = {}
LISTED: dict[str, Any] = {"allow_origins": {A}}
CREDENTIALS: dict[str, Any] = {**LISTED, "allow_credentials": True}
NOT_GRANTED: dict[str, str | None] = {
    "access-control-allow-origin": None,
    "access-control-allow-credentials": None,
    "access-control-allow-methods": None,
    "access-control-allow-headers": None,
    "access-control-max-age": None,
    "access-control-expose-headers": None,
}


def preflight(method: str = "PUT", names: str | None = None) -> dict[str, str]:
    asked = {"origin": A, METHOD: method}
    return asked if names is None else {**asked, NAMES: names}


CASES = [
    # --- HTTP requests ----------------------------------------------------------------
    Case(
        "HTTP requests",
        "a preflight is an OPTIONS with an origin and a method",
        "OPTIONS",
        preflight(),
        LISTED,
        204,
        {"access-control-allow-origin": A, "x-handled": None, "vary": PREFLIGHT_VARY},
    ),
    Case(
        "HTTP requests",
        "without the method it is none",
        "OPTIONS",
        {"origin": A},
        LISTED,
        200,
        {**HANDLED, "access-control-allow-origin": A, "vary": "Origin"},
    ),
    Case(
        "HTTP requests",
        "names of headers do not make it one",
        "OPTIONS",
        {"origin": A, NAMES: "x-a"},
        LISTED,
        200,
        HANDLED,
    ),
    Case(
        "HTTP requests",
        "without an origin it is none",
        "OPTIONS",
        {METHOD: "PUT"},
        LISTED,
        200,
        {**HANDLED, "access-control-allow-origin": None, "vary": "Origin"},
    ),
    Case(
        "HTTP requests",
        "with another method it is none",
        "GET",
        preflight(),
        LISTED,
        200,
        {**HANDLED, "access-control-allow-origin": A},
    ),
    Case(
        "HTTP requests",
        "an origin does not mean that it takes part in the protocol",
        "POST",
        {"origin": "https://self.example"},
        LISTED,
        200,
        {**HANDLED, **NOT_GRANTED, "vary": "Origin"},
    ),
    # --- HTTP responses ---------------------------------------------------------------
    Case(
        "HTTP responses",
        "allow-origin is the literal value of the origin",
        "GET",
        {"origin": A},
        LISTED,
        200,
        {"access-control-allow-origin": A},
    ),
    Case(
        "HTTP responses",
        "or a wildcard",
        "GET",
        {"origin": A},
        ANY,
        200,
        {"access-control-allow-origin": "*", "vary": None},
    ),
    Case(
        "HTTP responses",
        "a preflight succeeds with an ok status",
        "OPTIONS",
        preflight(),
        ANY,
        204,
        {"access-control-allow-origin": "*", "vary": PREFLIGHT_VARY},
    ),
    Case(
        "HTTP responses",
        "and has none when it is refused",
        "OPTIONS",
        {**preflight(), "origin": "https://b.example"},
        LISTED,
        400,
        {**NOT_GRANTED, "x-handled": None, "vary": PREFLIGHT_VARY},
    ),
    Case(
        "HTTP responses",
        "methods, names and age belong to a preflight",
        "OPTIONS",
        preflight(names="X-B"),
        {**LISTED, "allow_methods": {"PUT", "GET"}, "allow_headers": {"x-b"}},
        204,
        {
            "access-control-allow-methods": "GET, PUT",
            "access-control-allow-headers": "accept, accept-language,"
            " content-language, content-type, range, x-b",
            "access-control-max-age": "600",
            "access-control-expose-headers": None,
        },
    ),
    Case(
        "HTTP responses",
        "but not to what follows it",
        "PUT",
        {"origin": A},
        {**LISTED, "expose_headers": {"x-total"}},
        200,
        {
            "access-control-expose-headers": "x-total",
            "access-control-allow-methods": None,
            "access-control-allow-headers": None,
            "access-control-max-age": None,
        },
    ),
    Case(
        "HTTP responses",
        "the age is a number of seconds",
        "OPTIONS",
        preflight(),
        {**LISTED, "max_age": 0},
        204,
        {"access-control-max-age": "0"},
    ),
    Case(
        "HTTP responses",
        "any origin may read what is exposed",
        "GET",
        {},
        {**ANY, "expose_headers": {"*"}},
        200,
        {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "*",
        },
    ),
    # --- CORS protocol and credentials ------------------------------------------------
    Case(
        "CORS protocol and credentials",
        "true in lower case, and an origin that is no wildcard",
        "GET",
        {"origin": A},
        CREDENTIALS,
        200,
        {
            "access-control-allow-credentials": "true",
            "access-control-allow-origin": A,
            "vary": "Origin",
        },
    ),
    Case(
        "CORS protocol and credentials",
        "a preflight, which has none itself, is told as well",
        "OPTIONS",
        preflight(),
        CREDENTIALS,
        204,
        {
            "access-control-allow-credentials": "true",
            "access-control-allow-origin": A,
        },
    ),
    Case(
        "CORS protocol and credentials",
        "no wildcard stands for the names of headers",
        "OPTIONS",
        preflight(names="x-a,x-b"),
        CREDENTIALS,
        204,
        {"access-control-allow-headers": "x-a,x-b"},
    ),
    Case(
        "CORS protocol and credentials",
        "nor for methods",
        "OPTIONS",
        preflight(),
        CREDENTIALS,
        204,
        {"access-control-allow-methods": EVERY_METHOD},
    ),
    Case(
        "CORS protocol and credentials",
        "they are not mentioned when they are not allowed",
        "GET",
        {"origin": A},
        LISTED,
        200,
        {"access-control-allow-credentials": None},
    ),
    # --- CORS protocol and HTTP caches ------------------------------------------------
    Case(
        "CORS protocol and HTTP caches",
        "an answer without an origin varies as well",
        "GET",
        {},
        LISTED,
        200,
        {**NOT_GRANTED, "vary": "Origin"},
    ),
    Case(
        "CORS protocol and HTTP caches",
        "so does a refused one",
        "GET",
        {"origin": "https://b.example"},
        LISTED,
        200,
        {**NOT_GRANTED, "vary": "Origin"},
    ),
    Case(
        "CORS protocol and HTTP caches",
        "and a granted one",
        "GET",
        {"origin": A},
        {"allow_origin_regex": r"https://[a-z]\.example"},
        200,
        {"access-control-allow-origin": A, "vary": "Origin"},
    ),
    Case(
        "CORS protocol and HTTP caches",
        "what any origin gets, everyone gets",
        "GET",
        {},
        ANY,
        200,
        {"access-control-allow-origin": "*", "vary": None},
    ),
    # --- Origin header ----------------------------------------------------------------
    Case(
        "Origin header",
        "null is granted when it is listed",
        "GET",
        {"origin": "null"},
        {"allow_origins": {"null"}},
        200,
        {"access-control-allow-origin": "null", "vary": "Origin"},
    ),
    Case(
        "Origin header",
        "null is not granted when only others are",
        "GET",
        {"origin": "null"},
        LISTED,
        200,
        NOT_GRANTED,
    ),
    Case(
        "Origin header",
        "a pattern that matches null does not grant it",
        "GET",
        {"origin": "null"},
        {"allow_origin_regex": ".*"},
        200,
        NOT_GRANTED,
    ),
    Case(
        "Origin header",
        "nor does a function",
        "OPTIONS",
        {**preflight(), "origin": "null"},
        {"allow_origins": always},
        400,
        NOT_GRANTED,
    ),
    Case(
        "Origin header",
        "null in upper case is nothing",
        "GET",
        {"origin": "NULL"},
        {"allow_origins": {"null"}},
        200,
        NOT_GRANTED,
    ),
    Case(
        "Origin header",
        "null is one of any",
        "OPTIONS",
        {**preflight(), "origin": "null"},
        ANY,
        204,
        {"access-control-allow-origin": "*"},
    ),
    # --- CORS-preflight fetch ---------------------------------------------------------
    Case(
        "CORS-preflight fetch",
        "methods compare exactly",
        "OPTIONS",
        preflight("put"),
        LISTED,
        400,
        NOT_GRANTED,
    ),
    Case(
        "CORS-preflight fetch",
        "browsers do not put patch in upper case",
        "OPTIONS",
        preflight("patch"),
        {**LISTED, "allow_methods": {"patch"}},
        204,
        {"access-control-allow-methods": "patch"},
    ),
    Case(
        "CORS-preflight fetch",
        "a method that is not listed is refused",
        "OPTIONS",
        preflight("DELETE"),
        {**LISTED, "allow_methods": {"GET", "PUT"}},
        400,
        NOT_GRANTED,
    ),
    Case(
        "CORS-preflight fetch",
        "a wildcard stands for any method",
        "OPTIONS",
        preflight("PURGE"),
        {**LISTED, "allow_methods": {"*"}},
        204,
        {"access-control-allow-methods": "*"},
    ),
    Case(
        "CORS-preflight fetch",
        "but for nothing that is no method",
        "OPTIONS",
        preflight("GET, PUT"),
        {**LISTED, "allow_methods": {"*"}},
        400,
        NOT_GRANTED,
    ),
    Case(
        "CORS-preflight fetch",
        "names of headers compare without case",
        "OPTIONS",
        preflight(names="X-TOKEN"),
        {**LISTED, "allow_headers": {"x-Token"}},
        204,
        {
            "access-control-allow-headers": "accept, accept-language,"
            " content-language, content-type, range, x-token"
        },
    ),
    Case(
        "CORS-preflight fetch",
        "a header that is not listed is refused",
        "OPTIONS",
        preflight(names="x-token, x-other"),
        {**LISTED, "allow_headers": {"x-token"}},
        400,
        NOT_GRANTED,
    ),
    Case(
        "CORS-preflight fetch",
        "authorization is not covered by a wildcard, and so named",
        "OPTIONS",
        preflight(names="authorization,x-a"),
        {**ANY, "allow_headers": {"*"}},
        204,
        {"access-control-allow-headers": "authorization,x-a"},
    ),
    Case(
        "CORS-preflight fetch",
        "authorization is refused unless it is listed",
        "OPTIONS",
        preflight(names="authorization"),
        {**LISTED, "allow_headers": {"x-a"}},
        400,
        NOT_GRANTED,
    ),
    Case(
        "CORS-preflight fetch",
        "safelisted names are always allowed",
        "OPTIONS",
        preflight(
            names="Accept, accept-language,content-language, Content-Type ,Range"
        ),
        {**LISTED, "allow_headers": set[str]()},
        204,
        {
            "access-control-allow-headers": "accept, accept-language,"
            " content-language, content-type, range"
        },
    ),
    Case(
        "CORS-preflight fetch",
        "empty elements of the list are nothing",
        "OPTIONS",
        preflight(names=", x-a,, "),
        {**LISTED, "allow_headers": {"x-a"}},
        204,
        {"access-control-allow-origin": A},
    ),
    Case(
        "CORS-preflight fetch",
        "nor are they refused where any name is allowed",
        "OPTIONS",
        preflight(names=", x-a,, "),
        ANY,
        204,
        {"access-control-allow-headers": ", x-a,, "},
    ),
    Case(
        "CORS-preflight fetch",
        "nothing is allowed where nothing was asked for",
        "OPTIONS",
        preflight(names=""),
        ANY,
        204,
        {"access-control-allow-headers": None},
    ),
    # --- Private Network Access, "CORS preflight" -------------------------------------
    Case(
        "Private Network Access",
        "is granted when it is asked for and allowed",
        "OPTIONS",
        {**preflight(), "access-control-request-private-network": "true"},
        {**LISTED, "allow_private_network": True},
        204,
        {
            "access-control-allow-private-network": "true",
            "vary": f"{PREFLIGHT_VARY}, Access-Control-Request-Private-Network",
        },
    ),
    Case(
        "Private Network Access",
        "is not mentioned when it is not asked for",
        "OPTIONS",
        preflight(),
        {**LISTED, "allow_private_network": True},
        204,
        {"access-control-allow-private-network": None},
    ),
    Case(
        "Private Network Access",
        "is not granted when it is not allowed",
        "OPTIONS",
        {**preflight(), "access-control-request-private-network": "true"},
        LISTED,
        204,
        {"access-control-allow-private-network": None},
    ),
    Case(
        "Private Network Access",
        "is asked for by true alone",
        "OPTIONS",
        {**preflight(), "access-control-request-private-network": "True"},
        {**LISTED, "allow_private_network": True},
        204,
        {"access-control-allow-private-network": None},
    ),
]


async def answer(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, [(b"x-handled", b"yes")]


async def ask(case: Case) -> Response:
    app = Application()
    methods = {"DELETE", "GET", "OPTIONS", "POST", "PUT"}
    app.http_router.add(methods, "/", answer)
    add_cors(app, **case.options)
    sent = [(name.encode(), value.encode()) for name, value in case.headers.items()]
    return await http_request(app, case.method, "/", headers=sent)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_answer_is_what_the_standard_says(case: Case) -> None:
    response = await ask(case)
    assert response.status == case.status
    names = [name.decode() for name, _ in response.headers]
    # Not one of ours is ever sent twice.
    assert len(names) == len(set(names))
    sent = {name.decode(): value.decode() for name, value in response.headers}
    for name, value in case.answer.items():
        assert sent.get(name) == value, name
    if sent.get("access-control-allow-origin") == "*":
        assert "access-control-allow-credentials" not in sent
