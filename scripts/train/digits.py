"""The flows that the playground of chapter 9 draws digits with: 8 x 8 pixels, given the label.

They are a 1-RF, the 2-RF that Reflow makes of it, and both distilled into one step. They are small
enough to travel with a page, and to be trained anew with other seeds.
"""

import copy
from functools import partial

import torch

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh

NOISE = rf.Gaussian(64)
DRAWS = 3  # sets of noise in each measurement


def train_flows(job: Job, seed: int) -> dict:
    """Train the five flows, or load what is trained already."""
    preset = job.preset
    images, labels = (tensor.to(DEVICE) for tensor in rf.digits())

    def fit(name, velocity, coupling, **how):
        how = {**preset.training, "seed": seed, **how}
        return job.fit(f"{name}, seed {seed}", velocity, coupling, bf16=False, **how)

    def pairs(name, velocity, *, size=preset.pairs["size"], series):
        asked = torch.arange(size, device=DEVICE) % 10
        settings = {**preset.pairs, "size": size, "condition": asked, "seed": 10 * seed + series}
        return job.flow_pairs(f"pairs of the {name}, seed {seed}", velocity, NOISE, **settings)

    first = fit(
        "1-RF",
        fresh(rf.VelocityMLP, 64, classes=10, seed=seed, **preset.network),
        rf.ConditionalCoupling(NOISE, images.flatten(1), labels),
    )
    second = fit(
        "2-RF",
        copy.deepcopy(first),
        pairs("1-RF", first, series=0),
        time_sampler=rf.u_shaped_times,
        loss=rf.pseudo_huber_loss,
    )
    distill = partial(fit, how=rf.distill, loss=rf.pseudo_huber_loss)
    last = distill("distilled", copy.deepcopy(second), pairs("2-RF", second, series=1))
    # the rival: as many steps and pairs as Reflow and distillation have together, and half of them
    twice = {"size": 2 * preset.pairs["size"], "series": 2}
    more_pairs = pairs("1-RF for distillation", first, **twice)
    steps = preset.training["steps"]
    rivals = {
        name: distill(name, copy.deepcopy(first), more_pairs, steps=count)
        for name, count in (("1-RF distilled", 2 * steps), ("1-RF distilled, half time", steps))
    }
    return {"1-RF": first, "2-RF": second, "distilled": last, **rivals}


def measure(velocity, counts: list[int], samples: int) -> dict:
    """Measure by number of steps, for each set of noise: distance to the data, right labels."""
    images, labels = (tensor.to(DEVICE) for tensor in rf.digits())
    real = rf.feature_moments(images.flatten(1))
    asked = torch.arange(samples, device=DEVICE) % 10
    bound = rf.with_condition(velocity, asked)
    generator = torch.Generator(DEVICE).manual_seed(SEED + 1000)
    found: dict = {n: {"Fréchet distance": [], "right label": []} for n in counts}
    for _ in range(DRAWS):
        start = NOISE.sample(samples, generator=generator, device=DEVICE)
        for n in counts:
            end = rf.euler(bound, start, steps=n, keep="end").end
            nearest = torch.cdist(end, images.flatten(1)).argmin(dim=1)
            found[n]["Fréchet distance"].append(rf.frechet_distance(rf.feature_moments(end), real))
            found[n]["right label"].append((labels[nearest] == asked).double().mean().item())
    return found


def floor(samples: int) -> list[float]:
    """Measure as many real images, drawn with repetition: what a perfect flow would have."""
    images, _ = rf.digits()
    images = images.flatten(1)
    real = rf.feature_moments(images)
    generator = torch.Generator().manual_seed(SEED)
    draws = [images[torch.randint(len(images), (samples,), generator=generator)] for _ in range(20)]
    return [rf.frechet_distance(rf.feature_moments(draw), real) for draw in draws]


def run(job: Job) -> None:
    """Train and measure the flows of each seed; those of the first one are shipped."""
    job.require()
    preset = job.preset
    shipped, models, others = {}, {}, {}
    for seed in range(SEED, SEED + preset.seeds):
        flows = train_flows(job, seed)
        shipped = shipped or flows
        for name, flow in flows.items():
            counts = preset.steps.get(name, [1])  # the others were made for one step
            find = partial(measure, flow, counts, preset.samples)
            measured = job.note(f"{name}, seed {seed}, measured", find)
            if seed == SEED:
                models[name] = {**job.note(f"{name}, seed {seed}"), "measured": measured}
            else:
                others.setdefault(name, []).append(measured)
    saved = job.save_flows("digits.safetensors", shipped)
    job.write(
        {
            "floor": job.note("floor", partial(floor, preset.samples)),
            "other seeds": others,
            "data": {"digits": {**saved, "models": models}},
        }
    )
