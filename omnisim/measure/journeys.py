"""Journeys: the channels that consumers touched on their way to an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.books import TOUCHES
from omnisim.measure.profit import to_currency
from omnisim.measure.windows import ratio

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.books import Books
    from omnisim.scenario.model import Scenario

BITS = 5
"""Bits of one touch."""
SHOWN = 10_000
"""Paths shown one by one."""
JOIN = " > "
UNTOUCHED = "none"
"""Name of the journey without any touch."""
OTHER = "other"
"""Name of the row that sums the paths not shown."""


def path_name(path: int, channels: list[str]) -> str:
    """A packed path as text: the latest touch stands in the lowest five bits, 0 is no touch."""
    touches = [(path >> BITS * k) & (1 << BITS) - 1 for k in reversed(range(TOUCHES))]
    return JOIN.join(channels[touch - 1] for touch in touches if touch) or UNTOUCHED


def journeys(scenario: Scenario, books: Books) -> pd.DataFrame:
    """Every path of touches, how many consumers took it and what they bought; the most orders first.

    Notes
    -----
    cvr = orders / consumers. A path keeps its first touch and its last five. Beyond 10,000 paths the rest is `other`.
    """
    import pandas as pd

    channels = list(scenario.channels)
    # the path in alphabetical numbers breaks ties, so neither the run nor the order of the file decides
    place = np.append(0, np.argsort(np.argsort(channels)) + 1).astype(np.uint32)
    named = sum((place[(books.paths >> np.uint32(BITS * k)) & np.uint32(31)] << np.uint32(BITS * k)
                 for k in range(TOUCHES)), np.zeros_like(books.paths))
    rank = np.lexsort((named, -books.path_counts[:, 0], -books.path_counts[:, 1]))
    shown, rest = rank[:SHOWN], rank[SHOWN:]
    names = [path_name(int(path), channels) for path in books.paths[shown]]
    counts = books.path_counts[shown]
    if len(rest):
        names.append(OTHER)
        counts = np.vstack([counts, books.path_counts[rest].sum(axis=0)])
    return pd.DataFrame({
        "path": pd.array(names, dtype="str"),
        "consumers": counts[:, 0],
        "orders": counts[:, 1],
        "gmv": to_currency(counts[:, 2]),
        "cvr": ratio(counts[:, 1], counts[:, 0]),
    })
