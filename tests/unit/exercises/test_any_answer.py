"""Whatever an answer does, `check` returns a verdict."""

import math
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch

from rfteach import PairedCoupling
from rfteach.exercises import checking
from rfteach.exercises.checking import KINDS, check, exercises
from rfteach.exercises.limits import TimeLimitExceeded
from rfteach.exercises.tools.answers import last_call

FUNCTIONS = [one for one in exercises().values() if one.kind != KINDS["predict"]]
PREDICTIONS = [one for one in exercises().values() if one.kind == KINDS["predict"]]


def raises(*arguments):
    raise ZeroDivisionError("on purpose")


def leaves(*arguments):
    sys.exit(3)


def interrupts(*arguments):
    raise KeyboardInterrupt


def runs_forever(*arguments):
    while True:
        pass


def sleeps(*arguments):
    time.sleep(60)


def recurses(*arguments):
    return recurses(*arguments)


class Hostile:
    """A result that breaks whoever looks at it."""

    def __getattribute__(self, name):
        raise RuntimeError("do not look")


def like_the_points(arguments):
    """Find the points among the arguments of an answer."""
    return next((x for x in arguments if isinstance(x, torch.Tensor)), torch.zeros(3, 2))


RETURNS = {
    "None": lambda *arguments: None,
    "text": lambda *arguments: "0.5",
    "a list": lambda *arguments: [1.0, 2.0],
    "a dictionary": lambda *arguments: {},
    "hostile": lambda *arguments: Hostile(),
    "a class": lambda *arguments: int,
    "NaN": lambda *arguments: like_the_points(arguments) * float("nan"),
    "infinities": lambda *arguments: like_the_points(arguments) + float("inf"),
    "not a number": lambda *arguments: float("nan"),
    "a complex number": lambda *arguments: 1j,
    "another shape": lambda *arguments: like_the_points(arguments)[..., None],
    "one number": lambda *arguments: torch.tensor(0.1234),
    "integers": lambda *arguments: like_the_points(arguments).long(),
    "no points": lambda *arguments: like_the_points(arguments)[:0],
    "on another device": lambda *arguments: like_the_points(arguments).to("meta"),
    "the input": lambda *arguments: like_the_points(arguments),
    "a pair of None": lambda *arguments: (None, None),
    "a numpy array": lambda *arguments: like_the_points(arguments).detach().cpu().numpy(),
    "a flat tensor": lambda *arguments: like_the_points(arguments).flatten(),
    "flat NaN": lambda *arguments: like_the_points(arguments).flatten() * float("nan"),
    "one NaN": lambda *arguments: torch.tensor(float("nan")),
    "too many rows": lambda *arguments: like_the_points(arguments).repeat_interleave(2, dim=0),
    "a sparse tensor": lambda *arguments: like_the_points(arguments).to_sparse(),
}


def rejected(one, answer):
    verdict = check(one.number, *[answer] * len(one.answers), record=False)
    assert verdict.attempted and not verdict.passed, verdict
    # only what breaks on being looked at, or leaves, may surprise a checker
    odd = answer in (leaves, interrupts) or type(answer) is Hostile or answer is RETURNS["hostile"]
    assert odd or "could not be checked" not in verdict.message, verdict
    return verdict.message


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.number)
def test_a_stub_is_not_attempted(one):
    def stub(*arguments):
        raise NotImplementedError

    verdict = check(one.number, *[stub] * len(one.answers), record=False)
    assert not verdict.attempted and not verdict.passed
    assert repr(verdict) == f"Exercise {one.number}: not attempted yet"


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.number)
def test_a_senseless_result_gets_a_verdict(one):
    """One test an exercise for all kinds; 37 times 23 tests would spend their time on beginning."""
    failed = {}
    for kind, answer in RETURNS.items():
        try:
            rejected(one, answer)
        except Exception as error:  # an AssertionError, or what `check` raised
            failed[kind] = repr(error)
    assert failed == {}


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.number)
def test_an_answer_that_raises_gets_a_verdict(one):
    assert "ZeroDivisionError: on purpose" in rejected(one, raises)
    assert "SystemExit" in rejected(one, leaves)
    assert "RecursionError" in rejected(one, recurses)
    assert "KeyboardInterrupt" in rejected(one, interrupts)


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.number)
def test_an_answer_that_is_no_function_gets_a_verdict(one):
    assert "must be a function" in rejected(one, torch.zeros(3, 2))
    assert "must be a function" in rejected(one, "loss")
    assert "has the signature" in rejected(one, lambda: None)


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.number)
def test_an_answer_that_never_returns_gets_a_verdict(one, monkeypatch):
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.1)
    assert "did not finish" in rejected(one, runs_forever)


@pytest.mark.parametrize("number", ["6.1", "3.2"])  # of one function and of two
def test_an_answer_that_sleeps_gets_a_verdict(number, monkeypatch):
    """It cannot be stopped, which takes a second to see, whatever the exercise."""
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.1)
    assert "did not finish" in rejected(exercises()[number], sleeps)


def ended(before):
    """Wait a moment for threads that are about to end; say whether all but those before have."""
    for thread in set(threading.enumerate()) - before:
        thread.join(1.0)
    return set(threading.enumerate()) <= before


def test_an_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.2)
    before = set(threading.enumerate())
    check("6.1", runs_forever, record=False)
    assert ended(before)


def test_a_loop_that_catches_once_is_stopped_too(monkeypatch):
    def stubborn(velocity, z0):
        try:
            runs_forever()
        except BaseException:
            runs_forever()

    monkeypatch.setattr(checking, "TIME_LIMIT", 0.2)
    before = set(threading.enumerate())
    assert "did not finish" in check("6.1", stubborn, record=False).message
    assert ended(before)


def test_a_slow_machine_is_not_held_against_a_prediction(monkeypatch):
    def too_slow(seconds, work):
        raise TimeLimitExceeded

    monkeypatch.setattr(checking, "run_within", too_slow)
    assert "says nothing of your prediction" in check("12.4", 52, record=False).message
    assert "never ends" in check("12.1", range, record=False).message


class WithoutForward(torch.nn.Module):
    """A module whose forward, `_forward_unimplemented` of PyTorch, raises NotImplementedError."""


def test_only_the_readers_own_not_implemented_is_a_stub():
    def part():
        raise NotImplementedError("to do")

    def answer(velocity, z0):
        return part()

    assert not check("6.1", answer, record=False).attempted
    verdict = check("6.1", WithoutForward(), record=False)
    assert verdict.attempted and "NotImplementedError" in verdict.message


def test_pairs_of_another_shape_get_a_verdict():
    for shape in ((4,), (1, 2)):
        pairs = lambda velocity, noise, size, shape=shape: PairedCoupling(  # noqa: E731
            *torch.zeros(2, size, *shape)
        )
        assert "has shape" in check("5.1", pairs, record=False).message


@pytest.mark.parametrize("one", PREDICTIONS, ids=lambda one: one.number)
def test_no_prediction_is_not_attempted(one):
    assert not check(one.number, None, record=False).attempted
    assert not check(one.number, ..., record=False).attempted


SENSELESS = [
    "abc",
    "",
    float("nan"),
    float("inf"),
    -1e9,
    1e300,
    [],
    {},
    object(),
    True,
    lambda: 1,
    torch.zeros(3),
]


@pytest.mark.slow
@pytest.mark.parametrize("one", PREDICTIONS, ids=lambda one: one.number)
def test_a_senseless_prediction_gets_a_verdict(one):
    failed = {}
    for answer in SENSELESS:
        try:
            rejected(one, answer)
        except Exception as error:
            failed[repr(answer)] = repr(error)
    assert failed == {}


@pytest.mark.parametrize("one", PREDICTIONS, ids=lambda one: one.number)
def test_a_hostile_prediction_gets_a_verdict(one):
    rejected(one, Hostile())
    assert not check(one.number, Hostile()).passed  # and when it is recorded


@pytest.mark.parametrize("value", [np.float32(1.33), np.array([1.33]), Fraction(133, 100)])
def test_a_prediction_may_be_any_kind_of_number(value):
    assert check("1.2", value).passed


def test_the_message_names_the_line_that_raised():
    def answer(velocity, z0):
        half = z0 / 2
        return half + velocity(z0, nonsense)  # noqa: F821

    message = check("6.1", answer, record=False).message
    assert "NameError" in message and "return half + velocity(z0, nonsense)" in message


def test_times_without_axes_are_explained():
    message = check("2.4", lambda d, x, t: (d(x, t) - x) / (1 - t), record=False).message
    assert "RuntimeError" in message and "t.reshape(-1" in message


def test_the_call_is_shown_when_an_answer_is_missing():
    verdict = check("3.2", lambda w, x0, x1, s: None, record=False)
    assert 'check("3.2", reversed_loss, reversed_sampler)' in verdict.message


def test_answers_in_another_order_are_told_by_their_names():
    def reversed_loss(w, x0, x1, s): ...
    def reversed_sampler(w, x0, steps): ...

    verdict = check("3.2", reversed_sampler, reversed_loss, record=False)
    assert '`check("3.2", reversed_loss, reversed_sampler)`' in verdict.message


def test_nothing_is_remembered_after_a_check(monkeypatch):
    # else the thread of the check frees tensors while Python exits, which may bring Python down
    monkeypatch.setattr(checking, "run_within", lambda seconds, work: work())
    assert check("3.3", lambda delta, dim: dim * delta * math.atan(delta), record=False).passed
    assert last_call() is None


def test_an_unknown_number_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no exercise '9.9'.*1\.1, 1\.2"):
        check("9.9", None)


def test_numbers_may_come_as_numbers():
    assert check(6.1, lambda velocity, z0: z0, record=False).exercise == "6.1"


def test_a_check_leaves_the_random_numbers_of_the_reader_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check("5.2", lambda n: (torch.randn(n, 2), torch.randn(n, 2)), record=False)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_ctrl_c_stops_the_answer(run_python):
    program = """if True:
        import os, signal, threading, time
        from rfteach.exercises import check

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has none
        press = lambda: os.kill(os.getpid(), signal.SIGINT)

        def runs_forever(velocity, z0):
            threading.Timer(0.3, press).start()  # not before: what is imported may take it
            while True:
                pass

        try:
            check("6.1", runs_forever, record=False)
        except KeyboardInterrupt:
            time.sleep(0.5)
            print("threads:", threading.active_count())
    """
    done = run_python(program)
    assert done.stdout == "threads: 1\n", done.stderr


def one_step(velocity, z0):
    with torch.no_grad():
        return z0 + velocity(z0, torch.zeros(len(z0)))


def one_step_in_double_precision(velocity, z0):
    torch.set_default_dtype(torch.float64)
    return one_step(velocity, z0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_default_dtype_of_the_reader_neither_matters_nor_changes(dtype):
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        assert check("6.1", one_step, record=False).passed
        check("6.1", one_step_in_double_precision, record=False)
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(before)


def test_a_long_error_is_cut():
    def answer(velocity, z0):
        raise ValueError("many words " * 1000)

    assert len(check("6.1", answer, record=False).message) < 600


def test_an_answer_sees_the_default_device_of_the_reader():
    seen = []

    def answer(velocity, z0):
        seen.append(torch.zeros(1).device.type)
        return z0

    torch.set_default_device("meta")
    try:
        check("6.1", answer, record=False)
    finally:
        torch.set_default_device(None)
    assert seen == ["meta"]


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.number)
def test_gradients_may_be_off_in_the_notebook(one):
    """Sampling code often turns them off for good; the check is not moved by that."""
    with torch.no_grad():
        verdict = check(one.number, *[raises] * len(one.answers), record=False)
    assert "on purpose" in verdict.message
