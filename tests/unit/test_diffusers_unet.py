import pytest
import torch

import rfteach as rf
from rfteach._networks.diffusers_unet import DiffusersUNetVelocity


@pytest.fixture(scope="module")
def labeled():
    torch.manual_seed(0)
    return DiffusersUNetVelocity(8, (8, 16), classes=3)


def given_inputs(n=4, size=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 1, size, size, generator=generator), torch.rand(n, generator=generator)


def test_the_velocity_depends_on_image_time_and_label(labeled):
    x, t = given_inputs()
    labels = torch.tensor([0, 1, 2, 0])
    v = labeled(x, t, labels)
    assert v.shape == x.shape
    for other in ((x + 1, t, labels), (x, t / 2, labels), (x, t, (labels + 1) % 3)):
        assert (labeled(*other) - v).flatten(1).norm(dim=1).min() > 1e-4


def test_rows_do_not_see_each_other(labeled):
    """Group normalization runs over one image; a batch normalization would fail here."""
    x, t = given_inputs()
    labels = torch.tensor([0, 1, 2, 0])
    alone = torch.cat([labeled(x[i : i + 1], t[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(labeled(x, t, labels), alone, atol=1e-5, rtol=1e-5)


def test_the_solver_takes_it_with_its_labels_bound(labeled):
    x, _ = given_inputs()
    path = rf.euler(rf.with_condition(labeled, torch.tensor([0, 1, 2, 0])), x, steps=2)
    assert path.end.shape == x.shape and path.evaluations == 2


def test_the_times_in_between_are_told_apart():
    """Times in [0, 1] reach the sines as 0 to 1000: else they would hardly turn."""
    torch.manual_seed(0)
    velocity = DiffusersUNetVelocity(8, (8,))
    seen = []
    velocity.net.time_embedding.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    x, _ = given_inputs(2)
    velocity(x, torch.tensor([0.5, 0.51]))
    assert (seen[0][0] - seen[0][1]).abs().max() > 1


def test_the_published_size_is_within_two_million():
    velocity = DiffusersUNetVelocity(28, (32, 64, 96), classes=10)
    assert 1.5e6 < sum(p.numel() for p in velocity.parameters()) < 2e6


@pytest.mark.parametrize("size, channels", [(28, (8, 8, 8, 8)), (7, (8, 8))])
def test_a_size_that_cannot_be_halved(size, channels):
    with pytest.raises(ValueError, match=f"size = {size} cannot be halved"):
        DiffusersUNetVelocity(size, channels)


@pytest.mark.parametrize("channels", [(), (12,), (4, 8)])
def test_channels_come_in_groups_of_eight(channels):
    with pytest.raises(ValueError, match="multiple of 8"):
        DiffusersUNetVelocity(8, channels)


def test_labels_are_needed_or_not_wanted(labeled):
    x, t = given_inputs()
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        labeled(x, t)
    with pytest.raises(ValueError, match="no labels"):
        DiffusersUNetVelocity(8, (8,))(x, t, torch.zeros(4).long())
    with pytest.raises(IndexError):
        labeled(x, t, torch.tensor([0, 1, 2, 3]))


def test_another_size_of_images_is_named(labeled):
    x, t = given_inputs(size=16)
    with pytest.raises(ValueError, match=r"1, 8, 8.*16, 16"):
        labeled(x, t, torch.zeros(4).long())
