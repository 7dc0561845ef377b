"""The flows in the plane that the playground and chapters 4 to 6 use: four for each data set.

They are a 1-RF, the 2-RF and 3-RF that Reflow makes of it, and the 1-RF distilled into one step.
"""

import copy
from functools import partial

import torch

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh

NOISE = rf.Gaussian(2)
DATA = {"moons": rf.Moons(), "eight Gaussians": rf.EightGaussians(), "circle": rf.Circle()}
DRAWS = 4  # of the samples in each measurement


def train_flows(job: Job, data: str) -> dict:
    """Train the four flows of a data set, or load what is trained already."""

    def fit(name, velocity, coupling, how=rf.train):
        settings = job.preset.training
        return job.fit(f"{data}, {name}", velocity, coupling, how=how, bf16=False, **settings)

    def pairs(name, velocity, seed):
        name = f"{data}, pairs of the {name}"
        return job.flow_pairs(name, velocity, NOISE, seed=seed, **job.preset.pairs)

    first = fit("1-RF", fresh(rf.VelocityMLP, 2), rf.IndependentCoupling(NOISE, DATA[data]))
    first_pairs = pairs("1-RF", first, SEED)
    second = fit("2-RF", copy.deepcopy(first), first_pairs)
    second_pairs = pairs("2-RF", second, SEED + 1)
    return {
        "1-RF": first,
        "2-RF": second,
        "3-RF": fit("3-RF", copy.deepcopy(second), second_pairs),
        "distilled": fit("distilled", copy.deepcopy(first), first_pairs, rf.distill),
    }


def measure(velocity, data: str, samples: int) -> dict[str, float]:
    """Measure the straightness at 100 Euler steps, and the distance to the data by steps."""
    generator = torch.Generator().manual_seed(SEED + 1)
    found: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        start, target = (
            end.sample(samples, generator=generator, device=DEVICE) for end in (NOISE, DATA[data])
        )
        for steps in (1, 10, 100):
            path = rf.euler(velocity, start, steps=steps)
            found.setdefault(f"W2, {steps} steps", []).append(rf.wasserstein2(path.end, target))
        found.setdefault("S", []).append(rf.straightness(path))
    return {name: sum(values) / DRAWS for name, values in found.items()}


def run(job: Job) -> None:
    """Train and measure the flows of each data set."""
    job.require()
    entries = {}
    for data in DATA:
        flows = train_flows(job, data)
        models = {
            name: {
                **job.note(f"{data}, {name}"),
                "measured": job.note(
                    f"{data}, {name}, measured",
                    partial(measure, flow, data, job.preset.samples),
                ),
            }
            for name, flow in flows.items()
        }
        file = f"{data.lower().replace(' ', '_')}.safetensors"
        entries[data] = {**job.save_flows(file, flows), "models": models}
    job.write({"data": entries})
