"""Record what the scale of latents changes in training, for chapter 18, in latent_scale.json.

    python -m benchmarks.latent_scale

The latents are the first 16 numbers of PCA of 2,000 images. A flow to s times the latents is a flow
to the latents themselves, at another time and place. So four trainings have one and the same
expected loss, up to a factor: the network sees points of the scale s or of the scale 1, and its
times are equal in the clock of the scale s or in that of the scale 1, each weighted so that the
loss stays the same. A fifth, at the scale 1, takes the times of the scale s without the weight. All
are sampled in the same way, at the scale 1, and each has its own best learning rate.
"""

import ast
import hashlib
import json
import statistics
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf

RECORD = Path(__file__).parents[1] / "rfteach" / "_shipped" / "latent_scale.json"
NUMBERS, STEPS, BATCH, EULER = 16, 500, 256, 20
SCALES = (0.1, 0.3, 3.0, 10.0)
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
ARMS = ("all", "numbers", "times", "none", "times, no weight")
SEEDS = (1, 2, 3, 4, 5)
OTHER_SEED = 100  # of the runs that choose a learning rate


def fingerprint() -> str:
    """Return a hash of this script as Python sees it: layout and comments do not matter."""
    return hashlib.sha256(ast.unparse(ast.parse(Path(__file__).read_text())).encode()).hexdigest()


def at_scale(velocity, s: float):
    """Return the velocity to s times the data, made of the one to the data."""

    def scaled(x: Tensor, t: Tensor) -> Tensor:
        c = ((1 - t) + s * t)[:, None]
        return ((s - 1) * x + s * velocity(x / c, rf.shift_times(t, 1 / s))) / c

    return scaled


def shifted_times(n: int, *, alpha: float, generator=None, device=None) -> Tensor:
    """Draw stratified times, and shift them."""
    return rf.shift_times(rf.stratified_times(n, generator=generator, device=device), alpha)


def weighted_loss(velocity, x0: Tensor, x1: Tensor, t: Tensor, *, weight) -> Tensor:
    """Return the loss with a weight for each time."""
    error = velocity(rf.interpolate(x0, x1, t), t) - (x1 - x0)
    return (weight(t) * error.square().sum(dim=1)).mean()


def how(arm: str, s: float) -> tuple[float, dict]:
    """Return the scale of the data that the network sees, and how the times are drawn."""

    def weight(t: Tensor) -> Tensor:  # at the scale 1, for times that are equal at the scale s
        own = rf.shift_times(t, s)
        return s / ((1 - own) + own * s) ** 2

    def inverse(t: Tensor) -> Tensor:  # at the scale s, for times that are equal at the scale 1
        return ((1 - t) + t * s) ** 2 / s

    crowded = partial(shifted_times, alpha=1 / s)
    return {
        "all": (s, {}),
        "numbers": (
            s,
            {
                "time_sampler": partial(shifted_times, alpha=s),
                "loss": partial(weighted_loss, weight=inverse),
            },
        ),
        "times": (
            1.0,
            {"time_sampler": crowded, "loss": partial(weighted_loss, weight=weight)},
        ),
        "none": (1.0, {}),
        "times, no weight": (1.0, {"time_sampler": crowded}),
    }[arm]


def unit_latents(images: Tensor, other: Tensor) -> list[Tensor]:
    """Return latents of both, in the directions and at the scale of the first."""
    flat = images.flatten(1)
    directions = torch.linalg.svd(flat - flat.mean(dim=0), full_matrices=False)[2][:NUMBERS]
    latents = [(x.flatten(1) - flat.mean(dim=0)) @ directions.T for x in (images, other)]
    return [each / latents[0].std() for each in latents]


def distance(unit: Tensor, arm: str, s: float, rate: float, seed: int) -> float:
    """Train once; return the energy distance of its samples to the data, at the scale 1."""
    scale, settings = how(arm, s)
    torch.manual_seed(seed)
    velocity = rf.VelocityMLP(NUMBERS)
    coupling = rf.IndependentCoupling(rf.Gaussian(NUMBERS), rf.Empirical(scale * unit))
    settings = {"steps": STEPS, "batch_size": BATCH, "learning_rate": rate, **settings}
    rf.train(velocity, coupling, seed=seed, progress=False, **settings)
    start = torch.randn(len(unit), NUMBERS, generator=torch.Generator().manual_seed(1000 + seed))
    back = at_scale(velocity, 1 / scale)
    return rf.energy_distance(rf.euler(back, start, steps=EULER, keep="end").end, unit)


def main() -> None:
    """Train all, and write the record."""
    torch.set_num_threads(1)
    images = rf.fashion()[0]
    unit, other = unit_latents(images, rf.fashion("test")[0][: len(images)])
    runs = {}
    for s in (1.0, *SCALES):
        for arm in ("none",) if s == 1 else ARMS:
            if s != 1 and arm == "none":
                continue
            tried = {r: distance(unit, arm, s, r, OTHER_SEED) for r in RATES}
            best = min(tried, key=tried.__getitem__)
            found = [round(distance(unit, arm, s, best, seed), 5) for seed in SEEDS]
            runs.setdefault(f"{s:g}", {})[arm] = {
                "rates": {f"{r:g}": round(d, 5) for r, d in tried.items()},
                "rate": best,
                "distance": found,
            }
            print(s, arm, best, round(statistics.mean(found), 4), flush=True)
    record = {
        "made_by": "python -m benchmarks.latent_scale",
        "code": fingerprint(),
        "torch": torch.__version__,
        "seeds": SEEDS,
        "test images": rf.energy_distance(other, unit),
        "runs": runs,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
