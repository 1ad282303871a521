"""The reference funnel: what its file promises, at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import omnisim as om
from omnisim.books import MEASURE, Books
from omnisim.scenario.load import check_file
from omnisim.scenario.model import Scenario

FILE = Path(__file__).parents[1] / "scenarios" / "reference_funnel.yaml"
SIZE = 20_000


@pytest.fixture(scope="module")
def funnel() -> Scenario:
    """The funnel for 20,000 consumers: budgets and past customers in proportion."""
    scenario = om.load(FILE)
    share = SIZE / scenario.population.size
    return scenario.with_({
        "population.size": SIZE, "brand.new_customers": scenario.brand.new_customers * share,
        **{f"channels.{name}.budget": round(channel.budget * share, 2) for name, channel in scenario.channels.items()}})


@pytest.fixture(scope="module")
def books(funnel: Scenario) -> Books:
    return om.run(funnel, seed=1).books[0]


def test_file_has_no_doubtful_value() -> None:
    assert check_file(FILE) == ([], [])


def test_a_year_of_a_million_consumers_and_six_channels() -> None:
    scenario = om.load(FILE)
    assert (scenario.population.size, scenario.horizon.days, scenario.horizon.warm_up) == (1_000_000, 365, 0)
    assert len(scenario.channels) == 6


def test_rates_are_those_of_the_file(books: Books) -> None:
    """0.10 exposures and 0.012 orders a consumer-day in the mean of the year, and between 0.015 and 0.025 visits."""
    rates = books.daily.sum(axis=(0, 1)) / (SIZE * 365)
    assert rates[MEASURE["impressions"]] == pytest.approx(0.10, rel=0.03)
    assert rates[MEASURE["orders"]] == pytest.approx(0.012, rel=0.03)
    assert 0.015 < rates[MEASURE["visits"]] < 0.025


def test_the_year_neither_grows_nor_shrinks(books: Books) -> None:
    orders = books.daily[:360, :, MEASURE["orders"]].sum(axis=1).reshape(4, 90).sum(axis=1)
    assert np.abs(orders / orders.mean() - 1).max() < 0.05, orders


def test_every_channel_shows_the_brand_sells_and_wins_back(books: Books) -> None:
    year = books.daily.sum(axis=0)
    for measure in ("impressions", "clicks", "orders", "new_customers", "repeat_orders", "win_back_orders"):
        assert (year[:, MEASURE[measure]] > 0).all(), measure


def test_what_the_funnel_does_not_need_is_off(books: Books) -> None:
    year = books.daily.sum(axis=(0, 1))
    for measure in ("searches", "consultations", "referred_orders", "lost_orders", "returned_orders", "joins"):
        assert year[MEASURE[measure]] == 0, measure
    assert books.flows.sum() == 0
