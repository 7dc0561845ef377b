"""From nothing to a flow that samples in one step: how good, and how much CPU time.

    python -m benchmarks.reflow

Trains 1-RF with the default recipe, then one round of Reflow; compares one step of 2-RF with 100
steps of 1-RF, by the 2-Wasserstein distance of 2,000 samples to 2,000 true points. One draw of it
wanders by a third, so each figure is a mean over several draws, the same noise and the same true
points for both flows.
"""

import time

import torch

import rfteach as rf

SEEDS, DRAWS, POINTS = 3, 6, 2000
noise = rf.Gaussian(2)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def trained(target: rf.Distribution, seed: int) -> tuple[rf.VelocityMLP, rf.VelocityMLP, float]:
    """Return 1-RF, 2-RF, and the seconds of CPU time that both took together."""
    started = time.process_time()
    torch.manual_seed(seed)
    first = rf.VelocityMLP(dim=2)
    rf.train(first, rf.IndependentCoupling(noise, target), seed=seed)
    (second,) = rf.reflow(first, noise, size=100_000, steps=8000, batch_size=1024, seed=seed)
    return first, second, time.process_time() - started


if __name__ == "__main__":
    torch.set_num_threads(1)
    for target in (rf.Circle(), rf.Moons(), rf.EightGaussians()):
        generator = torch.Generator().manual_seed(1234)
        draws = [
            [d.sample(POINTS, generator=generator) for d in (noise, target, target)]
            for _ in range(DRAWS)
        ]
        floor = mean([rf.wasserstein2(true, other) for _, true, other in draws])
        print(f"{type(target).__name__}: floor between two true samples {floor:.4f}")
        ratios = []
        for seed in range(SEEDS):
            first, second, seconds = trained(target, seed)
            many, one = (
                mean(
                    [
                        rf.wasserstein2(rf.euler(velocity, x0, steps=steps).end, true)
                        for x0, true, _ in draws
                    ]
                )
                for velocity, steps in ((first, 100), (second, 1))
            )
            ratios.append(one / many)
            print(
                f"  seed {seed}: 1-RF in 100 steps {many:.4f}, 2-RF in one step {one:.4f}, "
                f"ratio {ratios[-1]:.3f}, {seconds:.1f} s of CPU time"
            )
        print(f"  mean ratio {mean(ratios):.3f} (goal: at most 1.25, within 60 s of CPU time)")
