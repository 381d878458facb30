"""The engines, and workers on them. When a test fails, what they printed is shown."""

import re
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from .engines import Nginx, Postgres, Redis
from .processes import Process
from .workers import Site, Worker, start_all

SECONDS: Final = 300
"""How long a test may take; the longest takes less than a tenth of that."""

LINES: Final = 200
"""How many of the last lines of a program are shown."""

PROCESSES: Final = pytest.StashKey[list[Process]]()

FAULT: Final = re.compile(r".* (?:ERROR|CRITICAL) (?:bareasgi|board|scale_out).*")

_numbers: Final = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here more time than is usual: most start several programs."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the programs printed below the failure of a test."""
    report = yield
    if report.failed:
        for process in item.stash.setdefault(PROCESSES, []):
            lines = process.log().splitlines()[-LINES:]
            report.sections.append((f"What {process.name} printed", "\n".join(lines)))
    return report


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> list[Process]:
    """The programs whose output is shown when the test fails."""
    item: pytest.Item = request.node
    return item.stash.setdefault(PROCESSES, [])


@pytest.fixture
def own(shown: list[Process]) -> Iterator[list[Process]]:
    """The programs of one test. They are killed at its end, also when it fails."""
    processes: list[Process] = []
    yield processes
    for process in reversed(processes):
        process.kill()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    """PostgreSQL, made once for all tests."""
    postgres = Postgres()
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.remove()


@pytest.fixture
def postgres(cluster: Postgres, shown: list[Process]) -> Postgres:
    """PostgreSQL, which runs when a test begins, whatever the one before did to it."""
    shown.append(cluster.process)
    if not cluster.process.is_running:
        cluster.start()
    return cluster


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """A new and empty database."""
    return postgres.new_database(f"board_{next(_numbers)}")


@pytest.fixture
def redis(tmp_path: Path, own: list[Process], shown: list[Process]) -> Redis:
    """A new and empty Redis."""
    started = Redis(tmp_path)
    own.append(started.process)
    shown.append(started.process)
    started.start()
    return started


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where Python keeps what it compiles: to start a worker takes a third of it."""
    return str(tmp_path_factory.mktemp("bytecode"))


@pytest.fixture
def new_worker(
    database_url: str,
    redis: Redis,
    tmp_path: Path,
    bytecode: str,
    own: list[Process],
    shown: list[Process],
) -> Iterator[Callable[..., Worker]]:
    """Makes a worker that is not yet started, with more variables if need be.

    At the end of the test none of them may have told of a fault of ours.
    """
    numbers = count(1)
    workers: list[Worker] = []

    def make(**variables: str) -> Worker:
        env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis.url,
            "TICK_SECONDS": "0.1",
            # What waits is no failure, however busy the machine is.
            "DATABASE_SECONDS": "20",
            "STALE_SECONDS": "30",
            "PYTHONPYCACHEPREFIX": bytecode,
            "PYTHONDONTWRITEBYTECODE": "",
            **variables,
        }
        worker = Worker(f"worker-{next(numbers)}", tmp_path, env)
        own.append(worker.process)
        shown.append(worker.process)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        assert not FAULT.findall(worker.process.log())


@pytest.fixture
def new_site(
    new_worker: Callable[..., Worker],
    tmp_path: Path,
    own: list[Process],
    shown: list[Process],
) -> Callable[..., Site]:
    """Starts workers, and nginx in front of them."""

    def start(many: int = 2, **variables: str) -> Site:
        nginx = Nginx(tmp_path)
        own.append(nginx.process)
        shown.append(nginx.process)
        ports = {"PORT": str(nginx.port), "OTHER_PORT": str(nginx.other_port)}
        workers = [new_worker(**ports, **variables) for _ in range(many)]
        start_all(workers)
        nginx.configure([worker.port for worker in workers])
        nginx.start()
        return Site(nginx, workers)

    return start
