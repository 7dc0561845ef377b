"""The diffusion baseline and the Gaussian paths, given something wrong."""

import sys

import pytest
import torch

import rfteach as rf

X = torch.zeros(3, 2)
T = torch.full((3,), 0.5)


def predict(x, t):
    return x


@pytest.fixture(scope="module")
def schedule():
    return rf.NoiseSchedule(levels=10)


def test_the_schedule(says):
    with says(ValueError, "no schedule 'sqrt'", "linear", "cosine"):
        rf.NoiseSchedule("sqrt")
    with says(TypeError, "levels must be an integer", "1000.0"):
        rf.NoiseSchedule(levels=1e3)


def test_times_and_levels_that_are_not_there(schedule, says):
    with says(ValueError, "t = 1.5 lies outside [0, 1]"):
        schedule.level_at(3 * T)
    for bad in (-1, 10):
        with says(ValueError, f"level = {bad}", "0 to 9"):
            schedule.time_of(torch.tensor([0, bad]))


def test_without_diffusers(monkeypatch, says):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with says(ImportError, "diffusers", 'pip install "rfteach[diffusion]"'):
        rf.NoiseSchedule()


@pytest.mark.parametrize("sampler", [rf.ddim, rf.ddpm, rf.dpm_solver])
def test_the_samplers(sampler, schedule, says):
    options = {"schedule": schedule, "steps": 5}
    with says(ValueError, "keep = 'all'", '"path" or "end"'):
        sampler(predict, X, keep="all", **options)
    with says(TypeError, "x0 must be a torch.Tensor"):
        sampler(predict, [[0.0, 0.0]], **options)
    with says(TypeError, "x0 has dtype torch.int64"):
        sampler(predict, X.long(), **options)
    with says(TypeError, "returned NoneType"):
        sampler(lambda x, t: None, X, **options)
    with says(ValueError, "spacing = 'linspace'", "trailing", "leading"):
        sampler(predict, X, spacing="linspace", **options)
    with says(ValueError, "predicts = 'data'", '"noise" or "v"'):
        sampler(predict, X, predicts="data", **options)
    with says(TypeError, "steps must be an integer", "2.5"):
        sampler(predict, X, schedule=schedule, steps=2.5)
    with says(ValueError, "steps = 20", "10 levels", "one of 1, 2, 5, 10"):
        sampler(predict, X, schedule=schedule, steps=20)


@pytest.mark.parametrize("loss", [rf.noise_matching_loss, rf.v_matching_loss])
def test_the_losses(loss, schedule, says):
    with says(ValueError, "x0 has shape (3, 2)", "x1 has shape (2, 2)"):
        loss(predict, X, X[:2], T, schedule=schedule)
    with says(TypeError, "t must be a floating-point tensor", "float"):
        loss(predict, X, X, 0.5, schedule=schedule)
    with says(ValueError, "t = 999.0 lies outside [0, 1]"):
        loss(predict, X, X, T * 1998, schedule=schedule)
    with says(ValueError, "returned shape (3, 1)"):
        loss(lambda x, t: x[:, :1], X, X, T, schedule=schedule)


def test_the_paths(says):
    with says(ValueError, "x0 has shape (3, 2)", "x1 has shape (2, 2)"):
        rf.STRAIGHT.interpolate(X, X[:2], T)
    with says(ValueError, "one time per point"):
        rf.STRAIGHT.velocity_target(X, X, T[:, None])
    for made in (
        rf.noise_from_velocity(predict, rf.STRAIGHT),
        rf.velocity_from_noise(predict, rf.STRAIGHT),
        rf.convert_velocity(predict, rf.STRAIGHT, rf.TRIGONOMETRIC),
    ):
        with says(ValueError, "t = 2.0 lies outside [0, 1]"):
            made(X, 4 * T)
        with says(TypeError, "x has dtype torch.int64"):
            made(X.long(), T)
    with says(ValueError, "returned shape (3, 1)"):
        rf.convert_velocity(lambda x, t: x[:, :1], rf.STRAIGHT, rf.TRIGONOMETRIC)(X, T)
