"""Looks at an application's routes: `python -m bareasgi routes module:app`.

`routes` prints a table of them: method, template, name and handler. `check` prints what
is wrong with them, a line for each: routes that are never reached, because an earlier
one or a mounted application takes all their paths, and names that are given twice. Its
status is 1 when it found something, and 0 when it did not. Both end with 2, and a line
that says why, when there is no such application.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from bareasgi import Application
from bareasgi.route_report import problems, remarks, table

FOUND: Final = 1
WRONG_USAGE: Final = 2


class NoApplicationError(Exception):
    """There is no application where one was said to be. Its text is one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and give the status to exit with."""
    parser = argparse.ArgumentParser(
        "python -m bareasgi", description="Look at the routes of an application."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("routes", "print a table of the routes"),
        ("check", "find routes that are never reached, and names that are not unique"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "application",
            metavar="module:app",
            help="where the application is: module:app, module:object.app, or"
            " module:make_app() for a function that makes it",
        )
    options = parser.parse_args(arguments)
    try:
        app = load(options.application)
    except NoApplicationError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return WRONG_USAGE
    for remark in remarks(app):
        sys.stderr.write(f"{remark}\n")
    if options.command == "routes":
        sys.stdout.writelines(f"{line}\n" for line in table(app))
        return 0
    found = problems(app)
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"routes: {len(app.routes)}, problems: {len(found)}\n")
    return FOUND if found else 0


def load(target: str) -> Application:
    """Import the application that `module:app` names.

    Raises NoApplicationError when there is none.
    """
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise NoApplicationError(
            f"{target!r} must be a module and a name in it: module:app"
        )
    try:
        found: object = import_module(module_name)
    except (Exception, SystemExit) as error:
        raise NoApplicationError(
            f"{module_name!r} is not imported: {_line(error)}"
        ) from error
    is_factory = path.endswith("()")
    for name in path.removesuffix("()").split("."):
        if not hasattr(found, name):
            raise NoApplicationError(
                f"there is no {name!r} in {target!r}; a function that makes the"
                " application is written 'module:function()'"
            )
        found = getattr(found, name)
    if is_factory and callable(found):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise NoApplicationError(f"{target!r} failed: {_line(error)}") from error
    if not isinstance(found, Application):
        hint = ""
        if callable(found) and not is_factory:
            hint = f"; if it makes one, write '{target}()'"
        raise NoApplicationError(
            f"{target!r} is no bareasgi.Application but {type(found).__name__}{hint}"
        )
    return found


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


if __name__ == "__main__":
    sys.exit(main())
