"""The GraphQL clients of others, over both kinds of server.

What each of them does is in its program, and what several do in `scenarios.mjs`,
`parts.mjs`, `payloads.mjs` and `uploads.mjs`.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from programs import free_port, running
from repository import ROOT

DEADLINE: Final = 45
"""Seconds that a program may take; it takes about one."""

AUDITS: Final = 61

CUT: Final = "ASGI callable returned without completing response."
"""What uvicorn logs of a response that is cut because the server has to end."""

FEWEST: Final = 4
"""As many scenarios does every client go through; most have more."""

CLIENTS: Final = (
    "graphql-ws",
    "subscriptions-transport-ws",
    "graphql-sse distinct",
    "graphql-sse single",
    "apollo-client socket",
    "apollo-client event-stream",
    "apollo-client multipart",
    "urql socket",
    "urql event-stream",
    "apollo-client-parts Defer20220824Handler",
    "apollo-client-parts GraphQL17Alpha9Handler",
    "urql-parts",
    "meros browser",
    "meros node",
    "graphql-sse-parts",
    "apollo-upload-client",
    "urql-uploads",
    "apollo-client-persisted",
)
"""A program, and the way that it takes when it knows several."""

Run: TypeAlias = Callable[..., str]


@pytest.fixture(params=["hypercorn", "uvicorn"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a server listens; it must not log anything else."""
    port, log = free_port(), tmp_path / "server.log"
    module = ("-m", "clients.served", request.param, str(port), str(log))
    with running(sys.executable, *module, port=port, cwd=ROOT / "tests"):
        yield f"127.0.0.1:{port}"
    logged = log.read_text(encoding="utf-8").splitlines()
    assert [line for line in logged if not line.endswith(CUT)] == []


@pytest.fixture
def run(node: str, programs: Path, address: str) -> Run:
    """Gives what a program printed, which must end well."""

    def run_program(name: str, *ways: str) -> str:
        command = [node, "--test-reporter=tap", f"{name}.mjs", address, *ways]
        process = subprocess.Popen(
            command,
            cwd=programs,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            printed, _ = process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
        assert process.returncode == 0, printed
        return printed

    return run_program


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_does_everything_that_it_can(run: Run, client: str) -> None:
    report = run(*client.split())
    assert len(re.findall("^ok ", report, re.MULTILINE)) >= FEWEST, report
    assert re.search("^# skipped 0$", report, re.MULTILINE), report


def test_every_audit_of_graphql_http_is_passed(run: Run) -> None:
    audits = json.loads(run("audits"))
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) >= AUDITS
