"""What a playground's page needs of networks and distributions, as bytes in half precision."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import SiLU

from rfteach._distributions import Distribution
from rfteach._networks.mlp import VelocityMLP

POOL = 4999  # source points that travel with a playground: a prime, see `cloud_rows`
TARGET = 1000  # data points, for each data set


def half_bytes(name: str, numbers: Tensor) -> bytes:
    """Round numbers to half precision (IEEE 754 binary16) and return them as bytes, row by row.

    Raises:
        ValueError: a number is not finite in half precision, which ends at 65,504.
    """
    halves = numbers.detach().cpu().half()
    if not halves.isfinite().all():
        raise ValueError(
            f"{name} has numbers that are not finite in half precision (above 65,504, infinite or "
            f"NaN); the page of a playground carries half precision only"
        )
    return halves.contiguous().numpy().tobytes()


def pack_networks(models: dict[str, VelocityMLP]) -> tuple[bytes, list[dict]]:
    """Return the weights of all networks as bytes, and for each its name, place and sizes.

    Raises:
        as `pack_network`.
    """
    weights, entries = b"", []
    for name, velocity in models.items():
        content, sizes = pack_network(f"velocity {name!r}", velocity)
        entry = {"offset": len(weights), "bytes": len(content), "sizes": sizes}
        entries.append({"model": name, **entry})
        weights += content
    return weights, entries


def pack_network(name: str, velocity: VelocityMLP) -> tuple[bytes, list[int]]:
    """Return the weights of a network as bytes, and the number of units of each of its layers.

    Raises:
        TypeError: it is not a `VelocityMLP`, or one that jumps.
        ValueError: a weight does not fit into half precision.
    """
    if not isinstance(velocity, VelocityMLP):
        raise TypeError(
            f"{name} is a {type(velocity).__name__}, but the page can compute a VelocityMLP only; "
            f"fit one to it with rf.train"
        )
    changed = [layer for layer in velocity.net if not isinstance(layer, torch.nn.Linear | SiLU)]
    if changed or type(velocity).forward is not VelocityMLP.forward:
        raise TypeError(
            f"{name} is not a plain VelocityMLP of linear layers and SiLU, and the page can "
            f"compute no other; fit one to it with rf.train"
        )
    if velocity.jumps:
        raise TypeError(
            f"{name} is told the end of its step, which the page cannot tell it; fit a VelocityMLP "
            f"without jumps=True to it with rf.train"
        )
    layers = [layer for layer in velocity.net if isinstance(layer, torch.nn.Linear)]
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers)]
    return b"".join(half_bytes(name, weights) for weights in velocity.parameters()), sizes


def pack_points(
    name: str, distribution: Distribution, size: int, seed: int, *, dim: int = 2
) -> bytes:
    """Return `size` points, drawn from a distribution, as bytes.

    Raises:
        ValueError: its points are not of shape (dim,).
    """
    generator = torch.Generator().manual_seed(seed)
    points = distribution.sample(size, generator=generator, device="cpu")
    if points.shape != (size, dim):
        raise ValueError(
            f"{name} has points of shape {tuple(points.shape[1:])}, but this playground needs "
            f"shape ({dim},)"
        )
    return half_bytes(name, points)


def unpack_points(content: bytes, *, dim: int = 2) -> Float[Tensor, "n dim"]:
    """Return the points that `pack_points` packed, shape (n, dim)."""
    return torch.frombuffer(bytearray(content), dtype=torch.float16).float().reshape(-1, dim)


def cloud_rows(seed: int, particles: int, pool: int = POOL) -> list[int]:
    """Say which points of the pool are the cloud of a seed: every (seed + 1)-th, around and around.

    The size of the pool is a prime, so no point comes twice. The page does the same.
    """
    return [(i + 1) * (seed + 1) % pool for i in range(particles)]
