"""The plugin of the guide, taken out of its page and held to the contract."""

import asyncio
import json
import os
import re
import shutil
import site
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final
from venv import EnvBuilder

import pytest
from guides import blocks_of
from repository import ROOT

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    text_writer,
)
from bareasgi.testing import Response, http_request, http_stream

PAGE: Final = ROOT / "docs/design/writing-a-plugin.md"
BLOCKS: Final = blocks_of(PAGE)
FILES: Final = {block.title: block.text for block in BLOCKS if block.title}
SOURCE: Final = "src/bareasgi_accesslog/plugin.py"
MOST_LINES: Final = 60

# What the guide says is enough to take along.
TAKEN_ALONG: Final = ("tests/contract", "tests/support", "pyproject.toml")
LIST: Final = "PLUGINS: Final = [\n"
LINE: Final = "tests/contract/plugins.py, in PLUGINS"

# Of the contract, without the one that is about this repository alone.
FEWEST_TESTS: Final = 20


def block(language: str) -> str:
    """The one block in a language that is no file."""
    [found] = [each for each in BLOCKS if each.language == language and not each.title]
    return found.text


def mistakes() -> list[tuple[str, str, str]]:
    """The rows of the table: what is right, what is wrong, and which test fails."""
    cell = r"`([^`|]+)` \|"
    text = PAGE.read_text("utf-8")
    return re.findall(rf"^\| {cell} {cell} {cell}$", text, re.MULTILINE)


class Installed:
    """The plugin in an environment of its own, beside a copy of the contract.

    No build is run, for that would need an index: the files are put where pip puts
    those of a wheel. Everything else is what this process itself can import.
    """

    def __init__(self, folder: Path) -> None:
        EnvBuilder(symlinks=True).create(folder / "env")
        self.python = str(folder / "env" / "bin" / "python")
        [packages] = folder.glob("env/lib/python*/site-packages")
        ours = [f"site.addsitedir({path!r})" for path in site.getsitepackages()]
        (packages / "ours.pth").write_text("; ".join(["import site", *ours]), "utf-8")
        project = tomllib.loads(FILES["pyproject.toml"])["project"]
        metadata = {
            "Metadata-Version": "2.1",
            "Name": project["name"],
            "Version": project["version"],
            "Requires-Dist": project["dependencies"][0],
        }
        name = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        texts = {
            path.removeprefix("src/"): text
            for path, text in FILES.items()
            if path.startswith("src/")
        }
        texts["bareasgi_accesslog/py.typed"] = ""
        texts[f"{name}/METADATA"] = "".join(f"{k}: {v}\n" for k, v in metadata.items())
        texts[f"{name}/RECORD"] = "".join(f"{path},,\n" for path in sorted(texts))
        for path, text in texts.items():
            (packages / path).parent.mkdir(exist_ok=True)
            (packages / path).write_text(text, "utf-8")
        self.plugin = packages / SOURCE.removeprefix("src/")
        self.folder = folder

    def hold_to_the_contract(self, chosen: str) -> dict[str, str]:
        """Run tests of a copy of the contract, and give how each of them ended."""
        for path in TAKEN_ALONG:
            copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
            (self.folder / path).parent.mkdir(exist_ok=True)
            copy(ROOT / path, self.folder / path)
        plugins = self.folder / "tests/contract/plugins.py"
        text = plugins.read_text("utf-8")
        assert LIST in text
        plugins.write_text(text.replace(LIST, LIST + FILES[LINE]), "utf-8")
        python, *command, word = block("sh").split()
        assert (python, word) == ("python", "accesslog")
        report = self.folder / "report.xml"
        printed = subprocess.run(
            [self.python, *command, chosen, f"--junitxml={report}"],
            cwd=self.folder,
            env={**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
            check=False,
            capture_output=True,
            text=True,
        )
        assert report.exists(), printed.stdout + printed.stderr
        # pytest wrote this file a moment ago: it is not someone else's XML.
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314
        ends = {
            case.attrib["name"]: next((each.tag for each in case), "passed")
            for case in cases
        }
        assert ends, printed.stdout + printed.stderr
        return ends


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_the_plugin_has_at_most_60_lines() -> None:
    assert len(FILES[SOURCE].splitlines()) <= MOST_LINES


@pytest.mark.timeout(300)
def test_the_plugin_keeps_the_contract(installed: Installed) -> None:
    ends = installed.hold_to_the_contract("accesslog")
    assert {name for name, end in ends.items() if end != "passed"} == set()
    assert len(ends) >= FEWEST_TESTS


@pytest.mark.parametrize(
    ("right", "wrong", "test"), mistakes(), ids=[test for *_, test in mistakes()]
)
def test_a_mistake_of_the_table_fails_the_test_that_is_named(
    right: str, wrong: str, test: str, installed: Installed
) -> None:
    text = installed.plugin.read_text("utf-8")
    assert right in text
    installed.plugin.write_text(text.replace(right, wrong), "utf-8")
    ends = installed.hold_to_the_contract(f"accesslog and {test}")
    assert all(name.startswith(f"{test}[") for name in ends)
    assert "failure" in ends.values()


def test_the_table_has_mistakes() -> None:
    assert len(mistakes()) == PAGE.read_text("utf-8").count("\n| `") > 0


def test_the_program_of_the_guide_prints_these_lines(installed: Installed) -> None:
    program = installed.folder / "try_it.py"
    program.write_text(FILES["try_it.py"], "utf-8")
    printed = subprocess.run(
        [installed.python, str(program)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert without_seconds(printed.stdout) == without_seconds(block("text"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_find_nothing_to_complain_of(
    checker: str, tmp_path: Path
) -> None:
    if find_spec(checker) is None:
        reason = f"{checker} is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    (tmp_path / "plugin.py").write_text(FILES[SOURCE], "utf-8")
    # pyright has no option for it, and reads it here.
    strict = {"typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(strict), "utf-8")
    options = {
        "mypy": ["--strict", "--no-incremental", "plugin.py"],
        "pyright": ["--pythonpath", sys.executable],
    }
    printed = subprocess.run(
        [sys.executable, "-m", checker, *options[checker]],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert printed.returncode == 0, printed.stdout + printed.stderr


# --- what the guide says of the plugin ------------------------------------------------


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, [(b"x-request-id", b"another")], text_writer(scope["request_id"])


async def fail(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    raise ZeroDivisionError(scope["request_id"])


async def stream(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await info["gate"].wait()
        yield b"second"

    return 200, None, body()


@pytest.fixture
def plugin() -> ModuleType:
    module = ModuleType("accesslog")
    exec(FILES[SOURCE], vars(module))  # noqa: S102 - a block of our own page
    return module


@pytest.fixture
def app(plugin: ModuleType, caplog: pytest.LogCaptureFixture) -> Application:
    caplog.set_level("INFO")
    app = Application(info={"gate": asyncio.Event()})
    plugin.add_accesslog(app)
    app.http_router.add({"GET"}, "/", show)
    app.http_router.add({"GET"}, "/fail", fail)
    app.http_router.add({"GET"}, "/stream", stream)
    return app


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [each for each in caplog.records if each.name == "accesslog"]
    return [without_seconds(each.getMessage()) for each in records]


def id_in(response: Response) -> str:
    """The one id in the headers of a response."""
    [own] = [value for name, value in response.headers if name == b"x-request-id"]
    return own.decode()


@pytest.mark.parametrize("sent", [b"12345678", b"a" * 64, b"0f5c7a91-plums_1"])
async def test_an_id_that_is_sent_is_kept(app: Application, sent: bytes) -> None:
    response = await http_request(app, "GET", "/", headers=[(b"x-request-id", sent)])
    assert id_in(response) == response.text == sent.decode()


@pytest.mark.parametrize("sent", [b"", b"1234567", b"a" * 65, b"12345 78", b"\xff" * 9])
async def test_what_is_no_id_is_replaced(app: Application, sent: bytes) -> None:
    response = await http_request(app, "GET", "/", headers=[(b"x-request-id", sent)])
    assert id_in(response) == response.text != sent.decode("latin-1")


async def test_a_500_has_the_id_that_the_log_has(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    response = await http_request(app, "GET", "/fail")
    assert response.status == 500
    assert lines(caplog) == [f"{id_in(response)} 'GET' '/fail' 500 complete, n s"]


async def test_a_stream_is_logged_after_its_last_byte(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    async with http_stream(app, "GET", "/stream") as answer:
        assert await answer.chunk() == b"first"
        assert lines(caplog) == []
        app.info["gate"].set()
        assert await answer.chunk() == b"second"
        await answer.finished()
    [line] = lines(caplog)
    assert line.endswith(" 'GET' '/stream' 200 complete, n s")


async def test_a_stream_whose_client_leaves_is_cut_off(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    async with http_stream(app, "GET", "/stream") as answer:
        assert await answer.chunk() == b"first"
        answer.leave()
        await answer.finished()
    [line] = lines(caplog)
    assert line.endswith(" 'GET' '/stream' 200 cut off, n s")


@pytest.mark.parametrize("header", ["", "X-Request-ID", "x id", "x\r\n"])
def test_a_wrong_header_is_an_error_at_once(plugin: ModuleType, header: str) -> None:
    with pytest.raises(ValueError, match="must be like 'x-request-id'"):
        plugin.add_accesslog(Application(), header=header)


def without_seconds(text: str) -> str:
    return re.sub(r"\d+\.\d{3} s", "n s", text)
