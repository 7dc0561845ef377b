"""Counts, times, shapes and points that inversion and editing refuse."""

import pytest
import torch

import rfteach as rf

X = torch.zeros(3, 2)


def still(x, t):
    return torch.zeros_like(x)


def too_wide(x, t):
    return torch.zeros(len(x), 5)


@pytest.mark.parametrize("name", ["steps", "sweeps"])
@pytest.mark.parametrize("count", [0, -1])
def test_no_steps_or_sweeps_to_undo(says, name, count):
    with says(ValueError, name, str(count)):
        rf.invert_euler(still, X, **{name: count})


@pytest.mark.parametrize("steps", [None, 1.5, "four", [0, 1]])
def test_steps_that_are_no_number_of_steps(says, steps):
    with says(TypeError, "steps"):
        rf.invert(still, X, steps=steps)


@pytest.mark.parametrize("undo", [rf.invert, rf.invert_euler])
def test_points_that_are_not_numbers(says, undo):
    with says(ValueError, "x1", "NaN"):
        undo(still, torch.full((3, 2), float("nan")), steps=4)
    with says(TypeError, "int64"):
        undo(still, torch.zeros(3, 2, dtype=torch.long), steps=4)


@pytest.mark.parametrize("undo", [rf.invert, rf.invert_euler])
def test_a_velocity_of_another_shape_is_not_undone(says, undo):
    with says(ValueError, "(3, 5)", "(3, 2)"):
        undo(too_wide, X, steps=4)


def test_a_step_that_runs_away_names_its_time_and_the_way_out(says):
    with says(ArithmeticError, "from t = 0.5", "more than 2 steps"):
        rf.invert_euler(lambda x, t: 1e30 * (1 + x) ** 3, X + 1, steps=2)


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_pull_that_is_too_strong(says, strength):
    with says(ValueError, f"strength = {strength}", "[0, 1]"):
        rf.pulled(still, X, strength=strength)


def test_a_pull_to_an_end_of_another_shape(says):
    pulled = rf.pulled(still, torch.zeros(4, 2), strength=0.5)
    with says(ValueError, "(4, 2)", "(3, 2)"):
        pulled(X, torch.zeros(3))


@pytest.mark.parametrize("start", [-0.1, 2, float("nan")])
def test_an_edit_that_starts_outside_of_the_flow(says, start):
    with says(ValueError, f"start = {start}", "[0, 1]"):
        rf.flow_edit(still, still, X, start=start)


@pytest.mark.parametrize("name", ["steps", "average"])
def test_an_edit_without_steps_or_draws(says, name):
    with says(ValueError, name, "0"):
        rf.flow_edit(still, still, X, **{name: 0})


def test_an_edit_whose_velocity_has_another_shape(says):
    for pair in ((still, too_wide), (too_wide, still)):
        with says(ValueError, "(3, 5)", "(3, 2)"):
            rf.flow_edit(*pair, X, steps=4)


def test_a_velocity_of_another_shape_is_not_broadcast(says):
    x, t = X, torch.full((3,), 0.5)

    def too_narrow(x, t, condition=None):
        return x[:, :1]

    rows = torch.zeros(3, 1)
    for made in (
        rf.pulled(too_narrow, X, strength=0.5),
        rf.score(too_narrow),
        rf.guided(too_narrow, rows, rows, scale=2.0),
    ):
        with says(ValueError, "(3, 1)", "(3, 2)"):
            made(x, t)
