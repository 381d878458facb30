"""The demo as it is started by hand: its ports, its end, and what outlives it."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from programs import request, running
from repository import ROOT

from bareclient import Client
from board.settings import Settings

PROGRAM = ROOT / "examples" / "demo" / "app.py"
JSON = "application/json"


@contextmanager
def serving(settings: Settings) -> Generator[None]:
    """Runs the demo, and ends it by SIGTERM."""
    with running(
        sys.executable,
        str(PROGRAM),
        port=settings.port,
        env=environment(settings),
    ):
        yield


def environment(settings: Settings) -> dict[str, str]:
    return {
        "PORT": str(settings.port),
        "OTHER_PORT": str(settings.other_port),
        "DATABASE": str(settings.database),
        "TICK_SECONDS": str(settings.tick_seconds),
    }


def place_order(settings: Settings, **fields: object) -> tuple[int, Any]:
    order = {"side": "buy", "symbol": "LUM", "quantity": 1, **fields}
    content = json.dumps(order).encode()
    headers = {"content-type": JSON}
    sent = request(settings.port, "POST", "/api/orders", headers=headers, body=content)
    return sent.status, json.loads(sent.body)


def trade_numbers(settings: Settings) -> list[int]:
    trades = json.loads(request(settings.port, "GET", "/api/trades").body)
    return [trade["number"] for trade in trades]


def test_both_ports_are_the_board_and_the_other_page_has_asked_over_http(
    settings: Settings,
) -> None:
    with serving(settings):
        for port in (settings.port, settings.other_port):
            page = request(port, "GET", "/other")
            assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
            assert b"Otter Robotics" in page.body


def test_trades_and_waiting_orders_outlive_the_server(settings: Settings) -> None:
    key = str(uuid4())
    with serving(settings):
        assert place_order(settings)[0] == 201
        first = place_order(settings, key=key, quantity=2)
        waiting = place_order(settings, limit="0.01")[1]
    with serving(settings):
        assert trade_numbers(settings) == [1, 2]
        # Whoever lost the answer asks again, and has not bought twice.
        assert place_order(settings, key=key, quantity=2) == (200, first[1])
        path = f"/api/orders/{waiting['key']}"
        found = json.loads(request(settings.port, "GET", path).body)
        assert found["status"] == "waiting"
        assert place_order(settings)[1]["trade"]["number"] == 3


async def followed(settings: Settings, last: str, count: int) -> list[str]:
    """The ids of so many events, for a reader that has some already."""
    headers = [(b"last-event-id", last.encode())] if last else []
    ids: list[str] = []
    async with (
        asyncio.timeout(10),
        Client(base_url=settings.origin) as client,
        client.request("GET", "/trades", headers) as response,
    ):
        async for event in response.events():
            ids.append(event.id)
            if len(ids) == count:
                break
    return ids


async def test_a_reader_that_comes_back_after_a_restart_misses_nothing(
    settings: Settings,
) -> None:
    with serving(settings):
        place_order(settings)
        place_order(settings)
        assert await followed(settings, "", 1) == ["1"]
    with serving(settings):
        place_order(settings)
        assert await followed(settings, "1", 2) == ["2", "3"]


def test_it_ends_on_sigterm_while_it_streams_and_keeps_connections(
    settings: Settings,
) -> None:
    with serving(settings):
        idle = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=10)
        idle.request("GET", "/api/stocks")
        idle.getresponse().read()
        stream = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=10)
        stream.request("GET", "/prices")
        response = stream.getresponse()
        assert response.readline() == b"retry: 1000\n"
    # Only now, after the demo has ended, do its clients leave.
    with pytest.raises(http.client.IncompleteRead):
        # A stream that is ended for it is cut, and not ended as if it were whole.
        response.read()
    stream.close()
    idle.close()


def test_it_ends_on_sigterm_while_a_client_does_not_read(settings: Settings) -> None:
    with serving(settings):
        for _ in range(200):
            place_order(settings)
        deaf = socket.socket()
        # What is sent to it waits in the server before long.
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect(("127.0.0.1", settings.port))
        deaf.sendall(b"GET /api/trades?limit=500 HTTP/1.1\r\nhost: x\r\n\r\n" * 500)
        # It answers others meanwhile.
        assert request(settings.port, "GET", "/api/stocks").status == 200
    deaf.close()


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("DATABASE", "no-such-folder/x.sqlite3")]
)
def test_a_wrong_setting_ends_it_with_one_line(
    settings: Settings, name: str, value: str
) -> None:
    told = ended_with(settings, {name: value})
    assert told.count("\n") == 1
    assert name in told


def test_a_port_that_is_taken_ends_it_with_one_line(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.port)):
        told = ended_with(settings, {})
    assert "in use" in told
    assert told.count("\n") == 1


def ended_with(settings: Settings, changed: dict[str, str]) -> str:
    """What it says when it cannot start."""
    ended = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env={**os.environ, **environment(settings), **changed},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    return ended.stderr


def test_its_files_are_where_the_settings_say(
    settings: Settings, tmp_path: Path
) -> None:
    with serving(settings):
        place_order(settings)
    assert [path.name for path in tmp_path.iterdir()] == ["board.sqlite3"]
