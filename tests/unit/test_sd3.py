"""Our sampler against that of diffusers, in the convention of Stable Diffusion 3."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

import rfteach as rf

shifts = pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])


@pytest.fixture(scope="module")
def velocity():
    torch.manual_seed(0)
    network = rf.VelocityMLP(dim=2)
    rf.train(network, rf.IndependentCoupling(rf.Gaussian(2), rf.Moons()), steps=50, progress=False)
    return network


def by_diffusers(scheduler, velocity, x):
    """The loop of diffusers' pipelines."""
    model = rf.sd3_from_velocity(velocity)
    states = [x]
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            x = scheduler.step(model(x, timestep), timestep, x).prev_sample
            states.append(x)
    return torch.stack(states)


@shifts
def test_the_trajectory_is_that_of_diffusers(shift, velocity, generator):
    """At the times that their scheduler chooses by itself."""
    x = torch.randn(50, 2, generator=generator)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(20)
    ours = rf.euler(velocity, x, steps=1 - scheduler.sigmas)
    torch.testing.assert_close(ours.states, by_diffusers(scheduler, velocity, x), atol=1e-5, rtol=0)


@shifts
def test_the_shift_is_that_of_diffusers(shift, velocity, generator):
    """At equal times, shifted: they once, and we."""
    x = torch.randn(50, 2, generator=generator)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / 20, 20))
    times = rf.shift_times(torch.linspace(0, 1, 21), shift)
    torch.testing.assert_close(1 - scheduler.sigmas, times, atol=1e-6, rtol=0)
    torch.testing.assert_close(scheduler.timesteps, 1000 * (1 - times[:-1]), atol=1e-3, rtol=0)
    ours = rf.euler(velocity, x, steps=times)
    torch.testing.assert_close(ours.states, by_diffusers(scheduler, velocity, x), atol=1e-5, rtol=0)


def test_their_noising_is_our_interpolation(generator):
    x0, x1 = torch.randn(2, 6, 2, generator=generator)
    scheduler = FlowMatchEulerDiscreteScheduler()
    noised = scheduler.scale_noise(x1, scheduler.timesteps[300:301], x0)
    t = 1 - scheduler.sigmas[300].expand(6)
    torch.testing.assert_close(noised, rf.interpolate(x0, x1, t))


def test_the_two_maps_undo_each_other(velocity, generator):
    x, t = torch.randn(8, 2, generator=generator), torch.rand(8, generator=generator)
    there = rf.sd3_from_velocity(velocity)
    torch.testing.assert_close(there(x, 1000 * (1 - t)), -velocity(x, t), atol=1e-4, rtol=1e-4)
    back = rf.velocity_from_sd3(there)
    torch.testing.assert_close(back(x, t), velocity(x, t), atol=1e-4, rtol=1e-4)


def test_one_timestep_serves_the_whole_batch(velocity, generator):
    x = torch.randn(8, 2, generator=generator)
    model = rf.sd3_from_velocity(velocity)
    for timestep in (250, 250.0, torch.tensor(250.0)):
        torch.testing.assert_close(model(x, timestep), -velocity(x, torch.full((8,), 0.75)))


def test_their_transformer_is_a_velocity_of_ours(generator):
    """Noise minus data, told 1000 sigma: what MMDiTVelocity says by itself."""
    torch.manual_seed(0)
    ours = rf.MMDiTVelocity(8, 4, 32, 2, words=5)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # its last layer starts at zero
    x, t = torch.randn(3, 1, 8, 8, generator=generator), torch.rand(3, generator=generator)
    tokens = torch.randint(6, (3, 12), generator=generator)
    words, pooled = ours.text(tokens)
    theirs = rf.velocity_from_sd3(lambda x, s: ours.transformer(x, words, pooled, s).sample)
    torch.testing.assert_close(theirs(x, t), ours(x, t, tokens))
    assert ours(x, t, tokens).abs().max() > 0.01
