"""Checkers for chapter 10, on flows from one data set to another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach._solvers import heun
from rfteach.exercises.chapters.ch10_domain_transfer.ranks import (
    expect_pairs_by_rank,
    score_of,
)
from rfteach.exercises.chapters.ch10_domain_transfer.weighted_mean import pointer, weighted_mean
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Mistake, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_tensor,
    misconception,
)
from rfteach.exercises.tools.inputs import Inputs

# Outputs, training images, unseen images; event; dtype. The number of unseen images is odd, so that
# both usual medians agree: the lower of two in the middle (torch), and their mean (numpy).
SETS = [
    ((6, 9, 7), (2,), torch.float32),
    ((6, 8, 5), (1, 4, 3), torch.float64),
    ((1, 3, 5), (3, 5), torch.float32),
    ((7, 7, 7), (2,), torch.float64),
    ((60, 50, 31), (1, 28, 28), torch.float32),
]

OF_ROUNDING = (
    "The distance of a copy is 0. As |a|^2 + |b|^2 - 2 a.b, rounding may make it less than 0, "
    "which has no root: clamp it at 0 first, or subtract the images, or take `torch.cdist`."
)


@exercise("10.1", "How near is a copy?", "code")
def nearness(nearness: Any) -> Right:
    """Check `nearness(outputs, training, unseen)`: nearest distances, in units of real ones."""
    for i, (numbers, event, dtype) in enumerate(SETS):
        outputs, training, unseen = (
            Inputs(n, event, dtype, seed=10_100 + 10 * i + k).points()
            for k, n in enumerate(numbers)
        )
        copies = len(outputs) > len(training)
        if copies:
            outputs[: len(training)] = training
        got = call(nearness, outputs, training, unseen)
        if isinstance(got, Tensor) and not got.is_floating_point():
            raise Wrong(
                "These are whole numbers, as the indices of the nearest are. `min` over an axis "
                "returns the least values, too."
            )
        if isinstance(got, Tensor) and got.shape == training.shape[:1] != outputs.shape[:1]:
            raise Wrong(
                f"The result has shape {tuple(got.shape)}, a number for each training image. Look "
                f"for the nearest training image of each output: the minimum over the other axis."
            )
        got = expect_tensor(got, outputs.flatten(1)[:, 0], "The result", finite=OF_ROUNDING)
        to_training, to_unseen = _distances(outputs, training), _distances(outputs, unseen)
        real = _distances(unseen, training)
        near, unit = to_training.min(dim=1).values, real.min(dim=1).values.median()
        mistakes = [
            (near, "These are the distances themselves. Divide them by the median of the same "
             "distance for the unseen images, so that 1 is what a real image has."),
            (unit / near, "The ratio is upside down: a copy should have 0."),
            (to_unseen.min(dim=1).values / unit, "This looks for the neighbors among the unseen "
             "images. What may have been copied is the training set."),
            ((near / unit).square(), "This compares squared distances. Take the root of each."),
            *((to_training.mean(dim=1) / each, "This takes the mean distance to all the training "
               "images. A copy is near to *one* of them.")
              for each in (unit, real.mean(dim=1).median())),
            *((to_training.max(dim=1).values / each, "This takes the farthest training image.")
              for each in (unit, real.max(dim=1).values.median())),
            (near / real.mean(), "The unit is the mean distance of *all* pairs of unseen and "
             "training images. Take the nearest for each unseen image first, then the median."),
            (near / real.median(), "The unit is the median distance of *all* pairs. Take the "
             "nearest for each unseen image first, then the median of these."),
            (near / real.min(dim=1).values.mean(), "The unit is a mean. Take the median: a few "
             "odd images should not set the unit."),
            (near / real.min(), "The unit is the least of the distances. Take the median."),
            (near / real.min(dim=0).values.median(), "The unit starts from the training images. "
             "It is the unseen ones that stand in for outputs."),
            (near / near.median(), "The unit is taken from the outputs themselves, so half of "
             "them have less than 1 whatever they are. Take it from the unseen images."),
            *_of_further_ones(to_training, real),
            (near - unit, "This is the difference. Divide by what is usual."),
            (near / real.max(), "The unit is the largest of the distances. Take the median."),
            (near / real.min(dim=1).values.max(), "The unit is the largest of the distances to "
             "the nearest. Take the median."),
            (near / _nearest_other(training), "The unit comes from the training images among "
             "themselves. It is the unseen ones that stand in for outputs."),
            (by_sum(outputs, training).min(dim=1).values / by_sum(unseen, training).min(dim=1)
             .values.median(), "This adds up absolute differences. The distance is Euclidean: the "
             "root of the sum of the squares."),
            (near.square() / real.min(dim=1).values.median(), "Above the bar are squares. Take "
             "the root of each."),
            (near / real.square().min(dim=1).values.median(), "Below the bar are squares. Take "
             "the root of each."),
            (near / to_unseen.min(dim=1).values, "This divides by the distance from each output "
             "to the unseen images. The unit is one number: what *unseen* images have to the "
             "training set."),
        ]  # fmt: skip
        # by matrix products, as `cdist` finds it, the distance of a copy is off by rounding
        case = "A case to try: with the training image 0, the unseen image 2 and the output 1, "
        case += "each of one pixel, the result is 1/2."
        tolerance = 2e-3 if copies else 1e-4
        expect_close(got, near / unit, mistakes, tolerance=tolerance, pointer=case)
    return Right(
        "Far below 1 is suspicious. About 1 is no proof: a picture put together from parts of two "
        "training images would pass. So look at the nearest cases, too."
    )


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the distance of each row of `a` to each of `b`."""
    return (a.flatten(1)[:, None] - b.flatten(1)[None]).norm(dim=2)


def _of_further_ones(to_training: Tensor, real: Tensor) -> list[Mistake]:
    """Return what the second nearest in place of the nearest makes of distances (n, training)."""
    first, second = ([d.sort(dim=1).values[:, i] for d in (to_training, real)] for i in (0, 1))
    hint = "This takes the second nearest training image. No image is its own neighbor here: the "
    hint += "outputs and the unseen images are not in the training set."
    return [
        (second[0] / second[1].median(), hint),
        (first[0] / second[1].median(), f"Below the bar: {hint}"),
        (second[0] / first[1].median(), f"Above the bar: {hint}"),
        (first[0].argsort() / len(first[0]), "These are ranks. The distances themselves compare."),
    ]


def _nearest_other(x: Tensor) -> Tensor:
    """Return the median distance of each row to the nearest of the others."""
    gap = _distances(x, x)
    gap.fill_diagonal_(torch.inf)
    return gap.min(dim=1).values.median()


def by_sum(a: Tensor, b: Tensor) -> Tensor:
    """Return the sum of the absolute differences of each row of `a` and each of `b`."""
    return (a.flatten(1)[:, None] - b.flatten(1)[None]).abs().sum(dim=2)


def stretched(x: Tensor, t: Tensor) -> Tensor:
    """Return the exact velocity from N(0, diag(4, 1)) to N(0, diag(1, 4)), independent pairs."""
    start, end = x.new_tensor([4.0, 1.0]), x.new_tensor([1.0, 4.0])
    t = t[:, None]
    return x * (t * end - (1 - t) * start) / ((1 - t) ** 2 * start + t**2 * end)


@exercise("10.2", "A turned cloud", "predict")
def turned_cloud(correlation: Any) -> Right:
    """Check a prediction: how much the flow to a turned copy keeps of the picture before."""
    predicted = expect_number(correlation, "The correlation")
    generator = torch.Generator().manual_seed(102)
    z0 = torch.randn(2000, 2, generator=generator, device="cpu").double()
    z0 = (z0 - z0.mean(dim=0)) / z0.std(dim=0, correction=0) * z0.new_tensor([2.0, 1.0])
    z1 = heun(stretched, z0, steps=200, keep="end").end
    turned = torch.stack([-z0[:, 1], z0[:, 0]], dim=1)
    measured, partner = _correlation(z0, z1), _correlation(turned, z1)
    found = (
        f"The run: {measured:.3f} with its own start; with the true partner it is {partner:.3f}. "
    )
    why = (
        "The flow cannot turn anything. Each coordinate is on its own, and there it scales: the "
        "first by 1/2, the second by 2. So (2 * 1 + 1 * 2) / (4 + 1) = 0.8."
    )
    if abs(predicted - measured) < 0.015:
        return Right(found + why)
    hint = misconception(
        predicted,
        [
            (0.0, "That is the correlation of the pairs, or with the true partner. "),
            (1.0, "That is the correlation of each coordinate alone. Together they have less. "),
            (-1.0, "Nothing is turned over. "),
            (0.4, "The mean of Z0 . Z1 is 2 * 1 + 1 * 2, for both coordinates. "),
            (0.64, "That is the square of it. "),
            (0.5, "That is how the first coordinate is scaled. "),
            (1.25, "A correlation is at most 1: the scale is E||Z0||^2 = 4 + 1. "),
            (4.0, "That is the mean of Z0 . Z1. Divide it by the scale, 4 + 1. "),
            (2 / 10**0.5, "The lengths are those of all coordinates: E||Z0||^2 = 4 + 1. "),
        ],
    )
    raise Wrong(found + hint + why)


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    return ((a * b).sum() / (a.norm() * b.norm())).item()


WEIGHTED = [  # lines, coordinates, dtype
    (3, 2, torch.float64),
    (6, 2, torch.float32),
    (4, 4, torch.float64),
    (1, 3, torch.float64),
]


@exercise("10.3", "What a weighted loss learns", "derive")
def best_velocity(best_velocity: Any) -> Right:
    """Check `best_velocity(d, A)`: the minimizer of the mean of (d - v)^T A (d - v)."""
    for i, (lines, dim, dtype) in enumerate(WEIGHTED):
        d = Inputs(lines, (dim,), dtype, seed=10_300 + i).points()
        root = Inputs(lines, (dim, dim), dtype, seed=10_350 + i).points()
        scale = 1 + torch.arange(lines, device=d.device, dtype=dtype)[:, None, None]
        A = (root @ root.mT + 0.5 * torch.eye(dim, dtype=dtype, device=d.device)) * scale
        got = expect_tensor(call(best_velocity, d, A), d[0], "The velocity")
        wanted, mistakes = weighted_mean(d, A)
        tolerance = 1e-3 if dtype == torch.float32 else 1e-4
        expect_close(
            got,
            wanted,
            mistakes,
            name="The velocity",
            tolerance=tolerance,
            pointer=pointer(got, d, A),
        )
    return Right(
        "With one matrix for all lines it cancels, and what is left is the plain mean. That of the "
        "feature loss depends on X_t alone, and all lines through X_t share it."
    )


@exercise("10.4", "Pairs that mean something", "code")
def pair_by_rank(pair_by_rank: Any) -> Right:
    """Check `pair_by_rank(x0, x1, score)`: the pairs in which the scores have the same rank."""
    for i, (n, event, dtype) in enumerate(
        [
            (7, (2,), torch.float64),
            (6, (1, 3, 4), torch.float32),
            (5, (3,), torch.float64),
            (1, (2,), torch.float32),
        ]
    ):
        x0, x1 = (Inputs(n, event, dtype, seed=10_400 + 10 * i + k).points() for k in (0, 1))
        if i == 0:  # so that taking an order for a rank shows
            by_score = [x[score_of(x).argsort()] for x in (x0, x1)]
            x0 = by_score[0][torch.tensor([2, 0, 4, 6, 1, 5, 3], device=x0.device)]
            x1 = by_score[1][torch.tensor([3, 6, 0, 2, 5, 1, 4], device=x1.device)]
        expect_pairs_by_rank(pair_by_rank, x0, x1)
    return Right(
        "Both ends keep their laws, and the pairs now say what belongs together. Whether the flow "
        "keeps what they say is another matter: where lines cross, it averages."
    )
