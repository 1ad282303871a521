"""The reference funnel: what its file promises, at a size that a test can afford."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import omnisim as om
from omnisim.books import MEASURE, Books
from omnisim.scenario.load import check_file
from omnisim.scenario.model import Scenario

FILE = Path(__file__).parents[1] / "scenarios" / "reference_funnel.yaml"
BENCHMARKS = FILE.parents[1] / "benchmarks"
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
    for measure in ("searches", "consultations", "referred_orders", "lost_orders", "returned_lines", "joins"):
        assert year[MEASURE[measure]] == 0, measure
    assert books.flows.sum() == 0


def test_the_same_funnel_in_numpy_has_the_same_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visits and orders of each channel, against a program that shares no line with the kernels."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))
    tell = importlib.import_module("funnel").parameters
    resize = importlib.import_module("sizes").resize
    draw_people, live_on = importlib.import_module("people").draw_people, importlib.import_module("numpy_tuned").live_on
    seeds = range(1, 21)
    small = resize(om.load(FILE), 10_000, {"horizon.days": 60})
    p = tell(small, list(seeds))
    ours, theirs = [], []
    for seed in seeds:
        year = om.run(small, seed=seed, orders="none").books[0].daily.sum(axis=0)
        ours.append([year[:, MEASURE["visits"]], year[:, MEASURE["orders"]]])
        counts = live_on(p, draw_people(p, np.random.default_rng(seed)), seed)
        theirs.append([counts["visits"], counts["orders"]])
    error = np.sqrt((np.var(ours, axis=0, ddof=1) + np.var(theirs, axis=0, ddof=1)) / len(seeds))
    away = (np.mean(ours, axis=0) - np.mean(theirs, axis=0)) / error
    assert away.shape == (2, 6)
    assert np.abs(away).max() < 4, away


def test_peers_refuse_what_they_do_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tell = importlib.import_module("funnel").parameters
    changed = om.load(FILE).with_({"channels.jd.search": 0.001, "referral": {}, "population.renewal": 0.04})
    with pytest.raises(ValueError, match=r"nothing of referral, channels\.jd\.search, population"):
        tell(changed, [1])


def test_resizing_keeps_what_a_consumer_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    resize = importlib.import_module("sizes").resize
    brand = om.load(FILE.parent / "brand.yaml")
    small = resize(brand, 1_234)
    for name, channel in small.channels.items():
        whole = brand.channels[name]
        seen, before = (1000 * one.budget * (1 - one.search_share) / one.cpm + one.organic_impressions
                        for one in (channel, whole))
        assert seen / 1_234 == pytest.approx(before / 1_000_000, rel=1e-9)
    assert small.brand.new_customers / 1_234 == pytest.approx(brand.brand.new_customers / 1_000_000)
    assert (small.community.seats, small.community.members) == (3, 3)
    assert small.products["core"].base_stock == 6
