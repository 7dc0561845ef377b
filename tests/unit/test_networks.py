import pytest
import torch
from hypothesis import given, strategies as st

import rfteach as rf


@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 5), st.integers(1, 7))
def test_a_velocity_for_each_point_whatever_the_size(dim, width, depth, batch):
    velocity = rf.VelocityMLP(dim, width=width, depth=depth)
    assert velocity(torch.randn(batch, dim), torch.rand(batch)).shape == (batch, dim)
    # `depth` hidden layers of `width` units each, the time as one more input
    sizes = [dim + 1, *[width] * depth, dim]
    weights = sum((a + 1) * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
    assert sum(p.numel() for p in velocity.parameters()) == weights


def test_rows_do_not_see_each_other(generator):
    torch.manual_seed(0)
    velocity = rf.VelocityMLP(2)
    x, t = torch.randn(8, 2, generator=generator), torch.rand(8, generator=generator)
    shuffled = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    torch.testing.assert_close(velocity(x[shuffled], t[shuffled]), velocity(x, t)[shuffled])
    changed = x.clone()
    changed[0] += 10
    torch.testing.assert_close(velocity(changed, t)[1:], velocity(x, t)[1:])


def test_position_and_time_both_matter(generator):
    torch.manual_seed(0)
    velocity = rf.VelocityMLP(2)
    x = torch.randn(8, 2, generator=generator)
    early, late = velocity(x, torch.zeros(8)), velocity(x, torch.ones(8))
    moved = velocity(x + 1, torch.zeros(8))
    for other in (late, moved):
        assert (other - early).norm(dim=1).min() > 1e-4


def test_the_time_is_the_last_input():
    """Weights shipped with the book depend on this order."""
    velocity = rf.VelocityMLP(3)
    seen = []
    velocity.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    velocity(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0.5]))
    assert seen[0].tolist() == [[1.0, 2.0, 3.0, 0.5]]


def test_gradients_reach_every_weight(generator):
    velocity = rf.VelocityMLP(2)
    velocity(torch.randn(8, 2, generator=generator), torch.rand(8)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in velocity.parameters())


def test_double_precision():
    velocity = rf.VelocityMLP(2).double()
    x = torch.zeros(3, 2, dtype=torch.float64)
    assert velocity(x, torch.zeros(3, dtype=torch.float64)).dtype == torch.float64


def test_labels_are_the_inputs_after_the_time():
    """The page that draws digits depends on this order."""
    velocity = rf.VelocityMLP(2, width=3, depth=1, classes=4)
    x, t, labels = torch.randn(5, 2), torch.rand(5), torch.tensor([0, 3, 1, 1, 2])
    rows = torch.cat([x, t[:, None], torch.eye(4)[labels]], dim=1)
    assert torch.equal(velocity(x, t, condition=labels), velocity.net(rows))


def test_labels_are_missed_refused_and_looked_at():
    x, t = torch.randn(2, 2), torch.rand(2)
    with pytest.raises(ValueError, match="labels from 0 to 3; bind"):
        rf.VelocityMLP(2, classes=4)(x, t)
    with pytest.raises(ValueError, match="no labels; make one"):
        rf.VelocityMLP(2)(x, t, condition=torch.zeros(2, dtype=torch.long))
    with pytest.raises(IndexError, match="4 is no label.*0 to 3"):
        rf.VelocityMLP(2, classes=4)(x, t, condition=torch.tensor([0, 4]))
