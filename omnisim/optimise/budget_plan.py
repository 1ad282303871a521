"""A budget plan with its proof: what to spend where and when, how good that is, and what each limit costs."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnisim.errors import Fault
from omnisim.optimise.budget import Solution
from omnisim.optimise.elastic import figure
from omnisim.optimise.prices import WORDS, Price, adds, price_limits
from omnisim.optimise.problem import TOTAL, Ints
from omnisim.plan import Plan
from omnisim.response import Floats

if TYPE_CHECKING:
    import pandas as pd
    import pulp
    from matplotlib.axes import Axes

KIND = "omnisim budget plan"
"""What the manifest calls a directory with a plan."""


@dataclass(frozen=True, eq=False)
class BudgetPlan:
    """A budget plan with its proof, as `om.allocate` gives it.

    Parameters
    ----------
    solution : Solution  the plan before rounding, with prices and bound
    spend : (n, periods) float [currency]  what is spent in each period, in whole cents
    objective : float  of the plan as rounded
    objective_name : str  what is maximised; `spend` is minimised
    budget : float [currency]  total of all periods
    currency : str
    first_days : tuple of int [day]  first day of each period; on curves alone a period counts as a day
    daily_cents : (n, periods) int [cents/day]
    today : (n, periods) float [currency], or None  the plan in force
    today_objective : float, or None
    asked_gap : float  the gap that was asked for
    notes : tuple of str  what to know: unspent money, today's plan
    warnings : tuple of Fault
    frontier : DataFrame or None  budget, objective, bound, price of other budgets

    Notes
    -----
    The gap certifies the plan against the curves, never the curves against the world: confirm a plan's gain by
    simulation.
    """

    solution: Solution
    spend: Floats
    objective: float
    objective_name: str
    budget: float
    currency: str
    first_days: tuple[int, ...]
    daily_cents: Ints
    today: Floats | None = None
    today_objective: float | None = None
    asked_gap: float = 1e-6
    notes: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = ()
    frontier: pd.DataFrame | None = field(default=None, compare=False)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the plan."""
        return self.solution.problem.channels

    @property
    def bound(self) -> float:
        """What no plan within the limits can beat: the objective's upper bound, or the lower bound of a least spend."""
        return self.solution.bound

    @property
    def gap(self) -> float:
        """(bound − objective) / max(|bound|, gross response), of the plan as rounded."""
        distance = abs(self.bound - self.objective) if self._is_better(self.bound, self.objective) else 0.0
        gross = 0.0 if self.objective_name == "spend" else float(
            (self.solution.problem.worth * self.solution.replies(self._whole)).sum())
        return distance / (max(abs(self.bound), gross) or 1.0)

    @property
    def is_proven(self) -> bool:
        """Whether the gap asked for was reached."""
        return self.gap <= self.asked_gap

    @property
    def plan(self) -> Plan:
        """What a run takes: budgets in whole cents a day.

        Curves alone do not tell how long a period is: it counts as a day, and nothing is spent after the last.
        """
        return self._followed_by(dict.fromkeys(self.channels, 0), len(self.first_days))

    def _followed_by(self, later: Mapping[str, int], end: int | None) -> Plan:
        """The planned periods, with other budgets [cents/day] from day `end` on if there is such a day."""
        plan = Plan(self.first_days, {name: tuple(int(cents) for cents in line)
                                      for name, line in zip(self.channels, self.daily_cents, strict=True)})
        if end is None:
            return plan
        return Plan((*plan.first_days, end), {name: (*cents, later[name]) for name, cents in plan.budgets.items()})

    @cached_property
    def table(self) -> pd.DataFrame:
        """The plan: channel, period, budget, response, marginal (derivative of the objective, with later periods)."""
        import pandas as pd

        n, periods = self.spend.shape
        return pd.DataFrame({
            "channel": np.repeat(np.array(self.channels, object), periods), "period": np.tile(np.arange(periods), n),
            "budget": self.spend.ravel(), "response": self.solution.replies(self._whole)[:, :periods].ravel(),
            "marginal": self.solution.marginals(self._whole)[:, :periods].ravel()})

    @cached_property
    def shadow_prices(self) -> pd.DataFrame:
        """What one more unit of each limit brings: limit, price, price_left, price_right, unit, meaning."""
        import pandas as pd

        rows = price_limits(self.solution, self.objective_name, self.currency)
        return pd.DataFrame(rows, columns=list(Price._fields))

    @property
    def comparison(self) -> pd.DataFrame:
        """Today's plan beside this one, by channel: channel, today, budget, change, today_response, response.

        Without a plan of today its columns are null.
        """
        import pandas as pd

        planned = self.spend.shape[1]
        response = self.solution.replies(self._whole)[:, :planned].sum(axis=1)
        today = np.full(len(self.channels), math.nan) if self.today is None else self.today.sum(axis=1)
        before = np.full(len(self.channels), math.nan)
        if self.today is not None:
            before = self.solution.replies(self._padded(self.today))[:, :planned].sum(axis=1)
        budget = self.spend.sum(axis=1)
        return pd.DataFrame({"channel": self.channels, "today": today, "budget": budget, "change": budget - today,
                             "today_response": before, "response": response})

    @property
    def outcomes(self) -> pd.DataFrame | None:
        """The objective on each draw of the curves: draw, objective; None for curves without draws."""
        import pandas as pd

        if self.solution.risk is None:
            return None
        values = self.solution.outcomes(self._whole)
        return pd.DataFrame({"draw": np.arange(len(values)), "objective": values})

    @property
    def gain(self) -> float:
        """Relative improvement of the objective over today's plan; NaN without one, or if that one loses money."""
        if self.today_objective is None or self.today_objective <= 0.0:
            return math.nan
        return (self.objective - self.today_objective) / self.today_objective

    @property
    def unspent(self) -> float:
        """Money of the budget that is left [currency]."""
        problem = self.solution.problem
        paid = 0.0 if self.solution.opened is None else self.budget - problem.budget
        return max(0.0, self.budget - paid - float(self.spend.sum())) if self.objective_name != "spend" else 0.0

    @property
    def plot(self) -> BudgetPlots:
        """Pictures: `plan.plot()` shows the budget now and then; also `.marginal()`, `.frontier()`, `.saturation()`."""
        return BudgetPlots(self)

    def to_pulp(self) -> pulp.LpProblem:
        """The same programme in PuLP, for reading, extending and solving with another solver.

        Curves are straight between the plan's last grid points, in units of money of the budget and of the objective
        as spent evenly; `problem.objective` comes to the plan's own within the gap.
        """
        from omnisim.optimise.pulp_model import to_pulp

        return to_pulp(self.solution)

    def save(self, directory: str | Path) -> None:
        """Write plan.yaml (for `omnisim run --plan`), plan.csv and shadow_prices.csv.

        Raises
        ------
        UsageError  where the directory holds something else
        StorageError  where the disk refuses
        """
        from omnisim.optimise.saving import save_proven

        tables = {"plan": self.table, "shadow_prices": self.shadow_prices}
        if self.frontier is not None:
            tables["frontier"] = self.frontier
        save_proven(self, directory, KIND, "plan", tables | self.further_tables())

    @property
    def _whole(self) -> Floats:
        return self._padded(self.spend)

    def _padded(self, spend: Floats) -> Floats:
        """A spend with the periods after the plan, in which nothing is spent."""
        whole = np.zeros(self.solution.problem.shape)
        whole[:, :spend.shape[1]] = spend
        return whole

    def _is_better(self, one: float, other: float) -> bool:
        return one < other if self.objective_name == "spend" else one > other

    def further_tables(self) -> dict[str, pd.DataFrame]:
        """What a plan knows beyond itself, by name: nothing for one on given curves."""
        return {}

    def lines(self) -> list[str]:
        """The answer in a few sentences."""
        if self.objective_name == "spend":
            return [f"least spend: {figure(self.objective)} (no plan that reaches the target spends less than "
                    f"{figure(self.bound)}: gap {self.gap:.1e})", *self.notes, *self.afterwards()]
        problem, what = self.solution.problem, WORDS[self.objective_name]
        paid = ", their spend taken off" if problem.charge.any() else ""
        total = self.solution.prices[[limit.name for limit in problem.limits].index(TOTAL)]
        return [f"{what} that the curves give these budgets{paid}: {figure(self.objective)} (no plan within the limits "
                f"brings more than {figure(self.bound)}: gap {self.gap:.1e})",
                f"one more of total budget {adds(total, self.objective_name)}", *self.notes, *self.afterwards()]

    def afterwards(self) -> list[str]:
        """What a run spends after the last period, where that must be told."""
        return ["in plan.yaml a period counts as a day, and nothing is spent after the last: curves alone do not tell "
                "its length, a scenario does (omnisim allocate FILE --curves TABLE)"]

    def __repr__(self) -> str:
        return "\n".join([f"BudgetPlan: {len(self.channels)} channels, {self.spend.shape[1]} periods", *self.lines()])

    def _repr_html_(self) -> str:
        rows = self.comparison.round(2).to_html(index=False, na_rep="–", border=0)
        return "".join(f"<p>{html.escape(line)}</p>" for line in self.lines()) + str(rows)


class BudgetPlots:
    """The pictures of a plan; called, the budget now and then."""

    def __init__(self, plan: BudgetPlan) -> None:
        self._plan = plan

    def __call__(self, language: str = "en") -> Axes:
        """Budget by channel, now and then."""
        return self.budget(language)

    def budget(self, language: str = "en") -> Axes:
        """Budget by channel, now and then."""
        from omnisim.optimise.budget_plots import budget

        return budget(self._plan.comparison, self._plan.gain, language)

    def marginal(self, language: str = "en") -> Axes:
        """What the next unit of money brings, by channel and period."""
        from omnisim.optimise.budget_plots import marginal

        return marginal(self._plan.table, self._total_price(), language)

    def frontier(self, language: str = "en") -> Axes:
        """What other budgets would bring.

        Raises
        ------
        UsageError  for a plan without a frontier
        """
        from omnisim.optimise.budget_plots import frontier

        return frontier(self._plan.frontier, self._plan.budget, self._plan.objective, language)

    def saturation(self, language: str = "en") -> Axes:
        """Each channel's curve with the plan on it."""
        from omnisim.optimise.budget_plots import saturation

        return saturation(self._plan.solution.problem, self._plan.spend, self._plan.today, language)

    def _total_price(self) -> float:
        prices = self._plan.solution
        return float(prices.prices[[limit.name for limit in prices.problem.limits].index(TOTAL)])
