"""On how many threads a training run is fastest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

SMALL = 100_000  # weights; the networks of the plane have 13,000


@contextlib.contextmanager
def training_threads(parameters: Sequence[Tensor]) -> Iterator[None]:
    """Let PyTorch use one thread for a small network on a CPU, and put its setting back.

    Its layers are so quick that two threads mostly wait for each other. Alone on the machine that
    gains nothing, and beside other programs a step can take ten times as long. Any other network
    has as many as before. A convolution, whose weights serve every pixel, is never small.
    """
    on_cpu = all(p.device.type == "cpu" for p in parameters)
    plain = all(p.ndim <= 2 for p in parameters)
    small = sum(p.numel() for p in parameters) < SMALL
    before = torch.get_num_threads()
    if on_cpu and plain and small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
