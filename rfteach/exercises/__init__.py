"""Exercises that check themselves.

In a chapter::

    from rfteach.exercises import check, progress

    check("3.1", my_loss)  # a Verdict: passed or not, and if not, why
    progress()  # what you have passed so far

Each chapter has a module of checkers here, and each exercise one function in it.
"""

from rfteach.exercises.checking import check, progress
from rfteach.exercises.verdict import Verdict

__all__ = ["Verdict", "check", "progress"]
