"""Checkers for chapter 2, on interpolation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach import solvers
from rfteach.exercises import pictures
from rfteach.exercises.answers import WRONG_AXIS, Right, Wrong, call
from rfteach.exercises.checking import exercise
from rfteach.exercises.expect import (
    expect_close,
    expect_number,
    expect_pair,
    expect_tensor,
    misconception,
)
from rfteach.exercises.inputs import along, along_last, inputs, waves
from rfteach.exercises.probe import Probe


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
        wanted = along(s, x0) * x0 + (1 - along(s, x0)) * x1
        mistakes = [
            (
                x0 + x1 - wanted,
                "This is the book's own interpolation: it puts the data at s = 1. In the other "
                "convention the noise is at s = 1 and the data are at s = 0.",
            ),
            (along_last(s, x0) * x0 + (1 - along_last(s, x0)) * x1, WRONG_AXIS),
            (
                wanted + (1 - 2 * along(s, x0)) * x0,
                "The two weights should add up to 1: s for x0 and 1 - s for x1.",
            ),
        ]
        expect_close(place, wanted, mistakes, name="The point x_s")
        mistakes = [
            (
                x1 - x0,
                "This is the target of the book's convention. There the derivative is taken in t; "
                "here in s, which runs the other way. Three things flip together: the clock, the "
                "sign of the target, and the loop of the sampler.",
            ),
            (wanted, "This is the point once more. The target is its derivative in s."),
            (x0, "This is the noise. The target is the derivative of x_s in s."),
            (x1, "These are the data. The target is the derivative of x_s in s."),
        ]
        expect_close(target, x0 - x1, mistakes, name="The target")
    return Right("Clock and target flipped together, for points of any shape.")


@exercise("2.2", "Two points on a line", "derive")
def two_points(two_points: Any) -> Right:
    """Check `two_points(x, t)`: v* for standard normal noise and data at -1 and 1, t < 1."""
    grid = torch.linspace(-2.5, 2.5, 101)[:, None]
    cases = [(grid, torch.full((101,), 0.5))]
    for dtype in (torch.float32, torch.float64):
        generator = torch.Generator().manual_seed(22)
        x = 1.5 * torch.randn(40, 1, generator=generator)
        cases.append((x.to(dtype), (0.95 * torch.rand(40, generator=generator)).to(dtype)))
    device = torch.get_default_device()
    for place, time in cases:
        x, t = place.to(device), time.to(device)
        got = call(two_points, x, t)
        if isinstance(got, Tensor) and got.shape == x.shape and got.isnan().any():
            row = int(got.isnan().any(dim=1).nonzero()[0])
            raise Wrong(
                f"At x = {x[row].item():.2f}, t = {t[row].item():.2f} the result is NaN. Does an "
                f"`exp` grow beyond what a float holds? Write the weights with `torch.tanh`, "
                f"`torch.sigmoid` or `torch.softmax`, which cannot overflow."
            )
        got = expect_tensor(got, x, "The velocity")
        t = t[:, None]
        left = 1 - t
        slope = t * x / left**2
        data = torch.tanh(slope)  # E[X1 | X_t = x]
        wanted = (data - x) / left
        nearest = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
        mistakes = [
            (
                (torch.tanh(t * x / left) - x) / left,
                "The spread of X_t around each of the two centers is 1 - t. Its square belongs "
                "under the exponent: the variance is (1 - t)^2.",
            ),
            (
                (torch.tanh(x / left**2) - x) / left,
                "At time t the lines to the two points are centered at t and -t, not at 1 and -1.",
            ),
            (
                (nearest - x) / left,
                "This goes to the nearer of the two points. But lines to both pass through x, and "
                "v* is the mean of both, weighted by how likely each is.",
            ),
            (-x, "This is v* at t = 0, where the place tells nothing about the data."),
            (
                data,
                "This is E[X1 | X_t = x], half of the way. The velocity is X1 - X0, so the mean of "
                "X0 at x must go off.",
            ),
            (
                data - x,
                "A line that is at x at time t and ends at X1 has the time 1 - t left to get "
                "there: X1 - X0 = (X1 - x) / (1 - t).",
            ),
            (
                (torch.sigmoid(2 * slope) - x) / left,
                "The probability p of the point 1 is right, but the mean of X1 is p - (1 - p).",
            ),
            (
                (torch.tanh(slope / 2) - x) / left,
                "The weights of the two points have the ratio exp(2 t x / (1 - t)^2); yours is the "
                "root of that. The exponent of the Gaussian density has a 2 below it and "
                "2 t x from each of the squares.",
            ),
        ]
        draw = None
        if place is grid:
            lines = {"target": wanted[:, 0], "yours": got[:, 0]}
            draw = pictures.curves(x[:, 0], lines, "place x at t = 0.5", "velocity")
        expect_close(got, wanted, mistakes, name="The velocity", draw=draw, tolerance=2e-4)
    return Right(
        "Near the middle the two points pull equally, and the field has to decide. As t nears 1 "
        "the slope there becomes steep: small differences in noise decide between the two."
    )


@exercise("2.3", "An uneven crossing", "predict")
def uneven(share: Any) -> Right:
    """Check a prediction: the share of paths from below that end above, with kinds 3 to 1."""
    predicted = expect_number(share, "The share")
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
    noise = torch.randn(4000, 2, generator=generator).to(starts.device)
    flow = solvers.rk4(velocity, starts[kind] + blur * noise, steps=60)
    below = flow.start[:, 1] < 0
    measured = (flow.end[below, 1] > 0).double().mean().item()
    found = f"The run: {100 * measured:.0f} % of the paths from below end above. "
    why = (
        "The paths keep their order from bottom to top, since no two are ever at one place at one "
        "time. The lowest quarter of all must fill the lower end, and it comes from the lower "
        "start. That leaves two of its three quarters for the upper end."
    )
    draw = pictures.numbers({"share": predicted}, {"share": measured}, "from below to above")
    if abs(predicted - measured) < 0.04:
        return Right(found + why, draw)
    hint = misconception(
        predicted,
        [
            (0.0, "With as many pairs of each kind it would be none. Here more must go up. "),
            (1.0, "All lines do, but the flow does not keep to its line. "),
            (0.75, "That is the share of all points that end above, wherever they started. "),
            (0.5, "That is the share of *all* points that start below and end above. "),
            (1 / 3, "That is the share that stays below. "),
            (0.25, "That is the share of the points that end below. "),
        ],
    )
    raise Wrong(found + hint + why, draw)


@exercise("2.4", "A network that predicts the data", "code")
def velocity_from_data(velocity_from_data: Any) -> Right:
    """Check `velocity_from_data(denoiser, x, t)`: from E[X1 | X_t = x] to the velocity, t < 1."""
    for given in inputs(seed=24):
        x, t, denoiser = given.points(), given.times(0.1, 0.9), Probe(waves)
        got = expect_tensor(call(velocity_from_data, denoiser, x, t), x, "The velocity")
        if denoiser.evaluations != 1:
            raise Wrong(
                f"The network was called {denoiser.evaluations} times. Once is enough: the "
                f"velocity follows from its prediction of the data."
            )
        if not torch.equal(denoiser.points[0], x):
            raise Wrong("The network was called at another place than x. It predicts from x and t.")
        data, left = waves(x, t), 1 - along(t, x)
        mistakes = [
            (
                data - x,
                "This is the way that is left from x to the data. It takes the time 1 - t, so "
                "divide by that.",
            ),
            (
                (data - x) / (1 - left),
                "The way from x to the data takes the time that is *left*, 1 - t. The time t has "
                "passed already.",
            ),
            ((x - data) / left, "The velocity points to the data, from x: the sign is wrong."),
            (data - x / left, "Divide the whole way from x to the data by 1 - t, not x alone."),
            (data, "This is the prediction of the data itself, a place and not a velocity."),
            ((data - x) * left, "Way = velocity times time, so the time left divides."),
            ((data - x) / (1 - along_last(t, x)), WRONG_AXIS),
        ]
        expect_close(got, (data - x) / left, mistakes, name="The velocity", tolerance=1e-3)
    return Right(
        "So a network may predict the data, the noise or the velocity: each follows from the "
        "others. But near t = 1 an error of the predicted data is divided by a small number."
    )
