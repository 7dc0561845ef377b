"""Does a flow return its training points? Over many runs, into rfteach/_shipped/memory.json.

    python -m benchmarks.memory

A flow learns from a few points of the circle, for a few or for many steps, and its samples are held
against these points and against fresh ones. Takes about half an hour on one core. A run that is in
the record already is not made again, so an interrupted one goes on. The second half of chapter 7
reads it.
"""

import json
import os
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf

RECORD = Path(__file__).parents[1] / "rfteach" / "_shipped" / "memory.json"
NOISE, CIRCLE = rf.Gaussian(2), rf.Circle()
SEEDS, STEPS, POINTS = (0, 1, 2), (500, 2000, 8000), (20, 500)
SAMPLES, FRESH_SETS, PAIRS, SHOWN = 2000, 20, 20_000, 300

SETTINGS = {  # what differs from the book's network and training
    "as in the book": {},
    "targets without noise": {"targets": "exact"},
    "no moving average": {"ema_decay": 0.0},
    "network four times as wide": {"width": 256},
}


def jobs() -> list[tuple[str, int, int, int]]:
    """Return all runs, as (setting, points, steps, seed), the most important first."""
    book, *others, wide = SETTINGS
    few, many = POINTS
    return (
        [(book, n, steps, seed) for seed in SEEDS for n in POINTS for steps in STEPS]
        + [(name, few, 2000, seed) for name in others for seed in SEEDS]
        + [(wide, many, 2000, seed) for seed in SEEDS]
        + [(book, many, 32000, seed) for seed in SEEDS]
    )


def seeded(*numbers: int) -> torch.Generator:
    """Return a generator of its own for each list of numbers."""
    code = sum(number * 10_007**k for k, number in enumerate(numbers))
    return torch.Generator().manual_seed(code % 2**31)


def best_velocity(points: Tensor) -> rf.Velocity:
    """Return the exact velocity of a finite training set."""
    return rf.mixture_velocity(rf.GaussianMixture(points, torch.zeros(len(points))))


def circle_velocity() -> rf.Velocity:
    """Return the exact velocity of the circle, as 64 blobs (chapter 3)."""
    angle = 2 * torch.pi * torch.arange(64) / 64
    centers = torch.stack([angle.cos(), angle.sin()], dim=1)
    return rf.mixture_velocity(rf.GaussianMixture(centers, torch.full((64,), 0.1)))


def exact_target_loss(velocity, x0, x1, t, *, best: rf.Velocity) -> Tensor:
    """Compare with the mean velocity of all lines at a place, in place of that of one line."""
    xt = rf.interpolate(x0, x1, t)
    return (velocity(xt, t) - best(xt, t)).square().sum(dim=1).mean()


def nearness(samples: Tensor, training: Tensor, fresh: list[Tensor]) -> tuple[float, float]:
    """Return how many samples are nearer to the training points, and three times nearer.

    Nearer than to a fresh set of as many points, averaged over the sets.
    """
    own = torch.cdist(samples, training).amin(1)
    others = torch.stack([torch.cdist(samples, points).amin(1) for points in fresh])
    return (own < others).float().mean().item(), (3 * own < others).float().mean().item()


def mean_loss(velocity: rf.Velocity, points: Tensor, generator: torch.Generator) -> float:
    """Return the loss of a velocity on lines from noise to these points."""
    total, batch = 0.0, 2000
    for _ in range(PAIRS // batch):
        x0 = NOISE.sample(batch, generator=generator)
        x1 = points[torch.randint(len(points), (batch,), generator=generator)]
        t = rf.stratified_times(batch, generator=generator)
        total += rf.velocity_matching_loss(velocity, x0, x1, t).item() * batch / PAIRS
    return total


def measured(setting: str, n: int, steps: int, seed: int) -> dict:
    """Train one flow and measure it."""
    training = CIRCLE.sample(n, generator=seeded(n, seed, 0))
    fresh = [CIRCLE.sample(n, generator=seeded(n, seed, 1 + k)) for k in range(FRESH_SETS)]
    truth = CIRCLE.sample(SAMPLES, generator=seeded(n, seed, 100))
    best, options = best_velocity(training), dict(SETTINGS[setting])
    torch.manual_seed(seed)
    network = rf.VelocityMLP(dim=2, width=options.pop("width", 64))
    if options.pop("targets", None):
        options["loss"] = partial(exact_target_loss, best=best)
    pairs = rf.IndependentCoupling(NOISE, rf.Empirical(training))
    rf.train(network, pairs, steps=steps, seed=seed, progress=False, **options)

    with torch.no_grad():
        starts = NOISE.sample(SAMPLES, generator=seeded(n, seed, 200))
        ends = rf.heun(network, starts, steps=50, keep="end").end
        many = CIRCLE.sample(PAIRS, generator=seeded(n, seed, 300))
        losses = {
            "loss, training": mean_loss(network, training, seeded(n, seed, 400)),
            "floor, training": mean_loss(best, training, seeded(n, seed, 400)),
            "loss, fresh": mean_loss(network, many, seeded(n, seed, 500)),
            "floor, fresh": mean_loss(circle_velocity(), many, seeded(n, seed, 500)),
        }
    (nearer, copies), (chance, chance_copies) = (
        nearness(points, training, fresh) for points in (ends, truth)
    )
    found = {"nearer": nearer, "nearer, true": chance}
    found |= {"copies": copies, "copies, true": chance_copies} | losses
    found = {name: round(value, 4) for name, value in found.items()}
    if seed == 0 and setting == "as in the book":
        found["samples"] = [[round(c, 2) for c in point] for point in ends[:SHOWN].tolist()]
        found["points"] = [[round(c, 3) for c in point] for point in training.tolist()]
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ |= {"OMP_NUM_THREADS": "1"}
    runs = json.loads(RECORD.read_text())["runs"] if RECORD.exists() else []
    done = {(r["setting"], r["n"], r["steps"], r["seed"]) for r in runs}
    for job in jobs():
        if job not in done:
            names = dict(zip(("setting", "n", "steps", "seed"), job, strict=True))
            runs.append(names | measured(*job))
            print({k: v for k, v in runs[-1].items() if k not in ("samples", "points")}, flush=True)
            record = {
                "what": "samples of flows that learn from a few points of the circle",
                "made_by": "python -m benchmarks.memory",
                "samples": SAMPLES,
                "fresh_sets": FRESH_SETS,
                "runs": runs,
            }
            RECORD.write_text(json.dumps(record) + "\n")
