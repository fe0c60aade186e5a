"""Faces that occur more than once, exactly or nearly."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

NEAR_TWIN_CORRELATION: Final = 0.97
"""Normalised correlation of two faces at 16×16 px above which they count as near-twins."""


def hash_images(images: NDArray[np.uint8]) -> NDArray[np.object_]:
    """A digest of each picture's pixels; equal digests mean equal pixels. ``(N, H, W)`` to ``(N,)`` bytes."""
    return np.array([hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images], dtype=object)


def find_twins(
    images: NDArray[np.uint8], others: NDArray[np.uint8], *, chunk: int = 512
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of ``images`` also stand among ``others``.

    Args:
        images: ``(N, 48, 48)``.
        others: ``(M, 48, 48)``.
        chunk: rows of the N×M correlation in memory at a time.

    Returns:
        ``(N,)`` bool exact: some other has the same pixels; ``(N,)`` bool near: exact, or some other correlates above
        :data:`NEAR_TWIN_CORRELATION` when both are averaged down to 16×16 px of whole grey levels. Constant
        pictures are never near.
    """
    known = set(hash_images(others).tolist())
    exact = np.array([digest in known for digest in hash_images(images)], dtype=np.bool_)
    references = _normalised_thumbnails(others)
    near = exact.copy()
    for start in range(0, len(images), chunk):
        thumbnails = _normalised_thumbnails(images[start : start + chunk])
        if len(references):
            near[start : start + chunk] |= (thumbnails @ references.T).max(axis=1) > NEAR_TWIN_CORRELATION
    return exact, near


def _normalised_thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    n, height, width = images.shape
    small = images.reshape(n, 16, height // 16, 16, width // 16).mean(axis=(2, 4), dtype=np.float32).reshape(n, 256)
    np.rint(small, out=small)  # an 8-bit thumbnail, as other tools make it: borderline pairs come out the same
    small -= small.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(small, axis=1, keepdims=True)
    normalised: NDArray[np.float32] = np.divide(small, norm, out=np.zeros_like(small), where=norm > 1e-3)
    return normalised
