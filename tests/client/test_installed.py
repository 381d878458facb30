"""What the tests import is the wheel of this tree, and the whole of it."""

from installed import Installed

import bareclient

PACKAGE = Installed("client")


def test_the_installed_versions_are_those_of_this_tree() -> None:
    PACKAGE.check_version()


def test_the_installed_files_are_those_of_this_tree() -> None:
    PACKAGE.check_files()


def test_the_wheel_brings_its_licence_and_says_that_it_is_typed() -> None:
    PACKAGE.check_wheel()


def test_importing_loads_only_what_is_declared() -> None:
    # What httpcore2 needs, and its extras for asyncio, HTTP/2 and SOCKS.
    needed = {"anyio", "h11", "h2", "hpack", "httpcore2", "hyperframe"}
    needed |= {"socksio", "truststore", "typing_extensions"}
    PACKAGE.check_imports("bareutils", "idna", *needed)


def test_every_public_name_says_what_it_is() -> None:
    for name in bareclient.__all__:
        assert getattr(bareclient, name).__doc__, name
