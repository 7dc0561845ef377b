import math

import numpy as np
import torch
from tables import Table

import rfteach as rf

table = Table(4)


def now(x, t):
    """Give all points one time."""
    return torch.full((len(x),), float(t))


def sampler(step, clock=lambda i, n: i / n, count=lambda n: n, dt=lambda n: 1 / n):
    """Make a sampler that repeats `x = step(velocity, x, t, dt)`, without gradients."""

    @torch.no_grad()
    def answer(velocity, x0, steps):
        x = x0
        for i in range(count(steps)):
            x = step(velocity, x, clock(i, steps), dt(steps))
        return x

    return answer


def euler_step(v, x, t, dt):
    return x + dt * v(x, now(x, t))


# 4.1: midpoint(velocity, x0, steps)


@table.right("4.1")
def as_in_the_chapter(velocity, x0, steps):
    with torch.no_grad():
        for i in range(steps):
            t = torch.full((len(x0),), i / steps)
            k = velocity(x0, t)
            x0 = x0 + velocity(x0 + k / steps / 2, t + 1 / steps / 2) / steps
    return x0


@table.right("4.1")
@torch.inference_mode()
def with_posts_and_centers(velocity, x0, steps):
    x = x0.clone()
    posts = torch.linspace(0, 1, 2 * steps + 1, dtype=x0.dtype)
    for t, center in zip(posts[:-1:2], posts[1::2], strict=True):
        trial = torch.lerp(x, x + velocity(x, t.expand(len(x))), center - t)
        x += 2 * (center - t) * velocity(trial, center.expand(len(x)))
    return x


@table.right("4.1")
def with_eulers_method_as_the_trial(velocity, x0, steps):
    def arrow_in_the_middle(x, t):
        start = t[0].item()
        half = torch.full_like(t, start + 0.5 / steps)
        return velocity(x + velocity(x, t) * (half - t).reshape(-1, *[1] * (x.ndim - 1)), half)

    return rf.euler(arrow_in_the_middle, x0, steps=steps, keep="end").end


@table.right("4.1")
def detached_at_each_step(velocity, x0, steps):
    t = torch.zeros(len(x0), dtype=x0.dtype)
    for _ in range(steps):
        halfway = x0 + velocity(x0, t) / (2 * steps)
        x0 = (x0 + velocity(halfway, t + 0.5 / steps) / steps).detach()
        t = t + 1 / steps
    return x0


def midpoint_step(v, x, t, dt):
    trial = euler_step(v, x, t, dt / 2)
    return x + dt * v(trial, now(x, t + dt / 2))


def clock_of_the_start(v, x, t, dt):
    return x + dt * v(euler_step(v, x, t, dt / 2), now(x, t))


def clock_of_the_end(v, x, t, dt):
    return x + dt * v(euler_step(v, x, t, dt / 2), now(x, t + dt))


def whole_trial(v, x, t, dt):
    return x + dt * v(euler_step(v, x, t, dt), now(x, t + dt / 2))


def arrow_of_the_end(v, x, t, dt):
    return x + dt * v(euler_step(v, x, t, dt), now(x, t + dt))


def place_of_the_start(v, x, t, dt):
    return x + dt * v(x, now(x, t + dt / 2))


def without_going_back(v, x, t, dt):
    trial = euler_step(v, x, t, dt / 2)
    return trial + dt * v(trial, now(x, t + dt / 2))


def two_half_steps(v, x, t, dt):
    return euler_step(v, euler_step(v, x, t, dt / 2), t + dt / 2, dt / 2)


def mean_of_both_arrows(v, x, t, dt):
    k = v(x, now(x, t))
    return x + dt * (k + v(x + dt / 2 * k, now(x, t + dt / 2))) / 2


def heun_step(v, x, t, dt):
    k = v(x, now(x, t))
    return x + dt * (k + v(x + dt * k, now(x, t + dt))) / 2


def half_of_the_step(v, x, t, dt):
    return x + dt / 2 * v(euler_step(v, x, t, dt / 2), now(x, t + dt / 2))


def without_dt_in_the_trial(v, x, t, dt):
    return x + dt * v(x + v(x, now(x, t)) / 2, now(x, t + dt / 2))


def backward_trial(v, x, t, dt):
    return x + dt * v(euler_step(v, x, t, -dt / 2), now(x, t + dt / 2))


def clock_half_on(v, x, t, dt):
    return x + dt * v(euler_step(v, x, t, dt / 2), now(x, t + 0.5))


table.wrong("4.1", "This is Euler's method", sampler(euler_step))
table.wrong("4.1", "This is Euler's method", lambda v, x, n: rf.euler(v, x, steps=n).end)
table.wrong("4.1", "clock still shows the start", sampler(clock_of_the_start))
table.wrong("4.1", "half a step away", sampler(whole_trial))
table.wrong("4.1", "arrow at the end", sampler(arrow_of_the_end))
table.wrong("4.1", "place is still the start", sampler(place_of_the_start))
table.wrong("4.1", "Go back first", sampler(without_going_back))
table.wrong("4.1", "two half steps", sampler(two_half_steps))
table.wrong("4.1", "averages the arrows", sampler(mean_of_both_arrows))
table.wrong("4.1", "This is Heun's method", sampler(heun_step))
table.wrong("4.1", "This is Heun's method", lambda v, x, n: rf.heun(v, x, steps=n).end)
table.wrong("4.1", "stops after half of it", sampler(half_of_the_step))
table.wrong("4.1", "opposite direction", sampler(backward_trial))
table.wrong("4.1", "There dt is forgotten", sampler(without_dt_in_the_trial))
table.wrong("4.1", "clock shows the end", sampler(clock_of_the_end))
table.wrong("4.1", "the times 0, 0.5, 0.125, 0.625", sampler(clock_half_on))
table.wrong("4.1", "includes the end", sampler(midpoint_step, lambda i, n: i / (n - 1)))
table.wrong("4.1", "a step ahead", sampler(midpoint_step, lambda i, n: (i + 1) / n))
table.wrong("4.1", "half a step ahead", sampler(midpoint_step, lambda i, n: (i + 0.5) / n))
table.wrong("4.1", "stands still", sampler(midpoint_step, lambda i, n: 0))
table.wrong("4.1", "the times 0, 0.0625, 1, 1.06", sampler(midpoint_step, lambda i, n: i))
table.wrong("4.1", "1 - t where it should show t", sampler(midpoint_step, lambda i, n: 1 - i / n))
table.wrong(
    "4.1",
    "the times 1, 0.938, 0.875",
    lambda v, x, n: sampler(midpoint_step)(lambda x, t: v(x, 1 - t), x, n),
)
table.wrong(
    "4.1",
    "1 - t where it should show t",
    lambda v, x, n: sampler(midpoint_step)(lambda x, t: v(x, 1 - t), x, n),
)
table.wrong("4.1", "16 are needed", sampler(midpoint_step, count=lambda n: n - 1))
table.wrong("4.1", "16 are needed", sampler(midpoint_step, count=lambda n: n + 1))
table.wrong("4.1", "16 are needed", lambda v, x, n: rf.rk4(v, x, steps=n).end)
table.wrong("4.1", "no_grad", sampler(midpoint_step).__wrapped__)
table.wrong("4.1", "is on meta", lambda v, x, n: sampler(midpoint_step)(v, x, n).to("meta"))
table.wrong(
    "4.1",
    "points whose dtype is torch.float32",
    lambda v, x, n: sampler(midpoint_step)(v, x.float(), n),
)
table.wrong("4.1", "takes tensors", lambda v, x, n: x + v(x + v(x, 0) / 2, 0.5))
table.wrong("4.1", "one time for each point", lambda v, x, n: x + v(x, torch.zeros(len(x), 1)))
table.wrong("4.1", "of type Trajectory", lambda v, x, n: rf.heun(v, x, steps=n))
table.wrong("4.1", "has shape", lambda v, x, n: rf.heun(v, x, steps=n).states)
table.wrong(
    "4.1",
    "on average over the batch",
    lambda v, x, n: sampler(midpoint_step)(v, x, n).mean(dim=0, keepdim=True).expand_as(x),
)
table.wrong(
    "4.1",
    "the noise that the sampler was given",
    lambda v, x, n: sampler(midpoint_step)(v, torch.randn_like(x), n),
)


@table.wrong("4.1", "in place")
@torch.no_grad()
def with_the_trial_in_place(velocity, x0, steps):
    for i in range(steps):
        k = velocity(x0, now(x0, i / steps))
        x0 += k / (2 * steps)
        x0 += velocity(x0, now(x0, (i + 0.5) / steps)) / steps - k / (2 * steps)
    return x0


# 4.2: the steps that each solver needs

BEST = {"Euler": 768, "Heun": 362, "RK4": 177}
table.right("4.2", BEST)
table.right("4.2", {"RK4": 177.4, "Heun": math.sqrt(32) * 64, "Euler": torch.tensor(768)})
table.right("4.2", {"Euler": np.float64(800), "Heun": 362, "RK4": 180})


def instead(**changes):
    return BEST | changes


table.wrong("4.2", "Is Heun taken for a method of order 1", instead(Heun=64 * 32))
table.wrong("4.2", "Is RK4 taken for a method of order 1", instead(RK4=64 * 59))
table.wrong("4.2", "Is RK4 taken for a method of order 2", instead(RK4=64 * 59**0.5))
table.wrong("4.2", "Is RK4 taken for a method of order 3", instead(RK4=64 * 59 ** (1 / 3)))
table.wrong("4.2", "Is Euler taken for a method of order 2", instead(Euler=64 * 12**0.5))
table.wrong("4.2", "Is Heun taken for a method of order 4", instead(Heun=64 * 32**0.25))
table.wrong("4.2", "counts the evaluations", instead(Heun=724))
table.wrong("4.2", "counts the evaluations", instead(RK4=708))
table.wrong("4.2", "with a root", instead(Heun=64 * 32**2))
table.wrong("4.2", "with a root", instead(RK4=64 * 59**4))
table.wrong("4.2", "but steps are asked for", instead(Heun=181))
table.wrong("4.2", "but steps are asked for", instead(RK4=44))
table.wrong("4.2", "how many times", instead(Euler=12))
table.wrong("4.2", "how many times", instead(RK4=2.77))
table.wrong("4.2", "where the plot was read", instead(Euler=64))
table.wrong("4.2", "Too few steps", instead(Euler=500))
table.wrong("4.2", "More steps than needed", instead(Euler=1300))
table.wrong("4.2", "a dictionary with the keys", [768, 362, 177])
table.wrong("4.2", "a dictionary with the keys", {"euler": 768, "heun": 362, "rk4": 177})
table.wrong("4.2", "a dictionary with the keys", {"Euler": 768, "Heun": 362})
table.wrong("4.2", "at least 1", instead(Heun=-362))
table.wrong("4.2", "finite number", instead(Heun="362"))


# 4.3: richardson(velocity, x0, steps)


def run(velocity, x, steps):
    return sampler(euler_step)(velocity, x, steps)


@table.right("4.3")
def from_the_error(velocity, x0, steps):
    fine, coarse = (rf.euler(velocity, x0, steps=n, keep="end").end for n in (2 * steps, steps))
    error = coarse - fine
    return fine - error


@table.right("4.3")
def by_solving_two_equations(velocity, x0, steps):
    ends = torch.stack([run(velocity, x0, steps), run(velocity, x0, 2 * steps)])
    matrix = torch.tensor([[1, 1 / steps], [1, 1 / (2 * steps)]], dtype=x0.dtype)
    return torch.linalg.solve(matrix, ends.flatten(1))[0].reshape(x0.shape)


@table.right("4.3")
@torch.no_grad()
def with_both_runs_in_one_loop(velocity, x0, steps):
    coarse = fine = x0
    for i in range(2 * steps):
        if i % 2 == 0:
            coarse = euler_step(velocity, coarse, i / 2 / steps, 1 / steps)
        fine = euler_step(velocity, fine, i / 2 / steps, 0.5 / steps)
    return torch.lerp(coarse, fine, 2.0)


def combined(formula, coarse=lambda n: n, fine=lambda n: 2 * n):
    """Make an answer to 4.3 from `formula(coarse, fine)`, the ends of two runs."""
    return lambda v, x, n: formula(run(v, x, coarse(n)), run(v, x, fine(n)))


def right(coarse, fine):
    return 2 * fine - coarse


table.wrong("4.3", "does not lie between", combined(lambda coarse, fine: (coarse + fine) / 2))
table.wrong("4.3", "goes the wrong way", combined(lambda coarse, fine: 2 * coarse - fine))
table.wrong(
    "4.3", "for a method of order 2", combined(lambda coarse, fine: (4 * fine - coarse) / 3)
)
table.wrong("4.3", "the fine run alone", combined(lambda coarse, fine: fine))
table.wrong("4.3", "the fine run alone", lambda v, x, n: run(v, x, 2 * n))
table.wrong("4.3", "the coarse run alone", run)
table.wrong("4.3", "estimate of the error", combined(lambda coarse, fine: fine - coarse))
table.wrong("4.3", "estimate of the error", combined(lambda coarse, fine: coarse - fine))
table.wrong("4.3", "error of the coarse run", combined(lambda coarse, fine: 3 * fine - 2 * coarse))
table.wrong("4.3", "add up to 1", combined(lambda coarse, fine: 2 * fine + coarse))
table.wrong("4.3", "add up to 1", combined(lambda coarse, fine: fine + coarse))
table.wrong("4.3", "extrapolates each single step", sampler(midpoint_step))
table.wrong("4.3", "add up to 1", combined(lambda coarse, fine: 2 * fine - coarse / 2))
table.wrong("4.3", "24 are needed", combined(right, fine=lambda n: 2 * n - 1))
table.wrong("4.3", "24 are needed", combined(right, lambda n: n + 1, lambda n: 2 * n + 1))
table.wrong("4.3", "one of N and one of 2N", combined(right, lambda n: 2 * n, lambda n: 4 * n))
table.wrong("4.3", "one of N and one of 2N", combined(right, fine=lambda n: 4 * n))
table.wrong("4.3", "the fine run alone", combined(right, lambda n: 2 * n))
table.wrong("4.3", "one of N and one of 2N", combined(right, fine=lambda n: n + 1))
table.wrong("4.3", "one of N and one of 2N", lambda v, x, n: rf.heun(v, x, steps=n).end)


def with_a_fine_run(clock, dt):
    """Make an answer to 4.3 whose fine run has a clock and steps of its own."""
    return lambda v, x, n: right(
        run(v, x, n), sampler(euler_step, clock, lambda n: 2 * n, lambda n: dt(n))(v, x, n)
    )


table.wrong("4.3", "lasts 1/(2N)", with_a_fine_run(lambda i, n: i / n, lambda n: 1 / n))
table.wrong("4.3", "lasts 1/(2N)", with_a_fine_run(lambda i, n: i / n, lambda n: 0.5 / n))
table.wrong("4.3", "lasts 1/(2N)", with_a_fine_run(lambda i, n: i / (2 * n), lambda n: 1 / n))
for clock, hint in (
    (lambda i, n: 1 - i / n, "1 - t where it should show t"),
    (lambda i, n: (i + 1) / n, "a step ahead"),
    (lambda i, n: (i + 0.5) / n, "half a step ahead"),
    (lambda i, n: i / max(n - 1, 1), "includes the end"),
):
    both = sampler(euler_step, clock)
    table.wrong("4.3", hint, lambda v, x, n, run=both: right(run(v, x, n), run(v, x, 2 * n)))
table.wrong("4.3", "runs of N / 2 and N", combined(right, lambda n: max(n // 2, 1), lambda n: n))
table.wrong(
    "4.3", "no_grad", lambda v, x, n: combined(right)(lambda *xt: v(*xt), x, n) + 0 * v.weight
)
table.wrong("4.3", "is on meta", lambda v, x, n: combined(right)(v, x, n).to("meta"))
table.wrong(
    "4.3", "points whose dtype is torch.float32", lambda v, x, n: combined(right)(v, x.float(), n)
)
table.wrong("4.3", "one time for each point", lambda v, x, n: x + v(x, torch.tensor(0.0)))
table.wrong(
    "4.3",
    "the noise that the sampler was given",
    lambda v, x, n: 2 * run(v, x, 2 * n) - run(v, torch.randn_like(x), n),
)


@table.wrong("4.3", "the noise that the sampler was given")
def starting_the_fine_run_at_the_coarse_end(velocity, x0, steps):
    coarse = run(velocity, x0, steps)
    return 2 * run(velocity, coarse, 2 * steps) - coarse


table.wrong(
    "4.3",
    "the times 0, 0.0625, 0.125, 0.125, 0.188",
    lambda v, x, n: 2 * sampler(euler_step, lambda i, m: (i + 1) / m)(v, x, 2 * n) - run(v, x, n),
)


@table.wrong("4.3", "in place")
@torch.no_grad()
def running_in_place(velocity, x0, steps):
    fine = run(velocity, x0, 2 * steps)
    for i in range(steps):
        x0 += velocity(x0, now(x0, i / steps)) / steps
    return 2 * fine - x0


@table.wrong("4.3", "extrapolates each single step")
@torch.no_grad()
def extrapolating_each_step(velocity, x0, steps):
    x = x0
    for i in range(steps):
        whole = euler_step(velocity, x, i / steps, 1 / steps)
        x = 2 * two_half_steps(velocity, x, i / steps, 1 / steps) - whole
    return x


# 4.4: euler_on(velocity, x0, times) and grid(n)


@torch.no_grad()
def with_indices(velocity, x0, times):
    x = x0
    for i in range(len(times) - 1):
        x = x + velocity(x, times[i].repeat(len(x))) * (times[i + 1] - times[i])
    return x


@torch.inference_mode()
def with_pairs_and_floats(velocity, x0, times):
    for now_, later in zip(times.tolist(), times.tolist()[1:], strict=False):
        x0 = x0 + (later - now_) * velocity(x0, torch.full((len(x0),), now_))
    return x0


def shifted(n):
    u = torch.arange(n + 1) / n
    return u / (u + 10 * (1 - u))


def geometric(n):
    return torch.cat([torch.zeros(1), torch.logspace(-2, 0, n)])


def cubes(n):
    return torch.linspace(0, 1, n + 1).double() ** 3


def by_the_bending(n):
    """Spread the steps evenly over the bending of a few paths, as the exercise hints."""
    blobs = rf.EightGaussians()
    wide = rf.mixture_velocity(rf.GaussianMixture(10 * blobs.means, 10 * blobs.stds))
    path = rf.rk4(wide, torch.randn(100, 2, generator=torch.Generator().manual_seed(0)), steps=100)
    v = path.states.diff(dim=0)
    bending = v.diff(dim=0).norm(dim=2).mean(dim=1).sqrt()
    passed = torch.cat([torch.zeros(2), bending.cumsum(dim=0)]) / bending.sum()
    grid = np.interp(np.linspace(0, 1, n + 1), passed, path.times)
    grid[0] = 0
    return torch.from_numpy(grid)


table.right("4.4", with_indices, shifted)
table.right("4.4", with_pairs_and_floats, geometric)
table.right("4.4", with_indices, cubes)
table.right("4.4", with_indices, by_the_bending)


def wrong_euler(hint, answer):
    table.wrong("4.4", hint, answer, shifted)


def on_grid(step):
    """Make Euler's method on a grid, with `step(velocity, x, start, end)`."""

    @torch.no_grad()
    def euler_on(velocity, x0, times):
        x = x0
        for start, end in zip(times[:-1], times[1:], strict=True):
            x = step(velocity, x, start, end)
        return x

    return euler_on


right_euler = on_grid(lambda v, x, a, b: x + (b - a) * v(x, now(x, a)))
wrong_euler("takes equal steps", lambda v, x, times: run(v, x, len(times) - 1))
wrong_euler("the time at its end", on_grid(lambda v, x, a, b: x + (b - a) * v(x, now(x, b))))
wrong_euler(
    "the times 0.00781, 0.0391", on_grid(lambda v, x, a, b: x + (b - a) * v(x, now(x, (a + b) / 2)))
)
wrong_euler("opposite direction", on_grid(lambda v, x, a, b: x + (a - b) * v(x, now(x, a))))
wrong_euler("to the next", on_grid(lambda v, x, a, b: x + b * v(x, now(x, a))))
wrong_euler(
    "half a step ahead", on_grid(lambda v, x, a, b: x + (b - a) * v(x, now(x, (a + b) / 2)))
)
wrong_euler("stands still", on_grid(lambda v, x, a, b: x + (b - a) * v(x, now(x, 0))))


def with_steps(times, steps):
    """Make Euler's method on a grid, with times and lengths of the steps made of it."""

    @torch.no_grad()
    def euler_on(velocity, x, grid):
        for t, dt in zip(times(grid), steps(grid), strict=False):
            x = euler_step(velocity, x, t, dt)
        return x

    return euler_on


def equal(grid):
    return torch.arange(len(grid) - 1) / (len(grid) - 1)


wrong_euler("clock of equal steps", with_steps(equal, torch.diff))
wrong_euler("as its neighbor should", with_steps(lambda g: g, lambda g: g.diff().roll(-1)))
wrong_euler("as its neighbor should", with_steps(lambda g: g[:-1], lambda g: g - g.roll(1)))
wrong_euler("one time for each point", on_grid(lambda v, x, a, b: x + (b - a) * v(x, a)))
wrong_euler("takes tensors", on_grid(lambda v, x, a, b: x + (b - a) * v(x, a.item())))
wrong_euler("no_grad", right_euler.__wrapped__)
wrong_euler("is on meta", lambda v, x, times: right_euler(v, x, times).to("meta"))
wrong_euler(
    "points whose dtype is torch.float32", lambda v, x, times: right_euler(v, x.float(), times)
)
wrong_euler("8 are needed", lambda v, x, times: run(v, x, len(times)))
wrong_euler("8 are needed", lambda v, x, times: right_euler(v, x, times[:-1]))
wrong_euler("8 are needed", lambda v, x, times: right_euler(v, x, times[1:]))
wrong_euler("is None", lambda v, x, times: None)


@torch.no_grad()
def steps_of_one_length(velocity, x0, times):
    for t in times[:-1]:
        x0 = x0 + velocity(x0, now(x0, t)) / (len(times) - 1)
    return x0


@torch.no_grad()
def steps_shorter_by_a_post(velocity, x0, times):
    for t in times[:-1]:
        x0 = x0 + velocity(x0, now(x0, t)) / len(times)
    return x0


@torch.no_grad()
def at_the_last_time_too(velocity, x0, times):
    steps = torch.cat([times.diff(), torch.zeros(1)])
    for t, dt in zip(times, steps, strict=True):
        x0 = x0 + dt * velocity(x0, now(x0, t)).to(x0.dtype)
    return x0


@torch.no_grad()
def adding_in_place(velocity, x0, times):
    for t, dt in zip(times[:-1], times.diff(), strict=True):
        x0 += dt * velocity(x0, now(x0, t))
    return x0


wrong_euler("the steps equally long", steps_of_one_length)
wrong_euler("to the next", steps_shorter_by_a_post)
wrong_euler("8 are needed", at_the_last_time_too)
wrong_euler("in place", adding_in_place)


def wrong_grid(hint, answer):
    table.wrong("4.4", hint, with_indices, answer)


def equal(n):
    return torch.linspace(0, 1, n + 1)


wrong_grid("These are equal steps", equal)
wrong_grid("Your grid is finer near t = 1", lambda n: 10 * equal(n) / (1 + 9 * equal(n)))
wrong_grid("Your grid is finer near t = 1", lambda n: equal(n).sqrt())
wrong_grid("Go further", lambda n: equal(n) ** 1.1)
wrong_grid("Go further", lambda n: equal(n) / (2 - equal(n)))
wrong_grid("the rest is too coarse", lambda n: equal(n) ** 12)
wrong_grid("finer at both ends", lambda n: (1 - torch.cos(math.pi * equal(n))) / 2)
wrong_grid("8 + 1 times, but it is (8,)", lambda n: torch.linspace(0, 1, n))
wrong_grid("8 + 1 times, but it is list", lambda n: [(i / n) ** 3 for i in range(n + 1)])
wrong_grid("16 + 1 times, but it is (9,)", lambda n: shifted(8))
wrong_grid("grid should rise", lambda n: shifted(n).flip(0))
wrong_grid("grid should rise", lambda n: 1 - shifted(n))
wrong_grid("grid should rise", lambda n: torch.zeros(n + 1))
wrong_grid("grid should rise", lambda n: torch.full((n + 1,), torch.nan))
wrong_grid("from 0 at first to 1 at last", lambda n: torch.logspace(-2, 0, n + 1))
wrong_grid("from 0 at first to 1 at last", lambda n: torch.arange(n + 1).double())
wrong_grid("8 + 1 times", lambda n: None)


@table.wrong("4.1", "what a gradient would need")
def midpoint_with_the_graph_cut_at_the_end(velocity, x0, steps):
    x = x0
    for i in range(steps):
        trial = x + velocity(x, x.new_full((len(x),), i / steps)) / (2 * steps)
        x = x + velocity(trial, x.new_full((len(x),), (i + 0.5) / steps)) / steps
    return x.detach()


# What readers of the book answered


def over(times):
    """Make a midpoint method that takes its steps over `times(n)`."""

    @torch.no_grad()
    def answer(velocity, x0, steps):
        for t in times(steps):
            x0 = midpoint_step(velocity, x0, float(t), 1 / steps)
        return x0

    return answer


table.wrong("4.1", "in whole numbers", over(lambda n: torch.arange(0, 1, 1 / n)))
table.wrong("4.1", "in whole numbers", over(lambda n: np.arange(0, 1, 1 / n)))
table.wrong("4.1", "in whole numbers", over(lambda n: [i / n for i in range(int(1 / (1 / n)))]))
table.wrong(
    "4.1",
    "whole step goes along the arrow. There dt",
    sampler(lambda v, x, t, dt: x + v(euler_step(v, x, t, dt / 2), now(x, t + dt / 2))),
)
table.wrong(
    "4.1", "against the arrow", sampler(lambda v, x, t, dt: 2 * x - midpoint_step(v, x, t, dt))
)
table.wrong("4.1", "leaves them off", lambda v, x, n: torch.set_grad_enabled(False) and None)
table.wrong(
    "4.1",
    "whose dtype is torch.float64",
    lambda v, x, n: sampler(midpoint_step)(v, x.double(), n).to(x),
)
table.wrong("4.2", "about what RK4 needs", instead(Heun=177))
table.wrong("4.2", "More steps than needed", instead(RK4=230))
table.wrong("4.2", "By the line in the plot", instead(RK4=775_511_104))
table.wrong("4.3", "The truth does not lie", combined(lambda coarse, fine: (coarse + 2 * fine) / 3))
table.wrong(
    "4.3", "half of the difference", combined(lambda coarse, fine: 1.5 * fine - 0.5 * coarse)
)
table.wrong("4.3", "goes the wrong way", combined(lambda coarse, fine: (4 * coarse - fine) / 3))


@table.wrong("4.3", "share their first look")
@torch.no_grad()
def sharing_the_first_look(velocity, x0, steps):
    first = velocity(x0, now(x0, 0))
    ends = []
    for n in (steps, 2 * steps):
        x = x0 + first / n
        for i in range(1, n):
            x = euler_step(velocity, x, i / n, 1 / n)
        ends.append(x)
    return 2 * ends[1] - ends[0]


@torch.no_grad()
def as_long_as_the_first(velocity, x0, times):
    for t in times[:-1]:
        x0 = x0 + (times[1] - times[0]) * velocity(x0, now(x0, t))
    return x0


wrong_euler("as long as the first", as_long_as_the_first)
# rounded so that the last time is 1 - 1e-6
wrong_grid("the rest is too coarse", lambda n: (0.0117 * equal(n)) / (1 - 0.9883 * equal(n)))
wrong_grid("first step is no shorter", lambda n: 0.5 + 0.5 * (2 * equal(n) - 1) ** 3)


test_right, test_wrong, test_there_are_enough = table.tests()
