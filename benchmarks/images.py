"""How fast the networks of chapter 9 train, and what share of the device that is.

    PYTHONPATH=. python benchmarks/images.py [--batch 512] [--channels 32 64 96]

Prints images a second for a training step (forward, backward, optimizer): plain, in bf16, in bf16
with the channels last, and in bf16 compiled with CUDA graphs (on a GPU only). The share is that of
the step's arithmetic, counted by PyTorch, in what a large matrix product in bf16 reaches on the
same device. The figure is the median of the repeats.
"""

import argparse
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

import rfteach as rf
from scripts import weights

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def seconds(step, repeats: int) -> float:
    """Return the median time of a call, after three to warm up."""
    found = []
    for i in range(repeats + 3):
        started = time.perf_counter()
        step()
        if GPU:
            torch.cuda.synchronize()
        if i >= 3:
            found.append(time.perf_counter() - started)
    return sorted(found)[len(found) // 2]


def limit() -> float:
    """Return the operations a second of a product of large bf16 matrices."""
    n = 8192 if GPU else 2048
    a, b = (torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / seconds(lambda: a @ b, repeats=10)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=512 if GPU else 64)
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64, 96])
    parser.add_argument("--repeats", type=int, default=50 if GPU else 5)
    options = parser.parse_args()
    images, labels = rf.fashion()
    rows = torch.arange(options.batch) % len(images)
    x1, labels = images[rows].to(DEVICE), labels[rows].to(DEVICE)
    x0, t = torch.randn_like(x1), torch.rand(len(x1), device=DEVICE)

    best = limit()
    print(f"{weights.device_name()}, bf16 product: {best / 1e12:.2f} TFLOP/s")
    print(f"channels {options.channels}, batch {options.batch}")
    ways = {"single precision": {}, "bf16": {"bf16": True}}
    ways["bf16, channels last"] = {"bf16": True, "layout": torch.channels_last}
    if GPU:
        ways["bf16, channels last, CUDA graphs"] = ways["bf16, channels last"] | {"graphs": True}
    for name, way in ways.items():
        torch.manual_seed(0)
        velocity = rf.UNetVelocity(28, options.channels, classes=10).to(DEVICE)
        velocity.to(memory_format=way.get("layout", torch.contiguous_format))
        if way.get("graphs"):
            velocity.compile(mode="reduce-overhead")
        optimizer = torch.optim.Adam(velocity.parameters(), fused=True)

        def step(velocity=velocity, optimizer=optimizer, way=way):
            with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled="bf16" in way):
                loss = rf.velocity_matching_loss(rf.given(velocity, labels), x0, x1, t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        if name == "single precision":  # the same arithmetic in each way
            with FlopCounterMode(display=False) as counter:
                step()
            operations = counter.get_total_flops()
            print(f"{operations / options.batch / 1e9:.2f} GFLOP an image and step")
        took = seconds(step, options.repeats)
        share = operations / took / best
        print(f"{name:34s} {options.batch / took:8.0f} images/s  {share:6.1%} of the product's")


if __name__ == "__main__":
    main()
