"""Calling an answer again, on other arguments: what it makes of them may tell its mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Called, last_call

SLOW = 3.0  # seconds: what takes longer is not called again

Agree = Callable[[Tensor, Tensor], bool]


def told_by_calling_again(got: Tensor, wanted: Tensor, agree: Agree) -> str:
    """Say what the answer that returned `got` makes of other arguments, where that tells; or "".

    `agree(a, b)` says whether two tensors agree up to rounding.
    """
    last = last_call()
    index = _place(got, last)
    if last is None or index is None or last.seconds > SLOW:
        return ""

    def made(arguments: Sequence[Any]) -> Tensor | None:
        parts = _parts(_returned(last, arguments))
        return parts[index].detach() if index < len(parts) else None

    again = made(last.arguments)
    if again is None or again.shape != got.shape:
        return ""
    if not agree(again, got):
        return (
            "It changes from call to call, though what goes in is the same. Nothing in it should "
            "be random, or be kept from an earlier call."
        )
    for hint, arguments in (*_exchanged(last), *_turned(last)):
        other = made(arguments)
        if other is not None and agree(other, wanted):
            return hint
    rows = _worst_rows(got, wanted)
    alone = [made(_only(last.arguments, row, len(got))) for row in rows]
    if rows and all(
        one is not None and one.shape == got[:1].shape and agree(one[0], wanted[row])
        for row, one in zip(rows, alone, strict=True)
    ):
        return (
            f"Row {rows[0]} alone is right, but in a batch it is not: there it depends on the "
            f"other rows. Is one time, or one mean, taken for all of them, such as `t[0]` or "
            f"`t.mean()`?"
        )
    return ""


def changes() -> bool:
    """Say whether the last answer, which returned a number, returns another if called again."""
    last = last_call()
    if last is None or last.seconds > SLOW:
        return False
    try:
        before, after = float(last.result), float(_returned(last, last.arguments))
    except (TypeError, ValueError, RuntimeError):
        return False
    return abs(before - after) > 1e-9 * abs(before)


def exchanged_numbers(right: Callable[[float], bool]) -> str:
    """Say which arguments of the last answer, which returned a number, are exchanged; or ""."""
    last = last_call()
    if last is None or last.seconds > SLOW:
        return ""
    for hint, arguments in _exchanged(last):
        try:
            other = float(_returned(last, arguments))
        except (TypeError, ValueError, RuntimeError):
            continue
        if right(other):
            return hint
    return ""


def times_of_rows(shape: torch.Size) -> tuple[str, Tensor] | None:
    """Return the times that the last answer was given, and their name in it; or None.

    `shape` is that of its result: the times are (batch,) or of this shape, and within [0, 1].
    """
    last = last_call()
    for name, value in last.named() if last else []:
        if not isinstance(value, Tensor) or not value.is_floating_point() or not value.numel():
            continue
        if not (name.startswith("t") or name == "s"):  # betas, too, lie between 0 and 1
            continue
        fits = value.shape == shape[:1] or (value.shape == shape and name == "t")
        if fits and value.min() >= 0 and value.max() <= 1:
            return name, value
    return None


def _place(got: Tensor, last: Called | None) -> int | None:
    """Say which of the tensors that were returned is this one, if it is one of them."""
    for i, part in enumerate(_parts(last.result) if last else []):
        alike = part.shape == got.shape and part.layout == got.layout
        if alike and part.device == got.device and torch.equal(part.detach().to(got.dtype), got):
            return i
    return None


def _parts(result: Any) -> list[Tensor]:
    """Return the tensors of a result, which may be a tuple."""
    if isinstance(result, tuple | list):
        return [part for part in result if isinstance(part, Tensor)]
    return [result] if isinstance(result, Tensor) else []


def _returned(last: Called, arguments: Sequence[Any]) -> Any:
    """Call the answer again, on copies; return None if it raises."""
    try:
        with torch.enable_grad():
            return last.answer(*(x.clone() if isinstance(x, Tensor) else x for x in arguments))
    except Exception:  # whatever it does: the answer is wrong already
        return None
    finally:
        torch.set_grad_enabled(True)


def _exchanged(last: Called) -> Iterator[tuple[str, list[Any]]]:
    """Yield what says that two arguments are exchanged, and the arguments so."""
    named = last.named()
    for i, j in list(combinations(range(len(named)), 2))[:15]:
        (one, a), (other, b) = named[i], named[j]
        tensors = isinstance(a, Tensor) and isinstance(b, Tensor)
        if tensors and (a.shape != b.shape or a.dtype != b.dtype):
            continue
        if not tensors and not (type(a) is type(b) and isinstance(a, int | float | tuple)):
            continue
        arguments = list(last.arguments)
        arguments[i], arguments[j] = b, a
        yield (
            f"`{one}` and `{other}` are exchanged: the other way round, yours is right.",
            arguments,
        )


def _turned(last: Called) -> Iterator[tuple[str, list[Any]]]:
    """Yield what says that the clock is turned, and the arguments so."""
    for i, (name, value) in enumerate(last.named()):
        if name not in ("t", "s", "u") or not isinstance(value, Tensor):
            continue
        arguments = list(last.arguments)
        arguments[i] = 1 - value
        yield f"The clock is turned: with 1 - {name} in place of {name}, yours is right.", arguments


def _worst_rows(got: Tensor, wanted: Tensor) -> list[int]:
    """Return the rows that are off most, of a batch of several."""
    if got.ndim == 0 or len(got) < 2:
        return []
    gap = (got - wanted).abs().reshape(len(got), -1).amax(dim=1)
    return gap.argsort(descending=True)[:3].tolist()


def _only(arguments: Sequence[Any], row: int, n: int) -> list[Any]:
    """Return arguments with one row in place of n."""
    batched = (isinstance(x, Tensor) and x.ndim > 0 and len(x) == n for x in arguments)
    return [x[row : row + 1] if rows else x for x, rows in zip(arguments, batched, strict=True)]
