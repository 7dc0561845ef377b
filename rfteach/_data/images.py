"""The images of chapters 9 to 12: scikit-learn's digits and Fashion-MNIST.

All come as floating-point tensors of shape (n, 1, height, width) with values in [-1, 1], and with
integer labels of shape (n,). Nothing is fetched from the network unless the caller asks for it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rfteach._optional import optional

FASHION_CLASSES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
"""The names of Fashion-MNIST's labels 0 to 9."""

SAMPLE = files("rfteach._data") / "fashion_sample.npz"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
PARTS = {  # how the files are called, and the checksums of their content: images, labels
    "train": (
        "train",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test": (
        "t10k",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}

Images = tuple[Float[Tensor, "n 1 height width"], Int[Tensor, " n"]]


def digits() -> Images:
    """Return the 1,797 handwritten digits of scikit-learn, 8 x 8 pixels, and their labels.

    They are the test set of the UCI data set of Alpaydin and Kaynak (1998).

    Raises:
        ImportError: scikit-learn is not installed.
    """
    data = optional("sklearn.datasets").load_digits()
    images = torch.as_tensor(data.images, dtype=torch.float32)[:, None] / 8 - 1  # 0 to 16
    return images, torch.as_tensor(data.target)


def fashion(
    part: Literal["sample", "train", "test"] = "sample",
    *,
    folder: Path | str | None = None,
    download: bool = False,
) -> Images:
    """Return images of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), 28 x 28, and their labels.

    Args:
        part: "sample" is shipped with this package: 2,000 images of the training set, 200 of each
            class. "train" has 60,000 and "test" 10,000 images, from files that are not shipped.
        folder: where those files are. When None: the folder in the environment variable
            RFTEACH_DATA, then that of Debian's package dataset-fashion-mnist, then the cache of a
            download.
        download: fetch the files with torchvision, about 30 MB, when they are not there.

    Raises:
        ValueError: there is no such part, or a file is damaged.
        FileNotFoundError: the files are not there, and no download was asked for.
        ImportError: a download was asked for, and torchvision is not installed.
    """
    if part == "sample":
        try:
            with SAMPLE.open("rb") as file, np.load(file) as data:
                return _tensors(data["images"], data["labels"])
        except FileNotFoundError:
            raise FileNotFoundError(f"{SAMPLE} is missing; install rfteach again") from None
        except PermissionError:
            raise
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, zlib.error) as error:
            raise ValueError(f"{SAMPLE} is damaged: {error}; install rfteach again") from error
    if part not in PARTS:
        raise ValueError(f'part = {part!r}, but the parts are "sample", "train" and "test"')
    name, pixels, labels = PARTS[part]
    where = _find(f"{name}-images-idx3-ubyte.gz", folder, download)
    return _tensors(
        _read(where / f"{name}-images-idx3-ubyte.gz", 16, pixels).reshape(-1, 28, 28),
        _read(where / f"{name}-labels-idx1-ubyte.gz", 8, labels),
    )


def _tensors(
    images: UInt8[np.ndarray, "n height width"], labels: UInt8[np.ndarray, " n"]
) -> Images:
    pixels = torch.tensor(images)[:, None].float()
    return pixels / 127.5 - 1, torch.tensor(labels).long()


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rfteach"


def _find(file: str, folder: Path | str | None, download: bool) -> Path:
    """Return the folder that holds the file, or say how to get it."""
    fetched = _cache() / "FashionMNIST" / "raw"  # torchvision's layout
    given = folder or os.environ.get("RFTEACH_DATA")
    places = [Path(given)] if given else [DEBIAN, fetched]
    for place in places:
        if (place / file).exists():
            return place
    if download:
        optional("torchvision.datasets").FashionMNIST(_cache(), download=True)
        return fetched
    raise FileNotFoundError(
        f"{file} is not in {' or '.join(map(str, places))}; pass download=True to fetch it, or "
        f"folder=... where it is, or on Debian run: apt install dataset-fashion-mnist"
    )


def _read(path: Path, header: int, checksum: str) -> UInt8[np.ndarray, " bytes"]:
    """Read what follows the header of a file in the IDX format (LeCun's, of MNIST)."""
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist, though files beside it do") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}; delete it and get it again") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError(
            f"{path} does not hold what it should (its checksum is another); "
            f"delete it and get it again"
        )
    return np.frombuffer(content, np.uint8, offset=header)
