"""Checkers for chapter 10, on flows from one data set to another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach._solvers import heun
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_pair,
    expect_tensor,
    misconception,
)
from rfteach.exercises.tools.inputs import Inputs

SETS = [  # outputs, training images, unseen images; event; dtype
    ((6, 9, 7), (2,), torch.float32),
    ((5, 8, 4), (1, 4, 3), torch.float64),
    ((1, 3, 5), (3, 5), torch.float32),
    ((7, 7, 7), (2,), torch.float64),
]


@exercise("10.1", "How near is a copy?", "code")
def nearness(nearness: Any) -> Right:
    """Check `nearness(outputs, training, unseen)`: nearest distances, in units of real ones."""
    for i, (numbers, event, dtype) in enumerate(SETS):
        outputs, training, unseen = (
            Inputs(n, event, dtype, seed=10_100 + 10 * i + k).points()
            for k, n in enumerate(numbers)
        )
        got = call(nearness, outputs, training, unseen)
        got = expect_tensor(got, outputs.flatten(1)[:, 0], "The result")
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
            (to_training.mean(dim=1) / unit, "This takes the mean distance to all the training "
             "images. A copy is near to *one* of them."),
            (to_training.max(dim=1).values / unit, "This takes the farthest training image."),
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
            (near / to_unseen.min(dim=1).values, "This divides by the distance from each output "
             "to the unseen images. The unit is one number: what *unseen* images have to the "
             "training set."),
        ]  # fmt: skip
        expect_close(got, near / unit, mistakes)
    return Right(
        "Far below 1 is suspicious. About 1 is no proof: a picture put together from parts of two "
        "training images would pass. So look at the nearest cases, too."
    )


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the distance of each row of `a` to each of `b`."""
    return (a.flatten(1)[:, None] - b.flatten(1)[None]).norm(dim=2)


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
        Ad = (A @ d[:, :, None])[:, :, 0]
        wanted = torch.linalg.solve(A.sum(dim=0), Ad.sum(dim=0))
        trace = A.diagonal(dim1=1, dim2=2).sum(dim=1)
        diagonal = A.diagonal(dim1=1, dim2=2)
        mistakes = [
            (d.mean(dim=0), "This is the plain mean. It is right when all matrices are the same. "
             "Here a line with a larger one counts for more."),
            (Ad.mean(dim=0), "This is the mean of A d. The gradient also has the mean of A times "
             "v: solve for v."),
            (Ad.sum(dim=0), "This is the sum of A d. Solve for v: the sum of A stands before it."),
            (torch.linalg.solve(A.sum(dim=0), Ad.mean(dim=0)), "One side of the equation is a sum, "
             "and the other a mean. Take the same for both."),
            (torch.linalg.solve(A.mean(dim=0), Ad.sum(dim=0)), "One side of the equation is a sum, "
             "and the other a mean. Take the same for both."),
            (torch.linalg.solve(A, d[:, :, None])[:, :, 0].mean(dim=0), "This is the mean of "
             "A^-1 d. The matrices multiply the lines; only their sum is inverted."),
            (torch.linalg.inv(A).mean(dim=0) @ Ad.mean(dim=0), "The inverse of a mean is not the "
             "mean of the inverses. Add up the matrices first, then solve."),
            ((trace[:, None] * d).sum(dim=0) / trace.sum(), "This weighs each line by one number, "
             "the trace. A matrix weighs directions, too."),
            (torch.linalg.solve(A[0], Ad.mean(dim=0)), "This inverts the matrix of the first line "
             "alone. The gradient has the sum of all of them."),
            ((diagonal * d).sum(dim=0) / diagonal.sum(dim=0), "This uses the diagonals of the "
             "matrices alone, as if they mixed no coordinates."),
            ((A.sum(dim=2) * d).sum(dim=0) / A.sum(dim=(0, 2)), "This multiplies entry by entry. "
             "A d is a product of a matrix and a vector."),
        ]  # fmt: skip
        tolerance = 1e-3 if dtype == torch.float32 else 1e-4
        expect_close(got, wanted, mistakes, name="The velocity", tolerance=tolerance)
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
            by_score = [x[_score(x).argsort()] for x in (x0, x1)]
            x0 = by_score[0][torch.tensor([2, 0, 4, 6, 1, 5, 3], device=x0.device)]
            x1 = by_score[1][torch.tensor([3, 6, 0, 2, 5, 1, 4], device=x1.device)]
        a, b = expect_pair(call(pair_by_rank, x0, x1, _score), "the starts and the ends")
        a = expect_tensor(a, x0, "The batch of starts")
        b = expect_tensor(b, x1, "The batch of ends")
        first, second = _score(x0).argsort(), _score(x1).argsort()
        rank = first.argsort()
        wanted = x1[second[rank]]
        gap = (_score(x0)[:, None] - _score(x1)[None]).abs()
        if not torch.equal(a, x0) and torch.equal(a, x0[first]) and torch.equal(b, x1[second]):
            raise Wrong(
                "The pairs are right, but both batches are sorted. Leave x0 as it is, so that the "
                "caller's rows stay where they were, and bring the ends into its order."
            )
        expect_close(a, x0, [(x1, "The two ends are swapped.")], name="The batch of starts")
        mistakes = [
            (x1, "The ends are still in the order in which they came."),
            (x1[second], "The ends are sorted, but the starts are not. Which rank has each start?"),
            (x1[first], "This puts the ends into the order that sorts the *starts*. Take the ends "
             "in order of their own score, and then deal them out by rank."),
            (x1[second[first]], "argsort gives an order: which row comes first, second and so on. "
             "A rank is the inverse: where each row comes. The argsort of an argsort is one."),
            (x1[first[second]], "The orders are put together the wrong way round, and the one "
             "of the starts must be inverted."),
            (x1[second.argsort()[first]], "The wrong order is inverted: here the ranks of the "
             "starts are needed, and the order of the ends."),
            (x1[second.argsort()[rank]], "The ends are taken by rank twice. Take the order of the "
             "ends, at the ranks of the starts."),
            (x1[rank], "These are the rows of the ends at the ranks of the starts. Sort the ends "
             "by score first."),
            (x1[second.flip(0)[rank]], "The ranks run opposite: the start with the highest score "
             "gets the end with the lowest."),
            (x1[gap.argmin(dim=1)], "Each start got the end with the nearest score. Some ends come "
             "twice and some not at all, so the ends lose their distribution."),
        ]  # fmt: skip
        expect_close(b, wanted, mistakes, name="The batch of ends")
    return Right(
        "Both ends keep their laws, and the pairs now say what belongs together. Whether the flow "
        "keeps what they say is another matter: where lines cross, it averages."
    )


def _score(x: Tensor) -> Tensor:
    """Score points of any shape by one number each, shape (n,)."""
    return torch.sin(x.flatten(1)).sum(dim=1) + 0.1 * x.flatten(1)[:, 0]
