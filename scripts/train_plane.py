"""Train the flows that rfteach ships for the playground: python -m scripts.train_plane

Writes one safetensors file per data set into rfteach/weights, and plane.json beside them: the
recipe, the log of each training, and what was measured. On two CPU cores it takes about ten
minutes, with the same bits on the same kind of machine.
"""

import copy
import json
import time
from concurrent.futures import ProcessPoolExecutor

import torch

import rfteach as rf
from scripts import weights

DATA = {"moons": rf.Moons, "eight Gaussians": rf.EightGaussians, "circle": rf.Circle}
TRAINING = {"steps": 8000, "batch_size": 1024}
PAIRS = {"size": 100_000, "steps": 40}
SEED = 0
POINTS, DRAWS = 2000, 4  # of each measured distance


def train(data: str) -> tuple[dict[str, rf.VelocityMLP], dict]:
    """Train the four models of a data set, and keep the log of each."""
    noise, log = rf.Gaussian(2), {}
    generator = torch.Generator().manual_seed(SEED)

    def fit(name, velocity, coupling, how=rf.train):
        run = how(velocity, coupling, seed=SEED, progress=False, **TRAINING)
        every = run.steps // 8
        log[name] = {
            "seconds": round(run.seconds, 1),
            "losses": [round(part.mean().item(), 4) for part in run.losses.split(every)],
        }
        return velocity

    def pairs(velocity):
        return rf.flow_coupling(velocity, noise, generator=generator, progress=False, **PAIRS)

    torch.manual_seed(SEED)
    models = {"1-RF": rf.VelocityMLP(dim=2)}
    fit("1-RF", models["1-RF"], rf.IndependentCoupling(noise, DATA[data]()))
    first = pairs(models["1-RF"])
    models["2-RF"] = fit("2-RF", copy.deepcopy(models["1-RF"]), first)
    models["3-RF"] = fit("3-RF", copy.deepcopy(models["2-RF"]), pairs(models["2-RF"]))
    models["distilled"] = fit("distilled", copy.deepcopy(models["1-RF"]), first, rf.distill)
    return models, log


def measure(velocity: rf.VelocityMLP, data: str) -> dict[str, float]:
    """Measure the straightness at 100 Euler steps, and the distance to the data by steps."""
    generator = torch.Generator().manual_seed(SEED + 1)
    found: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        start = rf.Gaussian(2).sample(POINTS, generator=generator)
        target = DATA[data]().sample(POINTS, generator=generator)
        for steps in (1, 10, 100):
            path = rf.euler(velocity, start, steps=steps)
            found.setdefault(f"W2, {steps} steps", []).append(rf.wasserstein2(path.end, target))
        found.setdefault("S", []).append(rf.straightness(path))
    return {name: float(f"{sum(values) / DRAWS:.3g}") for name, values in found.items()}


def make(data: str) -> dict:
    """Train, round, save and measure; return the entry of the manifest."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    models, log = train(data)
    return {
        **weights.save_models(
            weights.FOLDER / f"{data.lower().replace(' ', '_')}.safetensors", models
        ),
        "network": {"kind": "VelocityMLP", "dim": 2},
        "models": {
            model: {**log[model], "measured": measure(velocity, data)}
            for model, velocity in models.items()
        },
        "seconds": round(time.perf_counter() - started),
    }


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        entries = dict(zip(DATA, pool.map(make, DATA), strict=True))
    record = {
        "made_by": "python -m scripts.train_plane",
        "torch": torch.__version__,
        "seed": SEED,
        "training": TRAINING,
        "pairs": PAIRS,
        "data": entries,
    }
    (weights.FOLDER / "plane.json").write_text(json.dumps(record, indent=1) + "\n")
    for data, entry in entries.items():
        print(f"{data}: {entry['seconds']} s")
        for model, facts in entry["models"].items():
            print(f"  {model:10s}", facts["measured"])
