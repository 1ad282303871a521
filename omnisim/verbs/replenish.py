"""``omnisim replenish``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnisim.errors import Fault, UsageError
from omnisim.terminal import Answer, progress_bar
from omnisim.words import Job, Json, Lang, Out, Seed, Sets, changed


def replenish(file: Annotated[Path | None, typer.Argument(metavar="[FILE]")] = None,
              items: Annotated[Path | None, typer.Option("--items", metavar="TABLE", help="Articles at nodes: sku, "
                                                         "node, cost, lost, holding, order_cost, moq …")] = None,
              demand: Annotated[Path | None, typer.Option("--demand", metavar="TABLE", help="sku, node, period, demand."
                                                          )] = None,
              history: Annotated[Path | None, typer.Option("--history", metavar="TABLE", help="Past demand to forecast "
                                                           "--periods from.")] = None,
              limits: Annotated[Path | None, typer.Option("--limits", metavar="TABLE", help="limit, node, sku, period, "
                                                          "value.")] = None,
              transfers: Annotated[Path | None, typer.Option("--transfers", metavar="TABLE", help="Ways between nodes "
                                                             "of one echelon: source, target, sku, cost, lead_time."
                                                             )] = None,
              periods: Annotated[int | None, typer.Option("--periods", min=1, help="How many periods to plan.")] = None,
              gap: Annotated[float, typer.Option("--gap", help="How close to the best, relative.")] = 1e-3,
              time_limit: Annotated[float, typer.Option("--time-limit", metavar="SECONDS")] = 60.0,
              rounds: Annotated[int | None, typer.Option("--rounds", help="Ends the search after so many steps an "
                                                         "article and node.")] = None,
              risk: Annotated[float, typer.Option("--risk", metavar="SHARE", help="With a column scenario: the worst "
                                                  "share whose mean counts.")] = 1.0,
              seed: Seed = 1, lang: Lang = None, sets: Sets = None, as_json: Json = False, out: Out = None) -> Job:
    """Plan stock by article, node and period, with a proof; write the plan with --out."""
    def job() -> Answer:
        from omnisim import door, stocking, storage
        from omnisim.optimise.replenish.stock_plan import KIND
        from omnisim.terminal import stock_answer

        if file is None and items is None:
            raise UsageError(Fault("omnisim replenish", "usage", "", "needs a scenario FILE, or --items and --demand",
                                   "See omnisim replenish --help."))
        scenario = None if file is None else changed(door.load(file), sets or [])
        if out is not None:
            storage.claim_directory(out, KIND)
        with progress_bar("replenish") as progress:
            plan = stocking.replenish(scenario, items=items, demand=demand, history=history, limits=limits,
                                      transfers=transfers, periods=periods, gap=gap, time_limit=time_limit,
                                      rounds=rounds, risk=risk, seed=seed, progress=progress)
        if out is not None:
            plan.save(out)
        return stock_answer(plan, out, lang or ("en" if scenario is None else scenario.language))
    return job
