"""Who gets what: one function settles a day's orders against the stock, in the order in which they were placed."""

from __future__ import annotations

import numpy as np

from omnisim.books import CANCELLED, FILLED, LOST, MOVES, STOCK, WAITS
from omnisim.compiled import inner, kernel
from omnisim.streams import unit

DEMAND, FILL, LOSS, BACK = (STOCK.index(name) for name in ("demand", "filled", "lost", "backordered"))
OVERSOLD, SWITCHED, SUBSTITUTED, PICKED_UP, ADDED = (MOVES.index(name) for name in (
    "oversold", "switched", "substituted", "picked_up", "added"))


@inner
def place_with(stock, sources, k, p, units):
    """The first place that serves channel k with article p and holds so many units; -1 if none does."""
    for n in range(sources.shape[2]):
        place = sources[k, p, n]
        if place < 0:
            break
        if stock[place, p] >= units:
            return place
    return np.int64(-1)


@inner
def has_all(stock, claims, c, place):
    """Whether a place holds all lines of the order that begins with claim c."""
    for n in range(c, c + 1 + np.int64(claims[c].more)):
        if stock[place, np.int64(claims[n].sku)] < claims[n].units:
            return False
    return True


@inner
def place_with_all(stock, sources, claims, c):
    """The first place that serves the channel and holds all lines of the order that begins with claim c, else -1."""
    k, p = np.int64(claims[c].channel), np.int64(claims[c].sku)
    for n in range(sources.shape[2]):
        place = sources[k, p, n]
        if place < 0:
            break
        if has_all(stock, claims, c, place):
            return place
    return np.int64(-1)


@inner
def pick_by(weights, size, u):
    """The index that a number in (0, 1) picks by the first weights; -1 if all are 0."""
    left = 0.0
    for n in range(size):
        left += weights[n]
    left *= u
    chosen = np.int64(-1)
    for n in range(size):
        if weights[n] > 0.0:
            chosen = np.int64(n)
            left -= weights[n]
            if left < 0.0:
                break
    return chosen


@inner
def other_channel(desk, k, p, uses, word, weights):
    """Another channel that sells the article and that the consumer uses; writes the weights it chose by."""
    for j in range(desk.weight.size):
        usable = j != k and desk.mix[j, p] > 0.0 and (uses >> np.uint32(j)) & np.uint32(1)
        weights[j] = desk.weight[j] if usable else 0.0
    return pick_by(weights, desk.weight.size, unit(word))


@inner
def other_article(desk, k, p, word, weights):
    """An article of the channel other than p (-1: any); writes the weights it chose by."""
    for s in range(desk.mix.shape[1]):
        weights[s] = desk.mix[k, s] if s != p else 0.0
    return pick_by(weights, desk.mix.shape[1], unit(word))


@inner
def catch_up(seen, told, log, n_log, k, minute):
    """Channel k learns what the others sold up to a minute; returns how much of the log it has read."""
    while told < n_log and log[told, 0] <= minute:
        if log[told, 1] != k:
            seen[k, log[told, 2], log[told, 3]] -= log[told, 4]
        told += 1
    return told


@inner
def store_with_all(desk, on_hand, claims, c):
    """The store near the consumer, if the order that begins with claim c is to be picked up and the store has all of
    it; else -1."""
    claim = claims[c]
    k = np.int64(claim.channel)
    if desk.collects[k] == 0.0 or unit(claim.collect) >= desk.collects[k]:
        return np.int64(-1)
    store = np.int64(0)
    while store < desk.edges.size - 1 and unit(claim.near) > desk.edges[store]:
        store += 1
    return store if has_all(on_hand, claims, c, desk.stores[store]) else np.int64(-1)


@inner
def react(desk, on_hand, stock, moves, claim, k, p, weights):
    """What an order line does that meets no stock: waits, tries another channel or article once, or is lost. A line of
    several does not leave its channel.

    Returns
    -------
    fate, place that fills it or -1, channel, article
    """
    first, units = desk.sources[k, p, 0], claim.units
    u = unit(claim.react) - desk.shares[0]
    if u < 0.0:
        return WAITS, np.int64(-1), k, p
    if u < desk.shares[1]:
        is_alone = claim.line == 0 and claim.more == 0
        other = other_channel(desk, k, p, claim.uses, claim.choose, weights) if is_alone else np.int64(-1)
        if other >= 0:
            place = place_with(on_hand, desk.sources, other, p, units)
            if place >= 0:
                stock[first, p, DEMAND] += units
                stock[first, p, LOSS] += units
                moves[first, p, SWITCHED] += units
                return FILLED, place, other, p
    elif u < desk.shares[1] + desk.shares[2]:
        other = other_article(desk, k, p, claim.choose, weights)
        if other >= 0:
            place = place_with(on_hand, desk.sources, k, other, units)
            if place >= 0:
                stock[first, p, DEMAND] += units
                stock[first, p, LOSS] += units
                moves[first, p, SUBSTITUTED] += units
                return FILLED, place, k, other
    return LOST, np.int64(-1), k, p


@inner
def give(on_hand, stock, seen, log, n_log, minute, k, place, p, units):
    """Units leave a place for a consumer of channel k, which sees it at once; returns the entries of the log."""
    on_hand[place, p] -= units
    stock[place, p, DEMAND] += units
    stock[place, p, FILL] += units
    if seen.shape[0] == 0:
        return n_log
    seen[k, place, p] -= units
    log[n_log, 0], log[n_log, 1], log[n_log, 2], log[n_log, 3], log[n_log, 4] = minute, k, place, p, units
    return n_log + 1


@kernel
def settle(desk, on_hand, claims, verdicts, extras, stock, moves):
    """Settle the orders of a day, given in the order in which they count.

    An order is picked up at the store nearby, or filled from the first place of its channel that has all of it. If none
    has, each line is filled by itself from the first that has enough of it (partial order service: what is there is
    sold). A line that meets no stock is cancelled if its channel could not know better yet (sync delay); otherwise it
    waits, tries another channel or another article once, or is lost, by luck of its own.

    Parameters
    ----------
    desk : Desk
    on_hand : int64 (places, skus)  reduced by what is filled
    claims : CLAIM (n,)  the lines of an order follow each other
    verdicts : VERDICT (n,)  written
    extras : int64 (n, 3)  written: claim, channel and article of what was bought on the way in a store
    stock, moves : int64 (places, skus, …)  the day's tallies, added to

    Returns
    -------
    number of extras
    """
    places = on_hand.shape[0]
    channels, skus = desk.mix.shape
    delay = desk.delay[0]
    log = np.empty((2 * claims.size if delay > 0 else 0, 5), np.int64)
    seen = np.empty((channels if delay > 0 else 0, places, skus), np.int64)
    for j in range(seen.shape[0]):
        seen[j] = on_hand  # counted overnight
    told = np.zeros(channels, np.int64)
    weights = np.empty(max(channels, skus))
    store = whole = n_log = np.int64(0)
    n_extras = 0
    for c in range(claims.size):
        claim, verdict = claims[c], verdicts[c]
        k, p, units, minute = np.int64(claim.channel), np.int64(claim.sku), claim.units, np.int64(claim.minute)
        first, fate = desk.sources[k, p, 0], FILLED
        if claim.line == 0:
            store = store_with_all(desk, on_hand, claims, c)
            whole = desk.stores[store] if store >= 0 else place_with_all(on_hand, desk.sources, claims, c)
        place = whole if whole >= 0 else place_with(on_hand, desk.sources, k, p, units)
        if delay > 0:
            told[k] = catch_up(seen, told[k], log, n_log, k, minute - delay)
        if place < 0 and delay > 0 and place_with(seen[k], desk.sources, k, p, units) >= 0:
            fate = CANCELLED
            moves[first, p, OVERSOLD] += units
        elif place < 0:
            fate, place, k, p = react(desk, on_hand, stock, moves, claim, k, p, weights)
        verdict.fate, verdict.waited, verdict.channel, verdict.sku = fate, 0, k, p
        if place < 0:
            verdict.way = first
            stock[first, p, DEMAND] += units
            stock[first, p, BACK if fate == WAITS else LOSS] += units
            continue
        n_log = give(on_hand, stock, seen, log, n_log, minute, k, place, p, units)
        verdict.way = place if store < 0 else places + place
        if store < 0:
            continue
        moves[place, p, PICKED_UP] += units
        if claim.more > 0:
            continue  # they buy more once they hold all of it
        # who picks up is a share of all: within it, the same draw is evenly spread again
        owner = desk.owner[store]
        if owner >= 0 and unit(claim.collect) < desk.collects[k] * desk.add_on[0]:
            more = other_article(desk, owner, -1, claim.choose, weights)
            if more >= 0 and on_hand[place, more] >= desk.scale[0]:
                n_log = give(on_hand, stock, seen, log, n_log, minute, owner, place, more, desk.scale[0])
                moves[place, more, ADDED] += desk.scale[0]
                extras[n_extras, 0], extras[n_extras, 1], extras[n_extras, 2] = c, owner, more
                n_extras += 1
    return n_extras


@kernel
def serve_waiting(sources, on_hand, channel, sku, units, places):
    """Serve orders that wait, in order, each whole from the first place of its channel that has enough.

    Parameters
    ----------
    on_hand : int64 (places, skus)  reduced by what is sent
    places : int64 (n,)  written: the place, or -1
    """
    for c in range(channel.size):
        places[c] = place_with(on_hand, sources, channel[c], sku[c], units[c])
        if places[c] >= 0:
            on_hand[places[c], sku[c]] -= units[c]
