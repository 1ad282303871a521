"""The click share: fitted to how orders answer to a budget, held on the tables, narrowed by a holdout test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_calibrate import fitted, market

import omnisim as om
from omnisim.errors import UsageError
from omnisim.study.calibration import elasticity, fitting, holdout, targets
from omnisim.study.calibration.elasticity import ClickShares, Stance, advertise, answers
from omnisim.study.calibration.unidentified import list_unidentified


def seller() -> om.Scenario:
    """A market whose shelf buys a part of its visits."""
    return market(shelf={"kind": "content", "budget": 80.0, "direct": 4e-3}).with_({"population.size": 20_000})


def test_budget_of_the_largest_content_channel_is_raised() -> None:
    brand = om.load(Path(__file__).parents[1] / "scenarios" / "brand.yaml")
    assert elasticity.tested_channel(brand) == "douyin"
    assert elasticity.tested_channel(brand.with_({"channels.xiaohongshu.budget": 1300})) == "xiaohongshu"
    assert elasticity.tested_channel(brand.with_({"channels.douyin.budget": 0})) == "taobao"
    none = brand.with_({"channels.douyin.budget": 0, "channels.taobao.budget": 0})
    assert elasticity.tested_channel(none) == "", "the community's money buys links, no impressions"
    window = seller().with_({f"channels.{name}.checkout": False for name in ("shelf", "group")})
    assert elasticity.tested_channel(window) == "", "nothing sells: no order answers"


def test_money_that_nobody_notices_changes_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticity, "YEAR", 20)
    blind = seller().with_({"channels.shelf.click_share": 0.0, "channels.shelf.persuasion": 0.0,
                            "brand.repurchase.lost_after": 3650})  # or an impression wins a lost customer back
    found = answers(blind, "shelf", range(2))
    assert found.elasticity.tolist() == [0.0, 0.0]
    assert found.margin.tolist() == [0.0, 0.0]


def test_where_nothing_is_ordered_no_order_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticity, "YEAR", 5)
    window = seller().with_({f"channels.{name}.checkout": False for name in ("shelf", "group")})
    assert answers(window, "shelf", range(1)).elasticity.tolist() == [0.0]


def test_the_first_strength_that_is_tried_is_above_zero() -> None:
    none = seller().with_({f"channels.{name}.click_share": 0.0 for name in ("shelf", "group")})
    problem = fitting.Problem(none, (targets.Target("shelf", 3_000, 30, 100, 3_000, 4.0),))
    shares = ClickShares(fitting.Search(problem, 1, 1, lambda amount: None), problem, problem.start, "shelf",
                         lambda amount: None)
    first = shares.guess(0.12)
    assert first == shares.ends[0] > 0
    shares.seen[first] = 0.01
    assert shares.guess(0.12) > first


def test_click_share_is_found_while_the_tables_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticity, "YEAR", 40)
    monkeypatch.setattr(elasticity, "RUNS", 2)
    scenario = seller()
    month = targets.observe([targets.Task(scenario, 1_000 + n) for n in range(2)], 1, 2).mean(axis=0)
    wanted = tuple(targets.Target(name, row[targets.UV], row[targets.ORDERS], row[targets.GMV] / row[targets.ORDERS],
                                  row[targets.GMV], row[targets.VISITS] / row[targets.UV])
                   for name, row in zip(sorted(scenario.channels), month, strict=True))
    problem = fitting.Problem(scenario, wanted)
    search = fitting.Search(problem, 1, 2, lambda amount: None)
    search.slope = search.slopes(problem.start)
    shares = ClickShares(search, problem, problem.start, "shelf", lambda amount: None)
    pairs = range(elasticity.APART, elasticity.APART + 2)
    today = answers(problem.apply(problem.start), "shelf", pairs).elasticity.mean()
    other, values, _ = shares.find(1.5 * today)
    click_share = other.scenario.channels["shelf"].click_share
    assert click_share > scenario.channels["shelf"].click_share
    assert other.scenario.channels["group"].click_share == click_share, "one for all channels"
    # a strength beyond the largest click share is one of persuasion
    assert min(abs(found - 1.5 * today) for found in shares.seen.values()) <= 0.1 * 1.5 * today
    seen = search.months(values, small=True, problem=other).mean(axis=0)
    assert np.abs(seen[:, targets.UV] / month[:, targets.UV] - 1).max() < 0.02
    assert np.abs(seen[:, targets.ORDERS] / month[:, targets.ORDERS] - 1).max() < 0.05


def test_persuasion_follows_the_strength_beyond_the_ends_of_the_click_share() -> None:
    scenario, usual, ends = seller(), {"shelf": 0.05}, (0.003, 0.03)
    for strength, share, persuasion in ((0.0015, 0.003, 0.025), (0.003, 0.003, 0.05), (0.01, 0.01, 0.05),
                                        (0.06, 0.03, 0.1)):
        shelf = advertise(scenario, strength, usual, ends).channels["shelf"]
        assert (shelf.click_share, shelf.persuasion) == (share, pytest.approx(persuasion))


def test_clicks_leave_room_for_a_fifth_of_the_visitors() -> None:
    scenario = seller()  # 80 a day buy 2,667 impressions
    problem = fitting.Problem(scenario, (targets.Target("shelf", 3_000, 0, 0, 0, 4.0),))
    assert elasticity.ends_of(problem) == (0.003, pytest.approx(0.8 * 100 / 2_666.7, rel=1e-4))


def stances() -> tuple[Stance, ...]:
    return tuple(Stance(name, e, share, 0.05, e, 0.9 * e, 1.1 * e, 5 * e, 4 * e, 6 * e, seller())
                 for name, e, share in (("low", 0.05, 0.002), ("default", 0.12, 0.01), ("high", 0.22, 0.04)))


def test_low_default_and_high_are_shown_and_written(tmp_path: Path) -> None:
    fit = dataclasses.replace(fitted(), stances=stances())
    assert list(fit.scenarios) == ["low", "default", "high"]
    fit.save(tmp_path)
    assert pd.read_csv(tmp_path / "elasticity.csv")["click_share"].tolist() == [0.002, 0.01, 0.04]
    assert om.load(tmp_path / "scenario_high.yaml").hash == seller().hash
    assert "0.22" in str(fit) and "if advertising works less" in fit._repr_html_()
    assert "Advertising, low: click share 0.002" in (tmp_path / "scenario.yaml").read_text(encoding="utf-8")
    listed = list_unidentified(fit.scenario, (), {}, set(), stances())
    assert all((row.low, row.high) == (0.002, 0.04) for row in listed if row.parameter.endswith("click_share"))


def test_elasticity_that_was_not_reached_is_said() -> None:
    assert not elasticity.beyond(stances())
    off = stances()[2]._replace(sought=0.4)
    assert "elasticity of 0.220, not 0.40" in str(elasticity.beyond([off])[0])


def belief(outcome: float, noise: float) -> holdout.Holdout:
    return holdout.Holdout("shelf", 28, 0.5, 0.0, (-0.02, -0.05, -0.08), outcome, noise, stances())


def test_an_outcome_without_noise_decides_and_one_of_noise_alone_tells_nothing() -> None:
    sure, blind = belief(-0.05, 1e-4).table, belief(-0.3, 1e3).table
    assert sure["elasticity_after"].to_numpy() == pytest.approx([0.12] * 3, rel=0.02)
    assert blind["elasticity_after"].to_numpy() == pytest.approx([0.05, 0.12, 0.22], rel=0.02)
    assert blind["click_share_after"].to_numpy() == pytest.approx([0.002, 0.01, 0.04], rel=0.03)
    assert belief(-0.075, 0.01).elasticity > 0.15 > 0.1 > belief(-0.025, 0.01).elasticity


def test_an_outcome_far_from_all_that_was_expected_is_believed_as_far_as_the_grid_goes() -> None:
    for outcome, bound in ((-3.0, "elasticity_after"), (3.0, "elasticity_after")):
        after = belief(outcome, 1e-3).table[bound]
        assert after.notna().all() and (after.iloc[1] > 0.22 if outcome < 0 else after.iloc[1] < 0.05)


@pytest.mark.parametrize("outcome", [(float("nan"), 0.1), (float("inf"), 0.1), (-0.1, 0.0), (-0.1, -1.0),
                                     (-0.1, float("nan"))])
def test_an_outcome_is_a_number_with_its_noise(outcome: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match=r"holdout: outcome = .* must be a number and a standard deviation above 0"):
        holdout.hold_out(stances(), outcome=outcome)


def test_belief_is_bayes_for_normals() -> None:
    found, noise = belief(-0.06, 0.02)._after(), 0.02
    slope = -0.03 / 1.959964  # the effect is linear in belief here
    weight = slope**2 / noise**2
    mean, deviation = weight * (-0.01 / slope) / (1 + weight), (1 + weight) ** -0.5
    assert found == pytest.approx(mean + deviation * np.array([-1.959964, 0, 1.959964]), abs=0.01)


def test_a_holdout_test_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdout, "RUNS", 2)
    plain = seller().with_({"channels.shelf.click_share": 0.03})
    three = tuple(one._replace(scenario=plain.with_({"channels.shelf.click_share": share}))
                  for one, share in zip(stances(), (0.003, 0.03, 0.1), strict=True))
    test = holdout.hold_out(three, days=21, threads=2)
    assert test.channel == "shelf"
    assert test.expected[2] < test.expected[1] < test.expected[0] < 0
    assert 0 < test.noise < 0.5
    assert abs(test.outcome - test.expected[1]) < 4 * test.noise
    assert "21 days" in str(test)


def test_a_test_that_tests_nothing_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        holdout.hold_out(stances(), channel="group", share=1.0, factor=1.0)
    assert len(caught.value.faults) == 3
    with pytest.raises(UsageError, match="must be a fit with low, default and high"):
        fitted().holdout_test()
