"""The classifier in whose features generated images are compared with real ones."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class ImageClassifier(nn.Module):
    """A small convolutional network that tells gray 28 x 28 images of ten classes apart."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(32, 32, 3, padding=1, stride=2),
            nn.SiLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, padding=1, stride=2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128),
            nn.SiLU(),
        )
        """Maps images (n, 1, 28, 28) to features (n, 128)."""
        self.head = nn.Linear(128, 10)

    def forward(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 10"]:
        """Return the logits of the ten classes."""
        return self.head(self.features(images))
