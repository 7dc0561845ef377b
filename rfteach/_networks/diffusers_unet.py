"""The U-Net of the flows that are shipped for chapters 9 and 10, until they are trained anew."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from rfteach._checks import check_images, check_labels
from rfteach._optional import optional


class DiffusersUNetVelocity(nn.Module):
    """A velocity v(x, t) for gray images: diffusers' UNet2DModel, which is told the time.

    Args:
        size: height and width of the images in pixels.
        channels: features at each resolution, from the finest down.
        classes: number of labels, or None for a flow that knows of none.

    Raises:
        ImportError: diffusers is not installed.
    """

    def __init__(self, size: int, channels: Sequence[int], classes: int | None = None):
        super().__init__()
        self.size, self.channels, self.classes = size, tuple(channels), classes
        self.net = optional("diffusers").UNet2DModel(
            sample_size=size,
            in_channels=1,
            out_channels=1,
            block_out_channels=self.channels,
            layers_per_block=1,
            norm_num_groups=8,
            down_block_types=("DownBlock2D",) * len(channels),
            up_block_types=("UpBlock2D",) * len(channels),
            num_class_embeds=classes,
        )

    def forward(
        self,
        x: Float[Tensor, "batch 1 size size"],
        t: Float[Tensor, " batch"],
        condition: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch 1 size size"]:
        """Return the velocity of the images `x` at the times `t`, given their labels.

        Raises:
            ValueError: a shape is not as above, or labels are missing or not wanted.
            IndexError: a label is out of range (on a CPU; on a GPU, CUDA fails).
        """
        check_images(x, t, 1, self.size)
        check_labels(condition, self.classes)
        # diffusers encodes times by sines of periods that suit DDPM's 0 to 1000.
        return self.net(x, 1000 * t, class_labels=condition).sample
