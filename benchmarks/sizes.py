"""A scenario for another number of consumers: everything that belongs to the whole market is scaled alike."""

from __future__ import annotations

import math
from collections.abc import Mapping

from omnisim.scenario.model import Scenario


def resize(scenario: Scenario, size: int, changes: Mapping[str, object] | None = None) -> Scenario:
    """The scenario with `size` simulated consumers, each standing for one person.

    Budgets are cut to whole cents; what that leaves out comes back as organic impressions, so that a consumer sees as
    much as before at any size. Seats, members, stock, the smallest order and the capacity of the service desk follow.

    Parameters
    ----------
    changes : mapping  further changes, as for `Scenario.with_`
    """
    share = size / (scenario.population.size * scenario.population.scale)
    scaled: dict[str, object] = {"population.size": size, "population.scale": 1,
                                 "brand.new_customers": scenario.brand.new_customers * share}
    for name, channel in scenario.channels.items():
        budget = math.floor(channel.budget * share * 100 + 1e-6) / 100
        dust = max(0.0, channel.budget * share - budget) * (1 - channel.search_share)
        scaled[f"channels.{name}.budget"] = budget
        scaled[f"channels.{name}.organic_impressions"] = channel.organic_impressions * share + 1000 * dust / channel.cpm
    if scenario.community:
        scaled["community.seats"] = max(1, round(scenario.community.seats * share))
        scaled["community.members"] = round(scenario.community.members * share)
    if scenario.service.capacity is not None:
        scaled["service.capacity"] = round(scenario.service.capacity * share)
    for sku, product in scenario.products.items():
        scaled[f"products.{sku}.base_stock"] = max(1, round(product.base_stock * share))
    scaled["supply.moq"] = max(1, round(scenario.supply.moq * share))
    return scenario.with_(scaled | dict(changes or {}))
