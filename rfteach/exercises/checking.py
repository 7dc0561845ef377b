"""`check`: find the checker of an exercise, run it within a time limit, and return a verdict."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import reprlib
from collections.abc import Callable
from dataclasses import replace
from types import FunctionType
from typing import Any, NamedTuple

from rfteach.exercises import chapters, record as records
from rfteach.exercises.limits import TimeLimitExceeded, run_within
from rfteach.exercises.tools.answers import (
    Draw,
    NotAttempted,
    Right,
    Wrong,
    described,
    forget,
)
from rfteach.exercises.verdict import Picture, Verdict

TIME_LIMIT = 60.0  # seconds for one check; the slowest takes about 5
KINDS = {
    "code": "code it",
    "predict": "predict, then run",
    "derive": "derive",
}


class Exercise(NamedTuple):
    """An exercise of the book: its number, title and kind, and the function that checks it."""

    number: str
    title: str
    kind: str
    examine: Callable[..., Right]

    @property
    def answers(self) -> list[str]:
        """The names of what the reader passes to `check`."""
        return list(inspect.signature(self.examine).parameters)


_REGISTRY: dict[str, Exercise] = {}


def exercise(number: str, title: str, kind: str) -> Callable[[Callable], Callable]:
    """Register the decorated function as the checker of an exercise, of a kind in KINDS.

    It takes what the reader passes to `check` after the number, returns `Right` for a right answer,
    and raises `Wrong` for any other.
    """

    def register(examine: Callable[..., Right]) -> Callable[..., Right]:
        _REGISTRY[number] = Exercise(number, title, KINDS[kind], examine)
        return examine

    return register


def exercises() -> dict[str, Exercise]:
    """Return all exercises of the book in order, by number."""
    for chapter in pkgutil.iter_modules(chapters.__path__):
        importlib.import_module(f"{chapters.__name__}.{chapter.name}")
    order = sorted(_REGISTRY, key=lambda number: [int(part) for part in number.split(".")])
    return {number: _REGISTRY[number] for number in order}


def check(number: str | float, *answers: Any, record: bool = True) -> Verdict:
    """Check an answer to an exercise of the book.

    Args:
        number: the number of the exercise, such as "3.2".
        *answers: what the exercise asks for: one or two functions, or a prediction.
        record: whether to keep the outcome for `progress()`.

    Returns:
        The verdict. Whatever an answer does, it is described there and not raised.

    Raises:
        ValueError: there is no exercise of this number.
    """
    known = exercises()
    if str(number) not in known:
        raise ValueError(f"there is no exercise {number!r}; the book has {', '.join(known)}")
    one = known[str(number)]
    verdict = _verdict(one, answers)
    if record and verdict.attempted:
        prediction = None
        if one.kind == KINDS["predict"] and answers:
            with contextlib.suppress(Exception):  # of an object that cannot be shown
                prediction = reprlib.repr(answers[0])
        try:
            records.keep(one.number, passed=verdict.passed, prediction=prediction)
        except (OSError, ValueError) as error:
            note = f"{verdict.message}\n(Your progress was not kept: {error}.)"
            return replace(verdict, message=note)
    return verdict


def progress() -> records.Progress:
    """Return all exercises of the book with how far the reader has come; show it in a notebook.

    Raises:
        ValueError: the file of the record is damaged or cannot be opened, or there is no place for
            it.
    """
    entries, file = records.read_record(), records.record_file()
    rows = [
        records.row_of(one.number, one.title, one.kind, entries.get(one.number))
        for one in exercises().values()
    ]
    return records.Progress(rows, file if file.exists() else None)


def _verdict(one: Exercise, answers: tuple) -> Verdict:
    names = [answer.__name__ for answer in answers if type(answer) is FunctionType]
    exchanged = names != one.answers and sorted(names) == sorted(one.answers)
    if len(answers) != len(one.answers) or exchanged:
        expected = ", ".join([f'"{one.number}"', *one.answers])
        return Verdict(one.number, True, False, f"Call it as `check({expected})`.")

    def examine() -> Right:
        try:
            return one.examine(*answers)
        finally:
            forget()

    try:
        right = run_within(TIME_LIMIT, examine)
    except NotAttempted as stub:
        return Verdict(one.number, False, False, str(stub))
    except Wrong as wrong:
        return Verdict(one.number, True, False, wrong.message, _drawn(wrong.draw))
    except TimeLimitExceeded:
        message = (
            f"Your answer did not finish within {TIME_LIMIT:g} seconds. Is there a loop that never "
            f"ends?"
        )
        if one.kind == KINDS["predict"]:  # a number loops nowhere: a slow machine, or a cold disk
            message = (
                f"The check took longer than {TIME_LIMIT:g} seconds, which says nothing of your "
                f"prediction. Run the cell again: the second time it is faster."
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too, or a result that breaks on being looked at
        message = f"Your answer could not be checked: it led to {described(error)}."
    else:
        return Verdict(one.number, True, True, right.message, _drawn(right.draw))
    return Verdict(one.number, True, False, message)


def _drawn(draw: Draw | None) -> Picture | None:
    """Draw the picture of a verdict; do without it where drawing fails, as the words say it, too.

    This is no part of the work with a time limit: some backends draw in the main thread only.
    """
    with contextlib.suppress(Exception):
        return draw() if draw else None
