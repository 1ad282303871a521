"""Where to keep safety stock in a tree of stages that promise service times (Graves & Willems)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from omnisim.supply.classics.inputs import Check, Floats, accept, fault, not_negative, positive, whole


class Stage(NamedTuple):
    """A stage of a supply chain: a part, a process, a place.

    Parameters
    ----------
    processing_time : int [period]  from having everything to being ready (T)
    holding_cost : float [currency/unit/period]  of its safety stock (h)
    demand_sd : float [unit/√period]  of customers' demand at this stage, 0 for none (σ)
    service_time : int or None [period]  longest time that customers accept; must be given where there is demand
    inbound_time : int [period]  that outside suppliers take, 0 for none
    """

    processing_time: int
    holding_cost: float
    demand_sd: float = 0.0
    service_time: int | None = None
    inbound_time: int = 0


class ServiceTimes(NamedTuple):
    """Promises of each stage, and the stock that keeps them.

    Parameters
    ----------
    outbound, inbound : stage -> int [period]  promised to those below, received from those above (S, SI)
    net_times : stage -> int [period]  that its safety stock must bridge, SI + T − S
    safety_stock : stage -> float [unit]  z σ √(net time)
    cost : float [currency/period]
    """

    outbound: dict[str, int]
    inbound: dict[str, int]
    net_times: dict[str, int]
    safety_stock: dict[str, float]
    cost: float


class _Tree(NamedTuple):
    """The stages in order, leaves first, each with the one it hangs from."""

    order: list[str]
    parent: dict[str, tuple[str, bool]]
    above: dict[str, list[str]]
    below: dict[str, list[str]]
    longest: dict[str, int]
    sds: dict[str, float]


def guaranteed_service(stages: Mapping[str, Stage], links: Sequence[tuple[str, str]], *,
                       safety_factor: float) -> ServiceTimes:
    """The service times of least safety-stock cost in a tree of stages.

    Parameters
    ----------
    stages : name -> Stage
    links : (from, to) pairs, one unit of the first in each of the second; together a tree
    safety_factor : float  demand is served up to its mean + z σ √τ over any time τ (z)

    Returns
    -------
    ServiceTimes
        The least Σ h z σ √(SI + T − S) over whole times with S of a stage ≤ SI of those below, S ≤ service_time where
        customers buy, SI ≥ inbound_time.

    Raises
    ------
    UsageError  for links that form no tree, a stage of demand without a service time, or negative times

    Notes
    -----
    Graves & Willems (2000), Manufacturing & Service Operations Management 2(1), with their corrected recursion (2003);
    Snyder & Shen (2019), section 6.5. Demands at several stages are taken as independent: σ² adds up.

    Examples
    --------
    >>> guaranteed_service({"store": Stage(2, 3.0, 1.0, 0), "plant": Stage(4, 1.0)}, [("plant", "store")],
    ...                    safety_factor=1).outbound
    {'store': 0, 'plant': 0}
    """
    where = "guaranteed_service"
    checks: list[Check] = [positive("safety_factor", safety_factor)]
    for name, stage in stages.items():
        checks += [whole(f"stages.{name}.processing_time", stage.processing_time),
                   not_negative(f"stages.{name}.holding_cost", stage.holding_cost),
                   not_negative(f"stages.{name}.demand_sd", stage.demand_sd),
                   whole(f"stages.{name}.inbound_time", stage.inbound_time),
                   None if stage.service_time is None else whole(f"stages.{name}.service_time", stage.service_time)]
    accept(where, *checks)
    tree = _grow(where, stages, links)
    tables: dict[str, Floats] = {}
    choices: dict[str, Floats] = {}
    for name in tree.order:
        cost = _costs(name, stages[name], tree, tables, safety_factor)
        choices[name] = cost
        towards_customers = tree.parent[name][1] if name in tree.parent else True
        tables[name] = cost.min(axis=1 if towards_customers else 0)
    outbound: dict[str, int] = {}
    inbound: dict[str, int] = {}
    for name in reversed(tree.order):
        cost = choices[name]
        if name not in tree.parent:
            s, si = divmod(int(np.argmin(cost)), cost.shape[1])
        elif tree.parent[name][1]:  # the stage below, already settled, takes no later than this
            limit = inbound[tree.parent[name][0]]
            s = int(np.argmin(tables[name][:limit + 1]))
            si = int(np.argmin(cost[s]))
        else:
            least = outbound[tree.parent[name][0]]
            si = least + int(np.argmin(tables[name][least:]))
            s = int(np.argmin(cost[:, si]))
        outbound[name], inbound[name] = s, si
    net = {name: inbound[name] + stage.processing_time - outbound[name] for name, stage in stages.items()}
    stock = {name: safety_factor * tree.sds[name] * math.sqrt(net[name]) for name in stages}
    return ServiceTimes({name: outbound[name] for name in stages}, {name: inbound[name] for name in stages}, net, stock,
                        sum(stages[name].holding_cost * units for name, units in stock.items()))


def _costs(name: str, stage: Stage, tree: _Tree, tables: Mapping[str, Floats], factor: float) -> Floats:
    """Least cost of a stage and all that hangs from it, by its S (rows) and SI (columns); inf where impossible."""
    longest = tree.longest[name]
    s, si = np.arange(longest + 1)[:, None], np.arange(longest - stage.processing_time + 1)[None, :]
    net = si + stage.processing_time - s
    cost = np.where(net >= 0, stage.holding_cost * factor * tree.sds[name] * np.sqrt(np.maximum(net, 0)), np.inf)
    cost[:, :stage.inbound_time] = np.inf
    if stage.service_time is not None:
        cost[stage.service_time + 1:] = np.inf
    hanging = tree.parent.get(name, ("", True))[0]
    for child in tree.above[name]:
        if child != hanging:  # its promise is kept by any SI not below it
            best = np.minimum.accumulate(tables[child])
            cost += best[np.minimum(si, best.size - 1)]
    for child in tree.below[name]:
        if child != hanging:
            table = tables[child]
            best = np.append(np.minimum.accumulate(table[::-1])[::-1], np.inf)
            cost += best[np.minimum(s, best.size - 1)]
    return cost


def _grow(where: str, stages: Mapping[str, Stage], links: Sequence[tuple[str, str]]) -> _Tree:
    above: dict[str, list[str]] = {name: [] for name in stages}
    below: dict[str, list[str]] = {name: [] for name in stages}
    unknown = sorted({end for link in links for end in link if end not in stages})
    accept(where, fault("links", f"stage {unknown[0]!r}", "must be one of the stages", "Add it to stages.")
           if unknown else None,
           None if stages else fault("stages", "{}", "must have at least one", "Give one."))
    for up, down in links:
        above[down].append(up)
        below[up].append(down)
    root = next(iter(stages))
    order, parent, seen = [root], dict[str, tuple[str, bool]](), {root}
    for name in order:  # grows while it is walked
        for other, is_down in [(up, True) for up in above[name]] + [(down, False) for down in below[name]]:
            if other not in seen:
                seen.add(other)
                parent[other] = (name, is_down)  # True if what it hangs from lies below it
                order.append(other)
    accept(where, None if len(seen) == len(stages) and len(links) == len(stages) - 1 else
           fault("links", f"{len(links)} links for {len(stages)} stages, {len(seen)} of them joined to {root!r}",
                 "must form a tree", "Join every stage, by one way only."),
           *(fault(f"stages.{name}.service_time", "", "must be given where customers buy", "Give 0 for from stock.")
             for name, stage in stages.items()
             if stage.service_time is None and (stage.demand_sd > 0 or not below[name])))
    longest: dict[str, int] = {}
    sds: dict[str, float] = {}

    def reach(name: str) -> int:
        if name not in longest:
            stage = stages[name]
            longest[name] = stage.processing_time + max([stage.inbound_time, *(reach(up) for up in above[name])])
        return longest[name]

    def vary(name: str) -> float:
        if name not in sds:
            sds[name] = math.sqrt(stages[name].demand_sd**2 + sum(vary(down) ** 2 for down in below[name]))
        return sds[name]

    for name in stages:
        reach(name)
        vary(name)
    return _Tree(order[::-1], parent, above, below, longest, sds)
