"""Plan files: a plan as YAML that people write and runs replay, read as strictly as a scenario."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from omnisim.errors import Fault, UsageError
from omnisim.plan import Order, Plan, to_cents
from omnisim.plan_orders import COLUMNS, known, read_orders, save_orders, unfit_orders
from omnisim.scenario.allocation import ChannelName
from omnisim.scenario.channel_names import channel_names
from omnisim.scenario.fields import Money, Name, Section, Version
from omnisim.scenario.load import read_model
from omnisim.scenario.model import Scenario
from omnisim.scenario.write import replace_file, to_yaml

Budget = Annotated[Money, Field(ge=0, le=1e9, json_schema_extra={"unit": "currency/day"})]
Day = Annotated[int, Field(ge=0, le=3660, json_schema_extra={"unit": "day"})]
Level = Annotated[int, Field(ge=0, le=2_000_000_000, json_schema_extra={"unit": "unit"})]


MOST_ROWS = 1_000
"""Orders that stand in the plan file itself; more get a table of their own beside it."""


class Row(Section):
    """One order on its date."""

    day: Day
    """In whose evening it is given, counted from the first reported day."""
    sku: Name
    """Article."""
    node: Name
    """Where it is to come."""
    units: Level
    """How many; 0 orders nothing."""
    source: Annotated[str, Field(max_length=64)] = ""
    """Supplier or node that it comes from; left out: the one that feeds the node."""


class PlanFile(Section):
    """A plan as written: money a day in the scenario's currency."""

    plan_version: Version = 1
    """Version of this file format."""
    periods: tuple[Day, ...] = Field(default=(0,), min_length=1, max_length=3660, strict=False)
    """First day of each period, counted from the first reported day; starts with 0. The last goes on to the end."""
    budgets: dict[ChannelName, Annotated[
        Annotated[Budget, Tag("(one)")] | Annotated[tuple[Budget, ...], Field(strict=False), Tag("(each)")],
        Discriminator(lambda value: "(each)" if isinstance(value, list | tuple) else "(one)"),
    ]] = Field(default={})
    """Budget by channel, by its name or label: one figure, or one a period."""
    base_stock: dict[Name, Level] = Field(default={})
    """Order-up-to level by article."""
    orders: Annotated[
        Annotated[str, Field(min_length=1, max_length=255), Tag("(table)")]
        | Annotated[tuple[Row, ...], Field(max_length=MOST_ROWS, strict=False), Tag("(rows)")],
        Discriminator(lambda value: "(table)" if isinstance(value, str) else "(rows)"),
    ] = Field(default=())
    """Orders on their dates: rows, or the name of a CSV table beside this file with columns day, sku, node, units and
    source."""


def load_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Raises
    ------
    UsageError  with all faults at once
    StorageError  where the file cannot be read
    """
    file = read_model(path, PlanFile)
    n_periods = len(file.periods)
    budgets = {channel: tuple(map(to_cents, money)) if isinstance(money, tuple) else (to_cents(money),) * n_periods
               for channel, money in file.budgets.items()}
    orders = read_orders(file.orders, Path(path)) if isinstance(file.orders, str) else tuple(
        Order(row.day, row.sku, row.node, row.units, row.source) for row in file.orders)
    try:
        return Plan(file.periods, budgets, file.base_stock, orders)
    except UsageError as error:
        raise UsageError(*(Fault(str(path), fault.what, fault.got, fault.rule, fault.fix)
                           for fault in error.faults)) from None


def plan_files(plan: Plan, path: str | Path) -> list[str]:
    """Names of the files that a plan is written to: many orders get a table of their own beside it."""
    path = Path(path)
    return [path.name, *([f"{path.stem}_orders.csv"] if len(plan.orders) > MOST_ROWS else [])]


def save_plan(plan: Plan, path: str | Path) -> None:
    """Write a plan file, whole or not at all; reading it again gives the same plan, to the cent.

    Raises
    ------
    StorageError  where the file cannot be written
    """
    path = Path(path)
    orders: str | list[dict[str, object]] = [
        {name: getattr(one, name) for name in COLUMNS if getattr(one, name) != ""} for one in plan.orders]
    for table in plan_files(plan, path)[1:]:
        orders = table
        save_orders(plan.orders, path.parent / table)
    replace_file(path, to_yaml({
        "plan_version": 1,
        "periods": list(plan.first_days),
        "budgets": {channel: [cents / 100 for cents in figures] for channel, figures in plan.budgets.items()},
        "base_stock": dict(plan.base_stock),
        **({"orders": orders} if orders else {}),
    }))


def name_channels(plan: Plan, scenario: Scenario) -> Plan:
    """The plan with the scenario's names of its channels in the place of their labels."""
    names = channel_names(plan.budgets, scenario)
    return replace(plan, budgets={names[text]: cents for text, cents in plan.budgets.items()})


def check_plan(plan: Plan, scenario: Scenario) -> None:
    """Refuse a plan for other channels, articles or days than the scenario's.

    Raises
    ------
    UsageError  with all faults at once
    """
    if not isinstance(plan, Plan):
        raise UsageError(Fault("policy", "review", type(plan).__name__, "must return a Plan or None",
                               "Return om.Plan(budgets=…), or None to change nothing."))
    faults = [*known("budgets", plan.budgets, scenario.channels),
              *known("base_stock", plan.base_stock, scenario.products)]
    for name in plan.budgets:
        if name in scenario.channels and not scenario.channels[name].active:
            faults.append(Fault("plan", f"budgets.{name}", "", "is an inactive channel",
                                f"Remove it, or set channels.{name}.active to true."))
    if plan.base_stock and scenario.supply.nodes:
        faults.append(Fault("plan", "base_stock", f"{len(plan.base_stock)} levels", "is for a scenario with one "
                            "warehouse; here every node has rules of its own",
                            "Change supply.nodes.….stock in the scenario instead."))
    faults += unfit_orders(plan, scenario)
    if plan.first_days[-1] >= scenario.horizon.days:
        faults.append(Fault("plan", "periods", f"day {plan.first_days[-1]}",
                            f"must lie within the {scenario.horizon.days} reported days", "Drop the later periods."))
    if faults:
        raise UsageError(*faults)
