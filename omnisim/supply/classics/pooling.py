"""Risk pooling: one stock for several channels needs less safety stock than one stock each."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from omnisim.supply.classics.inputs import accept, fault, lag, not_negative, series, service


class Pooling(NamedTuple):
    """Safety stock of several channels, kept apart and together.

    Parameters
    ----------
    siloed : float [unit]  kept apart, z Σ σᵢ √L
    pooled : float [unit]  kept together, z √L √(Σᵢⱼ ρᵢⱼ σᵢ σⱼ)
    ratio : float  pooled / siloed: 1 if all move together, 1 / √n for n equal ones that do not
    """

    siloed: float
    pooled: float
    ratio: float


def pool_risk(demand_sds: Any, *, lead_time: float, service_level: float | None = None, factor: float | None = None,
              correlation: Any = 0.0) -> Pooling:
    """What serving several channels from one stock saves in safety stock.

    Parameters
    ----------
    demand_sds : (n,) [unit]  of each channel's demand a period (σ)
    lead_time : float [period]  (L)
    service_level : float [share]  of cycles to end without a stock-out, below 1; or
    factor : float  the safety factor itself (z)
    correlation : float or (n, n)  of the channels' demands (ρ); a number holds for every pair

    Returns
    -------
    Pooling

    Raises
    ------
    UsageError  for both or neither of service level and factor, or correlations that no demands can have

    Notes
    -----
    Eppen (1979), Management Science 25(5); Snyder & Shen (2019), section 7.2. Holds for normal demand.

    Examples
    --------
    >>> pool_risk([45**0.5, 126**0.5, 68**0.5], lead_time=7, factor=1.645).pooled.__round__(1)
    67.3
    """
    where = "pool_risk"
    accept(where, series("demand_sds", demand_sds), lag(lead_time),
           service(service_level, "service_level") if service_level is not None else None,
           not_negative("factor", factor) if factor is not None else None,
           None if (service_level is None) != (factor is None) else
           fault("service_level, factor", "both or neither", "must be one of the two", "Leave one out."))
    sds = np.asarray(demand_sds, np.float64)
    links = np.asarray(correlation, np.float64)
    if links.ndim == 0:
        links = np.full((sds.size, sds.size), float(links))
        np.fill_diagonal(links, 1.0)
    sound = (links.shape == (sds.size, sds.size) and np.allclose(links, links.T) and np.allclose(np.diag(links), 1)
             and np.linalg.eigvalsh(links)[0] > -1e-9)
    accept(where, None if sound else
           fault("correlation", np.array2string(np.asarray(correlation)), f"must be a correlation matrix of {sds.size}",
                 "Symmetric, 1 on the diagonal; equal negative correlations cannot fall below −1 / (n − 1)."),
           None if sds.sum() > 0 else fault("demand_sds", "0 throughout", "must be > 0 somewhere",
                                            "Demand that never varies needs no safety stock."))
    z = float(special.ndtri(service_level)) if service_level is not None else float(factor or 0.0)
    apart, together = float(sds.sum()), math.sqrt(max(float(sds @ links @ sds), 0.0))
    scale = z * math.sqrt(lead_time)
    return Pooling(scale * apart, scale * together, together / apart)
