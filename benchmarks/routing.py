"""What finding a route costs, from ten routes to ten thousand.

The router is asked directly: in a whole request the rest would hide what grows. Ten
paths, spread evenly over all routes, are looked up in turn at every size, so that the
first and the last route count alike and the processor's caches hold as much.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    HttpRouter,
    Info,
    RouteMatches,
    Scope,
)

SIZES: Final = (10, 100, 1_000, 10_000)

# What is taken for flat: the time at the largest size over that at the smallest.
FLAT: Final = 1.5

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "literal": ("/area{}/list", "/area{}/list"),
    "templated": ("/area{}/{{name}}/{{number:int}}", "/area{}/name/17"),
    "templated, the parameter first": ("/{{name}}/area{}/show", "/name/area{}/show"),
}

_LOOK_UPS: Final = 1_000


def measure(rounds: int) -> Mapping[str, Sequence[float]]:
    """Return, for each kind of route, nanoseconds per look-up at each of the sizes."""
    routers = {
        kind: [_filled(template, path, size) for size in SIZES]
        for kind, (template, path) in KINDS.items()
    }
    times: dict[str, list[list[float]]] = {kind: [[] for _ in SIZES] for kind in KINDS}
    gc.collect()
    for _ in range(rounds):
        for kind, filled in routers.items():
            for index, (router, paths) in enumerate(filled):
                times[kind][index].append(_time(router.find, paths))
    return {
        kind: [median(rounds_at_size) for rounds_at_size in by_size]
        for kind, by_size in times.items()
    }


def _filled(template: str, path: str, size: int) -> tuple[HttpRouter, Sequence[str]]:
    router = Application().http_router
    for index in range(size):
        router.add({"GET"}, template.format(index), _answer)
    step = size // 10
    return router, [path.format(index) for index in range(step - 1, size, step)]


def _time(find: Callable[[str, str], object], paths: Sequence[str]) -> float:
    started = time.process_time_ns()
    for _ in range(_LOOK_UPS // len(paths)):
        for path in paths:
            find("GET", path)
    return (time.process_time_ns() - started) / _LOOK_UPS


async def _answer(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204
