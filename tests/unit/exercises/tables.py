"""Tables of right and wrong answers, and the tests that hold the checkers to them."""

import pytest

from rfteach.exercises.checking import check, exercises


def column(t, x):
    """Give times (batch,) as many axes as the points have."""
    return t.reshape(-1, *[1] * (x.ndim - 1))


def on_the_last_axis(t, x):
    """Leave the times as they are where that runs silently, as for 4 points of 4 coordinates."""
    return t if len(t) == x.shape[-1] else column(t, x)


class Table:
    """The answers to the exercises of one chapter that its checkers must tell apart."""

    def __init__(self, chapter: int):
        self.chapter = chapter
        self.accepted, self.rejected = [], []

    def right(self, number: str, *answers):
        """Add a right answer; with no answers given, the decorated function is one."""
        if not answers:
            return lambda function: self.right(number, function) or function
        self.accepted.append((number, answers))

    def wrong(self, number: str, hint: str, *answers):
        """Add a wrong answer and a part of the message that it must get; or decorate one."""
        if not answers:
            return lambda function: self.wrong(number, hint, function) or function
        self.rejected.append((number, hint, answers))

    def tests(self):
        """Return three tests: of the right answers, of the wrong ones, and of their number."""

        @pytest.mark.usefixtures("undrawn")
        @pytest.mark.parametrize(("number", "answers"), self.accepted)
        def test_right(number, answers):
            verdict = check(number, *answers, record=False)
            assert verdict.passed, verdict

        @pytest.mark.usefixtures("undrawn")
        @pytest.mark.parametrize(("number", "hint", "answers"), self.rejected)
        def test_wrong(number, hint, answers):
            verdict = check(number, *answers, record=False)
            assert verdict.attempted and not verdict.passed, verdict
            assert hint in verdict.message, verdict

        def test_there_are_enough():
            mine = {number for number in exercises() if number.startswith(f"{self.chapter}.")}
            right, wrong = ([each[0] for each in t] for t in (self.accepted, self.rejected))
            assert mine == set(right) == set(wrong)
            assert min(map(right.count, mine)) >= 2
            assert min(map(wrong.count, mine)) >= 5

        return test_right, test_wrong, test_there_are_enough
