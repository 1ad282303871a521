"""One run of a sweep: a point's scenario, simulated on one thread, and the figures that are kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnisim.measure.kpis import figures
from omnisim.measure.observed import reader
from omnisim.scenario.load import from_mapping
from omnisim.simulation import simulate
from omnisim.study.sweeping.worker import find_named

if TYPE_CHECKING:
    from omnisim.study.sweeping.sweep_plan import SweepPlan

NEEDS_ORDERS = frozenset(("private_repeat_rate_90d",))
"""Figures made of order lines."""


def describe(plan: SweepPlan, policies: str) -> dict[str, Any]:
    """What a worker must know before its first run, for JSON.

    Parameters
    ----------
    policies : str  "module:function" that makes a policy of its name
    """
    return {"scenario": plan.base.to_dict(), "seed": plan.seed, "metrics": list(plan.metrics), "policies": policies}


class Runs:
    """The work of a worker.

    Parameters
    ----------
    setup : mapping  as :func:`describe` gives it
    """

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.base = from_mapping(setup["scenario"])
        self.seed: int = setup["seed"]
        self.metrics: Sequence[str] = setup["metrics"]
        self.find_policy = find_named(setup["policies"])
        self.keeps_orders = not NEEDS_ORDERS.isdisjoint(self.metrics)

    def __call__(self, overrides: Mapping[str, object], replication: int) -> list[float]:
        """The figures of one run.

        Raises
        ------
        ScenarioError  if the point, checked whole, is no scenario
        """
        scenario = self.base.with_(overrides) if overrides else self.base
        books = simulate(scenario, seed=self.seed, replication=replication, threads=1,
                         policy=self.find_policy(scenario.policy.name), orders="auto" if self.keeps_orders else "none",
                         read=reader(scenario))
        return figures(scenario, books, self.metrics)
