"""What files are answered with: headers, codings, indexes, fallbacks, and memory."""

import asyncio
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
)
from bareasgi.testing import Response, http_request
from bareasgi_static import static_handler
from bareasgi_static.representation import SMALL

from .trees import MODIFIED, app_of, settle, watching_opens, write

HTML = [(b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")]
JSON = [(b"accept", b"application/json")]


async def get(
    app: Application, path: str, *headers: tuple[bytes, bytes], method: str = "GET"
) -> Response:
    return await http_request(app, method, path, headers=headers)


def header(response: Response, name: bytes) -> bytes | None:
    values = [value for each, value in response.headers if each == name]
    assert len(values) < 2
    return values[0] if values else None


async def test_a_file_has_the_headers_of_a_file(tmp_path: Path) -> None:
    write(tmp_path / "a.css", "p {}", modified=MODIFIED)
    response = await get(app_of(tmp_path), "/static/a.css")
    assert response.status == 200
    assert response.body == b"p {}"
    etag = header(response, b"etag")
    assert etag is not None
    assert etag[:1] == etag[-1:] == b'"'
    assert sorted(response.headers) == [
        (b"accept-ranges", b"bytes"),
        (b"content-length", b"4"),
        (b"content-type", b"text/css; charset=utf-8"),
        (b"etag", etag),
        (b"last-modified", b"Sun, 02 Feb 2020 02:02:02 GMT"),
        (b"x-content-type-options", b"nosniff"),
    ]


async def test_the_tag_changes_with_time_and_size(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    tags: set[bytes | None] = set()
    for content, modified in (("a", MODIFIED), ("ab", MODIFIED), ("a", MODIFIED + 1)):
        write(tmp_path / "file", content, modified=modified)
        tags.add(header(await get(app, "/static/file"), b"etag"))
    assert len(tags) == 3


async def test_cache_control_is_what_was_given(tmp_path: Path) -> None:
    write(tmp_path / "a.css", "p {}")
    app = app_of(tmp_path, cache_control="public, max-age=60")
    response = await get(app, "/static/a.css")
    assert header(response, b"cache-control") == b"public, max-age=60"


async def test_immutable_is_what_matches_in_full(tmp_path: Path) -> None:
    for name in ("assets/app.0123abcd.js", "assets/app.js", "app.0123abcd.js"):
        write(tmp_path / name, "1")
    write(tmp_path / "assets" / "index.html", "a page")
    app = app_of(
        tmp_path,
        cache_control="no-cache",
        immutable=r"assets/[a-z]+\.[0-9a-f]{8}\.js",
    )
    for path, expected in {
        "assets/app.0123abcd.js": b"public, max-age=31536000, immutable",
        "assets/app.js": b"no-cache",
        "app.0123abcd.js": b"no-cache",
        "assets/": b"no-cache",
    }.items():
        response = await get(app, f"/static/{path}")
        assert header(response, b"cache-control") == expected, path


# --- codings --------------------------------------------------------------------------


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    write(tmp_path / "app.js", "identity")
    write(tmp_path / "app.js.br", "br")
    write(tmp_path / "app.js.zst", "zstd")
    write(tmp_path / "app.js.gz", "gzip")
    write(tmp_path / "only.js", "identity")
    write(tmp_path / "only.js.gz", "gzip")
    write(tmp_path / "plain.js", "identity")
    write(tmp_path / "lost.js.br", "br")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "accepts", "expected"),
    [
        ("app.js", None, "identity"),
        ("app.js", "", "identity"),
        ("app.js", "gzip, deflate, br, zstd", "br"),
        ("app.js", "gzip, zstd", "zstd"),
        ("app.js", "gzip", "gzip"),
        ("app.js", "x-gzip", "gzip"),
        ("app.js", "GZIP", "gzip"),
        ("app.js", "br;q=0.1, gzip;q=0.9", "gzip"),
        ("app.js", "br;q=0, gzip;q=0.5, identity", "identity"),
        ("app.js", "br;q=0, *", "zstd"),
        ("app.js", "*", "br"),
        ("app.js", "identity", "identity"),
        ("app.js", "deflate", "identity"),
        ("app.js", "nonsense;;;", "identity"),
        ("only.js", "br, zstd", "identity"),
        ("only.js", "br, gzip;q=0.1", "gzip"),
        ("plain.js", "br, gzip", "identity"),
    ],
)
async def test_the_form_is_the_one_that_the_client_likes_best(
    name: str, accepts: str | None, expected: str, coded: Path
) -> None:
    headers = [] if accepts is None else [(b"accept-encoding", accepts.encode())]
    response = await get(app_of(coded), f"/static/{name}", *headers)
    assert (response.status, response.text) == (200, expected)
    assert header(response, b"content-type") == b"text/javascript; charset=utf-8"
    assert header(response, b"content-length") == str(len(expected)).encode()
    told = header(response, b"content-encoding")
    assert told == (None if expected == "identity" else expected.encode())
    vary = header(response, b"vary")
    assert vary == (None if name == "plain.js" else b"accept-encoding")


@pytest.mark.parametrize("name", ["app.js", "plain.js"])
async def test_a_client_that_accepts_nothing_gets_406(name: str, coded: Path) -> None:
    app = app_of(coded, precompressed=())
    response = await get(app, f"/static/{name}", (b"accept-encoding", b"*;q=0"))
    assert response.status == 406
    assert header(response, b"vary") == b"accept-encoding"


async def test_each_form_has_validators_and_ranges_of_its_own(coded: Path) -> None:
    app = app_of(coded)
    tags: dict[bytes, bytes] = {}
    for coding in (b"identity", b"br", b"zstd", b"gzip"):
        accepts = b"accept-encoding", coding
        whole = await get(app, "/static/app.js", accepts)
        tag = header(whole, b"etag")
        assert tag is not None
        tags[coding] = tag
        unmodified = await get(app, "/static/app.js", accepts, (b"if-none-match", tag))
        assert unmodified.status == 304
        assert header(unmodified, b"vary") == b"accept-encoding"
        assert header(unmodified, b"content-encoding") is None
        part = await get(app, "/static/app.js", accepts, (b"range", b"bytes=1-1"))
        assert (part.status, part.body) == (206, whole.body[1:2])
        assert header(part, b"content-encoding") == header(whole, b"content-encoding")
        size = str(len(whole.body)).encode()
        assert header(part, b"content-range") == b"bytes 1-1/" + size
        beyond = await get(app, "/static/app.js", accepts, (b"range", b"bytes=99-"))
        assert (beyond.status, header(beyond, b"vary")) == (416, b"accept-encoding")
    assert len(set(tags.values())) == 4
    foreign = b"if-none-match", tags[b"br"]
    response = await get(app, "/static/app.js", (b"accept-encoding", b"gzip"), foreign)
    assert response.status == 200


async def test_forms_of_the_same_time_and_size_have_different_tags(
    tmp_path: Path,
) -> None:
    for suffix in ("", ".br", ".gz"):
        write(tmp_path / f"a.css{suffix}", "same", modified=MODIFIED)
    app = app_of(tmp_path)
    tags = {
        header(await get(app, "/static/a.css", (b"accept-encoding", coding)), b"etag")
        for coding in (b"identity", b"br", b"gzip")
    }
    assert len(tags) == 3


async def test_codings_can_be_chosen_and_left_out(coded: Path) -> None:
    accepts = b"accept-encoding", b"br, gzip, zstd"
    preferred = await get(
        app_of(coded, precompressed=["gzip", "br"]), "/static/app.js", accepts
    )
    assert preferred.text == "gzip"
    none = await get(app_of(coded, precompressed=()), "/static/app.js", accepts)
    assert none.text == "identity"
    assert header(none, b"vary") is None


async def test_a_form_without_its_file_is_nothing(coded: Path) -> None:
    app = app_of(coded)
    response = await get(app, "/static/lost.js", (b"accept-encoding", b"br"))
    assert response.status == 404
    by_name = await get(app, "/static/app.js.gz")
    assert (by_name.status, by_name.body) == (200, b"gzip")
    assert header(by_name, b"content-type") == b"application/gzip"
    assert header(by_name, b"content-encoding") is None


# --- folders --------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(tmp_path / "index.html", "home")
    write(tmp_path / "docs" / "index.html", "docs")
    write(tmp_path / "docs" / "main.html", "main")
    write(tmp_path / "docs" / "two words" / "index.html", "words")
    write(tmp_path / "caf\u00e9" / "index.html", "caf\u00e9")
    write(tmp_path / "bare" / "page.html", "a page")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "home"),
        ("docs/", "docs"),
        ("docs/index.html", "docs"),
        ("caf%c3%a9/", "café"),
    ],
)
async def test_a_folder_is_its_index(path: str, expected: str, site: Path) -> None:
    response = await get(app_of(site), f"/static/{path}")
    assert (response.status, response.text) == (200, expected)
    assert header(response, b"content-type") == b"text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/static", b"/static/"),
        ("/static/docs", b"/static/docs/"),
        ("/static?a=1&b=%20c", b"/static/?a=1&b=%20c"),
        ("/static/docs?a=//b", b"/static/docs/?a=//b"),
        ("/static/docs/two%20words", b"/static/docs/two%20words/"),
        ("/static/caf%c3%a9", b"/static/caf%C3%A9/"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_folder_without_its_slash_is_redirected(
    method: str, target: str, location: bytes, site: Path
) -> None:
    response = await get(app_of(site), target, method=method)
    assert response.status == 307
    assert header(response, b"location") == location
    assert header(response, b"content-length") == b"0"
    followed = await get(app_of(site), location.decode())
    assert followed.status == 200


@pytest.mark.parametrize(
    ("root_path", "path", "location"),
    [
        ("", "/docs", b"/docs/"),
        # The server leaves it in the path, as ASGI has it, or a proxy took it away.
        ("/app", "/app/docs", b"/app/docs/"),
        ("/app/", "/app/docs", b"/app/docs/"),
        ("/app", "/docs", b"/app/docs/"),
        ("//evil.example", "//evil.example/docs", b"/evil.example/docs/"),
    ],
)
async def test_a_redirect_is_a_path_on_this_host(
    root_path: str, path: str, location: bytes, site: Path
) -> None:
    app = app_of(site, path="/")
    scope = {"root_path": root_path, "path": path}
    response = await http_request(app, "GET", "/", scope=scope)
    assert response.status == 307
    assert header(response, b"location") == location


@pytest.mark.parametrize("path", ["//evil.example", "//docs", "/\\evil.example/.."])
async def test_a_path_that_names_a_host_is_not_redirected(
    path: str, site: Path
) -> None:
    app = app_of(site, path="/")
    response = await http_request(app, "GET", "/", scope={"path": path})
    assert response.status == 404


async def test_the_index_has_another_name_or_none(site: Path) -> None:
    named = app_of(site, index="main.html")
    assert (await get(named, "/static/docs/")).text == "main"
    assert (await get(named, "/static/")).status == 404
    none = app_of(site, index=None)
    for path in ("", "docs/", "docs", "bare"):
        assert (await get(none, f"/static/{path}")).status == 404, path
    assert (await get(none, "/static/docs/index.html")).text == "docs"


async def test_a_folder_without_an_index_is_not_found(site: Path) -> None:
    app = app_of(site)
    for path in ("bare", "bare/"):
        assert (await get(app, f"/static/{path}")).status == 404, path


# --- fallback -------------------------------------------------------------------------


async def test_whoever_accepts_html_gets_the_page_of_the_application(
    site: Path,
) -> None:
    app = app_of(site, path="/", fallback="index.html")
    for method in ("GET", "HEAD"):
        for path in ("/users/12", "/users/", "/docs/nothing"):
            response = await http_request(app, method, path, headers=HTML)
            assert response.status == 200, path
            assert header(response, b"content-type") == b"text/html; charset=utf-8"
            assert header(response, b"vary") == b"accept"
            assert response.text == ("home" if method == "GET" else "")


async def test_whoever_wants_something_else_gets_a_404(site: Path) -> None:
    app = app_of(site, path="/", fallback="index.html")
    for accepts in (b"application/json", b"text/css,image/*;q=0.5", b"text/html;q=0"):
        response = await get(app, "/users/12", (b"accept", accepts))
        assert response.status == 404, accepts
    assert (await http_request(app, "POST", "/users/12", headers=HTML)).status == 405


async def test_the_fallback_is_for_what_is_not_there(site: Path) -> None:
    app = app_of(site, path="/", fallback="index.html")
    assert (await http_request(app, "GET", "/docs/", headers=HTML)).text == "docs"
    page = await http_request(app, "GET", "/index.html", headers=HTML)
    assert header(page, b"vary") is None
    assert (await http_request(app, "GET", "/docs", headers=HTML)).status == 307
    assert (await http_request(app, "GET", "/../x", headers=HTML)).status == 404


async def test_the_fallback_has_validators_and_codings(site: Path) -> None:
    write(site / "index.html.gz", "gzip")
    app = app_of(site, path="/", fallback="index.html", cache_control="no-cache")
    response = await get(app, "/a", *HTML, (b"accept-encoding", b"gzip"))
    assert (response.status, response.body) == (200, b"gzip")
    assert header(response, b"vary") == b"accept, accept-encoding"
    tag = header(response, b"etag")
    assert tag is not None
    again = await get(
        app, "/b", *HTML, (b"accept-encoding", b"gzip"), (b"if-none-match", tag)
    )
    assert again.status == 304


async def test_a_fallback_that_is_gone_is_a_404(site: Path) -> None:
    app = app_of(site, path="/", fallback="docs/main.html")
    assert (await http_request(app, "GET", "/a", headers=HTML)).text == "main"
    (site / "docs" / "main.html").unlink()
    assert (await http_request(app, "GET", "/a", headers=HTML)).status == 404
    write(site / "docs" / "main.html" / "index.html", "a folder now")
    assert (await http_request(app, "GET", "/a", headers=HTML)).status == 404


# --- the part -------------------------------------------------------------------------


async def test_the_handler_takes_the_last_parameter_whatever_it_is_called(
    site: Path,
) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{tenant}/ui/{rest:path}", static_handler(site))
    app.http_router.add({"GET"}, "/home", static_handler(site))
    assert (await get(app, "/a/ui/docs/main.html")).text == "main"
    assert (await get(app, "/a/ui/")).text == "home"
    assert (await get(app, "/a/ui/docs")).status == 307
    assert (await get(app, "/home")).text == "home"


async def test_the_handler_alone_has_a_plain_404_or_one_that_is_given(
    site: Path,
) -> None:
    async def missing(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 404, [(b"content-type", b"text/plain")], bytes_writer(b"not here")

    app = Application()
    app.http_router.add({"GET"}, "/a/{path}", static_handler(site))
    app.http_router.add({"GET"}, "/b/{path}", static_handler(site, not_found=missing))
    assert (await get(app, "/a/nothing")).body == b"Not Found"
    assert (await get(app, "/b/nothing")).body == b"not here"
    assert (await get(app, "/b/..")).body == b"not here"


async def test_a_route_that_ends_with_no_text_is_the_developers_mistake(
    site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application()
    app.http_router.add({"GET"}, "/{number:int}", static_handler(site))
    assert (await get(app, "/12")).status == 500
    assert "must end with the rest of the path" in caplog.text


# --- memory ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settled")
    for name in (
        "kept",
        "changed",
        "deleted/in",
        "removed/in",
        "grown",
        "coded",
        "uncoded",
        "off",
    ):
        write(folder / name / "a.css", "before")
    for number in range(10):
        write(folder / "many" / f"{number}.css", b"x" * 10_000)
    write(folder / "coded" / "b.css", "before")
    write(folder / "uncoded" / "a.css.gz", "gzip")
    write(folder / "large" / "a.bin", b"x" * (SMALL + 1))
    write(folder / "spa" / "index.html", "home")
    settle(folder)
    return folder


async def opened(app: Application, path: str, *headers: tuple[bytes, bytes]) -> int:
    """Count what is opened for a request, of files and of the folders they are in."""
    with watching_opens() as names:
        assert (await get(app, path, *headers)).status in {200, 206, 304}
    return len(names)


async def test_a_small_file_is_opened_once(settled: Path) -> None:
    app = app_of(settled)
    assert await opened(app, "/static/kept/a.css") > 0
    assert await opened(app, "/static/kept/a.css") == 0
    assert await opened(app, "/static/kept/a.css", (b"range", b"bytes=0-1")) == 0
    assert await opened(app, "/static/kept/a.css", (b"if-none-match", b"*")) == 0
    refused = await get(app, "/static/kept/a.css", (b"accept-encoding", b"*;q=0"))
    assert refused.status == 406


async def test_the_fallback_is_kept_too(settled: Path) -> None:
    app = app_of(settled / "spa", path="/", fallback="index.html")
    first = await opened(app, "/a", *HTML)
    # Only what is missing is looked for.
    assert await opened(app, "/b", *HTML) < first


async def test_no_memory_keeps_nothing(settled: Path) -> None:
    app = app_of(settled, memory=0)
    for _ in range(2):
        assert await opened(app, "/static/off/a.css") > 0


async def test_what_was_changed_a_moment_ago_is_not_kept(tmp_path: Path) -> None:
    # It may change again in the same tick of the clock.
    write(tmp_path / "a.css", "before")
    app = app_of(tmp_path)
    for number in range(50):
        write(tmp_path / "a.css", f"{number:06}")
        assert (await get(app, "/static/a.css")).text == f"{number:06}"


async def test_a_file_in_memory_that_changed_is_read_again(settled: Path) -> None:
    app = app_of(settled)
    for _ in range(2):
        assert (await get(app, "/static/changed/a.css")).text == "before"
    path = settled / "changed" / "a.css"
    before = path.stat()
    write(path, "after!")
    # Even if somebody puts the time back.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (await get(app, "/static/changed/a.css")).text == "after!"


async def test_a_file_in_memory_that_is_deleted_is_not_found(settled: Path) -> None:
    app = app_of(settled)
    for _ in range(2):
        assert (await get(app, "/static/deleted/in/a.css")).text == "before"
    (settled / "deleted" / "in" / "a.css").unlink()
    assert (await get(app, "/static/deleted/in/a.css")).status == 404
    write(settled / "deleted" / "in" / "a.css", "again")
    assert (await get(app, "/static/deleted/in/a.css")).text == "again"


async def test_a_file_in_memory_whose_folder_is_deleted_is_not_found(
    settled: Path,
) -> None:
    app = app_of(settled)
    for _ in range(2):
        assert (await get(app, "/static/removed/in/a.css")).text == "before"
    shutil.rmtree(settled / "removed" / "in")
    assert (await get(app, "/static/removed/in/a.css")).status == 404


async def test_a_small_file_that_became_large_is_streamed(settled: Path) -> None:
    app = app_of(settled)
    for _ in range(2):
        assert (await get(app, "/static/grown/a.css")).text == "before"
    write(settled / "grown" / "a.css", b"y" * (SMALL + 1))
    response = await get(app, "/static/grown/a.css")
    assert response.body == b"y" * (SMALL + 1)
    assert len(response.chunks) > 1


async def test_a_form_that_was_added_or_taken_away_is_seen(settled: Path) -> None:
    app = app_of(settled)
    gzip = b"accept-encoding", b"gzip"
    for _ in range(2):
        assert (await get(app, "/static/coded/a.css", gzip)).text == "before"
        assert (await get(app, "/static/uncoded/a.css", gzip)).text == "gzip"
    write(settled / "coded" / "a.css.gz", "gzip")
    (settled / "uncoded" / "a.css.gz").unlink()
    assert (await get(app, "/static/coded/a.css", gzip)).text == "gzip"
    assert (await get(app, "/static/uncoded/a.css", gzip)).text == "before"


async def test_a_large_file_is_known_but_not_kept(settled: Path) -> None:
    app = app_of(settled)
    for _ in range(3):
        response = await get(app, "/static/large/a.bin")
        assert (response.status, len(response.body)) == (200, SMALL + 1)
        assert len(response.chunks) == 2
    write(settled / "large" / "a.bin", "small now")
    assert (await get(app, "/static/large/a.bin")).text == "small now"


async def test_memory_has_a_limit_and_the_oldest_goes_first(settled: Path) -> None:
    app = app_of(settled, memory=50_000)

    async def is_kept(number: int) -> bool:
        return await opened(app, f"/static/many/{number}.css") == 0

    for number in range(4):
        assert not await is_kept(number)
    for number in (1, 2, 3, 0):
        assert await is_kept(number)
    assert not await is_kept(4)
    # The one before it was asked for last, and number one is the oldest.
    assert await is_kept(0)
    assert not await is_kept(1)


async def test_many_at_once_get_the_same(settled: Path) -> None:
    app = app_of(settled)
    responses = await asyncio.gather(
        *(get(app, f"/static/many/{number % 10}.css") for number in range(200))
    )
    assert {(each.status, len(each.body)) for each in responses} == {(200, 10_000)}


# --- packages -------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "lib" / "their_package" / "__init__.py", "")
    write(tmp_path / "lib" / "their_package" / "assets" / "a.css", "p {}")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.delitem(sys.modules, "their_package", raising=False)
    return tmp_path / "lib"


async def test_the_files_of_a_package_are_served(package: Path) -> None:
    app = app_of(("their_package", "assets"))
    response = await get(app, "/static/a.css")
    assert (response.status, response.text) == (200, "p {}")
    assert (await get(app, "/static/../__init__.py")).status == 404


def test_a_package_without_the_folder_is_an_error(package: Path) -> None:
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        app_of(("their_package", "nothing"))


def test_a_package_in_an_archive_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zipped_package/__init__.py", "")
        archive.writestr("zipped_package/assets/a.css", "p {}")
    monkeypatch.syspath_prepend(tmp_path / "zipped.zip")
    with pytest.raises(NotADirectoryError, match=r"in an archive.*unpacked"):
        app_of(("zipped_package", "assets"))
