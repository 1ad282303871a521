"""The programme of an assortment against trying all lists."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import omnisim as om
from omnisim.optimise.assortment import choose_assortment


def best_list(demand, margin, substitution, fixed, space, room, most) -> float:
    """The profit of the best list, by trying all; written out article by article."""
    n, best = len(demand), 0.0
    for listed in itertools.product((False, True), repeat=n):
        if sum(listed) > most or sum(space[i] for i in range(n) if listed[i]) > room:
            continue
        profit = 0.0
        for i in range(n):
            if listed[i]:
                profit += margin[i] * demand[i] - fixed[i]
                profit += sum(margin[i] * substitution[j][i] * demand[j] for j in range(n) if not listed[j])
        best = max(best, profit)
    return best


@given(st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_small_lists_are_as_good_as_the_best_of_all(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    demand, margin, fixed = rng.uniform(0, 100, n), rng.uniform(0, 10, n), rng.uniform(0, 300, n)
    substitution = rng.dirichlet(np.ones(n + 1), n)[:, :n]
    space, room, most = rng.uniform(0, 3, n), float(rng.uniform(0, 2 * n)), int(rng.integers(0, n + 1))
    found = choose_assortment(demand, margin, substitution, fixed=fixed, space=space, room=room, most=most)
    best = best_list(demand, margin, substitution, fixed, space, room, most)
    assert found.profit == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert found.bound >= best - 1e-6 * max(best, 1.0)
    assert space @ found.listed <= room + 1e-9
    assert found.listed.sum() <= most


def test_twelve_articles() -> None:
    rng = np.random.default_rng(12)
    demand, margin, fixed = rng.uniform(0, 100, 12), rng.uniform(0, 10, 12), rng.uniform(0, 400, 12)
    substitution = rng.dirichlet(np.ones(13), 12)[:, :12]
    found = choose_assortment(demand, margin, substitution, fixed=fixed, most=6)
    best = best_list(demand, margin, substitution, fixed, np.zeros(12), np.inf, 6)
    assert found.profit == pytest.approx(best, rel=1e-6)


def test_an_article_that_costs_more_than_it_brings_leads_to_its_substitute() -> None:
    found = choose_assortment([10.0, 10.0], [5.0, 5.0], [[0.0, 0.8], [0.8, 0.0]], fixed=[0.0, 30.0])
    assert found.listed.tolist() == [True, False]
    assert found.profit == pytest.approx(90.0)
    assert found.sales.tolist() == [18.0, 0.0]


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(om.UsageError, match="rows must sum to at most 1"):
        choose_assortment([1.0, 1.0], [1.0, 1.0], [[0.0, 1.2], [0.0, 0.0]])
    with pytest.raises(om.UsageError, match=r"margin = shape \(1,\)"):
        choose_assortment([1.0, 1.0], [1.0], np.zeros((2, 2)))
