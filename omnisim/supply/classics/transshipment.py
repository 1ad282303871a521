"""Two stores that help each other out: how much to stock when surplus can be moved once demand is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from omnisim.supply.classics.demand import Scenarios, quantile, whole_units
from omnisim.supply.classics.inputs import Floats, accept, each, fault, not_negative, series

PAIRS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1))
"""Steps among which a best one is the best of all (the expected profit is M♮-concave)."""


class Stores(NamedTuple):
    """Stock of two stores that move surplus to each other.

    Parameters
    ----------
    quantities : (int, int) [unit]  stocked before demand (Q)
    profit : float [currency]  expected
    moved : (float, float) [unit]  mean units moved from the first to the second, and back
    fill_rate : float [share]  of all demand that is served
    """

    quantities: tuple[int, int]
    profit: float
    moved: tuple[float, float]
    fill_rate: float


class _Terms(NamedTuple):
    price: Floats
    cost: Floats
    salvage: Floats
    goodwill: Floats
    gains: Floats  # of a unit moved from store i, over leaving it there


def stock_two_stores(demands: Any, *, price: Any, unit_cost: Any, move_cost: Any, salvage: Any = 0.0,
                     goodwill: Any = 0.0, quantities: tuple[int, int] | None = None) -> Stores:
    """How much two stores should stock when either can send its surplus to the other.

    Parameters
    ----------
    demands : pair of independent demands in whole units, or (n, 2) equally likely scenarios of both [unit]  (D)
    price, unit_cost : float or (2,) [currency/unit]  of each store (r, c)
    move_cost : float or (2,) [currency/unit]  from each store to the other (t)
    salvage, goodwill : float or (2,) [currency/unit]  of a unit left over, lost with a unit short (v, g)
    quantities : (int, int) [unit]  value these instead of the best ones

    Returns
    -------
    Stores
        Maximises E[Σ r min(D, Q) + v (Q − D)⁺ − g (D − Q)⁺ − c Q + Σ m T], where T_ij = min((Q_i − D_i)⁺, (D_j − Q_j)⁺)
        units move if each gains m_ij = r_j + g_j − v_i − t_ij > 0.

    Raises
    ------
    UsageError  for prices that make no sense: a store that would rather serve the other's customers than its own, stock
        that pays without being sold, demand not in whole units

    Notes
    -----
    Rudi, Kapur & Pyke (2001), Management Science 47(12), as decided by one owner; Robinson (1990). Each store serves
    its own customers first, which is best if r_j + g_j − t_ij ≤ r_i + g_i.
    """
    where = "stock_two_stores"
    figures = {name: each(name, value, 2) for name, value in (
        ("price", price), ("unit_cost", unit_cost), ("move_cost", move_cost), ("salvage", salvage),
        ("goodwill", goodwill))}
    accept(where, *(series(name, array, 2, -np.inf if name == "salvage" else 0.0) for name, array in figures.items()))
    r, c, t, v, g = figures.values()
    other = np.array([1, 0])
    gains = r[other] + g[other] - v - t
    accept(where, *(None if ok.all() else fault(what, str(figures[name].tolist()), rule, fix)
                    for what, name, ok, rule, fix in (
        ("price", "price", r > c, f"must exceed unit_cost {c.tolist()}", "What sells at a loss is not stocked."),
        ("salvage", "salvage", v < c, f"must be below unit_cost {c.tolist()}", "Else any quantity pays."),
        ("salvage", "salvage", v[other] - t < c, "must not pay for moving", "Raise move_cost or lower salvage."),
        ("move_cost", "move_cost", r[other] + g[other] - t <= r + g,
         "must keep a store from serving the other's customers before its own", "Raise it."))))
    scenarios = _joint(where, demands)
    terms = _Terms(r, c, v, g, np.maximum(gains, 0.0))
    if quantities is not None:
        accept(where, *(not_negative(f"quantities[{i}]", q) for i, q in enumerate(quantities)))
        return _result(scenarios, terms, np.asarray(quantities, np.int64))
    q = np.array([_alone(scenarios, terms, i) for i in range(2)], np.int64)
    step = 1 << max(int(q.max()) // 8, 1).bit_length() - 1
    value = _profit(scenarios, terms, q)[0]
    while step:  # long steps first; the last are of one unit
        tried = [q + step * np.array(pair) for pair in PAIRS]
        values = [_profit(scenarios, terms, at)[0] if at.min() >= 0 else -np.inf for at in tried]
        best = int(np.argmax(values))
        if values[best] > value + 1e-12 * abs(value):
            q, value = tried[best], values[best]
        else:
            step //= 2
    return _result(scenarios, terms, q)


class _Joint(NamedTuple):
    """Demand of both stores: pairs with their chances, or two independent distributions (the pairs then empty)."""

    pairs: Floats
    single: tuple[Scenarios, ...]


def _joint(where: str, demands: Any) -> _Joint:
    if isinstance(demands, np.ndarray) and demands.ndim == 2:
        accept(where, None if demands.shape[1] == 2 and demands.shape[0] > 0 else
               fault("demands", f"shape {demands.shape}", "must be (n, 2)", "Give one column a store."),
               *(series(f"demands[:, {i}]", demands[:, i]) for i in range(demands.shape[1])))
        return _Joint(demands.astype(np.float64), tuple(whole_units(demands[:, i]) for i in range(2)))
    accept(where, None if isinstance(demands, Sequence) and len(demands) == 2 else
           fault("demands", type(demands).__name__, "must be two demands or an (n, 2) array",
                 "Give one for each store."))
    return _Joint(np.empty((0, 2)), tuple(whole_units(demand) for demand in demands))


def _alone(scenarios: _Joint, terms: _Terms, i: int) -> int:
    ratio = (terms.price[i] - terms.cost[i] + terms.goodwill[i]) / (
        terms.price[i] - terms.salvage[i] + terms.goodwill[i])
    return int(quantile(scenarios.single[i], float(ratio)))


def _profit(scenarios: _Joint, terms: _Terms, q: Any) -> tuple[float, Floats, float]:
    """Expected profit, units moved each way, and units short before moving."""
    if scenarios.pairs.size:
        over, short = np.maximum(q - scenarios.pairs, 0), np.maximum(scenarios.pairs - q, 0)
        moved = np.array([np.minimum(over[:, i], short[:, 1 - i]).mean() for i in range(2)])
        left, missed, means = over.mean(0), short.mean(0), scenarios.pairs.mean(0)
    else:
        left, missed, means = (np.empty(2) for _ in range(3))
        tails = []
        for i, demand in enumerate(scenarios.single):
            means[i] = demand.values @ demand.probabilities
            missed[i] = np.maximum(demand.values - q[i], 0) @ demand.probabilities
            left[i] = missed[i] + q[i] - means[i]
            covered = np.cumsum(demand.probabilities)
            spare = covered[np.clip(q[i] - np.arange(1, q[i] + 1), 0, covered.size - 1)]  # P(Q − D ≥ k), k = 1 …
            lack = 1 - covered[q[i]:]  # P(D − Q ≥ k)
            tails.append((spare, lack))
        moved = np.array([float(tails[i][0][:m] @ tails[1 - i][1][:m]) for i in range(2)
                          for m in (min(tails[i][0].size, tails[1 - i][1].size),)])
    profit = float(terms.price @ (means - missed) + terms.salvage @ left - terms.goodwill @ missed - terms.cost @ q
                   + terms.gains @ moved)
    return profit, np.where(terms.gains > 0, moved, 0.0), float(missed.sum())


def _result(scenarios: _Joint, terms: _Terms, q: Any) -> Stores:
    profit, moved, missed = _profit(scenarios, terms, q)
    total = sum(float(demand.values @ demand.probabilities) for demand in scenarios.single)
    return Stores((int(q[0]), int(q[1])), profit, (float(moved[0]), float(moved[1])),
                  1 - (missed - float(moved.sum())) / total if total else 1.0)
