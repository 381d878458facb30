"""Turns handlers that return a template's variables into handlers."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Final, ParamSpec, TypeAlias, cast

from bareasgi import HttpResponse, Info, RouteMatches, Scope

_P = ParamSpec("_P")

HandlerResult: TypeAlias = Mapping[str, Any] | HttpResponse
"""What a decorated handler returns: variables for its template, or a response."""

_Request: TypeAlias = tuple[Scope, Info, RouteMatches]

_ARGUMENTS: Final = 4
_COLLECTING: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def decorator(
    respond: Callable[[Mapping[str, Any], _Request], Awaitable[HttpResponse]],
) -> Callable[
    [Callable[_P, Awaitable[HandlerResult]]], Callable[_P, Awaitable[HttpResponse]]
]:
    """Make the decorator that responds with what handlers return, if it is a mapping.

    The handlers may be functions or methods, called with positional arguments or by
    keyword.
    """

    def decorate(
        handler: Callable[_P, Awaitable[HandlerResult]],
    ) -> Callable[_P, Awaitable[HttpResponse]]:
        request_of = _request_finder(handler)

        @wraps(handler)
        async def call(*args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
            result = await handler(*args, **kwargs)
            if isinstance(result, Mapping):
                return await respond(result, request_of(args, kwargs))
            return result

        return call

    return decorate


def _request_finder(
    handler: Callable[..., object],
) -> Callable[[tuple[Any, ...], Mapping[str, Any]], _Request]:
    """Make a function that finds scope, info and matches among a call's arguments."""
    called_with = signature(handler)
    parameters = called_with.parameters.values()
    # The last four that must be given: before them a method may have `self`.
    names = [
        parameter.name
        for parameter in parameters
        if parameter.default is Parameter.empty and parameter.kind not in _COLLECTING
    ][-_ARGUMENTS:]
    takes_any = any(each.kind is Parameter.VAR_POSITIONAL for each in parameters)
    if len(names) < _ARGUMENTS and not takes_any:
        raise TypeError(
            f"{handler!r} must take scope, info, matches and content, not {names}"
        )

    def find(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Request:
        if kwargs:
            given = called_with.bind(*args, **kwargs).arguments
            args = tuple(given[name] for name in names)
        return cast(_Request, args[-_ARGUMENTS:-1])

    return find
