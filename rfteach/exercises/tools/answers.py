"""Calling an answer, whatever it does, and the three things that a checker can say of it."""

from __future__ import annotations

import inspect
import linecache
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rfteach.exercises.verdict import Picture

BROADCAST = (
    "Times have shape (batch,). To multiply points of shape (batch, *event), give them trailing "
    "axes of length 1: `t.reshape(-1, *[1] * (x.ndim - 1))`."
)
DTYPE = (
    "Make new tensors from the points that go in, such as `x.new_full((len(x),), t)` or "
    "`torch.zeros_like(x)`, or convert with `.to(x.dtype)`."
)
WRONG_AXIS = f"The times run along the wrong axis, and nothing warns of it. {BROADCAST}"

Draw = Callable[[], Picture]

Mistake = tuple[Tensor, str]
"""The result of a likely mistake, and the hint that names it."""

# Code in these folders is not the reader's.
FOLDERS = [
    str(Path(__file__).parents[2]),
    str(Path(torch.__file__).parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
]


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
        Wrong: the answer is no function of that many arguments, it raises, it changes a tensor
            that it was given, or it leaves gradients switched off.
    """
    if answer is None or answer is Ellipsis:
        raise NotAttempted
    if not callable(answer):
        raise Wrong(
            f"The answer must be a function, but `check` was given an object of type "
            f"{type(answer).__name__}. Pass the function itself, without calling it."
        )
    try:
        inspect.signature(answer).bind(*arguments)
    except TypeError as error:
        raise Wrong(
            f"The check calls your function with {len(arguments)} argument"
            f"{'s' * (len(arguments) != 1)}, but it has the signature "
            f"`{inspect.signature(answer)}` ({error}). Keep that of the exercise."
        ) from error
    except ValueError:  # a function written in C tells no signature
        pass
    tensors = [x for x in arguments if isinstance(x, Tensor)]
    before = [x.clone() for x in tensors]
    try:
        result = answer(*arguments)
    except Wrong:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        if isinstance(error, NotImplementedError) and _is_readers(last):
            raise NotAttempted(str(error)) from error
        raise Wrong(_describe(error, tensors)) from error
    finally:
        left_off = not torch.is_grad_enabled()
        torch.set_grad_enabled(True)
    if left_off:
        raise Wrong(
            "Your function switches gradients off and leaves them off, so that no training works "
            "after it. Write `with torch.no_grad():` or `@torch.no_grad()`."
        )
    for old, new in zip(before, tensors, strict=True):
        if not torch.equal(old, new):
            raise Wrong(
                "Your function changes a tensor that it was given, in place. The caller still "
                "needs it: write `x = x + ...` instead of `x += ...`, or work on a clone."
            )
        if new.requires_grad:
            raise Wrong(
                "Your function switches on the gradients of a tensor that it was given, for the "
                "caller, too. Work on a copy: `x = x.detach().clone().requires_grad_()`."
            )
    return result


def described(error: BaseException) -> str:
    """Name an error, on one line, and not more of its text than one can read."""
    return f"{type(error).__name__}: {textwrap.shorten(str(error), 300, placeholder=' ...')}"


def _is_readers(frame: traceback.FrameSummary) -> bool:
    """Say whether a frame is of the reader's own code, and not of a library."""
    return not frame.filename.startswith(("<frozen", "<@", *FOLDERS))


def _describe(error: Exception, tensors: Sequence[Tensor]) -> str:
    """Say what an answer raised, in which of its own lines, and on which tensors."""
    place = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_readers(frame):
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            line = textwrap.shorten(line, 100, placeholder=" ...")
            place = f", in the line `{line}`" if line else ""
            break
    message = f"Your answer raised {described(error)}{place}."
    if tensors:
        shapes = ", ".join(f"{tuple(x.shape)}" for x in tensors)
        message += f"\nIt was given tensors of shape {shapes}."
    if "must match the size of tensor" in str(error):
        message += f"\nDo the times not fit? {BROADCAST}"
    if "dtype" in str(error):
        message += "\n" + DTYPE
    return message
