"""Wires templates to an application."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeAlias, cast

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    PackageLoader,
)

from bareasgi import Application, HttpResponse, Info
from bareasgi_jinja2.decorator import HandlerResult, decorator
from bareasgi_jinja2.middleware import jinja2_middleware
from bareasgi_jinja2.templates import (
    ContextProcessor,
    Request,
    Templates,
    html_headers,
)

_P = ParamSpec("_P")
_Folder: TypeAlias = str | PathLike[str] | tuple[str, str]

INFO_KEY: Final = "bareasgi_jinja2.Jinja2TemplateProvider"
"""Where the templates are in the application's info."""

# The older name. It means the same and stays, so that older programs keep running.
Jinja2TemplateProvider = Templates


def add_jinja2(
    app: Application,
    env_or_folder: Environment | str | PathLike[str] | tuple[str, str],
    info_key: str | None = None,
    *,
    context_processors: Sequence[ContextProcessor] = (),
    bytecode_cache: BytecodeCache | str | PathLike[str] | None = None,
    auto_reload: bool = False,
    debug: bool = False,
) -> Templates:
    """Give an application templates, from a folder, a package or an environment.

    A folder, or a package and a folder in it, makes an environment that escapes in
    every template, whatever its suffix. It has `url_for` as a global. An Environment is
    taken as it is; in its templates `url_for` is a variable, unless it has one.

    The bytecode cache is a folder or one of jinja2's, `auto_reload` looks for changed
    files before each use, and `debug` answers with a page that shows the line of the
    template where an exception was raised.

    The result is kept in the application's info, under INFO_KEY if there is no key.
    Raises NotADirectoryError for a folder that is not there, and ValueError for a
    package without one, and for options that are the environment's own.
    """
    url_for: dict[str, Any] = {"url_for": app.url_for}
    if isinstance(env_or_folder, Environment):
        if auto_reload or bytecode_cache is not None:
            raise ValueError("set auto_reload and bytecode_cache on the environment")
        environment = env_or_folder
        shared = {} if "url_for" in environment.globals else url_for
    else:
        environment = _environment(env_or_folder, bytecode_cache, auto_reload)
        # Typed as what jinja2 puts there itself.
        cast(dict[str, Any], environment.globals).update(url_for)
        shared = {}
    templates = Templates(
        environment, context_processors=context_processors, shared=shared
    )
    if context_processors or debug:
        app.middlewares.insert(0, jinja2_middleware(templates, debug=debug))
    app.info[info_key or INFO_KEY] = templates
    return templates


def templates_from(info: Info, info_key: str | None = None) -> Templates:
    """Find what `add_jinja2` made. Raises RuntimeError when it was not called."""
    key = info_key or INFO_KEY
    if key not in info:
        raise RuntimeError(f"info has no templates at {key!r}: call add_jinja2")
    templates: Templates = info[key]
    return templates


def template(
    template_name: str,
    status: int = 200,
    encoding: str = "utf-8",
    info_key: str | None = None,
) -> Callable[
    [Callable[_P, Awaitable[HandlerResult]]], Callable[_P, Awaitable[HttpResponse]]
]:
    """Decorate a handler, function or method, that returns a template's variables.

    As the method of Templates does, for modules that do not have the templates: they
    are found in the application's info. Raises RuntimeError, when the handler is
    called, if `add_jinja2` was not.
    """

    async def respond(variables: Mapping[str, Any], request: Request) -> HttpResponse:
        return await templates_from(request[1], info_key).render(
            template_name,
            variables,
            status=status,
            encoding=encoding,
            request=request,
        )

    html_headers(encoding)
    return decorator(respond)


def _environment(
    folder: _Folder,
    bytecode_cache: BytecodeCache | str | PathLike[str] | None,
    auto_reload: bool,  # noqa: FBT001 - an option of add_jinja2, passed on
) -> Environment:
    if bytecode_cache is not None and not isinstance(bytecode_cache, BytecodeCache):
        bytecode_cache = FileSystemBytecodeCache(_existing(bytecode_cache))
    return Environment(
        loader=_loader(folder),
        # Always, and not by the suffix: text and XML may end in a page as well.
        autoescape=True,
        bytecode_cache=bytecode_cache,
        auto_reload=auto_reload,
    )


def _loader(folder: _Folder) -> BaseLoader:
    if isinstance(folder, tuple):
        return PackageLoader(*folder)
    return FileSystemLoader(_existing(folder))


def _existing(folder: str | PathLike[str]) -> str:
    # Absolute, so that it stays the same folder when the program changes to another.
    path = Path(folder).absolute()
    if not path.is_dir():
        raise NotADirectoryError(f"there is no folder {str(path)!r}")
    return str(path)
