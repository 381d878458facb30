"""Prometheus's own tool finds nothing wrong with what is served."""

import os
import shutil
import subprocess

import pytest

from bareasgi import Application
from bareasgi.testing import http_request, web_socket
from bareasgi_prometheus import add_prometheus_middleware

from .applications import make_app


@pytest.fixture
def promtool() -> str:
    """The tool. Without it the test is skipped, or fails where CI is set."""
    found = shutil.which("promtool")
    if found is None:
        reason = "promtool is not installed (on Debian: apt-get install prometheus)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.parametrize("naming", ["prometheus", "otel", "older"])
async def test_promtool_accepts_the_exposition(promtool: str, naming: str) -> None:
    app = Application()
    if naming == "older":
        add_prometheus_middleware(app, host='h"\\\n', app_name="n")
    else:
        app, _, gate = make_app(naming=naming, labels={"odd": 'a"b\\c\nd é'})
        gate.opened.set()
    for path in ("/users/1", "/stream", "/missing", "/fails", "/teapot"):
        await http_request(app, "GET", path)
    async with web_socket(app, "/echo/a"):
        response = await http_request(app, "GET", "/metrics")
    assert complaints(promtool, response.body) == b""


def complaints(promtool: str, exposition: bytes) -> bytes:
    """Give what the tool has to say."""
    command = [promtool, "check", "metrics"]
    checked = subprocess.run(
        command, input=exposition, check=False, capture_output=True
    )
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said
    return said
