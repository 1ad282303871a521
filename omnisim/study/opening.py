"""The stock that a plan starts from: what a run's warm-up leaves on the first reported morning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.replenish.instance import OWN, Instance
from omnisim.simulation import World

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Opening:
    """Stock of the first reported morning; arrays by place and article, (N, S) [unit].

    Parameters
    ----------
    places, skus : tuple of str  names, in the order of the arrays
    on_hand : int64 (N, S)  before anything comes in
    coming : day -> int64 (N, S)  what suppliers and nodes have sent, and returns that can be sold again, by the morning
        on which it stands on the shelf
    waiting : int64 (N, S)  promised to orders that wait, at the place that serves them first
    """

    places: tuple[str, ...]
    skus: tuple[str, ...]
    on_hand: Ints
    coming: Mapping[int, Ints]
    waiting: Ints


def opening_of(world: World) -> Opening | None:
    """The stock of a world that stands before its first reported day; None where stock never runs out."""
    backend = world.backend
    if backend.layout.unlimited:
        return None
    coming: dict[int, Ints] = {}
    for ways in (backend.stock.arrivals, backend.stock.restocks):
        for day, units in ways.items():
            coming[day] = coming.get(day, np.zeros_like(units)) + units
    return Opening(backend.layout.places, backend.layout.skus, backend.stock.on_hand.copy(), coming,
                   backend.backlog.units(backend.layout.desk))


def start_from(opening: Opening, instance: Instance) -> Instance:
    """The instance with this stock on hand and on its way; orders that wait are demand of the first period.

    Where a node sells beside feeding others, its stock stands in the cell that feeds, and those who wait stand in the
    cell of its own sales.
    """
    on_hand, receipt, demand = instance.on_hand.copy(), instance.receipt.copy(), instance.demand.copy()
    feeders = set(instance.feeder[instance.feeder >= 0].tolist())
    for b, (sku, node) in enumerate(zip(instance.skus.tolist(), instance.nodes.tolist(), strict=True)):
        cell = opening.places.index(node.removesuffix(OWN)), opening.skus.index(sku)
        if b not in feeders:
            demand[b, 0] += opening.waiting[cell]
        if node.endswith(OWN):
            continue
        on_hand[b] = opening.on_hand[cell]
        for day, units in opening.coming.items():
            if day < instance.periods * instance.days:
                receipt[b, int(day // instance.days)] += units[cell]
    return replace(instance, on_hand=on_hand, receipt=receipt, demand=demand)
