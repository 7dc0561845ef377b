"""What a run does with a few fixed pairs, by which a checkpoint is told from that of another run.

Settings have names, and names are compared; but a coupling, a loss or a network may have the same
name and be another. So a checkpoint keeps the first pairs that its coupling gives for a fixed seed,
and the loss of its weights on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rfteach._losses import Loss
from rfteach._times import TimeSampler
from rfteach._velocity import with_condition

if TYPE_CHECKING:
    from rfteach._couplings import Coupling

PAIRS = 8
CLOSE = 1e-3  # of the values; on a GPU, a run that is repeated may differ by rounding


class Probe:
    """The first pairs of a run, and its loss on them.

    A coupling that gives other pairs for the same seed, such as one that reads a stream, is not
    looked at.

    Args:
        velocity: what is trained, on the device where it is.
        coupling, loss, time_sampler: as in `train`.
    """

    def __init__(
        self, velocity: nn.Module, coupling: Coupling, loss: Loss, time_sampler: TimeSampler
    ):
        device = next(velocity.parameters()).device
        self._velocity, self._loss_of = velocity, loss
        draws = []
        for _ in range(2):
            seeded = torch.Generator(device).manual_seed(0)
            pairs = coupling.sample(PAIRS, generator=seeded, device=device)
            draws.append([*pairs, time_sampler(PAIRS, generator=seeded, device=device)])
        repeats = all(map(close, *draws))
        self.rows: Sequence[Tensor] = draws[0] if repeats else ()

    def loss(self) -> float:
        """Return the loss of the velocity on the rows, in evaluation mode; NaN without rows."""
        if not self.rows:
            return float("nan")
        x0, x1, *condition, t = self.rows
        modes = {module: module.training for module in self._velocity.modules()}
        devices = [t.device] if t.device.type == "cuda" else []
        try:
            self._velocity.eval()
            with torch.random.fork_rng(devices):
                torch.manual_seed(0)
                return self._loss_of(with_condition(self._velocity, *condition), x0, x1, t).item()
        finally:
            for module, training in modes.items():
                module.training = training

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps, by name."""
        kept = {f"probe.{i}": row for i, row in enumerate(self.rows)}
        return kept | {"probe.loss": torch.tensor(self.loss(), dtype=torch.float64)}

    def difference(self, saved: dict[str, Tensor]) -> str | None:
        """Say in what this run differs from that of a checkpoint whose weights it has; or None."""
        then = [saved[f"probe.{i}"] for i in range(len(self.rows)) if f"probe.{i}" in saved]
        if not (self.rows and then):
            return None
        if not (len(then) == len(self.rows) and all(map(close, then, self.rows))):
            return "its coupling or its times are others: for one seed they give other pairs"
        was, now = saved["probe.loss"], torch.tensor(self.loss(), dtype=torch.float64)
        if not close(was, now):
            return (
                f"with its weights, the loss on the same pairs was {was.item():.6g} and is "
                f"{now.item():.6g}, so the loss is another, or the network beside its weights"
            )
        return None


def close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are of one kind and shape and, but for rounding, of the same values."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    a, b = a.double().cpu(), b.double().cpu()
    allowed = CLOSE * max(1e-9, a.abs().nan_to_num().max().item())
    return torch.allclose(a, b, rtol=0, atol=allowed, equal_nan=True)
