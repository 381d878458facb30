"""Nothing outside of the root is served, whatever it is called."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bareasgi import Application, bytes_writer
from bareasgi.testing import Response, http_request

from .spellings import SECRET, SPELLINGS, plant, spelled
from .trees import app_of, settle, write

NOT_FOUND = [(b"content-type", b"text/x-not-found")]

each_spelling = pytest.mark.parametrize(
    ("family", "spelling"),
    [(family, each) for family, spellings in SPELLINGS.items() for each in spellings],
    ids=lambda text: text if len(text) < 60 else f"{text[:40]}... of {len(text)}",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("containment"))


@pytest.fixture
def app(root: Path) -> Application:
    app = app_of(root)
    app.http_router.not_found_response = 404, NOT_FOUND, bytes_writer(b"nothing here")
    return app


def assert_is_not_found(response: Response, root: Path) -> None:
    assert response.status == 404
    assert [*response.headers] == [*NOT_FOUND, (b"content-length", b"12")]
    assert response.body == b"nothing here"
    assert_tells_nothing(response, root)


def assert_tells_nothing(response: Response, root: Path) -> None:
    told = repr(response.messages)
    assert str(root.parent) not in told
    assert SECRET.decode() not in told


def test_there_are_enough_spellings() -> None:
    assert sum(map(len, SPELLINGS.values())) >= 80
    assert "page.txt" in " ".join(SPELLINGS["other"])


@each_spelling
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_spelling_that_leads_astray_is_not_found(
    method: str, family: str, spelling: str, app: Application, root: Path
) -> None:
    path = "/static" + spelled(spelling, root.parent)
    response = await http_request(app, method, path)
    if method == "HEAD":
        assert response.status == 404
        assert next(iter(response.headers)) == NOT_FOUND[0]
        assert_tells_nothing(response, root)
    else:
        assert_is_not_found(response, root)


@each_spelling
async def test_a_single_page_application_gives_no_secret_away_either(
    family: str, spelling: str, root: Path
) -> None:
    app = app_of(root, fallback="page.txt")
    path = "/static" + spelled(spelling, root.parent)
    response = await http_request(app, "GET", path)
    assert response.status in {200, 404}
    assert response.body in {b"a page", b"Not Found"}
    assert_tells_nothing(response, root)


@pytest.mark.parametrize(
    "path",
    [
        "\udcff.txt",
        "caf\udce9.txt",
        "\udc80",
        "sub/\udcff/page.txt",
        "page.txt\0",
        "../secret.txt",
        "/page.txt",
    ],
    ids=ascii,
)
async def test_a_path_that_a_server_decoded_in_its_own_way_is_not_found(
    path: str, app: Application, root: Path
) -> None:
    # os.fsencode would make the bytes of a real name of the first of these.
    scope = {"path": f"/static/{path}"}
    response = await http_request(app, "GET", "/static/x", scope=scope)
    assert_is_not_found(response, root)


@pytest.mark.parametrize(
    "path",
    ["/page.txt", "/sub/page.txt", "/sub/deep/page.txt", "/%70age.txt"],
)
async def test_what_is_inside_is_served(path: str, app: Application) -> None:
    response = await http_request(app, "GET", "/static" + path)
    assert (response.status, response.body) == (200, b"a page")


async def test_links_are_followed_when_they_are_allowed(root: Path) -> None:
    app = app_of(root, follow_symlinks=True)
    for path in ("link.txt", "absolute-link.txt", "linked/secret.txt", "chain.txt"):
        response = await http_request(app, "GET", f"/static/{path}")
        assert (response.status, response.body) == (200, SECRET), path
    for path in ("loop.txt", "loop/page.txt", "dangling.txt", "../secret.txt", ".env"):
        response = await http_request(app, "GET", f"/static/{path}")
        assert response.status == 404, path


async def test_dot_files_are_served_when_they_are_allowed(root: Path) -> None:
    app = app_of(root, dotfiles=True)
    for path in (".env", ".git/config", "sub/.hidden.txt", ".../page.txt"):
        response = await http_request(app, "GET", f"/static/{path}")
        assert (response.status, response.body) == (200, SECRET), path
    for path in ("..", ".", "../secret.txt", "./page.txt", "sub/../page.txt"):
        response = await http_request(app, "GET", f"/static/{path}")
        assert response.status == 404, path


async def test_well_known_files_are_served(tmp_path: Path) -> None:
    write(tmp_path / ".well-known" / "security.txt", "contact us")
    app = app_of(tmp_path, path="/")
    response = await http_request(app, "GET", "/.well-known/security.txt")
    assert (response.status, response.body) == (200, b"contact us")


# --- while somebody changes the tree --------------------------------------------------


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that are going to be replaced by links."""
    top = tmp_path_factory.mktemp("swapped")
    for name in ("file", "folder", "moved", "middle", "gone"):
        write(top / name / "root" / "sub" / "deep" / "page.txt", "a page")
        write(top / name / "outside" / "page.txt", SECRET)
        write(top / name / "outside" / "deep" / "page.txt", SECRET)
    settle(top)
    return top


async def served(app: Application) -> Response:
    return await http_request(app, "GET", "/static/sub/deep/page.txt")


async def known(root: Path) -> Application:
    """An application that has the page in memory."""
    app = app_of(root)
    assert (await served(app)).body == b"a page"
    assert (await served(app)).body == b"a page"
    return app


async def test_a_file_in_memory_that_became_a_link_is_not_found(swapped: Path) -> None:
    top = swapped / "file"
    app = await known(top / "root")
    page = top / "root" / "sub" / "deep" / "page.txt"
    page.unlink()
    page.symlink_to(top / "outside" / "page.txt")
    assert (await served(app)).status == 404


async def test_a_folder_that_became_a_link_is_not_followed(swapped: Path) -> None:
    top = swapped / "folder"
    app = await known(top / "root")
    deep = top / "root" / "sub" / "deep"
    deep.rename(top / "elsewhere")
    deep.symlink_to(top / "outside")
    assert (await served(app)).status == 404


async def test_a_folder_that_was_moved_out_is_not_served_by_a_link_to_it(
    swapped: Path,
) -> None:
    # The very file that is in memory, unchanged, by way of a link.
    top = swapped / "moved"
    app = await known(top / "root")
    deep = top / "root" / "sub" / "deep"
    deep.rename(top / "elsewhere")
    deep.symlink_to(top / "elsewhere")
    assert (await served(app)).status == 404


async def test_a_folder_further_up_that_became_a_link_is_not_followed(
    swapped: Path,
) -> None:
    top = swapped / "middle"
    app = await known(top / "root")
    sub = top / "root" / "sub"
    sub.rename(top / "elsewhere")
    sub.symlink_to(top / "outside")
    assert (await served(app)).status == 404


async def test_a_root_that_was_deleted_has_nothing(swapped: Path) -> None:
    top = swapped / "gone"
    app = await known(top / "root")
    shutil.rmtree(top / "root")
    assert (await served(app)).status == 404


@pytest.mark.parametrize("size", [6, 300_000])
async def test_no_secret_leaks_while_links_come_and_go(
    size: int, tmp_path: Path
) -> None:
    page, secret = b"p" * size, b"s" * size
    write(tmp_path / "root" / "sub" / "page.txt", page)
    write(tmp_path / "outside" / "page.txt", secret)
    app = app_of(tmp_path / "root")
    sub, aside = tmp_path / "root" / "sub", tmp_path / "aside"
    link = tmp_path / "root" / "link"
    link.symlink_to(tmp_path / "outside")
    stop = asyncio.Event()

    def swap() -> None:
        for _ in range(1500):
            sub.rename(aside)
            link.rename(sub)
            sub.rename(link)
            aside.rename(sub)

    async def ask() -> set[bytes]:
        bodies: set[bytes] = set()
        while not stop.is_set():
            response = await http_request(app, "GET", "/static/sub/page.txt")
            bodies.add(response.body)
        return bodies

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    await asyncio.to_thread(swap)
    stop.set()
    bodies = set[bytes]().union(*await asyncio.gather(*asking))
    assert secret not in bodies
    assert bodies <= {page, b"Not Found"}


async def test_a_root_that_is_a_link_may_be_replaced(tmp_path: Path) -> None:
    """Which is how releases are switched."""
    for release in ("one", "two"):
        write(tmp_path / release / "page.txt", release)
    current = tmp_path / "current"
    current.symlink_to("one")
    app = app_of(current)
    assert (await http_request(app, "GET", "/static/page.txt")).body == b"one"
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(current)
    assert (await http_request(app, "GET", "/static/page.txt")).body == b"two"
