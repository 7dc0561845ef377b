import math

import pytest
import torch

import rfteach as rf

NOISE = rf.Gaussian(2)
MIXTURE = rf.GaussianMixture(
    torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.0, -1.5]], dtype=torch.float64),
    torch.tensor([0.7, 0.5, 0.6], dtype=torch.float64),
    torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64),
)
FIELD = rf.mixture_velocity(MIXTURE)


@pytest.fixture
def points(generator):
    return MIXTURE.sample(40, generator=generator)


def linear(matrix):
    """A velocity A x for points of any shape, the same at all times."""

    def velocity(x, t):
        return (x.flatten(1) @ matrix.to(x).T).reshape(x.shape)

    return velocity


# The densities of the ends


def test_the_density_of_noise_is_torchs(generator):
    x = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64)
    right = torch.distributions.Normal(0, 1).log_prob(x).flatten(1).sum(dim=1)
    torch.testing.assert_close(rf.Gaussian(3, 2).log_density(x), right)


def test_the_density_of_a_mixture_is_torchs(points):
    normal = torch.distributions.Normal(MIXTURE.means, MIXTURE.stds[:, None])
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(MIXTURE.weights),
        torch.distributions.Independent(normal, 1),
    )
    torch.testing.assert_close(MIXTURE.log_density(points), mixture.log_prob(points))


def test_without_width_there_is_no_density():
    with pytest.raises(ValueError, match="std 0"):
        rf.GaussianMixture(torch.zeros(2, 2), torch.tensor([1.0, 0.0])).log_density(
            torch.zeros(1, 2)
        )


@pytest.mark.parametrize("law", [NOISE, MIXTURE])
def test_points_of_another_shape_have_no_density(law):
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        law.log_density(torch.zeros(4, 3))


# The density of a flow


def test_a_stretching_flow_divides_the_density(generator):
    """v = A x takes N(0, I) to N(0, exp(A) exp(A)^T): the solver's error is 1e-8 at most."""
    matrix = torch.tensor([[0.4, -0.9, 0.1], [0.6, 0.2, 0.0], [0.3, 0.0, -0.5]])
    whole = torch.linalg.matrix_exp(matrix.double())
    x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    right = torch.distributions.MultivariateNormal(
        torch.zeros(3, dtype=torch.float64), whole @ whole.T
    ).log_prob(x)
    got = rf.log_density(linear(matrix), rf.Gaussian(3), x, steps=50)
    torch.testing.assert_close(got, right, rtol=0, atol=1e-8)


def test_images_are_points_too(generator):
    matrix = torch.randn(12, 12, generator=generator) / 4
    x = torch.randn(6, 1, 3, 4, generator=generator, dtype=torch.float64)
    image = rf.log_density(linear(matrix), rf.Gaussian(1, 3, 4), x, steps=5)
    flat = rf.log_density(linear(matrix), rf.Gaussian(12), x.flatten(1), steps=5)
    torch.testing.assert_close(image, flat)


def test_the_exact_field_gives_the_density_of_its_mixture(points):
    """The solver has order 4: with twice the steps, the error is divided by about 16."""
    right = MIXTURE.log_density(points)
    errors = [
        (rf.log_density(FIELD, NOISE, points, steps=n) - right).abs().mean().item()
        for n in (20, 40, 80)
    ]
    assert errors[-1] < 1e-7
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert 8 < coarse / fine < 40


def test_the_source_may_be_a_mixture(generator):
    """A flow that shifts its source by (1, 0)."""
    x = torch.randn(7, 2, generator=generator, dtype=torch.float64)
    shift = torch.tensor([1.0, 0.0], dtype=torch.float64)
    got = rf.log_density(lambda x, t: shift + 0 * x, MIXTURE, x, steps=1)
    torch.testing.assert_close(got, MIXTURE.log_density(x - shift))


def test_it_is_that_of_a_network_in_single_precision_and_leaves_it_alone(generator):
    torch.manual_seed(0)
    network = rf.VelocityMLP(2)
    x = torch.randn(9, 2, generator=generator)
    with torch.no_grad():
        single = rf.log_density(network, NOISE, x, steps=10)
    with torch.inference_mode():
        again = rf.log_density(network, NOISE, x.clone(), steps=10)
    assert single.dtype == torch.float32 and not single.requires_grad
    assert torch.equal(single, again)
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert not x.requires_grad
    double = rf.log_density(network.double(), NOISE, x.double(), steps=10)
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


def test_it_is_what_flow_matching_computes(generator):
    """Both solve in single precision: theirs to a tolerance of 1e-6, ours in 50 steps."""
    solver = pytest.importorskip("flow_matching.solver")
    wrapper = pytest.importorskip("flow_matching.utils").ModelWrapper

    class Wrapped(wrapper):
        def forward(self, x, t, **extras):
            return self.model(x, t.expand(len(x)))

    network = rf.pretrained("moons")["1-RF"]
    x = rf.Moons().sample(50, generator=generator)
    settings = {"step_size": None, "method": "dopri5", "atol": 1e-6, "rtol": 1e-6}
    _, theirs = solver.ODESolver(Wrapped(network)).compute_likelihood(
        x, NOISE.log_density, exact_divergence=True, **settings
    )
    torch.testing.assert_close(
        rf.log_density(network, NOISE, x, steps=50), theirs, rtol=0, atol=2e-3
    )


# Hutchinson's estimate


@pytest.mark.parametrize("probes", [1, 4])
def test_random_signs_are_right_on_average_with_the_error_of_the_formula(probes, generator):
    """For v = A x one look has the variance sum_{i<j} (A_ij + A_ji)^2.

    A step of rk4 weighs its 4 looks by 1/6, 2/6, 2/6, 1/6: a share of 10/36 is left, over N steps.
    """
    matrix = torch.tensor([[0.3, 0.5, -0.2], [0.1, -0.4, 0.7], [0.4, 0.3, 0.2]])
    n, steps = 20_000, 2
    x = torch.zeros(n, 3, dtype=torch.float64)
    exact = rf.log_density(linear(matrix), rf.Gaussian(3), x[:1], steps=steps)
    settings = {"steps": steps, "estimate": "hutchinson", "probes": probes}
    off = rf.log_density(linear(matrix), rf.Gaussian(3), x, generator=generator, **settings) - exact
    pairs = (matrix + matrix.T).triu(1).double()
    variance = pairs.square().sum().item() * 10 / 36 / steps / probes
    assert abs(off.mean().item()) < 5 * math.sqrt(variance / n)
    assert off.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / n))


def test_the_same_generator_gives_the_same_estimate(points):
    def draw(seed):
        settings = {"steps": 3, "estimate": "hutchinson"}
        seeded = torch.Generator().manual_seed(seed)
        return rf.log_density(FIELD, NOISE, points, generator=seeded, **settings)

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def test_exactly_so_without_off_diagonal_terms(points):
    """Where no component depends on another coordinate, the signs cancel."""
    signs = rf.log_density(lambda x, t: torch.sin(x), NOISE, points, estimate="hutchinson")
    torch.testing.assert_close(signs, rf.log_density(lambda x, t: torch.sin(x), NOISE, points))


# What is refused


@torch.no_grad()
def frozen(x, t):
    return FIELD(x, t)


@pytest.mark.parametrize(
    "velocity",
    [
        frozen,
        lambda x, t: FIELD(x.detach(), t),
        lambda x, t: torch.ones_like(x),
        lambda x, t: torch.nn.Parameter(torch.ones_like(x)) * 2,
    ],
    ids=["no_grad", "detached", "constant", "of weights alone"],
)
@pytest.mark.parametrize("estimate", ["exact", "hutchinson"])
def test_a_velocity_without_derivatives_is_named(velocity, estimate, points):
    with pytest.raises(ValueError, match="no automatic derivatives in x"):
        rf.log_density(velocity, NOISE, points, estimate=estimate)


@pytest.mark.parametrize("source", [rf.Moons(), rf.Empirical(torch.zeros(3, 2))])
def test_a_source_without_density_is_named(source, points):
    with pytest.raises(TypeError, match=r"no log density; pass .*Gaussian\(2\)"):
        rf.log_density(FIELD, source, points)


def test_a_source_of_another_shape_is_named(points):
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        rf.log_density(FIELD, rf.Gaussian(3), points)


@pytest.mark.parametrize(
    "settings, named",
    [({"steps": 0}, "steps = 0"), ({"probes": 0}, "probes = 0")],
)
def test_a_bad_setting_is_named(settings, named, points):
    with pytest.raises(ValueError, match=named):
        rf.log_density(FIELD, NOISE, points, **settings)


def test_points_that_are_not_finite_are_named(points):
    points[3, 0] = math.nan
    with pytest.raises(ValueError, match="row 3"):
        rf.log_density(FIELD, NOISE, points)


def test_a_path_that_leaves_the_numbers_is_named():
    with pytest.raises(ArithmeticError, match="1 of 2 paths"):
        rf.log_density(lambda x, t: -(x**3), NOISE, torch.tensor([[0.1, 0.0], [50.0, 0.0]]))
