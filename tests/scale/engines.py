"""PostgreSQL, Redis and nginx, on ports and in folders of their own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from programs import free_port
from repository import ROOT

from .processes import Process, find_program

NGINX_CONF: Final = ROOT / "examples" / "scale_out" / "nginx.conf"

# nginx would keep what it cannot pass on in folders that only root may write to.
MAIN_CONF: Final = """
daemon off;
pid nginx.pid;
error_log stderr notice;
{user}
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    include board.conf;
}}
"""


class Postgres:
    """A cluster of PostgreSQL that trusts whoever comes over the loopback interface."""

    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        initdb = find_program("initdb", "postgresql", *programs)
        self._isready = find_program("pg_isready", "postgresql", *programs)
        psql = find_program("psql", "postgresql", *programs)
        self.port = free_port()
        self.url = f"postgresql://board@127.0.0.1:{self.port}/postgres"
        self._psql = [psql, "--quiet", "--set=ON_ERROR_STOP=1", self.url]
        # Not below pytest's folder, which nobody else may look into.
        self.folder = Path(mkdtemp(prefix="board-"))
        self._user = _who_may_run_it()
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.process = Process(
            "postgres",
            [
                *(str(Path(initdb).with_name("postgres")), "-D", "data"),
                *("-p", str(self.port), "-c", "listen_addresses=127.0.0.1"),
                *("-c", "unix_socket_directories=", "-c", "max_connections=100"),
                *("-c", "log_checkpoints=off"),
            ],
            self.folder,
            user=self._user,
        )
        making = Process(
            "initdb",
            [initdb, "-D", "data", "-U", "board", "-A", "trust", "-E", "UTF8"],
            self.folder,
            env={"LC_ALL": "C"},
            user=self._user,
        )
        making.start()
        assert making.wait() == 0, making.log()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.process.start()
        self.process.wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        asked = [self._isready, "--quiet", "--dbname", self.url]
        return subprocess.run(asked, check=False).returncode == 0

    async def restart(self) -> None:
        """Start it again, while the tasks of the test go on."""
        self.process.start()
        await self.process.until(self.is_ready)

    def crash(self) -> None:
        """End it as a crash would: what is not yet written is read from the log."""
        self.process.send(signal.SIGQUIT)
        self.process.wait()

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Let it do nothing while the block runs, as if the network were cut."""
        pids = [self.process.pid, *children(self.process.pid)]
        try:
            send_all(pids, signal.SIGSTOP)
            yield
        finally:
            send_all(pids, signal.SIGCONT)

    def new_database(self, name: str) -> str:
        """Make what is as good as an empty database, and give its address.

        It is a schema. A database has hundreds of files, and each would be read and
        synchronised after a crash.
        """
        made = [*self._psql, "--command", f"CREATE SCHEMA {name}"]
        subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
        return f"{self.url}?search_path={name}"

    def remove(self) -> None:
        """End it, and remove all that it kept."""
        if self.process.is_running:
            with suppress(subprocess.TimeoutExpired):
                self.crash()
        self.process.kill()
        shutil.rmtree(self.folder)


class Redis:
    """A Redis that keeps nothing on disk: when it is gone, all is gone."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        program = find_program("redis-server", "redis-server")
        self.process = Process(
            "redis",
            [
                *(program, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(folder)),
            ],
            folder,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process.start()
        self.process.wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it answers."""
        return _answers(self.port, b"PING\r\n", b"+PONG")

    async def restart(self) -> None:
        """Start it again, while the tasks of the test go on."""
        self.process.start()
        await self.process.until(self.is_ready)

    def crash(self) -> None:
        """Kill it."""
        self.process.kill()


class Nginx:
    """nginx with the configuration of the example."""

    def __init__(self, folder: Path) -> None:
        self.port, self.other_port = free_port(), free_port()
        self._folder = folder
        program = find_program("nginx", "nginx")
        user = "user root;" if os.geteuid() == 0 else ""
        conf = MAIN_CONF.format(user=user)
        (folder / "nginx.conf").write_text(conf, encoding="utf-8")
        self.process = Process(
            "nginx",
            [program, "-p", f"{folder}/", "-e", "stderr", "-c", "nginx.conf"],
            folder,
            ends_by="TERM",  # which it passes on to its own processes
        )

    def configure(self, ports: Sequence[int], down: Sequence[int] = ()) -> None:
        """Write which workers there are, and which of them get no more requests."""
        workers = [
            f"server 127.0.0.1:{port} max_fails=0{' down' if port in down else ''};"
            for port in ports
        ]
        text = NGINX_CONF.read_text(encoding="utf-8")
        for name, value in {
            "LISTEN": f"127.0.0.1:{self.port}",
            "OTHER_LISTEN": f"127.0.0.1:{self.other_port}",
            "WORKERS": " ".join(workers),
        }.items():
            text = text.replace(f"${{{name}}}", value)
        (self._folder / "board.conf").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start it, and wait until it answers. Any answer will do."""
        asked = b"GET /health/ HTTP/1.0\r\n\r\n"
        self.process.start()
        self.process.wait_until(lambda: _answers(self.port, asked, b"HTTP/1.1 404"))

    async def reload(self) -> None:
        """Take the new configuration, and wait until the old one gets nothing more."""
        old = children(self.process.pid)
        self.process.send(signal.SIGHUP)
        await self.process.until(lambda: self._has_reloaded(old))

    def _has_reloaded(self, old: Sequence[int]) -> bool:
        titles = {pid: _title(pid) for pid in children(self.process.pid)}
        return any(pid not in old for pid in titles) and all(
            pid not in old or "shutting down" in title or not title
            for pid, title in titles.items()
        )


def children(pid: int) -> Sequence[int]:
    """The processes that a process has started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(text) for text in path.read_text(encoding="ascii").split()]


def send_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to processes. Some may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _title(pid: int) -> str:
    """What a process calls itself; nothing when it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    return ""


def _answers(port: int, asked: bytes, expected: bytes) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as client:
        client.sendall(asked)
        return client.recv(100).startswith(expected)
    return False


def _who_may_run_it() -> str | None:
    """PostgreSQL refuses to be root. Give another user, or None if we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
