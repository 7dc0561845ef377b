"""A reader's own images: a folder of them as one tensor, for chapters 9 and 10."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count
from rfteach._optional import optional

SUFFIXES = {".png", ".jpg", ".jpeg"}


def image_folder(
    folder: Path | str, *, size: int = 28, color: bool = False, at_least: int = 1
) -> Float[Tensor, "n colors size size"]:
    """Return the PNG and JPEG images of a folder, in the order of their names.

    Each is cut to the largest square in its middle, and resized. What is transparent becomes white.
    A file that cannot be read is left out, with a warning that names it.

    Args:
        folder: where the images are; folders inside it are not looked at.
        size: height and width of the result in pixels.
        color: whether to keep the three colors; else the images become gray.
        at_least: how many images there must be, at least 1.

    Returns:
        Images with values in [-1, 1], shape (n, 3, size, size), or (n, 1, size, size) when gray.

    Raises:
        FileNotFoundError: there is no such folder, or there are no images in it.
        ValueError: too few files can be read, or a number is below 1.
        TypeError: `size` or `at_least` is not an integer.
        ImportError: Pillow is not installed.
    """
    check_count("size", size)
    check_count("at_least", at_least)
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; pass one that holds images")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no images; put files in it that end in .png, .jpg or .jpeg"
        )
    images, broken = [], []
    for path in paths:
        try:
            images.append(_read(path, size, "RGB" if color else "L"))
        except (OSError, ValueError, SyntaxError) as error:
            broken.append(f"{path.name} ({error})")
    if broken:
        named = ", ".join(broken[:5]) + (", ..." if len(broken) > 5 else "")
        warnings.warn(
            f"{len(broken)} of {len(paths)} files in {folder} cannot be read as images and are "
            f"left out: {named}",
            stacklevel=2,
        )
    if len(images) < at_least:
        raise ValueError(
            f"{folder} holds {len(images)} images that can be read, but at least {at_least} are "
            f"needed; add some"
        )
    return torch.stack(images)


def _read(path: Path, size: int, mode: str) -> Float[Tensor, "colors size size"]:
    image = optional("PIL.Image")
    try:
        with image.open(path) as file:
            upright = optional("PIL.ImageOps").exif_transpose(file)
            if upright.mode.startswith("I"):
                raise ValueError("it has 16 bits a pixel; save it with 8")
            rgba = upright.convert("RGBA")
    except image.DecompressionBombError as error:
        raise ValueError(f"it is too large: {error}") from error
    white = image.new("RGBA", rgba.size, "white")  # behind what is transparent
    flat = image.alpha_composite(white, rgba).convert(mode)
    side = min(flat.size)
    left, top = ((length - side) // 2 for length in flat.size)
    square = flat.crop((left, top, left + side, top + side)).resize((size, size))
    pixels = torch.tensor(np.array(square, dtype=np.float32)).reshape(size, size, -1)
    return pixels.permute(2, 0, 1).contiguous() / 127.5 - 1
