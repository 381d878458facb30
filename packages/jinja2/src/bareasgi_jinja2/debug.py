"""The page that shows a developer where in the templates something went wrong."""

from html import escape
from traceback import format_exception
from typing import Final

from jinja2 import Environment, TemplateNotFound

from bareasgi_jinja2.failures import Place, places

_AROUND: Final = 4
"""How many lines are shown before and after the one that failed."""

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 2rem; }}
pre {{ background: #f4f4f4; padding: 1rem; overflow: auto; }}
mark {{ background: #fd6; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{message}</p>
{excerpts}
<h2>Traceback</h2>
<pre>{traceback}</pre>
</body>
</html>
"""

_EXCERPT: Final = "<h2>{name}, line {line}</h2>\n<pre>{lines}</pre>\n"


def debug_page(environment: Environment, error: Exception) -> str:
    """Make a page with the exception and the lines of the templates that led to it.

    The line where it was raised comes first.
    """
    excerpts = [_excerpt(environment, place) for place in reversed(places(error))]
    return _PAGE.format(
        title=escape(type(error).__name__),
        message=escape(str(error)),
        excerpts="".join(excerpts),
        traceback=escape("".join(format_exception(error))),
    )


def _excerpt(environment: Environment, place: Place) -> str:
    """Show a line of a template between its neighbours, as HTML."""
    name, line = place
    first = max(1, line - _AROUND)
    lines = _source(environment, name).splitlines()[first - 1 : line + _AROUND]
    numbered = {n: escape(f"{n:4}  {text}") for n, text in enumerate(lines, first)}
    shown = [
        f"<mark>{text}</mark>" if number == line else text
        for number, text in numbered.items()
    ]
    return _EXCERPT.format(name=escape(str(name)), line=line, lines="\n".join(shown))


def _source(environment: Environment, name: str | None) -> str:
    """Give the source of a template, or nothing where it cannot be had."""
    if environment.loader is None or name is None:
        return ""
    try:
        return environment.loader.get_source(environment, name)[0]
    except (TemplateNotFound, RuntimeError):
        return ""
