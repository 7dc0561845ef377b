"""What `train` costs above the bare eight-line loop: CPU time per step, one thread.

    python -m benchmarks.train_step

Both train the same network (width 128, depth 3) on Circle at batch 1024, in turn, so that a drift
of the machine's speed hits both. The bare loop is given the fused Adam too, so that the ratio shows
what the average, the schedule, the checks and the progress bar cost, and nothing else.
"""

import statistics
import time

import torch

import rfteach as rf

STEPS, ROUNDS, BATCH = 200, 15, 1024
noise, circle = rf.Gaussian(2), rf.Circle()


def network() -> rf.VelocityMLP:
    torch.manual_seed(0)
    return rf.VelocityMLP(dim=2, width=128, depth=3)


def bare_loop(velocity: rf.VelocityMLP) -> None:
    optimizer = torch.optim.Adam(velocity.parameters(), lr=1e-3, fused=True)
    for _ in range(STEPS):
        x0, x1, t = noise.sample(BATCH), circle.sample(BATCH), torch.rand(BATCH)
        xt = (1 - t[:, None]) * x0 + t[:, None] * x1
        loss = ((x1 - x0) - velocity(xt, t)).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def library(velocity: rf.VelocityMLP) -> None:
    rf.train(velocity, rf.IndependentCoupling(noise, circle), steps=STEPS, batch_size=BATCH)


def milliseconds_per_step(function) -> float:
    velocity = network()
    start = time.process_time()
    function(velocity)
    return 1000 * (time.process_time() - start) / STEPS


if __name__ == "__main__":
    torch.set_num_threads(1)
    milliseconds_per_step(bare_loop), milliseconds_per_step(library)  # warm up
    pairs = [
        (milliseconds_per_step(bare_loop), milliseconds_per_step(library)) for _ in range(ROUNDS)
    ]
    ratios = [ours / bare for bare, ours in pairs]
    print(f"bare loop  {statistics.median(p[0] for p in pairs):.3f} ms of CPU time a step (median)")
    print(f"rf.train   {statistics.median(p[1] for p in pairs):.3f} ms of CPU time a step (median)")
    print(
        f"ratio      {statistics.median(ratios):.3f} (median of {ROUNDS} interleaved pairs, "
        f"{min(ratios):.3f} to {max(ratios):.3f}; goal: at most 1.05)"
    )
