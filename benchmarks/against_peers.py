"""The reference funnel in omnisim, NumPy, Starsim and Mesa: the same rates, and how long each takes.

Each peer stands twice: plain, as its own tutorials write a model, and tuned, as fast as we could make it without
leaving the tool.

    python -m pip install --editable ".[peers]"
    python benchmarks/against_peers.py [--rounds 7] [--seeds 20] [--only rates|times]

Peers run on one thread each. Times are medians of runs in turn, each in a process of its own, of the whole year with
its set-up; omnisim's are those of `om.run`. Rates are compared over seeds. Tables go to benchmarks/speed.md.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from funnel import parameters
from runs import (
    FUNNEL,
    HERE,
    ONE_THREAD,
    Found,
    figures,
    in_turn,
    keep,
    machine,
    median,
    run_once,
    run_python,
    table,
    write_section,
)
from sizes import resize

import omnisim as om
from omnisim.books import MEASURE


class Peer(NamedTuple):
    """A way to run the funnel."""

    label: str
    script: str
    package: str
    consumers: int
    """Simulated when timed."""
    fewer: int
    """Simulated for each seed when rates are compared."""
    switches: tuple[tuple[str, bool], ...] = ()
    """Parameters of its script beside the funnel's."""


PEERS = (
    Peer("NumPy, plain", "numpy_plain", "numpy", 100_000, 20_000),
    Peer("NumPy, tuned", "numpy_tuned", "numpy", 100_000, 20_000),
    Peer("Starsim, plain", "starsim_plain", "starsim", 20_000, 5_000),
    Peer("Starsim, plain, needs as chances", "starsim_plain", "starsim", 100_000, 20_000, (("poisson", False),)),
    Peer("Starsim, tuned", "starsim_tuned", "starsim", 100_000, 20_000),
    Peer("Starsim, tuned, no shared luck", "starsim_tuned", "starsim", 100_000, 20_000, (("crn", False),)),
    Peer("Mesa, plain", "mesa_plain", "mesa", 5_000, 2_000),
    Peer("Mesa, tuned", "mesa_tuned", "mesa", 10_000, 5_000),
)
OURS = 1_000_000
MOST = 4.0
"""Standard errors that a peer's rate may differ from ours."""


def run_peer(peer: Peer, consumers: int, days: int, seeds: list[int]) -> list[Found]:
    """A peer's runs in one process."""
    numbers = parameters(resize(om.load(FUNNEL), consumers, {"horizon.days": days}), seeds) | dict(peer.switches)
    return run_python([HERE / "peers" / f"{peer.script}.py"], json.dumps(numbers), **ONE_THREAD)


def compare_rates(seeds: int) -> str:
    """Visits and orders of each channel per 1,000 consumer-days, and how many standard errors a peer is away."""
    days = 180
    scenario = resize(om.load(FUNNEL), 20_000, {"horizon.days": days})
    wanted = [MEASURE["visits"], MEASURE["orders"]]
    ours = np.array([om.run(scenario, seed=seed, orders="none").books[0].daily[:, :, wanted].sum(axis=0).T
                     for seed in range(1, seeds + 1)]) * 1000 / (20_000 * days)
    names = list(scenario.channels)
    rows = [[name, what, f"{ours[:, w, c].mean():.3f}"] for w, what in enumerate(("visits", "orders"))
            for c, name in enumerate(names)]
    furthest = 0.0
    for peer in PEERS:
        found = run_peer(peer, peer.fewer, days, list(range(1, seeds + 1)))
        theirs = np.array([[one["visits"], one["orders"]] for one in found]) * 1000 / (peer.fewer * days)
        error = np.sqrt((ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / seeds)
        away = (theirs.mean(axis=0) - ours.mean(axis=0)) / error
        furthest = max(furthest, float(np.abs(away).max()))
        for row, mean, z in zip(rows, theirs.mean(axis=0).ravel(), away.ravel(), strict=True):
            row.append(f"{mean:.3f} ({z:+.1f})")
    head = ["channel", "a 1,000 consumer-days", "omnisim", *(peer.label for peer in PEERS)]
    verdict = (f"Mean of {seeds} seeds of {days} days; in brackets the distance from omnisim in standard errors of the "
               f"difference: at most {furthest:.1f}, and {MOST:.0f} are allowed.")
    if furthest > MOST:
        verdict += " **Not within the limit.**"
    return f"{table(head, rows)}\n\n{verdict}"


def compare_times(rounds: int) -> str:
    """Nanoseconds of a consumer-day, and how many times faster omnisim is."""
    days = om.load(FUNNEL).horizon.days
    jobs = {f"omnisim, {n} thread{'s' * (n > 1)}": partial(run_once, size=OURS, threads=n) for n in (2, 1)}
    jobs |= {peer.label: partial(lambda p: run_peer(p, p.consumers, days, [1])[0], peer) for peer in PEERS}
    found = in_turn(jobs, rounds)
    sizes = dict.fromkeys(jobs, OURS) | {peer.label: peer.consumers for peer in PEERS}
    packages = {peer.label: f"{peer.package} {version(peer.package)}" for peer in PEERS}
    cost = {name: [1e9 * run["seconds"] / (sizes[name] * days) for run in found[name]] for name in jobs}
    keep("times", {name: float(np.median(costs)) for name, costs in cost.items()})
    two, one = (np.median(cost[name]) for name in list(jobs)[:2])
    rows = []
    for name in jobs:
        middle = np.median(cost[name])
        rows.append([name, packages.get(name, f"omnisim {om.__version__}"), f"{sizes[name]:,}",
                     f"{median(found[name], 'seconds'):.2f} s", figures(middle),
                     f"{figures(min(cost[name]))} – {figures(max(cost[name]))}",
                     *(f"{middle / ours:,.1f}" if name in packages else "" for ours in (two, one))])
    head = ["", "version", "consumers", "365 days", "ns a consumer-day", "from – to", "omnisim on 2 threads is … times "
            "faster", "on 1 thread"]
    return f"{table(head, rows)}\n\nMedian of {rounds} runs in turn; {machine()}; peers on one thread each."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=("rates", "times"))
    options = parser.parse_args()
    if options.only != "times":
        write_section("rates", compare_rates(options.seeds))
    if options.only != "rates":
        write_section("times", compare_times(options.rounds))


if __name__ == "__main__":
    main()
