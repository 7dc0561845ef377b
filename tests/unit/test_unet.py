import pytest
import torch
from torch import nn

import rfteach as rf
from rfteach._networks.unet import time_features


def awake(network):
    """Fill the layers that begin at zero: such a network would answer 0 to everything."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return network


@pytest.fixture(scope="module")
def labeled():
    torch.manual_seed(0)
    return awake(rf.UNetVelocity(8, (32, 64), classes=3, colors=3))


def given_inputs(n=4, size=8, colors=3):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, colors, size, size, generator=generator)
    return x, torch.rand(n, generator=generator)


def test_the_velocity_depends_on_image_time_and_label(labeled):
    x, t = given_inputs()
    labels = torch.tensor([0, 1, 2, 0])
    v = labeled(x, t, labels)
    assert v.shape == x.shape
    for other in ((x + 1, t, labels), (x, t / 2, labels), (x, t, (labels + 1) % 3)):
        assert (labeled(*other) - v).flatten(1).norm(dim=1).min() > 1e-3


def test_every_pixel_reaches_every_other_one():
    """Through the attention at the lowest resolution; convolutions alone do not see so far."""
    x, t = given_inputs(1, size=32, colors=1)
    x.requires_grad_()
    awake(rf.UNetVelocity(32, (32, 64)))(x, t)[0, :, 0, 0].sum().backward()
    assert (x.grad[0].abs().sum(dim=0) > 0).all()


def test_rows_do_not_see_each_other(labeled):
    """The normalization runs over the channels of a pixel; over a batch it would fail here."""
    x, t = given_inputs()
    labels = torch.tensor([0, 1, 2, 0])
    alone = torch.cat([labeled(x[i : i + 1], t[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(labeled(x, t, labels), alone, atol=1e-5, rtol=1e-5)


def test_a_new_network_is_at_rest():
    v = rf.UNetVelocity(8, (32,))(*given_inputs(colors=1))
    assert not v.std(dim=0).any()  # its last bias alone, the same for every image


def test_close_times_are_told_apart_and_far_ones_not_confused():
    features = time_features(torch.linspace(0, 1, 1001))
    distances = torch.cdist(features, features)
    distances.fill_diagonal_(torch.inf)
    assert distances.min() > 0.5


def test_the_solver_takes_it_with_its_labels_bound(labeled):
    x, _ = given_inputs()
    path = rf.euler(rf.with_condition(labeled, torch.tensor([0, 1, 2, 0])), x, steps=2)
    assert path.end.shape == x.shape and path.evaluations == 2


def test_the_published_size_is_within_two_million():
    velocity = rf.UNetVelocity(28, (64, 128), classes=10)
    assert 1e6 < sum(p.numel() for p in velocity.parameters()) < 2e6


@pytest.mark.parametrize("size, channels", [(28, (32, 32, 32)), (7, (32,))])
def test_a_size_that_cannot_be_halved(size, channels):
    with pytest.raises(ValueError, match=f"size = {size} cannot be halved"):
        rf.UNetVelocity(size, channels)


@pytest.mark.parametrize("channels", [(), (48,), (32, 0)])
def test_channels_come_in_heads_of_32(channels):
    with pytest.raises(ValueError, match="multiple of 32"):
        rf.UNetVelocity(8, channels)


@pytest.mark.parametrize("wrong", [{"classes": 0}, {"colors": 0}])
def test_counts_start_at_one(wrong):
    name, _ = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name} = 0"):
        rf.UNetVelocity(8, (32,), **wrong)


def test_labels_are_needed_or_not_wanted(labeled):
    x, t = given_inputs()
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        labeled(x, t)
    with pytest.raises(ValueError, match="no labels"):
        rf.UNetVelocity(8, (32,), colors=3)(x, t, torch.zeros(4).long())
    with pytest.raises(IndexError):
        labeled(x, t, torch.tensor([0, 1, 2, 3]))


def test_another_size_of_images_is_named(labeled):
    x, t = given_inputs(size=16)
    with pytest.raises(ValueError, match=r"3, 8, 8.*16, 16"):
        labeled(x, t, torch.zeros(4).long())
