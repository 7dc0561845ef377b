"""Running a flow backward, and changing a given point: inversion and editing."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_pair, check_velocity_output
from rfteach._interpolation import along, interpolate
from rfteach._rows import where_to_draw
from rfteach._solvers import Trajectory, heun
from rfteach._velocity import CountedVelocity, Velocity


def invert(
    velocity: Velocity,
    x1: Float[Tensor, "n *event"],
    *,
    steps: int | Float[Tensor, " times"] = 50,
    solver: Callable[..., Trajectory] = heun,
) -> Trajectory:
    """Follow a flow backward, from points at t = 1 to their noise at t = 0.

    In the time s = 1 - t the flow backward is the flow of -v(x, 1 - s), so any solver serves. It is
    *not* the exact inverse of the same solver forward: there and back leaves an error of the
    solver's order. `invert_euler` leaves none.

    Args:
        velocity: callable `velocity(x, t)`.
        x1: points at t = 1, shape (n, *event).
        steps: number N of equal steps, or the N + 1 times, rising from 0 to 1, of the flow forward.
        solver: `euler`, `heun`, `rk4` or `adams_bashforth`.

    Returns:
        The path in the time of the flow: its start is the noise at t = 0, its end is `x1`.

    Raises:
        ValueError, TypeError: as the solver, or `x1` is empty, not finite or not floating-point.
    """
    check_data("x1", x1)

    def backward(x: Tensor, s: Tensor) -> Tensor:
        return -velocity(x, 1 - s)

    path = solver(backward, x1, steps=1 - steps.flip(0) if isinstance(steps, Tensor) else steps)
    return Trajectory(1 - path.times.flip(0), path.states.flip(0), path.evaluations, path.complete)


@torch.no_grad()
def invert_euler(
    velocity: Velocity,
    x1: Float[Tensor, "n *event"],
    *,
    steps: int = 100,
    sweeps: int = 100,
    tolerance: float | None = None,
) -> Trajectory:
    """Undo `euler` with as many steps: find the points that its steps lead to `x1`.

    A step forward is x' = x + h v(x, t). Given x', its start solves x = x' - h v(x, t), with the
    velocity at the *start* of the step. Iterating this converges if h times the Lipschitz constant
    of v in x is below 1 (Banach's fixed point theorem); each sweep makes the error smaller by this
    factor, so more steps need fewer sweeps each.

    Args:
        velocity: callable `velocity(x, t)`.
        x1: points at t = 1, shape (n, *event).
        steps: number N of equal steps of `euler`.
        sweeps: most iterations, and evaluations, in a step.
        tolerance: stop when no coordinate changes by more than that. When None: by 4 roundings of
            the largest coordinate, or by at most 400 that no longer shrink, which are those of the
            velocity.

    Returns:
        The path that `euler` takes from its start to `x1`.

    Raises:
        ArithmeticError: a step has not converged; it names the step and what to do.
        ValueError: `steps` or `sweeps` is below 1, `x1` is empty or not finite, or the velocity
            returns a wrong shape.
        TypeError: `x1` is not a floating-point tensor.
    """
    check_data("x1", x1)
    check_count("steps", steps)
    check_count("sweeps", sweeps)
    v, h = CountedVelocity(velocity), 1 / steps
    states = [x1]
    for k in reversed(range(steps)):
        end = x = states[-1]
        t = end.new_full((len(end),), k / steps)
        near = tolerance or 4 * torch.finfo(x.dtype).eps * max(1.0, end.abs().max().item())
        stirred = 0.0 if tolerance else 100 * near
        change, done = math.inf, False
        for _ in range(sweeps):
            slope = v(x.clone(), t)  # a copy, for a velocity that works in place
            check_velocity_output(slope, x)
            before, x = x, end - h * slope
            last, change = change, (x - before).abs().max().item()
            done = change <= near or last <= change <= stirred
            if done or not math.isfinite(change):
                break
        if not done:
            raise ArithmeticError(
                f"the step from t = {k / steps:.4g} is not undone: sweep {sweeps} still moves a "
                f"coordinate by {change:.2g}. It converges if the length of a step times the "
                f"Lipschitz constant of the velocity is below 1; take more than {steps} steps, or "
                "more sweeps if it is nearly there"
            )
        states.append(x)
    times = torch.tensor([k / steps for k in range(steps + 1)], dtype=x1.dtype, device=x1.device)
    return Trajectory(times, torch.stack(states[::-1]), v.evaluations)


def pulled(
    velocity: Velocity,
    end: Float[Tensor, "batch *event"],
    *,
    strength: float,
    until: float = 1.0,
) -> Velocity:
    """Return v + strength ((end - x) / (1 - t) - v), a velocity that is pulled to a given end.

    The controller of RF-Inversion (Rout et al. 2024, arXiv 2410.10792, equations 8 and 15):
    (end - x) / (1 - t) is the velocity of the straight line that is at `end` at t = 1. Strength 0
    is the velocity, strength 1 the line. It serves both ways: with the image as the end on the way
    to data, and with noise as the end of a flow backward, in the time s = 1 - t.

    Args:
        velocity: callable `velocity(x, t)`.
        end: where each point is pulled, shape (batch, *event).
        strength: from 0 to 1; gamma and eta in the paper.
        until: the pull acts for t < until, at most 1.

    Raises:
        ValueError: the strength or `until` is not in [0, 1], or the shapes differ.
    """
    for name, value in (("strength", strength), ("until", until)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} = {value}, but it must be in [0, 1]")

    def pulled_velocity(x: Tensor, t: Tensor) -> Tensor:
        check_pair(end, x)
        v = velocity(x, t)
        check_velocity_output(v, x)
        left = 1 - along(t, x)
        line = (end - x) / torch.where(left > 0, left, torch.ones_like(left))
        acts = (left > 0) & (along(t, x) < until)
        return torch.where(acts, v + strength * (line - v), v)

    return pulled_velocity


@torch.no_grad()
def flow_edit(
    source: Velocity,
    target: Velocity,
    x1: Float[Tensor, "n *event"],
    *,
    steps: int = 50,
    start: float = 0.3,
    average: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n *event"]:
    """Change a point by the difference of two velocities, without inverting it: FlowEdit.

    From t = start on, each step draws noise, takes the given point to x_t = (1 - t) noise + t x1,
    and the edited one z by the same way, z + x_t - x1. Then z moves by the difference of the target
    velocity there and the source velocity at x_t (Kulikov et al. 2024, arXiv 2412.08629, Algorithm
    1, which is the simplified one). Two evaluations a step and draw.

    Args:
        source: velocity of the law that `x1` is from, such as the flow with its caption.
        target: velocity of the law that is wanted.
        x1: points at t = 1, shape (n, *event).
        steps: number N of steps on all of [0, 1]; those that begin before `start` are left out.
        start: from 0, the largest change, to 1, none.
        average: draws of noise in a step.
        generator: source of the noise; PyTorch's global one when None.

    Raises:
        ValueError: `start` is not in [0, 1], a count is below 1, `x1` is empty or not finite, or a
            velocity returns a wrong shape.
        TypeError: `x1` is not a floating-point tensor.
    """
    check_data("x1", x1)
    check_count("steps", steps)
    check_count("average", average)
    if not 0 <= start <= 1:
        raise ValueError(f"start = {start}, but it is a time in [0, 1]")
    draw_on, _ = where_to_draw(generator, x1.device)
    first = math.ceil(start * steps - 1e-9)
    z = x1
    for t0, t1 in pairwise(k / steps for k in range(first, steps + 1)):
        t, change = x1.new_full((len(x1),), t0), torch.zeros_like(x1)
        for _ in range(average):
            noise = torch.randn(x1.shape, generator=generator, device=draw_on, dtype=x1.dtype)
            x = interpolate(noise.to(x1), x1, t)
            slopes = target(z + x - x1, t), source(x, t)
            for slope in slopes:
                check_velocity_output(slope, x)
            change += (slopes[0] - slopes[1]) / average
        z = z + (t1 - t0) * change
    return z
