"""The plugins that the contract is run for. Each of them is a line in `PLUGINS`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import pytest
from repository import ROOT

from bareasgi import Application, Info, RouteMatches, Scope

HERE: Final = Path(__file__).parent
ORIGIN: Final = "https://page.example"


@dataclass(frozen=True)
class Plugin:
    """A package that is wired by a function `add_<name>`.

    Attributes:
        name: its folder below packages/. The distribution is `bareasgi-<name>`, the
            module `bareasgi_<name>`.
        add: calls its function: `(module, app)`, with whatever options make it do as
            much as it can.
        info_key: the one key that it may add to the application's info, if any.
    """

    name: str
    add: Callable[[Any, Application], object]
    info_key: str | None = None

    @property
    def distribution(self) -> str:
        """What is installed."""
        return f"bareasgi-{self.name}"

    @property
    def module(self) -> str:
        """What is imported."""
        return f"bareasgi_{self.name}"

    def add_to(self, app: Application) -> object:
        """Add it to an application, and give what it returns."""
        return self.add(import_module(self.module), app)


def no_variables(scope: Scope, info: Info, matches: RouteMatches) -> dict[str, Any]:
    """Process a context of bareasgi-jinja2, which needs its middleware for that."""
    return {}


def add_hello(graphql: Any, app: Application) -> object:
    """Add a schema of graphql-core, which comes with the package."""
    build_schema = import_module("graphql").build_schema
    return graphql.add_graphql(app, build_schema("type Query { hello: String }"))


PLUGINS: Final = [
    Plugin("graphql", add_hello),
    Plugin("cors", lambda cors, app: cors.add_cors(app, allow_origins={ORIGIN})),
    Plugin(
        "jinja2",
        lambda jinja2, app: jinja2.add_jinja2(
            app, HERE, context_processors=[no_variables], debug=True
        ),
        info_key="bareasgi_jinja2.Jinja2TemplateProvider",
    ),
    Plugin(
        "prometheus",
        lambda prometheus, app: prometheus.add_prometheus(app, exemplars=True),
    ),
    Plugin("static", lambda static, app: static.add_static(app, HERE)),
]


def require(plugin: Plugin) -> None:
    """Skip the test if the plugin is not installed.

    Where CI is set all of the repository are, and this fails instead.
    """
    try:
        distribution(plugin.distribution)
    except PackageNotFoundError:
        reason = f"{plugin.distribution} is not installed"
        if os.environ.get("CI") and plugin.name in names_in_the_repository():
            pytest.fail(reason)
        pytest.skip(reason)


def names_in_the_repository() -> set[str]:
    """Give the folders below packages/ that hold a plugin."""
    found = ROOT.glob("packages/*/src/bareasgi_*/plugin.py")
    return {path.relative_to(ROOT).parts[1] for path in found}
