"""Which policy allocates a budget best, in which market? Policies × markets on shared luck, curves and search included.

    python benchmarks/policies.py            full: six markets, 12 seeds, cadences of review
    python benchmarks/policies.py --quick    two markets, one seed, for a first look

Full, the tables go between the marks of benchmarks/policies.md, all figures to benchmarks/policies.csv and the picture
to benchmarks/images/policies.png; quick, to standard output. The words beside the tables are written by hand.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
from markets import Market, markets

import omnisim as om
from omnisim.canvas import COLOURS, GREY, INK, PALE, font_names, new_axes, to_png
from omnisim.plan import Policy
from omnisim.policies import find_policy
from omnisim.policies.pause import Pause
from omnisim.policies.reference import Reference
from omnisim.study.comparison import Comparison

HERE = Path(__file__).parent
START, END = "<!-- tables -->", "<!-- end of tables -->"
NAMES = ("inertia", "equal", "60/30/10", "roi", "last_click", "ranking", "pause", "bandit", "lp_once", "lp_rolling")
CADENCES = {"7 days": 7, "30 days": 30, "90 days": 90, "never": 365}
DRIFTS = ("drifting", "seeding")
"""Markets that cadences are compared in: one that changes, and one that does not."""


def policies(tries: int) -> dict[str, Policy]:
    """All policies, by the name they have in the table."""
    found: dict[str, Policy] = {name: find_policy(name) for name in NAMES}
    found["pause, 1/m"] = Pause(threshold=None)
    return {**found, "reference": Reference(tries=tries)}


def compare(market: Market, *, seeds: int, tries: int, jobs: int) -> Comparison:
    """All policies in one market."""
    return om.compare(market.scenario, policies(tries), replications=seeds, belief=market.belief, jobs=jobs)


def cadences(market: Market, *, seeds: int, jobs: int) -> Comparison:
    """lp_rolling, reviewing more or less often."""
    scenarios = {name: market.scenario.with_({"policy.every": every}) for name, every in CADENCES.items()}
    return om.compare(scenarios, {"": find_policy("lp_rolling")}, replications=seeds, baseline="never",
                      belief=market.belief, jobs=jobs)


def cell(row: pd.Series, level: float, *, best: bool) -> str:
    """Difference and its interval, in percent of the baseline's profit."""
    share = 100.0 / abs(level)
    text = f"{share * row['difference']:+.1f}"
    if pd.notna(row["diff_low"]) and row["difference"]:
        text += f" ({share * row['diff_low']:+.1f} … {share * row['diff_high']:+.1f})"
    return f"**{text}**" if best else text


def main_table(found: dict[str, Comparison]) -> str:
    """Profit against inertia by policy and market."""
    names = next(iter(found.values())).names
    lines = ["| policy | " + " | ".join(found) + " |", "| --- |" + " ---: |" * len(found)]
    columns = {}
    for market, one in found.items():
        rows = one.wide("profit").set_index("policy")
        level = rows.loc["inertia", "mean"]
        plain = rows.drop(index="reference")["mean"]
        best = {name for name in names if name != "reference" and rows.loc[name, "mean"] == plain.max()}
        columns[market] = {name: cell(rows.loc[name], level, best=name in best) for name in names}
        columns[market]["inertia"] = f"{level / 1e6:,.2f} M CNY"
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(columns[market][name] for market in found) + " |"
                               for name in names)])


def budget_table(found: dict[str, Comparison]) -> str:
    """Where the planned policies put the money."""
    lines = ["| market | policy | 小红书 | 抖音 | 淘宝 | 社群 |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for market, one in found.items():
        for name in ("inertia", "lp_once", "lp_rolling", "reference"):
            spent = one.budgets.loc[name, ["xiaohongshu", "douyin", "taobao", "community"]]
            lines.append(f"| {market} | {name} | " + " | ".join(f"{value:,.0f}" for value in spent) + " |")
    return "\n".join(lines)


def cadence_table(found: dict[str, Comparison]) -> str:
    """Profit against a single review, by how often lp_rolling reviews."""
    lines = ["| reviews | " + " | ".join(found) + " |", "| --- |" + " ---: |" * len(found)]
    tables = {market: one.wide("profit").set_index("policy") for market, one in found.items()}
    for name in CADENCES:
        cells = [cell(table.loc[name], table.loc["never", "mean"], best=False) for table in tables.values()]
        lines.append(f"| every {name} | " + " | ".join(cells) + " |" if name != "never" else
                     "| never again | " + " | ".join(f"{table.loc[name, 'mean'] / 1e6:,.2f} M CNY"
                                                     for table in tables.values()) + " |")
    return "\n".join(lines)


def picture(found: dict[str, Comparison]) -> bytes:
    """Profit against inertia, a row a policy and a dot a market, on a scale that shows losses and large gains."""
    names = [name for name in next(iter(found.values())).names if name != "inertia"]
    axes = new_axes("Which policy allocates best?", "Profit against inertia, % (square-root scale); lines: 95 % for "
                    "all policies of a market at once", (10.0, 7.5))
    step = 0.8 / len(found)
    for m, (market, one) in enumerate(found.items()):
        rows = one.wide("profit").set_index("policy")
        share = 100.0 / abs(rows.loc["inertia", "mean"])
        for place, name in enumerate(names):
            low, value, high = (share * rows.loc[name, part] for part in ("diff_low", "difference", "diff_high"))
            height = place - 0.4 + (m + 0.5) * step
            axes.plot([low, high], [height, height], color=COLOURS[m], linewidth=1.6, alpha=0.6)
            axes.scatter([value], [height], s=22, color=COLOURS[m], label=market if not place else None, zorder=3)
    axes.axvline(0.0, color=GREY, linewidth=1.0)
    axes.set_xscale("function", functions=(lambda x: _root(x), lambda x: _square(x)))
    axes.set_xticks([-100, -50, -20, -5, 0, 5, 20, 50, 100, 200])
    for place in range(1, len(names)):
        axes.axhline(place - 0.5, color=PALE, linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=10.5, color=INK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend(loc="upper right", frameon=False, prop={"family": font_names()})
    return to_png(axes)


def _root(x: pd.Series) -> pd.Series:
    return (abs(x) ** 0.5) * ((x > 0) * 2.0 - 1.0)


def _square(x: pd.Series) -> pd.Series:
    return (x * x) * ((x > 0) * 2.0 - 1.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds, tries = (1, 10) if options.quick else (options.seeds, 24)
    chosen = {name: market for name, market in markets().items() if not options.quick or name in ("brand", "seeding")}
    start, used = time.monotonic(), time.process_time()
    found = {}
    for name, market in chosen.items():
        found[name] = compare(market, seeds=seeds, tries=tries, jobs=options.jobs)
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    text = [main_table(found), "", budget_table(found)]
    if not options.quick:
        cadence = {name: cadences(chosen[name], seeds=seeds, jobs=options.jobs) for name in DRIFTS}
        text += ["", cadence_table(cadence)]
    seconds, processor = time.monotonic() - start, time.process_time() - used
    text += ["", f"{len(found)} markets, {seeds} seeds, {options.jobs} replications side by side: {seconds:.0f} s, "
             f"{processor:.0f} s of processor time."]
    print("\n".join(text))
    if options.quick:
        return
    pd.concat([one.table.assign(market=name) for name, one in found.items()]
              + [one.table.assign(market=f"{name}, cadence") for name, one in cadence.items()]).to_csv(
        HERE / "policies.csv", index=False, float_format="%.6g")
    (HERE / "images" / "policies.png").write_bytes(picture(found))
    page = HERE / "policies.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n\n" + "\n".join(text) + f"\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
