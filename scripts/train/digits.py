"""The flows that the playground of chapter 9 draws digits with: 8 x 8 pixels, given the label.

They are a 1-RF, the 2-RF that Reflow makes of it, and both distilled into one step. They are small
enough to travel with a page, and to be trained anew with other seeds. The learning rate of each is
the best of a few for a seed that is not measured.
"""

import copy
from functools import partial

import torch

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh

NOISE = rf.Gaussian(64)
DISTANCE = "Fréchet distance"
DRAWS = 3  # sets of noise in each measurement


def train_flows(job: Job, seed: int, rates: dict[str, list[float]]) -> tuple[dict, dict]:
    """Train the five flows, each at the best of its rates, or load what is trained already.

    Returns the flows, and for each that had a choice the distances at each rate.
    """
    preset, tried = job.preset, {}
    images, labels = (tensor.to(DEVICE) for tensor in rf.digits())

    def fit(name, velocity, coupling, **how):
        flows = {}
        for rate in rates[name]:
            training = {**preset.training, "seed": seed, "learning_rate": rate, **how}
            stage, flow = f"{name}, seed {seed}, rate {rate:g}", copy.deepcopy(velocity)
            flows[rate] = job.fit(stage, flow, coupling, bf16=False, **training)
        if len(flows) == 1:
            return flows[rate]
        steps = preset.steps["1-RF"][-1] if name == "1-RF" else 1  # what the flow is made for
        for rate, flow in flows.items():
            find = partial(measure, flow, [steps], preset.samples)
            found = job.note(f"{name}, seed {seed}, rate {rate:g}, measured", find)
            tried.setdefault(name, {})[f"{rate:g}"] = found[str(steps)][DISTANCE]
        return flows[best(tried[name])]

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
        first,
        pairs("1-RF", first, series=0),
        time_sampler=rf.u_shaped_times,
        loss=rf.pseudo_huber_loss,
    )
    distill = partial(fit, how=rf.distill, loss=rf.pseudo_huber_loss)
    last = distill("distilled", second, pairs("2-RF", second, series=1))
    # the rival: as many steps and pairs as Reflow and distillation have together, and half of them
    twice = {"size": 2 * preset.pairs["size"], "series": 2}
    more_pairs = pairs("1-RF for distillation", first, **twice)
    steps = preset.training["steps"]
    rivals = {
        name: distill(name, first, more_pairs, steps=count)
        for name, count in (("1-RF distilled", 2 * steps), ("1-RF distilled, half time", steps))
    }
    return {"1-RF": first, "2-RF": second, "distilled": last, **rivals}, tried


def best(distances: dict[str, list[float]]) -> float:
    """Return the rate with the smallest mean distance."""
    return float(min(distances, key=lambda rate: sum(distances[rate])))


def measure(velocity, counts: list[int], samples: int) -> dict:
    """Measure by number of steps, for each set of noise: distance to the data, right labels."""
    images, labels = (tensor.to(DEVICE) for tensor in rf.digits())
    real = rf.feature_moments(images.flatten(1))
    asked = torch.arange(samples, device=DEVICE) % 10
    bound = rf.with_condition(velocity, asked)
    generator = torch.Generator(DEVICE).manual_seed(SEED + 1000)
    found: dict = {n: {DISTANCE: [], "right label": []} for n in counts}
    for _ in range(DRAWS):
        start = NOISE.sample(samples, generator=generator, device=DEVICE)
        for n in counts:
            end = rf.euler(bound, start, steps=n, keep="end").end
            nearest = torch.cdist(end, images.flatten(1)).argmin(dim=1)
            found[n][DISTANCE].append(rf.frechet_distance(rf.feature_moments(end), real))
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
    """Choose a learning rate for each flow, by one more seed; then train and measure all seeds."""
    preset = job.preset
    job.require()
    names = ["1-RF", "2-RF", "distilled", "1-RF distilled", "1-RF distilled, half time"]
    seeds = range(SEED, SEED + preset.seeds)
    _, tried = train_flows(job, seeds.stop, dict.fromkeys(names, preset.rates))
    rates = {name: best(distances) for name, distances in tried.items()}

    shipped, models, others = {}, {}, {}
    for seed in seeds:
        flows, _ = train_flows(job, seed, {name: [rate] for name, rate in rates.items()})
        shipped = shipped or flows
        for name, flow in flows.items():
            counts = preset.steps.get(name, [1])  # the others were made for one step
            find = partial(measure, flow, counts, preset.samples)
            measured = job.note(f"{name}, seed {seed}, measured", find)
            if seed == SEED:
                trained = job.note(f"{name}, seed {seed}, rate {rates[name]:g}")
                models[name] = {**trained, "learning_rate": rates[name], "measured": measured}
            else:
                others.setdefault(name, []).append(measured)
    saved = job.save_flows("digits.safetensors", shipped)
    job.write(
        {
            "floor": job.note("floor", partial(floor, preset.samples)),
            "rates": tried,
            "other seeds": others,
            "data": {"digits": {**saved, "models": models}},
        }
    )
