"""Runs the contenders in turn and takes the CPU time of each request.

Everyone runs in the same event loop of the same process and is driven by the same code:
a shallow copy of the scope for each request, a `receive` that hands out prepared
messages and then blocks as a server's does, a `send` that keeps what it gets.
"""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, cycle, islice
from statistics import median, quantiles

from benchmarks.cases import AsgiApplication, Case, Message, Scope
from benchmarks.report import Column, Figure, Table, Target

BASELINE = "hand-written"


@dataclass(frozen=True)
class Plan:
    """How long to measure: `rounds` slices of `slice_seconds` for each contender."""

    rounds: int
    slice_seconds: float


QUICK = Plan(rounds=9, slice_seconds=0.006)
FULL = Plan(rounds=25, slice_seconds=0.015)


@dataclass(frozen=True)
class Timing:
    """What one contender took for one case in one run.

    `microseconds` is the median of CPU time per request. `ratio` is the median, over
    the rounds, of the time divided by the baseline's in the same round, so that a clock
    that slows down in between slows both. `spread` is half the distance between the
    quartiles of the ratio.
    """

    microseconds: float
    ratio: float
    spread: float


class WrongAnswerError(Exception):
    """A contender did not answer as the case demands: its time would mean nothing."""


class Server:
    """The server's side of requests that come one after the other."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._incoming = iter(messages)
        self._client_leaves = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        """Return the next prepared message; after the last, wait for ever."""
        for message in self._incoming:
            return message
        # The client stays until it has its answer, and the benchmark ends before that.
        await self._client_leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep the message."""
        self.sent.append(message)

    async def serve(
        self, application: AsgiApplication, scopes: Sequence[Scope], count: int
    ) -> float:
        """Serve `count` requests and return the CPU time of one in seconds."""
        requests = islice(cycle(scopes), count)
        messages, receive, send = self._messages, self.receive, self.send
        sent = self.sent
        started = time.process_time()
        for scope in requests:
            self._incoming = iter(messages)
            sent.clear()
            await application(dict(scope), receive, send)
        return (time.process_time() - started) / count


@asynccontextmanager
async def running(application: AsgiApplication) -> AsyncGenerator[None]:
    """Start an application by the lifespan protocol, and stop it at the end.

    An exception is taken to mean that it has no lifespan, as servers do.
    """
    events: asyncio.Queue[Message] = asyncio.Queue()
    answers: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

    async def run() -> None:
        try:
            await application(scope, events.get, answers.put)
        except Exception:  # noqa: BLE001 - which one it is, is up to the application
            await answers.put({"type": "unsupported"})

    async def tell(event: str) -> None:
        await events.put({"type": event})
        answer = (await answers.get())["type"]
        if answer not in {f"{event}.complete", "unsupported"}:
            message = f"{application!r} answers {event} with {answer}"
            raise WrongAnswerError(message)

    task = asyncio.create_task(run())
    await tell("lifespan.startup")
    yield
    if not task.done():
        await tell("lifespan.shutdown")
    await task


async def verify(name: str, application: AsgiApplication, case: Case) -> None:
    """Raise `WrongAnswerError` unless the answer is the one that the case demands."""
    server = Server(case.messages)
    scope = dict(case.scopes[0])
    await asyncio.wait_for(application(scope, server.receive, server.send), 10)
    if scope["type"] == "websocket":
        _verify_echoes(name, case, server.sent)
        return
    first, *rest = server.sent
    bodies = [message.get("body", b"") for message in rest]
    body = b"".join(bodies)
    headers = {bytes(name).lower(): bytes(value) for name, value in first["headers"]}
    problems = []
    if first["type"] != "http.response.start" or first["status"] != case.status:
        problems.append(f"starts with {first!r}")
    if rest[-1].get("more_body", False):
        problems.append("does not end")
    if case.body is not None and body != case.body:
        problems.append(f"has the body {body[:80]!r}")
    if case.body is not None and sum(map(bool, bodies)) != case.chunks:
        problems.append(f"has {sum(map(bool, bodies))} chunks")
    if case.chunks == 1 and headers.get(b"content-length") != str(len(body)).encode():
        problems.append(f"has content-length {headers.get(b'content-length')!r}")
    for header, value in case.headers:
        # Some add the charset to the content type.
        sent = headers.get(header.encode(), b"").decode()
        if sent != value and not sent.startswith(f"{value};"):
            problems.append(f"has {header} {sent!r}")
    if problems:
        message = f"{name}, {case.title}: the answer {', '.join(problems)}"
        raise WrongAnswerError(message)


def _verify_echoes(name: str, case: Case, sent: Sequence[Message]) -> None:
    first, *rest = sent
    echoes = [each.get("text") for each in rest if each["type"] == "websocket.send"]
    expected = [each["text"] for each in case.messages if "text" in each]
    if first["type"] != "websocket.accept" or echoes != expected:
        raise WrongAnswerError(f"{name}, {case.title}: {sent!r:.300}")


async def measure(
    applications: Mapping[str, AsgiApplication], case: Case, plan: Plan
) -> Mapping[str, Timing]:
    """Measure all contenders on one case, slice by slice in turn.

    The order is rotated from round to round, so that no one always follows the same.
    """
    server = Server(case.messages)
    counts = {
        name: await _requests_per_slice(server, application, case, plan)
        for name, application in applications.items()
    }
    names = list(applications)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(plan.rounds):
        offset = turn % len(names)
        for name in chain(names[offset:], names[:offset]):
            # Collecting stays enabled, as in a server; nobody inherits garbage.
            gc.collect()
            times[name].append(
                await server.serve(applications[name], case.scopes, counts[name])
            )
    return {name: _timing(times[name], times[BASELINE]) for name in names}


def table(
    title: str,
    runs: Sequence[Mapping[str, Timing]],
    targets: Sequence[Target] = (),
    *,
    baseline: str = BASELINE,
    group: str = "",
) -> Table:
    """Make the table of what the runs of a case took, with `baseline` for its name."""
    return Table(
        title=title,
        columns=[Column("CPU time", "µs"), Column(f"ratio to {baseline}")],
        rows={
            baseline if name == BASELINE else name: [
                Figure([run[name].microseconds for run in runs]),
                Figure(
                    [run[name].ratio for run in runs],
                    [run[name].spread for run in runs],
                ),
            ]
            for name in runs[0]
        },
        targets=targets,
        group=group,
    )


async def _requests_per_slice(
    server: Server, application: AsgiApplication, case: Case, plan: Plan
) -> int:
    """Find out how many requests fill a slice, and warm the application up."""
    # Twenty for the first estimate: enough for the interpreter to specialise the code.
    estimate = await server.serve(application, case.scopes, 20)
    count = max(1, int(plan.slice_seconds / max(estimate, 1e-7)))
    estimate = await server.serve(application, case.scopes, count)
    return max(1, int(plan.slice_seconds / max(estimate, 1e-7)))


def _timing(times: Sequence[float], baseline: Sequence[float]) -> Timing:
    ratios = [own / base for own, base in zip(times, baseline, strict=True)]
    lower, middle, upper = quantiles(ratios, n=4)
    return Timing(median(times) * 1e6, middle, (upper - lower) / 2)
