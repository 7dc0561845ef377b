import pytest
import torch

from rfteach._measures.transfer_metrics import coarse, kept, nearest, spread


def images(n, seed=0, size=28):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, size, size, generator=generator, device="cpu").to(
        torch.get_default_device()
    )


def test_coarse_takes_the_mean_of_each_part():
    x = images(3, size=28)
    wanted = x.reshape(3, 1, 7, 4, 7, 4).mean(dim=(3, 5))
    assert torch.allclose(coarse(x), wanted, atol=1e-6)
    assert torch.allclose(coarse(x, 1), x.mean(dim=(2, 3), keepdim=True), atol=1e-6)


def test_all_is_kept_whatever_is_added_to_all_and_scaled():
    x = images(20)
    assert kept(x, x) == pytest.approx(1)
    assert kept(x, 0.3 * x + images(1, seed=9)) == pytest.approx(1, abs=1e-6)
    assert kept(x, -x) == pytest.approx(-1)


def test_pairs_by_chance_keep_nothing_though_all_have_a_picture_in_common():
    common = 3 * images(1, seed=5)
    a, b = images(2000, seed=1) + common, images(2000, seed=2) + common
    assert abs(kept(a, b)) < 0.02


def test_kept_is_the_correlation_that_was_put_in():
    a, noise = images(3000, seed=1), images(3000, seed=2)
    assert kept(a, 0.6 * a + 0.8 * noise) == pytest.approx(0.6, abs=0.02)


def test_brightness_alone():
    a = images(50)
    shuffled = a.flatten(1).flip(1).reshape(a.shape)  # the same brightness at other places
    assert kept(a, shuffled, cells=1) == pytest.approx(1, abs=1e-6)
    assert kept(a, shuffled) < 0.3


def test_nothing_is_kept_when_all_outputs_are_alike():
    assert kept(images(5), images(1).expand(5, -1, -1, -1)) == 0


def test_spread_is_the_variance():
    x = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert spread(x) == pytest.approx(2 + 8)


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_nearest_finds_the_row_and_the_distance(batch_size):
    others = images(30, seed=3)
    rows = torch.tensor([4, 0, 29, 4])
    near = nearest(others[rows] + 1e-3, others, batch_size=batch_size)
    assert torch.equal(near.row, rows)
    assert torch.allclose(near.distance, torch.full((4,), 28e-3), rtol=0.05)


def test_a_copy_has_distance_0():
    others = images(30, seed=3)
    assert (nearest(others[5:8], others).distance == 0).all()
