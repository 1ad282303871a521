"""Whatever the scenario: runs end, units and money are conserved, budgets hold, more reach reaches no fewer."""

from __future__ import annotations

from typing import Any

import numpy as np
from building import channel
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from omnisim.books import LINES, MEASURE, STOCK, Books
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, open_world, simulate, warm_up

SLOW = settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""Without shrinking, which takes minutes where an example takes a tenth of a second."""
SHARE = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
MONEY = st.one_of(st.just(0.0), st.integers(0, 200_000).map(lambda cents: cents / 100))
FACTOR = st.one_of(st.just(1.0), st.floats(0, 4))


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), strategy)


CHANNEL = st.fixed_dictionaries({
    "active": st.sampled_from([True, True, True, False]), "checkout": st.booleans(),
    "reach": st.floats(0.01, 1), "budget": MONEY, "search_share": SHARE,
    "cpm": st.integers(1, 300).map(float), "cpc": st.integers(1, 9).map(float),
    "organic_impressions": st.floats(0, 5000), "click_share": SHARE, "persuasion": SHARE, "direct": st.floats(0, 0.05),
    "follow": st.floats(0, 0.05),
    "search": st.floats(0.001, 0.2), "revisit": st.floats(0, 1), "intercept": st.floats(-6, 2),
    "order_value": st.integers(60, 400).map(float), "registration": SHARE,
    "repeat_weight": st.floats(0, 3), "commission": st.floats(0, 0.5), "host_commission": st.floats(0, 0.5),
    "payment_fee": st.floats(0, 0.1), "return_rate": SHARE, "delivery_days": st.integers(0, 9),
    "annual_fee": MONEY, "content": MONEY, "labour": MONEY})


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any small scenario: sections that may be absent, shares at their ends, seasons of nothing."""
    names = ["b", "a", "c"][:draw(st.integers(1, 3))]
    channels: dict[str, Any] = {name: channel(**draw(CHANNEL)) for name in names}
    channels["b"] |= {"active": True, "checkout": True}
    live = [name for name in names if channels[name]["active"]]
    flows = [{"source": one, "target": two, "kind": kind, "rate": draw(SHARE)}
             for one in live for two in live if one != two for kind in ("link", "seed") if draw(st.booleans())]
    scale = draw(st.sampled_from([1, 1, 3]))
    seats = draw(st.integers(0, 300))
    share = draw(st.floats(0, 1))
    return Scenario.model_validate({
        "horizon": {"start": draw(st.sampled_from(["2024-01-30", "2024-06-01", "2023-12-20"])),
                    "days": draw(st.integers(1, 40)), "warm_up": draw(st.integers(0, 25))},
        "population": {"size": draw(st.integers(1000, 5000)), "scale": scale, "renewal": draw(SHARE),
                       "affinity_shape": draw(st.floats(0.05, 50)), "overlap": draw(SHARE),
                       "segments": [{"name": "one", "share": share, "affinity": draw(st.floats(0, 5)),
                                     "spend": draw(st.floats(0.1, 3))}, {"name": "two", "share": 1 - share}]},
        "channels": channels, "flows": flows,
        "products": {"core": {"price": 60.0, "cost": 30.0, "share": 0.5, "base_stock": draw(st.integers(0, 300))},
                     "gift": {"price": 19.99, "cost": 0.0, "share": 0.5, "base_stock": draw(st.integers(0, 300))}},
        "calendar": {"weekday": [draw(FACTOR) for _ in range(7)],
                     "campaigns": [{"name": "sale", "start": "2024-06-03", "end": "2024-06-09",
                                    "factor": draw(FACTOR)}]},
        "membership": draw(maybe(st.fixed_dictionaries({"join": SHARE, "uplift": st.floats(0, 2), "benefit": SHARE}))),
        "community": draw(maybe(st.fixed_dictionaries({
            "channel": st.just("b"), "seats": st.just(seats), "members": st.integers(0, seats),
            "join_per_visit": SHARE, "leave_per_week": SHARE, "share_rate": SHARE, "click": SHARE,
            "readers": st.integers(0, 20), "advocates": SHARE, "flash_factor": st.floats(0, 4)}))),
        "referral": draw(maybe(st.fixed_dictionaries({
            "share_rate": SHARE, "invitations": st.integers(0, 9), "acceptance": st.floats(0, 0.1), "reward": MONEY,
            "advocates": SHARE, "advocate_days": st.integers(1, 40), "audience": st.integers(0, 20)}))),
        "service": {"consult_share": draw(SHARE), "capacity": None if scale > 1 else draw(maybe(st.integers(0, 99))),
                    "recovery": draw(SHARE), "resolution_days": draw(st.integers(1, 9))},
        "brand": {"age": draw(st.floats(0, 4)), "new_customers": draw(st.floats(0, 300)),
                  "interest": {"unaided": draw(st.one_of(st.just(1.0), st.floats(0.01, 1)))},
                  "repurchase": {"rate_scale": draw(st.floats(1, 200)), "dormant_after": draw(st.integers(1, 90)),
                                 "lost_after": draw(st.integers(1, 90)), "stay": draw(SHARE)},
                  "loop": {stage: draw(st.sampled_from([True, True, False]))
                           for stage in ("seed", "convert", "repurchase", "refer")}},
        "supply": {"unlimited": scale > 1 or draw(st.booleans()), "lead_time": draw(st.integers(1, 9)),
                   "moq": draw(st.integers(1, 50)), "review_days": draw(st.integers(1, 9)),
                   "restock_share": draw(SHARE), "restock_days": draw(st.integers(1, 9)),
                   "cutoff_hour": draw(st.integers(0, 24))},
    })


def check_identities(s: Scenario, books: Books) -> None:
    """What holds in any world."""
    daily = {name: books.daily[..., place] for name, place in MEASURE.items()}
    for name, values in daily.items():
        if name not in LINES:
            assert (values >= 0).all(), name
        elif name != "cost_of_goods":  # returned goods come back at cost
            assert (values <= 0).all(), name
    assert (-daily["media"] <= daily["budget"]).all()
    assert (books.stages.sum(axis=1) == s.population.size * s.population.scale).all() and (books.stages >= 0).all()
    assert (daily["unique_visitors"] <= daily["visits"]).all() and (daily["new_users"] <= daily["visits"]).all()
    assert (daily["paid_impressions"] <= daily["impressions"]).all()
    assert (daily["clicks"] + daily["searches"] <= daily["visits"]).all()
    assert (daily["consultations"] <= daily["visits"]).all()
    assert (daily["new_customers"] + daily["repeat_orders"] + daily["win_back_orders"] == daily["orders"]).all()
    assert (daily["referred_orders"] <= daily["new_customers"]).all()
    assert daily["returned_lines"].sum() <= daily["orders"].sum()
    assert -daily["returns"].sum() <= daily["gmv"].sum()
    for place, one in enumerate(s.channels.values()):
        if not (one.active and one.checkout):
            assert not books.daily[:, place, MEASURE["orders"]].any()
    stock = {name: books.stock[..., place] for place, name in enumerate(STOCK)}
    assert (stock["demand"] == stock["filled"] + stock["lost"]).all()
    assert (stock["filled"].sum(axis=(1, 2)) == daily["units"].sum(axis=1)).all()
    if s.supply.unlimited:
        assert not stock["lost"].any() and not daily["lost_orders"].any()
    else:
        start = [[[product.base_stock for product in s.products.values()]]]
        before = np.concatenate([start, stock["on_hand"][:-1]])
        assert (stock["on_hand"] == before + stock["received"] + stock["returned"] - stock["filled"]).all()
    check_lines(s, books, {name: values[books.warm_up:] for name, values in daily.items()})
    assert (books.flows[..., 1] <= books.flows[..., 0]).all()


def check_lines(s: Scenario, books: Books, daily: dict[str, np.ndarray]) -> None:
    """Order lines, journeys and cohorts tell the money of the days, to the cent."""
    orders = books.orders
    paid = orders["price"] * orders["quantity"] * orders["weight"]
    assert orders["weight"].sum() == daily["orders"].sum() == books.path_counts[:, 1].sum()
    assert books.cohorts[..., 1].sum() == daily["orders"].sum()
    assert paid.sum() == daily["gmv"].sum() == books.path_counts[:, 2].sum() == books.cohorts[..., 2].sum()
    assert books.segments[:, 3].sum() == daily["gmv"].sum()
    assert (orders["quantity"] >= 1).all() and (orders["consumer"] < s.population.size).all()
    assert ((orders["returned"] < 0) | (orders["returned"] == orders["delivered"])).all()
    goods = orders["quantity"] * np.array([round(p.cost * 100) for p in s.products.values()])[orders["sku"]]
    assert (orders["margin"] <= paid // s.population.scale - goods).all()


def check_people(s: Scenario, world: World) -> None:
    """Flags and numbers of the consumers agree with each other."""
    people = world.market.consumers.people
    customer, alive, member, seat = ((people["flags"] & bit) != 0 for bit in (1, 2, 4, 8))
    assert not (alive & ~customer).any() and not (member & ~customer).any()
    assert ((people["orders"] > 0) == customer).all()
    assert (people["first_day"][customer] <= people["order_day"][customer]).all()
    assert not (world.market.consumers.need[:alive.size][~alive] > 0).any()
    taken = int(world.market.seats.taken[0])
    assert seat.sum() == taken and seat[world.market.seats.holders[:taken]].all()
    tally = world.ledger.daily.sum(axis=1)
    moved = (tally[:, MEASURE["leaves"]] - tally[:, MEASURE["joins"]]) // s.population.scale
    held = taken + moved[::-1].cumsum()  # on each evening before
    assert ((held >= 0) & (held <= (s.community.seats if s.community else 0))).all()
    assert np.isfinite(people["interest_long"]).all() and (people["interest_long"] <= 1).all()
    np.testing.assert_array_equal(world.market.stages, np.bincount(people["stage"], minlength=16) * s.population.scale)


@SLOW
@given(s=scenarios(), seed=st.integers(0, 2**31))
def test_any_scenario_keeps_the_identities(s: Scenario, seed: int) -> None:
    world = warm_up(s, seed, threads=1)
    books = finish(world, threads=1)
    check_identities(s, books)
    check_people(s, world)


@SLOW
@given(s=scenarios(), looseness=st.floats(1, 50), parts=st.integers(1, 4))
def test_any_scenario_has_the_same_bits_for_any_bounds_and_parts(s: Scenario, looseness: float, parts: int) -> None:
    one = finish(warm_up(s, threads=1), threads=1)
    two = finish(warm_up(s, threads=2, parts=parts, looseness=looseness), threads=2)
    for name in ("daily", "stages", "transitions", "flows", "stock", "orders", "paths", "path_counts", "cohorts"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


@SLOW
@given(s=scenarios(), more=st.floats(0, 5000), cents=st.integers(0, 200_000))
def test_more_reach_never_reaches_fewer_and_leaves_the_others_alone(s: Scenario, more: float, cents: int) -> None:
    """Impressions day by day on the same luck, for organic reach and for money."""
    base = simulate(s, threads=1)
    place = list(s.channels).index("b")
    organic = s.with_({"channels.b.organic_impressions": s.channels["b"].organic_impressions + more})
    richer = Plan(budgets={"b": (round(s.channels["b"].budget * 100) + cents,)})
    for books in (simulate(organic, threads=1), simulate(s, plan=richer, threads=1)):
        gain = books.daily[..., MEASURE["impressions"]] - base.daily[..., MEASURE["impressions"]]
        assert (gain[:, place] >= 0).all()
        assert not np.delete(gain, place, axis=1).any()


@SLOW
@given(s=scenarios())
def test_the_world_on_the_first_morning_agrees_with_itself(s: Scenario) -> None:
    check_people(s, open_world(s, 1))
