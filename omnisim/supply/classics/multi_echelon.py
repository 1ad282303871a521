"""Serial supply chains with random demand: the best echelon base stocks, exactly (Clark & Scarf)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from omnisim.supply.classics.inputs import Floats, accept, fault, lag, positive, series, whole
from omnisim.supply.classics.losses import poisson_pmf

MOST_POINTS = 200_000
"""Largest number of grid points; chains with one nearly steady stage get a coarser grid instead."""


class SerialChain(NamedTuple):
    """Stages in a row, the first one selling to customers, the last one buying from a supplier that never fails.

    Parameters
    ----------
    echelon_holding_costs : (n,) [currency/unit/time]  of all stock at stage j and below, from the first stage up (h_j);
        local cost less that of the next stage up
    lead_times : (n,) [time]  from the next stage up to stage j (L_j)
    backorder_cost : float [currency/unit/time]  a customer's unit that waits (p)
    demand_mean : float [unit/time]
    demand_sd : float or None [unit/√time]  for normal demand; None for Poisson
    """

    echelon_holding_costs: ArrayLike
    lead_times: ArrayLike
    backorder_cost: float
    demand_mean: float
    demand_sd: float | None = None

    def check(self, where: str) -> None:
        """Refuse figures that cannot be meant.

        Raises
        ------
        UsageError  naming every fault
        """
        costs = np.asarray(self.echelon_holding_costs)
        accept(where, series("echelon_holding_costs", self.echelon_holding_costs),
               series("lead_times", self.lead_times, costs.size) or
               lag(float(np.min(np.asarray(self.lead_times, np.float64))), "lead_times"),
               positive("backorder_cost", self.backorder_cost), positive("demand_mean", self.demand_mean),
               positive("demand_sd", self.demand_sd, "Leave it out for Poisson demand.")
               if self.demand_sd is not None else None)
        accept(where, None if float(costs.min()) > 0 else
               fault(f"echelon_holding_costs[{int(np.argmin(costs))}]", f"{float(costs.min()):g} currency/unit/time",
                     "must be > 0", "A stage that keeps stock for nothing more is no stage: merge it with the next."))


class EchelonLevels(NamedTuple):
    """Base stocks of a serial chain, from the first stage (customers) up.

    Parameters
    ----------
    echelon : float (n,) [unit]  each stage orders when stock at it and below, less what waits, falls below this (S_j)
    local : float (n,) [unit]  the same policy by each stage's own position, S_j less the next below, never rising above
    cost : float [currency/time]  expected
    """

    echelon: Floats
    local: Floats
    cost: float


def serial_base_stock(chain: SerialChain, *, steps: int = 100) -> EchelonLevels:
    """The base stocks of least cost along a serial chain.

    Parameters
    ----------
    chain : SerialChain
    steps : int  grid points a standard deviation of one stage's demand, for normal demand; the error of the cost falls
        with its square

    Returns
    -------
    EchelonLevels
        From the first stage up: Ĉ_j(x) = h_j x + C̲_{j−1}(x), C_j(y) = E[Ĉ_j(y − D_j)], S_j = argmin C_j,
        C̲_j(x) = C_j(min(S_j, x)), with C̲_0(x) = (p + Σ h) x⁻ and D_j demand over L_j; cost C_n(S_n).

    Raises
    ------
    UsageError  for figures that cannot be meant, or a stage that adds no holding cost

    Notes
    -----
    Clark & Scarf (1960), Management Science 6(4); Chen & Zheng (1994); Snyder & Shen (2019), section 6.2. Costs run
    in continuous time; for periods, add one to the first lead time. Goods on their way are charged as where they left.
    Exact on whole units for Poisson demand; normal demand is put on a grid whose weights keep its mean.

    Examples
    --------
    >>> serial_base_stock(SerialChain([3, 2, 2], [1, 1, 2], 37.12, 5, 1)).cost.__round__(2)
    47.66
    """
    chain.check("serial_base_stock")
    accept("serial_base_stock", whole("steps", steps, 10))
    grid, pmfs = _grid(chain, steps)
    levels, cost = [], 0.0
    costs = _customers(chain, grid)
    for holding, (first, pmf) in zip(np.asarray(chain.echelon_holding_costs, np.float64), pmfs, strict=True):
        expected = _expect(holding * grid + costs, first, pmf)
        place, top, cost = _least(grid, expected, chain.demand_sd is not None)
        levels.append(top)
        costs = np.where(np.arange(grid.size) <= place, expected, cost)
    echelon = np.array(levels)
    reached = np.minimum.accumulate(echelon[::-1])[::-1]  # what stages above allow
    return EchelonLevels(echelon, np.diff(reached, prepend=0.0), float(cost))


def serial_cost(chain: SerialChain, echelon: ArrayLike, *, steps: int = 100) -> float:
    """The expected cost of given echelon base stocks along a serial chain.

    Parameters
    ----------
    chain : SerialChain
    echelon : (n,) [unit]  base stocks from the first stage up (S_j)
    steps : int  as in `serial_base_stock`

    Returns
    -------
    float [currency/time]
    """
    chain.check("serial_cost")
    n = np.asarray(chain.echelon_holding_costs).size
    accept("serial_cost", series("echelon", echelon, n, -math.inf), whole("steps", steps, 10))
    levels = np.asarray(echelon, np.float64)
    grid, pmfs = _grid(chain, steps, float(levels.min()), float(levels.max()))
    costs, cost = _customers(chain, grid), 0.0
    for holding, (first, pmf), level in zip(np.asarray(chain.echelon_holding_costs, np.float64), pmfs, levels,
                                            strict=True):
        expected = _expect(holding * grid + costs, first, pmf)
        cost = float(np.interp(level, grid, expected))
        costs = np.where(grid <= level, expected, cost)
    return cost


def shang_song_levels(chain: SerialChain) -> Floats:
    """Echelon base stocks of a serial chain by two newsvendors a stage, without recursion.

    Parameters
    ----------
    chain : SerialChain

    Returns
    -------
    float (n,) [unit]
        S_j = (F⁻¹((p + Σ_{i>j} h_i) / (p + Σ h)) + F⁻¹((p + Σ_{i>j} h_i) / (p + Σ_{i≥j} h_i))) / 2, with F the
        demand over L_1 + … + L_j.

    Notes
    -----
    An approximation: Shang & Song (2003), Management Science 49(5). Quantiles are whole for Poisson demand; their mean
    may end in ½.
    """
    chain.check("shang_song_levels")
    h = np.asarray(chain.echelon_holding_costs, np.float64)
    times = np.cumsum(np.asarray(chain.lead_times, np.float64))
    above = np.append(np.cumsum(h[::-1])[::-1][1:], 0.0)
    p = chain.backorder_cost
    ratios = (p + above) / (p + h.sum()), (p + above) / (p + above + h)
    if chain.demand_sd is not None:
        z = (special.ndtri(ratios[0]) + special.ndtri(ratios[1])) / 2
        return np.asarray(chain.demand_mean * times + chain.demand_sd * np.sqrt(times) * z, np.float64)
    found = np.empty(h.size)
    for j, time in enumerate(times):
        covered = np.cumsum(poisson_pmf(chain.demand_mean * time))
        found[j] = sum(int(np.searchsorted(covered, ratio[j] - 1e-12)) for ratio in ratios) / 2
    return found


def _grid(chain: SerialChain, steps: int, low: float = math.inf, high: float = -math.inf) -> tuple[
        Floats, list[tuple[int, Floats]]]:
    """Echelon positions, and each stage's demand as (first quantity, probabilities) in grid steps."""
    times = np.asarray(chain.lead_times, np.float64)
    means = chain.demand_mean * times
    if chain.demand_sd is None:
        step = 1.0
        pmfs = [(0, poisson_pmf(mean)) for mean in means]
        spread = float(sum(pmf.size for _, pmf in pmfs)) + 10
    else:
        sds = chain.demand_sd * np.sqrt(times)
        step = float(sds[sds > 0].min()) / steps if (sds > 0).any() else chain.demand_mean / steps
        spread = 9 * float(np.sqrt(np.sum(sds**2))) + 10 * step
        step = max(step, (2 * spread + float(means.sum())) / MOST_POINTS)
        pmfs = [_weights(mean, sd, step) for mean, sd in zip(means, sds, strict=True)]
    bottom = math.floor((min(low, -spread)) / step)
    top = math.ceil(max(high, float(means.sum()) + spread) / step)
    return np.arange(bottom, top + 1, dtype=np.float64) * np.float64(step), pmfs


def _weights(mean: float, sd: float, step: float) -> tuple[int, Floats]:
    """Normal demand on a grid, each weight the mean of a hat: the mean is kept, the variance grows by step² / 6."""
    if sd == 0:
        place = mean / step
        first = math.floor(place)
        return first, np.array([1 - (place - first), place - first])
    first = math.floor((mean - 8.5 * sd) / step)
    last = math.ceil((mean + 8.5 * sd) / step)
    z = (np.arange(first - 1, last + 2) * step - mean) / sd
    ramp = sd * (z * special.ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))  # ∫ F
    weights = np.diff(np.diff(ramp)) / step
    return first, weights / weights.sum()


def _customers(chain: SerialChain, grid: Floats) -> Floats:
    total = chain.backorder_cost + float(np.sum(np.asarray(chain.echelon_holding_costs, np.float64)))
    return total * np.maximum(-grid, 0.0)


def _expect(costs: Floats, first: int, pmf: Floats) -> Floats:
    """E[costs(y − D)] for every y of the grid; beyond its ends costs go on as straight lines."""
    most = max(first + pmf.size - 1, 0)
    below = costs[0] + (costs[1] - costs[0]) * np.arange(-most, 0)
    above = costs[-1] + (costs[-1] - costs[-2]) * np.arange(1, 1 - min(first, 0))
    long = np.concatenate([below, costs, above])
    if long.size * pmf.size > 2_000_000:  # the fast Fourier transform is quicker, and as exact as needed
        size = 1 << (long.size + pmf.size - 1).bit_length()
        product = np.fft.irfft(np.fft.rfft(long, size) * np.fft.rfft(pmf, size), size)
        return np.asarray(product[pmf.size - 1:pmf.size - 1 + costs.size], np.float64)
    return np.convolve(long, pmf, mode="valid")[:costs.size]


def _least(grid: Floats, costs: Floats, smooth: bool) -> tuple[int, float, float]:
    """Place, position and value of the least cost; between grid points, the vertex of a parabola."""
    place = int(np.argmin(costs))
    if not smooth or not 0 < place < grid.size - 1:
        return place, float(grid[place]), float(costs[place])
    left, middle, right = costs[place - 1:place + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return place, float(grid[place] + shift * (grid[1] - grid[0])), float(middle - 0.25 * (left - right) * shift)
