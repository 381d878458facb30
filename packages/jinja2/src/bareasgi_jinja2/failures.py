"""Where in the templates an exception was raised.

Jinja2 rewrites the traceback, which tells the file of a template and not its name. The
names are taken before that, and kept with the exception for the debug page.
"""

from traceback import walk_tb
from typing import Final, NamedTuple, NoReturn

from jinja2 import Environment, Template, TemplateSyntaxError

_PLACES: Final = "_bareasgi_jinja2_places"


class Place(NamedTuple):
    """A line of a template, counted from 1."""

    template: str | None
    line: int


def fail(environment: Environment, error: Exception) -> NoReturn:
    """Raise the exception that is being handled, with the lines of the templates."""
    found = [
        Place(template.name, template.get_corresponding_lineno(line))
        for frame, line in walk_tb(error.__traceback__)
        if isinstance(template := frame.f_globals.get("__jinja_template__"), Template)
    ]
    setattr(error, _PLACES, found)
    environment.handle_exception()


def places(error: Exception) -> list[Place]:
    """Give the lines that led to the exception, the outermost first."""
    found: list[Place] = list(getattr(error, _PLACES, ()))
    if isinstance(error, TemplateSyntaxError):
        found.append(Place(error.name, error.lineno))
    return found
