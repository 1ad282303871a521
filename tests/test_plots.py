"""Plots draw in both languages, answer a question and leave no global state."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_books, make_scenario

from omnisim.canvas import FONT, colour, separate, to_png
from omnisim.errors import UsageError
from omnisim.results import Result
from omnisim.vocabulary import COLUMNS, KPI_ZH, PHRASES, STATES

SCENARIO = make_scenario(days=120, warm_up=90)
BOOKS = make_books(SCENARIO)
NAMES = ("funnel", "daily", "states", "flows", "cohorts")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_each_plot_asks_and_answers(name: str, language: str) -> None:
    axes = getattr(Result(SCENARIO, [BOOKS], language=language).plot, name)()
    title = axes.get_title(loc="left")
    assert title.endswith("？" if language == "zh" else "?")
    assert any("一" <= letter <= "鿿" for letter in title) == (language == "zh")
    picture = to_png(axes)  # a missing glyph would warn, and warnings are errors here
    assert picture.startswith(b"\x89PNG")
    assert axes._repr_png_().startswith(b"\x89PNG")


def test_lines_carry_the_labels_of_the_channels() -> None:
    axes = Result(SCENARIO, [BOOKS], language="zh").plot.daily("gmv")
    assert {"抖音内容", "淘宝店铺", "社群", "小红书"} <= {text.get_text() for text in axes.texts}
    assert len(axes.lines) == 8
    assert axes.yaxis.get_major_formatter()(12_000, 0) == "12,000"


def test_a_measure_must_be_a_numeric_column() -> None:
    with pytest.raises(UsageError, match="measure = note"):
        Result(SCENARIO, [BOOKS]).plot.daily("note")


def test_plots_of_a_short_empty_run_still_draw() -> None:
    scenario = make_scenario(days=1, warm_up=0)
    books = make_books(scenario, visits_a_day=1.0)
    books = replace(books, daily=np.zeros_like(books.daily), flows=np.zeros_like(books.flows))
    for name in NAMES:
        assert to_png(getattr(Result(scenario, [books]).plot, name)())


def test_no_pyplot_is_needed() -> None:
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from synthetic import *; from omnisim.results import Result; "
            "s = make_scenario(days=5, warm_up=0); Result(s, [make_books(s)]).plot.funnel(); "
            "assert 'matplotlib.pyplot' not in sys.modules")
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)], check=True)


def test_the_font_is_small_and_holds_every_word() -> None:
    from matplotlib.ft2font import FT2Font

    assert FONT.stat().st_size <= 1_600_000
    assert "SIL OPEN FONT LICENSE" in FONT.with_name("OFL.txt").read_text(encoding="utf-8")
    known = FT2Font(str(FONT)).get_charmap()
    words = [*PHRASES, *PHRASES.values(), *KPI_ZH.values(), *(state.zh for state in STATES),
             *(column.zh for column in COLUMNS.values()), "18-35岁女性 ¥1,000 – “活动” − ±"]
    assert not {letter for word in words for letter in word if ord(letter) not in known}


def test_labels_keep_their_distance_and_order() -> None:
    placed = separate([5.0, 1.0, 1.1, 1.2], 1.0)
    assert placed == [5.0, 1.0, 2.0, 3.0]
    assert len({colour(k) for k in range(30)}) == 30
