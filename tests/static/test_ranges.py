"""Ranges and their limits. What they are answered with is in test_conditions.py."""

import random
import time

import pytest

from bareasgi_static.ranges import (
    MAX_RANGES,
    Unsatisfiable,
    multipart,
    parse_ranges,
)


def test_whatever_is_asked_for_the_answer_is_in_order_and_no_longer() -> None:
    chance = random.Random(14)  # noqa: S311 - the same each time
    pieces = [*"0123456789-,-,", " ", "bytes=", "99", "x"]
    seen = {"ranges": 0, "whole": 0, "none": 0}
    for _ in range(30_000):
        value = "bytes=" + "".join(chance.choices(pieces, k=chance.randrange(12)))
        size = chance.choice([0, 1, 5, 60, 10**12])
        try:
            ranges = parse_ranges([value.encode()], size)
        except Unsatisfiable:
            seen["none"] += 1
            continue
        seen["whole" if ranges is None else "ranges"] += 1
        position = 0
        for part in ranges or ():
            assert position <= part.start < part.stop <= size
            position = part.stop
        assert len(ranges or ()) <= MAX_RANGES
    assert min(seen.values()) > 100


@pytest.mark.parametrize(
    "value",
    [
        b"bytes=" + b"0-0," * 2_560,
        b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 3000, 2)),
        b"bytes=" + b"9" * 10_240,
        b"bytes=0-" + b"9" * 10_240,
        b"bytes=-" + b"9" * 10_240,
        b"bytes=" + b"-" * 10_240,
        b"bytes=" + b"," * 10_240,
        b"bytes=" + b" " * 10_240 + b"0-0",
    ],
    ids=lambda value: value[6:16].decode(),
)
def test_a_range_header_of_10_kib_costs_nothing_and_is_the_whole(value: bytes) -> None:
    before = time.process_time()
    for _ in range(1_000):
        assert parse_ranges([value], 10**9) is None
    # A microsecond each would do, and to parse it all would take a thousand.
    assert time.process_time() - before < 0.5


def test_the_overhead_of_many_parts_is_bounded() -> None:
    value = ",".join(f"{2 * n}-{2 * n}" for n in range(MAX_RANGES))
    ranges = parse_ranges([f"bytes={value}".encode()], 100)
    assert ranges is not None
    pieces = multipart(ranges, 100, b"text/plain; charset=utf-8", b"b" * 32)
    assert sum(map(len, pieces)) < MAX_RANGES * 256
