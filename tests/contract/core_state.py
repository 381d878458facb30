"""Tells what a plugin changes in the core: `python -m contract.core_state <name>`.

The core's own tests hold with every plugin installed if no plugin changes the core. So
this remembers every name in it, imports the plugin, adds it to an application, uses
that, and prints the names that stand for something else than before.
"""

import asyncio
import logging
import pkgutil
import sys
from copy import copy
from importlib import import_module
from types import ModuleType
from typing import cast

import bareasgi
from bareasgi import Application
from bareasgi.testing import http_request, lifespan

from .plugins import PLUGINS, Plugin


def modules_of_the_core() -> list[ModuleType]:
    """Import every module of the core."""
    found = pkgutil.walk_packages(bareasgi.__path__, "bareasgi.")
    return [bareasgi, *(import_module(each.name) for each in found)]


def state() -> dict[str, object]:
    """Give every name in the modules and classes of the core, with its value."""
    found: dict[str, object] = {"the root logger's handlers": [*logging.root.handlers]}
    for module in modules_of_the_core():
        for name, value in vars(module).items():
            found[f"{module.__name__}.{name}"] = copied(name, value)
            if isinstance(value, type) and value.__module__ == module.__name__:
                for attribute, inner in vars(value).items():
                    found[f"{module.__name__}.{name}.{attribute}"] = inner
    return found


def copied(name: str, value: object) -> object:
    """Give a copy of a public registry, whose entries count, and any other as it is."""
    is_public = not name.startswith("_")
    if is_public and isinstance(value, (dict, list, set)):
        return copy(cast(object, value))
    return value


async def use(plugin: Plugin) -> None:
    """Import and add a plugin, and use the application."""
    app = Application()
    plugin.add_to(app)
    async with lifespan(app):
        await http_request(app, "GET", "/", headers=[(b"origin", b"https://a.example")])


def main(name: str) -> None:
    """Print the names that a plugin changes."""
    plugin = next(each for each in PLUGINS if each.name == name)
    before = state()
    if plugin.module in sys.modules:
        sys.exit(f"{plugin.module} was imported before it was asked for")
    asyncio.run(use(plugin))
    after = state()
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was is not now and not (is_container(was) and was == now):
            sys.stdout.write(f"{key}\n")


def is_container(value: object) -> bool:
    """Whether equal is as good as the same."""
    return isinstance(value, (dict, list, set))


if __name__ == "__main__":
    main(sys.argv[1])
