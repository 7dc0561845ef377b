"""Checkers for chapter 5, on Reflow."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import torch
from torch import Tensor

import rfteach
from rfteach import _couplings as couplings, _solvers as solvers
from rfteach._measures import distances, flows as metrics
from rfteach.exercises.chapters.ch05_reflow.known_flow import (
    RecordedNoise,
    Turning,
    expect_ends,
    expect_starts,
)
from rfteach.exercises.chapters.ch05_reflow.on_the_line import ordered_pairs
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import (
    close,
    expect_close,
    expect_number,
    expect_pair,
    expect_tensor,
    misconception,
)


@exercise("5.1", "Find the bug from the plot", "code")
def pairs_of_flow(pairs_of_flow: Any) -> Right:
    """Check `pairs_of_flow(velocity, noise, size)`: a coupling of the flow's own pairs."""
    earlier = {}
    for size, angle in ((1500, math.pi / 2), (2500, 1.0), (1, 1.0), (1500, -1.0)):
        velocity, noise = Turning(angle), RecordedNoise()
        with mock.patch.object(rfteach, "flow_coupling", _forbidden):
            pairs = call(pairs_of_flow, velocity, noise, size)
        if not isinstance(pairs, couplings.PairedCoupling):
            got = "None" if pairs is None else f"an object of type {type(pairs).__name__}"
            raise Wrong(f"Return an `rf.PairedCoupling`, as the broken function does, not {got}.")
        if len(pairs) != size:
            last = "Is the last batch left out, which is smaller?" if 0 < len(pairs) < size else ""
            raise Wrong(f"You returned {len(pairs)} pairs in place of {size}. {last}".strip())
        like = noise.means.new_zeros(size, 2, dtype=torch.float64)  # pairs may be kept elsewhere
        z0 = expect_tensor(pairs.x0.to(like), like, "x0 of the pairs")
        z1 = expect_tensor(pairs.x1.to(like), like, "x1 of the pairs")
        expect_starts(z0, z1, velocity, noise)
        if size in earlier and torch.equal(earlier[size], z0):
            raise Wrong("The starts are the same at each call. Is there a seed in the function?")
        if size == 2500 and close(z1, Turning(math.pi / 2).ends(z0), 0.01):
            raise Wrong("These are the ends of the velocity of an earlier call. Is it kept?")
        earlier[size] = z0
        expect_ends(z0, z1, velocity)
    return Right(
        "The straightness did not fall, since each round began with independent pairs: S of the "
        "first flow, again and again. When Reflow seems to do nothing, look whether the pairs are "
        "pairs."
    )


def _forbidden(*arguments: Any, **options: Any) -> None:
    raise Wrong(
        "Your function calls `rf.flow_coupling`, which does all of it. Make the pairs yourself: "
        "draw the noise, solve the flow from it, and keep the two together."
    )


@exercise("5.2", "Straight, but not optimal", "code")
def my_coupling(my_coupling: Any) -> Right:
    """Check `my_coupling(n)`: both ends N(0, I) in the plane, straight, of cost 1."""
    n = 8000
    x0, x1 = _two_ends(call(my_coupling, n), n)
    rows = torch.randperm(n, device=x0.device)  # so that the first ones stand for all
    x0, x1 = x0[rows], x1[rows]
    if torch.unique(x0, dim=0).shape[0] < 0.99 * n:
        raise Wrong("Some rows of x0 are repeated. Draw each start on its own.")
    generator = torch.Generator().manual_seed(52)
    normal = torch.randn(n, 2, generator=generator, device="cpu").to(x0)
    for name, x in (("x0", x0), ("x1", x1)):
        mean, width = x.mean(dim=0), x.T.cov()
        # 5 standard errors of two means, and of a matrix of variances (2/n each) and covariances
        # (1/n each); the energy distance of two such samples scatters by 0.0006
        far = mean.norm() > 5 * (2 / n) ** 0.5
        far = far or (width - torch.eye(2).to(x0)).norm() > 5 * (6 / n) ** 0.5
        tails = x.pow(4).mean() - 3  # 0 for a normal distribution; it scatters by 0.08
        odd = tails.abs() > 0.4 or distances.energy_distance(x[:2000], normal[:2000]) > 0.005
        if far or odd:
            why = (
                f"its mean is ({mean[0]:.2f}, {mean[1]:.2f}), its variances are {width[0, 0]:.2f} "
                f"and {width[1, 1]:.2f}, its covariance {width[0, 1]:.2f}"
                if far
                else "mean and variances are right, but not the form of the cloud"
            )
            raise Wrong(
                f"{name} is not N(0, I): {why}. Both ends must be standard normal, so that "
                f"standing still costs nothing.",
                pictures.clouds(normal[:500], x[:500]),
            )
    cost = metrics.transport_cost(x0, x1)
    if cost < 1e-6:
        raise Wrong("Every point stays where it is. That is the optimal pairing, of cost 0.")
    V = metrics.conditional_variance(x0[:6000], x1[:6000], times=8)
    if V > 0.015:  # the neighbors are not at one place: a rotation has 0.001, a reflection 0.008
        raise Wrong(
            f"These pairs are not straight: lines of different velocities pass through the same "
            f"places, V = {V:.3f}. The place and the time must tell the line: x1 has to be a "
            f"function of x0, and its lines must not run through each other."
        )
    # A rotation of cost 1 brings no two lines nearer than 0.93 of the distance of their starts.
    if _closest(x0[:1500], x1[:1500]) < 0.02:
        raise Wrong(
            "Some lines of far-away starts meet at one place at one time. There no field can "
            "follow both. (A half turn sends all lines through the center at t = 1/2; a "
            "reflection sends mirrored points through one place.)"
        )
    # 5 standard errors: the cost of a pair scatters by about its mean, a little more for a swirl
    if abs(cost - 1) > 5 * 1.1 / n**0.5:
        plane = " In the plane E||X0||^2 is 2." if abs(cost - 2) < 0.1 else ""
        raise Wrong(f"Straight, with the right ends. But the cost is {cost:.2f}, not 1.{plane}")
    if torch.equal(_two_ends(call(my_coupling, n), n)[0][rows], x0):
        raise Wrong("These are the same pairs at each call. Is there a seed in the function?")
    return Right(
        f"Cost {cost:.2f}, V = {V:.3f}, while standing still would cost nothing. Reflow leaves "
        f"this coupling as it is: it straightens, and these lines are straight."
    )


def _two_ends(result: Any, n: int) -> list[Tensor]:
    """Return x0 and x1 of n points in the plane, in double precision."""
    ends = expect_pair(result, "x0 and x1, each of shape (n, 2)")
    like = torch.zeros(n, 2, dtype=torch.float64)
    real = (x.double() if isinstance(x, Tensor) and x.is_floating_point() else x for x in ends)
    return [expect_tensor(x, like, f"x{i}") for i, x in enumerate(real)]


def _closest(x0: Tensor, x1: Tensor) -> float:
    """Return how near two lines come at one time, relative to the distance of their starts."""
    first = torch.arange(0, len(x0), 2, device=x0.device)
    start = x0[first, None] - x0[None, first + 1]
    change = (x1 - x0)[first, None] - (x1 - x0)[None, first + 1]
    # ||start + t change|| is least at:
    t = (-(start * change).sum(-1) / change.square().sum(-1).clamp_min(1e-12)).clamp(0, 1)
    nearest = (start + t[..., None] * change).norm(dim=-1)
    return (nearest / start.norm(dim=-1)).quantile(0.001).item()


@exercise("5.3", "When does a round pay?", "predict")
def pays(samples: Any) -> Right:
    """Check a prediction: the number of samples from which a round of Reflow pays."""
    predicted = expect_number(samples, "The number of samples")

    def still(x: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x)

    one = torch.zeros(1, 2)
    pair = solvers.rk4(still, one, steps=10).evaluations
    before, after = solvers.heun(still, one, steps=8).evaluations, 1
    training = 6000 * 400
    total = 3 * training + 50_000 * pair
    measured = total / (before - after)
    counted = (
        f"Counted: {3 * training / 1e6:g} million evaluations for training, {pair} for each pair, "
        f"{before} for a sample of the first flow, 1 for one of the second. So a round costs "
        f"{total / 1e6:g} million and saves {before - after} a sample: it pays after "
        f"{measured:,.0f} samples. "
    )
    if abs(predicted / measured - 1) < 0.02:
        return Right(counted)
    rk4 = "A step of RK4 makes four evaluations."
    known = [
        (total / before, "A sample of the second flow is not free: it costs 1."),
        (total / (before + after), "Each sample saves the *difference* of the two prices."),
        (total / 7, "A step of Heun's method makes two evaluations."),
        (total / 8, "A step of Heun's method makes two evaluations."),
        ((training + 50_000 * pair) / 15, "The backward pass counts two more."),
        (
            (2 * training + 50_000 * pair) / 15,
            "The backward pass counts as two, beside the forward one.",
        ),
        (
            (3 * 6000 + 50_000 * pair) / 15,
            "A training step is three for *each* point of its batch.",
        ),
        (3 * training / 15, "The pairs cost evaluations, too."),
        (3 * training / 16, "The pairs cost evaluations, too, and so does a sample afterwards."),
        ((3 * training + 50_000 * 10) / 15, rk4),
        ((3 * training + 50_000 * 20) / 15, rk4),
        ((3 * training + 50_000 * 10) / 7, "A step is not an evaluation: count those."),
        ((3 * training + 50_000 * 30) / 15, rk4),
        ((3 * training + 50_000 * 80) / 15, rk4),
        (total, "That is the price of the round. Divide it by what a sample saves."),
        (
            (5 * training + 50_000 * pair) / 15,
            "The backward pass counts two more, not four: three for a point in all.",
        ),
        (50_000 * pair / 15, "The training counts, too."),
        ((6 * training + 50_000 * pair) / 15, "The first flow is trained already."),
        *((measured / unit, "Give the number itself, not in thousands.") for unit in (1e3, 1e6)),
    ]
    hint = misconception(predicted, known)
    raise Wrong(counted + hint)


@exercise("5.4", "One dimension is special", "derive")
def pair_on_the_line(pair_on_the_line: Any) -> Right:
    """Check `pair_on_the_line(x0, data)`: each start with the end that a perfect flow gives it."""
    cases = [(9, torch.float32), (1200, torch.float64), (1, torch.float32), (9, torch.float32)]
    for i, (n, dtype) in enumerate(cases):
        generator = torch.Generator().manual_seed(540 + i)
        noise = torch.randn(2, n, 1, generator=generator, device="cpu")
        x0, data = noise.to(torch.get_default_device(), dtype).unbind()
        data = data**3 + 0.5
        if n > 1000:
            data = data.round(decimals=2)  # some data points are equal
        result = call(pair_on_the_line, x0, data)
        if isinstance(result, Tensor) and result.shape == x0.shape and result.dtype == torch.int64:
            raise Wrong(
                "These are whole numbers, such as ranks or rows. The result should hold the data "
                "points of these ranks: put them into `data`, sorted."
            )
        got = expect_tensor(result, x0, "The result")
        wanted, mistakes = ordered_pairs(x0, data, got)
        expect_close(got, wanted, mistakes, name="The pairing")
    return Right(
        "So in one dimension one round of Reflow is always enough, and its pairs are optimal for "
        "every convex cost. In the plane, straight pairs need not be optimal: exercise 5.2."
    )
