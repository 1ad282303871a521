"""What happens to consumers, each mechanism alone and against its closed form; four standard errors throughout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from building import channel, live, scenario, small_brand, users, within
from scipy import special, stats

from omnisim.books import MEASURE, ORIGINS, SEGMENT, Books
from omnisim.market import reach
from omnisim.market.consumers import ALIVE, CUSTOMER, NEVER
from omnisim.market.day import LOOKED
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import open_world, simulate
from omnisim.vocabulary import STATE_INDEX, STATE_NAMES, TRANSITIONS

ON_DAY_ZERO = {"first_days": (0, 1)}
NOBODY = {"age": 0.0, "new_customers": 0.0}
ALIKE = {"size": 50_000, "renewal": 0.0, "affinity_shape": 50.0}
"""Consumers of nearly equal affinity."""
ASK_NOBODY = {"consult_share": 0.0}


def total(books: Books, measure: str, place: int = 0) -> int:
    return int(books.daily[:, place, MEASURE[measure]].sum())


def everybody_a_customer(n: int, **repurchase: float) -> dict:
    """A brand whose whole market ordered first on the eve; rates nearly alike at 1/50 a day, no lapse."""
    return {"age": 1 / 365, "new_customers": 30.0 * n, "repurchase": {
        "rate_shape": 100.0, "rate_scale": 5000.0, "lapse_a": 0.02, "lapse_b": 1000.0, "interest_uplift": 0.0,
        "dormant_after": 3650} | repurchase}


# what is off


@pytest.mark.parametrize(("part", "on", "off"), [
    ("exposures", {"channels.shop.organic_impressions": 100.0}, {"channels.shop.organic_impressions": 0.0}),
    ("visits", {"channels.shop.direct": 0.001}, {"channels.shop.direct": 0.0}),
    ("needs", {"brand.loop.repurchase": True}, {"brand.loop.repurchase": False}),
    ("renewals", {"population.renewal": 0.5}, {"population.renewal": 0.0}),
])
def test_a_mechanism_that_is_off_looks_at_no_consumer(part: str, on: dict[str, float], off: dict[str, float]) -> None:
    """Counted, not timed. On, media look at whom they hit, a renewal at those whose turn it is, all others at everybody
    every day; off, at nobody."""
    looked = {}
    for name, changes in (("on", on), ("off", off)):
        world = live(open_world(scenario(horizon={"days": 3, "warm_up": 0}).with_(changes), 1), 3)
        looked[name] = int(world.market.counts[0]["looked"][0, LOOKED.index(part)])
    assert looked["off"] == 0
    if part == "renewals":
        assert abs(looked["on"] - 20_000 / 730) <= 1
    elif part == "exposures":
        assert abs(looked["on"] - 100) < 4.5 * 10
    else:
        assert looked["on"] == 20_000


# stages


def test_every_day_stages_are_those_of_the_people_and_change_by_the_transitions_and_renewal() -> None:
    world = open_world(small_brand(population={"size": 9_000, "renewal": 0.8}, horizon={"days": 40, "warm_up": 20}), 3)
    source = [STATE_INDEX[t.source] for t in TRANSITIONS]
    target = [STATE_INDEX[t.target] for t in TRANSITIONS]
    before = world.market.stages.copy()
    np.testing.assert_array_equal(before, np.bincount(world.market.consumers.people["stage"], minlength=16))
    renewed = 0
    for _ in range(60):
        row = live(world, 1).ledger.stages[world.day - 1 + 20]
        assert row.sum() == 9_000
        np.testing.assert_array_equal(row, np.bincount(world.market.consumers.people["stage"], minlength=16))
        moves = world.ledger.transitions[world.day - 1 + 20].copy()
        moves[TRANSITIONS.index(next(t for t in TRANSITIONS if t.id == "t26"))] = 0  # its mover stays an advocate
        change = np.bincount(target, moves, 16) - np.bincount(source, moves, 16) + world.market.counts[0]["renewed"][0]
        np.testing.assert_array_equal(row, before + change)
        assert world.market.counts[0]["renewed"][0].sum() == 0
        renewed += int(-world.market.counts[0]["renewed"][0][1:].sum())
        before = row.copy()
    assert renewed > 0


def test_all_transitions_and_stages_are_reached() -> None:
    brand = {"new_customers": 65.0, "repurchase": {"dormant_after": 60, "lost_after": 40}}
    books = simulate(small_brand(horizon={"days": 400, "warm_up": 0}, brand=brand,
                                 community={"channel": "community", "seats": 1000, "members": 500}))
    counts = books.transitions.sum(axis=0)
    assert [t.id for t, count in zip(TRANSITIONS, counts, strict=True) if count == 0] == []
    occupied = books.stages.max(axis=0)
    assert [name for name, people in zip(STATE_NAMES, occupied, strict=True) if people == 0] == []


@pytest.mark.parametrize("stage", ["seed", "convert", "repurchase", "refer"])
def test_the_loop_needs_each_of_its_stages(stage: str) -> None:
    """Switching any one off lowers twelve-month GMV, on the same luck."""
    strong = {"horizon": {"days": 365, "warm_up": 0}, "supply": {"unlimited": True},
              "referral": {"share_rate": 0.3, "invitations": 6, "acceptance": 0.15}}
    on, off = (simulate(small_brand(**strong, brand={"new_customers": 65.0, "loop": loop}))
               for loop in ({}, {stage: False}))
    gmv = [books.daily[..., MEASURE["gmv"]].sum() for books in (on, off)]
    assert gmv[1] < 0.97 * gmv[0]
    moves = dict(zip((t.id for t in TRANSITIONS), off.transitions.sum(axis=0), strict=True))
    first, referred = (off.daily[..., MEASURE[name]].sum() for name in ("new_customers", "referred_orders"))
    needs = (off.orders["origin"] == ORIGINS.index("need")).sum()
    assert {"seed": moves["t02"], "convert": first, "repurchase": needs, "refer": referred + moves["t26"]}[stage] == 0


def test_renewal_replaces_everybody_once_in_its_period() -> None:
    """A share of 1 a year replaces a fifth of the market in 73 days, to the consumer."""
    n = 365 * 55
    world = open_world(scenario(horizon={"days": 365, "warm_up": 0}, population={"size": n, "renewal": 1.0},
                                brand=everybody_a_customer(n) | {"loop": {"repurchase": False}}), 1)
    live(world, 73)
    people = world.market.consumers.people
    left = people["flags"] & CUSTOMER == 0
    assert left.sum() == n / 5
    assert (people["stage"][left] == 0).all() and (people["orders"][left] == 0).all()
    live(world, 365 - 73)
    assert not (people["flags"] & CUSTOMER).any()


# exposure and interest


def test_interest_rises_by_the_persuasion_and_is_forgotten_when_it_has_decayed_below_the_threshold() -> None:
    """x(t) = 1 - (1 - h 2^(-t/21)) (1 - h 2^(-t/5)) with h = 1 - √(1 - q), after one exposure."""
    q, threshold = 0.4, 0.2
    s = scenario(horizon={"days": 40, "warm_up": 0}, channels={"feed": channel(budget=30.0, persuasion=q)},
                 brand=NOBODY | {"interest": {"threshold": threshold}})
    books = simulate(s, plan=Plan(**ON_DAY_ZERO, budgets={"feed": (3000, 0)}))
    half = 1 - math.sqrt(1 - q)
    x = [1 - (1 - half * 2 ** (-t / 21)) * (1 - half * 2 ** (-t / 5)) for t in range(40)]
    assert x[0] == pytest.approx(q)
    gone = next(t for t in range(40) if x[t] < threshold)
    seen = total(books, "impressions")
    assert seen > 500
    for move, day in (("t01", 0), ("t02", 0), ("t05", gone)):
        found = books.transitions[:, [t.id for t in TRANSITIONS].index(move)]
        assert found[day] == found.sum() == seen, move


def test_paid_impressions_are_their_share() -> None:
    books = simulate(scenario(channels={"feed": channel(budget=30.0, organic_impressions=3000.0)}, brand=NOBODY))
    assert within(total(books, "paid_impressions"), total(books, "impressions"), 0.25)
    assert total(books, "media") == -60 * 3000


MEDIA = reach.Media(search_share=np.array([0.5, 0.0]), cpm=np.array([30.0, 60.0]), cpc=np.array([2.0, 1.0]),
                    organic=np.array([0.0, 600.0]), audience=np.array([10_000.0, 0.0]), unaided=0.4)


def test_money_buys_impressions_by_the_thousand() -> None:
    bought = reach.buy(MEDIA, np.array([12_000, 5_000]), np.zeros(2))
    assert bought.exposure[0] == pytest.approx(1000 * 60 / 30 / 10_000)  # 60 of the 120 CNY
    assert bought.spend.tolist() == [6_000, 0]  # no searches to bid on, nobody on the other channel
    assert bought.exposure[1] == 0.0 and bought.coverage.tolist() == [0.4, 0.4]


def test_search_money_beyond_the_searches_stays_unspent() -> None:
    """600 of 1,000 searches need an ad; at 2 CNY a click no more than 1,200 CNY can be spent."""
    searches = np.array([1000.0, 0.0])
    for budget, clicks in ((100_000, 250.0), (480_000, 600.0), (10_000_000, 600.0)):
        bought = reach.buy(MEDIA, np.array([budget, 0]), searches)
        assert bought.spend[0] == budget // 2 + clicks * 200
        assert bought.coverage[0] == pytest.approx(0.4 + 0.6 * -math.expm1(-clicks / 600))


def test_a_run_leaves_search_money_unspent_and_never_spends_more_than_planned() -> None:
    shop = channel(budget=5000.0, search_share=1.0, search=0.3, organic_impressions=5000.0, persuasion=0.5)
    books = simulate(scenario(channels={"shop": shop}, brand=NOBODY))
    media = -books.daily[:, 0, MEASURE["media"]]
    assert media[0] == 0  # nobody had searched yet
    assert media[20:].min() > 0 and media.max() < 500_000
    assert (books.daily[:, 0, MEASURE["budget"]] == 500_000).all()
    # searches are found half the time, and with an ad for each of the others in all but e^-1 of those
    searches = books.daily[30:-1, 0, MEASURE["searches"]] / (0.5 + 0.5 * -math.expm1(-1.0))
    np.testing.assert_allclose(media[31:], np.floor(searches * 50), atol=1)


# visits


def test_direct_visits_follow_their_hazard_and_the_season() -> None:
    """P(visit) = 1 - e^(-w o): weekday × month × campaign multiply the hazard."""
    calendar = {"weekday": [1, 1, 1, 1, 1, 0.5, 1], "month": [1] * 5 + [2, 1] + [1] * 5,
                "campaigns": [{"name": "sale", "start": "2024-06-11", "end": "2024-06-12", "factor": {"shop": 3.0}}]}
    s = scenario(horizon={"days": 31, "warm_up": 0}, population=ALIKE | {"affinity_shape": 50.0}, calendar=calendar,
                 channels={"shop": channel(direct=0.02), "store": channel(direct=0.02)}, brand=NOBODY)
    visits = simulate(s).daily[:, :, MEASURE["visits"]]
    theta = open_world(s, 1).market.consumers.people["affinity"].astype(float)

    def expect(weight: float) -> float:
        return float(-np.expm1(-weight * 0.02 * theta).mean())

    assert within(visits[2, 0], 50_000, expect(2.0))  # Monday, 3 June
    assert within(visits[0, 0], 50_000, expect(1.0))  # Saturday, 1 June
    assert within(visits[10:12, 0].sum(), 100_000, expect(6.0))
    assert within(visits[10:12, 1].sum(), 100_000, expect(2.0))
    assert within(visits[30, 0], 50_000, expect(1.0))  # 1 July


def test_a_visit_pulls_the_visitor_back_half_as_much_every_four_days() -> None:
    b = 0.2
    s = scenario(horizon={"days": 6, "warm_up": 0}, population=ALIKE, brand=NOBODY,
                 channels={"shop": channel(budget=300.0, click_share=1.0, revisit=b)})
    books = simulate(s, plan=Plan(**ON_DAY_ZERO, budgets={"shop": (30_000, 0)}))
    visits = books.daily[:, 0, MEASURE["visits"]]
    assert visits[0] == total(books, "clicks") == total(books, "impressions")
    again = -math.expm1(-b * 2**-0.25)
    assert within(visits[1], visits[0], again)
    twice = -math.expm1(-b * 2**-0.5)
    assert within(visits[2], visits[0], again * again + (1 - again) * twice)


def test_unique_visitors_are_the_distinct_ones_of_a_block() -> None:
    s = scenario(horizon={"days": 70, "warm_up": 0}, channels={"shop": channel(direct=0.02, revisit=0.3)})
    world = open_world(s, 1)
    seen = []
    for days, first in ((10, 0), (30, 10), (30, 40)):
        live(world, days)
        seen.append(int((world.market.consumers.last[:, 0] >= first).sum()))
    unique = world.ledger.daily[:, 0, MEASURE["unique_visitors"]]
    assert [unique[:10].sum(), unique[10:40].sum(), unique[40:].sum()] == seen
    assert world.ledger.group_unique.sum() == seen[1] + seen[2]


def test_first_visits_in_sixty_days_register() -> None:
    s = scenario(horizon={"days": 60, "warm_up": 0}, channels={"shop": channel(direct=0.02, registration=0.38)})
    world = live(open_world(s, 1), 60)
    first = int((world.market.consumers.last[:, 0] != NEVER).sum())
    assert within(world.ledger.daily[..., MEASURE["new_users"]].sum(), first, 0.38)


# flows between channels


def flows_of(kind: str, rate: float, seed: int = 1, **fields: float) -> Books:
    source = {"link": {"direct": 0.03}, "seed": {"organic_impressions": 3000.0, "persuasion": 0.3}}[kind]
    return simulate(scenario(
        horizon={"days": 60, "warm_up": 30}, population={"size": 60_000, "renewal": 0.0, "affinity_shape": 5.0},
        channels={"douyin": channel(**source, reach=0.75, checkout=False),
                  "taobao": channel(reach=0.6, intercept=special.logit(0.035), order_value=150.0, **fields)},
        flows=[{"source": "douyin", "target": "taobao", "kind": kind, "rate": rate}], service=ASK_NOBODY,
        brand=NOBODY | {"interest": {"slope": 0.0}, "loop": {"repurchase": False}}), seed=seed)


def test_links_lead_on_their_share_of_a_months_visitors() -> None:
    """A card of 5 % leads 2,500 of 50,000 visitors a month on, of whom 3.5 % order for 150 CNY; 12 % leads 2.4 ×."""
    led = {rate: flows_of("link", rate) for rate in (0.05, 0.12)}
    for rate, books in led.items():
        visitors = books.daily[30:, 0, MEASURE["unique_visitors"]].sum()
        visits, orders = books.flows[0, 1]
        assert visitors > 20_000
        assert within(visits, visitors, rate)
        assert within(orders, visits, 0.035)
        assert not books.flows[1].any() and not books.flows[0, 0].any()
        assert total(books, "gmv", 1) == pytest.approx(total(books, "orders", 1) * 15_000, rel=0.08)
        assert (books.orders["origin"] == ORIGINS.index("link")).all()
    assert led[0.12].flows[0, 1, 0] / led[0.05].flows[0, 1, 0] == pytest.approx(2.4, rel=0.08)


def test_seeds_lead_on_their_share_of_the_newly_interested() -> None:
    books = flows_of("seed", 0.08)
    newly = books.transitions[30:, 1].sum()
    assert newly > 3_000
    assert within(books.flows[0, 1, 0], newly, 0.08)


def test_no_flow_without_flows() -> None:
    assert not simulate(small_brand(flows=[])).flows.any()


# first orders


def test_visits_end_in_orders_by_the_logistic_curve_and_an_answer_helps() -> None:
    """Odds e^intercept (1 + lift of an answer)."""
    def run(service: dict, **fields: float) -> Books:
        return simulate(scenario(population=ALIKE, brand=NOBODY | {"loop": {"repurchase": False}}, service=service,
                                 channels={"shop": channel(direct=0.01, intercept=-3.0, **fields)}))

    plain = run(ASK_NOBODY)
    # only those who have not bought yet decide
    deciding = total(plain, "visits") - visits_of_customers(plain)
    assert within(total(plain, "new_customers"), deciding, special.expit(-3.0))
    answered = run({"consult_share": 1.0, "lift": 1.0})
    deciding = total(answered, "visits") - visits_of_customers(answered)
    assert within(total(answered, "new_customers"), deciding, special.expit(-3.0 + math.log(2)))
    assert total(run(ASK_NOBODY, checkout=False, order_value=60.0), "orders") == 0


def visits_of_customers(books: Books) -> int:
    """Visits after the first order: the chance of a direct visit is 1 - e^-0.01 a day."""
    later = (books.days - 1 - books.orders["day"]).sum()
    return round(float(later) * -math.expm1(-0.01))


def test_a_channel_without_checkout_sells_nothing_whatever_leads_there() -> None:
    """Neither visits, nor needs of its old customers, nor invitations, nor the community."""
    plain = small_brand().model_dump()
    for name in ("xiaohongshu", "douyin", "community"):
        plain["channels"][name] |= {"checkout": False, "intercept": 3.0, "repeat_weight": 1.0}
    plain["flows"] = [flow for flow in plain["flows"] if flow["kind"] != "code"]
    books = simulate(Scenario.model_validate(plain))
    orders = books.daily[..., MEASURE["orders"]].sum(axis=0)
    assert dict(zip(plain["channels"], orders > 0, strict=True)) == {
        "xiaohongshu": False, "douyin": False, "taobao": True, "community": False}
    assert books.daily[:, [0, 1, 3], MEASURE["visits"]].sum() > 0


def test_baskets_have_the_channels_value_the_segments_spend_and_the_articles_shares() -> None:
    s = scenario(
        population=ALIKE | {"segments": [{"name": "thrifty", "share": 0.5}, {"name": "rich", "share": 0.5,
                                                                              "spend": 2.0}]},
        channels={"shop": channel(direct=0.01, intercept=1.0, order_value=150.0)}, brand=NOBODY,
        products={"core": {"price": 60.0, "cost": 30.0, "share": 0.7}, "gift": {"price": 40.0, "cost": 15.0,
                                                                              "share": 0.3}})
    world = live(open_world(s, 1), 60)
    orders = world.ledger.close().orders
    segment = world.market.consumers.people["segment"][orders["consumer"]]
    for spend in (1.0, 2.0):
        units = orders["quantity"][segment == spend - 1]
        mean = 150.0 / 54.0 * spend  # 1 + Poisson(mean - 1)
        assert abs(units.mean() - mean) < 4 * math.sqrt((mean - 1) / units.size)
        assert units.min() == 1
    assert within((orders["sku"] == 0).sum(), orders.size, 0.7)
    assert set(zip(orders["sku"], orders["price"], strict=True)) == {(0, 6000), (1, 4000)}


# segments


def test_segments_have_their_shares_and_habits() -> None:
    n = 100_000
    s = scenario(population={"size": n, "renewal": 0.0, "segments": [
        {"name": "18–35岁女性", "share": 0.3, "affinity": 2.0, "uses": {"shop": 0.5}},
        {"name": "students", "share": 0.2, "affinity": 0.5}, {"name": "others", "share": 0.5}]})
    for seed in (1, 2, 3):
        c = open_world(s, seed).market.consumers
        segment = c.people["segment"]
        for k, (share, affinity, uses) in enumerate(((0.3, 2.0, 0.5), (0.2, 0.5, 1.0), (0.5, 1.0, 1.0))):
            found = (segment == k).sum()
            assert abs(found - n * share) <= 3 * math.sqrt(n * share * (1 - share))
            spread = affinity / 1.2 * math.sqrt(1 / 0.3 / found)
            assert abs(c.people["affinity"][segment == k].mean() - affinity / 1.2) < 4 * spread
            assert within(users(c, 0)[segment == k].sum(), found, uses)
    books = simulate(s)
    assert books.segments[:, SEGMENT.index("consumers")].sum() == n


# repurchase


def test_repurchases_stay_with_the_last_channel_or_follow_the_weights() -> None:
    """P(stay) = σ + (1 - σ) π_home; repurchases come at the rate, and never of who has lapsed."""
    n = 30_000
    s = scenario(horizon={"days": 40, "warm_up": 0}, population=ALIKE | {"size": n}, brand=everybody_a_customer(n),
                 channels={"a": channel(repeat_weight=1.0), "b": channel(repeat_weight=3.0)})
    world = open_world(s, 1)
    home = world.market.consumers.people["home"].copy()
    assert within((home == 1).sum(), n, 0.75)
    orders = live(world, 40).ledger.close().orders
    assert orders.size == pytest.approx(n * 40 / 50, abs=5 * math.sqrt(n * 40 / 50))
    first = orders[np.unique(orders["consumer"], return_index=True)[1]]
    for k, share in ((0, 0.25), (1, 0.75)):
        there = home[first["consumer"]] == k
        assert within((first["channel"][there] == k).sum(), there.sum(), 0.6 + 0.4 * share)


def test_who_stays_with_a_channel_that_attracts_nobody_buys_there_all_the_same() -> None:
    n = 20_000
    books = simulate(scenario(horizon={"days": 20, "warm_up": 0}, population=ALIKE | {"size": n},
                              channels={"a": channel(repeat_weight=0.0)}, brand=everybody_a_customer(n, stay=1.0)))
    assert total(books, "orders") == pytest.approx(n * 20 / 50, abs=5 * math.sqrt(n * 20 / 50))


def test_the_season_of_a_channel_moves_its_own_repurchases_alone() -> None:
    """A need chooses its channel first and is kept with weight / largest weight."""
    n = 30_000

    def run(factor: float) -> np.ndarray:
        campaign = {"name": "sale", "start": "2024-06-01", "end": "2024-06-01", "factor": {"a": factor, "b": 1.0}}
        return simulate(scenario(
            horizon={"days": 1, "warm_up": 0}, population=ALIKE | {"size": n}, calendar={"campaigns": [campaign]},
            channels={"a": channel(), "b": channel()}, brand=everybody_a_customer(n, rate_scale=1000.0, stay=0.0),
        )).daily[0, :, MEASURE["orders"]]

    plain, low, high = run(1.0), run(0.5), run(2.0)
    assert low[1] == plain[1]  # the very same
    assert within(low[0], plain[0], 0.5)
    assert high[0] == pytest.approx(2 * plain[0], abs=8 * math.sqrt(plain[0]))
    assert high[1] == pytest.approx(plain[1], abs=8 * math.sqrt(plain[1]))


def test_first_orders_do_not_lapse_and_repeats_do() -> None:
    """With a sure lapse and no visits, all who are alive buy once more and never again."""
    n = 10_000
    brand = everybody_a_customer(n, lapse_a=1000.0, lapse_b=0.02, rate_scale=500.0)
    world = open_world(scenario(population=ALIKE | {"size": n}, brand=brand), 1)
    alive = (world.market.consumers.people["flags"] & ALIVE) != 0
    people = world.market.consumers.people
    assert (people["orders"][alive] == 1).all() and (people["orders"][~alive] == 2).all()
    books = live(world, 60).ledger.close()
    days = np.zeros((n, 60), np.int64)
    np.add.at(days, (books.orders["consumer"], books.orders["day"]), 1)
    buying = (days > 0).sum(axis=1)
    assert (buying[alive] == 1).mean() > 0.999 and not buying[~alive].any()  # 60 days at a rate of 1/5
    # a Poisson number of needs on that one day, all of them repeats
    several = 1 - 0.2 * math.exp(-0.2) / -math.expm1(-0.2)
    assert within((days.max(axis=1) > 1).sum(), alive.sum(), several)
    assert total(books, "repeat_orders") == books.orders.size and total(books, "win_back_orders") == 0


def test_lapsed_customers_are_won_back_at_lower_odds() -> None:
    n = 30_000
    brand = everybody_a_customer(n, lapse_a=1000.0, lapse_b=0.02, rate_scale=1.0, win_back=-1.0) | {"age": 2.0}
    brand["new_customers"] = 30.0 * n / 730
    s = scenario(horizon={"days": 1, "warm_up": 0}, population=ALIKE | {"size": n}, brand=brand, service=ASK_NOBODY,
                 channels={"shop": channel(direct=1.0, intercept=-1.0)})
    books = simulate(s)  # nearly all have bought twice and lapsed long ago
    visits = total(books, "visits")
    assert within(total(books, "win_back_orders"), visits - total(books, "repeat_orders"), special.expit(-2.0))


def test_a_scale_counts_people_in_its_multiples() -> None:
    books = simulate(small_brand(population={"size": 5_000, "scale": 7}, supply={"unlimited": True}, service={}))
    for name in ("stages", "transitions", "flows", "segments", "buyers", "cohorts", "path_counts"):
        assert not (getattr(books, name) % 7).any(), name
    assert (books.stages.sum(axis=1) == 35_000).all()
    counts = [MEASURE[name] for name in ("visits", "orders", "units", "gmv", "impressions", "joins", "new_users")]
    assert not (books.daily[..., counts] % 7).any() and books.daily[..., MEASURE["orders"]].sum() > 0
    assert (books.orders["weight"] == 7).all()


def test_minutes_of_the_day_follow_the_clock() -> None:
    from omnisim.market.rules import HOURLY
    books = simulate(scenario(population=ALIKE, channels={"shop": channel(direct=0.05, intercept=0.0)}, brand=NOBODY))
    hours = np.bincount(books.orders["minute"] // 60, minlength=24)
    assert stats.chisquare(hours, np.array(HOURLY) / sum(HOURLY) * hours.sum()).pvalue > 1e-4


def test_somebody_must_find_the_brand_unaided() -> None:
    """Search ads bid on yesterday's searches, which are told from those that found the brand."""
    with pytest.raises(ValueError, match="unaided"):
        scenario(brand=NOBODY | {"interest": {"unaided": 0.0}})
