"""Trusted documents are read from folders and manifests, and checked at once."""

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

import pytest
from graphql import Source

from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.trusted import (
    DocumentsError,
    differences,
    load_documents,
    manifest,
    trusted_identity,
)

QUERY: Final = "query Hello { hello }\n"


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


HASH: Final = hash_of(QUERY)


def bodies(documents: dict[str, Source]) -> dict[str, str]:
    return {identity: source.body for identity, source in documents.items()}


def apollo(*operations: object, **others: object) -> str:
    kind = {"format": "apollo-persisted-query-manifest", "version": 1}
    return json.dumps({**kind, "operations": operations, **others})


def write(folder: Path, **texts: str) -> Path:
    """Write texts in files `*.graphql`, below folders where a name has `__`."""
    for name, text in texts.items():
        path = folder / (name.replace("__", "/") + ".graphql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "documents.json"


# --- folders --------------------------------------------------------------------------


def test_each_file_of_a_folder_is_a_document_by_the_hash_of_its_text(
    tmp_path: Path,
) -> None:
    texts = [QUERY, "{ a } # ü", "mutation A { a }", "subscription { s }"]
    write(tmp_path, a__b=texts[0], a__c=texts[1], z=texts[3])
    (tmp_path / "b.gql").write_bytes(texts[2].encode())
    (tmp_path / "c.txt").write_text("no document")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "d.graphql").mkdir()
    documents = load_documents(tmp_path)
    assert list(bodies(documents).items()) == [(hash_of(text), text) for text in texts]
    assert [source.name for source in documents.values()] == [
        str(tmp_path / name)
        for name in ("a/b.graphql", "a/c.graphql", "b.gql", "z.graphql")
    ]


def test_a_folder_may_be_given_as_text(tmp_path: Path) -> None:
    write(tmp_path, a=QUERY)
    assert load_documents(str(tmp_path)) == load_documents(tmp_path)


def test_the_text_of_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    text = "\ufeffquery A {\r\n  a\r\n}\r\n\r\n"
    write(tmp_path, a=text)
    assert bodies(load_documents(tmp_path)) == {hash_of(text): text}


def test_a_document_may_have_fragments_and_several_operations(tmp_path: Path) -> None:
    text = "query A { ...f } query B { ...f } fragment f on Query { a }"
    write(tmp_path, a=text)
    assert [*load_documents(tmp_path)] == [hash_of(text)]


WRONG_FILES: Final = [
    ("", "a.graphql: is empty"),
    (" \n\t\n", "a.graphql: is empty"),
    ("# nothing", "a.graphql:1:10: Syntax Error: Unexpected <EOF>."),
    ("query {\n  a(}", "a.graphql:2:5: Syntax Error: Expected Name, found '}'."),
    ("{ a }\n{ a } }", "a.graphql:2:7: Syntax Error: Unexpected '}'."),
    ("fragment f on Query { a }", "a.graphql: has no operation"),
    ("type Query { a: Int }", "a.graphql: has no operation"),
]


@pytest.mark.parametrize(
    ("text", "message"), WRONG_FILES, ids=[w[1] for w in WRONG_FILES]
)
def test_a_file_that_is_no_document_is_told_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path, a=text, b=QUERY)
    with pytest.raises(DocumentsError, match=re.escape(f"{tmp_path}/{message}")):
        load_documents(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.graphql").write_bytes("{ ü }".encode("latin-1"))
    with pytest.raises(DocumentsError, match=r"a\.graphql: is not in UTF-8: "):
        load_documents(tmp_path)


def test_two_files_with_the_same_text_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a=QUERY, b__c=QUERY)
    with pytest.raises(
        DocumentsError, match=r"b/c\.graphql: has the id of .*a\.graphql$"
    ):
        load_documents(tmp_path)


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentsError, match="there are no documents in it"):
        load_documents(tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.graphql").symlink_to(tmp_path / "missing")
    with pytest.raises(
        DocumentsError, match=r"a\.graphql: cannot be read: No such file or directory"
    ):
        load_documents(tmp_path)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a=QUERY)
    # So deep that its path is longer than the system takes, of whomever.
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        name = "b" * 250
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    with pytest.raises(DocumentsError, match="bbb: cannot be read: File name too long"):
        load_documents(tmp_path)


def test_nothing_where_documents_should_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DocumentsError, match="missing: cannot be read: No such file or directory"
    ):
        load_documents(tmp_path / "missing")


@pytest.mark.parametrize("value", [{QUERY: QUERY}, [QUERY], 1, None, b"documents"])
def test_what_is_no_path_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="must be the path of a folder or file"):
        load_documents(cast(Any, value))


# --- manifests ------------------------------------------------------------------------


def operation(text: str, identity: str | None = None, **others: object) -> object:
    return {"id": identity or hash_of(text), "body": text, **others}


def test_a_manifest_of_apollo_is_read(file: Path) -> None:
    other = "mutation Save { save }"
    file.write_text(
        apollo(
            operation(QUERY, name="Hello", type="query"),
            operation(other, hash_of(other).upper(), name="Save", clientName="web"),
        )
    )
    documents = load_documents(file)
    assert bodies(documents) == {HASH: QUERY, hash_of(other): other}
    assert [source.name for source in documents.values()] == [
        f"{file}({HASH})",
        f"{file}({hash_of(other).upper()})",
    ]


def test_a_manifest_need_not_say_its_format(file: Path) -> None:
    file.write_text(json.dumps({"operations": [operation(QUERY)]}))
    assert bodies(load_documents(file)) == {HASH: QUERY}


def test_a_plain_manifest_has_a_document_for_each_id(file: Path) -> None:
    other = "{ a } # ü"
    values = {f"sha256:{HASH}": QUERY, "operations": other}
    file.write_text(json.dumps(values, ensure_ascii=False), "utf-8")
    assert bodies(load_documents(file)) == {HASH: QUERY, "operations": other}


@pytest.mark.parametrize(
    "identity", ["Hello", "0123456789abcdef" * 2, HASH[1:], "x-own:1"]
)
def test_an_id_that_is_no_sha_256_is_taken_as_it_is(file: Path, identity: str) -> None:
    file.write_text(json.dumps({identity: QUERY}))
    assert bodies(load_documents(file)) == {identity: QUERY}


OTHER: Final = hash_of("{ other }")
WRONG_MANIFESTS: Final = {
    "empty file": ("", ": is no manifest: Expecting value"),
    "no JSON": ("{", ": is no manifest: Expecting property name"),
    "no UTF-8": ('{"ü": "{ a }"}', ": is no manifest: 'utf-8' codec can't decode"),
    "nested": ("[" * 200_000, ": is no manifest: "),
    "list": ("[]", ": must be an object with documents by their ids"),
    "null": ("null", ": must be an object with documents by their ids"),
    "no documents": ("{}", ": there are no documents in it"),
    "no operations": (apollo(), ": there are no documents in it"),
    "other format": (
        apollo(format="apollo-ios"),
        ": must have format 'apollo-persisted-query-manifest', version 1",
    ),
    "other version": (apollo(version=2), ": must have format"),
    "a format as document": (
        json.dumps({"format": 1, "a": QUERY}),
        "(format): must have an id, and a string as document",
    ),
    "no id": (json.dumps({"": QUERY}), "(): must have an id"),
    "no body": (
        apollo(operation(QUERY), {"id": "a"}),
        ": operations[1] must have the strings 'id' and 'body'",
    ),
    "a number as id": (apollo({"id": 1, "body": QUERY}), ": operations[0] must have"),
    "a text as operation": (apollo(QUERY), ": operations[0] must have the strings"),
    "empty document": (json.dumps({"a": ""}), "(a): is empty"),
    "syntax": (json.dumps({"a": "{\n  (}"}), "(a):2:3: Syntax Error: Expected Name"),
    "half a character": (json.dumps({"a": "{ \ud800 }"}), "(a):1:3: Syntax Error: "),
    "no operation": (
        json.dumps({"a": "fragment f on Query { a }"}),
        "(a): has no operation",
    ),
    "wrong hash": (
        json.dumps({OTHER: QUERY}),
        f"({OTHER}): the id is not the SHA-256 of the document, which is {HASH}",
    ),
    "wrong hash in upper case": (
        json.dumps({OTHER.upper(): QUERY}),
        ": the id is not the SHA-256",
    ),
    "wrong hash with prefix": (
        apollo(operation(QUERY, f"sha256:{OTHER}")),
        ": the id is not the SHA-256",
    ),
    "twice the same key": (
        '{"a": "{ a }", "a": "{ a }"}',
        ": is no manifest: 'a' is in it twice",
    ),
    "twice the same id": (
        apollo(operation("{ a }", "A"), operation("{ b }", "A")),
        "(A): has the id of ",
    ),
    "twice the same hash": (
        apollo(operation(QUERY), operation(QUERY, f"sha256:{HASH}")),
        f"(sha256:{HASH}): has the id of ",
    ),
}


@pytest.mark.parametrize(
    ("text", "message"), WRONG_MANIFESTS.values(), ids=WRONG_MANIFESTS
)
def test_a_wrong_manifest_is_refused(file: Path, text: str, message: str) -> None:
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DocumentsError) as caught:
        load_documents(file)
    assert str(caught.value).startswith(f"{file}")
    assert message in str(caught.value)


# --- requests -------------------------------------------------------------------------


def apq(identity: object) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": identity}}


@pytest.mark.parametrize("query", [None, QUERY])
@pytest.mark.parametrize(
    ("document_id", "extensions"),
    [
        (HASH, None),
        (f"sha256:{HASH}", None),
        (HASH.upper(), {}),
        (HASH, apq("something else")),
        (None, apq(HASH)),
        (None, apq(HASH.upper())),
        (None, apq(f"sha256:{HASH}")),
    ],
)
def test_a_trusted_document_is_asked_for_by_its_id(
    query: str | None, document_id: str | None, extensions: dict[str, Any] | None
) -> None:
    documents = {HASH: Source(QUERY)}
    assert trusted_identity(documents, query, document_id, extensions) == HASH


def test_an_id_of_a_manifest_need_not_be_a_hash() -> None:
    documents = {"Hello": Source(QUERY)}
    assert trusted_identity(documents, None, "Hello", None) == "Hello"
    assert trusted_identity(documents, None, None, apq("Hello")) == "Hello"


REFUSED: Final = {
    "a text": (QUERY, None, None, "PERSISTED_QUERY_ID_REQUIRED"),
    "another text": ("{ a }", None, {"a": 1}, "PERSISTED_QUERY_ID_REQUIRED"),
    "nothing": (None, None, None, "PERSISTED_QUERY_ID_REQUIRED"),
    "an unknown id": (None, OTHER, None, "PERSISTED_QUERY_NOT_IN_LIST"),
    "no id": (None, "", apq(HASH), "PERSISTED_QUERY_NOT_IN_LIST"),
    "an unknown hash": ("{ other }", None, apq(OTHER), "PERSISTED_QUERY_NOT_IN_LIST"),
    "the id of another": ("{ other }", HASH, None, None),
    "the hash of another": ("{ other }", None, apq(HASH), None),
    "a hash that is none": (None, None, apq(1), None),
}


@pytest.mark.parametrize(
    ("query", "document_id", "extensions", "code"), REFUSED.values(), ids=REFUSED
)
def test_whatever_else_is_asked_for_is_refused(
    query: str | None,
    document_id: str | None,
    extensions: dict[str, Any] | None,
    code: str | None,
) -> None:
    with pytest.raises(RequestError) as caught:
        trusted_identity({HASH: Source(QUERY)}, query, document_id, extensions)
    assert caught.value.status == 400
    (error,) = caught.value.errors
    assert (error.extensions or {}).get("code") == code


# --- writing --------------------------------------------------------------------------


def test_a_manifest_has_what_clients_look_for(tmp_path: Path) -> None:
    texts = [QUERY, "mutation { a } query B { b }", "subscription S { s }"]
    write(tmp_path, a=texts[0], b=texts[1], c=texts[2])
    assert manifest(load_documents(tmp_path)) == {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            {"id": hash_of(text), "name": name, "type": kind, "body": text}
            for text, name, kind in zip(
                texts,
                ["Hello", "", "S"],
                ["query", "mutation", "subscription"],
                strict=True,
            )
        ],
    }


def test_a_manifest_reads_as_the_folder_that_it_was_made_of(
    tmp_path: Path, file: Path
) -> None:
    documents = load_documents(write(tmp_path, a=QUERY, b="# ü\r\n{ a }"))
    file.write_text(json.dumps(manifest(documents)))
    assert bodies(load_documents(file)) == bodies(documents)
    assert differences(documents, file) == []


def test_each_document_that_differs_is_told(tmp_path: Path, file: Path) -> None:
    file.write_text(
        json.dumps(manifest(load_documents(write(tmp_path, a=QUERY, b="{ b }"))))
    )
    write(tmp_path, b="{ changed }", c="{ c }")
    assert differences(load_documents(tmp_path), file) == [
        f"{tmp_path}/b.graphql: is not in {file}",
        f"{tmp_path}/c.graphql: is not in {file}",
        f"{file}({hash_of('{ b }')}): is not in the folder",
    ]


@pytest.mark.parametrize("change", ["order", "name", "plain"])
def test_a_manifest_that_would_be_written_otherwise_is_told(
    tmp_path: Path, file: Path, change: str
) -> None:
    documents = load_documents(write(tmp_path, a=QUERY, b="{ b }"))
    value: dict[str, Any] = manifest(documents)
    match change:
        case "order":
            value["operations"].reverse()
        case "name":
            value["operations"][1]["name"] = "B"
        case _:
            value = bodies(documents)
    file.write_text(json.dumps(value))
    assert differences(documents, file) == [
        f"{file}: has the documents, but is not as it would be written"
    ]
