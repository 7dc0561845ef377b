import functools
import math

import pytest
import torch

import rfteach as rf

SCHEDULES = {name: rf.NoiseSchedule(name) for name in ("linear", "cosine")}
each = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


def waves(x, t):
    """Stand in for a network."""
    return torch.cos(x) * (1 + t[:, None]) + 0.3 * x


def exact(schedule):
    """The noise prediction for the eight Gaussians, without error."""
    straight = rf.mixture_velocity(rf.EightGaussians())
    velocity = rf.convert_velocity(straight, rf.STRAIGHT, schedule.path)
    return rf.noise_from_velocity(velocity, schedule.path)


def test_the_linear_levels_are_those_of_the_paper():
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    kept = torch.cumprod(1 - beta, dim=0)
    schedule = SCHEDULES["linear"]
    torch.testing.assert_close(schedule.signal, kept.sqrt(), atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(schedule.noise, (1 - kept).sqrt(), atol=1e-5, rtol=1e-3)


def test_the_cosine_levels_are_those_of_the_paper():
    """Nichol and Dhariwal 2021, equation 17, but for the last levels, where beta is capped."""
    place = (torch.arange(1001).double() / 1000 + 0.008) / 1.008
    kept = (math.pi / 2 * place).cos().square()
    wanted = (kept / kept[0])[1:-1].sqrt()
    torch.testing.assert_close(SCHEDULES["cosine"].signal[:-1], wanted, atol=1e-5, rtol=1e-3)


@each
def test_levels_fall_as_time_rises(schedule):
    assert (schedule.signal.diff() < 0).all() and (schedule.noise.diff() > 0).all()
    ends = schedule.level_at(torch.tensor([0.0, 0.0009, 0.001, 0.9999, 1.0]))
    assert ends.tolist() == [999, 999, 998, 0, 0]
    levels = torch.arange(1000)
    times = schedule.time_of(levels)
    assert times.min() == 0 and times.max() == 0.999
    assert torch.equal(schedule.level_at(times + 1e-9), levels)


@each
def test_the_path_passes_the_levels_and_ends_at_the_data(schedule):
    t = schedule.time_of(torch.arange(1000))
    torch.testing.assert_close(schedule.path.signal(t), schedule.signal, atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(schedule.path.noise(t), schedule.noise, atol=1e-9, rtol=1e-7)
    one = torch.ones(1, dtype=torch.float64)
    assert schedule.path.signal(one) == 1 and abs(schedule.path.noise(one)) < 1e-15
    assert repr(schedule) == f"NoiseSchedule({schedule.name!r}, levels=1000)"


@each
def test_the_loss_makes_the_points_that_diffusers_makes(schedule, generator):
    x0, x1 = torch.randn(2, 60, 2, 3, generator=generator)
    t = torch.rand(60, generator=generator)
    seen = []

    def network(x, time):
        seen.append((x, time))
        return 0.5 * x

    loss = rf.noise_matching_loss(network, x0, x1, t, schedule=schedule)
    ((x, time),) = seen
    level = schedule.level_at(t)
    noised = schedule.scheduler("DDPMScheduler").add_noise(x1, x0, level)
    torch.testing.assert_close(x, noised, atol=1e-5, rtol=0)
    torch.testing.assert_close(loss, (x0 - 0.5 * noised).square().sum() / 60)
    torch.testing.assert_close(time, (999 - level) / 1000)
    assert (time <= t).all() and (t - time < 0.00101).all()


@each
def test_no_prediction_beats_the_exact_one(schedule, generator):
    x0 = torch.randn(4000, 2, generator=generator)
    x1 = rf.EightGaussians().sample(4000, generator=generator)
    t = rf.stratified_times(4000, generator=generator)
    best = exact(schedule)
    losses = [
        rf.noise_matching_loss(network, x0, x1, t, schedule=schedule)
        for network in (best, lambda x, t: 0.95 * best(x, t), lambda x, t: best(x, t) + 0.1)
    ]
    assert losses[0] < min(losses[1:])


def test_train_takes_the_loss(generator):
    schedule = SCHEDULES["cosine"]
    torch.manual_seed(0)
    network = rf.VelocityMLP(2, width=16, depth=2)
    pairs = rf.IndependentCoupling(rf.Gaussian(2), rf.Moons())
    loss = functools.partial(rf.noise_matching_loss, schedule=schedule)
    run = rf.train(network, pairs, steps=200, loss=loss, progress=False)
    assert run.losses[-50:].mean() < 0.6 * run.losses[:10].mean()


@each
@pytest.mark.parametrize("steps", [1, 4, 50])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_ddim_is_eulers_method_in_other_coordinates(schedule, steps, spacing, generator):
    """With y = x / signal and s = noise / signal, dy/ds = E[X0 | x] (DDIM, equations 13 and 14)."""
    x0 = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    stride = 1000 // steps
    first = 1000 - stride if spacing == "leading" else 999
    levels = list(range(first, -1, -stride))
    assert len(levels) == steps
    ratio = [(schedule.noise[k] / schedule.signal[k]).item() for k in levels] + [0.0]
    y = x0 / schedule.signal[levels[0]]
    for k, here, there in zip(levels, ratio, ratio[1:], strict=False):
        t = torch.full((30,), (999 - k) / 1000, dtype=torch.float64)
        y = y + (there - here) * waves(y * schedule.signal[k], t)
    path = rf.ddim(waves, x0, schedule=schedule, steps=steps, spacing=spacing)
    torch.testing.assert_close(path.end, y, atol=1e-5, rtol=1e-5)
    assert path.evaluations == steps and path.complete
    assert path.states.shape == (steps + 1, 30, 2) and path.times[-1] == 1
    if spacing == "trailing":
        torch.testing.assert_close(path.times, torch.linspace(0, 1, steps + 1).double())
    short = rf.ddim(waves, x0, schedule=schedule, steps=steps, spacing=spacing, keep="end")
    assert torch.equal(short.end, path.end) and not short.complete


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_ddim_with_v_turns_along_the_circle(steps, generator):
    """One step is x cos(a) + v sin(a): it divides by nothing, at pure noise neither."""
    schedule = SCHEDULES["cosine"]
    x = x0 = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    levels = list(range(999, -1, -1000 // steps))
    angle = torch.atan2(schedule.signal, schedule.noise)
    stops = [*angle[levels].tolist(), math.pi / 2]
    for k, here, there in zip(levels, stops, stops[1:], strict=False):
        t = torch.full((30,), (999 - k) / 1000, dtype=torch.float64)
        x = math.cos(there - here) * x + math.sin(there - here) * waves(x, t)
    path = rf.ddim(waves, x0, schedule=schedule, steps=steps, spacing="trailing", predicts="v")
    torch.testing.assert_close(path.end, x, atol=1e-4, rtol=1e-4)


@each
def test_the_exact_noise_and_the_exact_v_are_one_sampler(schedule, generator):
    x0 = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    predict = exact(schedule)

    def exact_v(x, t):
        level = schedule.level_at(t + 1e-9)[0]
        noise, signal = schedule.noise[level], schedule.signal[level]
        x0 = predict(x, t)
        return noise * (x - noise * x0) / signal - signal * x0

    for sampler in (rf.ddim, rf.ddpm, rf.dpm_solver):
        options = {"schedule": schedule, "steps": 20, "spacing": "leading"}
        ends = []
        for network, predicts in ((predict, "noise"), (exact_v, "v")):
            torch.manual_seed(0)  # the fresh noise of DDPM
            ends.append(sampler(network, x0, predicts=predicts, **options).end)
        torch.testing.assert_close(*ends, atol=1e-3, rtol=1e-3)


def test_v_is_the_velocity_of_the_circle(generator):
    """The loss of the mean velocity per radian is least; a sign or an angle off is worse."""
    schedule = SCHEDULES["cosine"]
    x0 = torch.randn(4000, 2, generator=generator)
    x1 = rf.EightGaussians().sample(4000, generator=generator)
    t = 0.02 + 0.96 * torch.rand(4000, generator=generator)
    straight = rf.mixture_velocity(rf.EightGaussians())
    circle = rf.convert_velocity(straight, rf.STRAIGHT, rf.TRIGONOMETRIC)

    def best(x, t):  # the cosine schedule is an even clock, but for the first degree
        return circle(x, t) / (math.pi / 2)

    losses = [
        rf.v_matching_loss(network, x0, x1, t, schedule=schedule)
        for network in (best, lambda x, t: 0.9 * best(x, t), lambda x, t: -best(x, t))
    ]
    assert losses[0] < losses[1] < losses[2]


def test_dpm_solver_leans_on_the_step_before(generator):
    """Lu et al. 2022, Algorithm 2 (DPM-Solver++(2M)), written out; the last step is DDIM's."""
    schedule = SCHEDULES["linear"]
    x0 = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    levels = list(range(999, -1, -100))
    x, before, h_before = x0, None, None
    for k, j in zip(levels, [*levels[1:], None], strict=True):
        t = torch.full((30,), (999 - k) / 1000, dtype=torch.float64)
        signal, noise = schedule.signal[k], schedule.noise[k]
        data = mean = (x - noise * waves(x, t)) / signal
        if j is None:
            x = data
            break
        h = torch.log(schedule.signal[j] / schedule.noise[j] * noise / signal)
        if before is not None:
            mean = data + h / h_before / 2 * (data - before)
        x = schedule.noise[j] / noise * x - schedule.signal[j] * torch.expm1(-h) * mean
        before, h_before = data, h
    path = rf.dpm_solver(waves, x0, schedule=schedule, steps=10)
    torch.testing.assert_close(path.end, x, atol=1e-4, rtol=1e-4)
    assert path.evaluations == 10


@each
def test_ddpm_with_fewer_steps_has_the_variance_of_the_stride(schedule, generator):
    """One stride from level k to j: the variance is that of X_j, given X_k and the data."""
    x0 = torch.zeros(20_000, 1, dtype=torch.float64)
    path = rf.ddpm(
        lambda x, t: torch.zeros_like(x), x0, schedule=schedule, steps=4, generator=generator,
        keep="path",
    )  # fmt: skip
    kept = schedule.signal.square()
    k, j = 750, 500
    wanted = (1 - kept[j]) / (1 - kept[k]) * (1 - kept[k] / kept[j])
    assert path.evaluations == 4
    torch.testing.assert_close(path.states[1].var(), wanted, rtol=0.05, atol=0)  # 5 errors


def test_a_euler_step_on_the_line_is_a_ddim_step(generator):
    velocity = rf.mixture_velocity(rf.EightGaussians())
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    t, dt = torch.full((30,), 0.3, dtype=torch.float64), 0.1
    x0 = rf.noise_from_velocity(velocity, rf.STRAIGHT)(x, t)
    x1 = (x - 0.7 * x0) / 0.3
    torch.testing.assert_close(x + dt * velocity(x, t), 0.6 * x0 + 0.4 * x1)


@each
def test_ddim_ends_where_the_flow_of_the_line_does(schedule, generator):
    x0 = torch.randn(500, 2, generator=generator, dtype=torch.float64)
    flow = rf.ddim(exact(schedule), x0, schedule=schedule, steps=100, keep="end")
    straight = rf.rk4(rf.mixture_velocity(rf.EightGaussians()), x0, steps=100).end
    assert (flow.end - straight).norm(dim=1).median() < 0.05


@pytest.mark.slow
def test_ddpm_ends_at_the_data_but_is_no_map(generator):
    eight, schedule = rf.EightGaussians(), rf.NoiseSchedule("cosine", levels=250)
    x0 = torch.randn(1000, 2, generator=generator, dtype=torch.float64)
    chain = rf.ddpm(exact(schedule), x0, schedule=schedule, generator=generator)
    assert chain.evaluations == 250 and not chain.complete
    data = eight.sample(1000, generator=generator).double()
    assert abs(rf.energy_distance(chain.end, data)) < 0.02
    straight = rf.rk4(rf.mixture_velocity(eight), x0, steps=50).end
    assert (chain.end - straight).norm(dim=1).median() > 0.5


def test_ddpm_keeps_its_path_and_repeats_with_its_generator(generator):
    schedule = rf.NoiseSchedule("linear", levels=20)
    x0 = torch.randn(5, 2, generator=generator)
    path, again = (
        rf.ddpm(waves, x0, schedule=schedule, generator=generator.manual_seed(1), keep="path")
        for _ in range(2)
    )
    assert torch.equal(path.states, again.states) and path.states.shape == (21, 5, 2)
    assert torch.equal(path.start, x0)
    torch.testing.assert_close(path.times, torch.linspace(0, 1, 21))


def test_gradients_and_dtypes(generator):
    schedule = SCHEDULES["cosine"]
    for dtype in (torch.float32, torch.float64):
        network = rf.VelocityMLP(2, width=4, depth=1).to(dtype)
        x0, x1 = torch.randn(2, 6, 2, dtype=dtype)
        loss = rf.noise_matching_loss(network, x0, x1, torch.rand(6).to(dtype), schedule=schedule)
        assert loss.dtype == dtype and loss.requires_grad
        end = rf.ddim(network, x0, schedule=schedule, steps=2).end
        assert end.dtype == dtype and not end.requires_grad


def test_on_each_device(device, generator):
    schedule = rf.NoiseSchedule("cosine", levels=10)
    x0, x1 = torch.randn(2, 6, 2, generator=generator).to(device)
    t = torch.rand(6).to(device)
    with torch.device(device):
        there = rf.NoiseSchedule("cosine", levels=10)
    for each in (schedule, there):
        assert rf.noise_matching_loss(waves, x0, x1, t, schedule=each).device.type == device
        for sampler in (rf.ddim, rf.ddpm):
            options = {"steps": 5} if sampler is rf.ddim else {}
            assert sampler(waves, x0, schedule=each, **options).end.device.type == device
        v = rf.velocity_from_noise(waves, each.path)
        assert rf.convert_velocity(v, each.path, rf.STRAIGHT)(x0, t).device.type == device


def test_failures_name_the_value_and_the_way_out(generator):
    schedule = SCHEDULES["linear"]
    x0 = torch.randn(4, 2, generator=generator)
    with pytest.raises(ValueError, match="steps = 3 does not divide the 1000 levels.*one of 1, 2"):
        rf.ddim(waves, x0, schedule=schedule, steps=3)
    with pytest.raises(ValueError, match="steps = 0"):
        rf.ddim(waves, x0, schedule=schedule, steps=0)
    with pytest.raises(ValueError, match="NaN or infinity"):
        rf.ddpm(waves, x0 / 0, schedule=schedule)
    with pytest.raises(ValueError, match="levels = 0"):
        rf.NoiseSchedule(levels=0)
    with pytest.raises(ValueError, match="outside"):
        rf.noise_matching_loss(waves, x0, x0, torch.full((4,), 1.5), schedule=schedule)
