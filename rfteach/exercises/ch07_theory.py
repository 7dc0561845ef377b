"""Checkers for chapter 7, on the theorems."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rfteach import distributions, exact, metrics, solvers
from rfteach.exercises import pictures
from rfteach.exercises.answers import Right, Wrong, call
from rfteach.exercises.checking import exercise
from rfteach.exercises.expect import (
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    misconception,
)
from rfteach.exercises.inputs import PLANE, inputs


@exercise("7.1", "Straight lines, and still S > 0", "predict")
def straightness_of_blob(S: Any) -> Right:
    """Check a prediction: S of the flow from N(0, I) to N(0, I/4) in the plane."""
    predicted = expect_number(S, "S")
    blob = distributions.GaussianMixture(torch.zeros(1, 2), torch.tensor([0.5]))
    generator = torch.Generator().manual_seed(71)
    z0 = torch.randn(500, 2, generator=generator, device="cpu").double()
    z0 = z0 * (2 / metrics.squared_norm(z0).mean()).sqrt()  # so that E||Z_0||^2 is exactly 2
    z0 = z0.to(torch.get_default_device())
    flow = solvers.rk4(exact.mixture_velocity(blob), z0, steps=200)
    measured = metrics.straightness(flow)
    found = f"The run: S = {measured:.3f}. "
    why = (
        "By Theorem 5: the pairs cost E||X0||^2 + E||X1||^2 = 2 + 0.5. The flow shrinks every "
        "point by half, which costs 2 (1 - 0.5)^2 = 0.5. V = (pi/2) s d = 1.571 from Theorem 1. "
        "What is left is S."
    )
    size = flow.states.norm(dim=2).mean(dim=1)
    chord = size[0] + flow.times * (size[-1] - size[0])
    lines = {"constant speed": chord, "the flow": size}
    draw = pictures.curves(flow.times, lines, "t", "mean distance from the center")
    if abs(predicted - measured) < 0.02:
        return Right(found + why, draw)
    hint = misconception(
        predicted,
        [
            (0.0, "The paths are straight as curves, but their speed changes, and S sees that. "),
            (math.pi / 2, "That is V, the crossings. "),
            (2.0, "That is S + V together. "),
            (0.5, "That is the cost of the flow's own pairs. "),
            (measured / 2, "Count both coordinates; and s is 1/2, not 1/4, the square of it. "),
            (2 - math.pi / 4, "V is (pi/2) s d, with s = 1/2 and d = 2. "),
            (2.5, "That is the cost of the independent pairs. "),
            (2.5 - math.pi / 2, "The cost of the flow's own pairs must go off, too. "),
        ],
    )
    raise Wrong(found + hint + why, draw)


CENTER, WIDTH = (1.0, -0.5), 0.4


@exercise("7.2", "Another field with the same clouds", "derive")
def same_clouds(other_field: Any) -> Right:
    """Check `other_field(x, t)`: not v*, but with the same distribution at every time."""
    # Points for means over N(0, I): exact for polynomials, and for all that goes in circles.
    nodes, weights = (torch.tensor(a) for a in np.polynomial.laguerre.laggauss(20))  # of r^2 / 2
    angle = torch.arange(32, dtype=torch.float64) * (math.pi / 16)
    around = torch.stack([angle.cos(), angle.sin()], dim=1)
    device = torch.get_default_device()
    standard = ((2 * nodes).sqrt()[:, None, None] * around).flatten(0, 1).to(device)
    weight = (weights / 32).repeat_interleave(32).to(device)
    center, width = (torch.tensor(a, dtype=torch.float64, device=device) for a in (CENTER, [WIDTH]))
    best = exact.mixture_velocity(distributions.GaussianMixture(center[None], width))
    for given in inputs([(9, (2,), torch.float32)], seed=72):
        x, t = given.points(), given.times(0.0, 0.9)
        together = expect_tensor(call(other_field, x, t), x, "The velocity")
        for i in range(len(x)):
            alone = expect_tensor(call(other_field, x[i : i + 1], t[i : i + 1]), x[:1], "A row")
            if not torch.allclose(alone[0], together[i], atol=1e-4):
                raise Wrong("The velocity of a point changes with the rest of the batch.")

    largest = 0.0
    for time in (0.0, 0.13, 0.3, 0.5, 0.7, 0.87, 1.0):
        sigma = math.hypot(1 - time, time * WIDTH)
        x = time * center + sigma * standard
        t = x.new_full((len(x),), time)
        v = expect_tensor(call(other_field, x, t), x, "The velocity")
        h = v - best(x, t)
        if not (weight * metrics.squared_norm(h)).sum().isfinite():
            raise Wrong(f"The velocity grows without bounds at t = {time:g}.")
        largest = max(largest, (weight * metrics.squared_norm(h)).sum().item() ** 0.5)
        _expect_still(h, x - time * center, weight, time, sigma)
    if largest < 0.1:
        raise Wrong(
            f"The clouds are right, but this is v* itself, up to {largest:.2g}. Add something that "
            f"moves points and leaves every cloud as it is."
        )
    return Right(
        "Many fields have the right clouds. v* is the one of least loss: any other has a larger "
        "one, by the mean square of what it adds to v*."
    )


def _expect_still(h: Tensor, offset: Tensor, weight: Tensor, time: float, sigma: float) -> None:
    """Raise Wrong if the extra velocity h changes some mean of the cloud: E[grad phi . h] = 0."""
    a, b = offset.unbind(dim=1)
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    size = (weight * metrics.squared_norm(h)).sum().sqrt().item() + 0.01

    def change(first: Tensor, second: Tensor) -> float:
        rate = (weight * (first * h[:, 0] + second * h[:, 1])).sum().item()
        scale = (weight * (first.square() + second.square())).sum().sqrt().item() * size
        return rate / scale

    limit = 2e-3
    at = f"At t = {time:g} your field"
    if max(abs(change(one, zero)), abs(change(zero, one))) > limit:
        raise Wrong(
            f"{at} moves the mean of the cloud otherwise than v* does. If it turns the cloud: the "
            f"center is t m at that time, and not the origin."
        )
    if abs(change(a, b)) > limit:
        raise Wrong(f"{at} changes the width of the cloud: it grows or shrinks too fast.")
    if max(abs(change(b, a)), abs(change(a, -b))) > limit:
        raise Wrong(f"{at} changes the shape of the cloud: it is stretched along one direction.")
    r2 = (a.square() + b.square()) / sigma**2
    phase = (1.4 * a + 0.76 * b) / sigma
    waves = [(1.4 * f(phase), 0.76 * f(phase)) for f in (torch.sin, torch.cos)]
    cubes = [(3 * a**2, zero), (zero, 3 * b**2), (2 * a * b, a**2), (b**2, 2 * a * b)]
    if max(abs(change(*each)) for each in [*cubes, *waves, (a * r2, b * r2)]) > limit:
        raise Wrong(
            f"{at} keeps mean and width of the cloud, but not its finer shape. Let the extra "
            f"velocity follow the lines of equal density, which are circles around t m, at a "
            f"speed that depends on their radius alone."
        )


@exercise("7.3", "Acceleration along a path", "code")
def acceleration(acceleration: Any) -> Right:
    """Check `acceleration(velocity, x, t)`: the derivative of v(Z_t, t) where Z_t = x."""

    def field(x: Tensor, t: Tensor) -> Tensor:
        x1, x2 = x.unbind(dim=1)
        first = torch.sin(x1) + t * x2
        return torch.stack([first, torch.cos(x1) * x2 * t + 0.5 * x1 - t.square()], dim=1)

    def one(place: Tensor, time: Tensor) -> Tensor:
        return field(place[None], time[None])[0]

    for given in inputs(PLANE, seed=73):
        x, t = given.points(), given.times(0.1, 0.9)
        result = call(acceleration, field, x, t)
        got = expect_tensor(result, x, "The acceleration")
        v = field(x, t)
        # reverse mode, since the forward mode of PyTorch 2.13 warns of its own deprecated parts
        J, in_time = torch.func.vmap(torch.func.jacrev(one, argnums=(0, 1)))(x, t)

        def times(matrix: Tensor, vector: Tensor) -> Tensor:
            return (matrix @ vector[:, :, None])[:, :, 0]

        in_place, backward = times(J, v), times(J.mT, v)
        moves = "The place moves by v in a unit of time: that is its direction."
        mistakes = [
            (
                in_time,
                "This is how the field changes in time at a fixed place. But the point moves, and "
                "meets other velocities where it goes.",
            ),
            (
                in_place,
                "This is what the point meets because it moves. The field itself changes in time, "
                "too: add its derivative in t.",
            ),
            (
                in_time + backward,
                "The matrix of derivatives is transposed: `backward` and `vjp` multiply from the "
                "left. What is needed is J v, the derivative in the direction v: `torch.func.jvp`.",
            ),
            (backward, "This is v multiplied from the left, and the derivative in t is missing."),
            (in_time - in_place, "The two parts add up: dZ/dt is v, not -v."),
            (in_place - in_time, "The two parts add up. Yours takes the one in t off."),
            (in_place + t[:, None] * in_time, "Time passes at the speed 1, not t."),
            *((in_time + times(J, way), moves) for way in (x, torch.ones_like(x))),
            (in_time + J.diagonal(dim1=1, dim2=2) * v, "This is the diagonal of J times v."),
            (
                in_time.sum(dim=1, keepdim=True) + J.sum(dim=1) * v,
                "The gradient of `v.sum()` mixes the components of v. Each has one of its own.",
            ),
            *(
                (factor * (in_time + in_place), "A central difference spans two steps, others one.")
                for factor in (0.5, 2.0)
            ),
            (torch.zeros_like(v), "This is about 0. Did you divide the difference by its step?"),
            (v, "This is the velocity. The acceleration is its change along the path."),
        ]
        wanted = in_time + in_place
        if (got - wanted).norm() < 0.15 * wanted.norm():
            fine = "Finite differences need a step of about 1e-3; a tiny one loses digits."
            mistakes.append((got, f"This is nearly right. {fine}"))
        # finite differences are welcome, and in single precision they are off by about 1e-3
        expect_close(got, wanted, mistakes, name="The acceleration", tolerance=1e-2)
    return Right(
        "It is 0 everywhere exactly when every path is straight at constant speed. Its mean square "
        "is the A^2 of Theorem 6, and the error of an Euler step is half of it times dt^2."
    )


@exercise("7.4", "How much do correlated pairs cross?", "derive")
def crossing(crossing: Any) -> Right:
    """Check `crossing(rho)`: V of standard normal X0, X1 on the line with correlation rho."""
    for rho in (0.3, -0.6, 0.95, 0.0, -0.99, 0.75):
        root = math.sqrt(1 - rho**2)
        mistakes = [
            (2 * (1 - rho), "This is the mean square of X1 - X0. Given the place it is less."),
            (root, "A factor is missing: the integral over t gives an arccosine."),
            (math.acos(rho), "A factor is missing: the root of 1 - rho^2."),
            (math.pi / 2, "This is V of independent pairs, rho = 0."),
            *(
                (math.pi / 2 * factor, "Right for rho = 0. But the integral depends on rho, too.")
                for factor in (root, 1 - rho, 1 - rho**2)
            ),
            (root**2 * math.acos(rho), "The factor is not 1 - rho^2, but its root."),
            (root * math.degrees(math.acos(rho)), "The angle is in degrees."),
            (1 - rho**2, "This is the conditional variance at t = 0. Average it over all t."),
            *(
                (root * math.acos(rho) * factor, "Note that dt is dw / 2, and w starts at -1.")
                for factor in (0.5, 2)
            ),
            (root * math.asin(rho), "This is 0 for independent pairs, which do cross."),
            (root * math.acos(-rho), "The sign of rho is flipped: for rho = 1 nothing moves."),
        ]
        value = call(crossing, rho)
        expect_value(value, root * math.acos(rho), mistakes, f"crossing({rho})")
    return Right(
        "V is 0 at both ends: for rho = 1 nothing moves, and for rho = -1 all lines meet in the "
        "center, but at one instant only (chapter 7's half turn)."
    )
