"""How many threads a training run uses: seen from its callback."""

import pytest
import torch
from torch import nn

import rfteach as rf

MANY = 3


class TinyConvolution(nn.Module):
    """A velocity for images with few weights, each used at every pixel."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x, t):
        return self.layer(x)


@pytest.fixture(autouse=True)
def many_threads():
    """Let PyTorch start with several threads, whatever the machine and the environment say."""
    before = torch.get_num_threads()
    torch.set_num_threads(MANY)
    yield
    torch.set_num_threads(before)


def threads_while_training(velocity: nn.Module, *event: int) -> int:
    seen = []
    noise = rf.Gaussian(*event)
    rf.train(
        velocity,
        rf.IndependentCoupling(noise, noise),
        steps=1,
        batch_size=2,
        callback=lambda step, loss: seen.append(torch.get_num_threads()),
    )
    assert torch.get_num_threads() == MANY  # put back
    return seen[0]


def test_a_small_network_is_trained_on_one_thread():
    assert threads_while_training(rf.VelocityMLP(dim=2), 2) == 1


@pytest.mark.parametrize(
    "velocity, event",
    [(rf.VelocityMLP(dim=2, width=250), (2,)), (TinyConvolution(), (1, 4, 4))],
    ids=["many weights", "a convolution"],
)
def test_other_networks_keep_their_threads(velocity, event):
    assert threads_while_training(velocity, *event) == MANY


def test_the_threads_are_put_back_after_a_failure():
    def stop(step, loss):
        raise KeyboardInterrupt

    noise = rf.Gaussian(2)
    with pytest.raises(KeyboardInterrupt):
        rf.train(rf.VelocityMLP(dim=2), rf.IndependentCoupling(noise, noise), callback=stop)
    assert torch.get_num_threads() == MANY
