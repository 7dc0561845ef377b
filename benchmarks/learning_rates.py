"""Which learning rate suits Rectified Flow and DDPM in chapter 8: neither shall be handicapped.

    python -m benchmarks.learning_rates

Trains each on the moons at four learning rates and two seeds, all else as in the chapter, and
prints the Wasserstein distance of its samples to the data: Euler's method and DDIM, 50 steps. Takes
about four minutes on two cores.
"""

import functools

import torch

import rfteach as rf

RATES, SEEDS, STEPS = (0.002, 0.005, 0.01, 0.02), (0, 1), 50
NOISE, MOONS = rf.Gaussian(2), rf.Moons()


def distance(sampler) -> float:
    """Return the mean distance over four clouds of 1,000 points, the same for all samplers."""
    generator = torch.Generator().manual_seed(1234)
    found = []
    for _ in range(4):
        start, data = (d.sample(1000, generator=generator) for d in (NOISE, MOONS))
        found.append(rf.wasserstein2(sampler(start, steps=STEPS, keep="end").end, data))
    return sum(found) / len(found)


def trained(loss, rate: float, seed: int) -> rf.VelocityMLP:
    """Train a network as chapter 8 does."""
    torch.manual_seed(seed)
    network = rf.VelocityMLP(dim=2)
    coupling = rf.IndependentCoupling(NOISE, MOONS)
    settings = {"steps": 2500, "learning_rate": rate, "seed": seed, "progress": False}
    rf.train(network, coupling, loss=loss, **settings)
    return network


if __name__ == "__main__":
    methods = {"Rectified Flow": (rf.velocity_matching_loss, rf.euler)}
    for name in ("linear", "cosine"):
        schedule = rf.NoiseSchedule(name)
        methods[f"DDPM, {name}"] = (
            functools.partial(rf.noise_matching_loss, schedule=schedule),
            functools.partial(rf.ddim, schedule=schedule),
        )
    print("W2 in thousandths  " + "".join(f"{rate:>8g}" for rate in RATES))
    for name, (loss, sampler) in methods.items():
        row = []
        for rate in RATES:
            networks = [trained(loss, rate, seed) for seed in SEEDS]
            row.append(sum(distance(functools.partial(sampler, n)) for n in networks) / len(SEEDS))
        print(f"{name:19s}" + "".join(f"{1000 * d:8.0f}" for d in row))
