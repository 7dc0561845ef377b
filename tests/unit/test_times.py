import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from montecarlo import assert_mean
from scipy import stats

import rfteach as rf

SAMPLERS = [
    rf.uniform_times,
    rf.stratified_times,
    rf.logit_normal_times,
    rf.u_shaped_times,
    rf.mode_times,
]
samplers = pytest.mark.parametrize("sampler", SAMPLERS)


@samplers
def test_same_seed_same_times(sampler):
    first, again, other = (
        sampler(20, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@samplers
def test_times_are_one_a_row_within_the_unit_interval(sampler, generator, device):
    for n in (1, 7, 5000):
        t = sampler(n, generator=torch.Generator(device).manual_seed(0), device=device)
        assert t.shape == (n,) and t.dtype == torch.float32 and t.device.type == device
        assert ((t >= 0) & (t <= 1)).all()


@given(st.integers(1, 5000), st.integers(0, 100))
def test_stratified_puts_one_time_in_each_slice(n, seed):
    t = rf.stratified_times(n, generator=torch.Generator().manual_seed(seed))
    position = t.double() * n - torch.arange(n)
    # Rounding moves i + jitter by half a unit in the last place of n: 2^-24 n < 3e-4.
    assert position.min() >= -3e-4 and position.max() <= 1 + 3e-4


@given(st.integers(1, 5000))
def test_stratified_stays_below_one_even_when_rounding_would_reach_it(n):
    with pytest.MonkeyPatch.context() as patch:
        largest = 1 - 2**-24
        patch.setattr(torch, "rand", lambda n, **_: torch.full((n,), largest))
        t = rf.stratified_times(n)
    assert t.max() < 1


def test_stratified_is_uniform_but_less_noisy(generator):
    n, rounds = 32, 2000
    batches = torch.stack([rf.stratified_times(n, generator=generator) for _ in range(rounds)])
    assert stats.kstest(batches.flatten(), "uniform").pvalue > 1e-6
    # n slices of width 1/n, each with variance 1/(12 n^2): the mean has variance 1/(12 n^3), not
    # 1/(12 n). The relative error of a variance over 2,000 rounds is sqrt(2/2000) = 0.03.
    variance = batches.double().mean(dim=1).var().item()
    assert variance == pytest.approx(1 / (12 * n**3), rel=5 * 0.032)


def test_uniform_times_are_uniform_and_independent(generator):
    t = rf.uniform_times(100_000, generator=generator)
    assert t.max() < 1
    assert stats.kstest(t, "uniform").pvalue > 1e-6
    assert_mean((t[1:] - 0.5) * (t[:-1] - 0.5), 0.0)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-0.7, 0.4)])
def test_logit_normal_quantiles(mean, std, generator):
    n = 100_000
    t = rf.logit_normal_times(n, mean=mean, std=std, generator=generator)
    for q in (0.01, 0.1, 0.5, 0.9, 0.99):
        quantile = 1 / (1 + math.exp(-stats.norm.ppf(q, mean, std)))
        below = (t < quantile).double().mean().item()
        assert below == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / n))


def test_logit_normal_parameters_can_be_bound():
    late = functools.partial(rf.logit_normal_times, mean=3.0, std=0.1)
    t = late(1000, generator=torch.Generator().manual_seed(0))
    assert t.min() > 0.9  # sigmoid(3 - 5 * 0.1) = 0.924


@pytest.mark.parametrize("sharpness", [0.5, 4.0, 20.0])
def test_u_shaped_times_have_their_law(sharpness, generator):
    t = rf.u_shaped_times(20_000, sharpness=sharpness, generator=generator).double().numpy()

    def below(t):  # the integral of cosh(sharpness (t - 1/2)), normalized
        return 0.5 + np.sinh(sharpness * (t - 0.5)) / (2 * np.sinh(sharpness / 2))

    assert stats.kstest(t, below).pvalue > 1e-6


def test_u_shaped_times_need_a_positive_sharpness():
    with pytest.raises(ValueError, match="sharpness = 0"):
        rf.u_shaped_times(5, sharpness=0)


@pytest.mark.parametrize("scale", [-1.0, -0.4, 0.0, 0.81, 1.29, 2 / (math.pi - 2)])
def test_mode_times_have_their_law(scale, generator):
    """Their quantiles are given by the formula itself, so compare the share below each."""
    n = 100_000
    t = rf.mode_times(n, scale=scale, generator=generator)
    for q in (0.05, 0.3, 0.5, 0.8, 0.95):
        quantile = q + scale * (math.cos(math.pi * q / 2) ** 2 - 1 + q)
        below = (t < quantile).double().mean().item()
        assert below == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / n))


def test_mode_times_crowd_in_the_middle_and_reach_the_ends(generator):
    n = 100_000
    mode, logit = (f(n, generator=generator) for f in (rf.mode_times, rf.logit_normal_times))

    def share(t, low, high):
        return ((t > low) & (t < high)).double().mean().item()

    assert share(mode, 0.45, 0.55) > 1.5 * 0.1  # uniform times have 0.1 there
    # dt/du at u = 0 and 1 is 1 + scale = 2.29, so the density there is 1 / 2.29.
    assert share(mode, 0, 0.01) == pytest.approx(0.01 / 2.29, rel=0.2)
    assert share(logit, 0, 0.01) < 1e-4  # the logit is below -4.6


@pytest.mark.parametrize("scale", [-1.1, 1.76, math.nan])
def test_mode_times_need_a_scale_with_which_they_rise(scale):
    with pytest.raises(ValueError, match=f"scale = {scale}"):
        rf.mode_times(5, scale=scale)


@given(st.floats(0.1, 10), st.integers(2, 50))
def test_shifted_times_are_those_of_the_paper(shift, n):
    """Equation 23 of Esser et al. 2024, which is said of sigma = 1 - t."""
    t = torch.linspace(0, 1, n, dtype=torch.float64)
    sigma = 1 - t
    expected = shift * sigma / (1 + (shift - 1) * sigma)
    torch.testing.assert_close(1 - rf.shift_times(t, shift), expected)


def test_a_shift_is_undone_by_its_inverse_and_two_make_one():
    t = torch.linspace(0, 1, 21, dtype=torch.float64)
    torch.testing.assert_close(rf.shift_times(rf.shift_times(t, 3.0), 1 / 3), t)
    twice = rf.shift_times(rf.shift_times(t, 2.0), 1.5)
    torch.testing.assert_close(twice, rf.shift_times(t, 3.0))


@pytest.mark.parametrize("shift", [0.2, 1.0, 3.0])
def test_shifted_times_begin_and_end_exactly(shift):
    times = rf.shift_times(torch.linspace(0, 1, 8), shift)
    assert times[0] == 0 and times[-1] == 1
    assert (times.diff() > 0).all()


def test_the_shift_keeps_what_can_be_seen_of_a_flat_image(generator):
    """Of m = shift^2 n pixels c + noise, at the shifted time, c is known as well as of n before."""
    n, shift, c, t = 16, 3, 0.7, torch.tensor(0.6, dtype=torch.float64)

    def error(pixels, t):  # of the estimate mean / t of c, over many images
        noise = torch.randn(20_000, pixels, generator=generator, dtype=torch.float64)
        return (((t * c + (1 - t) * noise).mean(dim=1) / t) - c).std()

    shifted = error(shift**2 * n, rf.shift_times(t, shift))
    # The relative error of a standard deviation over 20,000 images is 1 / 200.
    torch.testing.assert_close(shifted, error(n, t), rtol=5 * 1.5 / 200, atol=0)


@pytest.mark.parametrize("shift", [0, -1.0, math.nan])
def test_a_shift_is_positive(shift):
    with pytest.raises(ValueError, match=f"shift = {shift}"):
        rf.shift_times(torch.tensor([0.5]), shift)
