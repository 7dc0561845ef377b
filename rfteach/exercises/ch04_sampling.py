"""Checkers for chapter 4, on sampling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach import distributions, exact, solvers
from rfteach.exercises import pictures, reference
from rfteach.exercises.answers import NotAttempted, Right, Wrong, call
from rfteach.exercises.checking import exercise
from rfteach.exercises.expect import expect_close, expect_tensor
from rfteach.exercises.inputs import inputs, waves
from rfteach.exercises.probe import Probe, expect_steps, expect_without_gradient
from rfteach.exercises.reference import at, on_grid, stepped, walk
from rfteach.losses import Velocity

STEPS = (5, 3, 4, 2, 6, 1)


@exercise("4.1", "The midpoint method", "code")
def midpoint(midpoint: Any) -> Right:
    """Check `midpoint(velocity, x0, steps)`: a half step to look, then the whole step."""
    for given, n in zip(inputs(seed=41), STEPS, strict=True):
        x0, velocity = given.points(), Probe(waves)
        result = call(midpoint, velocity, x0, n)
        got = expect_tensor(result, x0, "The sample")

        wanted = reference.midpoint(x0, n)
        mistakes = [
            (
                walk(x0, n),
                "This is Euler's method: it takes the arrow at the start of the step.",
            ),
            (
                stepped(lambda x, t, h: x + h * at(x + h / 2 * at(x, t), t), x0, n),
                "The place is that of the middle, but the clock still shows the start of the step. "
                "Ask for the velocity at time t + dt/2.",
            ),
            (
                stepped(lambda x, t, h: x + h * at(x + h * at(x, t), t + h / 2), x0, n),
                "The trial goes a whole step, but the middle is half a step away.",
            ),
            (
                stepped(lambda x, t, h: x + h * at(x, t + h / 2), x0, n),
                "The clock is that of the middle, but the place is still the start of the step.",
            ),
            (
                stepped(
                    lambda x, t, h: x + h / 2 * at(x, t) + h * at(x + h / 2 * at(x, t), t + h / 2),
                    x0,
                    n,
                ),
                "The whole step starts from the middle. Go back first: the trial is only to look.",
            ),
            (
                stepped(
                    lambda x, t, h: x + h / 2 * (at(x, t) + at(x + h / 2 * at(x, t), t + h / 2)),
                    x0,
                    n,
                ),
                "This averages the arrows at the start and in the middle. The midpoint method "
                "takes the one in the middle alone, which has the better error.",
            ),
            (
                stepped(
                    lambda x, t, h: x + h / 2 * (at(x, t) + at(x + h * at(x, t), t + h)), x0, n
                ),
                "This is Heun's method: it takes the mean of the arrows at both ends. It has the "
                "same order, but it is another method.",
            ),
        ]
        draw = pictures.clouds(wanted, got) if given.plane else None
        expect_close(got, wanted, mistakes, name="The sample", draw=draw)
        expect_steps(velocity, 2 * n)
        expect_without_gradient(result)
    return Right(
        "Order 2 for two evaluations a step, as with Heun's method. And unlike Heun it never looks "
        "at t = 1, where some networks were hardly trained."
    )


# Of each solver: itself, its order, its error at 64 steps (as in the statement), the error wanted.
TARGETS = {
    "Euler": (solvers.euler, 1, 1.2e-2, 1e-3),
    "Heun": (solvers.heun, 2, 3.2e-4, 1e-5),
    "RK4": (solvers.rk4, 4, 5.9e-7, 1e-8),
}
COSTS = {"Euler": 1, "Heun": 2, "RK4": 4}


@exercise("4.2", "Read N off the order plot", "predict")
def choose_steps(steps: Any) -> Right:
    """Check a prediction: the steps that each solver needs for a given error."""
    if steps is None or steps is Ellipsis:
        raise NotAttempted
    if not isinstance(steps, dict) or set(steps) != set(TARGETS):
        raise Wrong('The prediction is a dictionary with the keys "Euler", "Heun" and "RK4".')
    if any(n is None or n is Ellipsis for n in steps.values()):
        raise NotAttempted
    for name, n in steps.items():
        if isinstance(n, bool) or not isinstance(n, (int, float)) or not 1 <= n <= 10**6:
            raise Wrong(f"The number of steps for {name} should be a positive number, not {n!r}.")

    velocity = exact.mixture_velocity(distributions.EightGaussians())
    generator = torch.Generator().manual_seed(7)
    x0 = distributions.Gaussian(2).sample(300, generator=generator).double()
    truth = solvers.rk4(velocity, x0, steps=1000, keep="end").end
    report, right = [], True
    for name, (solver, order, known, target) in TARGETS.items():
        n, best = round(steps[name]), 64 * (known / target) ** (1 / order)
        if n <= 4000:
            end = solver(velocity, x0, steps=n, keep="end").end
            error = (end - truth).norm(dim=1).mean().item()
            report.append(f"{name} with {n} steps has the error {error:.2g}")
        else:
            error = target * (best / n) ** order
            report.append(f"{name} with {n} steps would have an error of about {error:.1g}")
        if 0.7 < error / target < 1.4:
            report[-1] += f", close to {target:g}."
            continue
        right = False
        report[-1] += f", not {target:g}. " + _misread(name, n, best)
    if right:
        return Right(
            "\n".join(report) + "\nThe error falls by the same factor as N grows, once for each "
            "order: N = 64 (error at 64 / error wanted)^(1 / order)."
        )
    raise Wrong("\n".join(report))


def _misread(name: str, n: int, best: float) -> str:
    """Say what may have led to n steps in place of the best number."""
    _, order, known, target = TARGETS[name]
    for wrong in (1, 2, 3, 5):
        guess = 64 * (known / target) ** (1 / wrong)
        if wrong != order and abs(n / guess - 1) < 0.08:
            return f"Is {name} taken for a method of order {wrong}? It has order {order}."
    if abs(n / (best * COSTS[name]) - 1) < 0.08:
        return f"That is the number of evaluations; a step of {name} makes {COSTS[name]} of them."
    if n == 64:
        return "That is where the plot was read. Follow the line from there."
    return "Too few steps." if n < best else "More steps than needed."


@exercise("4.3", "Two runs are better than one", "derive")
def richardson(richardson: Any) -> Right:
    """Check `richardson(velocity, x0, steps)`: Euler with N and 2N steps, the error cancelled."""
    for given, n in zip(inputs(seed=43), STEPS, strict=True):
        x0, velocity = given.points(), Probe(waves)
        result = call(richardson, velocity, x0, n)
        got = expect_tensor(result, x0, "The sample")
        coarse, fine = walk(x0, n), walk(x0, 2 * n)
        mistakes = [
            (
                (coarse + fine) / 2,
                "The mean of both lies between them. But both are off to the same side, so the "
                "truth lies beyond the better one.",
            ),
            (
                2 * coarse - fine,
                "This goes the wrong way, beyond the coarse run. The fine one is nearer the truth.",
            ),
            (
                (4 * fine - coarse) / 3,
                "These are the weights for a method of order 2. With order 1 the coarse error is "
                "twice the fine one, not four times.",
            ),
            (fine, "This is the fine run alone. The coarse run tells how far off it is."),
            (coarse, "This is the coarse run alone."),
            (fine - coarse, "This is the estimate of the error. Add it to the fine run."),
            (
                reference.midpoint(x0, n),
                "This extrapolates each single step, which makes the midpoint method of exercise "
                "4.1. Here, extrapolate the ends of two whole runs.",
            ),
        ]
        wanted = 2 * fine - coarse
        draw = pictures.clouds(wanted, got) if given.plane else None
        expect_close(got, wanted, mistakes, name="The sample", draw=draw)
        expect_steps(velocity, 3 * n)
        expect_without_gradient(result)
    return Right(
        "Order 2 from a method of order 1, by arithmetic alone. It is called Richardson "
        "extrapolation. The difference of the runs also tells how large the error is."
    )


@exercise("4.4", "Where to spend the steps", "code")
def own_grid(euler_on: Any, grid: Any) -> Right:
    """Check `euler_on(velocity, x0, times)` and `grid(n)`, a better grid for wide data."""
    for given, n in zip(inputs(seed=44), STEPS, strict=True):
        x0, velocity = given.points(), Probe(waves)
        times = torch.linspace(0, 1, n + 1, dtype=x0.dtype, device=x0.device) ** 2
        result = call(euler_on, velocity, x0, times)
        got = expect_tensor(result, x0, "The sample")
        later = torch.cat([times[1:], times[-1:]])
        mistakes = [
            (
                walk(x0, n),
                "This takes equal steps of 1/N. Each step lasts from one time of the grid to the "
                "next.",
            ),
            (
                on_grid(x0, times, later[:-1]),
                "Each step takes the arrow of the time at its end. Euler takes that at its start.",
            ),
            (
                on_grid(x0, torch.linspace(0, 1, n + 1).to(times), times[:-1]),
                "The arrows are taken at the times of the grid, but all steps are equally long.",
            ),
        ]
        expect_close(got, on_grid(x0, times, times[:-1]), mistakes, name="The sample")
        expect_steps(velocity, n)
        expect_without_gradient(result)
    try:
        gain = _gain_of(grid)
    except NotAttempted as stub:
        raise NotAttempted("The sampler is right. The grid is still a stub.") from stub
    return Right(
        f"With 8 steps your grid divides the error by {gain:.1f}. These data are much wider than "
        f"the noise: soon after t = 0 a point can tell where it belongs, so the decision falls "
        f"early, and there the paths bend. Stable Diffusion 3 shifts its grid for the same reason."
    )


def _solved(velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
    for t, dt in zip(times[:-1], times.diff(), strict=True):
        x = x + dt * velocity(x, t.expand(len(x)))
    return x


def _gain_of(grid: Any) -> float:
    """Return by how much the grid divides the error of equal steps; raise Wrong if too little."""
    blobs = distributions.EightGaussians()
    wide = exact.mixture_velocity(distributions.GaussianMixture(10 * blobs.means, 10 * blobs.stds))
    generator = torch.Generator().manual_seed(45)
    x0 = distributions.Gaussian(2).sample(300, generator=generator).double()
    truth = solvers.rk4(wide, x0, steps=800, keep="end").end
    gains = []
    for n in (8, 16, 32):
        equal = torch.linspace(0, 1, n + 1, dtype=torch.float64, device=x0.device)
        times = call(grid, n)
        if not isinstance(times, Tensor) or times.shape != equal.shape:
            got = tuple(times.shape) if isinstance(times, Tensor) else type(times).__name__
            raise Wrong(f"grid({n}) should be a tensor of {n} + 1 times, but it is {got}.")
        times = times.to(equal)
        if not (times.diff() > 0).all():
            raise Wrong("The times of the grid should rise from each to the next.")
        if abs(times[0].item()) > 1e-6 or abs(times[-1].item() - 1) > 1e-6:
            raise Wrong("The grid should begin at 0 and end at 1.")
        errors = [
            (_solved(wide, x0, each) - truth).norm(dim=1).mean().item() for each in (equal, times)
        ]
        gains.append(errors[0] / errors[1])
        if gains[-1] < 2:
            hint = (
                "These are equal steps."
                if torch.allclose(times, equal, atol=1e-3)
                else "Your grid is finer near t = 1. Where do these points decide?"
                if times[n // 2] > 0.5
                else "The direction is right. Go further."
                if gains[-1] > 1
                else "Your grid is so fine near t = 0 that the rest is too coarse."
            )
            raise Wrong(
                f"With {n} steps your grid has the error {errors[1]:.2g}, equal steps have "
                f"{errors[0]:.2g}. Half of that is possible, and more. {hint}"
            )
    return gains[0]
