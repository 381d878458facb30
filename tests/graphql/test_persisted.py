"""Automatic persisted queries, as Apollo's clients ask for them."""

from hashlib import sha256
from sys import getsizeof
from typing import Any, Final

import pytest

from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.persisted import (
    PersistedQueries,
    document_hash,
    is_hash,
    persisted_identity,
    same_identity,
)

QUERY: Final = "{ hello }"
HASH: Final = sha256(QUERY.encode()).hexdigest()


def asking(identity: object = HASH, version: object = 1) -> dict[str, Any]:
    return {"persistedQuery": {"version": version, "sha256Hash": identity}}


def refusal(
    persisted: PersistedQueries, query: str | None, extensions: dict[str, Any] | None
) -> RequestError:
    with pytest.raises(RequestError) as caught:
        persisted.text(query, extensions)
    return caught.value


def codes(error: RequestError) -> list[tuple[str, Any]]:
    return [
        (each.message, (each.extensions or {}).get("code")) for each in error.errors
    ]


NOT_FOUND: Final = [("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")]
NOT_SUPPORTED: Final = [("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")]


@pytest.mark.parametrize("size", [0, 10])
@pytest.mark.parametrize("extensions", [None, {}, {"a": 1}, {"persistedQuery": None}])
def test_a_document_in_full_is_taken_as_it_is(
    size: int, extensions: dict[str, Any] | None
) -> None:
    assert PersistedQueries(size).text(QUERY, extensions) == QUERY


@pytest.mark.parametrize("size", [0, 10])
@pytest.mark.parametrize("extensions", [None, {}, {"persistedQuery": None}])
def test_a_request_needs_a_document_or_a_hash(
    size: int, extensions: dict[str, Any] | None
) -> None:
    error = refusal(PersistedQueries(size), None, extensions)
    assert error.status == 400
    assert codes(error) == [("The parameter 'query' must be a string", None)]


def test_a_hash_that_is_not_known_is_told_as_clients_expect() -> None:
    error = refusal(PersistedQueries(10), None, asking())
    assert codes(error) == NOT_FOUND
    # 200 as application/json, where a status would hide the error from older clients.
    assert error.status is None
    assert not error.is_invalid
    assert (b"cache-control", b"no-store") in error.headers


def test_a_document_that_came_with_its_hash_is_found_by_it() -> None:
    persisted = PersistedQueries(10)
    assert persisted.text(QUERY, asking()) == QUERY
    assert persisted.text(None, asking()) == QUERY
    assert persisted.text(None, asking(HASH.upper())) == QUERY


def test_a_document_that_came_without_its_hash_is_not_kept() -> None:
    persisted = PersistedQueries(10)
    persisted.text(QUERY, None)
    assert codes(refusal(persisted, None, asking())) == NOT_FOUND


def test_nothing_is_kept_under_the_hash_of_something_else() -> None:
    persisted = PersistedQueries(10)
    error = refusal(persisted, "{ other }", asking())
    assert error.status == 400
    assert codes(error) == [("provided sha does not match query", None)]
    assert codes(refusal(persisted, None, asking())) == NOT_FOUND


def test_clients_are_told_that_hashes_are_not_supported() -> None:
    persisted = PersistedQueries(0)
    error = refusal(persisted, None, asking())
    assert codes(error) == NOT_SUPPORTED
    assert error.status is None
    # The document that is sent instead is taken, also beside the hash.
    assert persisted.text(QUERY, asking()) == QUERY
    assert codes(refusal(persisted, None, asking())) == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ([], "must be an object"),
        ("a", "must be an object"),
        (True, "must be an object"),
        ({}, "version"),
        ({"sha256Hash": HASH}, "version"),
        ({"version": 2, "sha256Hash": HASH}, "version"),
        ({"version": "1", "sha256Hash": HASH}, "version"),
        ({"version": True, "sha256Hash": HASH}, "version"),
        ({"version": [1], "sha256Hash": HASH}, "version"),
        ({"version": 1}, "'sha256Hash'"),
        ({"version": 1, "sha256Hash": None}, "'sha256Hash'"),
        ({"version": 1, "sha256Hash": 12}, "'sha256Hash'"),
        ({"version": 1, "sha256Hash": [HASH]}, "'sha256Hash'"),
        ({"version": 1, "sha256Hash": ""}, "64 hexadecimal digits"),
        ({"version": 1, "sha256Hash": HASH[1:]}, "64 hexadecimal digits"),
        ({"version": 1, "sha256Hash": HASH + "0"}, "64 hexadecimal digits"),
        ({"version": 1, "sha256Hash": HASH[1:] + "g"}, "64 hexadecimal digits"),
        ({"version": 1, "sha256Hash": HASH + "\n"}, "64 hexadecimal digits"),
        ({"version": 1, "sha256Hash": HASH[1:] + "٣"}, "64 hexadecimal digits"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("query", [None, QUERY])
def test_an_extension_of_another_shape_is_refused(
    extension: object, message: str, query: str | None
) -> None:
    error = refusal(PersistedQueries(10), query, {"persistedQuery": extension})
    assert error.status == 400
    assert message in str(error)


def test_the_documents_that_were_used_last_are_kept() -> None:
    persisted = PersistedQueries(2)
    texts = ["{ a }", "{ b }", "{ c }", "{ d }"]
    first, second, third, fourth = [
        (text, asking(document_hash(text))) for text in texts
    ]
    persisted.text(*first)
    persisted.text(*second)
    persisted.text(None, first[1])
    persisted.text(*third)
    assert codes(refusal(persisted, None, second[1])) == NOT_FOUND
    persisted.text(*first)
    persisted.text(*fourth)
    assert codes(refusal(persisted, None, third[1])) == NOT_FOUND
    assert persisted.text(None, first[1]) == "{ a }"
    assert persisted.text(None, fourth[1]) == "{ d }"


def test_the_memory_of_all_documents_is_bounded() -> None:
    texts = [f"{{ {letter * 1000} }}" for letter in "abc"]
    persisted = PersistedQueries(100, max_bytes=2 * getsizeof(texts[0]))
    for text in texts:
        persisted.text(text, asking(document_hash(text)))
    found = [asking(document_hash(text)) for text in texts]
    assert codes(refusal(persisted, None, found[0])) == NOT_FOUND
    assert [persisted.text(None, each) for each in found[1:]] == texts[1:]
    # Again and again, so that what is counted does not drift.
    for text in texts * 10:
        assert persisted.text(text, asking(document_hash(text))) == text
    assert [persisted.text(None, each) for each in found[1:]] == texts[1:]


def test_a_document_too_large_to_keep_does_not_drive_out_the_others() -> None:
    persisted = PersistedQueries(100, max_bytes=1000)
    large = f"{{ {'a' * 2000} }}"
    persisted.text(QUERY, asking())
    assert persisted.text(large, asking(document_hash(large))) == large
    assert codes(refusal(persisted, None, asking(document_hash(large)))) == NOT_FOUND
    assert persisted.text(None, asking()) == QUERY


def test_a_document_may_have_any_character() -> None:
    persisted = PersistedQueries(10)
    for text in ('{ a(b: "é💡") }', "{ \ud800 }"):
        extensions = asking(document_hash(text))
        assert persisted.text(text, extensions) == text
        assert persisted.text(None, extensions) == text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (HASH, HASH),
        (HASH.upper(), HASH),
        (f"sha256:{HASH}", HASH),
        (f"sha256:{HASH[1:]}", f"sha256:{HASH[1:]}"),
        ("Hello", "Hello"),
        ("x-md5:0123", "x-md5:0123"),
    ],
)
def test_an_id_is_looked_up_however_it_is_written(given: str, kept: str) -> None:
    assert same_identity(given) == kept
    assert persisted_identity(asking(given)) == given
    assert is_hash(kept) is (kept == HASH)
