"""How fast the networks of chapter 9 train, and what share of the device that is.

    python -m benchmarks.images [--batch 512] [--channels 64 128]

Prints images a second for a training step (forward, backward, optimizer) as a table: in single
precision and in bf16, eager and compiled. On a GPU compiled is with CUDA graphs; on a CPU it takes
minutes, and `--compiled` asks for it. The share is that of the step's arithmetic, counted by
PyTorch, in what the device does at best: in a product of two large matrices, in single precision
or bf16, whichever is faster. A time is the median of the repeats.
"""

import argparse
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

import rfteach as rf
from scripts.train.job import device_name

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


def limit(dtype: torch.dtype) -> float:
    """Return the operations a second of a product of two large matrices."""
    n = 8192 if GPU else 2048
    a, b = (torch.randn(n, n, device=DEVICE, dtype=dtype) for _ in range(2))
    return 2 * n**3 / seconds(lambda: a @ b, repeats=10)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=512 if GPU else 64)
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--repeats", type=int, default=50 if GPU else 5)
    parser.add_argument("--compiled", action=argparse.BooleanOptionalAction, default=GPU)
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # single precision is just that
    images, labels = rf.fashion()
    rows = torch.arange(options.batch) % len(images)
    x1, labels = images[rows].to(DEVICE), labels[rows].to(DEVICE)
    x0, t = torch.randn_like(x1), torch.rand(len(x1), device=DEVICE)

    products = {"single precision": limit(torch.float32), "bf16": limit(torch.bfloat16)}
    best = max(products.values())
    found = ", ".join(f"{name} {rate / 1e12:.2f} TFLOP/s" for name, rate in products.items())
    print(f"{device_name()}; products of matrices: {found}")
    print(f"channels {options.channels}, batch {options.batch}\n")
    print("| step | images/s | share of the product |\n| --- | ---: | ---: |")
    ways = [(False, False, False), (False, False, True)]  # bf16, channels last, compiled
    ways += [(True, False, False), (True, True, False), (True, True, True)]
    for bf16, channels_last, compiled in ways:
        if compiled and not options.compiled:
            continue
        torch.manual_seed(0)
        velocity = rf.UNetVelocity(28, options.channels, classes=10).to(DEVICE)
        if channels_last:
            velocity.to(memory_format=torch.channels_last)
        if compiled:
            velocity.compile(mode="reduce-overhead" if GPU else "default")
        optimizer = torch.optim.Adam(velocity.parameters(), fused=True)

        def step(velocity=velocity, optimizer=optimizer, bf16=bf16):
            with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=bf16):
                loss = rf.velocity_matching_loss(rf.with_condition(velocity, labels), x0, x1, t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        if not (bf16 or compiled):  # the same arithmetic in each way
            with FlopCounterMode(display=False) as counter:
                step()
            operations = counter.get_total_flops()
        took = seconds(step, options.repeats)
        name = "bf16" if bf16 else "single precision"
        name += ", channels last" * channels_last + (", compiled" if compiled else ", eager")
        share = operations / took / best
        print(f"| {name} | {options.batch / took:.0f} | {share:.1%} |", flush=True)
    print(f"\n{operations / options.batch / 1e9:.2f} GFLOP an image and step")


if __name__ == "__main__":
    main()
