"""What a policy can be made of, and how it explains what it decides."""

from typing import Any

import pytest

from bareasgi import Scope
from bareasgi_cors import CorsPolicy

A = {"https://a.example"}


def scope_of(
    *headers: tuple[str, str | bytes], method: str = "GET", kind: str = "http"
) -> Scope:
    sent = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers
    ]
    scope: Scope = {"type": kind, "path": "/", "headers": sent}
    return scope if kind == "websocket" else {**scope, "method": method}


def preflight(origin: str, method: str, names: str | bytes | None = None) -> Scope:
    headers: list[tuple[str, str | bytes]] = [
        ("origin", origin),
        ("access-control-request-method", method),
    ]
    if names is not None:
        headers.append(("access-control-request-headers", names))
    return scope_of(*headers, method="OPTIONS")


def has_rights(origin: str, scope: Scope) -> bool:
    return False


# --- options --------------------------------------------------------------------------


ANY_ORIGIN: list[dict[str, Any]] = [
    {},
    {"allow_origins": {"*"}},
    {"allow_origins": None, "allow_methods": {"GET"}},
    {"allow_origin_regex": ".*"},
    {"allow_origin_regex": "https?://.*"},
    {"allow_origin_regex": "http://.+"},
    {"allow_origin_regex": r"https://[\w.-]+(:\d+)?"},
    {"allow_origins": A, "allow_origin_regex": ".*"},
]


@pytest.mark.parametrize("options", ANY_ORIGIN, ids=str)
def test_any_origin_with_credentials_is_refused_with_what_to_write(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"allow_origins=\{'https://example.com'\}"):
        CorsPolicy(**options, allow_credentials=True)
    CorsPolicy(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"allow_origins": A},
        {"allow_origins": {"null"}},
        {"allow_origins": set[str]()},
        {"allow_origin_regex": r"https://([a-z]+\.)?a\.example"},
        {"allow_origin_regex": r"https://.*\.example"},
        {"allow_origin_regex": r"http://localhost:\d+"},
        {"allow_origins": has_rights},
    ],
    ids=["listed", "null", "none", "one level", "subdomains", "ports", "function"],
)
def test_credentials_go_with_origins_that_are_named(options: dict[str, Any]) -> None:
    CorsPolicy(**options, allow_credentials=True)


@pytest.mark.parametrize("option", ["allow_methods", "expose_headers"])
def test_a_wildcard_with_credentials_is_refused(option: str) -> None:
    options: dict[str, Any] = {option: {"*"}}
    with pytest.raises(ValueError, match=f"in {option} means nothing.*write the names"):
        CorsPolicy(allow_origins=A, allow_credentials=True, **options)
    CorsPolicy(allow_origins=A, **options)


def test_any_header_may_be_asked_for_with_credentials() -> None:
    CorsPolicy(allow_origins=A, allow_credentials=True, allow_headers={"*"})


@pytest.mark.parametrize("option", ["allow_methods", "allow_headers", "expose_headers"])
@pytest.mark.parametrize("given", ["GET", "", b"GET", 3])
def test_names_must_be_a_set_of_texts(option: str, given: Any) -> None:
    with pytest.raises(TypeError, match=option):
        CorsPolicy(**{option: given})


@pytest.mark.parametrize("option", ["allow_methods", "allow_headers", "expose_headers"])
@pytest.mark.parametrize(
    "name", ["", "x-a:", "a b", "a,b", "x\n", "x\r\ny: z", "é", "(a)"]
)
def test_names_must_be_names(option: str, name: str) -> None:
    options: dict[str, Any] = {option: {name}}
    with pytest.raises(ValueError, match="cannot be a name"):
        CorsPolicy(**options)


@pytest.mark.parametrize("name", ["get", "Post", "dElete"])
def test_a_method_that_browsers_never_send_so_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"write '{name.upper()}'"):
        CorsPolicy(allow_methods={name})


@pytest.mark.parametrize("option", ["allow_credentials", "allow_private_network"])
@pytest.mark.parametrize("given", ["true", "false", 1, 0, None])
def test_what_only_looks_like_a_bool_is_refused(option: str, given: Any) -> None:
    with pytest.raises(TypeError, match=f"{option} must be True or False"):
        CorsPolicy(allow_origins=A, **{option: given})


@pytest.mark.parametrize("given", ["600", 1.5, None, True])
def test_the_age_must_be_a_number(given: Any) -> None:
    with pytest.raises(TypeError, match="max_age must be a number of seconds"):
        CorsPolicy(max_age=given)


def test_the_age_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="max_age is -1: 0 has"):
        CorsPolicy(max_age=-1)


def test_an_option_that_does_not_exist_is_refused() -> None:
    options: dict[str, Any] = {"allow_origin": A}
    with pytest.raises(TypeError, match="allow_origin"):
        CorsPolicy(**options)


# --- explanations ---------------------------------------------------------------------

LISTED = CorsPolicy(
    allow_origins={"https://a.example", "https://b.example"},
    allow_methods={"GET", "PUT"},
    allow_headers={"x-a"},
)
TEN = CorsPolicy(allow_origins={f"https://{n:02}.example" for n in range(10)})
MANY = CorsPolicy(allow_origins={f"https://{n:02}.example" for n in range(30)})


EXPLANATIONS: list[tuple[CorsPolicy, Scope, str]] = [
    (
        LISTED,
        scope_of(),
        "granted: there is no Origin header, so no page of another origin",
    ),
    (
        CorsPolicy(),
        scope_of(("origin", "https://c.example")),
        "granted: any origin is allowed",
    ),
    (
        LISTED,
        scope_of(("origin", "https://a.example")),
        "granted: the origin 'https://a.example' is allowed",
    ),
    (
        LISTED,
        preflight("https://a.example", "PUT", "X-A, accept"),
        "granted: the origin 'https://a.example' is allowed",
    ),
    (
        LISTED,
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by"
            " allow_origins (https://a.example, https://b.example)"
        ),
    ),
    (
        LISTED,
        scope_of(
            ("origin", "https://a.example"), ("access-control-request-method", "EVIL")
        ),
        "granted: the origin 'https://a.example' is allowed",
    ),
    (
        TEN,
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by allow_origins ("
            + ", ".join(f"https://{n:02}.example" for n in range(10))
            + ")"
        ),
    ),
    (
        MANY,
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by allow_origins ("
            + ", ".join(f"https://{n:02}.example" for n in range(10))
            + ", and 20 more)"
        ),
    ),
    (
        CorsPolicy(allow_origins=set()),
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by"
            " allow_origins (nothing)"
        ),
    ),
    (
        CorsPolicy(allow_origin_regex="https://a.*", allow_origins={"null"}),
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by"
            " allow_origins (null) or allow_origin_regex ('https://a.*', in full)"
        ),
    ),
    (
        CorsPolicy(allow_origin_regex="https://a.*"),
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by"
            " allow_origin_regex ('https://a.*', in full)"
        ),
    ),
    (
        CorsPolicy(allow_origins=has_rights),
        scope_of(("origin", "https://c.example")),
        (
            "refused: the origin 'https://c.example' is not admitted by"
            f" the function in allow_origins ({has_rights!r})"
        ),
    ),
    (
        LISTED,
        scope_of(("origin", "null")),
        "refused: the origin 'null' is granted only where allow_origins lists it",
    ),
    (
        LISTED,
        scope_of(("origin", "https://A.com")),
        "refused: the origin 'https://A.com' is not written as browsers write one",
    ),
    (
        LISTED,
        scope_of(("origin", "https://a.example"), ("origin", "https://a.example")),
        "refused: there are several Origin headers, and a browser sends one at most",
    ),
    (
        LISTED,
        scope_of(("origin", b"\xff\r\n")),
        "refused: the origin '\u00ff\\r\\n' is not written as browsers write one",
    ),
    (
        LISTED,
        preflight("https://a.example", "DELETE"),
        "refused: the method 'DELETE' is not in allow_methods (GET, PUT)",
    ),
    (
        LISTED,
        preflight("https://a.example", "put"),
        "refused: the method 'put' is not in allow_methods (GET, PUT)",
    ),
    (
        LISTED,
        preflight("https://a.example", "PUT", "x-a,X-B"),
        (
            "refused: the header 'x-b' is not in allow_headers (accept,"
            " accept-language, content-language, content-type, range, x-a)"
        ),
    ),
    (
        LISTED,
        preflight("https://a.example", "PUT", ",".join(["x-a"] * 65)),
        "refused: over 64 headers are asked for",
    ),
    (
        LISTED,
        preflight("https://a.example", "PUT", "x" * 8193),
        "refused: the headers asked for are over 8192 bytes long",
    ),
    (
        LISTED,
        preflight("https://a.example", "PUT", "x" * 8000),
        (
            f"refused: the header '{'x' * 100}'... is not in allow_headers (accept,"
            " accept-language, content-language, content-type, range, x-a)"
        ),
    ),
    (
        CorsPolicy(),
        preflight("https://a.example", "PUT", "x-a, x b"),
        "refused: 'x b' is no name of a header",
    ),
    (
        LISTED,
        scope_of(("origin", "https://c.example"), kind="websocket"),
        (
            "refused: the origin 'https://c.example' is not admitted by"
            " allow_origins (https://a.example, https://b.example)"
        ),
    ),
    (
        CorsPolicy(),
        scope_of(("origin", "https://A.com"), kind="websocket"),
        "refused: the origin 'https://A.com' is not written as browsers write one",
    ),
]


@pytest.mark.parametrize(
    ("policy", "scope", "text"),
    EXPLANATIONS,
    # Without the address of a function.
    ids=[each[2].partition(" (<")[0] for each in EXPLANATIONS],
)
async def test_a_policy_says_which_rule_it_was(
    policy: CorsPolicy, scope: Scope, text: str
) -> None:
    assert await policy.explain(scope) == text
