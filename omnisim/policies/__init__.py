"""The named policies: each turns what it sees at a review into a plan. One idea a file.

inertia     goes on as before
equal       the same to every channel
roi         in proportion to GMV per yuan spent on the channel
last_click  in proportion to the GMV of journeys that ended on the channel
60/30/10    three fifths to the largest channel, three tenths to the second, the rest to the others
ranking     60/30/10 by a score of return, customer value and growth, again at each review
pause       stops a channel whose return stays below a threshold, and moves its money
bandit      Thompson sampling: each portion of the budget goes where a draw of the return is highest
lp_once     the best plan on curves of the first day's belief
lp_rolling  the same, re-levelled by what is observed since
stock_rolling   no budgets: stock planned again at each review, in the place of the nodes' rules
reference   the best plan that was found by simulating the true scenario: a reference, not a bound
"""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

from omnisim.errors import Fault, UsageError
from omnisim.plan import Policy
from omnisim.policies.inertia import Inertia

__all__ = ["POLICIES", "Inertia", "find_policy"]

POLICIES = {
    "inertia": "omnisim.policies.inertia:Inertia", "equal": "omnisim.policies.shares:Equal",
    "roi": "omnisim.policies.shares:Returns", "last_click": "omnisim.policies.shares:LastClick",
    "60/30/10": "omnisim.policies.tiers:Tiers", "ranking": "omnisim.policies.tiers:Ranking",
    "pause": "omnisim.policies.pause:Pause", "bandit": "omnisim.policies.bandit:Bandit",
    "lp_once": "omnisim.policies.programme:Once", "lp_rolling": "omnisim.policies.programme:Rolling",
    "reference": "omnisim.policies.reference:Reference", "stock_rolling": "omnisim.policies.restocking:RollingStock",
}
"""Name -> module:Class of the policy; a run gets a fresh one."""


def find_policy(name: str) -> Policy:
    """A fresh policy by its name, or by ``module:Class``, looked for in the working directory too.

    Raises
    ------
    UsageError  for a name that no policy has, and for a module or class that cannot be had
    """
    place = POLICIES.get(name, name)
    module, colon, maker = place.partition(":")
    if not colon:
        close = difflib.get_close_matches(name, POLICIES, n=1)
        fix = f"Did you mean {close[0]}?" if close else f"Use {', '.join(POLICIES)}, or module:Class."
        raise UsageError(Fault("policy", "name", repr(name), "must be a known policy", fix))
    if name not in POLICIES and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        policy = getattr(import_module(module), maker)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(Fault("policy", "name", repr(name), f"cannot be made: {error}",
                               "Write module:Class, a class that needs no arguments.")) from error
    if not callable(getattr(policy, "review", None)) or not isinstance(getattr(policy, "name", None), str):
        raise UsageError(Fault("policy", "name", repr(name), "must have a name and a review", "See om.Policy."))
    return cast(Policy, policy)
