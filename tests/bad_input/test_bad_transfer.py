import pytest
import torch

import rfteach as rf
from rfteach._measures.transfer_metrics import coarse, kept, nearest, spread


def test_coarse_needs_images():
    with pytest.raises(ValueError, match=r"must be \(n, channels, height, width\)"):
        coarse(torch.zeros(3, 28, 28))
    with pytest.raises(ValueError, match="with 7 pixels"):
        coarse(torch.zeros(3, 1, 5, 28))


def test_kept_needs_two_images_of_one_shape():
    with pytest.raises(ValueError, match="2 images or more"):
        kept(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="a pair needs"):
        kept(torch.zeros(3, 1, 8, 8), torch.zeros(4, 1, 8, 8))


def test_spread_needs_two_points():
    with pytest.raises(ValueError, match="2 points"):
        spread(torch.zeros(1, 2))


def test_nearest_compares_images_of_one_size():
    with pytest.raises(ValueError, match="images of one size"):
        nearest(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 4, 4))


def test_nearest_compares_images_of_one_precision():
    images = torch.zeros(2, 1, 8, 8)
    with pytest.raises(TypeError, match="points has dtype torch.float32 and others has dtype"):
        nearest(images, images.double())


def test_what_is_not_finite_is_refused():
    bad = torch.full((2, 1, 8, 8), torch.nan)
    for measure in (coarse, spread, lambda x: kept(x, x), lambda x: nearest(x, x)):
        with pytest.raises(ValueError, match="NaN or infinity"):
            measure(bad)


def test_image_folder_needs_counts(tmp_path):
    with pytest.raises(ValueError, match="size = 0"):
        rf.image_folder(tmp_path, size=0)
    with pytest.raises(TypeError, match="at_least must be an integer, not '3'"):
        rf.image_folder(tmp_path, at_least="3")
    with pytest.raises(ValueError, match="at_least = 0"):
        rf.image_folder(tmp_path, at_least=0)
