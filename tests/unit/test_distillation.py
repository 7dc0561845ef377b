import functools

import pytest
import torch
from torch import nn

import rfteach as rf

quick_distill = functools.partial(rf.distill, batch_size=256, progress=False)
# A turn by more than 90 degrees: the lines of these pairs do cross.
A = torch.tensor([[-0.5, 2.0], [-1.0, -0.8]])
B = torch.tensor([3.0, -1.0])


class Affine(nn.Linear):
    """The velocity W x + b; it notes the times it is asked for."""

    def __init__(self):
        super().__init__(2, 2)
        self.times = []

    def forward(self, x, t):
        self.times.append(t)
        return super().forward(x)


@pytest.fixture
def velocity():
    """A velocity with fixed initial weights."""
    torch.manual_seed(0)
    return Affine()


def test_it_looks_at_the_start_alone(velocity, generator):
    x0 = torch.randn(50, 2, generator=generator)
    quick_distill(velocity, rf.PairedCoupling(x0, -x0), steps=5)
    assert len(velocity.times) == 5
    assert all(torch.equal(t, torch.zeros(256)) for t in velocity.times)


@pytest.mark.slow
def test_one_step_takes_each_point_to_the_end_of_its_pair(velocity, generator):
    x0 = torch.randn(500, 2, generator=generator)
    x1 = x0 @ A.T + B
    run = quick_distill(velocity, rf.PairedCoupling(x0, x1), steps=1000, learning_rate=0.05)
    # The pairs are a function of x0 within reach, so the fit is exact but for the last small steps.
    torch.testing.assert_close(rf.euler(velocity, x0, steps=1).end, x1, rtol=0, atol=1e-3)
    torch.testing.assert_close(velocity.weight.data, A - torch.eye(2), rtol=0, atol=1e-3)
    assert run.steps == 1000 and run.losses[-1] < 1e-5 < run.losses[0]


@pytest.mark.slow
def test_on_independent_pairs_every_point_goes_to_the_mean_of_the_data(velocity, generator):
    """v(x0, 0) = E[X1] - x0; the loss that remains is the variance of the data."""
    means = torch.tensor([[-2.0, 0.0], [4.0, 3.0]])
    target = rf.GaussianMixture(means, torch.full((2,), 0.5))
    pairs = rf.IndependentCoupling(rf.Gaussian(2), target)
    run = quick_distill(velocity, pairs, steps=1000, learning_rate=0.05)
    variance = ((means - means.mean(dim=0)).square().sum(dim=1).mean() + 2 * 0.5**2).item()
    # The weights average over some hundreds of batches, 100,000 pairs: each is off by about
    # sqrt(variance / 100,000) = 0.01, and points reach 3 from the origin. Allow five times that.
    x0 = rf.Gaussian(2).sample(100, generator=generator).clamp(-2, 2)
    ends = rf.euler(velocity, x0, steps=1).end
    torch.testing.assert_close(ends, means.mean(dim=0).expand(100, 2), rtol=0, atol=0.15)
    # 500 batches of 256: the squared distances scatter by no more than their mean
    assert run.losses[500:].mean().item() == pytest.approx(variance, rel=5 / (500 * 256) ** 0.5)


@pytest.mark.slow
def test_a_curved_flow_is_learned_as_one_step():
    """The pairs of a bent flow; a copy of the network that the book uses."""
    target = rf.GaussianMixture(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.full((2,), 0.5))
    flow, seed = rf.mixture_velocity(target), torch.Generator().manual_seed(0)
    pairs = rf.flow_coupling(flow, rf.Gaussian(2), size=5000, generator=seed, progress=False)
    torch.manual_seed(0)
    velocity = rf.VelocityMLP(2, width=32, depth=2)
    quick_distill(velocity, pairs, steps=600)
    x0 = rf.Gaussian(2).sample(1000, generator=seed)
    ends = rf.heun(flow, x0, keep="end").end
    one_step, of_the_flow = (
        rf.transport_cost(rf.euler(v, x0, steps=1).end, ends) for v in (velocity, flow)
    )
    assert one_step < 0.02 * of_the_flow


def test_the_settings_are_those_of_train(velocity, tmp_path):
    pairs = rf.PairedCoupling(torch.eye(2), -torch.eye(2))
    settings = {"steps": 6, "learning_rate": 0.1, "ema_decay": 0.5, "seed": 3, "batch_size": 4}
    torch.manual_seed(0)
    by_train = Affine()
    rf.train(by_train, pairs, time_sampler=rf.zero_times, progress=False, **settings)
    path = tmp_path / "run.safetensors"
    rf.distill(velocity, pairs, checkpoint=path, progress=False, **settings)
    assert torch.equal(velocity.weight, by_train.weight)
    assert path.exists()


def test_start_times_are_zero_on_the_given_device(device):
    for place in (device, "meta"):
        t = rf.zero_times(5, device=place)
        assert t.shape == (5,) and t.device.type == place
    assert torch.equal(rf.zero_times(5), torch.zeros(5))


def test_start_times_draw_no_random_numbers(generator):
    before = generator.get_state()
    rf.zero_times(5, generator=generator)
    assert torch.equal(generator.get_state(), before)
