"""One browser for all tests here, and a page of its own for each."""

import os
from collections.abc import Iterator

import pytest

from .chromium import Browser, Page, find_chromium, running_browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A running Chromium. Without it the test is skipped, or fails where CI is set."""
    command = find_chromium()
    if command is None:
        reason = "Chromium is not installed (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running_browser(command, tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Page:
    """A new tab."""
    return Page(browser)
