"""Distributions, couplings, networks, solvers and metrics with wrong settings."""

import sys

import numpy as np
import pytest
import torch

import rfteach as rf

NAN, INF = float("nan"), float("inf")
X = torch.zeros(4, 2)
SKEW = torch.eye(4).split(2)  # two pairs
MINIBATCH = rf.MinibatchOTCoupling(rf.Gaussian(2), rf.Moons(), group=4)
MEANS, STDS = torch.zeros(3, 2), torch.ones(3)


def still(x, t):
    return torch.zeros_like(x)


# --- distributions and couplings


@pytest.mark.parametrize("distribution", [rf.Circle, rf.Moons])
@pytest.mark.parametrize("bad", [-0.1, NAN, INF])
def test_noise(distribution, bad, says):
    with says(ValueError, f"noise = {bad}", "at least 0 and finite"):
        distribution(noise=bad)


@pytest.mark.parametrize("name", ["stds", "weights"])
@pytest.mark.parametrize("shape", [(2,), (3, 1), ()])
def test_mixture_shapes(name, shape, says):
    arguments = {"means": MEANS, "stds": STDS} | {name: torch.ones(shape)}
    with says(ValueError, name, str(shape), "3 means", "(3,)"):
        rf.GaussianMixture(**arguments)


@pytest.mark.parametrize("name", ["stds", "weights"])
@pytest.mark.parametrize("bad", [-1.0, NAN, INF])
def test_mixture_values(name, bad, says):
    arguments = {"means": MEANS, "stds": STDS} | {name: torch.tensor([1.0, bad, 1.0])}
    with says(ValueError, name, "finite and not negative", str(bad)):
        rf.GaussianMixture(**arguments)


@pytest.mark.parametrize("name", ["stds", "weights"])
def test_mixture_types_and_devices(name, says):
    arguments = {"means": MEANS, "stds": STDS}
    with says(TypeError, f"{name} must be a torch.Tensor, not list", "torch.as_tensor"):
        rf.GaussianMixture(**arguments | {name: [1.0, 1.0, 1.0]})
    with says(TypeError, f"{name} has dtype torch.int64", f"{name}.float()"):
        rf.GaussianMixture(**arguments | {name: torch.ones(3, dtype=torch.int64)})
    with says(ValueError, f"{name} is on meta", "means is on cpu"):
        rf.GaussianMixture(**arguments | {name: torch.ones(3, device="meta")})


def test_mixture_without_any_weight(says):
    with says(ValueError, "the sum of the weights is 0", "positive and finite"):
        rf.GaussianMixture(MEANS, STDS, torch.zeros(3))


def test_mixture_of_images(says):
    with says(ValueError, "(3, 2, 2)", "(k, dim)", "flatten(1)"):
        rf.GaussianMixture(torch.zeros(3, 2, 2), STDS)


@pytest.mark.parametrize("coupling", [rf.IndependentCoupling, rf.MinibatchOTCoupling])
def test_source_and_target_of_different_shapes(coupling, says):
    with says(ValueError, "source has points of shape (2,)", "target of shape (3,)", "one space"):
        coupling(rf.Gaussian(2), rf.Gaussian(3))


def test_a_tensor_where_a_distribution_belongs(says):
    for coupling in (rf.IndependentCoupling, rf.MinibatchOTCoupling):
        with says(TypeError, "the target is of type Tensor", "Empirical(points)"):
            coupling(rf.Gaussian(2), X)
        with says(TypeError, "the source is of type Tensor", "Empirical(points)"):
            coupling(X, rf.Gaussian(2))


@pytest.mark.parametrize(
    ("times", "text"),
    [
        *(
            (lambda bad=bad: rf.logit_normal_times(5, std=bad), f"std = {bad}")
            for bad in (0.0, -1.0, NAN, INF)
        ),
        (lambda: rf.logit_normal_times(5, mean=NAN), "mean = nan"),
        (lambda: rf.u_shaped_times(5, sharpness=INF), "sharpness = inf"),
        (lambda: rf.u_shaped_times(5, sharpness=1e4), "sharpness = 10000.0"),
        (lambda: rf.shift_times(torch.ones(2), INF), "shift = inf"),
        (lambda: rf.stratified_times(-1), "n = -1"),
        (lambda: rf.uniform_times(0), "n = 0"),
        (lambda: rf.time_pairs(0), "n = 0"),
        (lambda: rf.time_pairs(-1), "n = -1"),
        (lambda: rf.shift_times(torch.tensor([0.5, 5.0]), 3.0), "t = 5.0 lies outside [0, 1]"),
        (lambda: rf.mean_flow_loss(still, X, X, torch.zeros(4, 2), power=NAN), "power = nan"),
        (lambda: rf.steered(still, still, scale=NAN), "scale = nan"),
        (
            lambda: rf.feature_loss(still, X, X, torch.zeros(4), features=still, weight=-5),
            "weight = -5, but it must be at least 0",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_settings_of_times(times, text, says):
    with says(ValueError, text):
        times()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("noise", rf.Moons),
        ("noise", rf.Circle),
        ("noise", lambda bad: rf.Empirical(X, bad)),
        ("std", lambda bad: rf.logit_normal_times(5, std=bad)),
        ("mean", lambda bad: rf.logit_normal_times(5, mean=bad)),
        ("sharpness", lambda bad: rf.u_shaped_times(5, sharpness=bad)),
        ("scale", lambda bad: rf.mode_times(5, scale=bad)),
        ("equal", lambda bad: rf.time_pairs(5, equal=bad)),
        ("shift", lambda bad: rf.shift_times(torch.ones(2), bad)),
        ("rtol", lambda bad: rf.dopri5(still, X, rtol=bad)),
        ("atol", lambda bad: rf.dopri5(still, X, atol=bad)),
        ("drop", lambda bad: rf.CaptionCoupling(MINIBATCH, drop=bad)),
        ("t1", lambda bad: rf.jump(still, X, 0.0, bad)),
        ("power", lambda bad: rf.mean_flow_loss(still, X, X, torch.zeros(4, 2), power=bad)),
        ("scale", lambda bad: rf.steered(still, still, scale=bad)),
    ],
)
def test_a_text_where_a_number_belongs(name, function, says):
    for bad in ("0.1", True):
        with says(TypeError, f"{name} = {bad!r}, but it must be a number", "pass a float"):
            function(bad)


@pytest.mark.parametrize("bad", [0, np.random.default_rng(0)])
@pytest.mark.parametrize(
    "draw",
    [
        lambda bad: rf.Gaussian(2).sample(3, generator=bad),
        lambda bad: rf.PairedCoupling(X, X).sample(3, generator=bad),
        lambda bad: rf.uniform_times(3, generator=bad),
        lambda bad: rf.stratified_times(3, generator=bad),
        lambda bad: rf.logit_normal_times(3, generator=bad),
        lambda bad: rf.u_shaped_times(3, generator=bad),
        lambda bad: rf.mode_times(3, generator=bad),
        lambda bad: rf.zero_times(3, generator=bad),
        lambda bad: rf.time_pairs(3, generator=bad),
        lambda bad: rf.flow_edit(still, still, X, generator=bad),
        lambda bad: rf.log_density(
            lambda x, t: -x, rf.Gaussian(2), X, estimate="hutchinson", generator=bad
        ),
    ],
)
def test_what_is_no_generator(draw, bad, says):
    with says(TypeError, "generator must be a torch.Generator", "Generator().manual_seed(0)"):
        draw(bad)


def test_a_class_where_a_distribution_belongs(says):
    with says(TypeError, "the target is the class Moons", "Gaussian(2) or Moons()"):
        rf.IndependentCoupling(rf.Gaussian(2), rf.Moons)


def test_weights_whose_sum_is_beyond_their_precision(says):
    """Each of them became 0."""
    with says(ValueError, "the sum of the weights is inf", "finite"):
        rf.GaussianMixture(torch.zeros(4, 2), torch.ones(4), torch.full((4,), 1e38))


def test_what_is_no_mixture(says):
    with says(TypeError, "the mixture is of type Moons", "pass a GaussianMixture"):
        rf.mixture_velocity(rf.Moons())


def test_points_too_far_apart_to_be_matched(says):
    """Their cost was infinite, and the distance came out as 0."""
    x = torch.tensor([[1e160, 0.0], [0.0, 1e160]], dtype=torch.float64)
    with says(ValueError, "so far apart", "divide"):
        rf.wasserstein2(x, -x)


# --- velocities


@pytest.mark.parametrize(
    ("x", "t"), [((4, 3), (4,)), ((4,), (4,)), ((4, 2), (4, 1)), ((4, 2), ()), ((4, 2, 1), (4,))]
)
def test_what_a_network_takes(x, t, says):
    with says(ValueError, "x of shape (batch, 2)", f"got x {x} and t {t}"):
        rf.VelocityMLP(2)(torch.zeros(x), torch.zeros(t))


@pytest.mark.parametrize("shape", [(3,), (5, 2), (5, 1)])
def test_points_that_a_mixture_does_not_have(shape, says):
    """Points of shape (5, 1) would broadcast against means of shape (3, 2)."""
    x = torch.zeros(5, 3) if shape == (3,) else torch.zeros(5, 1, 2).reshape(5, *shape[1:], -1)
    with says(ValueError, str(tuple(x.shape)), "shape (2,)", "(batch, 2)"):
        rf.mixture_velocity(rf.EightGaussians())(x, torch.zeros(5))


WRONG_SHAPES = {
    "(4, 1)": lambda x, t: x[:, :1],  # would broadcast
    "(2,)": lambda x, t: x[0],  # would broadcast
    "(4, 2, 1)": lambda x, t: x[..., None],
}
USES_VELOCITY = {
    "euler": lambda v: rf.euler(v, X),
    "heun": lambda v: rf.heun(v, X),
    "rk4": lambda v: rf.rk4(v, X),
    "dopri5": lambda v: rf.dopri5(v, X),
    "flow_coupling": lambda v: rf.flow_coupling(v, rf.Gaussian(2), size=4, progress=False),
    "loss": lambda v: rf.velocity_matching_loss(v, X, X, torch.zeros(4)),
}
uses_velocity = pytest.mark.parametrize("name", USES_VELOCITY)


@uses_velocity
@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_a_velocity_of_a_wrong_shape(name, shape, says):
    with says(ValueError, f"returned shape {shape}", "(4, 2)", "one velocity per point"):
        USES_VELOCITY[name](WRONG_SHAPES[shape])


@uses_velocity
def test_a_velocity_that_returns_no_tensor(name, says):
    with says(TypeError, "the velocity returned NoneType", "torch.Tensor"):
        USES_VELOCITY[name](lambda x, t: None)


NETWORKS = {
    "MLP": (rf.VelocityMLP(2, classes=4), (3, 2)),
    "UNet": (rf.UNetVelocity(8, (32,), classes=4), (3, 1, 8, 8)),
}
networks = pytest.mark.parametrize("network", NETWORKS)
LABELS = torch.tensor([0, 1, 3])


@networks
@pytest.mark.parametrize("name", ["x", "t"])
def test_points_and_times_of_another_precision(network, name, says):
    velocity, shape = NETWORKS[network]
    inputs = {"x": torch.zeros(shape), "t": torch.zeros(3)}
    inputs[name] = inputs[name].double()
    with says(TypeError, f"{name} has dtype torch.float64", "torch.float32", f"{name}.float()"):
        velocity(**inputs, condition=LABELS)


def test_images_of_another_precision_for_a_transformer(says):
    velocity, tokens = rf.MMDiTVelocity(8, 4, 32, 1, 5), torch.zeros(2, 12).long()
    with says(TypeError, "x has dtype torch.float64", "x.float()"):
        velocity(torch.zeros(2, 1, 8, 8).double(), torch.zeros(2), tokens)
    with says(TypeError, "condition must be a torch.Tensor, not list", "dtype=torch.int64"):
        velocity(torch.zeros(2, 1, 8, 8), torch.zeros(2), tokens.tolist())


def test_points_of_another_precision_than_the_network(says):
    with says(TypeError, "x has dtype torch.float64", "x.float()", "the points of the coupling"):
        rf.train(rf.VelocityMLP(2), rf.PairedCoupling(X.double(), X.double()), progress=False)
    with says(TypeError, "x has dtype torch.float64"):
        rf.euler(rf.VelocityMLP(2), X.double())
    with says(TypeError, "x has dtype torch.float32", "x.double()"):
        rf.euler(rf.VelocityMLP(2).double(), X)


@networks
def test_autocast_chooses_the_precision(network):
    velocity, shape = NETWORKS[network]
    with torch.autocast("cpu", torch.bfloat16):
        for x in (torch.zeros(shape), torch.zeros(shape, dtype=torch.bfloat16)):
            assert velocity(x, torch.zeros(3), condition=LABELS).shape == shape


@networks
@pytest.mark.parametrize(
    ("labels", "error", "texts"),
    [
        (LABELS.float(), TypeError, ("torch.float32", "condition.long()")),
        (LABELS == 0, TypeError, ("torch.bool", "condition.long()")),
        (LABELS[:, None], ValueError, ("(3, 1)", "shape (3,)", "condition.flatten()")),
        (LABELS[:2], ValueError, ("(2,)", "3 points", "torch.full((3,), label)")),
        (LABELS[:1], ValueError, ("(1,)", "3 points")),
        (LABELS[0], ValueError, ("()", "3 points", "torch.full((3,), label)")),
        ([0, 1, 3], TypeError, ("not list", "torch.as_tensor(condition, dtype=torch.int64)")),
        (3, TypeError, ("not int", "torch.as_tensor")),
    ],
    ids=["float", "bool", "column", "too few", "one", "0-d", "list", "int"],
)
def test_labels_of_another_kind(network, labels, error, texts, says):
    velocity, shape = NETWORKS[network]
    with says(error, "condition", *texts):
        velocity(torch.zeros(shape), torch.zeros(3), condition=labels)


@networks
@pytest.mark.parametrize("kind", [torch.int32, torch.uint8])
def test_labels_of_any_integers(network, kind):
    velocity, shape = NETWORKS[network]
    x, t = torch.ones(shape), torch.zeros(3)
    assert torch.equal(velocity(x, t, condition=LABELS.to(kind)), velocity(x, t, condition=LABELS))


# --- solvers


SWAPPED = {
    "euler": lambda v: rf.euler(X, v),
    "dopri5": lambda v: rf.dopri5(X, v),
    "invert": lambda v: rf.invert(X, v),
}


@pytest.mark.parametrize("name", SWAPPED)
def test_a_velocity_or_a_distribution_where_points_belong(name, says):
    for velocity in (still, rf.VelocityMLP(2)):
        with says(TypeError, "must be a torch.Tensor, not", "check their order"):
            SWAPPED[name](velocity)
    with says(TypeError, "not Gaussian", ".sample(n) returns"):
        SWAPPED[name](rf.Gaussian(2))


@pytest.mark.parametrize("times", [[0.0, 0.5, 1.0], np.linspace(0, 1, 3)])
def test_times_of_the_steps_that_are_no_tensor(times, says):
    for solver in (rf.euler, rf.heun, rf.rk4, rf.invert):
        with says(TypeError, f"steps is of type {type(times).__name__}", "torch.tensor(steps)"):
            solver(still, X, steps=times)


@pytest.mark.parametrize("solver", [rf.euler, rf.heun, rf.rk4])
def test_what_to_keep(solver, says):
    with says(ValueError, "keep = 'all'", '"path"', '"end"'):
        solver(still, X, keep="all")


@pytest.mark.parametrize("name", ["rtol", "atol"])
@pytest.mark.parametrize("bad", [0.0, -1e-3, NAN, INF])
def test_tolerances(name, bad, says):
    with says(ValueError, f"{name} = {bad}", "above 0 and finite"):
        rf.dopri5(still, X, **{name: bad})


def test_a_velocity_that_explodes(says):
    with says(ArithmeticError, "the velocity is not finite", "rtol = 1e-05", "torch.float32"):
        rf.dopri5(lambda x, t: 1 / torch.zeros_like(x), X)


def test_a_tolerance_beyond_single_precision(says):
    """The solver would not fail but crawl, in steps that rounding errors choose."""
    with says(ValueError, "rtol = 1e-12", "torch.float32", "x0.double()"):
        rf.dopri5(still, X, rtol=1e-12)
    assert torch.equal(rf.dopri5(still, X.double(), rtol=1e-12).end, X.double())


# --- metrics


def test_straightness_of_what_always_looks_straight(says):
    with says(ValueError, "at least 2 steps", 'keep="path"', "more steps"):
        rf.straightness(rf.euler(still, X, steps=50, keep="end"))
    with says(ValueError, "1 kept", 'keep="path"', "more steps"):
        rf.straightness(rf.euler(still, X, steps=1))


def test_what_measures_do_not_take(says):
    with says(TypeError, "straightness takes a Trajectory, not Tensor", "not its states"):
        rf.straightness(rf.euler(still, X, steps=3).states)
    moments = rf.feature_moments(X)
    with says(TypeError, "b is of type Tensor", "pass feature_moments(b)"):
        rf.frechet_distance(moments, X)
    with says(ValueError, "batch_size = 0", "at least 1"):
        rf.features_of(torch.zeros(2, 1, 28, 28), rf.ImageClassifier(), batch_size=0)


def test_a_cost_that_is_not_one_number_a_row(says):
    with says(ValueError, "(4, 2)", "4 displacements", "(4,)"):
        rf.transport_cost(X, X, cost=lambda d: d.abs())


def test_energy_distance_needs_two_points(says):
    with says(ValueError, "2 points or more", "1 and 4"):
        rf.energy_distance(X[:1], X)


@pytest.mark.parametrize("pairs", [X[:1], X], ids=["one pair", "one pair, four times"])
def test_conditional_variance_needs_two_pairs(pairs, says):
    with says(ValueError, "2 different pairs or more", "got one"):
        rf.conditional_variance(pairs, pairs)


@pytest.mark.parametrize("shape", [(), (4,), (4, 2), (3, 4, 3), (1, 4, 2), (3, 4, 1, 2)])
def test_paths_that_cannot_be_drawn(shape, says):
    with says(ValueError, str(shape), "(times, n, 2)", "torch.stack([x0, x1])"):
        rf.path_crossings(torch.zeros(shape))


@pytest.mark.parametrize("bad", [NAN, INF])
def test_paths_with_holes(bad, says):
    states = torch.zeros(3, 4, 2)
    states[1, 2, 0] = bad
    with says(ValueError, "states holds NaN or infinity in 1 of 3 rows", "row 1"):
        rf.path_crossings(states)


def test_paths_that_are_no_real_numbers(says):
    with says(TypeError, "states has dtype torch.int64", "states.float()"):
        rf.path_crossings(torch.zeros(3, 4, 2, dtype=torch.int64))
    with says(TypeError, "states must be a torch.Tensor, not list", "torch.as_tensor"):
        rf.path_crossings([X, X])
    with says(ValueError, "states is empty (shape (3, 0, 2))"):
        rf.path_crossings(torch.zeros(3, 0, 2))


# --- libraries that are not there


@pytest.mark.parametrize(
    ("module", "package", "extra", "function"),
    [
        ("ot", "POT", "metrics", lambda: rf.wasserstein2(X, X)),
        ("ot", "POT", "metrics", lambda: rf.relative_transport_cost(X, X)),
        ("ot", "POT", "metrics", lambda: MINIBATCH.sample(3)),
        ("scipy.spatial", "scipy", "metrics", lambda: rf.conditional_variance(*SKEW)),
        ("torchdiffeq", "torchdiffeq", "solvers", lambda: rf.dopri5(still, X)),
    ],
)
def test_a_missing_library(module, package, extra, function, says, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # makes the import fail
    with says(ImportError, f"needs {package}", f'pip install "rfteach[{extra}]"'):
        function()
