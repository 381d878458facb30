"""The command line: `python -m bareasgi_graphql documents FOLDER`."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bareasgi_graphql.trusted import (
    DocumentsError,
    differences,
    load_documents,
    manifest,
)

FAILED: Final = 1
MANIFEST: Final = "manifest.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, and give the exit status.

    It is 0 when the manifest was written, or is up to date, and 1 when it is not, or a
    document is wrong. Wrong arguments end the program with 2.
    """
    chosen = _parser().parse_args(arguments)
    folder: Path = chosen.folder
    output: Path = chosen.output or folder / MANIFEST
    try:
        documents = load_documents(folder)
        if chosen.check:
            found = differences(documents, output)
            done = "are as in"
        else:
            _write(manifest(documents), output)
            found = []
            done = "were written to"
    except (DocumentsError, OSError) as error:
        _tell(str(error))
        return FAILED
    if found:
        _tell(*found)
        return FAILED
    _tell(f"{len(documents)} documents {done} {output}")
    return 0


def _write(value: object, output: Path) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    output.write_text(text + "\n", "utf-8", newline="\n")


def _tell(*lines: str) -> None:
    # Nothing of ours writes to standard output.
    sys.stderr.writelines(f"{line}\n" for line in lines)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m bareasgi_graphql",
        description="Tools for schemas that bareasgi-graphql serves.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "documents",
        help="write the manifest of trusted documents, or check it",
        description=(
            "Writes the manifest of the documents in a folder, *.graphql and *.gql, in"
            " the format of Apollo's tools: for clients, which send the ids in it, and"
            " for the server, which takes it or the folder as `documents`."
        ),
    )
    command.add_argument("folder", metavar="FOLDER", type=_folder)
    command.add_argument(
        "--check",
        action="store_true",
        help="write nothing, and fail when the manifest is not up to date",
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help=f"where the manifest is (default: {MANIFEST} in the folder)",
    )
    return parser


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise ArgumentTypeError(f"there is no folder {text!r}")
    return folder


if __name__ == "__main__":
    sys.exit(main())
