"""What becomes of a path before any file is looked at."""

import random
from collections.abc import Sequence

import pytest

from bareasgi_static.paths import names_of, with_slash


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", []),
        ("a", ["a"]),
        ("a/b.txt", ["a", "b.txt"]),
        ("a/", ["a"]),
        ("a/b/", ["a", "b"]),
        ("caf\u00e9/\u65e5\u672c", ["caf\u00e9", "\u65e5\u672c"]),
        ("12:30.txt", ["12:30.txt"]),
        ("a b\nc", ["a b\nc"]),
        (".well-known/a", [".well-known", "a"]),
        ("%2e%2e", ["%2e%2e"]),
        ("a..b", ["a..b"]),
        ("/", None),
        ("//", None),
        ("/a", None),
        ("a//b", None),
        ("a//", None),
        (".", None),
        ("..", None),
        ("a/..", None),
        ("a/../b", None),
        (".a", None),
        ("a/.well-known", None),
        (".well-known/.a", None),
        ("a\\b", None),
        ("a\0", None),
        ("C:", None),
        ("c:a", None),
        ("a/c:/b", None),
        ("\udc80", None),
    ],
    ids=ascii,
)
def test_a_path_is_plain_names_or_refused(
    path: str, names: Sequence[str] | None
) -> None:
    assert names_of(path) == names


@pytest.mark.parametrize("path", [".", "..", "a/..", "a//b", "a\0", "\\", "\udc80"])
def test_dot_files_do_not_let_anything_else_in(path: str) -> None:
    assert names_of(path, dotfiles=True) is None
    assert names_of(".a/.b", dotfiles=True) == [".a", ".b"]


def test_whatever_is_given_the_names_are_names() -> None:
    chance = random.Random(13)  # noqa: S311 - the same each time
    pieces = [*"./\\:\0a%", "..", "//", "C:", "\udcff", ".well-known", "\u2215"]
    for _ in range(20_000):
        path = "".join(chance.choices(pieces, k=chance.randrange(9)))
        for dotfiles in (True, False):
            names = names_of(path, dotfiles=dotfiles)
            for name in names or ():
                assert name not in {"", ".", ".."}
                assert not set(name) & set("/\\\0")
                name.encode()


def test_an_address_with_a_slash_never_names_a_host() -> None:
    chance = random.Random(13)  # noqa: S311 - the same each time
    pieces = ["/", "//", "\\", "a", "@", ":", "?", "#", "%", "\r\n", "..", "\u00e9"]
    for _ in range(5_000):
        path = "/" + "".join(chance.choices(pieces, k=chance.randrange(9)))
        root = "".join(chance.choices(pieces, k=chance.randrange(4)))
        location = with_slash(
            {"path": path, "root_path": root, "query_string": b"\r\n"}
        )
        assert location.startswith(b"/")
        assert not location.startswith((b"//", b"/\\"))
        assert location.endswith(b"/?%0D%0A")
        assert location.count(b"?") == 1
        assert not set(location) & set(b"\r\n\\#")
