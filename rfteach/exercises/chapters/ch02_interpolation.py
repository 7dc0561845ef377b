"""Checkers for chapter 2, on interpolation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach import _solvers as solvers
from rfteach._interpolation import along
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import WRONG_AXIS, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_pair,
    expect_tensor,
    misconception,
)
from rfteach.exercises.tools.inputs import along_last, inputs, waves
from rfteach.exercises.tools.probe import Probe, expect_one_call
from rfteach.exercises.tools.reference import from_data, is_shuffled


@exercise("2.1", "The other convention", "code")
def other_convention(other_convention: Any) -> Right:
    """Check `other_convention(x0, x1, s)`: the point at time s = 1 - t, and the target there."""
    for given in inputs(seed=21):
        x0, x1, s = given.points(), given.points(), given.times()
        place, target = expect_pair(
            call(other_convention, x0, x1, s), "the point x_s and the target"
        )
        place = expect_tensor(place, x0, "The point x_s")
        target = expect_tensor(target, x0, "The target")
        time = along(s, x0)
        wanted = time * x0 + (1 - time) * x1
        weights = [(time, time), (1 - time, 1 - time), (time, 1), (1, 1 - time), (-time, 1 + time)]
        weights += [(1 + time, -time), (time, -time)]
        angle = torch.pi / 2 * time
        curves = [(time.sqrt(), (1 - time).sqrt()), (angle.sin(), angle.cos())]
        curves += [(time**2, (1 - time) ** 2)]
        mistakes = [
            (
                x0 + x1 - wanted,
                "This is the book's own interpolation: it puts the data at s = 1. In the other "
                "convention the noise is at s = 1 and the data are at s = 0.",
            ),
            (along_last(s, x0) * x0 + (1 - along_last(s, x0)) * x1, WRONG_AXIS),
            (
                x0 - x1,
                "The first result is the target. Return the two in the other order: the point x_s, "
                "then the target.",
            ),
            *(
                (
                    a * x0 + b * x1,
                    "The noise x0 has the weight s and the data x1 have the weight 1 - s, so that "
                    "the point is x0 at s = 1 and x1 at s = 0.",
                )
                for a, b in weights
            ),
            *(
                (
                    a * x0 + b * x1,
                    "The weights of the straight line are s and 1 - s themselves: no roots, no "
                    "squares, no sines. Those belong to curves.",
                )
                for a, b in curves
            ),
        ]
        if is_shuffled(place, x1, x0, s):
            raise Wrong(
                "The point x_s lies between x0 and the x1 of another row. Row i of x0 and row i of "
                "x1 are a pair: do not shuffle one of them."
            )
        expect_close(place, wanted, mistakes, name="The point x_s")
        mistakes = [
            (
                x1 - x0,
                "This is the target of the book's convention. There the derivative is taken in t; "
                "here in s, which runs the other way. Three things flip together: the clock, the "
                "sign of the target, and the loop of the sampler.",
            ),
            (wanted, "This is the point once more. The target is its derivative in s."),
            (x0 + x1, "The weight of x1, which is 1 - s, falls as s grows: its derivative is -1."),
            (time * (x0 - x1), "The target is x0 - x1 all along the line; do not scale it by s."),
            (
                x0 - wanted,
                "This is the way from the point to the noise. The target is the derivative in s, "
                "the same all along the line.",
            ),
            (
                x1 - wanted,
                "This is the way that is left to the data. The target is the derivative in s, "
                "the same all along the line.",
            ),
            (x0, "This is the noise. The target is the derivative of x_s in s."),
            (x1, "These are the data. The target is the derivative of x_s in s."),
        ]
        expect_close(target, x0 - x1, mistakes, name="The target")
    return Right("Clock and target flipped together, for points of any shape.")


@exercise("2.2", "Two points on a line", "derive")
def two_points(two_points: Any) -> Right:
    """Check `two_points(x, t)`: v* for standard normal noise and data at -1 and 1, t < 1."""
    for i, (x, t) in enumerate(_places_and_times()):
        got = call(two_points, x, t)
        if isinstance(got, Tensor) and got.shape == (len(x), len(x)):
            raise Wrong(WRONG_AXIS)
        if isinstance(got, Tensor):
            _expect_no_nan(x, t, got)
        got = expect_tensor(got, x, "The velocity")
        t = t[:, None]
        left = 1 - t
        a = t * x / left**2
        data = torch.tanh(a)  # E[X1 | X_t = x]
        wanted = (data - x) / left
        ratio = "The chances of the two points have the ratio exp(2 t x / (1 - t)^2); yours is the "
        means = [
            (
                torch.tanh(t * x / left),
                "X_t has the variance (1 - t)^2 around each center, not 1 - t.",
            ),
            (
                torch.tanh(x / left**2),
                "At time t the two kinds of lines have the centers t and -t.",
            ),
            (x.sign(), "This goes to the nearer of the two points. But lines to both pass here."),
            (0 * x, "This goes to 0, the mean of all data. Take that of the lines through x."),
            *(
                (torch.sigmoid(b), "With the chance p of the point 1, the mean is p - (1 - p).")
                for b in (2 * a, a)
            ),
            (-data, "Where x > 0, the point 1 is the likelier one: a sign is wrong in tanh."),
            (torch.tanh(t * a), "One t is too much: the centers are t and -t, and not t^2."),
            (torch.tanh(t * x), "X_t has the variance (1 - t)^2 around each center, not 1."),
            (torch.tanh(a / 2), ratio + "root of that."),
            (torch.tanh(2 * a), ratio + "square of that, or tanh has twice the argument."),
            (torch.tanh(left * x / t**2), "The time is flipped in the weights of the two points."),
            (
                torch.tanh(t * x / (left**2 + t**2)),
                "Given X1, only the noise scatters: the variance is (1 - t)^2, without t^2.",
            ),
        ]
        mistakes = [
            *(((mean - x) / left, hint) for mean, hint in means),
            ((torch.tanh(left * x / t**2) - x) / t, "Time is flipped: at t = 0 there is noise."),
            *(
                (
                    (torch.tanh(t * x / below) - x) / (left + c),
                    "A small constant is added to what divides. Leave it out: 1 - t is not 0 here.",
                )
                for c in (1e-2, 1e-3, 1e-4)
                for below in (left**2, (left + c) ** 2, left**2 + c)
            ),
            (-x, "This is v* at t = 0, where the place tells nothing about the data."),
            *from_data(data, x, t),
        ]
        draw = None
        if i == 0:
            lines = {"target": wanted[:, 0], "yours": got[:, 0]}
            draw = pictures.curves(x[:, 0], lines, f"place x at t = {t[0].item():.1f}", "velocity")
        expect_close(got, wanted, mistakes, name="The velocity", draw=draw, tolerance=2e-4)
    return Right(
        "Near the middle the two points pull equally, and the field has to decide. As t nears 1 "
        "the slope there becomes steep: small differences in noise decide between the two."
    )


def _places_and_times() -> list[tuple[Tensor, Tensor]]:
    """Return where `two_points` is looked at: first on a grid to draw, last at hard times."""
    grid = torch.linspace(-2.5, 2.5, 100)[:, None]  # without x = 0, where wrong answers are right
    cases = [(grid, torch.full((100,), 0.4))]
    for dtype in (torch.float32, torch.float64):
        generator = torch.Generator().manual_seed(22)
        x = 1.5 * torch.randn(40, 1, generator=generator, device="cpu")
        t = 0.95 * torch.rand(40, generator=generator, device="cpu")
        cases.append((x.to(grid.device, dtype), t.to(grid.device, dtype)))
    hard = torch.tensor([0.999, 0.5, 0.9999, 0.9]).double()  # easy ones show that a clamp is near 1
    cases.append((grid.double(), hard.repeat(25)))
    cases.append((grid.double() / 100, torch.full((100,), 0.9).double()))  # not yet decided
    return [*cases, (grid, torch.zeros(100))]


def _expect_no_nan(x: Tensor, t: Tensor, got: Tensor) -> None:
    """Raise Wrong for a NaN in a proper tensor: where the first is, and what may have led to it."""
    proper = (got.shape, got.device, got.layout) == (x.shape, x.device, x.layout)
    if not proper or not got.isnan().any():
        return
    row = int(got.isnan().any(dim=1).nonzero()[0])
    found = f"At x = {x[row].item():.3g}, t = {t[row].item():.3g} the result is NaN. "
    if t[row] == 0:
        found += "Is there something that divides by t? The formula must hold at t = 0, too."
    else:
        found += (
            "Does an `exp` grow beyond what a float holds, or do two of them vanish? Write the "
            "weights with `torch.tanh`, `torch.sigmoid` or `torch.softmax`, which are safe from "
            "both."
        )
    raise Wrong(found)


@exercise("2.3", "An uneven crossing", "predict")
def uneven(share: Any) -> Right:
    """Check a prediction: the share of paths from below that end above, with kinds 3 to 1."""
    predicted = expect_number(share, "The share")
    if not 0 <= predicted <= 1:
        raise Wrong(f"A share lies between 0 and 1 (and is not percent), but yours is {share!r}.")
    blur, weights = 0.2, torch.tensor([0.75, 0.25])
    starts = torch.tensor([[-1.0, -1.0], [-1.0, 1.0]])
    ends = torch.tensor([[1.0, 1.0], [1.0, -1.0]])

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        time = t[:, None, None]
        spread = blur**2 * ((1 - time) ** 2 + time**2)
        offset = x[:, None] - ((1 - time) * starts + time * ends)
        distance = offset.square().sum(-1, keepdim=True) / (2 * spread)
        weight = torch.softmax(weights.log()[:, None] - distance, dim=1)
        of_kind = (ends - starts) + blur**2 * (2 * time - 1) / spread * offset
        return (weight * of_kind).sum(dim=1)

    generator = torch.Generator().manual_seed(23)
    kind = torch.tensor([0] * 3000 + [1] * 1000)
    noise = torch.randn(4000, 2, generator=generator, device="cpu").to(starts.device)
    flow = solvers.rk4(velocity, starts[kind] + blur * noise, steps=60)
    below = flow.start[:, 1] < 0
    measured = (flow.end[below, 1] > 0).double().mean().item()
    found = f"The run: {100 * measured:.0f} % of the paths from below end above. "
    why = (
        "All points move to the right alike, so their heights follow a flow on a line. There no "
        "two are ever at one height at one time, and they keep their order from bottom to top. The "
        "lowest quarter of all must fill the lower end, and it comes from the lower start. That "
        "leaves two of its three quarters for the upper end."
    )
    draw = pictures.paths(solvers.Trajectory(flow.times, flow.states[:, ::100], 0), "the flow")
    if abs(predicted - 2 / 3) < 0.03:  # the share of the exact flow; the run is a sample
        return Right(found + why, draw)
    hint = misconception(
        predicted,
        [
            (1.0, "All *lines* do, but a path does not keep to one line. "),
            (0.75, "That is the share of all points that end above, wherever they started. "),
            (0.5, "That is the share of *all* points that start below and end above. "),
            (1 / 3, "That is the share that stays below. "),
            (0.25, "That is the share of the points that end below. "),
        ],
    )
    if predicted < 0.05:
        hint = "With as many pairs of each kind it would be none. Here more must go up. "
    raise Wrong(found + hint + why, draw)


@exercise("2.4", "A network that predicts the data", "code")
def velocity_from_data(velocity_from_data: Any) -> Right:
    """Check `velocity_from_data(denoiser, x, t)`: from E[X1 | X_t = x] to the velocity, t < 1."""
    for given in inputs(seed=24):
        x, t = given.points(), given.times(0.0, 0.995)
        denoiser = Probe(waves, x, "denoiser")
        got = expect_tensor(call(velocity_from_data, denoiser, x, t), x, "The velocity")
        expect_one_call(denoiser, x, t)
        data, left = waves(x, t), 1 - along(t, x)
        mistakes = [
            *from_data(data, x, 1 - left),
            ((x - data) / (1 - left), "This would be right if the network predicted the noise."),
            ((data - x) / (1 - along_last(t, x)), WRONG_AXIS),
        ]
        # near t = 1 the division magnifies the rounding of x by 200
        expect_close(got, (data - x) / left, mistakes, name="The velocity", tolerance=1e-3)
    return Right(
        "So a network may predict the data, the noise or the velocity: each follows from the "
        "others. But near t = 1 an error of the predicted data is divided by a small number."
    )
