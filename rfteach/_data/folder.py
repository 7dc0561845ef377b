"""A reader's own images: a folder of them as one tensor, for the transfer of chapter 10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count
from rfteach._optional import optional

SUFFIXES = {".png", ".jpg", ".jpeg"}


def image_folder(
    folder: Path | str, *, size: int = 28, at_least: int = 1
) -> Float[Tensor, "n 1 size size"]:
    """Return the PNG and JPEG images of a folder, in the order of their names.

    Each is made gray, cut to the largest square in its middle, and resized.

    Args:
        folder: where the images are; folders inside it are not looked at.
        size: height and width of the result in pixels.
        at_least: how many images there must be.

    Returns:
        Images with values in [-1, 1], shape (n, 1, size, size).

    Raises:
        FileNotFoundError: there is no such folder, or there are no images in it.
        ValueError: a file is damaged or no image, or there are too few.
        ImportError: Pillow is not installed.
    """
    check_count("size", size)
    image = optional("PIL.Image")
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; pass one that holds images")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no images; put files in it that end in .png, .jpg or .jpeg"
        )
    if len(paths) < at_least:
        raise ValueError(
            f"{folder} holds {len(paths)} images, but at least {at_least} are needed; add some"
        )
    return torch.stack([_read(image, path, size) for path in paths])


def _read(image, path: Path, size: int) -> Float[Tensor, "1 size size"]:
    try:
        with image.open(path) as file:
            upright = optional("PIL.ImageOps").exif_transpose(file)
            if upright.mode.startswith("I"):
                raise ValueError("it has 16 bits a pixel; save it with 8")
            rgba = upright.convert("RGBA")
            white = image.new("RGBA", rgba.size, "white")  # behind what is transparent
            gray = image.alpha_composite(white, rgba).convert("L")
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}; remove it") from error
    side = min(gray.size)
    left, top = ((length - side) // 2 for length in gray.size)
    square = gray.crop((left, top, left + side, top + side)).resize((size, size))
    return torch.tensor(np.array(square, dtype=np.float32))[None] / 127.5 - 1
