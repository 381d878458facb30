"""Handlers, middlewares and options of the wrong shape."""

from bareasgi import (
    Application,
    Content,
    HttpError,
    HttpResponse,
    Info,
    Message,
    NextHandler,
    RouteMatches,
    Scope,
    bytes_reader,
    error_response,
    mw,
)

app = Application()


async def handler(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


async def too_few(scope: Scope, info: Info, matches: RouteMatches) -> HttpResponse:
    return 204


async def too_many(
    scope: Scope, info: Info, matches: RouteMatches, content: Content, more: int
) -> HttpResponse:
    return 204


async def other_types(
    scope: str, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


async def by_name(
    *, scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


def not_async(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


async def wrong_result(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> str:
    return "body"


# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, "/", too_few)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, "/", too_many)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, "/", other_types)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, "/", by_name)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, "/", not_async)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, "/", wrong_result)
# E: mypy[type-var] pyright[reportArgumentType]
app.on_http_request({"GET"}, "/")(too_few)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({b"GET"}, "/", handler)
# E: mypy[arg-type] pyright[reportArgumentType]
app.http_router.add({"GET"}, b"/", handler)
app.http_router.add({"GET"}, "/")  # E: mypy[call-arg] pyright[reportCallIssue]


async def add_in_place(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    status, headers, body, pushes = await handler(scope, info, matches, content)
    # E: mypy[attr-defined] pyright[reportAttributeAccessIssue,reportUnknownMemberType]
    headers.append((b"vary", b"origin"))
    return status, headers, body, pushes


async def forget_to_await(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    # E: mypy[return-value] pyright[reportReturnType]
    return handler(scope, info, matches, content)


async def call_with_too_little(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    # E: mypy[call-arg] pyright[reportCallIssue,reportUnknownVariableType]
    return await handler(scope)


async def change_matches(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    matches["id"] = 5  # E: mypy[index] pyright[reportIndexIssue]
    return 204


async def read_as_bytes(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    # E: mypy[assignment] pyright[reportAssignmentType]
    text: str = await bytes_reader(content)
    return 200 if text else 400


async def start(scope: Scope, info: Info) -> None:
    pass


async def stop(scope: Scope, info: Info, request: Message) -> None:
    pass


app.middlewares.append(handler)  # E: mypy[arg-type] pyright[reportArgumentType]
Application(middlewares=[handler])  # E: mypy[list-item] pyright[reportArgumentType]
# E: mypy[arg-type] pyright[reportArgumentType]
Application(middlewares=(add_in_place,))
Application([add_in_place])  # E: mypy[call-arg] pyright[reportCallIssue]
Application(info=[])  # E: mypy[arg-type] pyright[reportArgumentType]
Application(not_found_response="404")  # E: mypy[arg-type] pyright[reportArgumentType]
Application(http_router=object())  # E: mypy[arg-type] pyright[reportArgumentType]
app.on_startup(start)  # E: mypy[type-var] pyright[reportArgumentType]
app.startup_handlers.append(start)  # E: mypy[arg-type] pyright[reportArgumentType]
app.on_shutdown(handler)  # E: mypy[type-var] pyright[reportArgumentType]
mw(add_in_place, handler)  # E: mypy[arg-type,call-arg] pyright[reportCallIssue]
mw(handler, handler=handler)  # E: mypy[arg-type] pyright[reportArgumentType]
mw(add_in_place, handler=add_in_place)  # E: mypy[arg-type] pyright[reportArgumentType]
app.info = {}  # E: mypy[misc] pyright[reportAttributeAccessIssue]
HttpError("404")  # E: mypy[arg-type] pyright[reportArgumentType]
HttpError(404, 5)  # E: mypy[arg-type] pyright[reportArgumentType]
HttpError(404, None, [("x-a", "1")])  # E: mypy[list-item] pyright[reportArgumentType]
error_response(404, {})  # E: mypy[arg-type] pyright[reportArgumentType]
app.url_for(5)  # E: mypy[arg-type] pyright[reportArgumentType]
