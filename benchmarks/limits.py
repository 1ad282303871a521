"""Where the time of the reference funnel goes, and how far it is from what memory and processor allow. One thread.

    python benchmarks/limits.py [--size 500000] [--days 60] [--rounds 5]

The funnel is built up step by step: nobody reached, then looked for, then reached, then visiting, then buying. The
processor time that a step adds, divided by what happens more, is the cost of one such event. What a run costs whatever
its size (the same run with a thousand consumers) is taken off. Beside it: what the machine can copy, and what random
numbers cost.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from funnel import parameters
from peers.people import draw_people
from runs import FUNNEL, figures, machine, table, write_section
from sizes import resize

import omnisim as om
from omnisim.books import MEASURE
from omnisim.compiled import njit
from omnisim.market.consumers import PERSON
from omnisim.simulation import finish, warm_up
from omnisim.streams import CHUNK, DRAW, fill, key

STEPS = ("nobody can be reached", "media on six channels, nobody reached", "reached", "visiting",
         "customers looked at, nobody buys", "buying")
EVENTS = ("impressions", "visits", "orders")
SCANNED = {"lots", "users", "need", "due"}
"""Arrays that the funnel's scans read whole every day."""
SIZE = 100 * CHUNK
LINE = 64
"""Bytes that memory hands out together."""


def steps(scenario: om.Scenario) -> list[dict[str, object]]:
    """Changes to the funnel that build it up, step by step."""
    channels = scenario.channels
    silent = {f"channels.{name}.budget": 0 for name in channels}
    faint = silent | {f"channels.{name}.organic_impressions": 1e-3 for name in channels}
    unclicked = {f"channels.{name}.click_share": 0 for name in channels}
    alone = {"brand.loop.repurchase": False}
    unsold = {"brand.loop.convert": False}
    never = {"brand.repurchase.rate_scale": 1e5, "brand.repurchase.rate_shape": 0.02}
    return [silent | alone, faint | alone, unclicked | alone, unsold | alone, unsold | never, {}]


def measure(size: int, days: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Nanoseconds of a consumer-day (steps,) and events of a consumer-day (steps, events)."""
    whole = om.load(FUNNEL)
    plans = [[resize(whole, n, changes | {"horizon.days": days}) for n in (1_000, size)] for changes in steps(whole)]
    taken = np.empty((rounds, len(plans), 2))
    events = np.empty((len(plans), len(EVENTS)))
    finish(warm_up(plans[-1][0], threads=1), threads=1)
    for turn in range(rounds):
        for step, pair in enumerate(plans):
            for n, scenario in enumerate(pair):
                world = warm_up(scenario, threads=1, orders="none")
                start = time.thread_time()
                books = finish(world, threads=1)
                taken[turn, step, n] = time.thread_time() - start
            year = books.daily.sum(axis=(0, 1)) / (size * days)
            events[step] = year[[MEASURE[name] for name in EVENTS]]
    middle = np.median(taken, axis=0)
    return 1e9 * (middle[:, 1] - middle[:, 0]) / ((size - 1_000) * days), events


def best(job: Callable[[], object], times: int = 5) -> float:
    """Shortest processor time of a job [s]."""
    found = []
    for _ in range(times):
        start = time.thread_time()
        job()
        found.append(time.thread_time() - start)
    return min(found)


def bandwidth() -> float:
    """Bytes a nanosecond, read and written, that one thread copies between arrays far larger than the cache."""
    source, target = np.ones(1 << 25), np.empty(1 << 25)
    np.copyto(target, source)
    return 2 * source.nbytes / (1e9 * best(lambda: np.copyto(target, source)))


@njit(cache=False)
def _fill_many(out, chunks, k):
    for chunk in range(chunks):
        fill(out, chunk, 1, k)


def draw_cost() -> float:
    """Nanoseconds of one sixteen-bit keyed draw, made thousands at a time."""
    out, chunks, k = np.empty(CHUNK * DRAW // 64, np.uint64), 2_000, key(1, 0, "speed")
    _fill_many(out, 1, k)
    return 1e9 * best(lambda: _fill_many(out, chunks, k)) / (chunks * CHUNK)


def share_touched() -> float:
    """Share of consumers whom a day of the funnel reaches on any channel, or who buy unprompted."""
    people = draw_people(parameters(resize(om.load(FUNNEL), 100_000), [1]), np.random.default_rng(1))
    left_alone = (1 - people.exposure).prod(axis=0) * np.where(people.live, np.exp(-people.rate), 1)
    return float(1 - left_alone.mean())


def describe(cost: np.ndarray, events: np.ndarray) -> str:
    """The cost of each step and of one event of its kind."""
    reached, visits, orders = events[-1]
    exposure = (cost[2] - cost[1]) / events[2, 0]
    visit = (cost[3] - cost[2]) / events[3, 1]
    # buying adds orders, and visits by need that cost what visits cost
    order = (cost[5] - cost[4] - (events[5, 1] - events[4, 1]) * visit) / orders
    scans = cost[0] + (cost[1] - cost[0]) + (cost[4] - cost[3])
    parts = [("a consumer to whom nothing happens: looked at for needs and the end of a stage", 1.0, scans),
             ("an exposure: interest, stage, journey", reached, exposure),
             ("a visit: registration, interest, decision", visits, visit),
             ("an order: basket, stock, books, delivery, status", orders, order)]
    total = sum(rate * each for _, rate, each in parts)
    rows = [[what, f"{rate:.3f}", f"{figures(each)} ns", f"{rate * each:.2f} ns", f"{rate * each / total:.0%}"]
            for what, rate, each in parts]
    rows.append(["a consumer-day, measured", "", "", f"{cost[-1]:.2f} ns", ""])
    touched = share_touched()
    rows.append(["a consumer who is reached or needs something, without the scan", f"{touched:.3f}",
                 f"{figures((cost[-1] - scans) / touched)} ns", "", ""])
    return table(["what", "a consumer-day", "each", "a consumer-day", "share"], rows)


def compare(cost: np.ndarray, events: np.ndarray) -> str:
    """The measured cost beside what memory and random numbers alone would take."""
    speed, draw = bandwidth(), draw_cost()
    consumers = warm_up(resize(om.load(FUNNEL), SIZE)).market.consumers
    scanned = sum(array.nbytes for name, array in consumers._asdict().items() if name in SCANNED) / SIZE
    # a record and the last visits are read and written back for each event
    moved = scanned + float(events[-1].sum()) * 2 * (PERSON.itemsize + LINE)
    draws = 1.0 + 2.0 * float(events[-1][0])
    rows = [
        ["memory copies (read and written)", f"{speed:.1f} GB/s"],
        ["a sixteen-bit keyed draw, many at a time", f"{draw:.2f} ns"],
        [f"memory: {moved:.0f} bytes a consumer-day, {scanned:.0f} of them scanned, at that speed",
         f"{moved / speed:.2f} ns, {moved / speed / cost[-1]:.0%} of what is measured"],
        [f"draws: {draws:.1f} of sixteen bits a consumer-day, one for needs and two an impression",
         f"{draws * draw:.2f} ns, {draws * draw / cost[-1]:.0%} of what is measured"],
    ]
    return table(["limit", "measured"], rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=500_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cost, events = measure(options.size, options.days, options.rounds)
    built = [[name, f"{each:.2f}"] for name, each in zip(STEPS, cost, strict=True)]
    build = table(["step", "ns a consumer-day"], built)
    text = (f"{describe(cost, events)}\n\n{build}\n\n{compare(cost, events)}\n\n"
            f"Reference funnel, {options.size:,} consumers, {options.days} days, one thread, processor time; median of "
            f"{options.rounds} rounds; {machine()}.")
    write_section("limits", text)


if __name__ == "__main__":
    main()
