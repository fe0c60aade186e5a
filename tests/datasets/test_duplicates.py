import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fervid.datasets.duplicates import NEAR_TWIN_CORRELATION, find_twins, hash_images


def paint(rng, n):
    return rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)


def test_equal_pixels_have_equal_hashes(rng):
    images = paint(rng, 3)
    images[2] = images[0]
    first, second, third = hash_images(images)
    assert first == third != second


def test_exact_near_and_strange(rng):
    others = np.kron(paint(rng, 8)[:, ::6, ::6], np.ones((6, 6), dtype=np.uint8))
    brighter = np.clip(others[3].astype(int) // 2 + 40, 0, 255).astype(np.uint8)
    images = np.stack([others[5], brighter, paint(rng, 1)[0]])
    exact, near = find_twins(images, others)
    assert exact.tolist() == [True, False, False]
    assert near.tolist() == [True, True, False]


def test_constant_faces_are_twins_only_when_equal():
    grey = np.full((2, 48, 48), [[[10]], [[20]]], dtype=np.uint8)
    exact, near = find_twins(grey, grey[:1])
    assert exact.tolist() == near.tolist() == [True, False]


def test_nobody_has_a_twin_among_nobody(rng):
    exact, near = find_twins(paint(rng, 3), paint(rng, 0))
    assert not exact.any()
    assert not near.any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_agrees_with_correlation_pair_by_pair(seed, n, m, chunk):
    rng = np.random.default_rng(seed)
    base = paint(rng, m)
    mixed = base[rng.integers(0, m, n)] * 0.7 + paint(rng, n) * rng.uniform(0, 0.3, (n, 1, 1))
    images = mixed.astype(np.uint8)
    _, near = find_twins(images, base, chunk=chunk)
    small = [np.rint(x.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4))).reshape(len(x), 256) for x in (images, base)]
    correlation = np.corrcoef(*small)[:n, n:].max(axis=1)
    clear = np.abs(correlation - NEAR_TWIN_CORRELATION) > 1e-5
    assert np.array_equal(near[clear], (correlation > NEAR_TWIN_CORRELATION)[clear])
