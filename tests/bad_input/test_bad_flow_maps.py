"""Times, shapes and shares that flow maps refuse."""

import pytest
import torch

import rfteach as rf

X = torch.zeros(3, 2)
NET = rf.VelocityMLP(2, jumps=True)


def test_one_time_for_each_pair_is_not_enough():
    with pytest.raises(ValueError, match=r"t has shape \(3,\).*time_sampler=rf.time_pairs"):
        rf.mean_flow_loss(NET, X, X, torch.zeros(3))


@pytest.mark.parametrize("late", [1.5, float("nan")])
def test_ends_outside_of_the_flow_are_named(late):
    times = torch.tensor([[0.0, 1.0], [0.5, late], [0.0, 0.0]])
    with pytest.raises(ValueError, match="lies outside"):
        rf.mean_flow_loss(NET, X, X, times)
    with pytest.raises(ValueError, match=f"t1 = {late}, but it must be at least 0 and at most 1"):
        rf.jump(NET, X, 0.0, late)


def test_a_network_that_is_not_told_the_end_says_so():
    with pytest.raises(ValueError, match="jumps=True"):
        rf.mean_flow_loss(rf.VelocityMLP(2), X, X, torch.rand(3, 2).sort(dim=1).values)


def test_shapes_of_the_network_that_jumps():
    with pytest.raises(ValueError, match=r"t \(3,\) and r \(2,\)"):
        NET(X, torch.zeros(3), torch.zeros(2))
