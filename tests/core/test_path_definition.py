"""A whole template: what it matches, and what may not be written."""

# A time without a zone is what some paths stand for.
# ruff: noqa: DTZ001

from datetime import datetime
from typing import Any

import pytest

from bareasgi import ParseError
from bareasgi.basic_router import PathDefinition

# Template, path, and what is matched, or None.
TABLE: list[tuple[str, str, dict[str, Any] | None]] = [
    ("/", "/", {}),
    ("/", "", None),
    ("/", "//", None),
    ("/", "/a", None),
    ("/foo", "/foo", {}),
    ("/foo", "/Foo", None),
    ("/foo", "/foo/", None),
    ("/foo", "foo", None),
    ("/foo", "//foo", None),
    ("/foo/", "/foo/", {}),
    ("/foo/", "/foo", None),
    ("/foo/", "/foo//", None),
    ("/foo/bar", "/foo/bar", {}),
    ("/foo/bar", "/foo//bar", None),
    ("/foo/bar", "/foo/bar/baz", None),
    ("/a%20b", "/a%20b", {}),
    ("/a%20b", "/a b", None),
    ("/a b", "/a b", {}),
    ("/ñ", "/ñ", {}),
    ("/a:b", "/a:b", {}),
    ("/{name}", "/x", {"name": "x"}),
    ("/{name}", "/", None),
    ("/{name}", "/x/", None),
    ("/{name}", "/x/y", None),
    ("/{name}/", "/x/", {"name": "x"}),
    ("/{name}/", "/x", None),
    ("/{name}/", "//", None),
    ("/foo/{name}/bar", "/foo/x/bar", {"name": "x"}),
    ("/foo/{name}/bar", "/foo//bar", None),
    ("/{a}/{b}", "/1/2", {"a": "1", "b": "2"}),
    ("/{b}/{a}", "/1/2", {"b": "1", "a": "2"}),
    ("/{id:int}", "/5\n", None),
    ("/{id:int}", "/12", {"id": 12}),
    (
        "/foo/{name}/{id:int}/{created:datetime:%Y-%m-%d}",
        "/foo/bar/12/2020-01-31",
        {"name": "bar", "id": 12, "created": datetime(2020, 1, 31)},
    ),
    (
        "/foo/{name}/{id:int}/{created:datetime:%Y-%m-%d}",
        "/foo/bar/x/2020-01-31",
        None,
    ),
    ("/at/{t:datetime:%H:%M}", "/at/12:30", {"t": datetime(1900, 1, 1, 12, 30)}),
    ("/files/{path}", "/files/a/b/c", {"path": "a/b/c"}),
    ("/files/{path}", "/files/", {"path": ""}),
    ("/files/{path}", "/files", None),
    ("/files/{path:str}", "/files/a", {"path": "a"}),
    ("/files/{path:str}", "/files/a/b", None),
    ("/files/{path:str}", "/files/", None),
    ("/{path}/edit", "/a/edit", {"path": "a"}),
    ("/{path}/edit", "/a/b/edit", None),
    ("/{path}/", "/a/", {"path": "a"}),
    ("/{path}/", "/a/b/", None),
    ("/{path}", "/", {"path": ""}),
    ("/{path}", "", None),
    ("/{path}", "a", None),
    ("/{path}", "*", None),
    ("/{path}", "/a//b/", {"path": "a//b/"}),
    ("/{path}", "//", {"path": "/"}),
    ("/ui/{rest:path}", "/ui/", {"rest": ""}),
    ("/ui/{rest:path}", "/ui/a/", {"rest": "a/"}),
    ("/ui/{rest:path}", "/ui", None),
    ("/ui/{rest:path}", "/uia", None),
    ("/ui/{rest:path}", "/ui/../x", {"rest": "../x"}),
    ("/u/{id:int}/{rest:path}", "/u/1/a/b", {"id": 1, "rest": "a/b"}),
    ("/u/{id:int}/{rest:path}", "/u/x/a/b", None),
    ("/u/{id:int}/{rest:path}", "/u//a", None),
]


@pytest.mark.parametrize(("template", "path", "expected"), TABLE)
def test_a_template_matches_whole_paths(
    template: str, path: str, expected: dict[str, Any] | None
) -> None:
    is_match, matches = PathDefinition(template).match(path)
    assert is_match is (expected is not None)
    if expected is not None:
        assert matches == expected
        assert list(matches) == list(expected)


def test_each_match_gives_a_fresh_dictionary() -> None:
    definition = PathDefinition("/{name}")
    _, first = definition.match("/a")
    _, second = definition.match("/a")
    assert first is not second


@pytest.mark.parametrize("path", ["", "foo", "foo/bar", "{name}", " /foo", "*"])
def test_a_template_that_does_not_start_with_a_slash_is_refused(path: str) -> None:
    with pytest.raises(ParseError) as caught:
        PathDefinition(path)
    # The message has what was written, and what to write instead.
    assert repr(path) in str(caught.value)
    assert f"'/{path}'" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/foo//bar", "empty"),
        ("//", "empty"),
        ("//foo", "empty"),
        ("/{a}//{b}", "empty"),
        ("/{a}/{a}", "twice"),
        ("/{a}/b/{a:int}", "twice"),
        ("/{path}/{path}", "twice"),
        ("/{rest:path}/edit", "rest"),
        ("/{rest:path}/", "rest"),
        ("/{rest:path}/{other:path}", "rest"),
        ("/{path:path}/x", "rest"),
    ],
)
def test_a_template_that_could_not_match_is_refused(path: str, hint: str) -> None:
    with pytest.raises(ParseError) as caught:
        PathDefinition(path)
    assert repr(path) in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "path", ["/{", "/}", "/a{b}", "/{a}b", "/{a}{b}", "/{}", "/foo/{a/b}", "/{a/}"]
)
def test_stray_braces_are_refused(path: str) -> None:
    with pytest.raises(ParseError):
        PathDefinition(path)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown"):
        PathDefinition("/{id:number}")


def test_the_path_is_kept_as_written() -> None:
    assert PathDefinition("/u/{id:int}/").path == "/u/{id:int}/"


@pytest.mark.parametrize(
    ("path", "path_format"),
    [
        ("/", "/"),
        ("/foo/bar/", "/foo/bar/"),
        ("/users/{id:int}", "/users/{id}"),
        ("/users/{id}", "/users/{id}"),
        ("/on/{day:datetime:%H:%M}/x", "/on/{day}/x"),
        ("/files/{path}", "/files/{path}"),
        ("/ui/{rest:path}", "/ui/{rest}"),
    ],
)
def test_the_format_of_a_path_has_names_without_types(
    path: str, path_format: str
) -> None:
    assert PathDefinition(path).path_format == path_format


def test_definitions_of_the_same_text_are_equal() -> None:
    one, same = PathDefinition("/{id}"), PathDefinition("/{id}")
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same}) == 1


@pytest.mark.parametrize("other", ["/{id:str}", "/{ID}", "/{id}/"])
def test_definitions_of_other_text_differ(other: str) -> None:
    assert PathDefinition("/{id}") != PathDefinition(other)


def test_a_definition_is_not_equal_to_its_text() -> None:
    assert PathDefinition("/foo") != "/foo"


def test_a_definition_shows_its_path() -> None:
    assert "/u/{id:int}" in repr(PathDefinition("/u/{id:int}"))
