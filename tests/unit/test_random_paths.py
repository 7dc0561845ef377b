import math

import pytest
import torch

import rfteach as rf

MIXTURE = rf.GaussianMixture(
    torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.0, -1.5]], dtype=torch.float64),
    torch.tensor([0.7, 0.5, 0.6], dtype=torch.float64),
)
FIELD = rf.mixture_velocity(MIXTURE)
POINT, WIDTH = 1.5, 0.4  # the data of the closed forms below: one bell on a line
BELL = rf.mixture_velocity(
    rf.GaussianMixture(
        torch.tensor([[POINT]], dtype=torch.float64), torch.tensor([WIDTH], dtype=torch.float64)
    )
)


def log_density(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return the log density of X_t, up to a constant that is the same for all x."""
    variance = (1 - t[:, None]) ** 2 + (t[:, None] * MIXTURE.stds) ** 2
    square = (x[:, None] - t[:, None, None] * MIXTURE.means).square().sum(dim=-1)
    return torch.logsumexp(-square / (2 * variance) - variance.log(), dim=1)


def test_the_score_is_the_slope_of_the_log_density(generator):
    x = torch.randn(50, 2, generator=generator, dtype=torch.float64).requires_grad_()
    t = torch.linspace(0, 0.99, 50, dtype=torch.float64)
    slope = torch.autograd.grad(log_density(x, t).sum(), x)[0]
    torch.testing.assert_close(rf.score(FIELD)(x.detach(), t), slope, rtol=1e-9, atol=1e-9)


def test_at_the_end_there_is_no_score():
    with pytest.raises(ValueError, match="t = 1"):
        rf.score(FIELD)(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0.5, 1.0]).double())


def test_without_noise_it_is_eulers_method(generator):
    x0 = torch.randn(20, 2, generator=generator)
    straight = rf.euler(FIELD, x0, steps=7)
    path = rf.euler_maruyama(FIELD, x0, steps=7, noise=0.0)
    assert path.evaluations == 7
    assert torch.equal(path.states, straight.states)


def moments(noise, steps: int) -> tuple[float, float]:
    """Return mean and variance of the ends for the bell, step by step, in closed form.

    The velocity of a bell is linear in x, so a step is x -> a x + b + g sqrt(dt) z.
    """
    mean, variance, dt = 0.0, 1.0, 1 / steps
    ones, x = torch.ones(2, dtype=torch.float64), torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    for k in range(steps):
        g = noise(k * dt)
        drift = BELL(x, k * dt * ones) + g**2 / 2 * rf.score(BELL)(x, k * dt * ones)
        b = drift[0].item()
        a = 1 + dt * (drift[1].item() - b)
        mean, variance = a * mean + dt * b, a * a * variance + g * g * dt
    return mean, variance


@pytest.mark.parametrize(
    "noise", [lambda t: 1.0, lambda t: 2 * math.sqrt(1 - t)], ids=["constant", "fading"]
)
def test_of_a_bell_the_ends_have_the_moments_of_the_recursion(noise, generator):
    n = 200_000
    x0 = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    end = rf.euler_maruyama(BELL, x0, steps=20, noise=noise, generator=generator, keep="end").end
    mean, variance = moments(noise, 20)
    # five standard errors of a mean and of a variance
    assert abs(end.mean().item() - mean) < 5 * math.sqrt(variance / n)
    assert abs(end.var().item() - variance) < 5 * variance * math.sqrt(2 / n)


def test_with_small_steps_the_law_is_the_datas_whatever_the_noise():
    """The method has weak order 1: with twice the steps, half the error."""
    for noise in (lambda t: 0.0, lambda t: 1.0, lambda t: 3 * math.sqrt(1 - t)):
        errors = []
        for steps in (400, 800):
            mean, variance = moments(noise, steps)
            errors.append((abs(mean - POINT), abs(variance - WIDTH**2)))
        assert max(errors[1]) < 0.01
        for first, second in zip(*errors, strict=True):
            # the next order is 1 / N smaller, with rates of about 10 near the end
            assert second < 1e-12 or first / second == pytest.approx(2, rel=0.1)


def test_the_same_generator_gives_the_same_paths():
    x0 = torch.zeros(5, 2)
    ends = [
        rf.euler_maruyama(
            FIELD, x0, steps=4, noise=1.0, generator=torch.Generator().manual_seed(seed)
        ).end
        for seed in (1, 1, 2)
    ]
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


@pytest.mark.parametrize("noise", [-1.0, math.nan, math.inf, lambda t: -t])
def test_a_bad_noise_is_named(noise):
    with pytest.raises(ValueError, match="noise = .*at least 0 and finite"):
        rf.euler_maruyama(FIELD, torch.zeros(2, 2), steps=3, noise=noise)


def test_the_noise_is_drawn_where_its_generator_is(device):
    x0 = torch.zeros(5, 2, device=device)
    ends = [
        rf.euler_maruyama(FIELD, x, steps=4, noise=1.0, generator=torch.Generator().manual_seed(1))
        for x in (x0, x0.cpu())
    ]
    torch.testing.assert_close(ends[0].end.cpu(), ends[1].end, rtol=1e-4, atol=1e-5)


def test_points_that_are_no_tensor_of_floats_are_refused():
    with pytest.raises(TypeError, match="x0"):
        rf.euler_maruyama(FIELD, torch.zeros(2, 2, dtype=torch.long), steps=3, noise=1.0)
