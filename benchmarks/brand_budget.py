"""What is a better budget for the brand worth, if advertising works less than, as, or more than usual?

    python benchmarks/brand_budget.py [--threads 2] [--replications 6] [--pairs 6] [--out benchmarks/brand_budget.md]

Curves are measured on 100,000 consumers that each stand for ten, 52 weeks and the 13 after them. Every plan is then
simulated against today's on the whole brand (a million consumers, stock as it is), on luck that measured nothing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import omnisim as om

HERE = Path(__file__).parent
BELIEFS = {"low": "brand_low", "default": "brand", "high": "brand_high"}
WITHIN: dict[str, Any] = {"channels": {"xiaohongshu": {"cap": 1000.0}, **{
    name: {"low": 0.5, "high": 2.0} for name in ("douyin", "taobao", "community")}}}
LIMITS: dict[str, dict[str, Any]] = {
    "0.5 to 2 × today": WITHIN, "the same, all money spent": {**WITHIN, "spend_all": True}, "none": {}}
HEAD = ("paid share", "limits", "xiaohongshu", "douyin", "taobao", "community", "curves", "predicted gain (95 %)",
        "simulated gain (95 %)", "of today's", "rounds", "agree")


def row(belief: str, limits: str, plan: Any, found: Any) -> list[str]:
    """A line of the table: mean spend a day, predicted and simulated gain."""
    money = plan.comparison.set_index("channel")["budget"] / 364
    spent = [f"{money[name]:,.0f}" for name in ("xiaohongshu", "douyin", "taobao", "community")]
    return [belief, limits, *spent, f"{found.by_curves:,.0f}",
            f"{found.predicted:,.0f} ± {found.predicted_half:,.0f}",
            f"{found.gain:,.0f} ({found.low:,.0f} to {found.high:,.0f})", f"{found.relative:+.1%}",
            str(len(plan.rounds)), "yes" if found.agrees else "no"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--replications", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=HERE / "brand_budget.md")
    options = parser.parse_args()
    rows, curves, spill = [], [], []
    start = time.process_time()
    for belief, name in BELIEFS.items():
        scenario = om.load(HERE.parent / "scenarios" / f"{name}.yaml").with_({"horizon.days": 364})
        for limits, given in LIMITS.items():
            plan: Any = om.allocate(scenario, limits=given, replications=options.replications, threads=options.threads)
            found = plan.confirm(options.pairs, threads=options.threads, whole=True)
            rows.append(row(belief, limits, plan, found))
            print(*rows[-1], f"{time.process_time() - start:.0f} s", sep=" | ", flush=True)
            for one in plan.rounds:
                print("   ", one, flush=True)
            if limits == next(iter(LIMITS)):
                curves += [[belief, one.channel, f"{one.first:.2f}", f"{one.next:.2f} ± {1.96 * one.next_se:.2f}",
                            f"{one.last:.2f}", f"{one.carryover:.2f}", one.form, f"{one.miss:.1%}"]
                           for one in plan.measured.frame.itertuples()]
                spill += [[belief, one.channel, one.appears_in, f"{one.share:.0%} ± {1.96 * one.share_se:.0%}"]
                          for one in plan.spill_over.itertuples()]
            write(options.out, rows, curves, spill, options)


def write(path: Path, rows: list[list[str]], curves: list[list[str]], spill: list[list[str]], options: Any) -> None:
    """The tables as Markdown."""
    def table(head: tuple[str, ...], lines: list[list[str]]) -> str:
        return "\n".join(["| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *lines)])

    path.write_text(f"""# The brand's budget

`python benchmarks/brand_budget.py`: brand_low.yaml, brand.yaml, brand_high.yaml for 52 weeks. Objective: profit, with
what the money still brings in the 13 weeks after. Curves: {options.replications} replications of 100,000 consumers that
each stand for ten. "Curves" is the gain that they add up to. They are measured one channel at a time, and channels do
not quite add up: the predicted gain is that of the whole plan, run on the luck that the curves were measured by.
Simulated gain: {options.pairs} pairs of runs of the whole brand, a million consumers and its stock, on other luck. The
two agree if they differ by no more than both errors explain (95 %, Student). Spend is CNY a day, mean of the weeks
(today: 0 / 1,200 / 3,000 / 800); gains are CNY over all days.

{table(HEAD, rows)}

What one more yuan brings in profit before it is paid: the first one, the next one at today's budget, and the last of
the largest budget tried. Carry-over is a week's; miss is how far the curve is from what was simulated, relative to the
largest effect.

{table(("paid share", "channel", "first", "next", "last", "carry-over", "form", "miss"), curves)}

In which channel's orders a channel's money comes back (share of the extra GMV):

{table(("paid share", "money on", "comes back in", "share"), spill)}
""", encoding="utf-8")


if __name__ == "__main__":
    main()
