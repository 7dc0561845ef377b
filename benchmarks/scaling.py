"""How fast `rf.train` is when several processes share the batch: first one process, then two.

    python -m benchmarks.scaling
    PYTHONPATH=. accelerate launch --multi_gpu --num_processes 2 --num_machines 1 \\
        --mixed_precision no --dynamo_backend no --main_process_port 0 benchmarks/scaling.py

Each prints the images a second of the U-Net of chapter 9, from the median time of a step. The batch
is that of all processes together. Without a GPU the processes are on the CPU, with gloo: give each
the same number of threads (OMP_NUM_THREADS=1) for a fair comparison. On GPUs, --mixed_precision
bf16 --dynamo_backend inductor should be the fast way. See benchmarks/images.py for one GPU.
"""

import argparse
import time

import torch
from accelerate import Accelerator

import rfteach as rf
from scripts.train.job import device_name


def main() -> None:
    """Print a line, in the main process."""
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=512 if gpu else 64)
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--steps", type=int, default=100 if gpu else 10)
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # single precision is just that
    accelerator = Accelerator(cpu=not gpu)
    images, labels = (rows.to(accelerator.device) for rows in rf.fashion())
    coupling = rf.ConditionalCoupling(rf.Gaussian(1, 28, 28), images, labels)
    torch.manual_seed(0)
    velocity = rf.UNetVelocity(28, options.channels, classes=10)
    ends = [0.0]
    rf.train(
        velocity,
        coupling,
        steps=options.steps + 3,
        batch_size=options.batch,
        accelerator=accelerator,
        callback=lambda step, loss: ends.append(time.perf_counter()),
        progress=False,
    )
    took = torch.tensor(ends).diff()[3:].median().item()  # the first three steps warm up
    accelerator.print(
        f"{accelerator.num_processes} x {device_name()}, batch {options.batch}, precision "
        f"{accelerator.mixed_precision}: {options.batch / took:.0f} images/s"
    )
    accelerator.end_training()


if __name__ == "__main__":
    main()
