"""The mean of lines that are weighted by matrices, right and with mistakes, for 10.3."""

from __future__ import annotations

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Mistake


def weighted_mean(d: Tensor, A: Tensor) -> tuple[Tensor, list[Mistake]]:
    """Return the best velocity (dim,) for lines d (k, dim) and matrices A (k, dim, dim)."""
    Ad = _times(A, d)
    inverse = torch.linalg.inv(A)
    trace = A.diagonal(dim1=1, dim2=2).sum(dim=1)
    diagonal = A.diagonal(dim1=1, dim2=2)
    sizes = A.flatten(1).norm(dim=1)
    lower = torch.linalg.cholesky(A)
    values, vectors = torch.linalg.eigh(A)
    roots = vectors * values.sqrt()[:, None] @ vectors.mT
    one_side = "One side of the equation is a sum, and the other a mean. Take the same for both."
    upside_down = "This weighs by the inverses of the matrices. A large A_i counts for more."
    one_number = "This weighs each line by one number, {}. A matrix weighs directions, too."
    entries = "This multiplies entry by entry. A d is a product of a matrix and a vector."
    squared = "The matrices come in twice: as weights of a least-squares problem their *roots* "
    squared += "are needed, since the error is (d - v)^T A (d - v)."
    mistakes = [
        (d.mean(dim=0), "This is the plain mean. It is right when all matrices are the same. Here "
         "a line with a larger one counts for more."),
        (d.sum(dim=0), "This is the sum of the lines. The matrices weigh them, and then divide."),
        (d.median(dim=0).values, "This is a median. Squares lead to a weighted mean."),
        (Ad.mean(dim=0), "This is the mean of A d. The gradient also has the mean of A times v: "
         "solve for v."),
        (Ad.sum(dim=0), "This is the sum of A d. Solve for v: the sum of A stands before it."),
        (_solved(A.sum(dim=0), Ad.mean(dim=0)), one_side),
        (_solved(A.mean(dim=0), Ad.sum(dim=0)), one_side),
        (_times(inverse, d).mean(dim=0), "This is the mean of A^-1 d. The matrices multiply the "
         "lines; only their sum is inverted."),
        (_times(inverse, d).sum(dim=0), "This is the sum of A^-1 d. The matrices multiply the "
         "lines; only their sum is inverted."),
        (inverse.mean(dim=0) @ Ad.mean(dim=0), "The inverse of a mean is not the mean of the "
         "inverses. Add up the matrices first, then solve."),
        (inverse.sum(dim=0) @ Ad.sum(dim=0), "The inverse of a sum is not the sum of the inverses. "
         "Add up the matrices first, then solve."),
        (_solved(inverse.sum(dim=0), _times(inverse, d).sum(dim=0)), upside_down),
        (inverse.mean(dim=0) @ A.mean(dim=0) @ d.mean(dim=0), upside_down),
        (_solved((A @ A).sum(dim=0), _times(A @ A, d).sum(dim=0)), squared),
        (_solved((A.mT @ A).sum(dim=0), _times(A, d).sum(dim=0)), squared),
        *(
            (_solved(root.sum(dim=0), _times(root, d).sum(dim=0)), "These are roots of the "
             "matrices as weights. In the gradient of (d - v)^T A (d - v) stands A itself.")
            for root in (lower, lower.mT, roots)
        ),
        (_weighted(trace, d), one_number.format("the trace")),
        (_weighted(sizes, d), one_number.format("its norm")),
        (_weighted(sizes**2, d), one_number.format("the square of its norm")),
        (_weighted(torch.linalg.matrix_norm(A, 2), d), one_number.format("its largest eigenvalue")),
        (_weighted(torch.linalg.det(A), d), one_number.format("the determinant")),
        (_weighted(A.sum(dim=(1, 2)), d), one_number.format("the sum of its entries")),
        (_weighted(A[:, 0, 0], d), one_number.format("its first entry")),
        (_weighted(1 / trace, d), f"{one_number.format('the trace')} And it divides by it."),
        (_solved(A[0], Ad.mean(dim=0)), "This inverts the matrix of the first line alone. The "
         "gradient has the sum of all of them."),
        (_solved(A[0], Ad.sum(dim=0)), "This inverts the matrix of the first line alone. The "
         "gradient has the sum of all of them."),
        (_solved(A[-1], Ad.sum(dim=0)), "This inverts the matrix of the last line alone. The "
         "gradient has the sum of all of them."),
        ((diagonal * d).sum(dim=0) / diagonal.sum(dim=0), "This uses the diagonals of the "
         "matrices alone, as if they mixed no coordinates."),
        (Ad.sum(dim=0) / diagonal.sum(dim=0), "This divides by the diagonal of the sum. Solve with "
         "the whole matrix: it mixes the coordinates."),
        (Ad.sum(dim=0) / trace.sum(), "This divides by a number, the trace. Solve with the matrix "
         "that is the sum."),
        (Ad.sum(dim=0) / A.sum(dim=(0, 1)), entries),
        ((A.sum(dim=2) * d).sum(dim=0) / A.sum(dim=(0, 2)), entries),
        (_solved(A.sum(dim=0), (A * d[:, None]).sum(dim=(0, 1))), entries),
        (_solved(A.sum(dim=0), (A * d[:, :, None]).sum(dim=(0, 2))), entries),
        (A.mean(dim=0) @ d.mean(dim=0), "This is the mean of A times the mean of d. The mean of "
         "the products is needed, and then solve for v."),
        (A.sum(dim=0) @ Ad.sum(dim=0), "This multiplies by the sum of the matrices. Solve with it, "
         "that is, multiply by its inverse."),
        (_solved(A.sum(dim=0), d.sum(dim=0)), "The matrices are missing on the right: the sum of "
         "A times v is the sum of A d."),
        (_solved(A.sum(dim=0), Ad.sum(dim=0)) / len(d), "This divides by the number of lines once "
         "more. It cancels."),
        (-2 * Ad.mean(dim=0), "This is the gradient at v = 0. Find the v at which it is 0."),
        (d[trace.argmax()], "This is one of the lines. All of them count, by their matrices."),
    ]  # fmt: skip
    return _solved(A.sum(dim=0), Ad.sum(dim=0)), mistakes


def pointer(v: Tensor, d: Tensor, A: Tensor) -> str:
    """Say what is not 0 at an answer v (dim,), and a case to try it on."""
    slope = (-2 * _times(A, d - v).mean(dim=0)).tolist()
    shown = ", ".join(f"{each:.3g}" for each in slope)
    mean = A.mean(dim=0)
    near = (v - _solved(mean, _times(A, d).mean(dim=0))).norm() < 0.1 * v.norm()
    steps = "If you walk down to it by steps: make more of them. " if near else ""
    return (
        f"{steps}At the least of the mean its gradient is 0; at yours it is ({shown}). A case to "
        f"try: for one line, k = 1, the answer is d_1, whatever A_1 is."
    )


def _times(A: Tensor, d: Tensor) -> Tensor:
    return (A @ d[:, :, None])[:, :, 0]


def _solved(A: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.solve(A, b)


def _weighted(weights: Tensor, d: Tensor) -> Tensor:
    return (weights[:, None] * d).sum(dim=0) / weights.sum()
