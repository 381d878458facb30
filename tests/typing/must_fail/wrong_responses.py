"""Responses that no handler may return."""

from collections.abc import AsyncIterator, Iterator

from bareasgi import (
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_response,
    bytes_writer,
    json_response,
    text_response,
    text_writer,
)


async def str_status(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return "200", [(b"x-a", b"1")]  # E: mypy[return-value] pyright[reportReturnType]


async def only_str_status(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return "200"  # E: mypy[return-value] pyright[reportReturnType]


async def str_header_names(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    # E: mypy[return-value] pyright[reportReturnType]
    return 200, [("content-type", "text/plain")]


async def dict_headers(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    # E: mypy[return-value] pyright[reportReturnType]
    return 200, {b"content-type": b"text/plain"}


async def bytes_body(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, b"body"  # E: mypy[return-value] pyright[reportReturnType]


async def str_body(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, "body"  # E: mypy[return-value] pyright[reportReturnType]


async def body_of_text(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    async def lines() -> AsyncIterator[str]:
        yield "line"

    return 200, None, lines()  # E: mypy[return-value] pyright[reportReturnType]


async def sync_body(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    def lines() -> Iterator[bytes]:
        yield b"line"

    return 200, None, lines()  # E: mypy[return-value] pyright[reportReturnType]


async def nothing(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return None  # E: mypy[return-value] pyright[reportReturnType]


async def list_response(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return [200]  # E: mypy[return-value] pyright[reportReturnType]


async def five_parts(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    # E: mypy[return-value] pyright[reportReturnType]
    return 200, None, None, None, None


async def no_parts(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return ()  # E: mypy[return-value] pyright[reportReturnType]


async def pushes_without_headers(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    # E: mypy[list-item] pyright[reportReturnType]
    return 200, None, None, ["/style.css"]


text_writer(b"bytes")  # E: mypy[arg-type] pyright[reportArgumentType]
bytes_writer("text")  # E: mypy[arg-type] pyright[reportArgumentType]
# E: mypy[list-item] pyright[reportArgumentType]
text_response(200, [("x-a", "1")], "text")
bytes_response("200", None, b"bytes")  # E: mypy[arg-type] pyright[reportArgumentType]
# E: mypy[arg-type] pyright[reportArgumentType]
json_response(200, None, {}, content_type="application/json")
