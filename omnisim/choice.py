"""What a run may be told to do: a plan, its file, an optimiser's answer, a policy or its name; the only place that
resolves names of policies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from omnisim.errors import Fault, UsageError

if TYPE_CHECKING:
    from omnisim.plan import Order, Plan, Policy
    from omnisim.scenario.model import Scenario
    from omnisim.study.comparing.arms import Arm


@runtime_checkable
class Planned(Protocol):
    """Anything that carries a plan, as the answers of optimisers do."""

    @property
    def plan(self) -> Plan:
        """The plan to run."""
        ...


Choice: TypeAlias = "Plan | Planned | Policy | str | Path"
"""What a run may be told to do: a plan, its file, or a policy."""
Policies: TypeAlias = "Mapping[str, Choice | tuple[Choice, ...]] | Sequence[str | Policy]"
"""What a comparison is told to compare: names or policies, or name -> what a run may be told."""


def resolve(scenario: Scenario, plan: Choice | tuple[Choice, ...] | None,
            policy: str | Policy | None) -> tuple[Plan | None, Policy]:
    """The one plan (or none) and the one policy that a run gets.

    Raises
    ------
    UsageError  for names that are not known, parts that contradict each other, and things that are neither
    """
    from omnisim.plan_file import name_channels
    from omnisim.policies import find_policy

    plans: list[Plan] = []
    policies: list[Policy] = [] if policy is None else [as_policy(policy)]
    parts: tuple[Choice, ...] = plan if isinstance(plan, tuple) else () if plan is None else (plan,)
    for part in parts:
        if not isinstance(part, str) and callable(getattr(part, "review", None)):
            policies.append(as_policy(part))  # type: ignore[arg-type]  # it has a review
        else:
            plans.append(name_channels(as_plan(part), scenario))
    if len(policies) > 1:
        names = " and ".join(repr(one.name) for one in policies)
        raise UsageError(Fault("plan", "policy", names, "must be one policy", "Give one of them."))
    chosen = policies[0] if policies else find_policy(scenario.policy.name)
    return (merge(plans) if plans else None), chosen


def merge(plans: list[Plan]) -> Plan:
    """One plan out of several; what two of them say about the same channel or article must agree.

    Raises
    ------
    UsageError  naming every channel and article that they disagree on
    """
    from omnisim.plan import Plan

    days = tuple(sorted({day for plan in plans for day in plan.first_days}))
    budgets: dict[str, tuple[int, ...]] = {}
    levels: dict[str, int] = {}
    orders: dict[tuple[str, str], tuple[Order, ...]] = {}
    faults = []
    for plan in plans:
        given: dict[tuple[str, str], list[Order]] = {}
        for one in plan.orders:
            given.setdefault((one.sku, one.node), []).append(one)
        for (sku, node), rows in given.items():
            if orders.setdefault((sku, node), tuple(rows)) != tuple(rows):
                faults.append(f"orders of {sku} for {node}")
        for channel, cents in plan.spread(days).budgets.items():
            if budgets.setdefault(channel, cents) != cents:
                faults.append(f"budgets.{channel}")
        for sku, level in plan.base_stock.items():
            if levels.setdefault(sku, level) != level:
                faults.append(f"base_stock.{sku}")
    if faults:
        raise UsageError(*(Fault("plan", what, "two figures", "the plans given must agree",
                                 "Take it out of one of them.") for what in faults))
    return Plan(days, budgets, levels, tuple(one for rows in orders.values() for one in rows))


def make_arms(scenarios: Mapping[str, Scenario], policies: Policies) -> list[Arm]:
    """Everything that is compared, each with its one plan and one policy.

    Raises
    ------
    UsageError  for names that are not known, and parts that contradict each other
    """
    from omnisim.plan_file import check_plan
    from omnisim.study.comparing.arms import Arm

    if not isinstance(policies, Mapping):
        policies = {one if isinstance(one, str) else as_policy(one).name: one for one in policies}
    arms = []
    for label, scenario in scenarios.items():
        for name, choice in (policies or {"": ()}).items():
            parts: tuple[Choice, ...] = choice if isinstance(choice, tuple) else (choice,)
            parts = tuple(as_policy(part) if isinstance(part, str) and _is_name(part) else part for part in parts)
            plan, policy = resolve(scenario, parts or None, None)
            if plan is not None:
                check_plan(plan, scenario)
            arms.append(Arm(" · ".join(part for part in (label, name) if part) or policy.name, scenario, plan, policy))
    return arms


def _is_name(text: str) -> bool:
    """Whether a text names a policy, not a plan's file."""
    from omnisim.policies import POLICIES

    return text in POLICIES or not text.endswith((".yaml", ".yml"))


def as_plan(part: object) -> Plan:
    """The plan of a Plan, a plan file or an optimiser's answer.

    Raises
    ------
    UsageError  for anything else
    """
    from omnisim.plan import Plan

    if isinstance(part, Plan):
        return part
    if isinstance(part, str | Path):
        from omnisim.plan_file import load_plan

        return load_plan(part)
    if isinstance(part, Planned) and isinstance(part.plan, Plan):
        return part.plan
    raise UsageError(Fault("plan", "plan", type(part).__name__, "must be a Plan, a plan file or a Policy",
                           "Use om.Plan(budgets=…), or plan=None for today's."))


def as_policy(policy: str | Policy) -> Policy:
    """The policy, or the one of that name.

    Raises
    ------
    UsageError  for anything else
    """
    from omnisim.policies import find_policy

    if isinstance(policy, str):
        return find_policy(policy)
    if callable(getattr(policy, "review", None)) and isinstance(getattr(policy, "name", None), str):
        return policy
    raise UsageError(Fault("policy", "policy", type(policy).__name__, "must be a name, or have a name and a review",
                           "See om.Policy."))
