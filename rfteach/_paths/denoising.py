"""Samplers of diffusion models, of `diffusers`: DDIM, DDPM and DPM-Solver++."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_velocity_output
from rfteach._paths.diffusion import NoiseSchedule
from rfteach._solvers import Trajectory
from rfteach._velocity import CountedVelocity, Velocity

Spacing = Literal["leading", "trailing"]
Predicts = Literal["noise", "v"]
NO_CLIP = {"clip_sample": False}  # points of the plane know no range of colors


def ddim(
    network: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    schedule: NoiseSchedule,
    steps: int = 50,
    spacing: Spacing = "leading",
    predicts: Predicts = "noise",
    keep: Literal["path", "end"] = "path",
) -> Trajectory:
    """Sample without fresh noise by DDIM (Song, Meng, Ermon 2021, equation 12), with diffusers.

    Args:
        network: callable `network(x, t)` that predicts the noise or v.
        x0: noise, shape (n, *event).
        schedule: the noise levels that the network was trained on.
        steps: number N of steps, of T / N levels each; one evaluation a step.
        spacing: "leading", the default of diffusers, starts T / N - 1 levels below the last one and
            sees level 0. "trailing" starts at the last level and sees the times of Euler's method,
            0, 1/N, ..., (N - 1)/N; there, an error of a *noise* network is multiplied by
            noise / signal.
        predicts: what the network was trained for: "noise" by `noise_matching_loss`, "v" by
            `v_matching_loss`.
        keep: "path" keeps every state; "end" only the first and the last, in constant memory.

    Returns:
        A trajectory; its times are those that the network is told, and 1 at the end.

    Raises:
        ValueError: `steps` does not divide the number of levels, a word is unknown, `x0` is empty
            or not finite, or the network returns a wrong shape.
        TypeError: `x0` is not a floating-point tensor, or `steps` no integer.
    """
    return _sample(network, x0, "DDIMScheduler", schedule, steps, spacing, predicts, keep, NO_CLIP)


def ddpm(
    network: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    schedule: NoiseSchedule,
    steps: int | None = None,
    spacing: Spacing = "leading",
    predicts: Predicts = "noise",
    generator: torch.Generator | None = None,
    keep: Literal["path", "end"] = "end",
) -> Trajectory:
    """Sample by DDPM's own chain, with fresh noise in each step (Ho et al. 2020, Algorithm 2).

    The variance of the fresh noise is the smaller one of their Section 3.2, the default of
    diffusers. With fewer steps than levels, it is the chain of the levels that are left (Nichol and
    Dhariwal 2021, Section 4).

    Args:
        network, x0, schedule, spacing, predicts, keep: as for `ddim`.
        steps: number of steps; all T levels when None.
        generator: source of the fresh noise; PyTorch's global one when None.

    Returns and errors: as for `ddim`.
    """
    steps = schedule.levels if steps is None else steps
    chain = "DDPMScheduler"
    return _sample(
        network, x0, chain, schedule, steps, spacing, predicts, keep, NO_CLIP, generator=generator
    )


def dpm_solver(
    network: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    schedule: NoiseSchedule,
    steps: int = 20,
    spacing: Spacing = "trailing",
    predicts: Predicts = "noise",
    keep: Literal["path", "end"] = "end",
) -> Trajectory:
    """Solve the ODE of DDIM by DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2), with diffusers.

    Of second order at one evaluation a step: it uses that of the step before, too. The last step is
    of first order, which diffusers advises for few steps. Its "leading" is that of diffusers, which
    starts below `ddim`, at level N floor(T / (N + 1)): 950 of 1,000 for N = 50, and 750 for 250.

    Arguments, result and errors: as for `ddim`.
    """
    settings = {"euler_at_final": True}
    solver = "DPMSolverMultistepScheduler"
    return _sample(network, x0, solver, schedule, steps, spacing, predicts, keep, settings)


@torch.no_grad()
def _sample(
    network, x0, kind, schedule, steps, spacing, predicts, keep, settings, **options
) -> Trajectory:
    """Run a scheduler of diffusers."""
    check_count("steps", steps)
    if schedule.levels % steps:
        fitting = [n for n in range(1, schedule.levels + 1) if schedule.levels % n == 0]
        raise ValueError(
            f"steps = {steps} does not divide the {schedule.levels} levels, so that a step would "
            f"not end where the next one starts; take one of {', '.join(map(str, fitting))}"
        )
    for name, word, known in (
        ("spacing", spacing, ("leading", "trailing")),
        ("predicts", predicts, ("noise", "v")),
        ("keep", keep, ("path", "end")),
    ):
        if word not in known:
            raise ValueError(f'{name} = {word!r}, but it must be "{known[0]}" or "{known[1]}"')
    check_data("x0", x0)
    target = {"noise": "epsilon", "v": "v_prediction"}[predicts]
    scheduler = schedule.scheduler(
        kind, timestep_spacing=spacing, prediction_type=target, **settings
    )
    with warnings.catch_warnings():  # diffusers 0.42 hands tensors to NumPy the old way
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler.set_timesteps(steps)
    network = CountedVelocity(network)
    levels = scheduler.timesteps
    times, states, x = schedule.time_of(levels).tolist(), [x0], x0
    for level, t in zip(levels.tolist(), times, strict=True):
        predicted = network(x, x.new_full((len(x),), t))
        check_velocity_output(predicted, x)
        if predicts == "v":  # diffusers walks toward the noise, this book toward the data
            predicted = -predicted
        x = scheduler.step(predicted, level, x, **options).prev_sample
        if keep == "path":
            states.append(x)
    if keep == "end":
        states, times = [x0, x], times[:1]
    kept = x0.new_tensor([*times, 1.0])
    return Trajectory(kept, torch.stack(states), network.evaluations, complete=keep == "path")
