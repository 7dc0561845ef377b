"""Checkers for chapter 7, on the theorems."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from rfteach import _distributions as distributions, _exact as exact, _solvers as solvers
from rfteach._measures import flows as metrics
from rfteach._velocity import Velocity
from rfteach.exercises.chapters.ch07_theory.round_cloud import (
    flickers,
    moved_by,
    runs_away,
    standard_normal,
)
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    misconception,
)
from rfteach.exercises.tools.inputs import PLANE, Inputs, everywhere_alike, inputs, steady, swirl


@exercise("7.1", "Straight lines, and still S > 0", "predict")
def straightness_of_blob(S: Any) -> Right:
    """Check a prediction: S of the flow from N(0, I) to N(0, 0.16 I) in the plane."""
    predicted = expect_number(S, "S")
    flow, measured = _flow_of_blob(torch.get_default_device())
    found = f"The run: S = {measured:.3f}. "
    why = (
        "By Theorem 5: the pairs cost E||X0||^2 + E||X1||^2 = 2 + 0.32. The flow shrinks every "
        "point to 0.4 of it, which costs 2 (1 - 0.4)^2 = 0.72. V = (pi/2) s d = 1.257 from Theorem "
        "1. What is left is S."
    )
    s = 0.4
    pairs, flow_cost, V = 2 * (1 + s**2), 2 * (1 - s) ** 2, math.pi * s
    size = flow.states.norm(dim=2).mean(dim=1)
    chord = size[0] + flow.times * (size[-1] - size[0])
    lines = {"constant speed": chord, "the flow": size}
    draw = pictures.curves(flow.times, lines, "t", "mean distance from the center")
    if abs(predicted - measured) < 0.02:
        return Right(found + why, draw)
    known = [
        (measured / 2, "That is one of the two coordinates. "),
        (0.0, "The paths are straight as curves, but their speed changes, and S sees that. "),
        (V, "That is V, the crossings. "),
        (pairs - flow_cost, "That is S + V together. "),
        (flow_cost, "That is the cost of the flow's own pairs. "),
        (pairs, "That is the cost of the independent pairs. "),
        (pairs - V, "The cost of the flow's own pairs must go off, too. "),
        (pairs - 2 * s**2 - V, "The flow costs E||Z1 - Z0||^2, not E||Z1||^2. "),
        (pairs - flow_cost - V / 2, "V counts both coordinates, too. "),
        (pairs - flow_cost - V * s, "V is (pi/2) s d, with s = 0.4, not s^2. "),
        (
            2 * (1 + s**4) - 2 * (1 - s**2) ** 2 - math.pi * s**2,
            "0.16 is the variance. The width is its root, s = 0.4. ",
        ),
        (-measured, "The sign is wrong: S is a mean square, and never below 0. "),
        (V / 2, "That is V of one coordinate. "),
        (pairs - V - flow_cost / 2, "The cost of the flow counts both coordinates, too. "),
        (measured**0.5, "That is the root of S, which is a mean square. "),
    ]
    hint = misconception(predicted, known)
    raise Wrong(found + hint + why, draw)


@functools.cache  # for a second try; the device keeps the results of each apart
def _flow_of_blob(device: torch.device) -> tuple[solvers.Trajectory, float]:
    """Return the exact flow from N(0, I) to N(0, 0.16 I) in the plane, and its S."""
    blob = distributions.GaussianMixture(torch.zeros(1, 2), torch.tensor([0.4]))
    z0 = torch.randn(500, 2, generator=torch.Generator().manual_seed(71), device="cpu").double()
    z0 = z0 * (2 / metrics.squared_norm(z0).mean()).sqrt()  # so that E||Z_0||^2 is exactly 2
    flow = solvers.rk4(exact.mixture_velocity(blob), z0.to(device), steps=200)
    return flow, metrics.straightness(flow)


CENTER, WIDTH = (1.0, -0.5), 0.4


@exercise("7.2", "Another field with the same clouds", "derive")
def same_clouds(other_field: Any) -> Right:
    """Check `other_field(x, t)`: not v*, but with the same distribution at every time."""
    device = torch.get_default_device()
    standard, weight = standard_normal(31)
    finer, finer_weight = standard_normal(47)
    center, width = (torch.tensor(a, dtype=torch.float64, device=device) for a in (CENTER, [WIDTH]))
    best = exact.mixture_velocity(distributions.GaussianMixture(center[None], width))
    given = Inputs(9, (2,), torch.float32, seed=72)
    x, t = given.points(), given.times(0.0, 0.9)
    together = expect_tensor(call(other_field, x, t), x, "The velocity")
    if not torch.allclose(call(other_field, x, t), together, atol=1e-4):
        raise Wrong("The velocity changes from call to call. A field is a function of x and t.")
    for i in range(len(x)):
        alone = expect_tensor(call(other_field, x[i : i + 1], t[i : i + 1]), x[:1], "A row")
        if not torch.allclose(alone[0], together[i], atol=1e-4):
            raise Wrong("The velocity of a point changes with the rest of the batch.")

    largest = 0.0
    between = Inputs(20, (), torch.float64, seed=73).times()
    for time in [*(i / 40 for i in range(41)), *between.tolist()]:
        sigma = math.hypot(1 - time, time * WIDTH)

        def at(points: Tensor, time: float = time, sigma: float = sigma) -> tuple[Tensor, Tensor]:
            x = time * center + sigma * points
            t = x.new_full((len(x),), time)
            v = best(x, t)
            return expect_tensor(call(other_field, x, t), x, "The velocity") - v, v

        h, v = at(standard)
        h2, _ = at(finer)
        square = (weight * metrics.squared_norm(h)).sum().item()
        ratio = ((finer_weight * metrics.squared_norm(h2)).sum().item() + 0.05) / (square + 0.05)
        moved = moved_by(h, sigma * standard, weight, sigma)
        again = moved_by(h2, sigma * finer, finer_weight, sigma)
        # The two sets of points differ by a factor of 2 for a field with an edge, and by powers of
        # 10 for one whose mean square is infinite.
        if not 0.25 < ratio < 4 or moved != again:
            raise Wrong(
                f"At t = {time:g} what you add to v* cannot be measured. It grows without bounds, "
                f"or it varies too quickly from place to place. Far away from the center it may "
                f"grow like a power of the distance, along the circles, but not much faster."
            )
        if moved:
            still = not moved_by(h + v, sigma * standard, weight, sigma)
            if still and (h + v).abs().max() > 0:
                moved = "is what you add to v*, alone. Return v* + h."
            raise Wrong(f"At t = {time:g} your field {moved}")
        if flickers(lambda offset, at=at, sigma=sigma: at(offset / sigma)[0], sigma):
            raise Wrong(
                f"At t = {time:g} the clouds are right, but what you add to v* varies too quickly "
                f"from place to place: over a tenth of the cloud's width it is another. A solver "
                f"with steps of any usual size would not follow it."
            )
        if runs_away(lambda offset, at=at, sigma=sigma: at(offset / sigma)[0], sigma):
            raise Wrong(
                f"At t = {time:g} what you add to v*, toward or away from the center, grows faster "
                f"than the distance to it. The clouds may stay the same, but a path can then run "
                f"away to infinity before t = 1, as it does for dx/dt = x^2."
            )
        largest = max(largest, square**0.5)
    if largest < 0.1:
        raise Wrong(
            f"The clouds are right, but this is v* itself, up to {largest:.2g}. Add something that "
            f"moves points and leaves every cloud as it is."
        )
    return Right(
        "Many fields have the right clouds. v* is the one of least loss: any other has a larger "
        "one, by the mean square of what it adds to v*."
    )


@exercise("7.3", "Acceleration along a path", "code")
def acceleration(acceleration: Any) -> Right:
    """Check `acceleration(velocity, x, t)`: the derivative of v(Z_t, t) where Z_t = x."""
    fields = (swirl, swirl, steady, everywhere_alike)
    for given, field in zip(inputs(PLANE, seed=73), fields, strict=True):
        x, t = given.points(), given.times()
        result = call(acceleration, field, x, t)
        got = expect_tensor(result, x, "The acceleration")

        def one(place: Tensor, time: Tensor, field: Velocity = field) -> Tensor:
            return field(place[None], time[None])[0]

        v = field(x, t)
        # reverse mode, since the forward mode of PyTorch 2.13 warns of its own deprecated parts
        J, in_time = torch.func.vmap(torch.func.jacrev(one, argnums=(0, 1)))(x, t)

        def times(matrix: Tensor, vector: Tensor) -> Tensor:
            return (matrix @ vector[:, :, None])[:, :, 0]

        in_place, backward = times(J, v), times(J.mT, v)
        wanted = in_time + in_place
        if not close(got, wanted, 1e-2) and x.dtype == torch.float32:
            exactly = call(acceleration, field, x.double(), t.double())
            if isinstance(exactly, Tensor) and close(exactly, wanted.double(), 1e-2):
                raise Wrong(
                    "This is right in double precision, but in single precision the difference of "
                    "two nearly equal numbers drowns in rounding. Take a step of about 1e-3."
                )
            got = expect_tensor(call(acceleration, field, x, t), x)  # the last call once more
        transposed = (
            "The matrix of derivatives is transposed: `backward` and `vjp` multiply from the left. "
            "What is needed is J v, the derivative in the direction v: `torch.func.jvp`."
        )
        moves = "The place moves by v in a unit of time: that is its direction."
        mixed = "The gradient of `v.sum()` mixes the components of v. Each has one of its own."
        by = "A central difference is divided by 2h, a one-sided one by h."
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
            (in_time + backward, transposed),
            ((v * in_time).sum(dim=1, keepdim=True) + backward, transposed),
            (backward - in_time, transposed),
            (backward, "This is v multiplied from the left, and the derivative in t is missing."),
            (in_time - in_place, "The two parts add up: dZ/dt is v, not -v."),
            (in_place - in_time, "The two parts add up. Yours takes the one in t off."),
            (in_place + t[:, None] * in_time, "Time passes at the speed 1, not t."),
            *((in_time + times(J, way), moves) for way in (x, torch.ones_like(x))),
            (in_time + J.diagonal(dim1=1, dim2=2) * v, "This is the diagonal of J times v."),
            *(
                (each + J.sum(dim=1) * v, mixed)
                for each in (in_time, in_time.sum(dim=1, keepdim=True))
            ),
            *((factor * wanted, f"This is {factor:g} times as much. {by}") for factor in (0.5, 2)),
            (torch.zeros_like(v), "This is about 0. Did you divide the difference by its step?"),
            (v, "This is the velocity. The acceleration is its change along the path."),
        ]
        near = ""
        if (got - wanted).norm() < 0.15 * wanted.norm():
            near = "This is close to the acceleration, but not equal to it. If you use finite "
            near += "differences: their step is too large. Take about 1e-3."
        # finite differences are welcome, and in single precision they are off by about 1e-3
        expect_close(got, wanted, mistakes, name="The acceleration", tolerance=1e-2, pointer=near)
    return Right(
        "It is 0 everywhere exactly when every path is straight at constant speed. The mean square "
        "of it is the A^2 of Theorem 6. A short Euler step misses by half of it times dt^2."
    )


@exercise("7.4", "How much do correlated pairs cross?", "derive")
def crossing(crossing: Any) -> Right:
    """Check `crossing(rho)`: V of standard normal X0, X1 on the line with correlation rho."""
    for rho in (0.3, -0.6, 0.95, 0.0, -0.99, 0.75):
        root = math.sqrt(1 - rho**2)
        mistakes = [
            (
                root * math.acos(abs(rho)),
                "The formula is right for positive rho only: is there an absolute value in it?",
            ),
            (2 * (1 - rho), "This is the mean square of X1 - X0. Given the place it is less."),
            (
                2 * (1 - rho) - root * math.acos(rho),
                "This part of the mean square of X1 - X0 the place explains. V is what remains.",
            ),
            (0.0, "V is 0 for rho = 1 and rho = -1 only. In between, lines cross."),
            (
                2 * root * math.atan((1 - rho) / (1 + rho)),
                "The integral of 1 / (1 + c^2 q^2) is arctan(c q) / c. Here c is a root.",
            ),
            (math.acos(rho) / root, "The root of 1 - rho^2 multiplies, it does not divide."),
            (root, "A factor is missing: the integral over t gives an arccosine."),
            (math.acos(rho), "A factor is missing: the root of 1 - rho^2."),
            (math.pi / 2, "This is V of independent pairs, rho = 0."),
            *(
                (math.pi / 2 * factor, "Right for rho = 0. But the integral depends on rho, too.")
                for factor in (root, 1 - rho, 1 - rho**2)
            ),
            (root**2 * math.acos(rho), "The factor is not 1 - rho^2, but its root."),
            ((1 - rho) * math.acos(rho), "The factor is not 1 - rho, but the root of 1 - rho^2."),
            (root * math.degrees(math.acos(rho)), "The angle is in degrees."),
            (1 - rho**2, "This is the conditional variance at t = 0. Average it over all t."),
            *(
                (root * math.acos(rho) * factor, "Note that dt is dq / 2, and q runs from -1 to 1.")
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
