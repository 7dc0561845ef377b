"""Record the race of chapter 15 on digits, in rfteach/_shipped/flow_maps_digits.json.

    python -m benchmarks.flow_maps_digits

The network, the data and the judge are those of chapter 9's digits, with fewer steps. As there, the
judge is the Fréchet distance of the pixels. Times are CPU seconds of one thread, training of all
stages included.
"""

import ast
import copy
import functools
import hashlib
import json
import os
import time
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "rfteach" / "_shipped" / "flow_maps_digits.json"
SEEDS = (1, 2)
TRIED = 0  # seed of the trials, in which each model gets its settings
JUMPING = [(1e-2, 0.0), (2e-2, 0.0), (4e-2, 0.0), (1e-2, 1.0)]  # learning rate and power
RATES = (3e-3, 1e-2, 2e-2)  # of the chain
CHAINED = ("1-RF", "2-RF", "1-RF, distilled")
STEPS = 3000  # of each training
PAIRS = {"size": 50_000, "steps": 10}
SAMPLES = 2000  # for each distance
DRAWS = 3  # sets of noise
JUMPS = (1, 2, 4)
NOISE = rf.Gaussian(64)
SETTINGS = {"batch_size": 256, "steps": STEPS, "progress": False}


def fingerprint() -> str:
    """Return a hash of this script as Python sees it: layout and comments do not matter."""
    return hashlib.sha256(ast.unparse(ast.parse(Path(__file__).read_text())).encode()).hexdigest()


def images() -> tuple[Tensor, Tensor]:
    """Return the digits, one in a row, and their labels."""
    pixels, labels = rf.digits()
    return pixels.flatten(1), labels


def network(seed: int, **settings) -> rf.VelocityMLP:
    """Return a network of chapter 9's size with fresh weights."""
    torch.manual_seed(seed)
    return rf.VelocityMLP(64, width=128, depth=3, classes=10, **settings)


def labels_of(samples: int) -> Tensor:
    """Return the digits that are asked for, each as often as the others."""
    return torch.arange(samples) % 10


@torch.no_grad()
def draw(velocity, start: Tensor, n: int) -> Tensor:
    """Draw digits in n equal steps: jumps if the network knows them, else those of Euler."""
    bound = rf.with_condition(velocity, labels_of(len(start)))
    if not velocity.jumps:
        return rf.euler(bound, start, steps=n, keep="end").end
    for i in range(n):
        start = rf.jump(bound, start, i / n, (i + 1) / n)
    return start


def starts() -> list[Tensor]:
    """Return the sets of noise, the same for all models."""
    judge = torch.Generator().manual_seed(1234)
    return [NOISE.sample(SAMPLES, generator=judge) for _ in range(DRAWS)]


def judged(velocity, seconds: float) -> dict:
    """Return time, distance and share of right labels by number of steps and set of noise."""
    data, labels = images()
    real, asked = rf.feature_moments(data), labels_of(SAMPLES)
    found: dict = {"seconds": round(seconds, 2), "distance": [], "right label": []}
    for n in JUMPS:
        ends = [draw(velocity, start, n) for start in starts()]
        distances = [rf.frechet_distance(rf.feature_moments(end), real) for end in ends]
        nearest = [labels[torch.cdist(end, data).argmin(dim=1)] for end in ends]
        found["distance"].append([round(d, 4) for d in distances])
        found["right label"].append(
            [round((a == asked).double().mean().item(), 4) for a in nearest]
        )
    print(found, flush=True)
    return found


def mean_flow(seed: int, rate: float, power: float) -> tuple[rf.VelocityMLP, float]:
    """Train MeanFlow; return it and the CPU time."""
    velocity = network(seed, jumps=True)
    settings = SETTINGS | {"learning_rate": rate, "seed": seed}
    data = rf.ConditionalCoupling(NOISE, *images())
    loss = functools.partial(rf.mean_flow_loss, power=power)
    started = time.process_time()
    rf.train(velocity, data, loss=loss, time_sampler=rf.time_pairs, **settings)
    return velocity, time.process_time() - started


def chain(seed: int, rate: float) -> dict[str, tuple[rf.VelocityMLP, float]]:
    """Train the 1-RF, and from its pairs the 2-RF and the distilled one; with their times."""
    flow, settings = network(seed), SETTINGS | {"learning_rate": rate, "seed": seed}
    marks = [time.process_time()]
    rf.train(flow, rf.ConditionalCoupling(NOISE, *images()), **settings)
    marks.append(time.process_time())
    pairs = rf.flow_coupling(flow, NOISE, condition=labels_of(PAIRS["size"]), **PAIRS)
    marks.append(time.process_time())
    second, student = copy.deepcopy(flow), copy.deepcopy(flow)
    settings |= {"loss": rf.pseudo_huber_loss}  # as in chapter 9
    rf.train(second, pairs, time_sampler=rf.u_shaped_times, **settings)
    marks.append(time.process_time())
    rf.distill(student, pairs, **settings)
    marks.append(time.process_time())
    first, made, again, taught = (b - a for a, b in zip(marks, marks[1:], strict=False))
    return {
        "1-RF": (flow, first),
        "2-RF": (second, first + made + again),
        "1-RF, distilled": (student, first + made + taught),
    }


def shown(velocity) -> list[list[int]]:
    """Return ten digits, one of each, in the 17 gray levels of the data."""
    ends = draw(velocity, starts()[0][:10], 1)
    return ((ends + 1) * 8).round().clamp(0, 16).int().tolist()


def floor() -> list[float]:
    """Return the distance of as many real digits, drawn with repetition, to all of them."""
    data, judge = images()[0], torch.Generator().manual_seed(1234)
    real = rf.feature_moments(data)
    draws = [data[torch.randint(len(data), (SAMPLES,), generator=judge)] for _ in range(20)]
    return [round(rf.frechet_distance(rf.feature_moments(some), real), 4) for some in draws]


def best_of(trials: list[dict]) -> dict:
    """Return the trial that is closest to the data after one step."""
    return min(trials, key=lambda run: sum(run["distance"][0]))


def race(seed: int, rates: dict[str, float], jumping: dict) -> dict[str, tuple]:
    """Train every model with its own settings, those of the trials."""
    chains = {rate: chain(seed, rate) for rate in sorted(set(rates.values()))}
    models = {name: chains[rate][name] for name, rate in rates.items()}
    return models | {"MeanFlow": mean_flow(seed, jumping["rate"], jumping["power"])}


def main() -> None:
    """Run everything and write the record."""
    torch.set_num_threads(1)
    tried: dict[str, list[dict]] = {name: [] for name in (*CHAINED, "MeanFlow")}
    for rate, power in JUMPING:
        run = judged(*mean_flow(TRIED, rate, power))
        tried["MeanFlow"].append({"rate": rate, "power": power, **run})
    for rate in RATES:
        for name, run in chain(TRIED, rate).items():
            tried[name].append({"rate": rate, **judged(*run)})
    rates = {name: best_of(tried[name])["rate"] for name in CHAINED[1:]}
    rates = {
        "1-RF": rates["2-RF"],
        **rates,
    }  # one step of it is no aim; it is the start of the 2-RF
    models = {seed: race(seed, rates, best_of(tried["MeanFlow"])) for seed in SEEDS}
    record = {
        "what": "Fréchet distance to the digits after 1, 2 and 4 steps, chapter 15",
        "made_by": "python -m benchmarks.flow_maps_digits",
        "code": fingerprint(),
        "seeds": list(SEEDS),
        "jumps": list(JUMPS),
        "steps": STEPS,
        "pairs": PAIRS,
        "samples": SAMPLES,
        "floor": floor(),
        "tried": tried,
        "rates": rates,
        "race": {
            str(seed): {name: judged(*run) for name, run in runs.items()}
            for seed, runs in models.items()
        },
        "digits": {name: shown(velocity) for name, (velocity, _) in models[SEEDS[0]].items()},
    }
    RECORD.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    main()
