"""The bullwhip: how much more orders vary than the demand they answer."""

from __future__ import annotations

from typing import Literal

from omnisim.supply.classics.inputs import Check, accept, fault, number, share, whole

Forecast = Literal["moving_average", "smoothing", "optimal"]


def bullwhip(*, lead_time: int, forecast: Forecast, window: int | None = None, smoothing: float | None = None,
             correlation: float = 0.0) -> float:
    """The variance of orders over the variance of demand, for an order-up-to policy that follows a forecast.

    Parameters
    ----------
    lead_time : int [period]  from order to receipt, the review period counted in, 1 or more (L)
    forecast : "moving_average" of the last `window` demands (m), exponential "smoothing" with weight `smoothing` (α),
        or the "optimal" one for this demand
    window : int [period]  for "moving_average"
    smoothing : float [share]  for "smoothing"
    correlation : float  of one period's demand with the next, between −1 and 1 (ρ)

    Returns
    -------
    float
        Moving average: 1 + (2 L / m + 2 L² / m²)(1 − ρᵐ). Smoothing: 1 + (2 L α + 2 L² α² / (2 − α)) (1 − ρ) / (1 −
        (1 − α) ρ). Optimal: 1 + 2 ρ (1 − ρᴸ)(1 − ρᴸ⁺¹) / (1 − ρ), below 1 if ρ < 0.

    Raises
    ------
    UsageError  for a forecast without its window or weight, or a correlation of 1 or beyond

    Notes
    -----
    Demand is D_t = d + ρ D_{t−1} + ε; the level is L times the forecast plus a constant; orders may be negative
    (returns). Chen, Drezner, Ryan & Simchi-Levi (2000), Management Science 46(3); Chen, Ryan & Simchi-Levi (2000),
    Naval Research Logistics 47; Lee, So & Tang (2000), Management Science 46(5); Snyder & Shen (2019), section 13.2. A
    safety stock that follows an estimate of the spread varies orders more still.

    Examples
    --------
    >>> bullwhip(lead_time=3, forecast="moving_average", window=6)
    2.5
    """
    checks: list[Check] = [
        whole("lead_time", lead_time, 1),
        number("correlation", correlation) or (None if -1 < correlation < 1 else fault(
            "correlation", correlation, "must lie strictly between −1 and 1", "Use 0 for demand without memory.")),
        None if forecast in ("moving_average", "smoothing", "optimal") else fault(
            "forecast", forecast, "must be 'moving_average', 'smoothing' or 'optimal'", "Choose one.")]
    if forecast == "moving_average":
        checks.append(whole("window", window, 1))
    elif forecast == "smoothing":
        checks.append(share("smoothing", smoothing if smoothing is not None else float("nan"), "Give a weight as 0.2."))
    accept("bullwhip", *checks)
    rho = correlation
    if forecast == "moving_average":
        assert window is not None
        return 1 + (2 * lead_time / window + 2 * (lead_time / window) ** 2) * (1 - rho**window)
    if forecast == "smoothing":
        assert smoothing is not None
        rise = 2 * lead_time * smoothing + 2 * (lead_time * smoothing) ** 2 / (2 - smoothing)
        return 1 + rise * (1 - rho) / (1 - (1 - smoothing) * rho)
    return 1 + 2 * rho * (1 - rho**lead_time) * (1 - rho ** (lead_time + 1)) / (1 - rho)
