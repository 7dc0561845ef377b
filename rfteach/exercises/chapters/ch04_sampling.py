"""Checkers for chapter 4, on sampling."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from rfteach import _distributions as distributions, _exact as exact, _solvers as solvers
from rfteach._velocity import Velocity
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import NotAttempted, Right, Wrong, call
from rfteach.exercises.tools.expect import close, expect_close, expect_number, expect_tensor
from rfteach.exercises.tools.inputs import STEPS, inputs, waves
from rfteach.exercises.tools.probe import (
    Probe,
    expect_looks,
    expect_steps,
    expect_without_gradient,
)
from rfteach.exercises.tools.reference import midpoint_steps, on_grid, walk


def _expect_sample(
    result: Any,
    probe: Probe,
    x0: Tensor,
    wanted: Tensor,
    times: Sequence,
    mistakes: Iterable,
    *,
    looks: int = 1,
    runs: str = "",
) -> None:
    """Raise Wrong unless a sampler found `wanted` from x0, looking at these times in any order.

    `looks` is the number of them in a step, `runs` what to say of a wrong number of them.
    """
    got = expect_tensor(result, x0, "The sample")
    mistakes = [] if close(got, wanted) else list(mistakes)
    if not any(close(got, known) for known in (wanted, *(each for each, _ in mistakes))):
        expect_steps(probe, len(times), runs)
        expect_looks(probe, times, looks)
        for x, t in zip(probe.points, probe.times, strict=True):
            if t == 0 and not torch.equal(x, x0):
                raise Wrong("At time 0 the points should be the noise that the sampler was given.")
    draw = pictures.clouds(wanted, got)
    expect_close(got, wanted, mistakes, name="The sample", draw=draw)
    expect_steps(probe, len(times), runs)
    expect_without_gradient(result, probe)


@exercise("4.1", "The midpoint method", "code")
def midpoint(midpoint: Any) -> Right:
    """Check `midpoint(velocity, x0, steps)`: a half step to look, then the whole step."""
    for given, n in zip(inputs(seed=41), STEPS, strict=True):
        x0 = given.points()
        velocity = Probe(waves, x0)
        result = call(midpoint, velocity, x0, n)
        wanted, mistakes = midpoint_steps(x0, n)
        times = [j / (2 * n) for j in range(2 * n)]
        _expect_sample(result, velocity, x0, wanted, times, mistakes, looks=2)
    return Right(
        "Order 2 for two evaluations a step, as with Heun's method. And unlike Heun it never looks "
        "at t = 1, where some networks were hardly trained."
    )


# Solver, order, evaluations of a step, error wanted, and how many times that it is at 64 steps.
TARGETS = {
    "Euler": (solvers.euler, 1, 1, 1e-3, 12),
    "Heun": (solvers.heun, 2, 2, 1e-5, 32),
    "RK4": (solvers.rk4, 4, 4, 1e-8, 59),
}


@exercise("4.2", "Read N off the order plot", "predict")
def choose_steps(steps: Any) -> Right:
    """Check a prediction: the steps that each solver needs for a given error."""
    if steps is None or steps is Ellipsis:
        raise NotAttempted
    if not isinstance(steps, dict) or set(steps) != set(TARGETS):
        raise Wrong('The prediction is a dictionary with the keys "Euler", "Heun" and "RK4".')
    numbers = {name: expect_number(steps[name], f"The steps of {name}") for name in TARGETS}
    if min(numbers.values()) < 1:
        raise Wrong(f"Each solver makes at least 1 step, but yours are {steps}.")
    reports = [_report(name, round(n), torch.get_default_device()) for name, n in numbers.items()]
    found = "\n".join(line for _, line in reports)
    if all(right for right, _ in reports):
        return Right(
            f"{found}\nWith order p, twice the steps divide the error by 2^p, so that "
            f"N = 64 (error at 64 / error wanted)^(1 / p)."
        )
    raise Wrong(found)


@functools.cache  # for a second try; the device keeps the results of each apart
def _report(name: str, n: int, device: torch.device) -> tuple[bool, str]:
    """Say whether a solver has the error wanted, and if it has not, what may have misled."""
    solver, order, cost, target, ratio = TARGETS[name]
    best = 64 * ratio ** (1 / order)
    if n * cost <= 1000:
        velocity, x0, error_of = _exact_flow(1.0, device)
        error = error_of(solver(velocity, x0, steps=n, keep="end").end)
        found = f"{name} with {n:g} steps has an error of {error:.2g}, "
    else:  # too long to wait for
        error = target * (best / n) ** order
        found = f"By the line in the plot, {name} with {n:g} steps has an error of {error:.2g}, "
    if abs(error / target - 1) <= 1 / 3:
        return True, found + f"close to {target:g}."
    guesses = [
        (64, "That is where the plot was read. Follow the line from there."),
        (best / 64, "That says how many times 64 the number of steps is."),
    ]
    if order > 1:
        guesses += [
            (best * cost, f"That counts the evaluations: a step of {name} makes {cost} of them."),
            (best / cost, f"A step of {name} makes {cost} evaluations, but steps are asked for."),
            (64 * ratio**order, "N grows with a root of the ratio of the errors, not a power."),
        ]
    for p in {1, 2, 3, 4} - {order}:
        hint = f"Is {name} taken for a method of order {p}? It has order {order}."
        guesses.append((64 * ratio ** (1 / p), hint))
    for other, (_, p, _, _, factor) in TARGETS.items():
        if other != name:
            hint = f"That is about what {other} needs. Are two of them interchanged?"
            guesses.append((64 * factor ** (1 / p), hint))
    near = [(abs(n / max(1, round(guess)) - 1), hint) for guess, hint in guesses]
    near.append((0.02, "Too few steps." if n < best else "More steps than needed."))
    return False, f"{found}not {target:g}. {min(near)[1]}"


@functools.cache  # finding the truth takes most of the time
def _exact_flow(scale: float, device: torch.device) -> tuple[Velocity, Tensor, Callable]:
    """Return the exact field of the eight blobs times `scale`, starts, and the error of ends."""
    blobs = distributions.EightGaussians()
    data = distributions.GaussianMixture(scale * blobs.means, scale * blobs.stds)
    velocity = exact.mixture_velocity(data)
    x0 = distributions.Gaussian(2).sample(300, generator=torch.Generator().manual_seed(7)).double()
    truth = solvers.rk4(velocity, x0, steps=400, keep="end").end
    return velocity, x0, lambda end: (end - truth).norm(dim=1).mean().item()


SUM = "The weights of the two ends should add up to 1."
# Weights of the coarse end and the fine one.
TWO_ENDS = [
    (0.5, 0.5, "The truth does not lie between: both ends are off to the same side. Go beyond."),
    (2, -1, "This goes the wrong way, beyond the coarse run. The fine one is nearer the truth."),
    (-1 / 3, 4 / 3, "These weights are for a method of order 2. Euler's has order 1."),
    (0, 1, "This is the fine run alone. The coarse run tells how far off it is."),
    (1, 0, "This is the coarse run alone."),
    (-1, 1, "This is the estimate of the error. Add it to the fine run."),
    (1, -1, "This is the estimate of the error. Take it off the fine run."),
    (-2, 3, "This takes off the error of the coarse run, C/N. The fine run has C/(2N)."),
    *((a, b, SUM) for a, b in [(1, 2), (1, 1), (-0.5, 2), (-1, 1.5), (-2, 2), (-1, 3)]),
    (4 / 3, -1 / 3, "This goes the wrong way, and with the weights for a method of order 2."),
    (1 / 3, 2 / 3, "The truth does not lie between the two ends, but beyond the fine one."),
    (-0.5, 1.5, "This takes off half of the difference. All of it is the error of the fine run."),
]


@exercise("4.3", "Two runs are better than one", "derive")
def richardson(richardson: Any) -> Right:
    """Check `richardson(velocity, x0, steps)`: Euler with N and 2N steps, the error cancelled."""
    for given, n in zip(inputs(seed=43), STEPS, strict=True):
        x0 = given.points()
        velocity = Probe(waves, x0)
        result = call(richardson, velocity, x0, n)
        if velocity.evaluations == 3 * n - 1 and velocity.times.count(0.0) == 1:
            raise Wrong(
                f"Your two runs share their first look, at t = 0. That is clever, but here make "
                f"all {3 * n} evaluations, so that they can be counted."
            )
        coarse, fine = walk(x0, n), walk(x0, 2 * n)
        mistakes = [(a * coarse + b * fine, hint) for a, b, hint in TWO_ENDS]
        per_step = "This extrapolates each single step. Extrapolate the ends of two whole runs."
        mistakes.append((midpoint_steps(x0, n)[0], per_step))
        half = "These are runs of N / 2 and N steps. Make them of N and 2N."
        mistakes.append((2 * coarse - walk(x0, max(1, n // 2)), half))
        shorter = "Each step of the fine run lasts 1/(2N), and its clock moves on by that."
        twice_as_far = [
            walk(coarse, n, first=1),  # up to t = 2
            walk(x0, 2 * n, clock=2),
            walk(x0, 2 * n, sign=2),
        ]
        mistakes += [(2 * end - coarse, shorter) for end in twice_as_far]
        times = [i / m for m in (n, 2 * n) for i in range(m)]
        runs = "The runs are not one of N and one of 2N steps, which make 3N."
        _expect_sample(result, velocity, x0, 2 * fine - coarse, times, mistakes, runs=runs)
    return Right(
        "Order 2 from a method of order 1, by arithmetic alone. It is called Richardson "
        "extrapolation. The difference of the runs also tells how large the error is."
    )


@exercise("4.4", "Where to spend the steps", "code")
def own_grid(euler_on: Any, grid: Any) -> Right:
    """Check `euler_on(velocity, x0, times)` and `grid(n)`, a better grid for wide data."""
    for given, n in zip(inputs(seed=44), STEPS, strict=True):
        x0 = given.points()
        velocity = Probe(waves, x0)
        equal = torch.linspace(0, 1, n + 1).to(x0)
        times, starts = equal**2, equal[:-1] ** 2
        result = call(euler_on, velocity, x0, times)
        between = "Each step lasts from one time of the grid to the next."
        grids = [
            (equal, equal[:-1], f"This takes equal steps of 1/N. {between}"),
            (times, times[1:], "Each step takes the time at its end, not its start."),
            (equal, starts, f"The times are right, the steps equally long. {between}"),
            (equal * n / (n + 1), starts, f"The steps last 1/(N + 1). {between}"),
            (times.cumsum(0), starts, f"The steps last times[i + 1]. {between}"),
            (-times, starts, "The steps go in the opposite direction."),
            *(
                (
                    dt.cumsum(0),
                    starts,
                    f"Each step lasts as long as its neighbor should: check the index. {between}",
                )
                for dt in _neighbors(times.diff())
            ),
            (equal * n * times[1], starts, f"All last as long as the first. {between}"),
        ]
        mistakes = ((on_grid(x0, *each), hint) for *each, hint in grids)
        wanted = on_grid(x0, times, starts)
        _expect_sample(result, velocity, x0, wanted, starts.tolist(), mistakes)
    try:
        gain = _gain_of(grid)
    except NotAttempted as stub:
        raise NotAttempted("The sampler is right. The grid is still a stub.") from stub
    return Right(
        f"With 8 steps your grid divides the error by {gain:.1f}. These data are much wider than "
        f"the noise: soon after t = 0 a point can tell where it belongs, so the decision falls "
        f"early, and there the paths bend. Stable Diffusion 3 shifts its grid for the same reason."
    )


def _neighbors(dt: Tensor) -> list[Tensor]:
    """Return the lengths of steps, after a 0, each that of the step after it or before it."""
    zero = dt.new_zeros(1)
    return [
        torch.cat([zero, each])
        for each in (
            torch.cat([dt[1:], dt[-1:]]),
            dt.roll(-1),
            torch.cat([dt[:1], dt[:-1]]),
            dt.roll(1),
            torch.cat([-dt.sum()[None], dt[:-1]]),  # times[i] - times[i - 1], where i starts at 0
        )
    ]


def _gain_of(grid: Any) -> float:
    """Return by how much the grid divides the error of equal steps; raise Wrong if too little."""
    wide, x0, error_of = _exact_flow(10.0, torch.get_default_device())

    def error(times: Tensor) -> float:
        x = x0
        for t, dt in zip(times[:-1], times.diff(), strict=True):
            x = x + dt * wide(x, t.expand(len(x)))
        return error_of(x)

    gains = []
    for n in (8, 16, 32):
        equal = torch.linspace(0, 1, n + 1, dtype=torch.float64, device=x0.device)
        times = call(grid, n)
        if not isinstance(times, Tensor) or times.shape != equal.shape:
            got = tuple(times.shape) if isinstance(times, Tensor) else type(times).__name__
            raise Wrong(f"grid({n}) should be a tensor of {n} + 1 times, but it is {got}.")
        times = times.to(equal)
        if not (times.diff() > 0).all() or not close(times[[0, -1]], equal[[0, -1]]):
            raise Wrong("The times of the grid should rise, from 0 at first to 1 at last.")
        times = torch.cat([equal[:1], times[1:-1], equal[-1:]])  # the ends without rounding
        plain, yours = error(equal), error(times)
        gains.append(plain / yours)
        if gains[-1] < 2:
            hint = "The direction is right. Go further."
            if torch.allclose(times, equal, atol=1e-3):
                hint = "These are equal steps."
            elif times[n // 2] > 0.501:
                hint = "Your grid is finer near t = 1. Where do these points decide?"
            elif times[1] > 0.99 / n:
                hint = "Your first step is no shorter than an equal one. Where do points decide?"
            elif 1 - times[-2] < 0.9 / n:
                hint = "Your grid is finer at both ends. Do these points decide at both?"
            elif error((times + equal) / 2) < yours:
                hint = "Your grid is so fine near t = 0 that the rest is too coarse."
            raise Wrong(
                f"With {n} steps your grid has the error {yours:.2g}, where equal steps have "
                f"{plain:.2g}. Less than half of that is possible. {hint}"
            )
    return gains[0]
