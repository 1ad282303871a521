"""What the day's money buys: impressions by the thousand, search clicks one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import kernel
from omnisim.market.consumers import Consumers, uses
from omnisim.market.rules import active_channels
from omnisim.portable import exp
from omnisim.scenario.model import Scenario

AFFINITY_GRAIN = 1 << 20
"""Affinities are summed in whole 2^-20, so that no order of summation changes the audience."""


class Media(NamedTuple):
    """Prices and organic reach by channel (kernel order)."""

    search_share: NDArray[np.float64]
    cpm: NDArray[np.float64]
    cpc: NDArray[np.float64]
    organic: NDArray[np.float64]
    audience: NDArray[np.float64]
    """People who use the channel, weighted by affinity."""
    unaided: float
    """Share of searches that find the brand without ads (g0)."""


@kernel
def sum_affinity(c: Consumers, low, high, channels):
    """Affinity of the users of each channel among consumers low ≤ i < high, in grains."""
    total = np.zeros(channels, np.int64)
    for i in range(low, high):
        grains = np.int64(np.float64(c.people[i].affinity) * AFFINITY_GRAIN)
        for k in range(channels):
            if uses(c, i, k):
                total[k] += grains
    return total


def open_media(scenario: Scenario, grains: NDArray[np.int64]) -> Media:
    """Media prices of a scenario, with the audiences of its population."""
    channels = [scenario.channels[name] for name in active_channels(scenario)]
    return Media(
        np.array([c.search_share for c in channels]), np.array([c.cpm for c in channels]),
        np.array([c.cpc for c in channels]), np.array([c.organic_impressions for c in channels]),
        grains.astype(np.float64) / AFFINITY_GRAIN * scenario.population.scale, scenario.brand.interest.unaided)


class Bought(NamedTuple):
    """One day's reach by channel."""

    exposure: NDArray[np.float64]
    """Impressions by unit of affinity: ρ = (1000 spend / CPM + organic) / audience."""
    paid: NDArray[np.float64]
    """Share of impressions that are bought."""
    coverage: NDArray[np.float64]
    """Share of searches that find the brand: g0 + (1 - g0) (1 - exp(-clicks / (S (1 - g0))))."""
    spend: NDArray[np.int64]
    """Cents spent; money beyond yesterday's searches S that need an ad stays unspent."""


def buy(media: Media, budget: NDArray[np.int64], searches: NDArray[np.float64]) -> Bought:
    """Turn budgets into reach.

    Parameters
    ----------
    budget : int64 (channels,) [cents/day]
    searches : float64 (channels,)  yesterday's searches over all consumers, found or not (S)
    """
    for_search = (budget * media.search_share).astype(np.int64)
    bought = (budget - for_search) * 10.0 / media.cpm
    total, heard = bought + media.organic, media.audience > 0.0
    exposure = np.divide(total, media.audience, out=np.zeros_like(total), where=heard)
    paid = np.divide(bought, total, out=np.zeros_like(total), where=heard & (total > 0.0))
    spend, coverage = np.where(heard, budget - for_search, 0), np.full(budget.size, media.unaided)
    missed = searches * (1.0 - media.unaided)
    for k in np.flatnonzero((missed > 0.0) & (for_search > 0)).tolist():
        clicks = min(for_search[k] / 100.0 / media.cpc[k], missed[k])
        coverage[k] += (1.0 - media.unaided) * (1.0 - exp(-clicks / missed[k]))
        spend[k] += min(for_search[k], int(clicks * media.cpc[k] * 100.0))
    return Bought(exposure, paid, coverage, spend)
