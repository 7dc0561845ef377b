"""Looking at what an answer returned, and saying what is wrong with it.

A checker knows the right result and the results of likely mistakes. When an answer is off, it is
held against each of these, so that the message names the mistake and not just the difference.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rfteach.exercises.tools.again import changes, exchanged_numbers, told_by_calling_again
from rfteach.exercises.tools.answers import DTYPE, Draw, Mistake, NotAttempted, Wrong
from rfteach.exercises.tools.relations import related, where_it_is_off

FACTORS = {
    "2": 2,
    "1/2": 0.5,
    "180 / pi (degrees)": 180 / math.pi,
    "pi": math.pi,
    "4": 4,
    "1/4": 0.25,
}
ENDS = "Is there a division by something that may be 0, such as t or 1 - t at the ends?"
NO_TIME = "Is there a division by something that may be 0, or a root of something negative?"


def expect_tensor(
    result: Any,
    like: Tensor,
    name: str = "The result",
    *,
    dtype: str = DTYPE,
    finite: str = ENDS,
) -> Tensor:
    """Return `result` if it is a finite tensor of the shape, dtype and device of `like`.

    `dtype` and `finite` are the ways out of a wrong dtype, and of NaN or infinity.
    """
    if result is None:
        raise Wrong(f"{name} is None. Is a `return` missing?")
    if not isinstance(result, Tensor):
        raise Wrong(
            f"{name} is an object of type {type(result).__name__}, but it should be a torch.Tensor."
        )
    if result.layout != like.layout:
        raise Wrong(f"{name} is a {result.layout} tensor. Return a dense one: `.to_dense()`.")
    if result.shape != like.shape:
        raise Wrong(
            f"{name} has shape {tuple(result.shape)}, but for this input it should have "
            f"{tuple(like.shape)}."
        )
    if result.device != like.device:
        raise Wrong(f"{name} is on {result.device}, but the input is on {like.device}.")
    if result.dtype != like.dtype:
        raise Wrong(f"{name} has dtype {result.dtype}, but it should have {like.dtype}. {dtype}")
    if not torch.isfinite(result).all():
        raise Wrong(f"{name} holds NaN or infinity. {finite}")
    return result.detach().contiguous()  # a transposed one is as right


def expect_close(
    got: Tensor,
    wanted: Tensor,
    mistakes: Iterable[Mistake] = (),
    *,
    name: str = "The result",
    draw: Draw | None = None,
    tolerance: float = 1e-4,
    random: str = "",
    pointer: str = "",
) -> None:
    """Raise Wrong unless `got` is `wanted`; name the mistake that would explain what it is.

    Args:
        got: the answer's result, already known to have the right shape.
        wanted: the right result.
        mistakes: results that likely mistakes would give, each with its hint.
        name: what the result is, to begin a sentence.
        draw: draws the target beside the answer.
        tolerance: largest difference that counts as rounding, relative to the values' size.
        random: what to add for an answer that changes from call to call.
        pointer: where to look, for a mistake that nothing here knows.
    """
    if close(got, wanted, tolerance):
        return
    for result, hint in mistakes:
        if close(got, result, tolerance):
            raise Wrong(hint, draw)
    if close(got, -wanted, tolerance):
        raise Wrong(f"{name} has the opposite sign.", draw)
    batch = got.ndim > 0 and len(got) > 1
    if batch and close(got, wanted.mean(dim=0).expand_as(wanted), tolerance):
        raise Wrong(
            f"{name} is right on average over the batch, but not for each point. Is there a mean "
            f"over the batch?",
            draw,
        )

    def agree(a: Tensor, b: Tensor) -> bool:
        return close(a.to(b), b, tolerance)

    again = told_by_calling_again(got, wanted, agree)
    if "changes from call" in again:
        raise Wrong(f"{name} is not right yet. {again} {random}".strip(), draw)
    if batch and _same_rows(got, wanted, tolerance):
        raise Wrong(f"{name} has the right rows, but in another order. {pointer}".strip(), draw)
    if again:
        raise Wrong(f"{name} is not right yet. {again}", draw)
    relation = related(got, wanted, agree)
    if relation:
        raise Wrong(f"{name} {relation}", draw)
    gap = (got - wanted).abs().max().item()
    example = where_it_is_off(got, wanted, tolerance)
    raise Wrong(f"{name} is off by up to {gap:.2g}. {example} {pointer}".strip(), draw)


def _same_rows(got: Tensor, wanted: Tensor, tolerance: float) -> bool:
    """Say whether each row of one tensor is among the rows of the other, and the reverse."""
    if len(got) > 2000:  # the distances of all pairs would fill the memory
        return False
    mine, right = (x.reshape(len(x), -1).double() for x in (got, wanted))
    gap = torch.cdist(mine, right)
    nearest = torch.cat([gap.min(dim=0).values, gap.min(dim=1).values])
    return bool(nearest.max() <= tolerance * max(1.0, wanted.abs().max().item()))


def close(got: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> bool:
    """Say whether two tensors agree up to rounding, relative to the size of the wanted one."""
    if got.shape != wanted.shape or not wanted.isfinite().all():
        return False
    scale = max(1.0, wanted.abs().max().item())
    return bool((got - wanted).abs().max() <= tolerance * scale)


def expect_number(value: Any, name: str) -> float:
    """Return a prediction as a float; raise NotAttempted for None, Wrong for anything else."""
    if value is None or value is Ellipsis:
        raise NotAttempted
    if isinstance(value, (Tensor, np.ndarray)) and math.prod(value.shape) == 1:
        value = value.item()
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # an integer of hundreds of digits
            number = float(value)
    if not math.isfinite(number):
        raise Wrong(f"{name} should be a finite number, but it is {reprlib.repr(value)}.")
    return number


def as_whole(value: Any) -> int | None:
    """Return a whole number of any type, such as 8, 8.0 or `torch.tensor(8)`; None for the rest."""
    try:
        number = expect_number(value, "The number")
    except (Wrong, NotAttempted):
        return None
    return int(number) if number == int(number) else None


def expect_pair(result: Any, what: str) -> tuple[Any, Any]:
    """Return the two parts of a result; `what` names them."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        got = "None" if result is None else f"an object of type {type(result).__name__}"
        if isinstance(result, (tuple, list)):
            got = f"{len(result)}"
        raise Wrong(f"Return two things, {what}. Yours returned {got}.")
    return result[0], result[1]


def misconception(value: float, known: Sequence[tuple[float, str]]) -> str:
    """Return the hint for the nearest known wrong prediction within 1.5 % of this, or nothing.

    Predictions are rounded to two digits or so; right ones may be off by 1 or 2 %.
    """
    near = [one for one in known if abs(value - one[0]) <= 0.015 * abs(one[0]) + 1e-9]
    return min(near, key=lambda one: abs(value - one[0]))[1] if near else ""


def expect_value(
    value: Any,
    wanted: float,
    mistakes: Sequence[tuple[float, str]],
    what: str,
    pointer: str = "",
) -> None:
    """Raise Wrong unless a formula's value, a number, is the wanted one to four digits.

    `pointer` says where to look, for a mistake that nothing here knows.
    """
    if value is None:
        raise Wrong(f"{what} is None. Is a `return` missing?")
    got = expect_number(value, what)
    if math.isclose(got, wanted, rel_tol=5e-4):
        return
    near = [hint for wrong, hint in mistakes if math.isclose(got, wrong, rel_tol=5e-4)]
    if math.isclose(got, -wanted, rel_tol=5e-4):
        near.append("The sign is wrong.")
    if not near and changes():
        near.append("It changes from call to call: find a formula, in place of random draws.")
    if not near:
        swapped = exchanged_numbers(lambda other: math.isclose(other, wanted, rel_tol=5e-4))
        near = [swapped] * bool(swapped)
    if not near and wanted:
        near = [
            f"That is {name} times as much."
            for name, factor in FACTORS.items()
            if math.isclose(got, factor * wanted, rel_tol=5e-4)
        ]
    if not near and math.isclose(got, wanted, rel_tol=5e-3):
        near = [f"That is close, but not to four digits. {pointer}".strip()]
    near = near[:1] or [pointer] * bool(pointer)
    raise Wrong(" ".join([f"{what} should be {wanted:.6g}, but yours is {got:.6g}.", *near]))
