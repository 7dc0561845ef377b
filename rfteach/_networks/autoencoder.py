"""The network that packs an image into a few numbers, and unpacks it: for flows in latents."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from rfteach._checks import check_count


class ImageAutoencoder(nn.Module):
    """An encoder of gray 28 x 28 images into latents of 7 x 7, and a decoder back.

    The shape is that of Stable Diffusion's (Rombach et al. 2022, Section 3.1), much smaller, and
    without its random latents: convolutions that halve the side twice, and the way back. The
    latents have whatever mean and width training gives them; a flow needs them shifted and scaled
    to mean 0 and standard deviation 1.

    Args:
        channels: channels of the latents, so an image becomes 49 times as many numbers.

    Raises:
        ValueError: there is less than one channel.
    """

    def __init__(self, channels: int):
        super().__init__()
        check_count("channels", channels)
        self.channels = channels
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(32, channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(32, 16, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 1, 3, padding=1),
        )

    def encode(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n channels 7 7"]:
        """Return the latents of images."""
        return self.encoder(images)

    def decode(self, latents: Float[Tensor, "n channels 7 7"]) -> Float[Tensor, "n 1 28 28"]:
        """Return the images of latents."""
        return self.decoder(latents)

    def forward(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 1 28 28"]:
        """Return the reconstructions of images: packed, and unpacked again."""
        return self.decode(self.encode(images))
