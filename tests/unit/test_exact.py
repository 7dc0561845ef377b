import math

import pytest
import torch
from montecarlo import assert_mean

import rfteach as rf

MEANS = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [1.5, -1.0]], dtype=torch.float64)
STDS = torch.tensor([0.5, 0.3, 0.8], dtype=torch.float64)
WEIGHTS_FOLDER = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
MIXTURE = rf.GaussianMixture(MEANS, STDS, WEIGHTS_FOLDER)
POINTS = rf.GaussianMixture(MEANS, torch.zeros(3, dtype=torch.float64), WEIGHTS_FOLDER)


def times(n: int, t: float) -> torch.Tensor:
    return torch.full((n,), t, dtype=torch.float64)


@pytest.mark.parametrize("mixture", [MIXTURE, POINTS], ids=["mixture", "points"])
@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_it_is_the_conditional_mean(mixture, t, generator):
    """By Bayes' rule from samples of X1: given X1, X_t is N(t X1, (1-t)^2 I)."""
    x1 = mixture.sample(400_000, generator=generator)
    x = torch.tensor([[0.2, 0.1], [-1.0, 0.5], [1.2, -0.4]], dtype=torch.float64)
    v = rf.mixture_velocity(mixture)(x, times(3, t))
    for point, velocity in zip(x, v, strict=True):
        x0 = (point - t * x1) / (1 - t)
        weight = torch.softmax(-x0.square().sum(dim=1) / 2, dim=0)
        # The standard error of a weighted mean is sqrt(sum w^2 (value - mean)^2).
        error = (weight[:, None] * (x1 - x0 - velocity)).sum(dim=0)
        spread = (weight[:, None] * (x1 - x0 - velocity)).square().sum(dim=0).sqrt()
        assert 1 / weight.square().sum() > 500, "too few samples near the point to tell"
        assert (error.abs() < 5 * spread + 1e-12).all()


@pytest.mark.parametrize("t", [0.0, 0.3, 0.7, 0.95])
def test_one_gaussian_follows_its_scaling_flow(t, generator):
    """N(0, 1) to N(m, s^2) moves as t m + sigma_t z: its velocity is m + sigma' / sigma (x - t m).

    The derivative of sigma comes from autograd, not from a formula.
    """
    m, s = MEANS[0], 0.4
    time = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    sigma = ((1 - time) ** 2 + (s * time) ** 2).sqrt()
    (rate,) = torch.autograd.grad(sigma.log(), time)
    x = torch.randn(10, 2, generator=generator, dtype=torch.float64)
    gaussian = rf.GaussianMixture(m[None], torch.tensor([s], dtype=torch.float64))
    v = rf.mixture_velocity(gaussian)(x, times(10, t))
    torch.testing.assert_close(v, m + rate * (x - t * m))


@pytest.mark.parametrize("t", [0.0, 0.4, 0.9, 0.999])
def test_a_finite_data_set(t, generator):
    """v = (E[X1 | X_t = x] - x) / (1 - t) with weights exp(-|x - t x_k|^2 / 2 (1-t)^2)."""
    x = torch.randn(20, 2, generator=generator, dtype=torch.float64)
    logits = WEIGHTS_FOLDER.log() - torch.cdist(x, t * MEANS) ** 2 / (2 * (1 - t) ** 2)
    expected = (torch.softmax(logits, dim=1) @ MEANS - x) / (1 - t)
    torch.testing.assert_close(rf.mixture_velocity(POINTS)(x, times(20, t)), expected)


@pytest.mark.parametrize("mixture", [MIXTURE, POINTS], ids=["mixture", "points"])
def test_it_starts_towards_the_mean(mixture, generator):
    x = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    v = rf.mixture_velocity(mixture)(x, times(50, 0.0))
    torch.testing.assert_close(v, WEIGHTS_FOLDER @ MEANS - x, rtol=0, atol=1e-14)


@pytest.mark.parametrize("mixture", [MIXTURE, POINTS], ids=["mixture", "points"])
def test_it_ends_as_the_point_itself(mixture, generator):
    x = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    assert torch.equal(rf.mixture_velocity(mixture)(x, times(50, 1.0)), x)


def test_with_spread_it_is_continuous_at_the_end(generator):
    x = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    just_before = rf.mixture_velocity(MIXTURE)(x, times(50, 1 - 1e-8))
    torch.testing.assert_close(just_before, x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-8])
def test_next_to_a_data_point_the_line_through_it_is_followed(gap, generator):
    """At x = t m_k + (1-t) z the posterior is all on m_k as t nears 1, so v = m_k - z."""
    z = torch.randn(3, 2, generator=generator, dtype=torch.float64)
    t = times(3, 1 - gap)
    v = rf.mixture_velocity(POINTS)(rf.interpolate(z, MEANS, t), t)
    torch.testing.assert_close(v, MEANS - z, rtol=0, atol=1e-6)  # 1e-16 / gap from rounding


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mixture", [MIXTURE, POINTS], ids=["mixture", "points"])
def test_it_is_finite_up_to_the_last_number_below_one(mixture, dtype, generator):
    x = 10 * torch.randn(200, 2, generator=generator, dtype=dtype)
    eps = torch.finfo(dtype).eps
    gaps = torch.tensor([0.0, eps / 2, eps, 1e3 * eps, 1e-3, 1.0], dtype=dtype)
    for gap in gaps:
        v = rf.mixture_velocity(mixture)(x, (1 - gap).expand(200))
        assert v.dtype == dtype and torch.isfinite(v).all(), f"at t = 1 - {gap}"


@pytest.mark.parametrize("t", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("mixture", [MIXTURE, POINTS], ids=["mixture", "points"])
def test_single_and_double_precision_agree(mixture, t, generator):
    """On the same input, at the points that a flow visits: X_t is near a center when t nears 1."""
    x0 = torch.randn(500, 2, generator=generator, dtype=torch.float64)
    x1 = mixture.sample(500, generator=generator)
    x, time = rf.interpolate(x0, x1, times(500, t)).float(), times(500, t).float()
    single = rf.mixture_velocity(mixture)(x, time)
    double = rf.mixture_velocity(mixture)(x.double(), time.double())
    # x - t m_k is off by 1e-7 from rounding, and is divided by 1 - t = 1e-3 at the latest time.
    torch.testing.assert_close(single.double(), double, rtol=0, atol=2e-4)


def test_a_component_of_weight_zero_has_no_say(generator):
    x = torch.randn(20, 2, generator=generator, dtype=torch.float64)
    with_it = rf.GaussianMixture(MEANS, STDS, torch.tensor([0.4, 0.0, 0.6]).double())
    without = rf.GaussianMixture(MEANS[[0, 2]], STDS[[0, 2]], torch.tensor([0.4, 0.6]).double())
    v, expected = (rf.mixture_velocity(m)(x, times(20, 0.6)) for m in (with_it, without))
    torch.testing.assert_close(v, expected)


def test_it_leaves_its_input_alone_and_each_row_has_its_own_time(generator):
    x = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    t = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    copy = x.clone()
    together = rf.mixture_velocity(MIXTURE)(x, t)
    assert torch.equal(x, copy)
    one_by_one = [rf.mixture_velocity(MIXTURE)(x[i : i + 1], t[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(together, torch.cat(one_by_one))


def test_its_flow_carries_the_noise_to_the_mixture(generator):
    """By the energy distance, against its own scatter between two true samples."""
    n = 1500
    x0 = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    carried = rf.heun(rf.mixture_velocity(MIXTURE), x0, steps=100, keep="end").end
    fresh = [MIXTURE.sample(n, generator=generator) for _ in range(21)]
    between_true = torch.tensor([rf.energy_distance(fresh[0], other) for other in fresh[1:]])
    limit = between_true.mean() + 5 * between_true.std()
    assert rf.energy_distance(carried, fresh[0]) < limit
    assert rf.energy_distance(x0, fresh[0]) > 10 * limit  # the test has the power to tell


@pytest.fixture
def residual(generator):
    """Points X_t, times, and (X1 - X0) - v*(X_t, t) there."""
    n = 200_000
    x0 = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    x1 = MIXTURE.sample(n, generator=generator)
    t = torch.rand(n, generator=generator, dtype=torch.float64)
    x = rf.interpolate(x0, x1, t)
    return x, t, x1 - x0 - rf.mixture_velocity(MIXTURE)(x, t)


@pytest.mark.parametrize("seed", range(4))
def test_no_nearby_velocity_has_a_lower_loss(residual, seed):
    """Loss(v* + g) - Loss(v*) = E|g|^2 for every g: the residual is orthogonal to g(X_t, t)."""
    x, t, r = residual
    torch.manual_seed(seed)
    g = 2 * rf.VelocityMLP(dim=2, width=32, depth=2).double()(x, t).detach()
    excess = (r - g).square().sum(dim=1) - r.square().sum(dim=1)
    assert_mean(excess - g.square().sum(dim=1), 0.0)
    assert excess.mean() > 5 * excess.std() / math.sqrt(len(x))
