"""Calling an answer, whatever it does, and the three things that a checker can say of it."""

from __future__ import annotations

import inspect
import linecache
import sysconfig
import textwrap
import threading
import time
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


class Called(NamedTuple):
    """A call of an answer that returned: for a second look at it, on other arguments."""

    answer: Callable
    arguments: tuple[Any, ...]
    result: Any
    seconds: float

    def named(self) -> list[tuple[str, Any]]:
        """Return the arguments, each with the name that it has in the answer."""
        return list(zip(_names(self.answer, self.arguments), self.arguments, strict=True))


_memory = threading.local()  # each check runs in a thread of its own


def last_call() -> Called | None:
    """Return the last call of this check that returned."""
    return getattr(_memory, "last", None)


def forget() -> None:
    """Let go of the last call: a thread that frees tensors while Python exits brings it down."""
    _memory.last = None


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
    _memory.last, start = None, time.monotonic()
    try:
        result = answer(*arguments)
    except Wrong:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        if isinstance(error, NotImplementedError) and _is_readers(last):
            raise NotAttempted(str(error)) from error
        raise Wrong(_describe(error, answer, arguments)) from error
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
    _memory.last = Called(answer, arguments, result, time.monotonic() - start)
    return result


def _names(answer: Any, arguments: Sequence[Any]) -> list[str]:
    """Return the names that an answer gives to the arguments it is called with."""
    try:
        bound = inspect.signature(answer).bind(*arguments).arguments
    except (TypeError, ValueError):  # a function written in C tells no signature
        bound = {}
    if len(bound) == len(arguments):
        return list(bound)
    return [f"argument {i + 1}" for i in range(len(arguments))]


def described(error: BaseException) -> str:
    """Name an error, on one line, and not more of its text than one can read."""
    return f"{type(error).__name__}: {textwrap.shorten(str(error), 300, placeholder=' ...')}"


def _is_readers(frame: traceback.FrameSummary) -> bool:
    """Say whether a frame is of the reader's own code, and not of a library."""
    return not frame.filename.startswith(("<frozen", "<@", *FOLDERS))


def _describe(error: Exception, answer: Any, arguments: Sequence[Any]) -> str:
    """Say what an answer raised, in which of its own lines, and on which arguments."""
    place = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_readers(frame):
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            line = textwrap.shorten(line, 100, placeholder=" ...")
            place = f", in the line `{line}`" if line else ""
            break
    message = f"Your answer raised {described(error)}{place}."
    tensors = [x for x in arguments if isinstance(x, Tensor)]
    if tensors:
        shapes = ", ".join(f"{tuple(x.shape)}" for x in tensors)
        message += f"\nIt was given tensors of shape {shapes}."
    named = zip(_names(answer, arguments), arguments, strict=True)
    values = [f"{name} = {x!r}" for name, x in named if _is_plain(x)]
    if values:
        message += f"\nIt was given {', '.join(values)}."
    if "must match the size of tensor" in str(error):
        message += "\n" + _of_shapes(arguments, tensors)
    if "dtype" in str(error):
        message += "\n" + DTYPE
    if "not have been used in the graph" in str(error):
        message += (
            "\nWas it called with another tensor than the one you differentiate by, such as a "
            "copy? If not, it does not depend on it: the derivative is 0. Then pass "
            "`allow_unused=True, materialize_grads=True`, or take `torch.func.jvp`."
        )
    if "does not require grad" in str(error):
        message += (
            "\nAutograd follows only what was asked for: compute with a copy of the points, "
            "`x.detach().clone().requires_grad_()`."
        )
    return message


def _is_plain(value: Any) -> bool:
    """Say whether a value is a number, or a few of them."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_shapes(arguments: Sequence[Any], tensors: Sequence[Tensor]) -> str:
    """Say what may be behind two shapes that do not fit each other."""
    flat = any(x.ndim == 1 and x.is_floating_point() for x in tensors)
    if flat or any(callable(x) for x in arguments):  # given times, or a velocity that wants some
        axis = "" if flat else " Or was a row taken along another axis than the first?"
        return f"Do the times not fit? {BROADCAST}{axis}"
    hints = []
    if any(x.ndim > 2 for x in tensors):
        hints.append("As rows of numbers, points of shape (batch, *event) are `x.flatten(1)`.")
    numbers = [len(x) for x in tensors if x.ndim]
    if len(set(numbers)) > 1:
        hints.append(
            f"The numbers of rows differ: {', '.join(map(str, numbers))}. So row i of one has no "
            f"partner in another, and what belongs to all rows must be one number."
        )
    return " ".join(hints) or "Which axes should go together?"
