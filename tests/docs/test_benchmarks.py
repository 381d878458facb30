"""The page of the benchmarks and its charts are what the results make of them."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from repository import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
CHARTS = sorted((ROOT / "docs" / "images").glob("benchmarks-*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def render(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "benchmarks.page", *arguments)


def results() -> Mapping[str, Any]:
    return {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in RESULTS.glob("*.json")
    }


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A page with places for two results, and nothing between."""
    parts = ["machine", "missed", "behind", "small", "footprint", "chart of footprint"]
    places = [f"<!-- begin {part} -->\n<!-- end {part} -->\n" for part in parts]
    (tmp_path / "benchmarks.md").write_text(
        "# Figures\n\n" + "\n".join(places), "utf-8"
    )
    return tmp_path


def write_results(folder: Path, **runs: Sequence[float]) -> Path:
    """Results of two benchmarks, with one row for each of the contenders."""
    machine = {
        "day": "2026-01-02",
        "processor": "Abacus",
        "cores": 2,
        "memory": 8,
        "system": "Linux",
        "python": "CPython 3.12.1",
        "load": 0.25,
    }
    columns = [
        {"title": "CPU time", "unit": "ms", "digits": 1, "more_is_better": False},
        {"title": "memory", "unit": "MiB", "digits": 1, "more_is_better": False},
    ]
    rows = {
        name: [{"runs": found, "spread": []}, {"runs": found, "spread": []}]
        for name, found in runs.items()
    }
    target = {"what": "time", "counted": 4, "limit": 3, "is_reached": False, "unit": ""}
    table = {
        "title": "a small thing",
        "columns": columns,
        "rows": rows,
        "targets": [target],
        "group": "",
    }
    result = {"machine": machine, "versions": {"abacus": "1.0"}, "tables": [table]}
    folder.mkdir()
    for name in ("small", "footprint"):
        (folder / f"{name}.json").write_text(json.dumps(result), "utf-8")
    return folder


def test_the_page_and_the_charts_are_what_the_results_make() -> None:
    checked = render("--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_figure_that_was_changed_by_hand_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "docs"
    (copy / "images").mkdir(parents=True)
    for chart in CHARTS:
        shutil.copy(chart, copy / "images")
    text = PAGE.read_text("utf-8")
    changed = re.sub(r"\| (\d+)\.(\d) ", r"| \g<1>1.\2 ", text, count=1)
    assert changed != text
    (copy / "benchmarks.md").write_text(changed, "utf-8")
    checked = render("--check", "--docs", str(copy))
    assert checked.returncode == 1
    assert "benchmarks.md is not what" in checked.stdout


def test_every_result_is_of_three_runs_and_says_what_it_ran_on() -> None:
    for name, result in results().items():
        machine = result["machine"]
        assert all(machine[key] for key in ("day", "processor", "cores", "python")), (
            name
        )
        assert machine["python"].startswith("CPython 3.12"), name
        assert result["versions"]
        for table in result["tables"]:
            for row, figures in table["rows"].items():
                # What is counted, and not timed, is counted once.
                counts = {len(figure["runs"]) for figure in figures if figure}
                assert counts in ({3}, {1}), (name, table["title"], row)


def test_every_benchmark_that_nox_runs_has_its_place_on_the_page() -> None:
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    modules = re.findall(r'"benchmarks(?:\.(\w+))?"', noxfile)
    run_by_nox = {module or "requests" for module in modules} - {"page"}
    places = set(re.findall(r"<!-- begin (\w+) -->", PAGE.read_text("utf-8")))
    assert run_by_nox == set(results())
    assert run_by_nox <= places


def test_the_prose_of_the_page_has_no_measured_figures() -> None:
    text = PAGE.read_text("utf-8")
    prose = re.sub(r"<!-- begin (.+) -->.*?<!-- end \1 -->", "", text, flags=re.DOTALL)
    assert re.findall(r"\d[\d.,]* ?(?:%|µs|ms|MiB|KiB|times)", prose) == []


def test_the_middle_run_is_shown_and_how_far_the_others_are(
    docs: Path, tmp_path: Path
) -> None:
    folder = write_results(
        tmp_path / "results", bareASGI=[4.0, 2.0, 3.0], Other=[10.0, 10.0, 10.0]
    )
    written = render("--results", str(folder), "--docs", str(docs))
    assert written.returncode == 0, written.stderr
    page = (docs / "benchmarks.md").read_text("utf-8")
    assert "| **bareASGI** | 3.0 ±33 % | 3.0 ±33 % |" in page
    assert "| Other | 10.0 | 10.0 |" in page
    assert "In our worst run, time: 4, target 3 **missed**." in page
    assert "2 of 2 of our own targets were missed:" in page
    assert "| processor | Abacus |" in page
    assert (docs / "images" / "benchmarks-footprint.svg").exists()
    again = render("--check", "--results", str(folder), "--docs", str(docs))
    assert again.returncode == 0, again.stdout


def test_the_page_says_where_another_one_is_ahead(docs: Path, tmp_path: Path) -> None:
    folder = write_results(
        tmp_path / "results", bareASGI=[3.0], Quick=[1.5], Quicker=[1.0], Slow=[9.0]
    )
    assert render("--results", str(folder), "--docs", str(docs)).returncode == 0
    page = (docs / "benchmarks.md").read_text("utf-8")
    ahead = page.split("<!-- begin behind -->")[1].split("<!-- end behind -->")[0]
    theirs = "Quicker 1.0, Quick 1.5"
    assert f"| Small, a small thing: CPU time, ms | 3.0 | {theirs} |" in ahead
    assert "Slow" not in ahead


def test_results_without_a_place_are_refused(docs: Path, tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", bareASGI=[1.0])
    (folder / "small.json").rename(folder / "large.json")
    refused = render("--results", str(folder), "--docs", str(docs))
    assert refused.returncode == 1
    assert "['large', 'small']" in refused.stderr


def test_there_are_charts() -> None:
    assert len(CHARTS) == 3
    page = PAGE.read_text("utf-8")
    for chart in CHARTS:
        assert re.search(rf"!\[.+\]\(images/{chart.name}\)", page), chart


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_can_be_read_aloud_and_on_a_phone(chart: Path) -> None:
    # The command wrote it: it is not someone else's XML.
    root = ET.parse(chart).getroot()  # noqa: S314
    named = {each.attrib["id"]: each for each in root if "id" in each.attrib}
    assert root.attrib["role"] == "img"
    for name in root.attrib["aria-labelledby"].split():
        assert named[name].text
    style = str(root.findtext(f"{SVG}style"))
    assert "prefers-color-scheme: dark" in style
    width = float(root.attrib["viewBox"].split()[2])
    font = re.search(r"font: (\d+)px", style)
    assert font
    assert float(font[1]) * 360 / width >= 9
    described = str(named["title"].text) + str(named["description"].text)
    for label in root.iter(f"{SVG}text"):
        assert str(label.text) in described
        assert 0 <= float(label.attrib["x"]) < width
    for bar in root.iter(f"{SVG}rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width


class Pages(BaseHTTPRequestHandler):
    """Answers in two parts, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answer = b"yes" if self.path == "/right" else b"no"
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


LOAD = """
import sys
from benchmarks import load
request = load.Request("GET", sys.argv[2], b"", b"yes")
load.check(int(sys.argv[1]), request)
done = load.by_loop(int(sys.argv[1]), request, 4, 0.2)
assert done.answers == len(done.latencies) > 4, done
assert 0 < done.percentile(50) <= done.percentile(99) <= done.percentile(100)
assert done.percentile(100) == max(done.latencies)
assert done.seconds >= 0.2
"""


def test_our_load_generator_counts_answers_and_how_long_they_took(port: int) -> None:
    loaded = python("-c", LOAD, str(port), "/right")
    assert loaded.returncode == 0, loaded.stderr


def test_a_wrong_answer_is_not_measured(port: int) -> None:
    loaded = python("-c", LOAD, str(port), "/wrong")
    assert loaded.returncode == 1
    assert "LoadError: /wrong: the body is b'no'" in loaded.stderr


def test_a_peer_that_is_missing_ends_the_benchmark() -> None:
    report = "from benchmarks.report import Report; Report('any', [], ['no-such-peer'])"
    ended = python("-c", report)
    assert ended.returncode == 1
    assert "no-such-peer is not installed" in ended.stderr
