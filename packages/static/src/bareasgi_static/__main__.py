"""The command line: `python -m bareasgi_static compress FOLDER`."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from bareasgi_static.compress import (
    MINIMUM_SIZE,
    MissingModuleError,
    Result,
    compress,
    find_files,
    needed,
)
from bareasgi_static.encodings import SUFFIXES


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, and give the exit status."""
    chosen = _parser().parse_args(arguments)
    paths = [*find_files(chosen.folder, chosen.minimum_size)]
    total = sum(path.stat().st_size for path in paths) * len(chosen.codings)
    try:
        with needed("tqdm").tqdm(
            total=total,
            unit="B",
            unit_scale=True,
            disable=chosen.quiet,
            # Nothing of ours writes to standard output.
            file=sys.stderr,
        ) as bar:
            result = compress(paths, chosen.codings, bar.update)
    except (MissingModuleError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not chosen.quiet:
        sys.stderr.write(_summary(len(paths), result))
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m bareasgi_static",
        description="Tools for folders that bareasgi-static serves.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    compressing = commands.add_parser(
        "compress",
        help="write the .br, .zst and .gz forms of files beside them",
        description=(
            "Writes coded forms of the files in a folder beside them, for clients that"
            " accept them. What would not be smaller is not written, and what is up to"
            " date is left. To be called after each build."
        ),
    )
    compressing.add_argument("folder", metavar="FOLDER", type=_folder)
    compressing.add_argument(
        "--codings",
        nargs="+",
        choices=tuple(SUFFIXES),
        default=tuple(SUFFIXES),
        help="those to write (default: all)",
    )
    compressing.add_argument(
        "--minimum-size",
        type=int,
        default=MINIMUM_SIZE,
        metavar="BYTES",
        help="leave smaller files as they are (default: %(default)s)",
    )
    compressing.add_argument(
        "--quiet", action="store_true", help="show neither progress nor a summary"
    )
    return parser


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise ArgumentTypeError(f"there is no folder {text!r}")
    return text


def _summary(files: int, result: Result) -> str:
    return (
        f"{files} files: {result.written} forms written, {result.saved:,} bytes saved,"
        f" {result.current} up to date, {result.useless} not worth it\n"
    )


if __name__ == "__main__":
    sys.exit(main())
