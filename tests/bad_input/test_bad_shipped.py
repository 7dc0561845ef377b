"""Files of the package that are missing or damaged."""

import shutil
import sys

import pytest

import rfteach as rf
from rfteach._data.images import SAMPLE

AGAIN = "install rfteach again"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A copy of the folder of weights, in place of it."""
    module = sys.modules["rfteach._shipped.pretrained"]
    shutil.copytree(str(module.WEIGHTS_FOLDER), tmp_path / "weights")
    monkeypatch.setattr(module, "WEIGHTS_FOLDER", tmp_path / "weights")
    return tmp_path / "weights"


def test_missing_weights(weights, says):
    (weights / "moons.safetensors").unlink()
    with says(rf.CheckpointError, str(weights / "moons.safetensors"), "No such file", AGAIN):
        rf.pretrained("moons")


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff"])
def test_a_manifest_that_cannot_be_read(content, weights, says):
    path = weights / "latents.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    for read in (
        lambda: rf.weights_manifest("latents"),
        lambda: rf.pretrained("Fashion-MNIST, latents"),
        rf.fashion_autoencoders,
    ):
        with says(rf.CheckpointError, str(path), AGAIN):
            read()
    assert list(rf.pretrained("moons")) == ["1-RF", "2-RF", "3-RF", "distilled"]


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_truncated_sample(part, tmp_path, monkeypatch, says):
    content, path = SAMPLE.read_bytes(), tmp_path / "sample.npz"
    monkeypatch.setattr("rfteach._data.images.SAMPLE", path)
    with says(FileNotFoundError, f"{path} is missing", AGAIN):
        rf.fashion()
    path.write_bytes(content[: int(part * len(content))])
    with says(ValueError, f"{path} is damaged", AGAIN):
        rf.fashion()
