"""What the tests import is the wheel of this tree, and the whole of it."""

from installed import Installed

PACKAGE = Installed("cors")


def test_the_installed_versions_are_those_of_this_tree() -> None:
    PACKAGE.check_version()


def test_the_installed_files_are_those_of_this_tree() -> None:
    PACKAGE.check_files()


def test_the_wheel_brings_its_licence_and_says_that_it_is_typed() -> None:
    PACKAGE.check_wheel()


def test_importing_loads_only_what_is_declared() -> None:
    PACKAGE.check_imports()
