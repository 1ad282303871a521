"""The people of the reference funnel as NumPy arrays: where the peers begin on the first morning.

All peers share this set-up, so that they differ in how the days pass and in nothing else. What a peer is told is
`parameters` of benchmarks/funnel.py, read from scenarios/reference_funnel.yaml; no number stands here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class People(NamedTuple):
    """n consumers and C channels."""

    exposure: np.ndarray
    """float32 (C, n)  chance of an exposure a day; 0 where the channel is not used"""
    customer: np.ndarray
    """bool (n,)  has ordered"""
    live: np.ndarray
    """bool (n,)  is a live customer: orders again when the need comes"""
    rate: np.ndarray
    """float64 (n,) [order/day]  own purchase rate while live"""
    lapse: np.ndarray
    """float64 (n,)  chance to lapse after a repeat order"""
    home: np.ndarray
    """int64 (n,)  channel of the last order; meaningless for who never ordered"""


def draw_people(p: dict[str, Any], rng: np.random.Generator) -> People:
    """Affinity, channels in use, and the past: first orders at an even pace, repeat orders and lapses up to now."""
    n, channels = p["consumers"], len(p["channels"])
    affinity = rng.gamma(p["affinity_shape"], 1 / p["affinity_shape"], n)
    # two channels both follow a common draw with chance √overlap each, so that their uses correlate by overlap
    common = rng.random(n)
    follows = rng.random((channels, n)) < np.sqrt(p["overlap"])
    uses = np.where(follows, common, rng.random((channels, n))) < np.array(p["reach"])[:, None]
    audience = (uses * affinity).sum(axis=1)
    exposure = np.where(uses, -np.expm1(-(np.array(p["impressions"]) / audience)[:, None] * affinity), 0.0)

    rate = rng.gamma(p["rate_shape"], 1 / p["rate_scale"], n)
    lapse = rng.beta(p["lapse_a"], p["lapse_b"], n)
    customer = rng.random(n) < p["past_share"]
    live = customer.copy()
    when = np.where(customer, -rng.random(n) * p["past_days"], 0.0)
    going = np.flatnonzero(customer)
    while going.size:
        when[going] += rng.exponential(1.0, going.size) / rate[going]
        going = going[when[going] < 0.0]
        lapses = rng.random(going.size) < lapse[going]
        live[going[lapses]] = False
        going = going[~lapses]
    # who uses no channel may have bought anywhere
    weight = np.where(uses.any(axis=0), uses, True) * np.array(p["home_weight"])[:, None]
    edges = np.cumsum(weight, axis=0)
    home = (rng.random(n) * edges[-1] >= edges).sum(axis=0)
    return People(exposure.astype(np.float32), customer, live, rate, lapse, home)


def draw_needs(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Poisson numbers given that they are not 0, by inversion: orders of consumers of whom one at least is known."""
    u = rng.random(rate.size) * -np.expm1(-rate)
    count = np.ones(rate.size, np.int64)
    term = rate * np.exp(-rate)
    total = term.copy()
    while (more := u >= total).any() and count.max() < 8:
        count[more] += 1
        term[more] *= rate[more] / count[more]
        total[more] += term[more]
        total[~more] = 1.0
    return count


def main(live_on: Callable[[dict[str, Any], People, int], dict[str, list[int]]]) -> None:
    """Read parameters from standard input; for each seed set up and let the days pass; print a JSON object a line."""
    p = json.load(sys.stdin)
    for seed in p["seeds"]:
        start, processor = time.perf_counter(), time.process_time()
        people = draw_people(p, np.random.default_rng(seed))
        ready = time.perf_counter()
        counts = live_on(p, people, seed)
        end = time.perf_counter()
        print(json.dumps({"seed": seed, "seconds": end - start, "set_up": ready - start,
                          "processor": time.process_time() - processor, **counts}))
