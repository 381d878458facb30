"""Plain requests: every server gives the same answer, and only what we answered."""

import asyncio

import pytest

from .clients import CutError, Exchange, Head
from .servers import DEADLINE, EVERY, OVER_TCP, Endpoint, troubles

every_endpoint = pytest.mark.parametrize("endpoint", EVERY, indirect=True)

SHOWN = b"{'name': 'bar', 'id': 12, 'created': datetime.datetime(2020, 1, 31, 0, 0)}"

# Method, path, status, content-type, content-length, body, allow.
ANSWERS = {
    "hello world": (
        *("GET", "/hello-world", 200, b"text/plain"),
        *(b"13", b"Hello, World!", None),
    ),
    "the head of hello world": (
        *("HEAD", "/hello-world", 200, b"text/plain"),
        *(b"13", b"", None),
    ),
    "an unknown path": (
        *("GET", "/nothing-here", 404, b"text/plain"),
        *(b"9", b"Not Found", None),
    ),
    "another method": (
        *("DELETE", "/hello-world", 405, b"text/plain"),
        *(b"18", b"Method Not Allowed", b"GET, HEAD"),
    ),
    "typed parameters": (
        *("GET", "/foo/bar/12/2020-01-31", 200, None),
        *(b"%d" % len(SHOWN), SHOWN, None),
    ),
    "a parameter of another type": (
        *("GET", "/foo/bar/twelve/2020-01-31", 404, b"text/plain"),
        *(b"9", b"Not Found", None),
    ),
    "the rest of the path": (
        *("GET", "/files/a/b/c", 200, None),
        *(b"17", b"{'path': 'a/b/c'}", None),
    ),
    "an empty rest of the path": (
        *("GET", "/files/", 200, None),
        *(b"12", b"{'path': ''}", None),
    ),
}


@every_endpoint
@pytest.mark.parametrize(
    ("method", "path", "status", "content_type", "length", "body", "allow"),
    [pytest.param(*answer, id=name) for name, answer in ANSWERS.items()],
)
async def test_every_server_gives_the_same_answer(
    endpoint: Endpoint,
    method: str,
    path: str,
    status: int,
    content_type: bytes | None,
    length: bytes,
    body: bytes,
    allow: bytes | None,
) -> None:
    if (endpoint.protocol, method) == ("h3", "HEAD"):
        pytest.skip("aioquic, as a client, waits for a body of the length")
    head, received = await request(endpoint, method, path)
    assert head.status == status
    assert head.get(b"content-type") == content_type
    assert head.get(b"content-length") == length
    assert head.get(b"allow") == allow
    assert received == body


@every_endpoint
async def test_the_rest_program_tells_and_changes_its_info(endpoint: Endpoint) -> None:
    json = b"application/json"

    async def told() -> tuple[int, bytes | None, bytes]:
        head, body = await request(endpoint, "GET", "/info", (b"accept", json))
        return head.status, head.get(b"content-type"), body

    async def change(content_type: bytes, content: bytes) -> tuple[int, bytes]:
        field = (b"content-type", content_type)
        head, body = await request(endpoint, "POST", "/info", field, content=content)
        return head.status, body

    assert await told() == (200, json, b'{"name": "Michael Caine"}')
    head, body = await request(endpoint, "GET", "/info", (b"accept", b"text/html"))
    assert (head.status, head.get(b"content-length"), body) == (500, b"0", b"")
    # Without content: hypercorn ends an HTTP/2 connection when an upload comes later
    # than the answer of a handler that does not read it.
    assert await change(b"text/plain", b"") == (500, b"")
    assert await change(json, b'{"name": "Peter Sellers"}') == (204, b"")
    assert await told() == (200, json, b'{"name": "Peter Sellers"}')
    assert await change(json, b'{"name": "Michael Caine"}') == (204, b"")


@every_endpoint
async def test_400_concurrent_requests_get_their_own_answers(
    endpoint: Endpoint,
) -> None:
    async def ask(start: int, stop: int) -> None:
        async with await endpoint.connect() as connection:
            # At once on HTTP/2, one after the other on each of many connections else.
            exchanges: list[tuple[bytes, Exchange]] = []
            for number in range(start, stop):
                sent = b"number %d" % number
                exchange = await connection.request(
                    "GET", f"/number/{number}", [(b"x-number", sent)]
                )
                exchanges.append((sent, exchange))
            for sent, exchange in exchanges:
                head = await exchange.head()
                assert (head.status, head.get(b"x-number")) == (200, sent)
                assert b"number " + await exchange.body() == sent

    # Each connection takes 1 request at a time, or 100 on HTTP/2.
    step = 100 if endpoint.is_http2 else 1
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        for start in range(0, 400, step):
            group.create_task(ask(start, start + step))


@every_endpoint
@pytest.mark.troubled
@pytest.mark.parametrize("place", ["value", "name", "push", "stream"])
async def test_a_header_with_a_line_break_never_leaves(
    endpoint: Endpoint, place: str
) -> None:
    written = len(endpoint.server.log())
    head, body = await request(endpoint, "GET", f"/unsafe/{place}")
    assert head.status == 500
    assert head.get(b"set-cookie") is None
    assert head.get(b"x-header") is None
    assert body == b"Internal Server Error"
    assert "cannot be sent" in endpoint.server.log()[written:]


TARGETS = {
    "an asterisk": b"*",
    "the absolute form": b"http://localhost/hello-world",
    "the absolute form of another host": b"http://elsewhere:99/hello-world",
    "an authority": b"localhost:80",
    "nothing but a query": b"?name=value",
    "no leading slash": b"hello-world",
    "two slashes": b"//",
    "two slashes before the path": b"//hello-world",
    "slashes in the middle": b"/foo//12/2020-01-31",
    "dots": b"/../../etc/passwd",
    "an encoded slash": b"/files%2fa",
    "an encoded NUL": b"/files/%00",
    "an encoded line break": b"/foo/bar/5%0a/2020-01-31",
    "encoded bytes that are no UTF-8": b"/files/%ff%fe",
    "half a UTF-8 sequence": b"/files/%e2%82",
    "an encoded surrogate": b"/files/%ed%a0%80",
    "a percent sign alone": b"/files/%",
    "a percent sign and no digits": b"/files/%zz",
    "raw bytes that are no UTF-8": b"/files/\xff\xfe",
    "raw UTF-8": "/files/é".encode(),
    "digits that are not ASCII": b"/foo/bar/%D9%A1/2020-01-31",
    "a number too long": b"/foo/bar/" + b"9" * 400 + b"/2020-01-31",
    "a float too large": b"/float/1e999",
    "a date that does not exist": b"/foo/bar/12/2020-02-31",
    "a year of no calendar": b"/foo/bar/12/0000-01-01",
    "a query of odd bytes": b"/hello-world?%ff=%00&&==&%",
    "a very long path": b"/files/" + b"a" * 7000,
    "a very long query": b"/hello-world?" + b"a" * 7000,
    "a path of many segments": b"/files" + b"/a" * 3000,
    "a target that is far too long": b"/" + b"a" * 70_000,
}


# hypercorn's listener for HTTP/3 does not survive a path that it cannot decode.
@pytest.mark.parametrize("endpoint", OVER_TCP, indirect=True)
@pytest.mark.troubled
@pytest.mark.parametrize(
    "target", [pytest.param(target, id=name) for name, target in TARGETS.items()]
)
async def test_an_odd_target_is_never_our_fault(
    endpoint: Endpoint, target: bytes
) -> None:
    written = len(endpoint.server.log())
    status = await status_of(endpoint, target)
    # No answer at all is the server's way to refuse what it will not read.
    assert status is None or status < 500
    head, _ = await request(endpoint, "GET", "/hello-world")
    assert head.status == 200
    # hypercorn logs that it cannot decode a raw byte of an HTTP/2 path; we log nothing.
    assert not troubles(endpoint.server.log()[written:])


async def request(
    endpoint: Endpoint,
    method: str,
    path: str,
    *headers: tuple[bytes, bytes],
    content: bytes = b"",
) -> tuple[Head, bytes]:
    async with (
        asyncio.timeout(DEADLINE),
        await endpoint.connect() as connection,
    ):
        exchange = await connection.request(method, path, headers, content)
        return await exchange.head(), await exchange.body()


async def status_of(endpoint: Endpoint, target: bytes) -> int | None:
    """Give the status of the answer to a target as it is, None if there is none."""
    try:
        head, _ = await request(endpoint, "GET", target.decode("latin-1"))
    except (CutError, ConnectionError):
        return None
    return head.status
