"""What a fit knows of each value: intervals that cover as often as they say, verdicts on what tables cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from building import channel, scenario
from scipy.stats import t as student

from omnisim.study.calibration.certainty import UNLISTED, error_of_catalogue, judge_values
from omnisim.study.calibration.fitting import Problem, Search, solve
from omnisim.study.calibration.targets import Floats, Target

TARGETS = tuple(Target(name, 900.0, 60.0, 100.0, 6_000.0, 4.0) for name in ("group", "shelf"))
RUNS = 8


def problem() -> Problem:
    parts = channel(direct=4e-3, search=2e-3, revisit=0.3)
    return Problem(scenario(channels={"shelf": parts, "group": parts}, brand={"new_customers": 50.0}), TARGETS)


def slopes(posed: Problem) -> Floats:
    """A Jacobian of the usual kind: each unknown moves the figures of its channel, new customers the closure."""
    found = np.zeros((len(posed.wants), len(posed.unknowns)))
    effect = {("level", "monthly_uv"): 0.6, ("level", "visits_per_visitor"): 0.1, ("level", "orders"): 0.5,
              ("revisit", "monthly_uv"): 0.1, ("revisit", "visits_per_visitor"): 0.7, ("revisit", "orders"): 0.3,
              ("intercept", "orders"): 0.5, ("intercept", "new_customers"): 0.4, ("repeat_weight", "orders"): 0.4}
    for w, want in enumerate(posed.wants):
        for u, unknown in enumerate(posed.unknowns):
            here = want.channel >= 0 and posed.targets[want.channel].channel == unknown.channel
            if here or want.channel < 0:
                found[w, u] = effect.get((unknown.name, want.name), 0.0)
    found[-1, -1] = -0.7
    return found


def searched(posed: Problem, slope: Floats, luck: Floats, values: Floats, truth: Floats, noise: Floats) -> Search:
    """A search that has run: eight runs with luck of their own, in two batches, and many more since forgotten."""
    search = Search(posed, 1, 1, lambda _: None, n_runs=9 * RUNS)
    search.slope = slope
    search.deviations = [part - part.mean(axis=0) for part in np.split(luck, 2)]
    return search


def fit(posed: Problem, slope: Floats, truth: Floats, noise: Floats) -> Floats:
    """Where the search ends if figures answer as the Jacobian says and are off by this noise."""
    values = posed.start
    for _ in range(12):
        values = solve(posed, slope, values, noise + slope @ (values - truth))
    return values


def test_intervals_cover_as_often_as_they_say() -> None:
    posed = problem()
    slope, draws = slopes(posed), np.random.default_rng(3)
    size = np.array([0.03 if want.name == "orders" else 0.01 for want in posed.wants])
    size[[want.name == "visits_per_visitor" for want in posed.wants]] = 0.004
    own = np.array([want.name not in ("visits_per_visitor", "new_customers") for want in posed.wants])
    catalogue = np.array([want.name == "visits_per_visitor" for want in posed.wants])
    mixed = np.eye(size.size) + 0.5 * (1 - np.eye(size.size)) * np.outer(own, own)  # figures are off together
    chol = np.linalg.cholesky(mixed) * size[:, None]
    covered, tries = np.zeros(len(posed.unknowns)), 250
    for _ in range(tries):
        truth = posed.start + 0.9 * draws.standard_normal(len(posed.unknowns)) * [u.spread for u in posed.unknowns]
        truth = np.clip(truth, [u.low + 0.05 for u in posed.unknowns], [u.high - 0.05 for u in posed.unknowns])
        luck = draws.standard_normal((RUNS, size.size)) @ chol.T
        table = (draws.standard_normal(size.size) @ chol.T) * own
        table += UNLISTED * draws.standard_normal(size.size) * catalogue
        values = fit(posed, slope, truth, luck.mean(axis=0) - table)
        beliefs = judge_values(searched(posed, slope, luck, values, truth, table), values)
        for k, belief in enumerate(beliefs):
            scale = (belief.value, belief.low, belief.high)
            middle, low, high = scale if posed.unknowns[k].name == "intercept" else np.log(scale)
            covered[k] += low - middle <= truth[k] - values[k] <= high - middle
    share = covered / tries
    assert (share > 0.895).all(), share  # four standard errors below 95 %
    assert share.mean() < 0.99


def test_intervals_rest_on_the_runs_that_count() -> None:
    posed = problem()
    posed.scenario = posed.scenario.with_({"population.scale": 10_000, "supply.unlimited": True})
    luck = 3 * np.random.default_rng(1).standard_normal((RUNS, len(posed.wants)))
    search = searched(posed, slopes(posed), luck, posed.start, posed.start, luck[0])

    def width() -> float:
        belief = {one.parameter: one for one in judge_values(search, posed.start)}["channels.shelf.direct"]
        return float(np.log(belief.high / belief.low))

    before = width()
    search.n_runs = RUNS  # whatever luck was used up before
    assert width() == before
    search.deviations *= 4  # as check months that join a fit do
    assert width() / before == pytest.approx(0.5 * student.ppf(0.975, 24) / student.ppf(0.975, 6), rel=0.05)


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    return told(problem())


def told(posed: Problem, slope: Floats | None = None, values: Floats | None = None) -> dict[str, str]:
    """Why each value is not identified; empty where it is."""
    luck = 0.01 * np.random.default_rng(1).standard_normal((RUNS, len(posed.wants)))
    values = posed.start if values is None else values
    search = searched(posed, slopes(posed) if slope is None else slope, luck, values, values, luck[0])
    return {belief.parameter: belief.why for belief in judge_values(search, values)}


def test_what_figures_fix_together_is_not_called_known(verdicts: dict[str, str]) -> None:
    # the month's orders are one figure for both: how readily visitors order, and how often customers come again
    assert "rests on where the fit started" in verdicts["channels.shelf.repeat_weight"]
    # the catalogue, not the table, has visits per visitor
    assert "rests on where the fit started" in verdicts["channels.shelf.revisit"]
    assert verdicts["channels.shelf.direct"] == verdicts["brand.new_customers"] == ""


def test_the_catalogues_range_is_how_far_it_may_be_off() -> None:
    posed = problem()
    assert error_of_catalogue(posed, 0) == UNLISTED
    known = Problem(posed.scenario.with_({"channels.shelf.preset": "douyin"}), TARGETS)
    assert error_of_catalogue(known, 1) == pytest.approx(np.log(5.1 / 3) / 3.92, rel=1e-3)


def test_what_no_figure_answers_to_is_not_called_known() -> None:
    posed = problem()
    slope = slopes(posed)
    slope[:, [unknown.name == "level" for unknown in posed.unknowns]] = 0.0
    assert "rests on where" in told(posed, slope)["channels.shelf.direct"]


def test_what_ran_into_its_bound_is_not_called_known() -> None:
    posed = problem()
    values = posed.start
    values[0] = posed.unknowns[0].low
    assert "went as far as it may" in told(posed, values=values)["channels.group.direct"]


def test_a_figure_of_its_own_makes_a_value_known() -> None:
    posed = problem()
    slope = slopes(posed)
    for u, unknown in enumerate(posed.unknowns):
        if unknown.name == "repeat_weight":
            slope[:, u] = 0.0  # what it moved is left to the intercept
    verdicts = told(posed, slope)
    assert verdicts["channels.shelf.intercept"] == "" and verdicts["channels.shelf.repeat_weight"]
