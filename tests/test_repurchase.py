"""Repurchase from a log: known processes found again, the choice, the check, and the way into a scenario."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from building import channel, scenario
from buying import draw_log

import omnisim as om
from omnisim.cli import main
from omnisim.errors import UsageError
from omnisim.study.purchases.models import log_likelihood
from omnisim.study.purchases.repurchase import Repurchase

LAPSING = {"rate": (0.6, 60.0), "lapse": (0.8, 2.4), "leave": 1.1e-4}


def calibrate(log: pd.DataFrame, *, given: om.Scenario | None = None, holdout: int | None = None) -> Repurchase:
    found = om.calibrate(log, scenario=given, holdout=holdout)
    assert isinstance(found, Repurchase)
    return found


def values_of(found: Repurchase, model: str, days: str = "all") -> pd.DataFrame:
    """Parameters of one model by name."""
    table = found.parameters
    return table[(table["model"] == model) & (table["days"] == days)].set_index("parameter")


@pytest.fixture(scope="module")
def lapsing() -> Repurchase:
    return calibrate(draw_log(8_000, 700, seed=2, rate=(0.6, 60.0), lapse=(0.8, 2.4), leave=1.1e-4))


def test_known_parameters_are_found_again(lapsing: Repurchase) -> None:
    true = {"rate_shape": 0.6, "rate_scale": 60.0, "lapse_a": 0.8, "lapse_b": 2.4}
    for name, value in true.items():
        row = values_of(lapsing, "scenario").loc[name]
        assert row["identified"]
        assert abs(row["value"] - value) < 4 * row["standard_error"]
        assert lapsing.changes[f"brand.repurchase.{name}"] == pytest.approx(row["value"], rel=1e-5)


def test_the_holdout_is_predicted(lapsing: Repurchase) -> None:
    table = lapsing.table.set_index("model")
    assert list(table.index) == ["bg_nbd", "pareto_nbd", "simulator"]
    assert table["chosen"].sum() == 1 and table.loc[lapsing.chosen, ["within", "buyers_within"]].all()
    assert abs(table.loc["simulator", "error_percent"]) < 6
    assert (table["low"] < table["orders"]).all() and (table["orders"] < table["high"]).all()
    # the holdout is the future of customers known at the cut, and of nobody else
    log = lapsing.log
    first = np.append(True, np.diff(log.customer) != 0)
    known = (log.day[first] <= lapsing.cut)[log.customer]
    assert lapsing.orders == int((known & (log.day > lapsing.cut)).sum()) == table["actual"].iloc[0]


def test_the_choice_does_not_look_beyond_the_cut() -> None:
    log = draw_log(3_000, 500, seed=4, rate=(0.6, 60.0), lapse=(0.8, 2.4))
    before = calibrate(log, holdout=120)
    cut = log["date"].min() + pd.Timedelta(days=before.cut)
    # another future: all orders after the cut on the last day, twice
    future = log[log["date"] > cut].assign(date=log["date"].max())
    twice = pd.concat([log[log["date"] <= cut], future, future.assign(order=-1 - future["order"])])
    after = calibrate(twice, holdout=120)
    assert after.chosen == before.chosen and after.cut == before.cut
    assert [m.score for m in after.models] == [m.score for m in before.models]
    assert [m.fit.values.tolist() for m in after.models] == [m.fit.values.tolist() for m in before.models]
    assert after.orders == 2 * before.orders


def test_customers_who_never_lapse_are_seen_and_bg_nbd_is_beaten() -> None:
    # a half lapses soon, a half never: one Beta cannot say both
    found = calibrate(draw_log(12_000, 800, seed=6, rate=(0.8, 50.0), lapse=(4.0, 4.0), loyal=0.5), holdout=400)
    table = found.table.set_index("model")
    assert found.chosen == "simulator"
    assert table.loc["simulator", "log_score"] > table.loc["bg_nbd", "log_score"] + 20
    assert table.loc["simulator", "aic"] < table.loc["bg_nbd", "aic"] - 50
    assert table["orders"]["simulator"] == pytest.approx(table["actual"]["simulator"], rel=0.05)
    for name in ("bg_nbd", "pareto_nbd"):
        assert abs(table["error_percent"]["simulator"]) < abs(table["error_percent"][name]) - 2
        assert table["holdout_score"]["simulator"] > table["holdout_score"][name] + 50
        assert table["customer_error"]["simulator"] < table["customer_error"][name]
    loyal = values_of(found, "simulator").loc["loyal"]
    assert abs(loyal["value"] - 0.5) < 4 * loyal["standard_error"] < 0.2
    assert any("never lapse" in str(note) for note in found.warnings)


def test_customers_who_leave_without_ordering_are_pareto_nbd() -> None:
    found = calibrate(draw_log(8_000, 800, seed=7, rate=(0.8, 50.0), leave=(0.6, 90.0)))
    assert found.chosen == "pareto_nbd"
    values = values_of(found, "pareto_nbd")
    for name, value in {"rate_shape": 0.8, "rate_scale": 50.0, "leave_shape": 0.6, "leave_scale": 90.0}.items():
        assert abs(values.loc[name, "value"] - value) < 4 * values.loc[name, "standard_error"]
    assert any("better than what a scenario can hold" in str(note) for note in found.warnings)


def brand(**sections: object) -> om.Scenario:
    """A market in which thousands come first each month, and buy again with nothing but BG/NBD at work."""
    plain = scenario(horizon={"days": 400, "warm_up": 0}, population={"size": 20_000, "renewal": 0.0},
                     channels={"shop": channel(direct=0.03, intercept=-2.0)},
                     brand={"new_customers": 0.0, "age": 0.0, "repurchase": {
                         "rate_shape": 0.6, "rate_scale": 60.0, "lapse_a": 0.8, "lapse_b": 2.4, "win_back": -20.0,
                         "interest_uplift": 0.0}})
    return plain.with_(sections) if sections else plain


def test_a_simulated_log_gives_its_own_parameters_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from omnisim.study.calibration import pace
    monkeypatch.setattr(pace, "RUNS", 1)
    campaign = {"name": "sale", "start": "2024-09-01", "end": "2024-11-30", "factor": 2.0}
    made = brand().with_({"calendar.campaigns": [campaign]})
    orders = om.run(made, seed=3, threads=1).orders
    found = calibrate(orders, given=made)
    table = values_of(found, "scenario")
    for name in ("rate_shape", "rate_scale", "lapse_a", "lapse_b"):
        true = getattr(made.brand.repurchase, name)
        assert abs(table.loc[name, "value"] - true) < 4 * table.loc[name, "standard_error"], name
    assert found.scenario is not None and found.scenario.hash == made.with_(found.changes).hash
    # a calendar that is not told is taken for haste
    blind, scale = values_of(calibrate(orders), "scenario"), table.loc["rate_scale"]
    assert blind.loc["rate_scale", "value"] < scale["value"] - 2 * scale["standard_error"]


def test_what_a_scenario_adds_to_rates_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from omnisim.study.calibration import pace
    monkeypatch.setattr(pace, "RUNS", 1)
    members = {"join": 0.0, "uplift": 0.5, "member_day": 8, "member_day_factor": 1.5}
    flash = {"channel": "shop", "seats": 20_000, "members": 0, "join_per_visit": 1.0, "leave_per_week": 0.0,
             "touch": 0.6, "push": 0.0, "share_rate": 0.0, "flash_weekday": None}
    made = brand(membership=members, community=flash)
    found = calibrate(om.run(made, seed=5, threads=1).orders, given=made)
    # nearly everybody who came back once sits in a group and orders 1.6 times as often
    assert 1.25 < found.pace < 1.6
    scale, error = (values_of(found, "scenario").loc["rate_scale", name] for name in ("value", "standard_error"))
    assert scale < 60 - 4 * error
    assert found.changes["brand.repurchase.rate_scale"] == pytest.approx(60, abs=4 * error * found.pace + 6)
    assert found.scenario is not None and found.scenario.hash == made.with_(found.changes).hash


def test_expected_orders_by_customer(lapsing: Repurchase) -> None:
    people = lapsing.customers(200)
    assert len(people) == len(lapsing.log.customers)
    assert people["alive"].between(0, 1).all() and people["chance"].between(0, 1).all()
    assert (people["expected_orders"] >= people["chance"] - 1e-9).all()
    assert (people["mean_value"] == 100.0).all()
    # who ordered often and just now is expected to order most, who ordered often and long ago hardly
    often = people[people["repeat_orders"] >= 4]
    silent = (people["last"].max() - often["last"]).dt.days
    assert often[silent < 20]["expected_orders"].mean() > 5 * often[silent > 300]["expected_orders"].mean()


def test_days_ahead_weigh_what_the_calendar_says(lapsing: Repurchase) -> None:
    after = lapsing.log.start + datetime.timedelta(days=lapsing.log.last_day + 1)
    sale = {"name": "sale", "start": after, "end": after + datetime.timedelta(days=99), "factor": 2.0}
    busy = dataclasses.replace(lapsing, calendar=brand(**{"calendar.campaigns": [sale]})).customers(100)
    assert busy["expected_orders"].to_numpy() == pytest.approx(lapsing.customers(200)["expected_orders"].to_numpy())
    with pytest.raises(UsageError, match="days = 0 — must be 1 to"):
        lapsing.customers(0)


def test_the_fit_is_an_optimum(lapsing: Repurchase) -> None:
    from omnisim.study.purchases.fit import histories
    h, _, _ = histories(lapsing.log, lapsing.cut, lapsing.clock)
    for model in lapsing.models:
        fit = model.fit
        known = fit.identified
        for k in np.flatnonzero(known):
            for sign in (-1, 1):
                values = fit.values.copy()
                parameter = fit.process.parameters[k]
                values[k] = parameter.outward(parameter.inward(values[k]) + sign * 0.3 * np.sqrt(fit.covariance[k, k]))
                assert log_likelihood(fit.process, h, values)[0] <= fit.log_likelihood + 1e-6


def test_short_logs_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        calibrate(draw_log(60, 300, seed=1, rate=(0.3, 60.0), lapse=(0.8, 2.4)))
    assert "repeat orders" in str(caught.value) and "at least 50" in str(caught.value)
    with pytest.raises(UsageError, match=r"holdout = 900 days .* Choose 1 to \d+\."):
        calibrate(draw_log(2_000, 300, seed=1, rate=(0.6, 60.0), lapse=(0.8, 2.4)), holdout=900)
    with pytest.raises(UsageError, match=r"holdout = 0 days .* Give a longer log\."):
        calibrate(pd.DataFrame({"customer": ["a", "b"], "date": ["2024-06-01"] * 2}))


def test_only_one_log_and_only_logs_as_frames() -> None:
    log = draw_log(100, 300, rate=(0.6, 60.0))
    with pytest.raises(UsageError, match="must be one"):
        om.calibrate([log, log])
    with pytest.raises(UsageError, match="must hold a customer and a date"):
        om.calibrate(pd.DataFrame({"a": [1]}))


def test_saved_and_shown(lapsing: Repurchase, tmp_path: Path) -> None:
    lapsing.save(tmp_path / "fit")
    lapsing.save(tmp_path / "fit")
    names = {path.name for path in (tmp_path / "fit").iterdir()}
    assert names == {"models.csv", "parameters.csv", "repurchase.yaml", "tracking.png", "frequencies.png",
                     "manifest.json"}
    assert len(pd.read_csv(tmp_path / "fit" / "models.csv")) == 3
    # the fields lie over a scenario beside them
    base = brand()
    base.save(tmp_path / "base.yaml")
    text = (tmp_path / "fit" / "repurchase.yaml").read_text()
    (tmp_path / "with.yaml").write_text("extends: base.yaml\n" + text)
    assert om.load(tmp_path / "with.yaml").hash == base.with_(lapsing.changes).hash
    assert "<table" in lapsing._repr_html_() and lapsing.chosen in str(lapsing) and "orders from" in repr(lapsing)


def test_plots_show_the_actual_and_the_three(lapsing: Repurchase) -> None:
    axes = lapsing.plot.tracking()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == ["actual", "BG/NBD", "Pareto/NBD", "omnisim"]
    actual = axes.get_lines()[0].get_ydata()
    log = lapsing.log
    assert np.asarray(actual)[lapsing.cut] == int((log.day <= lapsing.cut).sum()) - len(
        np.unique(log.customer[log.day <= lapsing.cut]))
    told = np.asarray(axes.get_lines()[3].get_ydata())
    assert told[-1] == pytest.approx(np.asarray(actual)[lapsing.cut] + lapsing.table.set_index("model").loc[
        "simulator", "orders"], rel=1e-3)
    assert len(lapsing.plot.frequencies().patches) == 4 * 7


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_log(2_000, 400, seed=5, rate=(0.6, 60.0), lapse=(0.8, 2.4)).to_csv(tmp_path / "log.csv", index=False)
    out = tmp_path / "out"
    assert main(["calibrate", "--data", str(tmp_path / "log.csv"), "--holdout", "90", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "bg_nbd" in shown and "rate_shape" in shown
    assert (out / "tracking.png").stat().st_size > 10_000
    assert main(["calibrate", "--data", str(tmp_path / "log.csv"), "--json"]) == 0
    assert '"brand.repurchase.rate_scale"' in capsys.readouterr().out


def test_a_log_beside_the_brands_table_goes_into_the_fit(lapsing: Repurchase, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnisim.study.calibration import calibrate as fitting_a_table
    from omnisim.study.calibration import fitting
    from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus
    monkeypatch.setattr(fitting, "SMALL_STEPS", 1)
    monkeypatch.setattr(fitting, "FULL_STEPS", 1)
    monkeypatch.setattr(fitting_a_table, "RETRIES", 0)
    start = brand(**{"horizon.warm_up": 210, "horizon.days": 30, "population.size": 20_000})
    table = BrandTables((ChannelStatus("shop", "shop", 9_000.0, 0.05, 120.0, 54_000.0),))
    fit = fitting_a_table.fit(table, scenario=start, threads=1, repurchase=lapsing)
    assert fit.repurchase is not None and fit.repurchase.log is lapsing.log
    for path, value in fit.repurchase.changes.items():
        assert fit.fitted[path] == value and getattr(fit.scenario.brand.repurchase, path.rpartition(".")[2]) == value
        assert path not in set(fit.unidentified_table["parameter"])
    assert "brand.repurchase.stay" in set(fit.unidentified_table["parameter"])
    assert fit.repurchase.pace == 1.0  # nothing in this market raises rates
