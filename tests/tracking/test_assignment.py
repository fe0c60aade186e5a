import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fervid.tracking.assignment import assign

CEILING = 10.0
SHAPES = st.tuples(st.integers(0, 4), st.integers(0, 4))
COSTS = st.one_of(st.integers(-20, 20).map(float), st.floats(-20, 20), st.just(math.inf))
MATRICES = SHAPES.flatmap(lambda shape: arrays(np.float64, shape, elements=COSTS))


def total(costs: NDArray[np.float64], pairs: list[tuple[int, int]]) -> float:
    return float(sum(costs[pair] for pair in pairs)) + CEILING * (len(costs) - len(pairs))


def every_assignment(rows: int, columns: int) -> list[list[tuple[int, int]]]:
    choices = itertools.product([None, *range(columns)], repeat=rows)
    pairs = [[(r, c) for r, c in enumerate(choice) if c is not None] for choice in choices]
    return [p for p in pairs if len({c for _, c in p}) == len(p)]


@given(MATRICES)
@settings(max_examples=200, deadline=None)
def test_no_other_assignment_costs_less(costs: NDArray[np.float64]) -> None:
    pairs = assign(costs, CEILING)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(costs[pair] <= CEILING for pair in pairs)
    best = min(total(costs, other) for other in every_assignment(*costs.shape))
    assert total(costs, pairs) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_large_ones_agree_with_scipy(seed: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(seed)
    costs = rng.exponential(5, rng.integers(1, 40, 2)) - 3
    rows = len(costs)
    padded = np.hstack([costs, np.where(np.eye(rows) > 0, CEILING, 1e9)])
    assert total(costs, assign(costs, CEILING)) == pytest.approx(padded[optimize.linear_sum_assignment(padded)].sum())


def test_the_nearest_pair_is_not_always_right() -> None:
    costs = np.array([[1.0, 2.0], [1.1, 9.0]])  # greedily (0, 0) and (1, 1): 10; together (0, 1) and (1, 0): 3.1
    assert assign(costs, 100.0) == [(0, 1), (1, 0)]
