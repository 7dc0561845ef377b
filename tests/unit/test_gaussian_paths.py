import math

import pytest
import torch

import rfteach as rf

COSINE = rf.NoiseSchedule("cosine", levels=50).path
PATHS = {"straight": rf.STRAIGHT, "trigonometric": rf.TRIGONOMETRIC, "cosine": COSINE}
each = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
MEAN, STD = torch.tensor([1.0, -0.5], dtype=torch.float64), 0.4


def exact(path):
    """The velocity of a path from N(0, I) to N(MEAN, STD^2 I), by conditioning of Gaussians."""

    def velocity(x, t):
        s, n = path.signal(t)[:, None], path.noise(t)[:, None]
        rises, falls = (slope[:, None] for slope in path.slopes(t))
        covariance, variance = n * falls + s * rises * STD**2, n**2 + (s * STD) ** 2
        return rises * MEAN + covariance / variance * (x - s * MEAN)

    return velocity


def points(n=40, low=0.0, high=1.0):
    generator = torch.Generator().manual_seed(3)
    x = 2 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return x, torch.linspace(low, high, n, dtype=torch.float64)


@each
def test_the_ends_are_noise_and_data(path):
    x0, x1 = points()[0].chunk(2)
    zero, one = x0.new_zeros(len(x0)), x0.new_ones(len(x0))
    torch.testing.assert_close(path.interpolate(x0, x1, zero), x0, atol=1e-2, rtol=0)
    torch.testing.assert_close(path.interpolate(x0, x1, one), x1)


def test_the_straight_path_is_that_of_the_book():
    x0, x1 = points()[0].chunk(2)
    t = torch.linspace(0, 1, len(x0), dtype=torch.float64)
    assert torch.equal(rf.STRAIGHT.interpolate(x0, x1, t), rf.interpolate(x0, x1, t))
    assert torch.equal(rf.STRAIGHT.velocity_target(x0, x1, t), rf.velocity_target(x0, x1))
    blob = rf.GaussianMixture(MEAN[None], torch.tensor([STD], dtype=torch.float64))
    x, t = points()
    torch.testing.assert_close(exact(rf.STRAIGHT)(x, t), rf.mixture_velocity(blob)(x, t))


def test_slopes_in_closed_form():
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    rises, falls = rf.TRIGONOMETRIC.slopes(t)
    torch.testing.assert_close(rises, math.pi / 2 * torch.cos(math.pi / 2 * t))
    torch.testing.assert_close(falls, -math.pi / 2 * torch.sin(math.pi / 2 * t))


@each
def test_slopes_are_those_of_differences_also_without_gradients(path):
    t = torch.linspace(0.013, 0.987, 9, dtype=torch.float64)
    with torch.no_grad():
        slopes = path.slopes(t)
    for f, slope in zip((path.signal, path.noise), slopes, strict=True):
        torch.testing.assert_close((f(t + 1e-6) - f(t - 1e-6)) / 2e-6, slope, atol=1e-4, rtol=0)


@each
def test_time_at_inverts_the_angle(path):
    t = torch.linspace(0, 1, 23, dtype=torch.float64)
    torch.testing.assert_close(path.time_at(path.angle(t)), t, atol=1e-10, rtol=0)
    out = torch.tensor([-0.1, 1.7])
    assert path.time_at(out).tolist() == [0, 1] and path.time_at(out).dtype == torch.float32


@pytest.mark.parametrize("source", PATHS)
@pytest.mark.parametrize("target", PATHS)
def test_the_exact_velocity_converts_to_that_of_any_other_path(source, target):
    source, target = PATHS[source], PATHS[target]
    x, t = points(low=0.011, high=0.999)
    converted = rf.convert_velocity(exact(source), source, target)
    torch.testing.assert_close(converted(x, t), exact(target)(x, t), atol=1e-7, rtol=1e-7)


def test_the_ends_convert_too():
    x, t = points()
    t = t.round()
    assert set(t.tolist()) == {0.0, 1.0}
    for source, target in [("straight", "trigonometric"), ("trigonometric", "straight")]:
        converted = rf.convert_velocity(exact(PATHS[source]), PATHS[source], PATHS[target])
        torch.testing.assert_close(converted(x, t), exact(PATHS[target])(x, t))


def test_there_and_back_changes_nothing_of_any_velocity():
    def velocity(x, t):
        return torch.sin(2 * x) + t.reshape(-1, 1, 1)

    x = torch.randn(30, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    t = torch.linspace(0, 1, 30, dtype=torch.float64)
    there = rf.convert_velocity(velocity, rf.STRAIGHT, rf.TRIGONOMETRIC)
    back = rf.convert_velocity(there, rf.TRIGONOMETRIC, rf.STRAIGHT)
    torch.testing.assert_close(back(x, t), velocity(x, t), atol=1e-9, rtol=1e-9)


@each
def test_noise_predictions_are_conditional_means_and_convert_back(path):
    x, t = points(low=0.02, high=1.0)
    predict = rf.noise_from_velocity(exact(path), path)
    s, n = path.signal(t)[:, None], path.noise(t)[:, None]
    mean_of_noise = n / (n**2 + (s * STD) ** 2) * (x - s * MEAN)
    torch.testing.assert_close(predict(x, t), mean_of_noise, atol=1e-8, rtol=1e-8)
    again = rf.velocity_from_noise(predict, path)
    torch.testing.assert_close(again(x, t), exact(path)(x, t), atol=1e-7, rtol=1e-7)


def test_both_flows_carry_the_same_noise_to_the_same_data(generator):
    eight = rf.mixture_velocity(rf.EightGaussians())
    x0 = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    circle = rf.convert_velocity(eight, rf.STRAIGHT, rf.TRIGONOMETRIC)
    ends = [rf.rk4(v, x0, steps=50).end for v in (eight, circle)]
    torch.testing.assert_close(*ends, atol=1e-4, rtol=0)


def test_a_noise_prediction_without_signal_is_refused():
    velocity = rf.velocity_from_noise(lambda x, t: x, rf.STRAIGHT)
    with pytest.raises(ValueError, match="signal is 0 at t = 0"):
        velocity(torch.zeros(2, 2), torch.tensor([0.5, 0.0]))
