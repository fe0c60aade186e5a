"""Tensors as pictures: recognised by what they can do, so that torch is not imported."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.arrays import iterate_pictures
from fervid.errors import ImageError, SizeError, UsageError
from fervid.imaging import load_image

torch = pytest.importorskip("torch")


def as_tensor(image: NDArray[np.uint8], *, floats: bool = False) -> "torch.Tensor":
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1) if image.ndim == 3 else torch.from_numpy(image.copy())
    return tensor.float() / 255 if floats else tensor


def test_tensors_are_read_as_torch_has_pictures(gradient: NDArray[np.uint8]) -> None:
    assert (load_image(as_tensor(gradient)) == gradient).all()
    assert (load_image(as_tensor(gradient, floats=True)) == gradient).all()
    assert (load_image(as_tensor(gradient, floats=True).requires_grad_()) == gradient).all()
    assert (load_image(as_tensor(gradient, floats=True).double()) == gradient).all()
    assert abs(load_image(as_tensor(gradient, floats=True).bfloat16()).astype(int) - gradient).max() <= 1
    for grey in (as_tensor(gradient[..., 0]), as_tensor(gradient[..., :1])):
        assert (load_image(grey) == gradient[..., :1]).all()
    see_through = np.dstack([gradient, np.zeros_like(gradient[..., 0])])
    assert (load_image(as_tensor(see_through)) == 255).all()


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, 3, 8, 8), "one picture after another"),
        (torch.zeros(8, 9, 3), "permute"),
        (torch.zeros(2, 8, 8), "no picture"),
        (torch.zeros(3, 0, 8), "no picture"),
        (torch.full((3, 8, 8), -2.0), "undo the normalisation"),
        (torch.full((3, 8, 8), 255.0), "Floats are 0–1"),
        (torch.full((3, 8, 8), float("nan")), "Floats are 0–1"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "Give uint8"),
    ],
)
def test_other_tensors_are_refused(tensor: "torch.Tensor", message: str) -> None:
    with pytest.raises(ImageError, match=message):
        load_image(tensor)


def test_a_tensor_may_be_too_large_as_well() -> None:
    with pytest.raises(SizeError):
        load_image(torch.zeros(3, 20, 30), max_pixels=500)


def test_a_single_tensor_is_one_picture_and_not_as_many_as_its_channels() -> None:
    for channels in (1, 3, 4):
        with pytest.raises(UsageError, match="map reads many pictures, and was given one"):
            iterate_pictures(torch.zeros(channels, 8, 8), "map")
    for many in (torch.zeros(3, 3, 8, 8), torch.zeros(5, 8, 8), torch.zeros(1, 1, 8, 8)):
        assert len(list(iterate_pictures(many, "map"))) == len(many)
