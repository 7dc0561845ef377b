import math

import pytest
import torch

import rfteach as rf

BLOBS = rf.EightGaussians()
FIELD = rf.mixture_velocity(BLOBS)


def decay(x, t):
    return -3 * x


def shift(x, t):
    return torch.ones_like(x)


def test_backward_a_linear_flow_grows_as_it_fell():
    x = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    path = rf.invert(decay, x, steps=200, solver=rf.rk4)
    torch.testing.assert_close(path.start, math.exp(3) * x, rtol=1e-7, atol=0)
    assert torch.equal(path.end, x)
    assert path.times[0] == 0 and path.times[-1] == 1 and path.evaluations == 800


def test_times_of_the_steps_may_be_given():
    seen = []

    def clock(x, t):
        seen.append(t[0].item())
        return torch.zeros_like(x)

    grid = torch.tensor([0, 0.25, 1], dtype=torch.float64)
    path = rf.invert(clock, torch.ones(1, 2).double(), steps=grid, solver=rf.euler)
    assert seen == [1, 0.25]
    assert torch.equal(path.times, grid)


def test_euler_is_undone_to_rounding(generator):
    x = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    end = rf.euler(FIELD, x, steps=100).end
    path = rf.invert_euler(FIELD, end, steps=100)
    again = rf.euler(FIELD, path.start, steps=100)
    torch.testing.assert_close(again.end, end, rtol=0, atol=1e-12)
    torch.testing.assert_close(again.states, path.states, rtol=0, atol=1e-12)
    rough = rf.invert(FIELD, end, steps=100, solver=rf.euler).start
    assert (rf.euler(FIELD, rough, steps=100).end - end).norm(dim=1).max() > 1e-4


def test_backward_a_velocity_may_work_in_place():
    x1 = torch.ones(3, 2)
    path = rf.invert_euler(lambda x, t: x.mul_(-0.5), x1, steps=4)
    assert torch.equal(x1, torch.ones(3, 2))
    assert torch.equal(path.states, rf.invert_euler(lambda x, t: -0.5 * x, x1, steps=4).states)


def test_each_sweep_shrinks_the_error_by_the_same_factor():
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    start = rf.invert_euler(decay, x, steps=6).start  # h L = 1/2
    torch.testing.assert_close(start, x * 2**6, rtol=1e-13, atol=0)  # undoes x / 2 six times
    few = rf.invert_euler(decay, x, steps=30).evaluations / 30  # h L = 1/10: a digit a sweep
    assert 14 < few < 20


def test_the_roundings_of_a_velocity_are_no_failure():
    calls = []

    def shaky(x, t):  # off by 5e-15, up and down in turn, as a sum of large numbers may be
        calls.append(1)
        return -x + (-1) ** len(calls) * 5e-15

    x = torch.ones(1, 2, dtype=torch.float64)
    start = rf.invert_euler(shaky, x, steps=4).start
    torch.testing.assert_close(start, x / 0.75**4, rtol=0, atol=1e-13)
    assert len(calls) < 4 * 40
    with pytest.raises(ArithmeticError):
        rf.invert_euler(shaky, x, steps=4, tolerance=1e-16)


def test_steps_that_are_too_long_are_said():
    with pytest.raises(ArithmeticError, match="take more than 2 steps"):
        rf.invert_euler(decay, torch.ones(1, 2), steps=2)  # h L = 1.5


def test_the_pull_leaves_a_power_of_the_time_left(generator):
    x, end = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    still = rf.pulled(lambda x, t: torch.zeros_like(x), end, strength=0.5)
    got = rf.rk4(still, x, steps=400).states[300]
    torch.testing.assert_close(got - end, 0.25**0.5 * (x - end), rtol=1e-6, atol=1e-9)


def test_full_strength_ends_at_the_end(generator):
    x, end = (torch.randn(4, 1, 3, 3, generator=generator) for _ in range(2))
    got = rf.euler(rf.pulled(shift, end, strength=1.0), x, steps=7).end
    torch.testing.assert_close(got, end, rtol=0, atol=1e-5)
    plain = rf.euler(rf.pulled(shift, end, strength=0.0), x, steps=7).end
    torch.testing.assert_close(plain, x + 1, rtol=0, atol=1e-5)
    assert torch.isfinite(rf.heun(rf.pulled(shift, end, strength=0.5), x, steps=7).end).all()


def test_equal_captions_change_nothing(generator):
    x = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(rf.flow_edit(FIELD, FIELD, x, start=0), x, rtol=0, atol=1e-12)


def test_flow_edit_moves_a_bell_onto_another(generator):
    def bell(center):
        return rf.mixture_velocity(rf.GaussianMixture(torch.tensor([center]), torch.tensor([0.5])))

    x = torch.tensor([[0.0, 1.0]]) + 0.5 * torch.randn(50, 2, generator=generator)
    got = rf.flow_edit(
        bell([0.0, 1.0]), bell([3.0, -1.0]), x, steps=20, start=0, generator=generator
    )
    # the velocities are linear with one slope: all move by the way between the centers
    torch.testing.assert_close(got, x + torch.tensor([3.0, -2.0]), rtol=0, atol=1e-4)
    late = rf.flow_edit(bell([0.0, 1.0]), bell([3.0, -1.0]), x, start=1.0)
    assert torch.equal(late, x)


@pytest.mark.parametrize("bad", [{"strength": 2.0}, {"strength": 0.5, "until": -1.0}])
def test_a_pull_out_of_range_is_said(bad):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        rf.pulled(shift, torch.zeros(1, 2), **bad)


def test_a_start_out_of_range_is_said():
    with pytest.raises(ValueError, match="start = 20"):
        rf.flow_edit(shift, shift, torch.zeros(1, 2), start=20)
