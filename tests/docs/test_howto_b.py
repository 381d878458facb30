"""The guides to uploads, forms, users, sessions, tasks, streams and traces hold."""

import http.client
import json
import logging
import runpy
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import pytest
from guides import Reader, blocks_of
from howto import PAGES, changed, file, tool
from programs import free_port, on_port, running
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bareasgi.testing import http_request, http_stream, lifespan

DEADLINE: Final = 20.0
"""Seconds that anything may take; it takes far less than a tenth of them."""

ID: Final = "0b5f1a52-6a86-4b5e-9b0e-d6e1f5a1f0c3"
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
ELSEWHERE: Final = {"origin": "https://elsewhere.example"}


class Answer(NamedTuple):
    """What was answered, with its headers."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        """The name and value of the cookie that was set."""
        return self.headers["set-cookie"].partition(";")[0]


def ask(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] | None = None,
) -> Answer:
    """One request on a connection of its own. An iterable is sent in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def until(claim: Callable[[], bool]) -> None:
    """Wait until the claim is true."""
    deadline = time.monotonic() + DEADLINE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def serving(
    page: str,
    folder: Path,
    changes: Mapping[str, object] | None = None,
    *,
    title: str = "app.py",
) -> Generator[int]:
    """Serves a program of a page, as it stands but for its port and some settings.

    What it prints is in a file beside it.
    """
    port = free_port()
    program = folder / title
    text = changed(on_port(file(page, title), port), changes or {})
    program.write_text(text, "utf-8")
    command = 'exec "$0" "$1" >printed 2>&1'
    with running("sh", "-c", command, sys.executable, title, port=port, cwd=folder):
        yield port


def multipart(parts: Iterable[tuple[str, str | None, bytes]]) -> bytes:
    """A form of fields: the name, that of a file or None, and what it has."""
    body = b""
    for name, filename, value in parts:
        body += f'--x\r\ncontent-disposition: form-data; name="{name}"'.encode()
        body += b"" if filename is None else f'; filename="{filename}"'.encode()
        body += b"\r\n\r\n" + value + b"\r\n"
    return body + b"--x--\r\n"


MULTIPART: Final = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "page",
    [
        "uploads.md",
        "forms.md",
        "authentication.md",
        "sessions.md",
        "background-work.md",
        "event-streams.md",
        "opentelemetry.md",
    ],
)
def test_a_guide_prints_what_it_shows(page: str, tmp_path: Path) -> None:
    tool("curl")
    folder = tmp_path / "reader"
    folder.mkdir()
    Reader(folder, free_port()).follow(
        block
        for block in blocks_of(PAGES / page)
        if block.title is not None or block.language == "console"
    )


# Uploads


def test_files_of_a_form_are_kept_whole_under_names_of_the_server(
    tmp_path: Path,
) -> None:
    big = bytes(range(256)) * 4_000
    form = multipart(
        [
            ("title", None, "Été".encode()),
            ("file", "big.bin", big),
            ("file", "../../etc/passwd", b"small"),
            ("file", "empty.txt", b""),
            ("file", "", b""),  # what a browser sends when nothing was chosen
        ]
    )
    with serving("uploads.md", tmp_path) as port:
        page = ask(port, "GET", "/")
        assert b'enctype="multipart/form-data"' in page.body
        answer = ask(port, "POST", "/", MULTIPART, form)
        assert answer.status == 201
        taken = json.loads(answer.body)
        assert taken["fields"] == {"title": "Été"}
        names = [each["filename"] for each in taken["files"]]
        assert names == ["big.bin", "../../etc/passwd", "empty.txt"]
        kept = {path.name for path in (tmp_path / "uploads").iterdir()}
        assert kept == {each["id"] for each in taken["files"]}
        for each, content in zip(taken["files"], [big, b"small", b""], strict=True):
            back = ask(port, "GET", f"/files/{each['id']}")
            assert (back.status, back.body) == (200, content)
            assert back.headers["content-disposition"].startswith("attachment")
            assert back.headers["x-content-type-options"] == "nosniff"
        assert ask(port, "GET", f"/files/{ID}").status == 404


def test_an_upload_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    bounds = {"10 * 1024 * 1024": 200_000, "MAX_PARTS = 20": "MAX_PARTS = 3"}
    many = multipart([("file", "a", b"a")] * 4)
    long = multipart([("file", "a", b"a"), ("title", None, b"a" * 10_001)])
    large = [b"a" * 50_000] * 5
    with serving("uploads.md", tmp_path, bounds) as port:
        announced = {"content-length": "200001"}
        assert ask(port, "PUT", f"/files/{ID}", announced).status == 413
        assert ask(port, "PUT", f"/files/{ID}", None, large).status == 413
        assert ask(port, "POST", "/", MULTIPART, large).status == 413
        assert ask(port, "POST", "/", MULTIPART, many).status == 413
        assert ask(port, "POST", "/", MULTIPART, long).status == 413
        cut = multipart([("file", "a", b"a")])[:-4]
        assert ask(port, "POST", "/", MULTIPART, cut).status == 400
        assert ask(port, "POST", "/", FORM, b"a=b").status == 415
        no_boundary = {"content-type": "multipart/form-data"}
        assert ask(port, "POST", "/", no_boundary, b"a").status == 400
        assert [*(tmp_path / "uploads").iterdir()] == []
        assert ask(port, "PUT", f"/files/{ID}", None, b"a" * 200_000).status == 204


def test_an_upload_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    head = f"PUT /files/{ID} HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n"
    with serving("uploads.md", tmp_path) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head.encode() + b"a" * 50_000)
            until(lambda: [*(tmp_path / "uploads").glob(f"*/{ID}")] != [])
        until(lambda: [*(tmp_path / "uploads").iterdir()] == [])


def test_an_upload_that_stands_still_is_given_up(tmp_path: Path) -> None:
    head = f"PUT /files/{ID} HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n"
    shorter = {"MAX_SECONDS = 300": "MAX_SECONDS = 0.5"}
    with (
        serving("uploads.md", tmp_path, shorter) as port,
        socket.create_connection(("127.0.0.1", port), DEADLINE) as client,
    ):
        client.sendall(head.encode() + b"a")
        assert client.recv(100).startswith(b"HTTP/1.1 408")
        until(lambda: [*(tmp_path / "uploads").iterdir()] == [])


# Forms


def test_a_form_is_read_whichever_way_it_comes_and_shown_escaped(
    tmp_path: Path,
) -> None:
    with serving("forms.md", tmp_path) as port:
        fields = {"name": "<b>Zoë", "message": "Tea & cake"}
        sent = ask(port, "POST", "/", FORM, urlencode(fields).encode())
        assert (sent.status, sent.headers["location"]) == (303, "/")
        body = multipart([("name", None, b"Bob"), ("message", None, b"Lovely")])
        assert ask(port, "POST", "/", MULTIPART, body).status == 303
        page = ask(port, "GET", "/").text
        assert "<li>&lt;b&gt;Zoë: Tea &amp; cake<li>Bob: Lovely</ul>" in page


def test_a_form_that_is_not_complete_is_shown_again(tmp_path: Path) -> None:
    with serving("forms.md", tmp_path) as port:
        again = ask(port, "POST", "/", FORM, urlencode({"message": "</p>"}).encode())
        assert again.status == 422
        assert "Write your name and a message." in again.text
        assert '<textarea name="message">&lt;/p&gt;</textarea>' in again.text


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param(FORM, b"name=%ff&message=a", 400, id="not UTF-8, quoted"),
        pytest.param(FORM, b"name=\xff&message=a", 400, id="not UTF-8"),
        pytest.param(FORM, b"a=1&" * 60, 400, id="too many fields"),
        pytest.param(FORM, b"a" * 70_000, 413, id="too long"),
        pytest.param(MULTIPART, b"--x\r\n", 400, id="cut short"),
        pytest.param(
            MULTIPART, multipart([("name", "a.txt", b"a")]), 400, id="with a file"
        ),
        pytest.param(
            MULTIPART, multipart([("name", None, b"\xff")]), 400, id="a part not UTF-8"
        ),
        pytest.param({"content-type": "text/plain"}, b"a", 415, id="no form"),
        pytest.param({}, b"a", 415, id="no type"),
        pytest.param(
            {**FORM, **ELSEWHERE}, b"name=a&message=b", 403, id="from elsewhere"
        ),
    ],
)
async def test_what_no_form_of_this_page_sends_is_refused(
    headers: Mapping[str, str], body: bytes, status: int, tmp_path: Path
) -> None:
    app = application("forms.md", tmp_path)["app"]
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = await http_request(app, "POST", "/", headers=sent, content=body)
    assert answer.status == status
    assert "<li>" not in (await http_request(app, "GET", "/")).text


def application(
    page: str,
    folder: Path,
    changes: Mapping[str, object] | None = None,
    title: str = "app.py",
) -> dict[str, Any]:
    """What a program of a page defines. It does not serve by being imported."""
    program = folder / title
    program.write_text(changed(file(page, title), changes or {}), "utf-8")
    return runpy.run_path(str(program))


# Authentication


def basic(name: str, password: str) -> dict[str, str]:
    pair = b64encode(f"{name}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def test_users_are_known_by_password_and_by_token(tmp_path: Path) -> None:
    with serving("authentication.md", tmp_path) as port:
        ada = basic("ada", "analytical")
        assert ask(port, "GET", "/").status == 200
        nobody = ask(port, "GET", "/users/bob")
        assert nobody.status == 401
        challenges = nobody.headers.get_all("www-authenticate") or []
        assert [each.split()[0] for each in challenges] == ["Basic", "Bearer"]
        assert json.loads(ask(port, "GET", "/users/bob", ada).body)["you"] == "ada"
        assert ask(port, "POST", "/users/bob/tokens", ada).status == 403
        token = ask(port, "POST", "/users/ada/tokens", ada)
        assert (token.status, token.headers["cache-control"]) == (201, "no-store")
        bearer = {"authorization": f"bearer {token.text}"}
        assert json.loads(ask(port, "GET", "/users/bob", bearer).body)["you"] == "ada"

        address = f"ws://127.0.0.1:{port}/rooms/tea"
        with connect(address, additional_headers=bearer) as client:
            client.send("hello")
            assert client.recv() == "ada in tea: 'hello'"
        for headers, status in [({}, 401), ({**bearer, **ELSEWHERE}, 403)]:
            with pytest.raises(InvalidStatus) as refused:
                connect(address, additional_headers=headers)
            assert refused.value.response.status_code == status


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ?",
        "Basic /w==",  # a byte that is not UTF-8
        "Basic YWRh",  # no colon
        basic("ada", "wrong")["authorization"],
        basic("nobody", "analytical")["authorization"],
        "Bearer",
        "Bearer é",
        "Digest a",
    ],
)
async def test_whoever_is_not_known_gets_a_401_everywhere(
    value: str, tmp_path: Path
) -> None:
    app = application("authentication.md", tmp_path)["app"]
    headers = [(b"authorization", value.encode("latin-1"))]
    for path in ("/users/ada", "/no-such-page"):
        assert (await http_request(app, "GET", path, headers=headers)).status == 401


# Sessions


def test_a_signed_session_counts_forgets_and_cannot_be_forged(tmp_path: Path) -> None:
    with serving("sessions.md", tmp_path) as port:
        first = ask(port, "GET", "/")
        assert first.text == "Visit 1\n"
        assert first.headers["set-cookie"].endswith("Secure; HttpOnly; SameSite=Lax")
        second = ask(port, "GET", "/", {"cookie": first.cookie})
        assert second.text == "Visit 2\n"
        kept = {"cookie": second.cookie}
        shown = ask(port, "GET", "/visits", kept)
        assert (shown.text, shown.headers["set-cookie"]) == ("2\n", None)
        # The payload of the one with the signature of the other.
        payload = second.cookie.partition(".")[0]
        signature = first.cookie.partition(".")[2]
        forged = {"cookie": f"{payload}.{signature}"}
        assert ask(port, "GET", "/visits", forged).text == "0\n"
        forgotten = ask(port, "POST", "/visits", kept)
        assert forgotten.cookie == "__Host-session="
        assert "Max-Age=0" in forgotten.headers["set-cookie"]


async def test_a_signed_session_ends_with_its_time(tmp_path: Path) -> None:
    over = {"MAX_AGE = 14 * 24 * 3600": "MAX_AGE = -1"}
    app = application("sessions.md", tmp_path, over)["app"]
    first = await http_request(app, "GET", "/")
    cookie = dict(first.headers)[b"set-cookie"].partition(b";")[0]
    second = await http_request(app, "GET", "/", headers=[(b"cookie", cookie)])
    assert second.text == "Visit 1\n"


def test_a_session_of_the_server_begins_anew_at_each_login_and_ends(
    tmp_path: Path,
) -> None:
    right = urlencode({"name": "ada", "password": "analytical"}).encode()
    wrong = urlencode({"name": "ada", "password": "anal"}).encode()
    with serving("sessions.md", tmp_path, title="login.py") as port:
        assert ask(port, "POST", "/login", FORM, wrong).status == 403
        assert ask(port, "POST", "/login", FORM, b"name=\xff").status == 400
        assert ask(port, "POST", "/login", {**FORM, **ELSEWHERE}, right).status == 403
        planted = {"cookie": "__Host-session=planted"}
        first = ask(port, "POST", "/login", {**FORM, **planted}, right)
        assert first.status == 303
        assert "log in" in ask(port, "GET", "/", planted).text.lower()
        old = {"cookie": first.cookie}
        assert "Visit 1" in ask(port, "GET", "/", old).text
        assert "Visit 2" in ask(port, "GET", "/", old).text
        second = ask(port, "POST", "/login", {**FORM, **old}, right)
        assert second.cookie != first.cookie
        assert "Hello" not in ask(port, "GET", "/", old).text
        new = {"cookie": second.cookie}
        assert ask(port, "POST", "/logout", {**new, **ELSEWHERE}).status == 403
        assert "Hello" in ask(port, "GET", "/", new).text
        assert ask(port, "POST", "/logout", new).status == 303
        assert "Hello" not in ask(port, "GET", "/", new).text


@pytest.mark.parametrize(
    "bound",
    [
        {"MAX_SESSIONS = 100_000": "MAX_SESSIONS = 1"},
        {"MAX_AGE = 3600.0": "MAX_AGE = -1.0"},
    ],
)
def test_sessions_of_the_server_are_bounded(
    bound: Mapping[str, object], tmp_path: Path
) -> None:
    sessions = application("sessions.md", tmp_path, bound, "login.py")["Sessions"]()
    cookies = [sessions.begin({"user": name})[1] for name in ("ada", "bob")]
    found = [
        sessions.find({"headers": [(b"cookie", cookie.partition(b";")[0])]})
        for cookie in cookies
    ]
    assert found[0] is None
    assert found[1] == (None if "MAX_AGE = 3600.0" in bound else {"user": "bob"})


# Background work


def state(port: int, place: str) -> str:
    """What became of a report, in the end."""

    def report() -> dict[str, str]:
        found: dict[str, str] = json.loads(ask(port, "GET", place).body)
        return found

    until(lambda: report()["state"] in {"done", "failed"})
    return report()["state"]


def test_orders_are_made_refused_when_there_are_too_many_and_finished_at_the_end(
    tmp_path: Path,
) -> None:
    # Nothing is finished before there is a file of this name.
    waiting = "while not Path('go').exists():\n        sleep(0.01)"
    changes = {
        "    sleep(0.1)": f"    {waiting}",
        "from uuid": "from pathlib import Path\nfrom uuid",
        "MAX_WAITING = 100": "MAX_WAITING = 3",
    }
    with serving("background-work.md", tmp_path, changes) as port:
        assert ask(port, "GET", "/health").text == "True\n"
        answers = [ask(port, "POST", f"/reports/{number}") for number in range(10)]
        refused = [each for each in answers if each.status == 503]
        taken = [each for each in answers if each.status == 202]
        # Two are worked on, three wait. How soon the first are begun is not known.
        assert 3 <= len(taken) <= 5
        assert all(each.headers["retry-after"] == "10" for each in refused)
        assert len(taken) + len(refused) == 10
        places = [each.headers["location"] for each in taken]
        assert [each.text for each in taken] == [f"{place}\n" for place in places]

        (tmp_path / "go").touch()
        assert {state(port, place) for place in places} == {"done"}
        failed = ask(port, "POST", "/reports/the%20end%20of%20the%20world").text
        assert state(port, failed.strip()) == "failed"
        another = ask(port, "POST", "/reports/plums").text
        assert state(port, another.strip()) == "done"
        assert ask(port, "GET", f"/reports/{ID}").status == 404
    printed = (tmp_path / "printed").read_text()
    assert "'/health' 200 complete" in printed
    assert "ValueError: not yet" in printed


async def test_what_is_on_the_queue_is_made_before_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = application("background-work.md", tmp_path)["app"]
    assert (await http_request(app, "GET", "/health")).status == 503
    async with lifespan(app):
        assert (await http_request(app, "GET", "/health")).status == 200
        places = [
            (await http_request(app, "POST", f"/reports/{number}")).text.strip()
            for number in range(10)
        ]
    states = [(await http_request(app, "GET", place)).json() for place in places]
    assert [each["state"] for each in states] == ["done"] * 10
    assert (await http_request(app, "GET", "/health")).status == 503
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_a_response_is_logged_as_it_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "reports")
    app = application("background-work.md", tmp_path)["app"]

    async def endless(scope: Any, info: Any, matches: Any, content: Any) -> Any:
        async def body() -> Any:
            while True:
                yield b"a"

        return 200, None, body()

    app.http_router.add({"GET"}, "/endless", endless)
    await http_request(app, "GET", "/health")
    async with http_stream(app, "GET", "/endless") as stream:
        await stream.chunk()
    ends = [record.getMessage().rsplit(maxsplit=2)[0] for record in caplog.records]
    assert ends == ["'/health' 503 complete", "'/endless' 200 cut"]


# Event streams


@contextmanager
def listening(
    port: int, last: str | None = None
) -> Generator[Callable[[], dict[str, str]]]:
    """Listens to a room. Gives what waits for the next event, and takes it apart."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    headers = {} if last is None else {"last-event-id": last}
    connection.request("GET", "/rooms/tea", headers=headers)
    response = connection.getresponse()
    assert response.headers["content-type"] == "text/event-stream"

    def next_event() -> dict[str, str]:
        fields: dict[str, str] = {}
        while line := response.readline().decode().strip():
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    with closing(connection), closing(response):
        assert 1000 <= int(next_event()["retry"]) <= 3000
        yield next_event


def say(port: int, text: str) -> None:
    assert ask(port, "POST", "/rooms/tea", None, text.encode()).status == 204


def test_all_listeners_hear_what_is_said_and_what_they_missed(tmp_path: Path) -> None:
    with serving("event-streams.md", tmp_path, {"KEPT = 100": "KEPT = 3"}) as port:
        with listening(port) as hear, listening(port) as hear_too:
            say(port, "one")
            one = hear()
            assert one["data"] == "one"
            assert hear_too() == one
        for text in ("two", "three"):
            say(port, text)
        with listening(port, one["id"]) as hear:
            assert [hear()["data"] for _ in range(2)] == ["two", "three"]
            say(port, "four")
            assert hear()["data"] == "four"
        say(port, "five")
        with listening(port, one["id"]) as hear:
            assert hear() == {"event": "gap", "data": "Some messages are lost."}
            assert [hear()["data"] for _ in range(3)] == ["three", "four", "five"]

        assert ask(port, "GET", "/rooms/none").status == 404
        assert ask(port, "GET", "/rooms/tea", {"last-event-id": "a"}).status == 400
        assert ask(port, "POST", "/rooms/tea", ELSEWHERE, b"a").status == 403
        assert ask(port, "POST", "/rooms/tea", None, b"\xff").status == 400
        assert ask(port, "POST", "/rooms/tea", None, b"a" * 1001).status == 413


def test_listeners_are_counted_and_cut_when_the_server_ends(tmp_path: Path) -> None:
    few = {"MAX_LISTENERS = 1000": "MAX_LISTENERS = 1"}
    with ExitStack() as listener, serving("event-streams.md", tmp_path, few) as port:
        with listening(port):
            refused = ask(port, "GET", "/rooms/tea")
            assert (refused.status, refused.headers["retry-after"]) == (503, "30")
        # The one has left, and soon there is room for another.
        until(lambda: ask(port, "HEAD", "/rooms/tea").status == 200)
        # The server ends before this one leaves.
        listener.enter_context(listening(port))


async def test_a_listener_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    app = application("event-streams.md", tmp_path)["app"]
    async with (
        http_stream(app, "GET", "/rooms/tea") as slow,
        http_stream(app, "GET", "/rooms/tea") as fast,
    ):
        for stream in (slow, fast):
            assert b"retry" in await stream.chunk()
        for number in range(150):
            said = str(number).encode()
            answer = await http_request(app, "POST", "/rooms/tea", content=said)
            assert answer.status == 204
            assert (await fast.chunk()).endswith(b"data: %d\n\n" % number)
        # It may have been given the first before the others were said.
        late = [await slow.chunk() for _ in range(101)]
        assert b"event: gap" in late[0] + late[1]
        assert b"event: gap" not in b"".join(late[2:])
    assert app.info["listeners"] == 0


# OpenTelemetry


def test_spans_have_the_names_of_routes_and_one_trace_a_request(
    tmp_path: Path,
) -> None:
    def spans() -> list[dict[str, Any]]:
        lines = (tmp_path / "printed").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def named(name: str) -> list[dict[str, Any]]:
        return [each for each in spans() if each["name"] == name]

    with serving("opentelemetry.md", tmp_path) as port:
        for number in (7, 8):
            assert ask(port, "GET", f"/fruit/{number}").status == 200
        trace = "0af7651916cd43dd8448eb211c80319c"
        parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        assert ask(port, "GET", "/fruit", parent).text == "0\n1\n2\n"
        assert ask(port, "GET", "/fruit/0").status == 500
        assert ask(port, "UNHEARD-OF", "/nowhere").status == 404
        with connect(f"ws://127.0.0.1:{port}/rooms/tea") as client:
            client.send("hello")
            assert client.recv() == "hello"
        until(lambda: named("WEBSOCKET /rooms/{name}") != [])

    one, two, broken = named("GET /fruit/{id}")
    assert one["attributes"]["http.route"] == "/fruit/{id}"
    inner = [each["parent_id"] for each in named("look up")]
    assert inner == [each["context"]["span_id"] for each in (one, two, broken)]
    assert one["context"]["trace_id"] != two["context"]["trace_id"]
    assert broken["status"]["status_code"] == "ERROR"
    assert [each["name"] for each in broken["events"]] == ["exception"]
    (stream,) = named("GET /fruit")
    assert stream["context"]["trace_id"] == f"0x{trace}"
    rows = [each["parent_id"] for each in named("read a row")]
    assert rows == [stream["context"]["span_id"]] * 3
    names = {each["name"] for each in spans()}
    # Besides, there is the question whether the program answers yet.
    assert names == {
        *("look up", "read a row", "HTTP", "GET /fruit", "GET /fruit/{id}"),
        "WEBSOCKET /rooms/{name}",
    }
