"""Record the races of chapter 15 over several seeds, in rfteach/_shipped/flow_maps.json.

    python -m benchmarks.flow_maps

Every network is the small one of the plane, the data are two moons, and every run is judged by the
energy distance between its samples and data, the mean over the same clouds for all. Times are CPU
seconds of one thread, training of all stages included.
"""

import ast
import copy
import functools
import hashlib
import json
import os
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "rfteach" / "_shipped" / "flow_maps.json"
SEEDS = (1, 2, 3)
BUDGETS = (500, 1000, 2000)  # training steps
STEPS = 500  # of a variant
RATE = 1e-2  # learning rate of the networks that jump: better than train's own 5e-3 and 2e-3
JUMPS = (1, 2, 4)
NOISE, MOONS = rf.Gaussian(2), rf.Moons()
COUPLING = rf.IndependentCoupling(NOISE, MOONS)


def fingerprint() -> str:
    """Return a hash of this script as Python sees it: layout and comments do not matter."""
    return hashlib.sha256(ast.unparse(ast.parse(Path(__file__).read_text())).encode()).hexdigest()


def within(x: Tensor) -> float:
    """Return the mean distance between two different points of a cloud."""
    return (torch.cdist(x, x).double().sum() / (len(x) * (len(x) - 1))).item()


@functools.cache
def clouds() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    """Return four clouds of noise, data and other data, and the mean distance within the data."""
    judge = torch.Generator().manual_seed(1234)
    drawn = [
        tuple(d.sample(3000, generator=judge) for d in (NOISE, MOONS, MOONS)) for _ in range(4)
    ]
    return [(z, x, other, within(x)) for z, x, other in drawn]


def energy(end: Tensor, x: Tensor, within_x: float) -> float:
    """Return `rf.energy_distance`, in single precision and without repeating what is known."""
    return 2 * torch.cdist(end, x).double().mean().item() - within(end) - within_x


@torch.no_grad()
def distance(sampler) -> float:
    """Return the mean energy distance between what a sampler makes of noise and data."""
    found = [energy(sampler(z), x, within_x) for z, x, _, within_x in clouds()]
    return round(statistics.mean(found), 6)


def jumps(velocity, z: Tensor, n: int) -> Tensor:
    """Make n jumps of equal length from t = 0 to 1."""
    for i in range(n):
        z = rf.jump(velocity, z, i / n, (i + 1) / n)
    return z


def shortcut_loss(velocity, x0, x1, t):
    """Two half steps are one: the target of a shortcut model, here for any t and r."""
    t, r = t.unbind(dim=1)
    x, middle = rf.interpolate(x0, x1, t), (t + r) / 2
    with torch.no_grad():
        first = velocity(x, t, middle)
        second = velocity(x + (middle - t)[:, None] * first, middle, r)
    target = torch.where((r > t)[:, None], (first + second) / 2, x1 - x0)
    return (velocity(x, t, r) - target).square().sum(dim=1).mean()


def by_derivative(velocity, x0, x1, t, *, stop=True, along="line", flow=None):
    """MeanFlow's loss with one thing changed; with the defaults it is that of the paper."""
    t, r = t.unbind(dim=1)
    x, line = rf.interpolate(x0, x1, t), x1 - x0
    with torch.no_grad():
        v = line if flow is None else flow(x, t)
        tangent = v if along == "line" else velocity(x, t, t)
    told = (x, t, r)
    u, slope = torch.func.jvp(velocity, told, (tangent, torch.ones_like(t), torch.zeros_like(r)))
    target = v + (r - t)[:, None] * slope
    return (u - (target.detach() if stop else target)).square().sum(dim=1).mean()


def to_the_end(n, *, generator=None, device=None):
    """Every step ends at r = 1: the times of a consistency model."""
    t = rf.uniform_times(n, generator=generator, device=device)
    return torch.stack([t, torch.ones_like(t)], dim=1)


def fit(seed: int, steps: int, loss=rf.mean_flow_loss, times=None, **settings):
    """Train a network that is told the end of its step; return it, its run and the CPU time."""
    times = times or functools.partial(rf.time_pairs, equal=0.25)
    settings = {"learning_rate": RATE} | settings
    torch.manual_seed(seed)
    velocity = rf.VelocityMLP(2, jumps=True)
    started = time.process_time()
    run = rf.train(
        velocity,
        COUPLING,
        steps=steps,
        loss=loss,
        time_sampler=times,
        seed=seed,
        progress=False,
        **settings,
    )
    return velocity, run, time.process_time() - started


def ladder(seed: int, steps: int) -> dict:
    """One step by way of pairs, as in chapter 6: 1-RF, 2-RF and distilled, with their times."""
    torch.manual_seed(seed)
    flow = rf.VelocityMLP(2)
    marks = [time.process_time()]
    rf.train(flow, COUPLING, steps=steps, seed=seed, progress=False)
    marks.append(time.process_time())
    pairs = rf.flow_coupling(flow, NOISE, size=50_000)
    marks.append(time.process_time())
    student, second = copy.deepcopy(flow), copy.deepcopy(flow)
    rf.distill(student, pairs, steps=steps * 2 // 3, seed=seed, progress=False)
    marks.append(time.process_time())
    rf.train(second, pairs, steps=steps, seed=seed, progress=False)
    marks.append(time.process_time())
    first, made, taught, again = (b - a for a, b in zip(marks, marks[1:], strict=False))
    seconds = {
        "1-RF": first,
        "1-RF, distilled": first + made + taught,
        "2-RF": first + made + again,
    }
    models = {"1-RF": flow, "1-RF, distilled": student, "2-RF": second}
    found = {
        name: {
            "seconds": round(seconds[name], 3),
            "distance": [distance(lambda z, v=v, n=n: rf.euler(v, z, steps=n).end) for n in JUMPS],
        }
        for name, v in models.items()
    }
    return found


def judged(velocity, run, seconds: float) -> dict:
    """Return what is recorded of a network that jumps."""
    return {
        "seconds": round(seconds, 3),
        "loss": round(run.losses[-200:].mean().item(), 5),
        "distance": [distance(lambda z, n=n: jumps(velocity, z, n)) for n in JUMPS],
        "distance at 32": distance(lambda z: rf.euler(velocity, z, steps=32).end),
    }


def variants() -> dict[str, dict]:
    """Return the settings of each variant by its name."""
    change = functools.partial
    shares = {
        f"equal {share}": {"times": change(rf.time_pairs, equal=share)}
        for share in (0.0, 0.25, 0.75)
    }
    flow = rf.pretrained("moons")["1-RF"]
    return shares | {
        "power 1": {"loss": change(rf.mean_flow_loss, power=1.0)},
        "own derivative": {"loss": change(by_derivative, along="own")},
        "no stop": {"loss": change(by_derivative, stop=False)},
        "no stop, flow known": {"loss": change(by_derivative, stop=False, flow=flow)},
        "consistency": {"times": to_the_end},
    }


def race(seed: int, steps: int) -> dict:
    """Return time and distances of every model of one budget."""
    jumping = {
        "MeanFlow": judged(*fit(seed, steps)),
        "shortcut": judged(*fit(seed, steps, shortcut_loss)),
    }
    return {
        name: {key: run[key] for key in ("seconds", "distance")}
        for name, run in (ladder(seed, steps) | jumping).items()
    }


def all_of(seed: int) -> tuple[dict, dict]:
    """Run the races and the variants of one seed."""
    torch.set_num_threads(1)
    fit(seed, 20)  # what is slow only once
    races = {str(steps): race(seed, steps) for steps in BUDGETS}
    return races, varied(seed)


def varied(seed: int) -> dict:
    """Return what the variants of one seed have reached."""
    return {name: judged(*fit(seed, STEPS, **settings)) for name, settings in variants().items()}


def main() -> None:
    """Run everything and write the record."""
    runs = {seed: all_of(seed) for seed in SEEDS}
    record = {
        "what": "energy distance to the data after 1, 2 and 4 steps, chapter 15",
        "made_by": "python -m benchmarks.flow_maps",
        "code": fingerprint(),
        "seeds": list(SEEDS),
        "jumps": list(JUMPS),
        "budgets": list(BUDGETS),
        "steps": STEPS,
        "two true samples": [round(energy(a, x, w), 6) for _, x, a, w in clouds()],
        "races": {
            str(steps): {str(seed): races[str(steps)] for seed, (races, _) in runs.items()}
            for steps in BUDGETS
        },
        "variants": {
            name: {str(seed): runs[seed][1][name] for seed in SEEDS} for name in variants()
        },
    }
    RECORD.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    main()
