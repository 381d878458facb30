"""Pages and APIs on different origins in Chromium, and the example of one of each.

The origins are ports of the loopback interface. Chromium is the judge of what a page
may read: what is refused is a `TypeError` to the page, and nothing else.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import contextmanager
from socket import create_server
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest
from bareutils import header
from programs import free_port, request, running
from repository import ROOT

from bareasgi import (
    Application,
    Content,
    Headers,
    HttpError,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    WebSocket,
    bytes_reader,
    text_response,
)
from bareasgi_cors import add_cors, websocket_origin_middleware

from .chromium import DEADLINE, Page

pytest.importorskip("hypercorn", reason="hypercorn is not installed")

from hypercorn.asyncio import serve
from hypercorn.config import Config

EXAMPLE = ROOT / "examples" / "cors" / "app.py"
HTML = b"text/html; charset=utf-8"
REFUSED = "TypeError: Failed to fetch"


class Api:
    """An API with a policy, and everything that it was asked."""

    def __init__(self, **options: Any) -> None:
        self.asked: list[tuple[str, str, bytes | None]] = []
        self.released = asyncio.Event()
        self.app = app = Application()
        policy = add_cors(app, **options)
        # Outside of it, to see the preflights as well.
        app.middlewares.insert(0, self.note)
        app.ws_middlewares.append(websocket_origin_middleware(policy))
        app.ws_router.add("/socket", self.greet)
        app.http_router.add({"GET", "POST", "PUT", "DELETE"}, "/data", self.show)
        app.http_router.add({"GET"}, "/login", self.log_in)
        app.http_router.add({"GET"}, "/refuse", self.refuse)
        app.http_router.add({"GET"}, "/fail", self.fail)
        app.http_router.add({"GET"}, "/stream", self.stream)
        app.http_router.add({"GET"}, "/release", self.release)
        app.http_router.add({"GET"}, "/redirect", self.redirect)

    async def note(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        origin = header.find(b"origin", scope["headers"])
        self.asked.append((scope["method"], scope["path"], origin))
        return await handler(scope, info, matches, content)

    async def show(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        body = await bytes_reader(content)
        cookie = header.find(b"cookie", scope["headers"], b"") or b""
        headers: Headers = [(b"x-total", b"3"), (b"x-secret", b"4")]
        text = f"{scope['method']} {body.decode()} {cookie.decode()}".strip()
        return text_response(200, headers, text)

    async def log_in(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return text_response(200, [(b"set-cookie", b"user=Ada; Path=/")], "welcome")

    async def refuse(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise HttpError(401, "Who are you?")

    async def fail(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        raise ZeroDivisionError

    async def stream(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await self.released.wait()
            yield b"last"

        return 200, [(b"content-type", b"text/plain")], chunks()

    async def release(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        self.released.set()
        return 204

    async def redirect(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        to = parse_qs(scope["query_string"])[b"to"][0]
        return 307, [(b"location", to)]

    async def greet(
        self, scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        await web_socket.send("hello")


async def show_page(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answer a POST as well, which has an origin though it is the page's own."""
    text = "<title>page</title><link rel=icon href='data:,'>"
    return text_response(200, None, text, content_type=HTML)


@contextmanager
def serving(apps: Sequence[Application]) -> Generator[list[str]]:
    """Serve applications on ports of their own, in a thread, and give the addresses."""
    addresses: list[str] = []
    configs: list[Config] = []
    for _ in apps:
        listener = create_server(("127.0.0.1", 0))
        addresses.append(f"http://127.0.0.1:{listener.getsockname()[1]}")
        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.accesslog = config.errorlog = None
        configs.append(config)
    stopping = threading.Event()

    async def stop() -> None:
        await asyncio.to_thread(stopping.wait)

    async def serve_all() -> None:
        served: list[Any] = [*apps]
        await asyncio.gather(
            *(
                serve(app, config, shutdown_trigger=stop)
                for app, config in zip(served, configs, strict=True)
            )
        )

    thread = threading.Thread(target=lambda: asyncio.run(serve_all()))
    thread.start()
    try:
        yield addresses
    finally:
        stopping.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


class Sites(NamedTuple):
    """Where the page is and where the APIs are, and the APIs themselves."""

    page: str
    addresses: dict[str, str]
    apis: dict[str, Api]


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    page = Application()
    page.http_router.add({"GET", "POST"}, "/", show_page)
    with serving([page]) as (origin,):
        apis = {
            "listed": Api(allow_origins={origin}, expose_headers={"x-total"}),
            "with credentials": Api(allow_origins={origin}, allow_credentials=True),
            "any": Api(),
            "null": Api(allow_origins={origin, "null"}),
            "another": Api(allow_origins={"http://127.0.0.1:1"}),
            "strict": Api(
                allow_origins={origin},
                allow_methods={"GET", "PUT"},
                allow_headers={"x-token"},
                max_age=0,
            ),
        }
        with serving([api.app for api in apis.values()]) as addresses:
            yield Sites(origin, dict(zip(apis, addresses, strict=True)), apis)


@pytest.fixture
def visited(page: Page, sites: Sites) -> Page:
    """A tab with the page, before anything was asked of the APIs."""
    for api in sites.apis.values():
        api.asked.clear()
    page.open(f"{sites.page}/")
    page.until("document.title == 'page'")
    return page


def fetch(page: Page, address: str, **options: Any) -> dict[str, Any]:
    """Fetch in the page: status, text and headers, or what the page gets instead."""
    answer: dict[str, Any] = page.run(
        f"fetch({json.dumps(address)}, {json.dumps(options)})"
        ".then(async response => ({status: response.status,"
        " text: await response.text(), headers: Object.fromEntries(response.headers)}))"
        ".catch(error => ({error: String(error)}))"
    )
    return answer


def asked(api: Api) -> list[str]:
    return [f"{method} {path}" for method, path, _ in api.asked]


# --- simple requests ------------------------------------------------------------------


def test_a_simple_request_is_read_with_the_headers_that_are_exposed(
    visited: Page, sites: Sites
) -> None:
    answer = fetch(visited, f"{sites.addresses['listed']}/data")
    assert (answer["status"], answer["text"]) == (200, "GET")
    assert answer["headers"]["x-total"] == "3"
    assert "x-secret" not in answer["headers"]
    assert sites.apis["listed"].asked == [("GET", "/data", sites.page.encode())]
    assert visited.complaints() == []


@pytest.mark.parametrize("path", ["data", "missing", "refuse", "fail", "stream"])
def test_no_answer_is_read_by_another_origin(
    visited: Page, sites: Sites, path: str
) -> None:
    answer = fetch(visited, f"{sites.addresses['another']}/{path}")
    assert answer == {"error": REFUSED}
    # It is not kept from being handled: that is not what the protocol is for.
    assert asked(sites.apis["another"]) == [f"GET /{path}"]
    assert any("blocked by CORS policy" in each for each in visited.complaints())


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("missing", 404, "Not Found"),
        ("refuse", 401, "Who are you?"),
        ("fail", 500, "Internal Server Error"),
    ],
)
@pytest.mark.parametrize("name", ["listed", "any"])
def test_errors_are_read_where_answers_are(
    visited: Page, sites: Sites, path: str, status: int, text: str, name: str
) -> None:
    answer = fetch(visited, f"{sites.addresses[name]}/{path}")
    assert (answer["status"], answer["text"]) == (status, text)


def test_a_stream_is_read_while_it_is_made(visited: Page, sites: Sites) -> None:
    address = sites.addresses["listed"]
    sites.apis["listed"].released.clear()
    first = visited.run(
        f"fetch('{address}/stream').then(async response => {{"
        " window.reader = response.body.getReader();"
        " return new TextDecoder().decode((await window.reader.read()).value) })"
    )
    assert first == "first"
    assert fetch(visited, f"{address}/release")["status"] == 204
    last = visited.run(
        "window.reader.read().then(({value}) => new TextDecoder().decode(value))"
    )
    assert last == "last"
    assert visited.run("window.reader.read().then(({done}) => done)") is True


# --- preflights -----------------------------------------------------------------------


def test_what_needs_permission_is_asked_for_once_and_then_remembered(
    visited: Page, sites: Sites
) -> None:
    address = f"{sites.addresses['listed']}/data"
    headers = {"content-type": "application/json", "authorization": "Bearer x"}
    for _ in range(3):
        answer = fetch(visited, address, method="PUT", headers=headers, body="{}")
        assert answer["text"] == "PUT {}"
    assert asked(sites.apis["listed"]) == ["OPTIONS /data", *["PUT /data"] * 3]


def test_with_an_age_of_0_it_is_asked_for_each_time(
    visited: Page, sites: Sites
) -> None:
    address = f"{sites.addresses['strict']}/data"
    for _ in range(2):
        answer = fetch(visited, address, method="PUT", headers={"X-Token": "a"})
        assert answer["text"] == "PUT"
    assert asked(sites.apis["strict"]) == ["OPTIONS /data", "PUT /data"] * 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("another", {"method": "PUT"}),
        ("another", {"headers": {"x-token": "a"}}),
        ("strict", {"method": "DELETE"}),
        ("strict", {"method": "PUT", "headers": {"x-other": "a"}}),
        ("strict", {"headers": {"authorization": "Bearer x"}}),
    ],
)
def test_what_is_not_permitted_is_never_sent(
    visited: Page, sites: Sites, name: str, options: dict[str, Any]
) -> None:
    answer = fetch(visited, f"{sites.addresses[name]}/data", **options)
    assert answer == {"error": REFUSED}
    assert asked(sites.apis[name]) == ["OPTIONS /data"]


def test_a_safelisted_header_with_a_value_that_is_not_is_permitted(
    visited: Page, sites: Sites
) -> None:
    headers = {"content-type": "application/json"}
    address = f"{sites.addresses['strict']}/data"
    answer = fetch(visited, address, method="PUT", headers=headers, body="[]")
    assert answer["text"] == "PUT []"


# --- credentials ----------------------------------------------------------------------


def test_cookies_are_used_where_credentials_are_allowed(
    visited: Page, sites: Sites
) -> None:
    address = sites.addresses["with credentials"]
    welcome = fetch(visited, f"{address}/login", credentials="include")
    assert welcome["text"] == "welcome"
    for method in ("GET", "PUT"):
        answer = fetch(visited, f"{address}/data", method=method, credentials="include")
        assert answer["text"] == f"{method}  user=Ada"
        assert fetch(visited, f"{address}/data", method=method)["text"] == method


@pytest.mark.parametrize("name", ["listed", "any"])
def test_no_answer_to_a_cookie_is_read_where_they_are_not(
    visited: Page, sites: Sites, name: str
) -> None:
    address = f"{sites.addresses[name]}/data"
    assert fetch(visited, address)["text"] == "GET"
    answer = fetch(visited, address, credentials="include")
    assert answer == {"error": REFUSED}


# --- redirects and origins that are null ----------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_read"),
    [("any", True), ("null", True), ("with credentials", False), ("another", False)],
)
def test_a_redirect_to_another_origin_comes_from_null(
    visited: Page, sites: Sites, name: str, *, is_read: bool
) -> None:
    to = f"{sites.addresses[name]}/data"
    answer = fetch(visited, f"{sites.addresses['listed']}/redirect?to={to}")
    assert answer.get("text") == ("GET" if is_read else None)
    assert sites.apis[name].asked == [("GET", "/data", b"null")]


def test_a_redirect_within_an_origin_keeps_the_origin(
    visited: Page, sites: Sites
) -> None:
    answer = fetch(visited, f"{sites.addresses['listed']}/redirect?to=/data")
    assert answer["text"] == "GET"
    assert sites.apis["listed"].asked[1] == ("GET", "/data", sites.page.encode())


def test_a_redirect_by_one_that_may_not_be_read_is_not_followed(
    visited: Page, sites: Sites
) -> None:
    to = f"{sites.addresses['any']}/data"
    answer = fetch(visited, f"{sites.addresses['another']}/redirect?to={to}")
    assert answer == {"error": REFUSED}
    assert sites.apis["any"].asked == []


@pytest.mark.parametrize(
    ("name", "text"), [("any", "GET"), ("null", "GET"), ("listed", REFUSED)]
)
def test_a_sandboxed_frame_has_the_origin_null(
    visited: Page, sites: Sites, name: str, text: str
) -> None:
    script = (
        f"fetch('{sites.addresses[name]}/data').then(response => response.text())"
        ".catch(String).then(text => parent.postMessage(text, '*'))"
    )
    told = visited.run(
        "new Promise(tell => {"
        " addEventListener('message', event => tell(event.data));"
        " const frame = document.createElement('iframe');"
        " frame.sandbox = 'allow-scripts';"
        f" frame.srcdoc = `<script>{script}</` + 'script>';"
        " document.body.append(frame) })"
    )
    assert told == text
    assert sites.apis[name].asked == [("GET", "/data", b"null")]


# --- what is not cross-origin ---------------------------------------------------------


def test_a_page_reads_its_own_origin_whatever_a_policy_says(
    page: Page, sites: Sites
) -> None:
    address = sites.addresses["another"]
    page.open(f"{address}/data")
    page.until("document.body && document.body.innerText.startsWith('GET')")
    answer = fetch(page, "/data", method="POST", body="own", credentials="include")
    assert answer["text"].startswith("POST own")
    assert answer["headers"]["x-secret"] == "4"


# --- websockets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told"), [("listed", "hello"), ("any", "hello"), ("another", "refused")]
)
def test_a_websocket_opens_where_the_origin_is_allowed(
    visited: Page, sites: Sites, name: str, told: str
) -> None:
    address = sites.addresses[name].replace("http://", "ws://")
    answer = visited.run(
        "new Promise(tell => {"
        f" const socket = new WebSocket('{address}/socket');"
        " socket.onmessage = event => tell(event.data);"
        " socket.onerror = () => tell('refused') })"
    )
    assert answer == told


# --- the example ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def example() -> Iterator[tuple[int, int]]:
    """The ports of the example's page and API."""
    ports = free_port(), free_port()
    env = {"PORT": str(ports[0]), "API_PORT": str(ports[1])}
    with running(sys.executable, str(EXAMPLE), port=ports[1], env=env):
        # They are opened one after the other.
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                request(ports[0], "GET", "/")
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield ports


def test_the_page_of_the_example_uses_its_api(
    page: Page, example: tuple[int, int]
) -> None:
    page.open(f"http://127.0.0.1:{example[0]}/")
    output, notes = "document.querySelector('output').innerText", "#notes li span"
    page.until(f"{output} == '1 in all'")
    page.run("document.querySelector('[name=text]').value = '<b>Sell milk</b>'")
    page.run("document.querySelector('form button').click()")
    page.until(f"{output} == '2 in all'")
    texts = f"[...document.querySelectorAll('{notes}')].map(each => each.innerText)"
    assert page.run(texts) == ["Buy milk", "<b>Sell milk</b>"]
    page.run("document.querySelector('#notes button').click()")
    page.until(f"{output} == '1 in all'")
    assert page.run(texts) == ["<b>Sell milk</b>"]
    page.run("document.querySelector('#socket').click()")
    page.until(f"{output} == 'the websocket says hello'")
    assert page.complaints() == []
    page.run("document.querySelector('#missing').click()")
    page.until(f"{output} == '404: There is no such note.'")


def test_another_page_does_not(page: Page, example: tuple[int, int]) -> None:
    # The API's own address shows its notes, and has another host name too.
    page.open(f"http://localhost:{example[1]}/notes")
    page.until("document.body && document.body.innerText.includes('text')")
    address = f"http://127.0.0.1:{example[1]}/notes"
    assert fetch(page, address) == {"error": REFUSED}


def test_the_example_says_what_is_wrong_with_a_note(
    example: tuple[int, int],
) -> None:
    for body in (b"", b"{", b"[]", b'"text"', b"\xff", b"{}"):
        answer = request(example[1], "POST", "/notes", body=body)
        assert answer.status == 400
    assert request(example[1], "POST", "/notes", body=b" " * 2000).status == 413
    assert request(example[0], "GET", "/notes").status == 404
