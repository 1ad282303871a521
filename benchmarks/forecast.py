"""Forecasts of a made-up assortment beside statsforecast: time, error, bias and coverage on four weeks held out.

statsforecast brings 577 MB, so it runs in an environment of its own; without one, its rows are left out:

    python -m venv ../statsforecast && ../statsforecast/bin/pip install statsforecast
    python benchmarks/forecast.py --statsforecast ../statsforecast/bin/python
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from omnisim.supply.forecast import Forecast, campaign_driver, forecast_demand, measure_accuracy

HERE = Path(__file__).parent
SERIES, PAST, AHEAD = 1_000, 730, 28
SOME = 25
"""All models of AutoETS are tried on every 25th series only: they take a third of a second a series."""
CAMPAIGNS = [day for start in (60, 165, 313, 425, 530, 678, 735) for day in range(start, start + 5)]

PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS, CrostonSBA, SeasonalNaive
from importlib.metadata import version
path, name, season, ahead = sys.argv[1], sys.argv[2], 7, int(sys.argv[3])
data = np.load(path)["history"]
n, past = data.shape
frame = pd.DataFrame({"unique_id": np.repeat(np.arange(n), past), "ds": np.tile(np.arange(past), n), "y": data.ravel()})
model = {"AutoETS": lambda: AutoETS(season_length=season), "CrostonSBA": CrostonSBA,
         "AutoETS ANA": lambda: AutoETS(season_length=season, model="ANA"),
         "SeasonalNaive": lambda: SeasonalNaive(season_length=season)}[name]()
level = [90] if name != "CrostonSBA" else None
StatsForecast(models=[model], freq=1, n_jobs=1).forecast(df=frame[frame.unique_id < 2], h=ahead, level=level)
start, used = time.perf_counter(), time.process_time()
found = StatsForecast(models=[model], freq=1, n_jobs=1).forecast(df=frame, h=ahead, level=level)
used = time.process_time() - used
found = found.sort_values(["unique_id", "ds"])
columns = [c for c in found.columns if c not in ("unique_id", "ds")]
mean = found[columns[0]].to_numpy().reshape(n, ahead)
low = found[[c for c in columns if "-lo-" in c][0]].to_numpy().reshape(n, ahead) if level else np.nan * mean
high = found[[c for c in columns if "-hi-" in c][0]].to_numpy().reshape(n, ahead) if level else np.nan * mean
np.savez(path + ".out.npz", mean=mean, low=low, high=high)
print(json.dumps([used, version("statsforecast")]))
"""


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Units sold a day by 800 brisk and 200 slow articles, with weeks, drift and campaigns; and what was expected."""
    generator = np.random.default_rng(seed)
    days = PAST + AHEAD
    level = np.exp(generator.normal(3, 1, (SERIES, 1)) + np.cumsum(generator.normal(0, 0.01, (SERIES, days)), axis=1))
    level[-200:] *= 0.2 / level[-200:].mean(1, keepdims=True)
    week = np.maximum(1 + 0.3 * generator.normal(size=(SERIES, 7)), 0.2)
    lift = np.maximum(generator.normal(1.2, 0.2, (SERIES, 1)), 0.2)
    campaign = np.isin(np.arange(days), CAMPAIGNS)
    rate = level * (week / week.mean(1, keepdims=True))[:, np.arange(days) % 7] * (1 + lift * campaign)
    return generator.poisson(rate).astype(float), rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--statsforecast", help="python of an environment with statsforecast")
    options = parser.parse_args()
    demand, rate = draw(1)
    history, future = demand[:, :PAST], demand[:, PAST:]
    driver = campaign_driver("sale", CAMPAIGNS, periods=PAST + AHEAD)
    forecast_demand(history[-210:-190], horizon=AHEAD, drivers=[driver])  # load the compiled kernels
    rows = []

    def row(what: str, seconds: float | None, found: Forecast, every: int = 1) -> None:
        came = future[::every]
        brisk, slow = (measure_accuracy(Forecast(*(part[rows_] for part in found)), came[rows_])
                       for rows_ in (slice(0, -200 // every), slice(-200 // every, None)))
        spent = "" if seconds is None else f"{seconds:.2f} s"
        held = [f"{one.coverage:.1%}" if np.isfinite(found.low).all() else "—" for one in (brisk, slow)]
        rows.append(f"| {what} | {spent} | {brisk.wape:.1%} | {brisk.bias:+.1%} | {held[0]} | "
                    f"{slow.wape:.1%} | {slow.bias:+.1%} | {held[1]} |")

    for what, drivers in (("omnisim, with the campaign calendar", [driver]), ("omnisim, without it", [])):
        start = time.process_time()
        found = forecast_demand(history, horizon=AHEAD, drivers=drivers)
        row(what, time.process_time() - start, found)
    version = ""
    if options.statsforecast:
        with tempfile.TemporaryDirectory() as place:
            path = str(Path(place) / "history.npz")
            for name, every in (("AutoETS ANA", 1), ("CrostonSBA", 1), ("SeasonalNaive", 1), ("AutoETS", SOME)):
                np.savez(path, history=history[::every])
                output = subprocess.run([options.statsforecast, "-c", PEER, path, name, str(AHEAD)], check=True,
                                        capture_output=True, text=True).stdout
                used, version = json.loads(output.splitlines()[-1])
                parts = np.load(path + ".out.npz")
                fewer = Forecast(*(part[::every] for part in found))
                what = f"statsforecast {name}" + (f", {SERIES // every} of the series" if every > 1 else "")
                row(what, used, fewer._replace(mean=parts["mean"], low=parts["low"], high=parts["high"]), every)
        start = time.process_time()
        fewer = forecast_demand(history[::SOME], horizon=AHEAD)
        row(f"omnisim, without the calendar, the same {SERIES // SOME}", time.process_time() - start, fewer, SOME)
    truth = rate[:, PAST:]
    row("the true expectation", None, found._replace(mean=truth, low=np.nan * truth, high=np.nan * truth))
    text = f"""# Forecasts

{SERIES:,} made-up series of {PAST} days, {AHEAD} days held out with a campaign on days
{CAMPAIGNS[-5]}–{CAMPAIGNS[-1]}; 800 brisk articles and 200 that sell one day in five or so. Processor time of one
thread, kernels loaded;
{platform.machine()}, Python {platform.python_version()}{f", statsforecast {version}" if version else ""};
`python benchmarks/forecast.py --statsforecast PYTHON`. Coverage: of outcomes inside the 90 % interval.

| method | time | brisk: WAPE | bias | coverage | slow: WAPE | bias | coverage |
| --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

The calendar, not the smoothing, makes the difference: whoever does not know of the campaign misses it. Whole units are
why intervals of slow articles hold more than they promise.
"""
    (HERE / "forecast.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
