"""Membership, private groups, referral, returns and the service desk, each alone; four standard errors throughout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from building import channel, live, scenario, small_brand, within

from omnisim.books import MEASURE, ORIGINS, Books
from omnisim.market.consumers import ALIVE, CUSTOMER, MEMBER, SEAT
from omnisim.measure.kpis import kpis
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, open_world, simulate

WEEK = 0.03
LEAVE = 1 - (1 - WEEK) ** (1 / 7)
ALIKE = {"renewal": 0.0, "affinity_shape": 50.0}
NOBODY = {"age": 0.0, "new_customers": 0.0, "loop": {"repurchase": False}}
QUIET = {"join_per_visit": 0.0, "leave_per_week": 0.0, "push": 0.0, "share_rate": 0.0, "advocates": 0.0}


def customers(n: int, **repurchase: float) -> dict:
    """n customers alive, buying at nearly the same rate, never lapsing."""
    return {"age": 1 / 365, "new_customers": 30.0 * n, "repurchase": {
        "rate_shape": 100.0, "rate_scale": 5000.0, "lapse_a": 0.02, "lapse_b": 1000.0, "interest_uplift": 0.0,
        "dormant_after": 3650} | repurchase}


def total(books: Books, measure: str) -> int:
    return int(books.daily[..., MEASURE[measure]].sum())


def of(world: World, flag: int) -> np.ndarray:
    return (world.market.consumers.people["flags"] & flag) != 0


def groups(n: int, days: int, *, brand: dict | None = None, horizon: dict | None = None, shop: dict | None = None,
           **community: object) -> Scenario:
    """A shop beside private groups."""
    return scenario(
        horizon=horizon or {"days": days, "warm_up": 0}, population=ALIKE | {"size": n},
        channels={"shop": channel(**shop or {}), "group": channel(kind="private", direct=0.02)},
        brand=brand or customers(n) | {"loop": {"repurchase": False}},
        community={"channel": "group", "flash_weekday": None, **QUIET, **community})


# seats


def test_an_empty_community_fills_as_joins_and_leaves_say_and_no_further() -> None:
    """2,500 seats, about 85 joins a day and 3 % leaving a week: m' = rate · visitors without a seat - leave · m."""
    n, seats = 60_000, 2_500
    rate = 85 / (n * -math.expm1(-0.02))
    world = open_world(groups(n, 60, seats=seats, join_per_visit=rate, leave_per_week=WEEK), 1)
    expected, taken = 0.0, []
    for day in range(60):
        taken.append(int(live(world, 1).market.seats.taken[0]))
        expected = min(seats, expected + rate * (n - expected) * -math.expm1(-0.02)) * (1 - LEAVE)
        if day < 28:
            assert abs(taken[-1] - expected) < 4 * math.sqrt(85 * (day + 1))
    assert 28 <= next(day for day in range(60) if taken[day] > 0.99 * seats) <= 36
    joins, leaves = (world.ledger.daily[:, 0, MEASURE[name]] for name in ("joins", "leaves"))
    held = np.cumsum(joins) - np.cumsum(leaves)
    assert held.tolist() == taken
    assert (held + leaves).max() == seats  # full, and never a seat too many
    assert of(world, SEAT).sum() == taken[-1]
    assert np.unique(world.market.seats.holders[:taken[-1]]).size == taken[-1]


def test_members_leave_at_their_weekly_share() -> None:
    world = open_world(groups(30_000, 14, seats=10_000, members=10_000, leave_per_week=WEEK), 1)
    assert of(world, SEAT).sum() == 10_000
    live(world, 14)
    assert within(of(world, SEAT).sum(), 10_000, (1 - WEEK) ** 2)


def test_messages_bring_members_back_whether_they_used_the_channel_before_or_not() -> None:
    plain = groups(20_000, 5, seats=5_000, members=5_000, push=0.1).model_dump()
    plain["channels"]["group"] |= {"direct": 0.0, "reach": 0.3}
    books = simulate(Scenario.model_validate(plain))
    visits = books.daily[:, 1, MEASURE["visits"]]
    assert within(visits.sum(), 25_000, -math.expm1(-0.1))


def test_parcel_codes_bring_their_share_of_kept_parcels_into_the_groups() -> None:
    """From 10 % to 20 % of 2,800 orders a month: 280 more seats, on the same luck."""
    joins = {}
    for rate in (0.1, 0.2):
        plain = groups(30_000, 30, seats=30_000, brand=NOBODY, shop={
            "direct": 0.007, "intercept": 0.0, "return_rate": 0.25, "delivery_days": 0}).model_dump()
        plain["supply"]["cutoff_hour"] = 24
        plain["flows"] = [{"source": "shop", "target": "group", "kind": "code", "rate": rate}]
        books = simulate(Scenario.model_validate(plain))
        kept = total(books, "orders") - total(books, "returned_lines")
        assert kept > 1_500
        joins[rate] = total(books, "joins")
        assert within(joins[rate], kept, rate)
    assert joins[0.2] - joins[0.1] == pytest.approx(0.1 * kept, abs=4 * math.sqrt(0.1 * kept))


def test_rewarded_shares_are_as_many_as_the_money_pays() -> None:
    """7 CNY a day buy three shares at 2 CNY; never more than there are members."""
    for budget, members, shares in ((7.0, 400, 3), (1e6, 400, 400)):
        s = groups(10_000, 20, seats=400, members=members, share_reward=2.0, readers=5, click=0.4)
        plain = s.model_dump()
        plain["channels"]["group"]["budget"] = budget
        plain["channels"]["group"]["direct"] = 0.0
        books = simulate(Scenario.model_validate(plain))
        media = books.daily[:, 1, MEASURE["media"]]
        assert (media == -shares * 200).all()
        assert (-media <= books.daily[:, 1, MEASURE["budget"]]).all()
        # readers open the link on the next day; several links to one reader make one visit
        visits = books.daily[:, 1, MEASURE["visits"]]
        assert visits[0] == 0
        expected = 10_000 * -math.expm1(-shares * 5 * 0.4 / 10_000)
        assert abs(visits[1:].mean() - expected) < 4 * math.sqrt(expected / 19)
        assert books.daily[:, 0, MEASURE["visits"]].sum() == 0


def test_members_pass_links_on_after_visits() -> None:
    books = simulate(groups(20_000, 20, seats=4_000, members=4_000, push=0.2, share_rate=0.3, readers=2, click=0.5))
    shared = books.daily[:-1, 1, MEASURE["visits"]].sum()
    by_members = 4_000 * 19 * -math.expm1(-0.22)
    base = 16_000 * 19 * -math.expm1(-0.02) + by_members
    opened = by_members * 0.3 * 2 * 0.5
    # whoever visits anyway that day makes no second visit; the links of the last day are opened later
    assert shared == pytest.approx(base + 0.95 * opened, rel=0.03)
    assert shared > base + 0.5 * opened


# what a seat and a membership do to repurchase


def ratio_of_needs(world: World, special: np.ndarray, day: int | slice) -> tuple[float, float]:
    """Orders per head of some over those of the others, and its standard error."""
    orders = world.ledger.close().orders
    days = range(world.day)[day]
    chosen = np.isin(orders["day"], days if isinstance(day, slice) else [days])
    mine = special[orders["consumer"][chosen]].sum()
    others = chosen.sum() - mine
    ratio = mine / special.sum() / (others / (~special).sum())
    return ratio, ratio * math.sqrt(1 / mine + 1 / others)


@pytest.mark.parametrize(("flash", "factor"), [(None, 1.3), ("wednesday", 1.3 * 1.8)])
def test_private_members_buy_more_often_and_more_on_flash_days(flash: str | None, factor: float) -> None:
    n = 60_000
    s = groups(n, 5, seats=n, members=20_000, touch=0.3, flash_weekday=flash, flash_factor=1.8, brand=customers(n))
    world = live(open_world(s, 1), 5)  # from Saturday, 1 June, to Wednesday, 5 June
    ratio, error = ratio_of_needs(world, of(world, SEAT), 4)
    assert abs(ratio - factor) < 4 * error < 0.8
    ratio, error = ratio_of_needs(world, of(world, SEAT), slice(0, 4))
    assert abs(ratio - 1.3) < 4 * error < 0.3


def test_members_buy_more_often_and_more_on_the_member_day() -> None:
    """The uplift leaves the mean rate where it was; the member day comes on top."""
    n = 60_000
    world = open_world(scenario(
        horizon={"days": 10, "warm_up": 0}, population=ALIKE | {"size": n}, brand=customers(n),
        membership={"join": 0.5, "uplift": 0.4, "member_day": 8, "member_day_factor": 2.0},
        channels={"shop": channel(delivery_days=20)}), 1)
    members = of(world, MEMBER)
    assert within(members.sum(), n, 0.5)
    live(world, 7)
    orders = world.ledger.daily[:7, 0, MEASURE["orders"]].sum()
    assert orders == pytest.approx(n * 7 / 50, abs=5 * math.sqrt(n * 7 / 50))
    ratio, error = ratio_of_needs(world, members, slice(0, 7))
    assert abs(ratio - 1.4) < 4 * error < 0.3
    live(world, 1)
    ratio, error = ratio_of_needs(world, members, 7)
    assert abs(ratio - 2.8) < 4 * error < 1.0


def test_kept_parcels_enrol_members_and_benefits_cost_their_share() -> None:
    s = scenario(population=ALIKE | {"size": 30_000}, brand=NOBODY, horizon={"days": 60, "warm_up": 0},
                 channels={"shop": channel(direct=0.005, intercept=0.0, return_rate=0.2),
                           "store": channel(direct=0.005, intercept=0.0)},
                 flows=[{"source": "store", "target": "membership", "kind": "enrol", "rate": 0.5}],
                 membership={"join": 0.2})
    world = live(open_world(s, 1), 60)
    books = world.ledger.close()
    orders = books.orders[(books.orders["delivered"] >= 0) & (books.orders["returned"] < 0)]
    joined = of(world, MEMBER)
    for place, share in ((0, 0.2), (1, 1 - 0.8 * 0.5)):
        who = orders["consumer"][orders["channel"] == place]
        assert within(joined[who].sum(), who.size, share)
    assert not joined[~of(world, CUSTOMER)].any()
    assert books.transitions[:, 17].sum() > 0  # t18


def test_benefits_are_a_share_of_members_orders() -> None:
    n = 5_000
    s = scenario(horizon={"days": 30, "warm_up": 0}, population=ALIKE | {"size": n}, brand=customers(n),
                 service={"consult_share": 0.0}, membership={"join": 1.0, "benefit": 0.01})
    books = simulate(s)
    paid = books.orders["price"] * books.orders["quantity"]
    assert total(books, "service") == -((paid * 10_000 + 500_000) // 1_000_000).sum() < 0


# referral


def referring(n: int = 100_000, direct: float = 1e-3, **referral: float) -> Scenario:
    return scenario(
        horizon={"days": 30, "warm_up": 0}, population=ALIKE | {"size": n}, brand=NOBODY,
        service={"consult_share": 0.0}, channels={"shop": channel(direct=direct, intercept=0.0)},
        referral={"share_rate": 0.5, "invitations": 4, "acceptance": 0.2, "reward": 15.0, "advocates": 0.0} | referral)


def test_new_customers_bring_others_on_the_next_day_for_a_reward() -> None:
    books = simulate(referring())
    new, referred = (books.daily[:, 0, MEASURE[name]] for name in ("new_customers", "referred_orders"))
    assert referred[0] == 0 and referred[1:].sum() > 100
    # K = 0.5 · 4 · 0.2 of the day before; the variance of a day's invitations is K + K² / 0.5 ...
    expected, variance = 0.4 * new[:-1].sum(), new[:-1].sum() * (0.4 * 0.8 + 0.8**2 * 0.5 * 0.5)
    assert abs(referred[1:].sum() - expected) < 4 * math.sqrt(variance)
    np.testing.assert_array_equal(books.daily[:, 0, MEASURE["service"]], -1500 * referred)
    assert not books.daily[..., MEASURE["media"]].any()
    assert (books.orders["number"][books.orders["origin"] == ORIGINS.index("referral")] == 1).all()


def test_nobody_follows_two_invitations() -> None:
    """In a crowded market many are invited twice; each becomes a customer once."""
    books = simulate(referring(2_000, 0.01, share_rate=1.0, invitations=20, acceptance=0.049))
    assert np.bincount(books.orders["consumer"]).max() == 1
    assert total(books, "referred_orders") > 50


def test_advocates_expose_their_neighbours_on_the_next_day() -> None:
    """A delivered repeat makes an advocate (t24) for thirty days; each reaches ten (t26), who may turn interested."""
    n = 20_000
    books = simulate(scenario(
        horizon={"days": 50, "warm_up": 0}, population=ALIKE | {"size": n}, brand=customers(n // 4),
        channels={"shop": channel(delivery_days=1)}, supply={"unlimited": True, "cutoff_hour": 24},
        referral={"advocates": 1.0, "advocate_days": 30, "audience": 10, "persuasion": 0.3}))
    moves = {f"t{k + 1:02}": books.transitions[:, k] for k in range(39)}
    assert moves["t24"].sum() > 1_000
    np.testing.assert_array_equal(moves["t26"], 10 * moves["t24"])
    # each delivered repeat from stage "active"; later also of those who were advocates before
    np.testing.assert_array_equal(moves["t24"][:30], moves["t21"][:30])
    assert (moves["t24"] >= moves["t21"]).all()
    np.testing.assert_array_equal(moves["t34"][30:], moves["t24"][:-30])
    first = int(np.flatnonzero(moves["t24"])[0])
    assert not moves["t01"][:first + 1].any() and moves["t01"][first + 1] > 0
    np.testing.assert_array_equal(moves["t01"][:20], moves["t02"][:20])  # persuasion 0.3 is above the threshold


# after-sales and service


def test_returns_have_their_share_are_refunded_and_restocked_with_delay() -> None:
    n = 20_000
    s = scenario(horizon={"days": 40, "warm_up": 0}, population=ALIKE | {"size": n}, brand=customers(n),
                 channels={"shop": channel(return_rate=0.3, delivery_days=2)},
                 products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "base_stock": 100_000}},
                 supply={"restock_days": 5, "restock_share": 1.0, "cutoff_hour": 12})
    books = simulate(s)
    orders = books.orders
    arrives = orders["day"] + 2 + (orders["minute"] >= 720)
    np.testing.assert_array_equal(orders["delivered"], np.where(arrives < 40, arrives, -1))
    arrived, back = orders["delivered"] >= 0, orders["returned"] >= 0
    assert within(back.sum(), arrived.sum(), 0.3)
    assert (orders["returned"][back] == orders["delivered"][back]).all()
    assert total(books, "returned_lines") == back.sum()
    value = orders["price"] * orders["quantity"]
    assert total(books, "returns") == -value[back].sum()
    units = np.bincount(orders["returned"][back], orders["quantity"][back], minlength=40).astype(int)
    np.testing.assert_array_equal(books.stock[5:, 0, 0, 7], units[:-5])
    assert total(books, "cost_of_goods") == -3000 * (orders["quantity"].sum() - units.sum())
    ended = books.transitions[:, 15].sum(), books.transitions[:, 16].sum()
    assert within(ended[0], sum(ended), 0.7)  # default recovery


def test_the_share_of_units_fit_to_be_sold_again() -> None:
    n = 20_000
    books = simulate(scenario(horizon={"days": 40, "warm_up": 0}, population=ALIKE | {"size": n}, brand=customers(n),
                              channels={"shop": channel(return_rate=1.0, delivery_days=0, order_value=60.0)},
                              supply={"unlimited": True, "restock_days": 1, "restock_share": 0.6, "cutoff_hour": 24}))
    back = books.daily[:-1, 0, MEASURE["returned_lines"]].sum()
    assert within(books.stock[1:, 0, 0, 7].sum(), back, 0.6)


@pytest.mark.parametrize("capacity", [0, 40, 10_000])
def test_the_desk_answers_what_it_can(capacity: int) -> None:
    """As many as the capacity in the mean, judged by what was asked the day before; each answer costs."""
    s = scenario(population=ALIKE | {"size": 20_000}, channels={"shop": channel(direct=0.02, checkout=False)},
                 service={"consult_share": 0.3, "capacity": capacity, "cost": 0.5}, brand=NOBODY)
    books = simulate(s)
    asked, cost = (books.daily[:, 0, MEASURE[name]] for name in ("consultations", "service"))
    assert within(asked.sum(), total(books, "visits"), 0.3)
    answered = cost // -50
    if capacity == 0:
        assert not answered.any()
    elif capacity == 40:
        assert abs(answered[1:].mean() - 40) < 4 * math.sqrt(40 / 59 * 1.4)
    else:
        np.testing.assert_array_equal(answered, asked)


@pytest.mark.parametrize("age", [0.0, 1.0])
def test_members_are_those_who_sit_there(age: float) -> None:
    s = groups(5_000, 10, members=400, seats=500, join_per_visit=0.01, leave_per_week=0.1,
               brand=NOBODY | {"age": age, "new_customers": 500.0})
    world = open_world(s, 1)
    books = live(world, 10).ledger.close()
    found = kpis(s, [books]).set_index("kpi")["value"]["private_members"]
    assert found == of(world, SEAT).sum() and (found > 0) == (age > 0)


def test_only_those_alive_are_seated_on_the_first_day() -> None:
    world = open_world(small_brand(), 1)
    seated = of(world, SEAT)
    assert seated.sum() == 60 and of(world, ALIVE)[seated].all()
    assert (np.sort(world.market.seats.holders[:60]) == np.flatnonzero(seated)).all()
