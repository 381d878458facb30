"""Several processes measure into one folder."""

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import prometheus_client.values as client_values
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.values import MultiProcessValue, MutexValue

from bareasgi import Application
from bareasgi.testing import http_request, lifespan, web_socket
from bareasgi_prometheus import Metrics, add_prometheus, metrics_handler
from bareasgi_prometheus.processes import VARIABLE, remove_dead_gauges, remove_leftovers

from .applications import TRACEPARENT, make_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that prometheus-client uses, as if it had been named in time."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(client_values, "ValueClass", MultiProcessValue())
    yield tmp_path
    # Older clients have no function to close their files.
    for each in gc.get_objects():
        if type(each) is MmapedDict:
            each.close()


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


async def scrape(app: Application, query: str = "") -> str:
    return (await http_request(app, "GET", f"/metrics{query}")).text


NAMES = ["counter_{}.db", "gauge_livesum_{}.db", "gauge_all_{}.db", "histogram_{}.db"]


def leave(folder: Path, pid: int | str) -> set[str]:
    names = {name.format(pid) for name in NAMES}
    for name in names:
        (folder / name).touch()
    return names


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def copy_for(folder: Path, pid: int) -> None:
    """Have another process leave what this one has written so far."""
    for path in [*folder.iterdir()]:
        copy = path.with_name(path.name.replace(str(os.getpid()), str(pid)))
        copy.write_bytes(path.read_bytes())


async def test_what_is_measured_is_in_the_folder_and_served_from_it(
    folder: Path,
) -> None:
    app, _, _ = make_app(exemplars=True)
    async with lifespan(app):
        for _ in range(3):
            headers = [(b"traceparent", TRACEPARENT), (b"content-length", b"0")]
            await http_request(app, "POST", "/users/1", headers=headers)
        async with web_socket(app, "/echo/a"):
            text = await scrape(app)
    pid = os.getpid()
    assert left(folder) == {
        f"counter_{pid}.db",
        f"gauge_livesum_{pid}.db",
        f"histogram_{pid}.db",
    }
    labels = 'method="POST",outcome="complete",route="/users/{id}",status="200"'
    assert f"http_requests_total{{{labels}}} 3.0\n" in text
    assert 'websockets_open{route="/echo/{name}"} 1.0\n' in text
    labels = 'method="POST",route="/users/{id}"'
    assert f"http_requests_in_progress{{{labels}}} 0.0\n" in text
    assert f'http_request_size_bytes_count{{{labels},status="200"}} 3.0\n' in text
    only = await scrape(app, "?name[]=websockets_open")
    assert only.count("# TYPE") == 1


@pytest.mark.parametrize("naming", ["prometheus", "otel"])
async def test_two_applications_of_a_process_are_added_up(
    folder: Path, naming: str
) -> None:
    apps = [make_app(naming=naming)[0] for _ in range(2)]
    for app in apps:
        await http_request(app, "GET", "/users/1")
    text = await scrape(apps[0])
    assert "route" in text
    assert "_duration_seconds_count{" in text


async def test_what_the_dead_had_open_goes_at_a_scrape_and_their_totals_stay(
    folder: Path, dead: int
) -> None:
    app, _, _ = make_app()
    await http_request(app, "GET", "/users/1")
    async with web_socket(app, "/echo/a"):
        copy_for(folder, dead)
        assert f"gauge_livesum_{dead}.db" in left(folder)
        text = await scrape(app)
    assert 'websockets_open{route="/echo/{name}"} 1.0\n' in text
    labels = 'method="GET",outcome="complete",route="/users/{id}",status="200"'
    assert f"http_requests_total{{{labels}}} 2.0\n" in text
    assert f"gauge_livesum_{dead}.db" not in left(folder)
    assert f"counter_{dead}.db" in left(folder)


def test_the_first_to_start_removes_all_of_an_earlier_run(
    tmp_path: Path, dead: int
) -> None:
    leave(tmp_path, dead)
    kept = leave(tmp_path, os.getpid())
    remove_leftovers(tmp_path)
    assert left(tmp_path) == kept


def test_beside_another_process_only_what_the_dead_had_open_is_removed(
    tmp_path: Path, dead: int
) -> None:
    others = leave(tmp_path, dead) | leave(tmp_path, os.getppid())
    remove_leftovers(tmp_path)
    assert left(tmp_path) == others - {f"gauge_livesum_{dead}.db"}


def test_a_process_that_ended_unnoticed_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE
    ) as process:
        kept = leave(tmp_path, process.pid)
        remove_dead_gauges(tmp_path)
        assert left(tmp_path) == kept
        process.kill()
        # It is not waited for, so the kernel keeps it. Other kernels do not tell.
        deadline = time.monotonic() + 10
        while Path("/proc/self/stat").exists() and left(tmp_path) == kept:
            assert time.monotonic() < deadline
            remove_dead_gauges(tmp_path)


def test_files_of_others_are_left_alone(tmp_path: Path, dead: int) -> None:
    kept = leave(tmp_path, "worker") | {"notes.txt", "x.db"} | leave(tmp_path, 10**30)
    # The first process of a machine lives, and may be another user's.
    kept |= leave(tmp_path, 1)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "x.db").touch()
    leave(tmp_path, dead)
    remove_dead_gauges(tmp_path)
    remove_dead_gauges(tmp_path)
    assert left(tmp_path) >= kept
    assert f"gauge_livesum_{dead}.db" not in left(tmp_path)


async def test_the_start_cleans_up(folder: Path, dead: int) -> None:
    leave(folder, dead)
    app = Application()
    add_prometheus(app)
    assert f"counter_{dead}.db" in left(folder)
    async with lifespan(app):
        assert f"counter_{dead}.db" not in left(folder)


def test_a_folder_that_is_not_there_fails_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(folder / "missing"))
    with pytest.raises(NotADirectoryError, match="make this folder"):
        Metrics(CollectorRegistry())


def test_a_folder_that_was_named_too_late_fails_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_values, "ValueClass", MutexValue)
    with pytest.raises(RuntimeError, match="before the program starts"):
        metrics_handler(CollectorRegistry())


async def test_the_event_loop_goes_on_during_a_scrape(folder: Path) -> None:
    app, _, _ = make_app()
    await http_request(app, "GET", "/users/1")
    scraping = asyncio.create_task(scrape(app))
    await http_request(app, "GET", "/users/1")
    assert "http_requests_total" in await scraping
