"""What a network should predict: four targets, two weights, into rfteach/_shipped/predictions.json.

    python -m benchmarks.predictions

One network and one number of steps for all. The loss of each target is taken as it is, and with the
weight that makes it the squared error of the velocity (chapter 8, which reads the record). Takes
about ten minutes on one core. A run that is in the record already is not made again.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import rfteach as rf

RECORD = Path(__file__).parents[1] / "rfteach" / "_shipped" / "predictions.json"
SEEDS, RATES, TRAINING = range(5), (0.01, 0.003, 0.02), 1000
STEPS, CLOUDS, POINTS, NEAREST = 50, 8, 500, 0.01
NOISE, MOONS = rf.Gaussian(2), rf.Moons()
TARGETS, WEIGHTS = ("velocity", "V", "data", "noise"), ("own", "of the velocity")


def weight(target: str, t: Tensor) -> Tensor:
    """Return the velocity's squared error over that of the target, kept below 10,000."""
    t = t.clamp(NEAREST, 1 - NEAREST)
    return {
        "velocity": torch.ones_like(t),
        "V": 1 / (t**2 + (1 - t) ** 2),
        "data": 1 / (1 - t) ** 2,
        "noise": 1 / t**2,
    }[target]


def target_of(target: str, x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
    """Return what a network learns to predict; t has shape (batch, 1)."""
    length = (t**2 + (1 - t) ** 2).sqrt()
    return {
        "velocity": x1 - x0,
        "V": ((1 - t) * x1 - t * x0) / length,
        "data": x1,
        "noise": x0,
    }[target]


def velocity_of(target: str, network: rf.Velocity) -> rf.Velocity:
    """Return the velocity that belongs to a prediction; no time counts as nearer to an end."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        found = network(x, t)
        t = t[:, None].clamp(NEAREST, 1 - NEAREST)
        square = t**2 + (1 - t) ** 2
        if target == "V":
            return ((2 * t - 1) * x + square.sqrt() * found) / square
        if target == "data":
            return (found - x) / (1 - t)
        return (x - found) / t if target == "noise" else found

    return velocity


def trained(target: str, weighted: str, rate: float, seed: int) -> rf.VelocityMLP:
    """Train the network of chapter 8 to predict a target."""

    def loss(network, x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
        wanted = target_of(target, x0, x1, t[:, None])
        error = (network(rf.interpolate(x0, x1, t), t) - wanted).square().sum(dim=1)
        return (error if weighted == "own" else weight(target, t) * error).mean()

    torch.manual_seed(seed)
    network = rf.VelocityMLP(dim=2)
    pairs = rf.IndependentCoupling(NOISE, MOONS)
    settings = {"steps": TRAINING, "learning_rate": rate, "seed": seed, "progress": False}
    rf.train(network, pairs, loss=loss, **settings)
    return network


def clouds(seed: int) -> list[list[Tensor]]:
    """Return triples of noise, data, and other data, which are the floor of the judge."""
    generator = torch.Generator().manual_seed(2000 + seed)
    laws = (NOISE, MOONS, MOONS)
    return [[d.sample(POINTS, generator=generator) for d in laws] for _ in range(CLOUDS)]


def measured(target: str, weighted: str, rate: float, seed: int) -> dict[str, float]:
    """Train one network; return the distance of its samples, and that of two true samples."""
    network, draws = trained(target, weighted, rate, seed), clouds(seed)
    starts = torch.cat([z for z, _, _ in draws])
    with torch.no_grad():
        ends = rf.euler(velocity_of(target, network), starts, steps=STEPS, keep="end").end
    parts = zip(ends.split(POINTS), draws, strict=True)
    distance = np.mean([rf.wasserstein2(cloud, data) for cloud, (_, data, _) in parts])
    floor = np.mean([rf.wasserstein2(other, data) for _, data, other in draws])
    return {"distance": round(float(distance), 5), "floor": round(float(floor), 5)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ |= {"OMP_NUM_THREADS": "1"}
    runs = json.loads(RECORD.read_text())["runs"] if RECORD.exists() else []
    names = ("target", "weight", "rate", "seed")
    done = {tuple(run[name] for name in names) for run in runs}
    jobs = [(t, w, r, s) for s in SEEDS for r in RATES for t in TARGETS for w in WEIGHTS]
    for job in jobs:
        # the velocity's own weight is 1
        if job not in done and job[:2] != ("velocity", "of the velocity"):
            runs.append(dict(zip(names, job, strict=True)) | measured(*job))
            print(runs[-1], flush=True)
            record = {
                "what": f"2-Wasserstein distance to the moons, {CLOUDS} clouds of {POINTS} points",
                "made_by": "python -m benchmarks.predictions",
                "training_steps": TRAINING,
                "steps": STEPS,
                "runs": runs,
            }
            RECORD.write_text(json.dumps(record) + "\n")
