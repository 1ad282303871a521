"""The repurchase rate of the community's channel as a target: reached on fresh luck, tables held, refused beyond."""

from __future__ import annotations

import numpy as np
import pytest
from building import scenario
from test_calibrate import market

import omnisim as om
from omnisim.errors import InfeasibleError, UsageError
from omnisim.study.calibration import calibrate, fitting, private, targets
from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus
from omnisim.study.calibration.private import PACE, POINTS, TOUCH, PrivateRepeat, Rate, check_target, measure
from omnisim.study.calibration.targets import GMV, ORDERS, UV


def lively() -> om.Scenario:
    """A market of 30,000 with a busy group, whose customers come back often."""
    return market(group={"direct": 4e-3, "intercept": -3.0}).with_({"brand.repurchase.rate_scale": 60.0})


def table_of(true: om.Scenario) -> BrandTables:
    months = targets.observe([targets.Task(true, n) for n in range(4)], 77, 2).mean(axis=0)
    return BrandTables(tuple(
        ChannelStatus(name, name, row[UV], row[ORDERS] / row[UV], row[GMV] / row[ORDERS], row[GMV])
        for name, row in zip(sorted(true.channels), months, strict=True)))


def test_the_rate_is_the_kpi_pooled_over_runs() -> None:
    subject = lively().with_({"horizon.days": 180, "horizon.warm_up": 30})
    found = measure(subject, range(3), threads=2)
    alone = [om.run(subject, replications=1, seed=1, threads=1).kpis().set_index("kpi").loc[private.MEASURE, "value"]]
    assert measure(subject, [0]).value == pytest.approx(alone[0])
    assert 0.002 < found.error < 0.1


def test_fit_reaches_the_rate_on_fresh_luck_and_holds_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "FULL_STEPS", 2)
    start = lively()
    sought = measure(start, range(8), seed=5, threads=2).value * 0.9
    fit = calibrate.fit(table_of(start), scenario=start, seed=3, threads=2, private_repeat=sought)
    assert fit.table["within"].all(), str(fit)
    row = fit.rows[-1]
    assert (row.channel, row.measure, row.table) == ("group", private.MEASURE, sought)
    fresh = measure(fit.scenario, range(24), seed=11, threads=2)
    assert abs(fresh.value - sought) < POINTS + 2 * np.hypot(fresh.error, row.standard_error)
    assert fit.fitted[PACE] == fit.scenario.brand.repurchase.rate_scale > 60.0
    assert PACE not in set(fit.unidentified_table["parameter"])
    assert start.with_(dict(fit.fitted)).hash == fit.scenario.hash


def search_of(monkeypatch: pytest.MonkeyPatch, parameter: str, law: object) -> PrivateRepeat:
    """A search whose rates follow a law, without simulation."""
    problem = fitting.Problem(lively(), ())
    found = PrivateRepeat(fitting.Search(problem, 1, 1, lambda amount: None), problem, problem.start, parameter,
                          lambda amount: None)
    monkeypatch.setattr(private, "measure", lambda subject, *_, **__: Rate(law(subject), 0.001))  # type: ignore[operator]
    monkeypatch.setattr(PrivateRepeat, "hold", lambda self, value: self.held.setdefault(
        value, (problem.at(problem.scenario.with_({parameter: value})), problem.start, np.zeros((0, 0)))))
    return found


@pytest.mark.parametrize("sought", [0.06, 0.12, 0.2, 0.35, 0.5])
def test_secant_finds_a_pace_far_away(monkeypatch: pytest.MonkeyPatch, sought: float) -> None:
    one = search_of(monkeypatch, PACE, lambda s: 1 - (1 + 90 / s.brand.repurchase.rate_scale) ** -0.2426 * 0.9)
    low, high = (1 - (1 + 90 / end) ** -0.2426 * 0.9 for end in reversed(one.ends))
    if not low < sought < high:
        with pytest.raises(InfeasibleError, match=f"must be from {low:.3f} to {high:.3f}"):
            one.find(sought)
        return
    one.find(sought)
    assert 1 - (1 + 90 / one.value) ** -0.2426 * 0.9 == pytest.approx(sought, abs=private.NEAR)


def test_every_guess_is_tried_and_the_ends_beside_them_only_for_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def cliff(subject: om.Scenario) -> float:
        way = float(np.log(subject.brand.repurchase.rate_scale / 71))
        return 0.3 - 0.2 * float(np.sign(way)) * abs(way) ** 0.01
    one = search_of(monkeypatch, PACE, cliff)
    guessed: list[float] = []
    monkeypatch.setattr(PrivateRepeat, "guess", lambda self, sought, guess=PrivateRepeat.guess: (
        guessed.append(guess(self, sought)), guessed[-1])[1])
    with pytest.raises(InfeasibleError, match=r"must be from 0.099 to 0.502"):
        one.find(0.3)
    assert list(one.seen) == [60.0, *guessed, *one.ends]
    assert len(guessed) == private.TRIES - 1


def test_beside_a_log_touch_moves_and_its_reach_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def law(subject: om.Scenario) -> float:
        assert subject.community is not None
        return 0.296 + 0.02 * float(np.log1p(subject.community.touch))
    one = search_of(monkeypatch, TOUCH, law)
    one.find(0.32)
    assert one.value == pytest.approx(np.expm1(1.2), rel=0.06)
    for sought in (0.25, 0.4):
        with pytest.raises(InfeasibleError, match=r"must be from 0.296 to 0.344: what community.touch from 0 to 10"):
            search_of(monkeypatch, TOUCH, law).find(sought)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0 and below 1") as caught:
        check_target(28.2, scenario())
    assert len(caught.value.faults) == 2, "no community either"
    with pytest.raises(UsageError, match="nobody orders on group"):
        measure(lively().with_({"population.size": 1_000, "brand.age": 0.0, "brand.new_customers": 0.0,
                                "channels.group.intercept": -15.0, "channels.group.repeat_weight": 0.0,
                                "channels.shelf.intercept": -15.0, "horizon.warm_up": 0}), [0])
