"""Calling an answer, whatever it does, and the three things that a checker can say of it."""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rfteach.exercises.verdict import Picture

BROADCAST = (
    "Times have shape (batch,). To multiply points of shape (batch, *event), give them trailing "
    "axes of length 1: `t.reshape(-1, *[1] * (x.ndim - 1))`."
)
WRONG_AXIS = f"The times run along the wrong axis, and nothing warns of it. {BROADCAST}"

Draw = Callable[[], Picture]


class Right(NamedTuple):
    """What a checker returns for a right answer: what it shows, and how to draw that."""

    message: str
    draw: Draw | None = None


class Wrong(Exception):
    """What a checker raises for a wrong answer: what is wrong, and how to draw that."""

    def __init__(self, message: str, draw: Draw | None = None):
        super().__init__(message)
        self.message, self.draw = message, draw


class NotAttempted(Exception):
    """The answer is still a stub."""


def call(answer: Any, *arguments: Any) -> Any:
    """Return `answer(*arguments)`; raise Wrong for what no function may do.

    Raises:
        NotAttempted: the answer raises NotImplementedError, as the stubs do.
        Wrong: the answer is no function of that many arguments, it raises, or it changes a tensor
            that it was given.
    """
    if answer is None or answer is Ellipsis:
        raise NotAttempted
    if not callable(answer):
        raise Wrong(
            f"The answer must be a function, but `check` was given a {type(answer).__name__}. "
            f"Pass the function itself, without calling it."
        )
    try:
        inspect.signature(answer).bind(*arguments)
    except TypeError as error:
        raise Wrong(
            f"The check calls your function with {len(arguments)} arguments, but it has the "
            f"signature `{inspect.signature(answer)}` ({error}). Keep that of the exercise."
        ) from error
    except ValueError:  # a function written in C tells no signature
        pass
    before = [x.clone() if isinstance(x, Tensor) else None for x in arguments]
    try:
        result = answer(*arguments)
    except NotImplementedError as error:
        raise NotAttempted(str(error)) from error
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(_describe(error)) from error
    for old, new in zip(before, arguments, strict=True):
        if old is not None and not torch.equal(old, new.detach()):
            raise Wrong(
                "Your function changes a tensor that it was given, in place. The caller still "
                "needs it: write `x = x + ...` instead of `x += ...`, or work on a clone."
            )
    return result


def _describe(error: Exception) -> str:
    """Say what an answer raised, and in which of its own lines."""
    place = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        outside = ("site-packages", "rfteach", "torch", "<string>", "<frozen")
        if not any(name in frame.filename for name in outside):
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            place = f", in the line `{line}`" if line else ""
            break
    message = f"Your answer raised {type(error).__name__}: {error}{place}."
    if "must match the size of tensor" in str(error):
        message += "\n" + BROADCAST
    return message
