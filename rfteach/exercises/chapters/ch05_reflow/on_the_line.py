"""Pairs on the line, in order and with likely mistakes, for the checker of 5.4."""

from __future__ import annotations

import math

from torch import Tensor

from rfteach.exercises.tools.answers import Mistake
from rfteach.exercises.tools.expect import close


def ordered_pairs(x0: Tensor, data: Tensor, got: Tensor) -> tuple[Tensor, list[Mistake]]:
    """Return the end of each start (n, 1), and wrong ones; `got` is what the answer returned."""
    ordered = data.sort(dim=0).values
    order = x0[:, 0].argsort()
    rank = order.argsort()
    sort = "Sort points of shape (n, 1) with `dim=0`; the last axis has length 1."
    mistakes = [
        (data, "These are the data as they came: independent of the starts, and not in order."),
        (
            ordered,
            "These are the data in order, but the starts are not: row i must hold the end of "
            "row i of x0.",
        ),
        (
            ordered[order],
            "`x0.argsort()` lists which row comes first, second, and so on. What is needed is "
            "the rank of each row, its inverse: sort that list once more.",
        ),
        (
            ordered.flip(0)[rank],
            "The order is reversed: the smallest start goes to the largest end. Such lines all "
            "meet on the way, and paths cannot.",
        ),
        (x0[order], "These are the starts in order. The result should hold data points."),
        (data[rank], f"This takes row `rank` of the data as they came. {sort}"),
        (data[order], f"This shuffles the data by the order of the starts. {sort}"),
        (ordered[:1].expand(len(x0), 1), f"Every row has the smallest data point. {sort}"),
        (
            data[(x0 - data.T).abs().argmin(dim=1)],
            "This takes the nearest data point, so that some are used twice and others never.",
        ),
    ]
    if len(x0) < 100:
        mistakes.append(
            (
                data[_nearest_left(x0, data)],
                "Each start in turn takes the nearest data point that is left, and the last "
                "ones get what remains. Paths on a line keep the order: pair by rank.",
            )
        )
    once = close(got.sort(dim=0).values, ordered, 1e-6)
    mistakes.append(
        (
            got,
            "Each data point is used once, but not in order: a smaller start must get a "
            "smaller end."
            if once
            else "Every data point belongs to just one start. Not so in yours.",
        )
    )
    return ordered[rank], mistakes


def _nearest_left(x0: Tensor, data: Tensor) -> list[int]:
    """Give each of the starts (n, 1) in turn the row of the nearest data point that is left."""
    gap, rows = (x0 - data.T).abs(), []
    for i in range(len(x0)):
        rows.append(int(gap[i].argmin()))
        gap[:, rows[-1]] = math.inf
    return rows
