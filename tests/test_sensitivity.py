"""Indices and effects against closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import qmc

from omnisim.study.sweeping import points
from omnisim.study.sweeping.sensitivity import (
    bootstrap,
    elementary_effects,
    fit_surface,
    grid_indices,
    sobol_indices,
    summarise_effects,
)

FIRST = np.array([0.31390, 0.44241, 0.0])
TOTAL = np.array([0.55759, 0.44241, 0.24368])
"""Ishigami and Homma (1990) with a = 7, b = 0.1: V = a²/8 + bπ⁴/5 + b²π⁸/18 + 1/2."""


def ishigami(unit: np.ndarray) -> np.ndarray:
    x = np.pi * (2 * unit - 1)
    return np.asarray(np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))


def test_sobol_indices_of_ishigami() -> None:
    groups = ishigami(points.saltelli(4096, 3, seed=1)).reshape(-1, 5)
    found = sobol_indices(groups)
    np.testing.assert_allclose(found.first, FIRST, atol=0.02)
    np.testing.assert_allclose(found.total, TOTAL, atol=0.01)


def test_intervals_of_indices_cover_the_truth() -> None:
    inside = []
    for seed in range(20):
        groups = ishigami(points.saltelli(256, 3, seed=seed)).reshape(-1, 5)
        low, high = bootstrap(groups, sobol_indices)
        inside.append((low <= [FIRST, TOTAL]) & (high >= [FIRST, TOTAL]))
    assert np.mean(inside) >= 0.9


def test_error_of_indices_falls_with_the_points() -> None:
    def error(n: int) -> float:
        found = [sobol_indices(ishigami(points.saltelli(n, 3, seed)).reshape(-1, 5)).total for seed in range(8)]
        return float(np.abs(np.array(found) - TOTAL).mean())

    assert error(2048) < error(128) / 4  # 16 times the points: a quarter of the error for random points, less for these


def test_grid_indices_are_exact() -> None:
    a, b = np.array([0.0, 1.0, 5.0]), np.array([2.0, 3.0])
    added = grid_indices(a[:, None] + b)
    np.testing.assert_allclose(added.first, np.array([a.var(), b.var()]) / (a.var() + b.var()))
    np.testing.assert_allclose(added.total, added.first)
    signs = np.array([-1.0, 1.0])
    product = grid_indices(signs[:, None] * signs)  # interplay and nothing else
    np.testing.assert_allclose(product.first, 0, atol=1e-15)
    np.testing.assert_allclose(product.total, 1)


def test_grid_indices_come_to_those_of_the_continuum() -> None:
    side = (np.arange(40) + 0.5) / 40
    cube = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    found = grid_indices(ishigami(cube).reshape(40, 40, 40))
    np.testing.assert_allclose(found.first, FIRST, atol=2e-3)
    np.testing.assert_allclose(found.total, TOTAL, atol=2e-3)


def test_what_never_varies_has_no_indices() -> None:
    assert not np.any(grid_indices(np.full((3, 2), 7.0)))
    assert not np.any(sobol_indices(np.full((8, 4), 7.0)))
    assert np.isnan(bootstrap(np.ones((1, 4)), sobol_indices)[0]).all()


def walk_moves(walks: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(np.diff(walks, axis=1)))


def test_elementary_effects_of_a_line_and_a_product() -> None:
    walks = points.morris(40, 3, seed=5).reshape(40, 4, 3)
    line = elementary_effects(walks @ np.array([3.0, -2.0, 0.0]) + 1, walk_moves(walks))
    found = summarise_effects(line)
    np.testing.assert_allclose(found.mean, [3, -2, 0], atol=1e-12)
    np.testing.assert_allclose(found.size, [3, 2, 0], atol=1e-12)
    np.testing.assert_allclose(found.spread, 0, atol=1e-12)
    product = summarise_effects(elementary_effects(walks[:, :, 0] * walks[:, :, 1], walk_moves(walks)))
    assert (product.spread[:2] > 0.1).all()
    assert product.size[2] == 0
    assert product.mean[0] == pytest.approx(0.5, abs=4 * product.spread[0] / 40**0.5)  # E[x_1] over the levels


def test_a_walk_moves_each_axis_once_over_four_levels() -> None:
    walks = points.morris(100, 5, seed=2).reshape(100, 6, 5)
    moves = np.diff(walks, axis=1)
    assert ((np.abs(moves) > 0.5).sum(axis=1) == 1).all()
    np.testing.assert_allclose(np.abs(moves).max(axis=1), 2 / 3)
    assert set(np.unique(np.round(3 * walks).astype(int))) == {0, 1, 2, 3}
    assert walks.min() >= 0 and walks.max() <= 1


def test_a_quadratic_surface_is_found_exactly() -> None:
    places = np.random.default_rng(3).uniform(-1, 1, (30, 2))
    height = 2 - places[:, 0] + 3 * places[:, 1] ** 2 + 0.5 * places[:, 0] * places[:, 1]
    surface = fit_surface(places, height)
    assert surface.explained == pytest.approx(1)
    np.testing.assert_allclose(surface.at(np.array([[0.3, -0.2]])), 2 - 0.3 + 3 * 0.04 - 0.03)


@pytest.mark.parametrize("n", [1, 2, 64, 100])
def test_samples_fill_the_cube(n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spread, boxes = points.sobol(n, 3, seed=1), points.latin(n, 3, seed=1)
    assert spread.shape == boxes.shape == (n, 3)
    for column in boxes.T:  # one point in each part
        assert sorted((column * n).astype(int)) == list(range(n))
    if n >= 64:
        rough = np.mean([qmc.discrepancy(np.random.default_rng(k).random((n, 3))) for k in range(8)])
        assert qmc.discrepancy(spread) < rough / 2
    assert (points.sobol(n, 3, seed=2) != spread).all()
