"""GraphiQL in Chromium, as a developer uses it: all of it comes from the package."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import contextmanager
from socket import create_server
from typing import Any
from urllib.parse import quote

import pytest
from bareutils import header
from graphql import GraphQLResolveInfo, build_schema

from bareasgi import Application, Info, RouteMatches, Scope
from bareasgi_graphql import add_graphql, add_graphql_next

from .chromium import DEADLINE, Page

pytest.importorskip("hypercorn", reason="hypercorn is not installed")

from hypercorn.asyncio import serve
from hypercorn.config import Config

SDL = '''\
"""Where to begin."""
type Query {
  "Says hello."
  hello(name: String! = "you"): String!
  "Who asks, as a header says."
  user: String
}

type Mutation {
  "Keeps a number."
  keep(number: Int!): Int!
}

type Subscription {
  "Counts from one."
  numbers(last: Int! = 1000000): Int!
  "Who asks, as a connection parameter says."
  user: String
}
'''
PICTURE = "http://localhost:1/picture.png"
STEP = 0.02  # seconds


class Server:
    """A schema, and what became of its subscriptions."""

    def __init__(self, sdl: str = SDL) -> None:
        self.ended = threading.Event()
        self.schema = schema = build_schema(sdl)
        assert schema.query_type
        assert schema.mutation_type
        assert schema.subscription_type
        schema.query_type.fields["hello"].resolve = hello
        schema.query_type.fields["user"].resolve = user
        schema.mutation_type.fields["keep"].resolve = keep
        for name, subscribe in {"numbers": self.numbers, "user": users}.items():
            schema.subscription_type.fields[name].subscribe = subscribe
            schema.subscription_type.fields[name].resolve = itself

    async def numbers(
        self, root: object, info: GraphQLResolveInfo, last: int
    ) -> AsyncIterator[int]:
        try:
            for number in range(1, last + 1):
                yield number
                await asyncio.sleep(STEP)
        finally:
            self.ended.set()


def hello(root: object, info: GraphQLResolveInfo, name: str) -> str:
    return f"Hello, {name}!"


def user(root: object, info: GraphQLResolveInfo) -> str | None:
    name: str | None = info.context
    return name


def keep(root: object, info: GraphQLResolveInfo, number: int) -> int:
    return number


async def users(root: object, info: GraphQLResolveInfo) -> AsyncIterator[str | None]:
    yield info.context


def itself(value: object, info: GraphQLResolveInfo, **arguments: object) -> object:
    return value


def context(scope: Scope, info: Info, matches: RouteMatches) -> str | None:
    """Who asks."""
    if scope["type"] == "websocket":
        name: str | None = scope["connection_params"].get("user")
        return name
    value = header.find(b"user", scope["headers"])
    return None if value is None else value.decode()


def on_connect(scope: Scope, info: Info, payload: Mapping[str, Any]) -> bool:
    return payload.get("user") != "Mallory"


@contextmanager
def serving(app: Application) -> Generator[str]:
    """Serve an application, by hypercorn in a thread of this process."""
    listener = create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    may_end = threading.Event()

    async def stop() -> None:
        await asyncio.to_thread(may_end.wait)
        await app.drain()

    async def run() -> None:
        await serve(app, config, shutdown_trigger=stop)

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    try:
        yield origin
    finally:
        may_end.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def origin(server: Server) -> Iterator[str]:
    """Where the schema is served, at `/graphql`."""
    app = Application()
    add_graphql(
        app,
        server.schema,
        context=context,
        on_connect=on_connect,
        ping_interval=STEP,
    )
    with serving(app) as address:
        yield address


QUERY = "document.querySelector('.graphiql-query-editor .CodeMirror')"
TOOLS = "document.querySelectorAll('.graphiql-editor-tool .CodeMirror')"
RUN = "document.querySelector('.graphiql-execute-button')"
ANSWER = "document.querySelector('.graphiql-response .CodeMirror')"

# Types over what is in an editor, as keys would.
TYPE = """
(editor => {
    editor.focus();
    editor.execCommand("selectAll");
    document.execCommand("insertText", false, %s);
})(%s.CodeMirror)
"""


def visit(page: Page, address: str) -> None:
    """Open GraphiQL, and wait until it knows the schema."""
    page.open(address)
    page.until(f"{QUERY}?.CodeMirror.options.lint.schema")


def write(page: Page, text: str, editor: str = QUERY) -> None:
    page.run(TYPE % (json.dumps(text), editor))
    page.until(f"{editor}.CodeMirror.getValue() == {json.dumps(text)}")
    if editor == QUERY:
        # A moment later it is parsed, and kept. Nobody is as fast as to run it before.
        page.until(f"localStorage['graphiql:query'] == {json.dumps(text)}")


def write_headers(page: Page, headers: dict[str, str]) -> None:
    press(page, "Headers")
    write(page, json.dumps(headers), f"{TOOLS}[1]")


def press(page: Page, label: str) -> None:
    """Press a button by its label or text."""
    page.run(
        "[...document.querySelectorAll('button, a, [role=menuitem]')].find(each =>"
        f" [each.ariaLabel, each.textContent].includes({json.dumps(label)})).click()"
    )


def run(page: Page) -> None:
    page.run(f"{RUN}.click()")


def until_answer(page: Page, pattern: str) -> None:
    page.until(f"{ANSWER} && /{pattern}/.test({ANSWER}.CodeMirror.getValue())")


def until_idle(page: Page) -> None:
    page.until(f"{RUN}.ariaLabel.startsWith('Execute')")


def assert_clean(page: Page, origin: str) -> None:
    """The console is empty, and nobody else was asked for anything."""
    assert page.complaints() == []
    asked = [each for each in page.addresses() if not each.startswith("data:")]
    assert [each for each in asked if not each.startswith(f"{origin}/graphql")] == []


def test_a_query_that_is_typed_is_answered(page: Page, origin: str) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "query Greet($name: String!) { hello(name: $name) }")
    write(page, '{"name": "Ada"}', f"{TOOLS}[0]")
    run(page)
    until_answer(page, '"hello": "Hello, Ada!"')
    write(page, "mutation { keep(number: 42) }")
    run(page)
    until_answer(page, '"keep": 42')
    assert_clean(page, origin)


def test_a_query_with_a_mistake_is_answered_with_what_is_wrong(
    page: Page, origin: str
) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "{ hallo }")
    run(page)
    until_answer(page, "Cannot query field 'hallo'")
    write(page, "{ hello")
    run(page)
    until_answer(page, "Syntax Error")
    assert_clean(page, origin)


def test_a_subscription_runs_until_it_is_stopped(
    page: Page, origin: str, server: Server
) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "subscription { numbers }")
    run(page)
    until_answer(page, '"numbers": [2-9]')
    assert not server.ended.is_set()
    page.until(f"{RUN}.ariaLabel.startsWith('Stop')")
    run(page)
    assert server.ended.wait(DEADLINE)
    until_idle(page)
    # Another one may be run, and one that ends is not asked for again.
    write(page, "subscription { numbers(last: 3) }")
    run(page)
    until_answer(page, '"numbers": 3')
    until_idle(page)
    assert_clean(page, origin)


def test_a_subscription_with_a_mistake_is_answered_with_what_is_wrong(
    page: Page, origin: str
) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "subscription { nombres }")
    run(page)
    until_answer(page, "Cannot query field 'nombres'")
    until_idle(page)
    assert_clean(page, origin)


def test_a_subscription_ends_with_the_page(
    page: Page, origin: str, server: Server
) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "subscription { numbers }")
    run(page)
    until_answer(page, "numbers")
    page.open("about:blank")
    assert server.ended.wait(DEADLINE)


def test_of_several_operations_the_one_that_is_chosen_is_run(
    page: Page, origin: str
) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "query Hello { hello } subscription Count { numbers(last: 2) }")
    for name, answer in {"Count": '"numbers": 2', "Hello": "Hello, you"}.items():
        # The button opens a menu, by the pointer alone.
        down = '{bubbles: true, button: 0, ctrlKey: false, pointerType: "mouse"}'
        page.run(f"{RUN}.dispatchEvent(new PointerEvent('pointerdown', {down}))")
        page.until("document.querySelector('[role=menuitem]')")
        press(page, name)
        until_answer(page, answer)
        until_idle(page)
    assert_clean(page, origin)


def test_headers_go_with_queries_and_subscriptions(page: Page, origin: str) -> None:
    visit(page, f"{origin}/graphql")
    write_headers(page, {"user": "Ada"})
    write(page, "{ user }")
    run(page)
    until_answer(page, '"user": "Ada"')
    write_headers(page, {"user": "Grace"})
    write(page, "subscription { user }")
    run(page)
    until_answer(page, '"user": "Grace"')
    assert_clean(page, origin)


def test_a_connection_that_is_refused_is_told(page: Page, origin: str) -> None:
    visit(page, f"{origin}/graphql")
    write_headers(page, {"user": "Mallory"})
    write(page, "subscription { numbers }")
    run(page)
    until_answer(page, "The socket was closed: 4403 Forbidden")
    until_idle(page)
    assert_clean(page, origin)


def test_a_server_that_goes_away_is_told(page: Page) -> None:
    server, app = Server(), Application()
    add_graphql(app, server.schema)
    with serving(app) as origin:
        visit(page, f"{origin}/graphql")
        write(page, "subscription { numbers }")
        run(page)
        until_answer(page, "numbers")
    assert server.ended.is_set()
    until_answer(page, "The socket was closed: 1001")
    until_idle(page)


def test_what_the_address_asks_for_is_shown_and_not_run(
    page: Page, origin: str
) -> None:
    query, variables = "query($a: String!) { hello(name: $a) }", '{"a": "Ada"}'
    visit(page, f"{origin}/graphql?query={quote(query)}&variables={quote(variables)}")
    page.until(f"{QUERY}.CodeMirror.getValue() == {json.dumps(query)}")
    page.until(f"{TOOLS}[0].CodeMirror.getValue() == {json.dumps(variables)}")
    assert page.run(f"{ANSWER}?.CodeMirror.getValue() ?? ''") == ""
    run(page)
    until_answer(page, "Hello, Ada")


def test_the_schema_can_be_read_in_the_explorer(page: Page, origin: str) -> None:
    visit(page, f"{origin}/graphql")
    press(page, "Show Documentation Explorer")
    panel = "document.querySelector('.graphiql-doc-explorer')"
    page.until(f"{panel}?.textContent.includes('Mutation')")
    press(page, "Query")
    page.until(f"{panel}.textContent.includes('Where to begin.')")
    press(page, "hello")
    page.until(f"{panel}.textContent.includes('Says hello.')")
    assert_clean(page, origin)


def test_what_was_asked_is_in_the_history_also_later(page: Page, origin: str) -> None:
    visit(page, f"{origin}/graphql")
    write(page, "{ user hello }")
    run(page)
    until_answer(page, "Hello")
    visit(page, f"{origin}/graphql")
    page.until(f"{QUERY}.CodeMirror.getValue() == '{{ user hello }}'")
    press(page, "Show History")
    page.until("document.querySelector('.graphiql-history-item')")
    assert_clean(page, origin)


def test_a_dialog_opens_under_the_policy_of_the_page(page: Page, origin: str) -> None:
    visit(page, f"{origin}/graphql")
    press(page, "Open settings dialog")
    page.until("document.querySelector('[role=dialog]')?.innerText.includes('Theme')")
    assert not any("Content Security Policy" in each for each in page.complaints())


def test_a_picture_in_a_description_is_not_fetched(page: Page) -> None:
    sdl = SDL.replace("Says hello.", f"![]({PICTURE})")
    app = Application()
    add_graphql(app, Server(sdl).schema)
    with serving(app) as origin:
        visit(page, f"{origin}/graphql")
        press(page, "Show Documentation Explorer")
        press(page, "Query")
        page.until("document.querySelector('.graphiql-doc-explorer img')")
        page.until("document.querySelector('.graphiql-doc-explorer img').complete")
        (complaint,) = page.complaints()
        assert "violates the following Content Security Policy" in complaint


@pytest.mark.parametrize("path", ["/", "/a/b:c", "/api/"])
def test_it_works_at_any_path(page: Page, path: str) -> None:
    app = Application()
    add_graphql(app, Server().schema, path=path)
    with serving(app) as origin:
        visit(page, f"{origin}{path}")
        write(page, "subscription { numbers(last: 2) }")
        run(page)
        until_answer(page, '"numbers": 2')
        assert page.complaints() == []


def test_it_works_in_a_mounted_application(page: Page) -> None:
    outer, inner = Application(), Application()
    add_graphql(inner, Server().schema, path="/")
    outer.mount("/inner", inner)
    with serving(outer) as origin:
        visit(page, f"{origin}/inner")
        write(page, "{ hello }")
        run(page)
        until_answer(page, "Hello")
        assert page.complaints() == []


def test_it_works_at_the_older_paths(page: Page) -> None:
    app = Application()
    add_graphql_next(app, Server().schema, path_prefix="/api")
    with serving(app) as origin:
        visit(page, f"{origin}/api/graphiql")
        write(page, "subscription { numbers(last: 2) }")
        run(page)
        until_answer(page, '"numbers": 2')
        assert page.complaints() == []
