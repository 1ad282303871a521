"""Which policy allocates a budget best, in which market? Policies × markets on shared luck, curves and search included.

    python benchmarks/policies.py            full: six markets, 12 seeds; cadences of review, teams and data
    python benchmarks/policies.py --quick    two markets, one seed, four months, for a first look
    python benchmarks/policies.py --only brand,stock    these anew, the others as they stand in policies.csv

Full, the tables go between the marks of benchmarks/policies.md, all figures to benchmarks/policies.csv and the picture
to benchmarks/images/policies.png; quick, to standard output. The words beside the tables are written by hand.
"""

from __future__ import annotations

import argparse
import os
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
from omnisim.study.comparing.comparison import Comparison

HERE = Path(__file__).parent
START, END = "<!-- tables -->", "<!-- end of tables -->"
NAMES = ("inertia", "equal", "60/30/10", "roi", "last_click", "ranking", "pause", "bandit", "lp_once", "lp_rolling")
CADENCES = {"7 days": 7, "30 days": 30, "90 days": 90, "never": "never"}
TEAMS = {"a team a channel": {"rights": "own"},
         "the same, all data from day 91": {"rights": "own", "integrated": "2024-08-31", "integration_cost": 20_000.0},
         "one team, decisions 14 days late": {"delay": 14}, "one team": {}}
"""Who decides on which data: rights, integration of data and what it costs, delay of decisions."""
CHANNELS = ("xiaohongshu", "douyin", "taobao", "community")
QUICK_DAYS = 120
DRIFTS = ("shock", "drifting", "swinging", "seeding")
"""Markets that cadences are compared in: three that change, once, slowly and again and again, and one that does not."""
CADENCE_ONLY = ("shock", "swinging")
"""Markets of no other comparison."""
TEAMED = ("drifting", "seeding")
"""Markets that teams are compared in."""


def policies(tries: int) -> dict[str, Policy]:
    """All policies, by the name they have in the table."""
    found: dict[str, Policy] = {name: find_policy(name) for name in NAMES}
    found["pause, 1/m"] = Pause(threshold=None)
    return {**found, "reference": Reference(tries=tries)}


def compare(market: Market, *, seeds: int, tries: int, jobs: int) -> Comparison:
    """All policies in one market."""
    return om.compare(market.scenario, policies(tries), replications=seeds, belief=market.belief, jobs=jobs,
                      processes=seeds > 1)


def cadences(market: Market, *, seeds: int, jobs: int) -> Comparison:
    """lp_rolling, reviewing more or less often."""
    scenarios = {name: market.scenario.with_({"policy.every": every}) for name, every in CADENCES.items()}
    return om.compare(scenarios, {"": find_policy("lp_rolling")}, replications=seeds, baseline="never",
                      belief=market.belief, jobs=jobs, processes=seeds > 1)


def teams(market: Market, *, seeds: int, jobs: int) -> Comparison:
    """lp_rolling, by one team that sees all or by a team for each channel."""
    scenarios = {name: market.scenario.with_({f"policy.{key}": value for key, value in rule.items()})
                 for name, rule in TEAMS.items()}
    return om.compare(scenarios, {"": find_policy("lp_rolling")}, replications=seeds, belief=market.belief, jobs=jobs,
                      processes=seeds > 1)


def processor_time() -> float:
    """Seconds of processor time of this process and of its workers that have ended."""
    return sum(os.times()[:4])


def cell(row: pd.Series, level: float, *, best: bool) -> str:
    """Difference and its interval, in percent of the baseline's profit."""
    share = 100.0 / abs(level)
    text = f"{share * row['difference']:+.1f}"
    if pd.notna(row["diff_low"]) and row["difference"]:
        text += f" ({share * row['diff_low']:+.1f} … {share * row['diff_high']:+.1f})"
    return f"**{text}**" if best else text


def rows_of(market: str, one: Comparison) -> pd.DataFrame:
    """All figures of a comparison, and the media of each channel, as rows of policies.csv."""
    spent = one.budgets.reset_index().melt("policy", var_name="kpi", value_name="mean")
    spent["kpi"] = "media." + spent["kpi"]
    found = pd.concat([one.table, spent], ignore_index=True)
    found.insert(0, "market", market)
    return found.assign(seeds=one.replications)


def profits(rows: pd.DataFrame, market: str) -> pd.DataFrame:
    """Profit in a market by policy, in the order of the table."""
    return rows[(rows["market"] == market) & (rows["kpi"] == "profit")].set_index("policy")


def main_table(rows: pd.DataFrame, shown: list[str]) -> str:
    """Profit against inertia by policy and market."""
    names = list(profits(rows, shown[0]).index)
    lines = ["| policy | " + " | ".join(shown) + " |", "| --- |" + " ---: |" * len(shown)]
    columns = {}
    for market in shown:
        table = profits(rows, market)
        level = table.loc["inertia", "mean"]
        plain = table.drop(index="reference")["mean"]
        columns[market] = {name: cell(table.loc[name], level, best=name == plain.idxmax()) for name in names}
        columns[market]["inertia"] = f"{level / 1e6:,.2f} M CNY"
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(columns[market][name] for market in shown) + " |"
                                for name in names)])


def budget_table(rows: pd.DataFrame, shown: list[str]) -> str:
    """Where today's plan and the planned policies put the money, a day."""
    lines = ["| market | policy | 小红书 | 抖音 | 淘宝 | 社群 |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for market in shown:
        spent = rows[(rows["market"] == market) & rows["kpi"].str.startswith("media.")].pivot(
            index="policy", columns="kpi", values="mean")
        for name in ("inertia", "lp_once", "lp_rolling", "reference"):
            cells = spent.loc[name, [f"media.{channel}" for channel in CHANNELS]]
            lines.append(f"| {market} | {name} | " + " | ".join(f"{value:,.0f}" for value in cells) + " |")
    return "\n".join(lines)


def rule_table(rows: pd.DataFrame, shown: list[str], what: str, head: str, baseline: str) -> str:
    """Profit of lp_rolling against a baseline, by how it is used: cadences or teams."""
    lines = [f"| {head} | " + " | ".join(shown) + " |", "| --- |" + " ---: |" * len(shown)]
    tables = [profits(rows, f"{market}, {what}") for market in shown]
    for name in tables[0].index:
        cells = [f"{table.loc[name, 'mean'] / 1e6:,.2f} M CNY" if name == baseline else
                 cell(table.loc[name], table.loc[baseline, "mean"], best=False) for table in tables]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(rows: pd.DataFrame, shown: list[str]) -> bytes:
    """Profit against inertia, a row a policy and a dot a market, on a scale that shows losses and large gains."""
    names = [name for name in profits(rows, shown[0]).index if name != "inertia"]
    axes = new_axes("Which policy allocates best?", "Profit against inertia, % (square-root scale); lines: 95 % for "
                    "all policies of a market at once", (10.0, 7.5))
    step = 0.8 / len(shown)
    for m, market in enumerate(shown):
        table = profits(rows, market)
        share = 100.0 / abs(table.loc["inertia", "mean"])
        for place, name in enumerate(names):
            low, value, high = (share * table.loc[name, part] for part in ("diff_low", "difference", "diff_high"))
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
    parser.add_argument("--tries", type=int, default=16, help="plans that the reference's search simulates")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="markets by name, comma-separated: the others keep their figures")
    options = parser.parse_args()
    seeds, tries = (1, 10) if options.quick else (options.seeds, options.tries)
    wanted = options.only.split(",") if options.only else ["brand", "seeding"] if options.quick else list(markets())
    file = HERE / "policies.csv"
    rows = pd.read_csv(file) if file.exists() and options.only and not options.quick else pd.DataFrame()
    for name, market in markets(*([QUICK_DAYS] if options.quick else [])).items():
        if name not in wanted:
            continue
        start, used = time.monotonic(), processor_time()
        fresh = [] if name in CADENCE_ONLY else [rows_of(name, compare(market, seeds=seeds, tries=tries,
                                                                       jobs=options.jobs))]
        if name in DRIFTS and not options.quick:
            fresh.append(rows_of(f"{name}, cadence", cadences(market, seeds=seeds, jobs=options.jobs)))
        if name in TEAMED and not options.quick:
            fresh.append(rows_of(f"{name}, teams", teams(market, seeds=seeds, jobs=options.jobs)))
        old = rows[rows["market"].str.partition(", ")[0] != name] if len(rows) else rows
        taken = {"seconds": round(time.monotonic() - start), "processor_seconds": round(processor_time() - used)}
        rows = pd.concat([old, *(part.assign(**taken) for part in fresh)], ignore_index=True)
        print(f"{name}: {taken['seconds']} s, {taken['processor_seconds']} s of processor time", flush=True)
        if not options.quick:
            rows.to_csv(file, index=False, float_format="%.8g")
    print(publish(rows, write=not options.quick))


def publish(rows: pd.DataFrame, *, write: bool) -> str:
    """The tables; with `write` on the page, and the picture beside it."""
    shown = [name for name in markets() if (rows["market"] == name).any()]
    changing = [name for name in DRIFTS if (rows["market"] == f"{name}, cadence").any()]
    once = rows.assign(market=rows["market"].str.partition(", ")[0]).drop_duplicates("market")
    seeds = ", ".join(f"{name} {count}" for name, count in zip(once["market"], once["seeds"], strict=True))
    wall, processor = once["seconds"].sum(), once["processor_seconds"].sum()
    parts = [main_table(rows, shown), budget_table(rows, shown)]
    if changing:
        parts += [rule_table(rows, changing, "cadence", "reviewed every", "never"),
                  rule_table(rows, [name for name in TEAMED if name in changing], "teams", "who decides",
                             "a team a channel")]
    parts.append(f"Seeds: {seeds}. Time of all: {wall:,.0f} s, {processor:,.0f} s of processor time.")
    text = "\n\n".join(parts)
    if write:
        (HERE / "images" / "policies.png").write_bytes(picture(rows, shown))
        page = HERE / "policies.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(START)
        page.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return text


if __name__ == "__main__":
    main()
