"""How good the default recipe is on Circle, and what it costs.

    python -m benchmarks.circle_quality

Quality is the 2-Wasserstein distance of 2,000 samples (100 Euler steps) to 2,000 true points, over
the floor: the same distance between two true samples. One draw of either wanders by a third, so
both are means over several draws.
"""

import time

import torch

import rfteach as rf

SEEDS, DRAWS, FLOOR_DRAWS, POINTS = 3, 4, 16, 2000
noise, circle = rf.Gaussian(2), rf.Circle()


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1234)

    def true_points() -> torch.Tensor:
        return circle.sample(POINTS, generator=generator)

    floor = mean([rf.wasserstein2(true_points(), true_points()) for _ in range(FLOOR_DRAWS)])
    print(f"floor between two true samples: {floor:.4f} (mean of {FLOOR_DRAWS})")

    distances, seconds = [], []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        velocity = rf.VelocityMLP(dim=2)
        start = time.process_time()
        rf.train(velocity, rf.IndependentCoupling(noise, circle), seed=seed)
        seconds.append(time.process_time() - start)
        for _ in range(DRAWS):
            x0 = noise.sample(POINTS, generator=generator)
            samples = rf.euler(velocity, x0, steps=100).end
            distances.append(rf.wasserstein2(samples, true_points()))
        latest = mean(distances[-DRAWS:])
        print(
            f"seed {seed}: {latest:.4f}, {latest / floor:.2f} x the floor, "
            f"{seconds[-1]:.1f} s of CPU time"
        )
    print(
        f"mean: {mean(distances) / floor:.3f} x the floor (goal: at most 1.15), at most "
        f"{max(seconds):.1f} s of CPU time (goal: at most 10)"
    )
