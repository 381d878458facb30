"""Every check of this repository: `nox` runs them, `nox -s demo` serves the demo.

The packages, the order in which they build on each other and the Python matrix are
read from packages/*/pyproject.toml: a new package needs no edit here. What is installed
is always a wheel built from this tree, so a file that is missing from it fails a test.
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from os import environ, execv
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import nox
from nox.command import CommandFailed
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

nox.needs_version = ">=2026.4.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = "CI" in environ

# Seconds each session may take on two cores with the downloads already cached. They
# are printed beside the seconds used when the run ends.
BUDGETS = {
    "lint": 10,
    "types": 90,
    "tests": 90,
    "coverage": 10,
    "together": 300,
    "lowest": 60,
    "wheels": 40,
    "bench": 2400,
    "soak": 300,
    "clients": 90,
    "browser": 120,
    "docs": 60,
    "scale": 120,
    "graphene": 20,
}

# What needs more than Python, or an environment of its own, and is run by a session.
SITE = "tests/docs/test_site.py"
OWN_SESSION = [
    SITE,
    "tests/browser",
    "tests/clients",
    "tests/graphene",
    "tests/scale",
]

# What only the newest Python at hand runs: servers, clients and the newcomer's commands
# take long, and what they show does not depend on the Python version.
NEWEST_ONLY = ["tests/server", "tests/docs", "tests/typing"]

# Each prints three runs, and fails where a target is missed or a peer is not there.
BENCHMARKS = [
    "benchmarks.templates",
    "benchmarks.compression",
    "benchmarks.cross_origin",
    "benchmarks.static_files",
    "benchmarks.client",
    "benchmarks.metrics",
    "benchmarks.graphql",
    "benchmarks.idle_sockets",
    "benchmarks.servers",
    "benchmarks.growth",
    "benchmarks.footprint",
    "benchmarks",
]

# What the programs in tests/clients import. The client of the older protocol, which is
# no longer developed, needs this version of graphql. That of the link for uploads is
# the newest for the oldest Node at hand.
NODE_PACKAGES = [
    "@apollo/client",
    "@apollo/persisted-query-lists",
    "@urql/core",
    "apollo-upload-client@19",
    "graphql@16",
    "graphql-http",
    "graphql-sse",
    "graphql-ws",
    "meros",
    "rxjs",
    "subscriptions-transport-ws",
    "wonka",
    "ws",
]

# graphene asks for an older graphql-core than it needs: nothing is installed with it.
GRAPHENE = [
    "graphene",
    "graphql-relay",
    "python-dateutil<3",
    "six",
    "typing-extensions",
]

# In several processes: a process with nothing left to do takes over from another, or
# does whole files, whose servers are then started once. There is much to wait for.
IN_THREE = ["pytest", "-n3", "--dist=worksteal"]
FILE_BY_FILE = ["pytest", "-n3", "--dist=loadfile"]

HELLO_WORLD = """
import asyncio
from bareasgi import Application, text_writer
from bareasgi.testing import http_request

app = Application()

@app.on_http_request({"GET"}, "/")
async def hello(scope, info, matches, content):
    return 200, [(b"content-type", b"text/plain")], text_writer("Hello, World!")

response = asyncio.run(http_request(app, "GET", "/"))
assert response.status == 200, response
"""


@dataclass(frozen=True)
class Package:
    """One folder below packages/, as its pyproject.toml describes it."""

    folder: Path
    distribution: str
    version: str
    pythons: list[str]
    dependencies: list[Requirement]
    extras: list[Requirement]

    @property
    def name(self) -> str:
        """The folder's name, which is also that of its tests."""
        return self.folder.name

    @property
    def module(self) -> str:
        """The name that is imported: the one folder in src."""
        return next(self.folder.glob("src/*/__init__.py")).parent.name


def read_package(pyproject: Path) -> Package:
    """What one pyproject.toml says."""
    project = nox.project.load_toml(pyproject)["project"]
    extras = project.get("optional-dependencies", {}).values()
    return Package(
        pyproject.parent,
        canonicalize_name(project["name"]),
        project["version"],
        re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"])),
        [Requirement(text) for text in project["dependencies"]],
        [Requirement(text) for texts in extras for text in texts],
    )


def read_packages() -> dict[str, Package]:
    """All packages by name, each after those it depends on."""
    found = [read_package(path) for path in sorted(Path().glob("packages/*/p*.toml"))]
    by_distribution = {package.distribution: package for package in found}
    graph = {
        package.distribution: [
            name
            for requirement in package.dependencies
            if (name := canonicalize_name(requirement.name)) in by_distribution
        ]
        for package in found
    }
    order = TopologicalSorter(graph).static_order()
    return {by_distribution[name].name: by_distribution[name] for name in order}


PACKAGES = read_packages()
DISTRIBUTIONS = {package.distribution for package in PACKAGES.values()}
PYTHONS = sorted(
    {python for package in PACKAGES.values() for python in package.pythons},
    key=lambda version: int(version.partition(".")[2]),
)
RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"
if int(RUNNING.partition(".")[2]) > int(PYTHONS[-1].partition(".")[2]):
    # A machine that has only a Python newer than the matrix checks with that one.
    PYTHONS.append(RUNNING)
# Wheels, coverage data and reports of this run; nothing of an earlier run counts.
WORK = Path(tempfile.mkdtemp(prefix="bareasgi-nox-"))
NOTES: list[str] = []
nox.options.report = str(WORK / "report.json")

each_package = nox.parametrize("package", list(PACKAGES), ids=list(PACKAGES))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and that versions and changelog agree."""
    install_tools(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    newest = changelog.split("\n## ")[1]
    for package in PACKAGES.values():
        if not re.match(re.escape(package.version) + r"\s", newest):
            session.error(f"{package.version} does not head the changelog")
        if f"\n### {package.distribution}\n" not in newest:
            session.error(f"the changelog's newest part lacks {package.distribution}")


@nox.session
def types(session: nox.Session) -> None:
    """Both type checkers, strict: packages as installed, and what supports tests."""
    others = ["server-tests", "browser-tests", "demo", "scale", "types"]
    install(session, PACKAGES.values(), *test_groups(*PACKAGES.values()), *others)
    modules = [package.module for package in PACKAGES.values()]
    # Code may depend on the version, so the oldest and the newest are both checked.
    versions = (PYTHONS[0], PYTHONS[-1])
    support = [Path("tests/conftest.py"), *Path("tests").glob("*/*.py")]
    support += [Path("noxfile.py"), *Path("examples").rglob("*.py")]
    checked = [str(path) for path in support if not path.name.startswith("test_")]

    def mypy() -> None:
        chosen = [f"--package={module}" for module in modules]
        for python in versions:
            session.run("mypy", f"--python-version={python}", *chosen)
        session.run("mypy", *checked)

    def pyright() -> None:
        chosen = installed(session)
        for python in versions:
            session.run("pyright", f"--pythonversion={python}", *chosen)
        session.run("pyright", *checked)
        for module in modules:
            session.run("pyright", "--verifytypes", module, "--ignoreexternal")

    with ThreadPoolExecutor() as side_by_side:
        for checker in [side_by_side.submit(mypy), side_by_side.submit(pyright)]:
            checker.result()
    # Programs that must, and programs that must not, type-check.
    run_pytest(session, "pytest", "tests/typing")


@nox.session(python=PYTHONS)
@each_package
def tests(session: nox.Session, package: str) -> None:
    """A package's own tests beside what it declares and nothing else."""
    chosen = PACKAGES[package]
    install(session, with_siblings(chosen), *test_groups(chosen))
    command = [*IN_THREE, f"tests/{package}"]
    if session.python not in measured_pythons(chosen):
        run_pytest(session, *command)
        return
    data = WORK / f"{package}.coverage-{session.python}"
    env = {**measured(chosen), "COVERAGE_FILE": str(data)}
    # The gate is for all Pythons together, in the session below.
    gathered = ["--cov", "--cov-report=", "--cov-fail-under=0"]
    run_pytest(session, *command, *gathered, env=env)
    if not session.posargs:
        session.notify(f"coverage({package})")


@nox.session(default=False)
@each_package
def coverage(session: nox.Session, package: str) -> None:
    """Every line and branch of a package runs in its tests, on one Python or another.

    Code for some versions only cannot run on the others: where there is any, this holds
    when the oldest and the newest ran.
    """
    install_tools(session, "test")
    env = measured(PACKAGES[package])
    parts = {
        python: str(data)
        for python in PYTHONS
        if (data := WORK / f"{package}.coverage-{python}").exists()
    }
    whole = f"--data-file={WORK / f'{package}.coverage'}"
    session.run("coverage", "combine", "--quiet", whole, *parts.values(), env=env)
    wanted = measured_pythons(PACKAGES[package])
    missing = [python for python in wanted if python not in parts]
    if missing:
        lacking = " and ".join(missing)
        NOTES.append(f"coverage({package}): the 100 % gate, which needs {lacking} too")
        session.run("coverage", "report", whole, "--fail-under=0", env=env)
    else:
        session.run("coverage", "report", whole, env=env)


@nox.session(python=PYTHONS)
def together(session: nox.Session) -> None:
    """All packages in one environment, and every test there is."""
    is_newest = session.python == newest_python()
    others = ["server-tests", "types"] if is_newest else []
    groups = [*test_groups(*PACKAGES.values()), "demo", *others]
    install(session, PACKAGES.values(), *groups)
    left_out = [*OWN_SESSION, *([] if is_newest else NEWEST_ONLY)]
    chosen = [f"--ignore={path}" for path in left_out]
    run_pytest(session, *FILE_BY_FILE, *chosen, attempts=2)


@nox.session
@each_package
def lowest(session: nox.Session, package: str) -> None:
    """A package's own tests with the lowest versions that it claims to work with."""
    groups = test_groups(PACKAGES[package])
    install(session, with_siblings(PACKAGES[package]), *groups, lowest=True)
    run_pytest(session, *IN_THREE, f"tests/{package}")


@nox.session
def wheels(session: nox.Session) -> None:
    """What would be published: built by way of the sdist, installed alone, and used."""
    install_tools(session, "wheels")
    dist = WORK / "dist"
    build = ["python", "-m", "build", "--installer=uv", f"--outdir={dist}"]
    for package in PACKAGES.values():
        session.run(*build, str(package.folder))
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    for package in PACKAGES.values():
        built = [
            str(next(dist.glob(f"{each.distribution.replace('-', '_')}-*.whl")))
            for each in with_siblings(package)
        ]
        empty = WORK / f"empty-{package.name}"
        python = str(empty / "bin" / "python")
        session.run("uv", "venv", "--quiet", str(empty))
        session.run("uv", "pip", "install", "--quiet", f"--python={python}", *built)
        session.run("uv", "pip", "check", f"--python={python}")
        session.run(python, "-c", f"import {package.module}", external=True)
        session.run(python, "-c", HELLO_WORLD, external=True, log=False)


@nox.session(default="CI" in environ)
def clients(session: nox.Session) -> None:
    """GraphQL clients of others, in Node, and the audits of graphql-http."""
    install(session, PACKAGES.values(), "test", "server-tests")
    packages = WORK / "node"
    if shutil.which("npm"):
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", f"--prefix={packages}"]
        session.run("npm", "install", *quiet, *NODE_PACKAGES, external=True)
    env = {"NODE_PACKAGES": str(packages)}
    run_pytest(session, *IN_THREE, "tests/clients", env=env, attempts=2)


@nox.session(default="CI" in environ)
def browser(session: nox.Session) -> None:
    """Pages in Chromium: the demo, GraphiQL, other origins, sockets, event streams."""
    groups = ["test", "server-tests", "browser-tests", "demo", "docs"]
    install(session, PACKAGES.values(), *groups)
    run_pytest(session, *IN_THREE, "tests/browser", attempts=2)


@nox.session(default="CI" in environ)
def graphene(session: nox.Session) -> None:
    """Schemas of graphene, which no installer would put beside our graphql-core."""
    install(session, with_siblings(PACKAGES["graphql"]), "test")
    session.install("--no-deps", *GRAPHENE)
    run_pytest(session, "pytest", "tests/graphene")


@nox.session(venv_backend="none", default=False)
def vendor(session: nox.Session) -> None:
    """Copies the files of npm packages that ours are shipped with, unchanged.

    A vendored/manifest.json beside them lists package, version, file and SHA-256. A
    file that has another sum is an error, and nothing is copied: whoever wrote a new
    version into the manifest looks at the file, and writes the sum it has.
    """
    found = Path("packages").glob("*/src/*/*/vendored/manifest.json")
    examples = Path("examples").glob("*/static/vendored/manifest.json")
    for manifest in sorted([*found, *examples]):
        copies: dict[Path, bytes] = {}
        for package in json.loads(manifest.read_text(encoding="utf-8")):
            for file, content in npm_files(session, package):
                if sha256(content).hexdigest() != file["sha256"]:
                    session.error(f"{file['name']}: {sha256(content).hexdigest()}")
                copies[manifest.parent / file["name"]] = content
        for path, content in copies.items():
            path.write_bytes(content)


@nox.session(default="CI" in environ)
def scale(session: nox.Session) -> None:
    """The demo on several workers; PostgreSQL, Redis and nginx come and go."""
    install(session, PACKAGES.values(), "test", "demo", "scale")
    # The figures are printed.
    run_pytest(session, "pytest", "-s", "tests/scale", attempts=2)


@nox.session
def docs(session: nox.Session) -> None:
    """Builds the site into build/site, strictly, and looks for what is dead or missing.

    What follows `--` is what zensical does instead: `nox -s docs -- serve`.
    """
    install_tools(session, "test", "docs")
    command = session.posargs or ["build", "--strict", "--clean"]
    session.run("python", "-m", "zensical", *command, env={"PYTHONPATH": ".ci"})
    if not session.posargs:
        run_pytest(session, "pytest", SITE)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Serves the demo on http://127.0.0.1:9009/ until it is interrupted."""
    install(session, PACKAGES.values(), "demo")
    shutil.rmtree(WORK)
    # This process becomes the demo, so that a signal reaches the demo itself. nox would
    # end at once on SIGTERM, and leave a server behind that holds the port.
    python = str(Path(session.bin, "python"))
    execv(python, [python, "examples/demo/app.py"])  # noqa: S606


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Two hundred clients for a minute, on each kind of server and in the demo."""
    install(session, PACKAGES.values(), "test", "server-tests", "demo")
    env = {"SOAK_SECONDS": "60"}
    programs = ["tests/server/test_soak.py", "tests/server/test_demo_under_load.py"]
    run_pytest(session, "pytest", "-s", *programs, env=env)


# The budgets that the benchmarks check were set on this version.
@nox.session(python="3.12", default=False)
def bench(session: nox.Session) -> None:
    """Us and others in one run; writes the page of the documentation."""
    install(session, PACKAGES.values(), "bench")
    failed: list[str] = []
    for module in BENCHMARKS:
        try:
            session.run("python", "-m", module, *session.posargs)
        except CommandFailed:
            # A target is missed, or a peer is. The others are measured all the same.
            failed.append(module)
    if not session.posargs:
        session.run("python", "-m", "benchmarks.page")
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def install(
    session: nox.Session,
    packages: Iterable[Package],
    *groups: str,
    lowest: bool = False,
) -> None:
    """Installs packages of this tree, what they and their extras need, and tools.

    All in one command and the packages by path: a name such as `bareasgi` must never
    be looked up in an index, where it stands for other software.
    """
    chosen = list(packages)
    needed = [
        at_lower_bound(requirement) if lowest else str(requirement)
        for package in chosen
        for requirement in (*package.dependencies, *package.extras)
        if canonicalize_name(requirement.name) not in DISTRIBUTIONS
    ]
    built = [str(wheel(session, package)) for package in chosen]
    if session.venv_backend != "uv":
        # pip takes a wheel of the version that it has already for the same wheel.
        names = [package.distribution for package in chosen]
        session.run_install("python", "-m", "pip", "uninstall", "-qy", *names)
    install_tools(session, *groups, others=[*built, *needed])


def install_tools(
    session: nox.Session, *groups: str, others: Iterable[str] = ()
) -> None:
    """Installs dependency groups, the checking tools in the constrained versions."""
    project = nox.project.load_toml("pyproject.toml")
    tools = nox.project.dependency_groups(project, *groups)
    session.install("--constraint=constraints.txt", *others, *tools)


def wheel(session: nox.Session, package: Package) -> Path:
    """The wheel of a package of this tree, built once in a run."""
    out = WORK / "wheels" / package.name
    if not out.exists():
        folder = str(package.folder)
        if session.venv_backend == "uv":
            command = ["uv", "build", "--quiet", "--wheel", f"--out-dir={out}"]
        else:
            command = ["python", "-m", "pip", "wheel", "-q", "--no-deps", f"-w{out}"]
        session.run_install(*command, folder)
    return next(out.glob("*.whl"))


def npm_files(
    session: nox.Session, package: dict[str, Any]
) -> list[tuple[dict[str, str], bytes]]:
    """What a manifest lists of an npm package, each with its bytes."""
    name = f"{package['package']}@{package['version']}"
    pack = ["npm", "pack", "--silent", f"--pack-destination={WORK}", name]
    packed: Any = session.run(*pack, silent=True, external=True)
    with tarfile.open(WORK / packed.strip()) as archive:
        return [
            (file, member.read())
            for file in package["files"]
            if (member := archive.extractfile(f"package/{file['path']}"))
        ]


def with_siblings(package: Package) -> list[Package]:
    """A package after all packages of this tree that it depends on."""
    needed = {package.distribution}
    for other in reversed(PACKAGES.values()):
        if other.distribution in needed:
            needed |= {canonicalize_name(each.name) for each in other.dependencies}
    return [other for other in PACKAGES.values() if other.distribution in needed]


def test_groups(*packages: Package) -> list[str]:
    """The dependency groups with what the tests of packages need."""
    groups = nox.project.load_toml("pyproject.toml")["dependency-groups"]
    own = [f"{package.name}-tests" for package in packages]
    return ["test", *(group for group in own if group in groups)]


def at_lower_bound(requirement: Requirement) -> str:
    """`name>=1,<2` as `name==1`."""
    bounds = [part for part in requirement.specifier if part.operator == ">="]
    if len(bounds) != 1:
        raise ValueError(f"{requirement} needs one lower bound")
    pinned = Requirement(str(requirement))
    pinned.specifier = SpecifierSet(f"=={bounds[0].version}")
    return str(pinned)


def run_pytest(
    session: nox.Session,
    *command: str,
    env: dict[str, str] | None = None,
    attempts: int = 1,
) -> None:
    """Runs pytest and keeps what it reports for the end of the run.

    With two attempts, what failed is run once more. That is for tests in which other
    programs answer over sockets: what a busy machine made late passes then, and is
    named at the end; a fault fails twice.
    """
    command = (*command, *session.posargs)
    try:
        session.run(*command, f"--junitxml={WORK / session.name}.xml", env=env)
    except CommandFailed:
        if attempts == 1:
            raise
        chosen = ["--last-failed", "--last-failed-no-failures=none"]
        report = f"--junitxml={WORK / session.name}.again.xml"
        session.run(*command, *chosen, report, env=env)


def measured_pythons(package: Package) -> list[str]:
    """The Pythons on which it is counted what the tests of a package run.

    To count takes half as long again. A package that never asks for the version is the
    same on all of them.
    """
    asks = any(
        "sys.version_info" in source.read_text(encoding="utf-8")
        for source in package.folder.glob("src/**/*.py")
    )
    return [package.pythons[0], package.pythons[-1]] if asks else package.pythons[:1]


def measured(package: Package) -> dict[str, str]:
    """What [tool.coverage] in pyproject.toml reads from the environment."""
    return {
        "MEASURED_PACKAGE": package.module,
        "MEASURED_SOURCE": str(package.folder / "src"),
    }


def installed(session: nox.Session) -> list[str]:
    """Where the packages of this tree are in the session's environment."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer: Any = session.run("python", "-c", ask, silent=True)
    return [str(Path(answer.strip(), each.module)) for each in PACKAGES.values()]


@cache
def newest_python() -> str:
    """The newest Python of the matrix that this machine has."""
    return next(filter(is_there, reversed(PYTHONS)), PYTHONS[-1])


def is_there(python: str) -> bool:
    """Whether this Python runs; a version manager's stand-in may exist and not run."""
    command = shutil.which(f"python{python}")
    if command is None:
        return False
    return subprocess.run([command, "-c", ""], check=False).returncode == 0  # noqa: S603


@atexit.register
def close() -> None:
    """Ends the run with seconds against budgets, test counts, and what was skipped."""
    report = WORK / "report.json"
    if report.exists():
        sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"]
        lines = [*map(session_line, sessions), *again_lines(sessions)]
        lines += skipped_lines(sessions)
        sys.stderr.write("\n".join(["", *lines, ""]))
    shutil.rmtree(WORK)


def session_line(session: dict[str, Any]) -> str:
    """One session: how it ended, the seconds it took and may take, its tests."""
    seconds, budget = round(session["duration"]), BUDGETS.get(session["name"], 0)
    line = f"{signature(session):24} {session['result']:8} {seconds:4} s"
    if budget:
        line += f" of {budget} s" + (", OVER BUDGET" if seconds > budget else "")
    counted = [suite.attrib for suite in suites(session)]
    return line + "".join(
        f", {each['tests']} tests, {each['failures']} failed,"
        f" {each['errors']} errors, {each['skipped']} skipped"
        for each in counted
    )


def again_lines(sessions: list[dict[str, Any]]) -> Iterator[str]:
    """Every test that failed and was run once more."""
    for session in sessions:
        for suite in suites(session, ".again"):
            for case in suite.iter("testcase"):
                name = f"{case.get('classname')}: {case.get('name')}"
                yield f"Run again: {signature(session)}: {name}"


def skipped_lines(sessions: list[dict[str, Any]]) -> Iterator[str]:
    """Everything that was skipped, and why: sessions, gates, tests."""
    notes = list(NOTES)
    for session in sessions:
        if session["result"] == "skipped":
            notes.append(f"{signature(session)}: {session.get('reason')}")
        reasons = Counter(
            each.attrib["message"]
            for suite in suites(session)
            for each in suite.iter("skipped")
        )
        notes += [
            f"{signature(session)}: {count} tests: {reason}"
            for reason, count in reasons.items()
        ]
    yield "Skipped:" if notes else "Nothing was skipped."
    yield from (f"  {note}" for note in notes)


def signature(session: dict[str, Any]) -> str:
    """The session as it is typed after `nox -s`."""
    return str(max(session["signatures"], key=len))


def suites(session: dict[str, Any], attempt: str = "") -> Iterator[ET.Element]:
    """What pytest reported in a session."""
    report = WORK / f"{signature(session)}{attempt}.xml"
    if report.exists():
        # pytest wrote this file a moment ago: it is not someone else's XML.
        yield from ET.parse(report).getroot().iter("testsuite")  # noqa: S314
