"""Reading the rows of a batch that an answer names, whatever holds them."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from torch import Tensor

from rfteach.exercises.tools.answers import Wrong


def expect_rows(result: Any, batch: int) -> list[int]:
    """Return the rows as a list of integers; raise Wrong for what names no rows."""
    if result is None:
        raise Wrong("The result is None. Is a `return` missing?")
    division = "Rows are integers. Is there a `/` where `//` belongs?"
    if isinstance(result, slice):
        try:
            return list(range(batch)[result])
        except TypeError:
            raise Wrong(division) from None
    if isinstance(result, Tensor) and result.device.type == "meta":
        raise Wrong("The rows are on the device meta, which holds no values.")
    if isinstance(result, (Tensor, np.ndarray)) and result.ndim == 1:
        result = result.tolist()
    if not isinstance(result, (list, tuple, range, set)):
        raise Wrong(
            "Return the rows as a list, a range, a slice or a tensor of shape (rows,), not as an "
            f"object of type {type(result).__name__}."
        )
    rows = [x.item() if isinstance(x, Tensor) and x.ndim == 0 else x for x in result]
    if any(isinstance(row, bool | np.bool_) for row in rows):
        raise Wrong("This says yes or no for each row. Return the numbers of the rows instead.")
    if not all(isinstance(row, numbers.Integral) for row in rows):
        raise Wrong(division)
    return [int(row) for row in rows]


def slip_of_ranges(shares: list[list[int]], batch: int) -> str:
    """Say what is wrong with the ranges of all processes, for the likely slips; else ""."""
    processes = len(shares)
    n = batch // processes
    slips = {
        "The end of a range is not part of it, so take nothing off.": [
            range(r * n, (r + 1) * n - 1) for r in range(processes)
        ],
        "Process r begins at row r n, not at row r.": [range(r, r + n) for r in range(processes)],
        "The step of the range is the number of processes.": [
            range(r, batch, n) for r in range(processes)
        ],
    }
    if not 1 < processes != n > 1:  # then a slip may be right
        return ""
    return next((hint for hint, rows in slips.items() if shares == [*map(list, rows)]), "")
