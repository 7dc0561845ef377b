"""The network for images: a small U-Net, written to be read from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from rfteach._checks import check_count
from rfteach._network_checks import check_images, check_labels, check_precision

HEAD = 32  # numbers in a vector that attention compares
PATCH = 2  # the first step folds patches of 2 x 2 pixels into channels
FREQUENCIES = 32  # of the sines that encode a time


def time_features(t: Float[Tensor, " batch"]) -> Float[Tensor, "batch features"]:
    """Encode times in [0, 1] by sines and cosines, as transformers encode positions.

    The slowest turns by one radian from t = 0 to 1, the fastest by 1000.
    """
    rates = torch.logspace(0, 3, FREQUENCIES, device=t.device, dtype=t.dtype)
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ChannelNorm(nn.LayerNorm):
    """A layer normalization over the channels of each pixel."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return images whose pixels have mean 0 and variance 1 over the channels, rescaled."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """Two convolutions, and what they find is added to what came in.

    Between them the embedding of time and label scales and shifts each channel.

    Args:
        inputs: channels of what comes in.
        channels: of what goes out.
        embedding_dim: numbers in the vector that encodes time and label.
    """

    def __init__(self, inputs: int, channels: int, embedding_dim: int):
        super().__init__()
        self.first = nn.Sequential(
            ChannelNorm(inputs), nn.SiLU(), nn.Conv2d(inputs, channels, 3, padding=1)
        )
        self.norm = ChannelNorm(channels)
        self.scale_shift = nn.Linear(embedding_dim, 2 * channels)
        self.second = nn.Sequential(nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        self.skip = nn.Conv2d(inputs, channels, 1) if inputs != channels else nn.Identity()
        nn.init.zeros_(cast(Tensor, self.second[1].weight))  # at first it adds a constant alone

    def forward(
        self, x: Float[Tensor, "b inputs h w"], embedding: Float[Tensor, "b embedding_dim"]
    ) -> Float[Tensor, "b channels h w"]:
        """Return what came in and what was found."""
        scale, shift = self.scale_shift(embedding)[:, :, None, None].chunk(2, dim=1)
        found = self.norm(self.first(x)) * (1 + scale) + shift
        return self.skip(x) + self.second(found)


class Attention(nn.Module):
    """Every pixel looks at every other one (Vaswani et al. 2017), and what it finds is added."""

    def __init__(self, channels: int):
        super().__init__()
        self.heads = channels // HEAD
        self.norm = ChannelNorm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return what came in and what was found."""
        b, c, h, w = x.shape
        query, key, value = (
            part.reshape(b, self.heads, HEAD, h * w).transpose(2, 3)
            for part in self.qkv(self.norm(x)).chunk(3, dim=1)
        )
        found = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(found.transpose(2, 3).reshape(b, c, h, w))


class UNetVelocity(nn.Module):
    """A velocity v(x, t) for images: a U-Net (Ronneberger et al. 2015) that is told the time.

    On the way down, blocks look at the image at ever lower resolutions; at the lowest, all pixels
    look at each other. On the way up, each resolution sees what it had on the way down once more.
    With `classes`, it is also told the label of each image, and the flow is class-conditional.

    Args:
        size: height and width of the images in pixels.
        channels: features at each resolution, from the finest down, multiples of 32. The finest
            has half the height and width of the image, and each next one half of those.
        classes: number of labels, or None for a flow that knows of none.
        colors: 1 for gray images, 3 for color.

    Raises:
        ValueError: the size cannot be halved that often, a number is below 1, or the channels are
            no multiples of 32.
    """

    def __init__(
        self, size: int, channels: Sequence[int], classes: int | None = None, *, colors: int = 1
    ):
        super().__init__()
        for name, value in (("size", size), ("colors", colors), ("classes", classes)):
            if value is not None:
                check_count(name, value)
        if not channels or any(c < HEAD or c % HEAD for c in channels):
            raise ValueError(f"channels = {tuple(channels)}, but each must be a multiple of {HEAD}")
        smallest = PATCH * 2 ** (len(channels) - 1)
        if size % smallest:
            raise ValueError(
                f"size = {size} cannot be halved {len(channels)} times; pass fewer channels or a "
                f"multiple of {smallest}"
            )
        self.size, self.channels, self.classes = size, tuple(channels), classes
        self.colors = colors
        embedding_dim = 4 * channels[0]
        self.time_embedding = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, embedding_dim),
            nn.SiLU(),
            nn.Linear(embedding_dim, embedding_dim),
        )
        self.label_embedding = None if classes is None else nn.Embedding(classes, embedding_dim)
        pixels = colors * PATCH**2
        self.conv_in = nn.Sequential(
            nn.PixelUnshuffle(PATCH), nn.Conv2d(pixels, channels[0], 3, padding=1)
        )

        steps = list(zip(channels[:-1], channels[1:], strict=True))  # from one resolution to next
        self.down = nn.ModuleList(ResidualBlock(c, c, embedding_dim) for c in channels)
        self.downsample = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in steps)
        self.attention = Attention(channels[-1])
        self.up = nn.ModuleList(ResidualBlock(2 * c, c, embedding_dim) for c in channels)
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in steps)
        last = nn.Conv2d(channels[0], pixels, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.conv_out = nn.Sequential(
            ChannelNorm(channels[0]), nn.SiLU(), last, nn.PixelShuffle(PATCH)
        )

    def forward(
        self,
        x: Float[Tensor, "batch colors size size"],
        t: Float[Tensor, " batch"],
        condition: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch colors size size"]:
        """Return the velocity of the images `x` at the times `t`, given their labels.

        Raises:
            ValueError: a shape is not as above, or labels are missing or not wanted.
            TypeError: the weights have another precision, or the labels are no tensor of integers.
            IndexError: a label is out of range (on a CPU; on a GPU, CUDA fails).
        """
        check_images(x, t, self.colors, self.size)
        check_precision(self, x=x, t=t)
        check_labels(condition, self.classes, len(x))
        embedding = self.time_embedding(time_features(t))
        if self.label_embedding is not None and condition is not None:
            embedding = embedding + self.label_embedding(condition.long())
        embedding = F.silu(embedding)

        h, seen = self.conv_in(x), []
        for level, block in enumerate(self.down):
            if level:
                h = self.downsample[level - 1](h)
            h = block(h, embedding)
            seen.append(h)
        h = self.attention(h)
        for level in reversed(range(len(self.channels))):
            h = self.up[level](torch.cat([h, seen[level]], dim=1), embedding)
            if level:
                h = self.upsample[level - 1](h)
        return self.conv_out(h)
