"""Simple relations between a wrong result and the right one, which tell the mistake to look for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.again import times_of_rows
from rfteach.exercises.tools.answers import last_call

Agree = Callable[[Tensor, Tensor], bool]


def related(got: Tensor, wanted: Tensor, agree: Agree) -> str:
    """Say how all the entries of `got` follow from those of `wanted`, or "" if they do not.

    `agree(a, b)` says whether two tensors agree up to rounding.
    """
    if got.numel() < 3 or wanted.abs().max() < 1e-6:
        return ""
    if got.abs().max() < 1e-6:
        return "is 0 everywhere."
    positive = bool((wanted > 0).all()) and bool((wanted - wanted.mean()).abs().max() > 1e-3)
    if positive:
        for made, what in [
            (wanted.log(), "the logarithm of what it should be."),
            (wanted.exp(), "e to the power of what it should be."),
            (wanted.square(), "the square of what it should be."),
            (wanted.sqrt(), "the root of what it should be."),
            (1 / wanted, "1 over what it should be."),
        ]:
            if agree(got, made):
                return f"is {what}"
    if bool((got > 0).all()) and agree(got.log(), wanted):
        return "is e to the power of what it should be."
    constant = _added_below(got, wanted, agree)
    if constant:
        return constant
    factor = ((got * wanted).sum() / wanted.square().sum()).item()
    if abs(factor - 1) > 1e-3 and agree(got, factor * wanted):
        return f"is {factor:.4g} times what it should be, in all entries.{_named(factor)}"
    offset = (got - wanted).mean().item()
    if agree(got, wanted + offset):
        return f"is what it should be, {'plus' if offset > 0 else 'minus'} {abs(offset):.4g}."
    return _with_arguments(got, wanted, agree)


def _added_below(got: Tensor, wanted: Tensor, agree: Agree) -> str:
    """Say so if t + e or 1 - t + e divides in place of the time, for one small e."""
    told = times_of_rows(got.shape)
    if told is None or told[1].min() == told[1].max():  # with one time, it looks like a factor
        return ""
    name, times = told
    t = along(times, got) if times.ndim == 1 else times
    worst = (got - wanted).abs().argmax()
    for below, what in ((1 - t, f"1 - {name}"), (t, name)):
        d = below.expand_as(got).flatten()[worst]
        e = (d * (wanted.flatten()[worst] / got.flatten()[worst] - 1)).item()
        made = wanted * below / (below + e)
        if 1e-6 < e < 0.02 and agree(got, made) and agree(got * (below + e), wanted * below):
            return (
                f"is divided by {what} + {e:.1g}, not by {what}: it is off where that is small. "
                f"Leave the constant out, as {what} is not 0 here."
            )
    return ""


def _named(factor: float) -> str:
    """Name a number that is known for more than itself."""
    known = {
        "pi": math.pi,
        "pi / 2": math.pi / 2,
        "2 pi": 2 * math.pi,
        "180 / pi, as for degrees": 180 / math.pi,
    }
    for name, value in known.items():
        if math.isclose(abs(factor), value, rel_tol=1e-3):
            return f" That is {name}."
        if math.isclose(abs(factor), 1 / value, rel_tol=1e-3):
            return f" That is 1 / ({name})."
    return ""


def _with_arguments(got: Tensor, wanted: Tensor, agree: Agree) -> str:
    """Look for one of the arguments, or the time, that is added or multiplied once too often."""
    last = last_call()
    for name, value in last.named() if last else []:
        if isinstance(value, Tensor) and value.shape == got.shape and value.is_floating_point():
            for sign, word in ((1, "plus"), (-1, "minus")):
                if agree(got, wanted + sign * value):
                    return f"is what it should be, {word} `{name}`."
    told = times_of_rows(got.shape)
    if told is None:
        return ""
    name, times = told
    t = along(times, got) if times.ndim == 1 else times
    for made, what in (
        (wanted * t, f"multiplied by the time {name}"),
        (wanted * (1 - t), f"multiplied by 1 - {name}"),
        (wanted / t.clamp(min=1e-30), f"divided by the time {name}"),
        (wanted / (1 - t).clamp(min=1e-30), f"divided by 1 - {name}"),
    ):
        inside = _rows(t, got)
        if inside.any() and agree(got[inside], made[inside]):
            return f"is what it should be, {what}."
    return ""


def _rows(t: Tensor, like: Tensor) -> Tensor:
    """Say for each row whether its time is well between 0 and 1."""
    within = (t > 1e-3) & (t < 1 - 1e-3)
    return within.reshape(len(like), -1).all(dim=1)


def where_it_is_off(got: Tensor, wanted: Tensor, tolerance: float) -> str:
    """Show the worst entry, its place and its time; say so if the ends of time alone are off."""
    gap = (got - wanted).abs()
    worst = int(gap.argmax())
    where = _unraveled(worst, got.shape)
    place = f" at [{', '.join(map(str, where))}]" if got.ndim else ""
    yours, right = got.flatten()[worst].item(), wanted.flatten()[worst].item()
    told = times_of_rows(got.shape) if got.ndim else None
    ends = ""
    if told is not None:
        name, times = told
        time = times.flatten()[where[0] if times.ndim == 1 else worst].item()
        place += f", at the time {name} = {time:.3g}"
        ends = _only_at_an_end(gap, times, tolerance * max(1.0, wanted.abs().max().item()))
    return f"The largest difference{place}: yours is {yours:.6g}, it should be {right:.6g}.{ends}"


def _unraveled(flat: int, shape: Sequence[int]) -> list[int]:
    return [int(i) for i in torch.unravel_index(torch.tensor(flat, device="cpu"), tuple(shape))]


def _only_at_an_end(gap: Tensor, times: Tensor, allowed: float) -> str:
    """Say so if all that is wrong is near t = 0 or 1: a clamp, or a small constant, does that."""
    wrong = gap.reshape(*times.shape, -1).amax(dim=-1) > allowed
    if wrong.all() or not wrong.any():
        return ""
    off, fine = times[wrong], times[~wrong]
    said = " Is there a clamp, or a small constant, that is to keep away from that end?"
    if off.max() < fine.min():
        return f" Only times up to {off.max().item():.4g} are off, the others are right.{said}"
    if off.min() > fine.max():
        return f" Only times from {off.min().item():.4g} on are off, the others are right.{said}"
    return ""
