import torch
from hypothesis import given, strategies as st

import rfteach as rf


@st.composite
def pairs(draw):
    """Draw (x0, x1, t) of any event shape and of either precision."""
    batch = draw(st.integers(1, 5))
    event = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    g = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    x0, x1 = torch.randn(2, batch, *event, dtype=dtype, generator=g)
    return x0, x1, torch.rand(batch, dtype=dtype, generator=g)


@given(pairs())
def test_each_row_has_its_own_time(pair):
    x0, x1, t = pair
    xt = rf.interpolate(x0, x1, t)
    assert xt.dtype == x0.dtype
    by_row = [(1 - s.item()) * a + s.item() * b for a, b, s in zip(x0, x1, t, strict=True)]
    torch.testing.assert_close(xt, torch.stack(by_row))


@given(pairs())
def test_the_ends_are_hit_exactly(pair):
    x0, x1, t = pair
    assert torch.equal(rf.interpolate(x0, x1, torch.zeros_like(t)), x0)
    assert torch.equal(rf.interpolate(x0, x1, torch.ones_like(t)), x1)


@given(pairs())
def test_half_way_is_the_mean(pair):
    x0, x1, t = pair
    torch.testing.assert_close(rf.interpolate(x0, x1, torch.full_like(t, 0.5)), (x0 + x1) / 2)


@given(pairs())
def test_the_target_is_the_slope_of_the_line(pair):
    x0, x1, t = pair
    early, late = (rf.interpolate(x0, x1, torch.full_like(t, s)) for s in (0.25, 0.75))
    torch.testing.assert_close(rf.velocity_target(x0, x1), (late - early) / 0.5)


def test_images_are_interpolated_row_by_row_not_pixel_by_pixel():
    """With batch = height = width a wrong broadcast over t would go unnoticed in the shape."""
    x0, x1 = torch.zeros(8, 1, 8, 8), torch.ones(8, 1, 8, 8)
    t = torch.arange(8) / 8
    assert torch.equal(rf.interpolate(x0, x1, t), t.reshape(8, 1, 1, 1).expand(8, 1, 8, 8))


def test_the_arguments_stay_as_they_were():
    x0, x1, t = torch.ones(2, 3), torch.full((2, 3), 2.0), torch.tensor([0.25, 0.75])
    rf.interpolate(x0, x1, t)
    assert (x0 == 1).all() and (x1 == 2).all() and t.shape == (2,)
