import gzip
import hashlib
import sys
import types

import numpy as np
import pytest
import torch

import rfteach as rf
from rfteach._data import images

NAMES = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def test_digits():
    pixels, labels = rf.digits()
    assert pixels.shape == (1797, 1, 8, 8) and pixels.dtype == torch.float32
    assert pixels.min() == -1 and pixels.max() == 1
    assert len(labels) == 1797 and set(labels.tolist()) == set(range(10))
    one = pixels[labels == 1].mean(dim=0)[0]  # dark at the sides, bright down the middle
    assert one[:, 3:5].mean() > 0.3 and one[:, 0].mean() < -0.9


def test_the_sample_is_shipped():
    pixels, labels = rf.fashion()
    assert pixels.shape == (2000, 1, 28, 28) and pixels.min() == -1 and pixels.max() == 1
    assert torch.bincount(labels).tolist() == [200] * 10 and len(images.FASHION_CLASSES) == 10
    assert len(pixels.flatten(1).unique(dim=0)) == 2000
    trousers, boots = (pixels[labels == i].mean(dim=0)[0] for i in (1, 9))
    assert trousers[14, 12:16].mean() > trousers[14, :4].mean() + 0.5
    assert boots[-8:].mean() > boots[:4].mean() + 0.5  # a sole below, and nothing on top


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a test set of three images, whose checksums the loader is told."""
    pixels = np.arange(3 * 28 * 28, dtype=np.uint8)
    contents = (bytes(16) + pixels.tobytes(), bytes(8) + bytes([9, 0, 4]))
    for name, content in zip(NAMES, contents, strict=True):
        (tmp_path / name).write_bytes(gzip.compress(content))
    sums = (hashlib.sha256(content).hexdigest() for content in contents)
    monkeypatch.setitem(images.PARTS, "test", ("t10k", *sums))
    return tmp_path


def test_the_files_of_the_whole_set(folder, monkeypatch):
    pixels, labels = rf.fashion("test", folder=folder)
    assert pixels.shape == (3, 1, 28, 28) and labels.tolist() == [9, 0, 4]
    expected = torch.arange(256) / 127.5 - 1
    torch.testing.assert_close(pixels.flatten()[:256], expected)
    monkeypatch.setenv("RFTEACH_DATA", str(folder))
    assert torch.equal(rf.fashion("test")[0], pixels)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["cut", "changed", "no gzip", "other content"])
def test_a_damaged_file_is_found_out(folder, name, damage):
    content = bytearray((folder / name).read_bytes())
    if damage == "cut":
        del content[-10:]
    elif damage == "changed":
        content[len(content) // 2] ^= 255
    elif damage == "no gzip":
        content = b"<html>not found</html>"
    else:
        content = gzip.compress(bytes(16 + 3 * 784))
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}.*(damaged|checksum).*get it again"):
        rf.fashion("test", folder=folder)


def test_missing_files_say_how_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images.*download=True.*apt install"):
        rf.fashion("train", folder=tmp_path)


def test_half_of_the_files(folder):
    (folder / NAMES[1]).unlink()
    with pytest.raises(FileNotFoundError, match=NAMES[1]):
        rf.fashion("test", folder=folder)


def test_an_unknown_part_is_named(monkeypatch):
    with pytest.raises(Exception, match="validation"):
        rf.fashion("validation")


def test_a_download_is_made_by_torchvision_and_only_when_asked_for(folder, tmp_path, monkeypatch):
    """torchvision puts the files into FashionMNIST/raw under the folder that it is given."""
    cache = tmp_path / "cache"
    asked = []

    def fake(root, download):
        asked.append((root, download))
        raw = root / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for name in NAMES:
            (raw / name).write_bytes((folder / name).read_bytes())

    module = types.ModuleType("torchvision.datasets")
    module.FashionMNIST = fake
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("RFTEACH_DATA", raising=False)
    monkeypatch.setattr(images, "DEBIAN", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        rf.fashion("test")
    assert not asked
    assert rf.fashion("test", download=True)[1].tolist() == [9, 0, 4]
    assert asked == [(cache / "rfteach", True)]
    assert rf.fashion("test")[1].tolist() == [9, 0, 4]  # from the cache


def test_without_torchvision_the_download_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ImportError, match="pip install torchvision"):
        rf.fashion("train", folder=tmp_path, download=True)
