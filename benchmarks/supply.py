"""Stock alone, articles at nodes day by day: omnisim's `rehearse` beside a plain loop, stockpyl and SimPy.

stockpyl 1.0 needs NumPy 1, so it runs in an environment of its own; without one, its rows are left out:

    python -m venv ../stockpyl && ../stockpyl/bin/pip install "stockpyl==1.0.2" "numpy<2"
    python benchmarks/supply.py --stockpyl ../stockpyl/bin/python

Nothing is claimed before the costs of every single day, or the units lost on it, agree on the same demand.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simpy
from scipy import stats

from omnisim.books import CLAIM, MOVES, STOCK, VERDICT
from omnisim.supply.layout import Desk
from omnisim.supply.rehearsal import Prices, Stocked, rehearse
from omnisim.supply.settlement import settle

HERE = Path(__file__).parent
NODES, DAYS = 600, 3_650
FEW, SHORT = 24, 200
"""Articles and days for the peers, which are slower."""
ORDERS = 200_000

PEER = """
import json, sys, time
from importlib.metadata import version
from stockpyl.sim import simulation
from stockpyl.supply_chain_network import single_stage_system
asked = json.load(sys.stdin)
nets = [single_stage_system(holding_cost=1, stockout_cost=20, demand_type="D", demand_list=one["demand"],
                            shipment_lead_time=one["lead"], initial_inventory_level=one["opening"], **one["policy"])
        for one in asked]
days, found = len(asked[0]["demand"]), []
used = time.process_time()
for net in nets:
    simulation(net, days, rand_seed=1, progress_bar=False)
used = time.process_time() - used
for net in nets:
    found.append([state.total_cost_incurred for state in net.nodes[0].state_vars[:days]])
print(json.dumps([used, version("stockpyl"), found]))
"""


def spent(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Processor seconds of the best of some calls, and what the last one gave."""
    best, found = float("inf"), None
    for _ in range(times):
        start = time.process_time()
        found = work()
        best = min(best, time.process_time() - start)
    return best, found


def plain(level: int, point: int, lead: int, demand: list[int], holding: int, shortage: int) -> list[int]:
    """Costs of the days of one article under (s, S), orders waiting: Python without a library."""
    shelf, debt, coming, found = level, 0, [0] * (len(demand) + lead + 1), []
    on_order = 0
    for day, units in enumerate(demand):
        shelf, on_order = shelf + coming[day], on_order - coming[day]
        late = min(debt, shelf)
        shelf, debt = shelf - late, debt - late
        sold = min(shelf, units)
        shelf, debt = shelf - sold, debt + units - sold
        position = shelf + on_order - debt
        if position <= point:
            coming[day + lead] += level - position
            on_order += level - position
        found.append(holding * shelf + shortage * debt)
    return found


def by_order(level: int, lead: int, demand: list[int]) -> list[int]:
    """Units lost a day under a base stock with lost sales: every order of one unit a SimPy process."""
    clock = simpy.Environment()
    shelf = simpy.Container(clock, capacity=10**9, init=level)
    lost, on_order = [0] * len(demand), 0

    def order(day: int, minute: int) -> Any:
        yield clock.timeout(minute / 1440)
        if shelf.level >= 1:
            yield shelf.get(1)
        else:
            lost[day] += 1

    def supply(units: int) -> Any:
        nonlocal on_order
        yield clock.timeout(lead - 0.99)
        on_order -= units
        yield shelf.put(units)

    def days() -> Any:
        nonlocal on_order
        for day, units in enumerate(demand):
            for n in range(units):
                clock.process(order(day, 10 + n))
            yield clock.timeout(0.99)
            if (short := level - int(shelf.level) - on_order) > 0:
                on_order += short
                clock.process(supply(short))
            yield clock.timeout(0.01)

    clock.process(days())
    clock.run(until=len(demand))
    return lost


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stockpyl", help="python of an environment with stockpyl")
    options = parser.parse_args()
    luck = np.random.default_rng(1)
    means = luck.uniform(0.5, 60, NODES)
    lead = luck.integers(1, 15, NODES)
    point = np.ceil(means * lead + 1.645 * np.sqrt(means * lead)).astype(int)
    level = point + np.ceil(3 * means).astype(int)
    demands = [stats.poisson(mean) for mean in means]
    rules = Stocked("min_max", level=level, reorder_point=point, lead_time=lead)
    rehearse(rules, demands, days=10)  # load the compiled kernel
    late = rules._replace(delays=(0.6, 0.3, 0.1))
    rows = []

    def row(what: str, seconds: float, days: int, agrees: str = "") -> float:
        rate = days / seconds
        rows.append(f"| {what} | {rate:,.0f} | {agrees} |")
        return rate

    drawn, _ = spent(lambda: rehearse(rules, demands, Prices(1, 20, 500), days=DAYS, waits=True))
    ours = row(f"omnisim, (s, S), demand drawn, {NODES} × {DAYS:,}", drawn, NODES * DAYS)
    row("omnisim, lost sales, lead times drawn as well",
        spent(lambda: rehearse(late, demands, Prices(1, 20, 500), days=DAYS))[0], NODES * DAYS)
    path = luck.poisson(means[:, None], (NODES, DAYS))
    given, found = spent(lambda: rehearse(rules, path, Prices(1, 20), days=DAYS, waits=True, keep_daily=True))
    row("omnisim, demand given, the cost of each day kept", given, NODES * DAYS)
    few = [(int(level[n]), int(point[n]), int(lead[n]), path[n].tolist()) for n in range(FEW)]
    slow, costs = spent(lambda: [plain(*one, 1, 20) for one in few])
    assert costs == found.daily[:FEW].tolist()
    row("a plain loop in Python", slow, FEW * DAYS, f"{FEW * DAYS:,} days, every cost")
    version, ratio = "", 0.0
    if options.stockpyl:
        asked, wanted = [], []
        for n in range(FEW):
            kind = n % 3
            lot = int(path[n].max()) + 5
            policy: dict[str, Any] = [
                {"policy_type": "sS", "reorder_point": int(point[n]), "order_up_to_level": int(level[n])},
                {"policy_type": "rQ", "reorder_point": int(point[n]), "order_quantity": lot},
                {"policy_type": "BS", "base_stock_level": int(level[n])}][kind]
            opening = int(point[n]) + lot if kind == 1 else int(level[n])
            asked.append({"demand": path[n, :SHORT].tolist(), "lead": int(lead[n]), "opening": opening,
                          "policy": policy})
            stocked = Stocked(("min_max", "reorder_point", "base_stock")[kind], level=int(level[n]),
                              reorder_point=int(point[n]), lot=lot, lead_time=int(lead[n]))
            wanted.append(rehearse(stocked, path[n:n + 1, :SHORT], Prices(1, 20), days=SHORT, waits=True,
                                   keep_daily=True).daily[0].tolist())
        output = subprocess.run([options.stockpyl, "-W", "ignore", "-c", PEER], input=json.dumps(asked), check=True,
                                capture_output=True, text=True).stdout
        used, version, peers = json.loads(output.splitlines()[-1])
        assert peers == wanted, "stockpyl's costs differ"
        ratio = ours / row("stockpyl, (s, S), (r, Q) and base stock, demand given", used, FEW * SHORT,
                           f"{FEW * SHORT:,} days, every cost")
    tight = Stocked("base_stock", level=point[:FEW], lead_time=lead[:FEW] + 1)
    lost = rehearse(tight, path[:FEW, :SHORT], Prices(0, 1), days=SHORT, keep_daily=True).daily.tolist()
    one_by_one, found_lost = spent(lambda: [by_order(int(point[n]), int(lead[n]) + 1, path[n, :SHORT].tolist())
                                            for n in range(FEW)], times=1)
    assert found_lost == lost and sum(map(sum, lost)) > 0
    orders = int(path[:FEW, :SHORT].sum())
    row("SimPy, one process an order, demand given", one_by_one, FEW * SHORT, f"{FEW * SHORT:,} days, units lost")
    settled = spent(lambda: settle_many(luck))[0]
    text = f"""# Stock day by day

Articles at nodes, each with a rule, a lead time of 1 to 14 days and Poisson demand of 0.5 to 60 units a day. Processor
time of one thread, the best of three, kernels loaded; {platform.machine()}, Python {platform.python_version()}\
{f", stockpyl {version}" if version else ""}, SimPy {simpy.__version__};
`python benchmarks/supply.py --stockpyl PYTHON`. "Agrees": days on which the same demand gave the very same figures;
without that no row is written.

| what | SKU-node-days a second | agrees |
| --- | --- | --- |
{chr(10).join(rows)}

{f"omnisim draws its demand and is {ratio:,.0f} times as fast as stockpyl, which is given it. " if ratio else ""}\
SimPy takes {one_by_one / orders * 1e6:.0f} µs an order.
A run of omnisim settles a day's orders together, in {settled / ORDERS * 1e9:.0f} ns each with everything switched on:
three nodes, two channels, a sync delay, shortages that wait, switch and substitute, pickup.
"""
    (HERE / "supply.md").write_text(text, encoding="utf-8")
    print(text)


def settle_many(luck: np.random.Generator) -> None:
    """Settle a day of many orders with everything switched on."""
    skus, places = 4, 3
    sources = np.tile(np.arange(places), (2, skus, 1))
    desk = Desk(sources, np.full((2, skus), 0.25), np.ones(2), np.array([0.3, 0.3, 0.3]), np.array([120]),
                np.array([0.1, 0.0]), np.array([2]), np.array([1]), np.ones(1), np.array([0.3]), np.ones(1, np.int64))
    claims = np.zeros(ORDERS, CLAIM)
    claims["units"], claims["uses"], claims["sku"] = 1, 3, luck.integers(0, skus, ORDERS)
    claims["channel"], claims["minute"] = luck.integers(0, 2, ORDERS), np.sort(luck.integers(0, 1440, ORDERS))
    for name in ("react", "choose", "collect"):
        claims[name] = luck.integers(0, 2**32, ORDERS)
    stock = np.full((places, skus), ORDERS // 20)
    settle(desk, stock, claims, np.zeros(ORDERS, VERDICT), np.zeros((ORDERS, 3), np.int64),
           np.zeros((places, skus, len(STOCK)), np.int64), np.zeros((places, skus, len(MOVES)), np.int64))


if __name__ == "__main__":
    main()
