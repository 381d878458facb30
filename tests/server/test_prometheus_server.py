"""A real Prometheus scrapes the program of the README, and answers questions."""

import contextlib
import json
import os
import re
import shutil
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from programs import free_port, on_port, request, running
from repository import ROOT

PACKAGE: Final = ROOT / "packages" / "prometheus"
DEADLINE: Final = 45
"""Seconds that Prometheus may take to start, and to have seen enough."""

SCRAPES: Final = 40
"""How often it has to scrape, twice a second, before it is asked."""

PAUSE: Final = 0.05
"""Seconds from one request to the next."""

CONFIGURATION: Final = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - job_name: example
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


@pytest.fixture
def prometheus() -> str:
    """The server. Without it the test is skipped, or fails where CI is set."""
    found = shutil.which("prometheus")
    if found is None:
        reason = "Prometheus is not installed (on Debian: apt-get install prometheus)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextlib.contextmanager
def scraping(prometheus: str, port: int, folder: Path) -> Iterator[int]:
    """Run Prometheus, and give its port."""
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(port=port), "utf-8")
    own_port = free_port()
    command = [
        prometheus,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{own_port}",
        "--enable-feature=exemplar-storage",
    ]
    with running(*command, port=own_port, cwd=folder):
        yield own_port


def ask(port: int, query: str) -> list[dict[str, Any]]:
    """Ask Prometheus, and give its series. A query that is wrong is an error."""
    url = f"http://127.0.0.1:{port}/api/v1/query?"
    url += urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(url, timeout=10) as response:
        answer = json.load(response)
    assert answer["status"] == "success"
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def value(port: int, query: str) -> float:
    """Ask for one number; 0 if there is none."""
    found = ask(port, query)
    return float(found[0]["value"][1]) if found else 0.0


def dashboard_queries() -> dict[str, str]:
    """Give the queries of the dashboard by panel, with its variables filled in."""
    dashboard = json.loads((PACKAGE / "docs" / "dashboard.json").read_text("utf-8"))
    filled = {"$__rate_interval": "5s", "$job": ".*", "$route": ".*"}
    queries: dict[str, str] = {}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, text in filled.items():
                query = query.replace(name, text)
            queries[f"{panel['title']} {target['refId']}"] = query
    return queries


def test_prometheus_scrapes_the_example_and_answers_questions(
    prometheus: str, tmp_path: Path
) -> None:
    readme = (PACKAGE / "README.md").read_text("utf-8")
    program = tmp_path / "program.py"
    port = free_port()
    first = re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert first is not None
    program.write_text(on_port(first[1], port), "utf-8")
    scrapes = 'count_over_time(up{job="example"}[1m])'
    with (
        running(sys.executable, str(program), port=port, cwd=tmp_path),
        scraping(prometheus, port, tmp_path) as own_port,
    ):
        deadline = time.monotonic() + DEADLINE
        while value(own_port, scrapes) < SCRAPES:
            assert time.monotonic() < deadline
            for name in ("Ada", "Bess"):
                assert request(port, "GET", f"/hello/{name}").status == 200
            request(port, "POST", "/hello/Ada", body=b"hello")
            time.sleep(PAUSE)
        assert value(own_port, 'min_over_time(up{job="example"}[1m])') == 1
        route = 'route="/hello/{name}"'
        assert value(own_port, f"rate(http_requests_total{{{route}}}[5s])") > 0
        buckets = f"rate(http_request_duration_seconds_bucket{{{route}}}[5s])"
        quantile = value(own_port, f"histogram_quantile(0.95, sum by (le) ({buckets}))")
        assert 0 < quantile < 1
        routes = ask(own_port, "sum by (route) (http_requests_total)")
        assert {series["metric"]["route"] for series in routes} == {
            "/hello/{name}",
            "<unmatched>",
        }
        found = {
            panel: ask(own_port, query) for panel, query in dashboard_queries().items()
        }
    # Nothing was cut short, and the example has no WebSockets.
    assert {panel for panel, series in found.items() if not series} <= {
        "Cut short A",
        "WebSockets A",
    }
