"""Transaction logs of known processes, drawn customer by customer, for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd


def draw_log(n: int, days: int, *, rate: tuple[float, float], lapse: tuple[float, float] | None = None,
             loyal: float = 0.0, leave: tuple[float, float] | float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Orders of n customers who come in the first half of so many days: customer, date, value, order.

    Rates are Gamma(rate), lapse chances Beta(lapse) but for a share that never lapses; customers leave at a rate, or
    at rates of their own, Gamma(leave). Orders are the lesser of a Poisson count until the customer leaves and the
    repeat order after which the customer lapses.
    """
    luck = np.random.default_rng(seed)
    first = luck.uniform(0, days / 2, n)
    speed = luck.gamma(rate[0], 1 / rate[1], n)
    chance = np.zeros(n) if lapse is None else np.where(luck.uniform(size=n) < loyal, 0.0, luck.beta(*lapse, n))
    if isinstance(leave, tuple):
        stays = luck.exponential(1 / luck.gamma(leave[0], 1 / leave[1], n))
    else:
        stays = luck.exponential(1 / leave, n) if leave else np.full(n, np.inf)
    most = np.where(chance > 0, luck.geometric(np.maximum(chance, 1e-300)), 10**9)
    span = np.minimum(days - first, stays)
    count = luck.poisson(speed * span)
    who = np.repeat(np.arange(n), count)
    when = luck.uniform(size=who.size) * span[who]
    by = np.lexsort((when, who))
    who, when = who[by], when[by]
    kept = np.arange(who.size) - np.repeat(np.cumsum(count) - count, count) < most[who]
    customer = np.concatenate([np.arange(n), who[kept]])
    day = np.floor(np.concatenate([first, first[who[kept]] + when[kept]])).astype(np.int64)
    return pd.DataFrame({
        "customer": customer, "date": np.datetime64("2023-01-01", "s") + day * np.timedelta64(86_400, "s"),
        "value": 100.0, "order": np.arange(customer.size)})
