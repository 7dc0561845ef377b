import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import rfteach as rf

# name: (method, its order, its number of evaluations a step)
SOLVERS = {
    "euler": (rf.euler, 1, 1),
    "heun": (rf.heun, 2, 2),
    "rk4": (rf.rk4, 4, 4),
    "adams_bashforth": (rf.adams_bashforth, 2, 1),
}
fixed_step = pytest.mark.parametrize("name", SOLVERS)
without_memory = pytest.mark.parametrize("name", ["euler", "heun", "rk4"])

MIXTURE = rf.GaussianMixture(
    torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.0, -1.5]], dtype=torch.float64),
    torch.tensor([0.7, 0.5, 0.6], dtype=torch.float64),
)
FIELD = rf.mixture_velocity(MIXTURE)


@pytest.fixture
def cloud(generator):
    """A few points in double precision."""
    return torch.randn(20, 2, generator=generator, dtype=torch.float64)


def by_scipy(x0: torch.Tensor) -> torch.Tensor:
    """Solve the flow of FIELD from `x0` to rounding error, with another library and method."""

    def flat(t, y):
        x = torch.from_numpy(y).reshape(x0.shape)
        return FIELD(x, torch.full((len(x),), t, dtype=x.dtype)).numpy().ravel()

    y = solve_ivp(flat, (0, 1), x0.numpy().ravel(), method="DOP853", rtol=1e-12, atol=1e-13).y
    return torch.from_numpy(y[:, -1]).reshape(x0.shape)


class Recorded:
    """A velocity that counts its own calls and keeps the times asked for."""

    def __init__(self, velocity=FIELD):
        self.velocity, self.times = velocity, []

    def __call__(self, x, t):
        assert t.shape == x.shape[:1] and (t == t[0]).all()
        self.times.append(t[0].item())
        return self.velocity(x, t)


@fixed_step
def test_order_of_convergence(name, cloud):
    """The error falls as N^-order on a smooth exact field."""
    solve, order, _ = SOLVERS[name]
    truth = by_scipy(cloud)
    errors = [(solve(FIELD, cloud, steps=n).end - truth).norm().item() for n in (64, 128)]
    # The next term of the error is 1/N smaller with a constant of the size of the field's rates,
    # here up to about 10: at N = 64 it shifts the slope by 0.1 or so.
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


@without_memory
def test_exponential_growth_in_closed_form(name):
    """On v = x a step multiplies by the Taylor polynomial of exp(1/N) of the method's order."""
    solve, order, _ = SOLVERS[name]
    x0 = torch.tensor([[1.0, -3.0]], dtype=torch.float64)
    factor = sum(0.2**k / math.factorial(k) for k in range(order + 1))
    torch.testing.assert_close(solve(lambda x, t: x, x0, steps=5).end, factor**5 * x0)


def _rule(name: str, f, n: int) -> float:
    t = np.arange(n) / n
    if name == "euler":
        return f(t).sum() / n
    if name == "heun":
        return (f(t) + f(t + 1 / n)).sum() / (2 * n)
    return (f(t) + 4 * f(t + 0.5 / n) + f(t + 1 / n)).sum() / (6 * n)


@without_memory
def test_pure_time_dependence_gives_the_quadrature_rule(name):
    """Left rectangles, trapezoids, Simpson's rule: shows that each stage gets its own time."""
    x0 = torch.zeros(1, 1, dtype=torch.float64)
    end = SOLVERS[name][0](lambda x, t: torch.sin(5 * t)[:, None], x0, steps=7).end
    assert end.item() == pytest.approx(_rule(name, lambda t: np.sin(5 * t), 7), rel=1e-12)


def test_adams_bashforth_integrates_the_line_through_two_slopes():
    """For steps of any length; before the first there is no slope, so it is Euler's."""
    times = torch.tensor([0, 0.1, 0.4, 0.5, 1], dtype=torch.float64)
    x0 = torch.zeros(1, 1, dtype=torch.float64)
    path = rf.adams_bashforth(lambda x, t: torch.sin(5 * t)[:, None], x0, steps=times)
    slopes, states = torch.sin(5 * times), path.states.flatten()
    assert states[1].item() == 0.1 * slopes[0]
    for i in (1, 2, 3):
        line = np.polynomial.Polynomial.fit(times[i - 1 : i + 1], slopes[i - 1 : i + 1], 1).integ()
        change = line(times[i + 1].item()) - line(times[i].item())
        assert (states[i + 1] - states[i]).item() == pytest.approx(change, rel=1e-12)


@fixed_step
@pytest.mark.parametrize("steps", [1, 3, 100])
def test_a_constant_velocity_is_solved_exactly(name, steps, cloud):
    c = torch.tensor([2.0, -1.0], dtype=torch.float64)
    path = SOLVERS[name][0](lambda x, t: c.expand_as(x), cloud, steps=steps)
    torch.testing.assert_close(path.end, cloud + c, rtol=0, atol=1e-13)
    middle = cloud + path.times[:, None, None] * c
    torch.testing.assert_close(path.states, middle, rtol=0, atol=1e-13)


@fixed_step
@pytest.mark.parametrize("keep", ["path", "end"])
def test_evaluations_are_those_made(name, keep, cloud):
    velocity, (solve, _, evaluations) = Recorded(), SOLVERS[name]
    path = solve(velocity, cloud, steps=7, keep=keep)
    assert path.evaluations == len(velocity.times) == 7 * evaluations


def test_euler_evaluates_on_the_grid_and_never_at_the_end(cloud):
    velocity = Recorded()
    rf.euler(velocity, cloud, steps=10)
    assert velocity.times == [i / 10 for i in range(10)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("heun", [0, 0.5, 0.5, 1]), ("rk4", [0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1])],
)
def test_higher_orders_evaluate_up_to_the_end_itself(name, expected, cloud):
    velocity = Recorded()
    SOLVERS[name][0](velocity, cloud, steps=2)
    assert velocity.times == expected


@pytest.mark.parametrize("steps", [1, 3, 49, 1000])
@fixed_step
def test_in_single_precision_no_time_leaves_the_unit_interval(name, steps):
    velocity = Recorded(lambda x, t: torch.zeros_like(x))
    path = SOLVERS[name][0](velocity, torch.zeros(1, 1), steps=steps)
    assert min(velocity.times) == 0 and max(velocity.times) <= 1
    assert path.times[0] == 0 and path.times[-1] == 1 and (path.times.diff() > 0).all()


@fixed_step
def test_path_has_every_state_and_its_time(name, cloud):
    path = SOLVERS[name][0](FIELD, cloud, steps=5)
    assert path.complete and path.states.shape == (6, 20, 2)
    torch.testing.assert_close(path.times, torch.arange(6).double() / 5)
    assert torch.equal(path.start, cloud)
    assert torch.equal(path.end, path.states[-1])


def test_a_step_of_euler_is_the_velocity_times_dt(cloud):
    path = rf.euler(FIELD, cloud, steps=5)
    for i in range(5):
        v = FIELD(path.states[i], path.times[i].expand(20))
        torch.testing.assert_close(path.states[i + 1], path.states[i] + v / 5)


@fixed_step
def test_keeping_the_end_alone_changes_no_bit(name, cloud):
    path, end = (SOLVERS[name][0](FIELD, cloud, steps=9, keep=keep) for keep in ("path", "end"))
    assert not end.complete and end.states.shape == (2, 20, 2)
    assert end.times.tolist() == [0, 1]
    assert torch.equal(end.start, path.start) and torch.equal(end.end, path.end)


ALL = {name: solve for name, (solve, *_) in SOLVERS.items()} | {"dopri5": rf.dopri5}
every_solver = pytest.mark.parametrize("name", ALL)


@every_solver
def test_the_start_is_not_touched(name, cloud):
    copy = cloud.clone()
    path = ALL[name](FIELD, cloud)
    path.states[0] += 1  # nor is it shared
    assert torch.equal(cloud, copy)


@every_solver
def test_no_gradients_are_recorded(name):
    network = rf.VelocityMLP(2)
    seen = []

    def velocity(x, t):
        seen.append(torch.is_grad_enabled())
        return network(x, t)

    x0 = torch.zeros(3, 2, requires_grad=True)
    assert not ALL[name](velocity, x0).states.requires_grad
    assert not any(seen) and torch.is_grad_enabled()


@every_solver
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(name, dtype, generator):
    x0 = torch.randn(4, 2, dtype=dtype, generator=generator)
    asked = []

    def velocity(x, t):
        asked.append((x.dtype, t.dtype))
        return -x

    path = ALL[name](velocity, x0)
    assert path.states.dtype == path.times.dtype == dtype
    assert set(asked) == {(dtype, dtype)}


@every_solver
def test_images(name):
    x0 = torch.ones(3, 1, 8, 8)
    path = ALL[name](lambda x, t: -x * t[:, None, None, None], x0)
    assert path.states.shape == (len(path.times), 3, 1, 8, 8)
    # dz/dt = -t z ends at exp(-1/2); Euler's 100 steps are the least accurate
    torch.testing.assert_close(path.end, math.exp(-0.5) * x0, rtol=0, atol=5e-3)


@every_solver
def test_a_velocity_may_work_in_place(name, cloud):
    copy = cloud.clone()
    path = ALL[name](lambda x, t: x.mul_(-1), cloud)
    assert torch.equal(cloud, copy)
    assert torch.equal(path.states, ALL[name](lambda x, t: -x, cloud).states)


@every_solver
def test_it_runs_where_the_points_are(name, device):
    path = ALL[name](lambda x, t: -x, torch.ones(3, 2, device=device))
    assert path.end.device.type == path.times.device.type == device


@every_solver
def test_a_counted_velocity_counts_its_calls_in_every_solver(name, cloud):
    counted = rf.CountedVelocity(FIELD)
    path = ALL[name](counted, cloud)
    assert counted.evaluations == path.evaluations > 0
    assert torch.equal(path.end, ALL[name](FIELD, cloud).end)
    again = ALL[name](counted, cloud)
    assert again.evaluations == path.evaluations  # of this call alone
    assert counted.evaluations == 2 * path.evaluations  # of both


def test_a_counted_velocity_counts_in_any_loop_and_gives_what_it_wraps(cloud):
    network = rf.VelocityMLP(2).double()
    counted, t = rf.CountedVelocity(network), torch.zeros(20, dtype=torch.float64)
    assert counted.evaluations == 0
    for calls in (1, 2, 3):
        v = counted(cloud, t)
        assert counted.evaluations == calls
    assert torch.equal(v, network(cloud, t))
    assert v.requires_grad  # whoever calls decides that


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
def test_dopri5_is_as_accurate_as_asked(tolerance, cloud):
    path = rf.dopri5(FIELD, cloud, rtol=tolerance, atol=tolerance)
    # The tolerance holds for a step; a dozen or two of steps and the flow's expansion add up.
    error = (path.end - by_scipy(cloud)).abs().max().item()
    assert error < 30 * tolerance


def test_dopri5_by_default_is_accurate_in_single_precision(cloud):
    end = rf.dopri5(FIELD, cloud.float()).end
    torch.testing.assert_close(end.double(), by_scipy(cloud.float().double()), rtol=0, atol=3e-4)


def test_dopri5_times_rise_from_0_to_1_and_its_states_lie_on_the_flow(cloud):
    path = rf.dopri5(FIELD, cloud, rtol=1e-8, atol=1e-8)
    assert path.complete and torch.equal(path.start, cloud)
    assert path.times[0] == 0 and path.times[-1] == 1 and (path.times.diff() > 0).all()
    assert len(path.states) == len(path.times) > 3
    # on the last stretch, against a fine fixed-step solution from an inner state
    inner = len(path.times) // 2
    begin, rest = path.times[inner].item(), 1 - path.times[inner].item()
    onwards = rf.rk4(lambda x, s: rest * FIELD(x, begin + rest * s), path.states[inner], steps=100)
    torch.testing.assert_close(onwards.end, path.end, rtol=0, atol=1e-6)


@fixed_step
def test_times_of_ones_own_may_be_uneven(name, cloud):
    """On equal times nothing changes, not a bit; on others it is that many single steps."""
    solver, *_ = SOLVERS[name]
    equal = solver(FIELD, cloud, steps=torch.arange(5, dtype=torch.float64) / 4)
    assert torch.equal(equal.states, solver(FIELD, cloud, steps=4).states)
    times = torch.tensor([0, 0.1, 0.4, 1], dtype=torch.float64)
    uneven = solver(FIELD, cloud, steps=times)
    assert torch.equal(uneven.times, times) and uneven.evaluations == 3 * SOLVERS[name][2]
    ended = solver(FIELD, cloud, steps=times, keep="end")
    assert torch.equal(ended.end, uneven.end) and ended.times.tolist() == [0, 1]
    still = torch.zeros_like(cloud)
    slope = solver(lambda x, t: t[:, None].expand_as(x), still, steps=times).states[:, 0, 0]
    quadrature = {"euler": [0, 0, 0.03, 0.27], "heun": [0, 0.005, 0.08, 0.5]}
    quadrature["adams_bashforth"] = [0, 0, 0.075, 0.495]  # after the first step exact
    expected = torch.tensor(quadrature.get(name, quadrature["heun"]), dtype=torch.float64)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize(
    "times", [[0.0, 0.5], [0.1, 1.0], [0.0, 0.6, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0], [0.0], [1.0, 0.0]]
)
def test_times_must_rise_from_0_to_1(times, cloud):
    with pytest.raises(ValueError, match=r"steps = .* must rise from 0 to 1"):
        rf.euler(FIELD, cloud, steps=torch.tensor(times))


def test_dopri5_counts_every_evaluation(cloud):
    velocity = Recorded()
    path = rf.dopri5(velocity, cloud)
    assert path.evaluations == len(velocity.times)
    # two at the start, six for each step, those rejected included
    assert path.evaluations >= 2 + 6 * (len(path.times) - 1)


@pytest.mark.parametrize("speed", [1e-6, 0.005, 1.0, 100.0])
def test_dopri5_never_leaves_the_unit_interval(speed):
    """On a slow flow the solver's guess at its first step would reach to t = 2."""
    velocity = Recorded(lambda x, t: speed * torch.cos(t)[:, None].expand_as(x))
    path = rf.dopri5(velocity, torch.ones(3, 2))
    assert min(velocity.times) == 0 and max(velocity.times) <= 1
    torch.testing.assert_close(
        path.end, torch.full((3, 2), 1 + speed * math.sin(1)), rtol=1e-4, atol=0
    )


# The peak of this program alone. getrusage's ru_maxrss would not do: a started program takes over
# the peak of the process that started it, here a test worker with gigabytes behind it.
PEAK = """
import re, torch, rfteach as rf
torch.set_num_threads(1)
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

x0 = torch.randn(1_000_000, 2)
rf.euler(lambda x, t: -x, x0, steps=3, keep="end")
before = peak()
rf.euler(lambda x, t: -x, x0, steps=100, keep="end")
print(peak() - before)
rf.euler(rf.VelocityMLP(dim=2), x0, steps=2, keep="end")
print(peak())
"""


@pytest.fixture(scope="module")
def peaks(run_python) -> list[int]:
    """By how many bytes 100 steps raise the peak over 3, and the peak of 2 with a network."""
    done = run_python(PEAK)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.mark.slow
def test_with_the_end_alone_memory_does_not_grow_with_the_steps(peaks):
    """A cloud of a million points takes 8 MB, and a kept path of 100 steps 800 MB.

    The bound leaves the allocator a few clouds: up to 48 MB were seen, for 100 and 400 steps alike.
    """
    assert peaks[0] < 100e6


@pytest.mark.slow
def test_a_million_particles_fit_in_two_gib(peaks):
    """With the default network. Two steps do: the test above shows that more take no more."""
    assert peaks[1] < 2 * 2**30
