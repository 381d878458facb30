"""Parameters in the query of an address."""

import re
from urllib.parse import parse_qs

from bareasgi import HttpError, Scope


def text_parameter(scope: Scope, name: str) -> str:
    """Give a parameter, or nothing; of several with one name the first."""
    query_string: bytes = scope["query_string"]
    query = parse_qs(query_string.decode("ascii", "replace"))
    return query.get(name, [""])[0]


def number_parameter(
    scope: Scope, name: str, default: int, *, least: int = 0, most: int = 10**15
) -> int:
    """Give a parameter that is a number. Raises HttpError 400 for anything else."""
    text = text_parameter(scope, name)
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,16}", text) or not least <= int(text) <= most:
        raise HttpError(400, f"{name} must be a number from {least} to {most}")
    return int(text)
