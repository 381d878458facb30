"""The example site: in Chromium, as a reader uses it, and over HTTP."""

import hashlib
import http.client
import re
import sys
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import pytest
from programs import free_port, request, running
from repository import ROOT

from .chromium import Page

SITE = ROOT / "examples" / "site"
FORM = {"content-type": "application/x-www-form-urlencoded"}
HOSTILE = "</td><script>document.title = 'hacked'</script>\"'&amp;"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of the site, which all tests here share."""
    number = free_port()
    program = str(SITE / "app.py")
    with running(sys.executable, program, port=number, env={"PORT": str(number)}):
        yield number


def rows(page: Page) -> list[str]:
    found: list[str] = page.run(
        "[...document.querySelectorAll('#rows tr')].map(row => row.innerText.trim())"
    )
    return found


def type_in(name: str, text: str) -> str:
    """Make the script that does to an input what a keyboard would."""
    return (
        f"(input => {{ input.value = {text!r};"
        " input.dispatchEvent(new InputEvent('input', {bubbles: true})) })"
        f"(document.querySelector('[name={name}]'))"
    )


def add(port: int, **fields: str) -> tuple[int, str]:
    """Send the form."""
    body = urlencode(fields).encode()
    answer = request(port, "POST", "/books", headers=FORM, body=body)
    return answer.status, answer.body.decode()


# --- in the browser -------------------------------------------------------------------


def test_the_list_is_shown_with_its_style_and_script(page: Page, port: int) -> None:
    page.open(f"http://127.0.0.1:{port}/")
    page.until("window.htmx && document.querySelectorAll('#rows tr').length >= 4")
    assert page.run("location.pathname") == "/books"
    assert page.run("document.title") == "Books - Bookshelf"
    assert page.run("getComputedStyle(document.body).maxWidth") == "800px"
    assert rows(page)[0].split("\t") == ["Middlemarch", "George Eliot", "1871"]
    assert [each for each in page.complaints() if "favicon" not in each] == []


def test_the_fragment_is_swapped_in_by_htmx(page: Page, port: int) -> None:
    page.open(f"http://127.0.0.1:{port}/books")
    page.until("window.htmx && document.querySelectorAll('#rows tr').length >= 4")
    page.run("window.isTheSamePage = true")
    page.run(type_in("q", "kafka"))
    page.until("document.querySelectorAll('#rows tr').length == 1")
    assert rows(page) == ["The Trial\tFranz Kafka\t1925"]
    page.run(type_in("q", "<b>nobody</b>"))
    page.until("document.querySelector('#rows td[colspan]')")
    assert rows(page) == ["No book has \u201c<b>nobody</b>\u201d in it."]
    page.run(type_in("q", ""))
    page.until("document.querySelectorAll('#rows tr').length >= 4")
    assert page.run("window.isTheSamePage")
    assert [each for each in page.complaints() if "favicon" not in each] == []


def test_the_form_shows_what_is_wrong_and_then_adds_a_book(
    page: Page, port: int
) -> None:
    page.open(f"http://127.0.0.1:{port}/books/new")
    page.until("document.querySelector('[name=year]')")
    page.run(type_in("title", HOSTILE))
    page.run(type_in("year", "soon"))
    page.run("document.querySelector('button').click()")
    page.until("document.querySelectorAll('strong').length == 2")
    # What was typed is still there, and is no markup.
    assert page.run("document.querySelector('[name=title]').value") == HOSTILE
    page.run(type_in("author", "Nobody"))
    page.run(type_in("year", "2001"))
    page.run("document.querySelector('button').click()")
    page.until("location.pathname == '/books' && document.querySelector('#rows tr')")
    assert rows(page)[-1].split("\t") == [HOSTILE, "Nobody", "2001"]
    assert page.run("document.title") == "Books - Bookshelf"
    assert page.run("document.scripts.length") == 1


def test_the_report_grows_while_it_is_made(page: Page, port: int) -> None:
    page.open(f"http://127.0.0.1:{port}/report")
    page.until(
        "document.querySelectorAll('tbody tr').length > 0"
        " && !document.querySelector('#end')"
    )
    page.until("document.querySelector('#end')")
    assert page.run("document.querySelectorAll('tbody tr').length") == 2000
    assert [each for each in page.complaints() if "favicon" not in each] == []


def test_no_page_asks_another_host(page: Page, port: int) -> None:
    here = f"http://127.0.0.1:{port}/"
    for path in ("books", "books/new", "report"):
        page.open(here + path)
        page.until(f"location.pathname == '/{path}' && window.htmx")
    addresses = [each for each in page.addresses() if not each.startswith("data:")]
    assert addresses
    assert [each for each in addresses if not each.startswith(here)] == []


# --- over HTTP ------------------------------------------------------------------------


def test_htmx_gets_the_rows_and_nobody_else_does(port: int) -> None:
    whole = request(port, "GET", "/books?q=woolf")
    part = request(port, "GET", "/books?q=woolf", headers={"hx-request": "true"})
    assert whole.body.startswith(b"<!DOCTYPE html>")
    row = b"<tr><td>Orlando</td><td>Virginia Woolf</td><td>1928</td></tr>"
    assert part.body.strip() == row
    assert row in whole.body


@pytest.mark.parametrize("year", ["", "x", "12345", "-1", "\u0661", "1 9"])
def test_a_wrong_form_comes_back_as_it_was_sent(port: int, year: str) -> None:
    status, page = add(port, title=HOSTILE, author=" ", year=year)
    assert status == 422
    assert HOSTILE not in page
    assert HOSTILE in unescape(page)
    assert page.count("<strong>") == 2


def test_what_is_no_text_is_a_400_and_too_much_a_413(port: int) -> None:
    for body, status in ((b"title=\xff", 400), (b"title=" + b"x" * 20_000, 413)):
        assert request(port, "POST", "/books", headers=FORM, body=body).status == status


def test_only_the_two_static_files_are_served(port: int) -> None:
    for name in ("htmx.min.js", "site.css"):
        answer = request(port, "GET", f"/static/{name}")
        assert answer.body == (SITE / "static" / name).read_bytes()
    for name in ("", "htmx.LICENSE", "../app.py", "..%2fapp.py", "x"):
        assert request(port, "GET", f"/static/{name}").status == 404


def test_the_head_of_the_report_arrives_long_before_its_end(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/report")
    response = connection.getresponse()
    first = response.read1()
    assert b"</head>" in first
    assert b"<tr>" not in first
    rest = response.read()
    assert rest.count(b"<tr>") == 2000
    connection.close()


def test_every_page_has_the_policy(port: int) -> None:
    for path in ("/books", "/books/new", "/report", "/static/site.css", "/missing"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        policy = response.getheader("content-security-policy")
        assert policy == "default-src 'self'; base-uri 'none'"
        response.read()
        connection.close()


def test_the_vendored_script_is_the_one_that_was_published() -> None:
    told = (SITE / "static" / "README.md").read_text("utf-8")
    script = (SITE / "static" / "htmx.min.js").read_bytes()
    assert re.findall("^[0-9a-f]{64}$", told, re.MULTILINE) == [
        hashlib.sha256(script).hexdigest()
    ]
