"""omnisim: a brand's channels, consumers and stock, simulated day by day.

The door of the package, as a table of contents. Names are imported when first used, so that ``import omnisim`` is
quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnisim.door import allocate, calibrate, compare, load, run, schema
    from omnisim.errors import Fault, InfeasibleError, OmnisimError, ScenarioError, StorageError, UsageError
    from omnisim.optimise.budget_plan import BudgetPlan
    from omnisim.plan import Observation, Plan, Policy
    from omnisim.results import Result
    from omnisim.scenario.model import Scenario
    from omnisim.sweeps import sweep

__version__ = "0.1.0"

__all__ = [
    "BudgetPlan",
    "Fault",
    "InfeasibleError",
    "Observation",
    "OmnisimError",
    "Plan",
    "Policy",
    "Result",
    "Scenario",
    "ScenarioError",
    "StorageError",
    "UsageError",
    "__version__",
    "allocate",
    "calibrate",
    "compare",
    "load",
    "run",
    "schema",
    "sweep",
]

_HOMES = {
    "allocate": "door",
    "calibrate": "door",
    "compare": "door",
    "load": "door",
    "run": "door",
    "schema": "door",
    "sweep": "sweeps",
    "Fault": "errors",
    "InfeasibleError": "errors",
    "OmnisimError": "errors",
    "ScenarioError": "errors",
    "StorageError": "errors",
    "UsageError": "errors",
    "BudgetPlan": "optimise.budget_plan",
    "Observation": "plan",
    "Plan": "plan",
    "Policy": "plan",
    "Result": "results",
    "Scenario": "scenario.model",
}


def __getattr__(name: str) -> object:
    """Import a name of the door when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'omnisim' has no attribute {name!r}")
    value = getattr(import_module(f"omnisim.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
