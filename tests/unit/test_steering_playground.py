"""The widget of chapter 16: its velocity, its posterior, what it refuses, and its still picture."""

import math
import re

import pytest
import torch
from traitlets import TraitError

import rfteach as rf
from rfteach._widgets.steering_playground_widget import FIRST

BELL = rf.GaussianMixture(torch.tensor([[0.5, -1.0]]), torch.tensor([0.6]))


def test_for_one_bell_the_spread_by_jacobian_is_exact():
    """The mean of X1 given X_t = x and y, from chapter 16: it moves by a share of the surprise."""
    play = rf.steering_playground(BELL, pull="jacobian", measured=1.5, error=0.3, angle=40)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t = torch.linspace(0.02, 0.98, 50, dtype=torch.float64)
    mean, s, time = BELL.means.double(), BELL.stds.double().item(), t[:, None]
    variance = (1 - time) ** 2 + time**2 * s**2
    end, open_part = mean + time * s**2 / variance * (x - time * mean), s**2 * (1 - time) ** 2
    surprise, rest = 1.5 - end @ play.direction, (open_part / variance)[:, 0]
    end = end + (rest / (rest + 0.3**2) * surprise)[:, None] * play.direction
    torch.testing.assert_close(play.velocity(x, t), (end - x) / (1 - time))


def test_the_velocity_is_that_of_the_chapter():
    play = rf.steering_playground(pull="by time", scale=0.5)
    exact = rf.mixture_velocity(rf.EightGaussians())

    def guide(end, spread):
        variance = 0.2**2 + spread(torch.tensor([1.0, 0.0]).expand_as(end))[:, 0]
        return -((1.2 - end[:, 0]) ** 2) / (2 * variance)

    def by_time(t):
        return (1 - t) / ((1 - t) ** 2 + t**2).sqrt()

    x, t = rf.Gaussian(2).sample(20), torch.linspace(0, 0.9, 20)
    expected = rf.steered(exact, guide, scale=0.5, spread=by_time)(x, t)
    torch.testing.assert_close(play.velocity(x, t), expected, rtol=1e-4, atol=1e-4)
    play.scale = 0
    torch.testing.assert_close(play.velocity(x, t), exact(x, t), rtol=1e-5, atol=1e-5)


def test_the_posterior_of_a_bell(generator):
    play = rf.steering_playground(BELL, measured=2.0, error=0.3, angle=90)
    x = play.sample_posterior(100_000, generator=generator)
    share = 0.6**2 / (0.6**2 + 0.3**2)
    mean = torch.tensor([0.5, -1.0 + share * 3.0], dtype=torch.float64)
    width = torch.tensor([0.6, math.sqrt(1 - share) * 0.6], dtype=torch.float64)
    assert ((x.mean(dim=0) - mean).abs() < 5 * width / 100_000**0.5).all()
    assert ((x.std(dim=0) / width - 1).abs() < 5 / 200_000**0.5).all()


def test_the_posterior_of_a_mixture_is_that_of_weighted_draws(generator):
    means, stds = torch.tensor([[0.0, 1.0], [1.0, -1.0], [2.0, 1.0]]), torch.tensor([0.5, 0.2, 0.3])
    mixture = rf.GaussianMixture(means, stds, torch.tensor([0.5, 0.2, 0.3]))
    play = rf.steering_playground(mixture, measured=0.8, error=0.4, angle=25)
    draws = mixture.sample(100_000, generator=generator).double()
    fit = torch.exp(-((0.8 - draws @ play.direction) ** 2) / (2 * 0.4**2))
    kept = draws[torch.rand(100_000, generator=generator) < fit]
    x = play.sample_posterior(len(kept), generator=generator)
    for a, b in ((x, kept), (x**2, kept**2), (x.prod(dim=1), kept.prod(dim=1))):
        error = ((a.var(dim=0) + b.var(dim=0)) / len(kept)) ** 0.5
        assert ((a.mean(dim=0) - b.mean(dim=0)).abs() < 5 * error).all()


def test_the_traits_can_be_set(device):
    play = rf.steering_playground(measured=-1)
    play.angle, play.error, play.pull, play.steps = 90, 0.5, "jacobian", 3
    x = torch.zeros(2, 2, device=device)
    assert play.velocity(x, x[:, 0]).device == x.device
    # the first coordinate was not measured, and the blobs lie evenly to both sides
    assert play.velocity(x, x[:, 0])[0, 0].abs() < 1e-5


@pytest.mark.parametrize(
    "state, message",
    [
        ({"measured": 3.5}, "measured = 3.5, but it must be from -3.0 to 3.0"),
        ({"measured": math.nan}, "measured = nan"),
        ({"angle": -10}, "angle = -10.0, but it must be from 0.0 to 180.0"),
        ({"error": 0}, "error = 0.0, but it must be from 0.05 to 0.5"),
        ({"scale": 2}, "scale = 2.0, but it must be from 0.0 to 1.0"),
        ({"scale": math.nan}, "scale = nan"),
        ({"pull": "exact"}, "naive"),
        ({"steps": 0}, "steps"),
        ({"time": math.nan}, "time = nan"),
    ],
)
def test_a_bad_state_is_named(state, message):
    with pytest.raises(TraitError, match=message):
        rf.steering_playground(**state)


def test_a_trait_that_is_refused_stays_as_it_was():
    play = rf.steering_playground()
    with pytest.raises(TraitError, match="error = 3.0"):
        play.error = 3.0
    assert play.error == 0.2


def test_the_plane_reaches_as_far_as_the_data():
    far = rf.GaussianMixture(torch.tensor([[0.0, -4.0]]), torch.tensor([0.5]))
    play = rf.steering_playground(far, measured=5.0)
    assert (play._limit, play.measured) == (5.5, 5.0)


def test_reset_knows_the_first_state():
    play = rf.steering_playground(measured=0.5, steps=7)
    first = {name: getattr(play, name) for name in FIRST}
    play.steps, play.measured = 20, 0.0
    assert play.get_state()["_first"] == first and first["steps"] == 7


def test_without_scripts_there_is_a_picture(shown):
    play = rf.steering_playground(angle=30, pull="by time", particles=50, steps=1, paths=True)
    output = shown(play)[0]["text/html"]
    assert f'data-widget="{play.model_id}"' in output
    (alt,) = re.findall('alt="([^"]*)"', output)
    assert "along 30 degrees is 1.2, give or take 0.4" in alt
    assert "(by time, scale 1, 1 step)" in alt and "posterior" in alt
    play.posterior = False
    (alt,) = re.findall('alt="([^"]*)"', shown(play)[0]["text/html"])
    assert "posterior" not in alt
