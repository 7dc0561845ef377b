"""Muon: momentum whose matrices are orthogonalized before each step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_number

SMALLEST = 16  # rows and columns of a matrix that is worth orthogonalizing
MOMENTUM = 0.95
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan et al. 2024
BETAS = (0.9, 0.95)  # of Adam, for all other weights


def orthogonalized(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Return nearly the closest matrix whose directions are all of length 1.

    Its singular vectors are those of `matrix`. Its singular values lie between 0.65 and 1.21, those
    excepted that were less than 0.0015 of the norm. Five steps of a Newton-Schulz iteration find it
    with products of matrices alone (Jordan et al. 2024, "Muon: an optimizer for hidden layers in
    neural networks").
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for the weight matrices (Jordan et al. 2024), and Adam at half the rate for the rest.

    Muon orthogonalizes the Nesterov momentum of each matrix: all its directions become nearly
    equally long. A convolution counts as a matrix with a row for each channel that goes out (of a
    transposed one, that comes in). The rest are biases, scales, and matrices with fewer than 16
    rows or columns, such as the convolution that writes the pixels.

    PyTorch's own `torch.optim.Muon` takes matrices only, no convolutions. It also decays the
    weights, and computes in bf16 where this class keeps the precision of the weights.

    Args:
        parameters: the weights to train.
        lr: the learning rate of the matrices, in general not that of Adam: for the flows of images
            here 0.004 to 0.02.

    Raises:
        ValueError: the learning rate is not above 0 and finite; TypeError: it is no number.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float = 1e-2):
        check_number("lr", lr, low=0, above=True)
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change all weights that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if parameter.ndim > 1 and min(gradient.flatten(1).shape) >= SMALLEST:
                    self._muon(parameter, gradient, group["lr"])
                else:
                    self._adam(parameter, gradient, group["lr"] / 2)

    def _muon(self, parameter: Tensor, gradient: Tensor, lr: float) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(momentum, MOMENTUM).flatten(1)  # as Nesterov looks ahead
        rows, columns = matrix.shape
        change = orthogonalized(matrix) * max(1, rows / columns) ** 0.5
        parameter.sub_(change.view_as(parameter), alpha=lr)

    def _adam(self, parameter: Tensor, gradient: Tensor, lr: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - BETAS[0])
        state["square"].lerp_(gradient.square(), 1 - BETAS[1])
        mean, square = (
            state[name] / (1 - beta ** state["step"])
            for name, beta in zip(("mean", "square"), BETAS, strict=True)
        )
        parameter.sub_(mean / (square.sqrt() + 1e-8), alpha=lr)
