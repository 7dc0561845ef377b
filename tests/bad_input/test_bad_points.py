"""Points, times, counts: what most functions take."""

import numpy as np
import pytest
import torch

import rfteach as rf

NAN, INF = float("nan"), float("inf")
X, T = torch.zeros(4, 2), torch.full((4,), 0.5)
META = torch.zeros(4, 2, device="meta")


def still(x, t):
    return torch.zeros_like(x)


NOISE = rf.Gaussian(2)
VELOCITY_OF_MIXTURE = rf.mixture_velocity(rf.EightGaussians())

# Everything that takes points, as a function of those points alone.
TAKES_POINTS = {
    "interpolate, x0": lambda x: rf.interpolate(x, X, T),
    "interpolate, x1": lambda x: rf.interpolate(X, x, T),
    "velocity_target": lambda x: rf.velocity_target(x, X),
    "velocity_matching_loss": lambda x: rf.velocity_matching_loss(still, X, x, T),
    "Empirical": rf.Empirical,
    "PairedCoupling, x0": lambda x: rf.PairedCoupling(x, X),
    "PairedCoupling, x1": lambda x: rf.PairedCoupling(X, x),
    "GaussianMixture": lambda x: rf.GaussianMixture(x, torch.ones(4)),
    "mixture_velocity": lambda x: VELOCITY_OF_MIXTURE(x, T),
    "euler": lambda x: rf.euler(still, x),
    "heun": lambda x: rf.heun(still, x),
    "rk4": lambda x: rf.rk4(still, x),
    "dopri5": lambda x: rf.dopri5(still, x),
    "transport_cost": lambda x: rf.transport_cost(X, x),
    "relative_transport_cost": lambda x: rf.relative_transport_cost(x, X),
    "conditional_variance, x0": lambda x: rf.conditional_variance(x, X),
    "conditional_variance, x1": lambda x: rf.conditional_variance(X, x),
    "wasserstein2": lambda x: rf.wasserstein2(X, x),
    "energy_distance": lambda x: rf.energy_distance(x, X),
}
takes_points = pytest.mark.parametrize("name", TAKES_POINTS)
# Those that take data once, not in every step of training, look at each number.
TAKES_DATA = [name for name in TAKES_POINTS if name[:4] not in ("inte", "velo", "mixt")]


@takes_points
def test_integers(name, says):
    with says(TypeError, "torch.int64", ".float()"):
        TAKES_POINTS[name](torch.zeros(4, 2, dtype=torch.int64))


@takes_points
def test_an_array_of_another_library(name, says):
    with says(TypeError, "ndarray", "torch.as_tensor"):
        TAKES_POINTS[name](np.zeros((4, 2)))


@takes_points
def test_numbers_without_a_batch_dimension(name, says):
    with says(ValueError, "(4,)", ".reshape(-1, 1)"):
        TAKES_POINTS[name](torch.zeros(4))


@takes_points
def test_nothing_at_all(name, says):
    with says(ValueError, "empty (shape (0, 2))", "at least one point"):
        TAKES_POINTS[name](torch.zeros(0, 2))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("name", TAKES_DATA)
def test_data_that_is_not_finite(name, bad, says):
    data = torch.zeros(4, 2)
    data[2, 1] = bad
    with says(ValueError, "NaN or infinity in 1 of 4 rows", "row 2", "drop those rows"):
        TAKES_POINTS[name](data)


# --- two tensors that do not fit together

TAKES_PAIRS = {
    "interpolate": lambda a, b: rf.interpolate(a, b, T),
    "velocity_target": rf.velocity_target,
    "velocity_matching_loss": lambda a, b: rf.velocity_matching_loss(still, a, b, T),
    "PairedCoupling": rf.PairedCoupling,
    "transport_cost": rf.transport_cost,
    "relative_transport_cost": rf.relative_transport_cost,
    "conditional_variance": rf.conditional_variance,
}
takes_pairs = pytest.mark.parametrize("name", TAKES_PAIRS)
TAKES_SAMPLES = {"wasserstein2": rf.wasserstein2, "energy_distance": rf.energy_distance}
takes_samples = pytest.mark.parametrize("name", TAKES_SAMPLES)


@takes_pairs
@pytest.mark.parametrize("shape", [(4, 3), (3, 2), (4, 1), (1, 2), (4, 2, 1)])
def test_pairs_of_different_shapes(name, shape, says):
    """Shapes (4, 1) and (1, 2) would broadcast without a word."""
    with says(ValueError, "(4, 2)", str(shape), "one row of each"):
        TAKES_PAIRS[name](X, torch.zeros(shape))


@takes_pairs
def test_pairs_on_two_devices(name, says):
    with says(ValueError, "x0 is on cpu", "x1 is on meta", ".to('meta')"):
        TAKES_PAIRS[name](X, META)


@takes_pairs
def test_pairs_of_different_precision(name, says):
    """NumPy's data is double by default; the network would say only that two dtypes differ."""
    with says(TypeError, "float32", "float64", ".to(torch.float32)"):
        TAKES_PAIRS[name](X, X.double())


@takes_samples
@pytest.mark.parametrize("shape", [(5, 3), (5, 1), (5, 1, 2)])
def test_samples_of_different_spaces(name, shape, says):
    with says(ValueError, "(2,)", str(shape[1:]).replace("(3)", "(3,)"), "one space"):
        TAKES_SAMPLES[name](X, torch.zeros(shape))


@takes_samples
def test_samples_on_two_devices(name, says):
    with says(ValueError, "a is on cpu", "b is on meta", ".to('meta')"):
        TAKES_SAMPLES[name](X, META)


# --- times

TAKES_TIMES = {
    "interpolate": lambda t: rf.interpolate(X, X, t),
    "velocity_matching_loss": lambda t: rf.velocity_matching_loss(still, X, X, t),
    "mixture_velocity": lambda t: VELOCITY_OF_MIXTURE(X, t),
}
takes_times = pytest.mark.parametrize("name", TAKES_TIMES)


@takes_times
@pytest.mark.parametrize("bad", [-0.25, 1.5, NAN, INF, -INF])
def test_a_time_outside_the_unit_interval(name, bad, says):
    t = T.clone()
    t[1] = bad
    with says(ValueError, f"t = {bad} ", "[0, 1]", "t = 0 is the source"):
        TAKES_TIMES[name](t)


@takes_times
def test_a_time_just_outside_is_not_rounded_in_the_message(name, says):
    """Not "t = 1 lies outside [0, 1]"."""
    with says(ValueError, "t = 1.00000011"):
        TAKES_TIMES[name](torch.nextafter(torch.ones(4), torch.tensor(2.0)))


@takes_times
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 1), (4, 2)])
def test_times_of_a_wrong_shape(name, shape, says):
    """One time (1,) would broadcast, and (4, 1) against (4,) would give (4, 4)."""
    with says(ValueError, f"shape {shape}", "needs shape (4,)", "one time per point"):
        TAKES_TIMES[name](torch.full(shape, 0.5))


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((4, 1), "t.flatten()"),
        ((4, 2), "rf.time_pairs goes with loss=rf.mean_flow_loss"),
        ((3,), "torch.full((4,), time)"),
    ],
)
@takes_times
def test_the_way_out_of_times_of_a_wrong_shape(name, shape, text, says):
    with says(ValueError, text):
        TAKES_TIMES[name](torch.full(shape, 0.5))


@takes_times
@pytest.mark.parametrize("bad", [0.5, torch.zeros(4, dtype=torch.int64)])
def test_times_that_are_no_real_numbers(name, bad, says):
    with says(TypeError, "float" if isinstance(bad, float) else "int64", "torch.full("):
        TAKES_TIMES[name](bad)


@takes_times
def test_times_on_another_device(name, says):
    with says(ValueError, "t is on meta", "x is on cpu", ".to('cpu')"):
        TAKES_TIMES[name](T.to("meta"))


# --- counts

TAKES_COUNT = {
    "n of a distribution": ("n", rf.Circle().sample),
    "n of a mixture": ("n", rf.EightGaussians().sample),
    "n of pairs": ("n", rf.PairedCoupling(X, X).sample),
    "n of an independent coupling": (
        "n",
        rf.IndependentCoupling(rf.Moons(), rf.Moons()).sample,
    ),
    "n of a minibatch coupling": (
        "n",
        rf.MinibatchOTCoupling(rf.Moons(), rf.Moons()).sample,
    ),
    "group": ("group", lambda n: rf.MinibatchOTCoupling(rf.Moons(), rf.Moons(), group=n)),
    "times": ("times", lambda n: rf.conditional_variance(X, X, times=n)),
    "dim of a Gaussian": ("dim", rf.Gaussian),
    "dim of a network": ("dim", rf.VelocityMLP),
    "width": ("width", lambda n: rf.VelocityMLP(2, width=n)),
    "depth": ("depth", lambda n: rf.VelocityMLP(2, depth=n)),
    "steps of euler": ("steps", lambda n: rf.euler(still, X, steps=n)),
    "steps of heun": ("steps", lambda n: rf.heun(still, X, steps=n)),
    "steps of rk4": ("steps", lambda n: rf.rk4(still, X, steps=n)),
    "size of pairs": ("size", lambda n: rf.flow_coupling(still, NOISE, size=n)),
    "steps of pairs": ("steps", lambda n: rf.flow_coupling(still, NOISE, size=1, steps=n)),
    "batch_size of pairs": (
        "batch_size",
        lambda n: rf.flow_coupling(still, NOISE, size=1, batch_size=n),
    ),
    "n of times": ("n", rf.uniform_times),
    "n of pairs of times": ("n", rf.time_pairs),
    "rounds": ("rounds", lambda n: rf.reflow(rf.VelocityMLP(2), NOISE, rounds=n)),
    "size of a round": ("size", lambda n: rf.reflow(rf.VelocityMLP(2), NOISE, size=n)),
}


@pytest.mark.parametrize("case", TAKES_COUNT)
def test_a_count_below_one(case, says):
    name, function = TAKES_COUNT[case]
    for bad in (0, -3):
        with says(ValueError, f"{name} = {bad}", "at least 1"):
            function(bad)


@pytest.mark.parametrize("case", TAKES_COUNT)
@pytest.mark.parametrize("bad", [2.5, 10.0, "10", True, None])
def test_a_count_that_is_no_integer(case, bad, says):
    name, function = TAKES_COUNT[case]
    with says(TypeError, f"{name} must be an integer", repr(bad), "pass an int"):
        function(bad)


def test_an_estimate_of_another_kind(says):
    with says(ValueError, "estimate = 'fast'", '"exact" or "hutchinson"'):
        rf.log_density(VELOCITY_OF_MIXTURE, NOISE, X, estimate="fast")
