"""Flows that are already trained: shipped with the package, checked before use.

Weights are in half precision, to keep the package small. Beside them lie nine manifests, which say
how they were made and what was measured with the weights as they are in the file: `plane.json` (by
`python -m scripts.train plane`), and likewise those of `digits`, `classifier`, `fashion`,
`images`, `transfer`, `captions` and `latents`. That of `recipe` has no weights: it compares ways to
train the 1-RF of `fashion`.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Literal, get_args

import torch
from safetensors.torch import load
from torch import Tensor, nn

from rfteach._measures.frechet import FeatureMoments
from rfteach._networks.autoencoder import ImageAutoencoder
from rfteach._networks.classifier import ImageClassifier
from rfteach._networks.mlp import VelocityMLP
from rfteach._networks.mmdit import MMDiTVelocity
from rfteach._networks.unet import UNetVelocity
from rfteach._runs.tensors import CheckpointError

WEIGHTS_FOLDER = files("rfteach._shipped") / "weights"
"""Where the shipped weights and their manifests lie, a `Path`."""
WAY_OUT = "install rfteach again"
Manifest = Literal[
    "plane",
    "digits",
    "classifier",
    "fashion",
    "recipe",
    "images",
    "transfer",
    "captions",
    "latents",
]
MANIFESTS = get_args(Manifest)
NETWORKS = {
    "VelocityMLP": VelocityMLP,
    "UNetVelocity": UNetVelocity,
    "MMDiTVelocity": MMDiTVelocity,
}


def weights_manifest(name: Manifest) -> dict:
    """Return a manifest: recipes, checksums, logs and measurements of some weights.

    Its "data" says this of each data set. Seconds are wall-clock time on the "device".

    Raises:
        ValueError: there is no such manifest.
        CheckpointError: its file is missing or damaged.
    """
    if name not in MANIFESTS:
        raise ValueError(f"name = {name!r}, but the manifests are {', '.join(MANIFESTS)}")
    content = _content(f"{name}.json")
    try:
        return dict(json.loads(content))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{WEIGHTS_FOLDER / name}.json is damaged: {error}; {WAY_OUT}"
        ) from error


def pretrained(data: str) -> dict[str, nn.Module]:
    """Return trained flows to a data set, by name of the model, on PyTorch's default device.

    - "moons", "eight Gaussians", "circle": 1-RF, 2-RF, 3-RF, distilled (chapters 4 to 6);
    - "digits", for labels 0 to 9: 1-RF, 2-RF, distilled, 1-RF distilled, and that one after half
      the time (chapter 9);
    - "Fashion-MNIST", for labels 0 to 9: 1-RF, 2-RF, distilled, 1-RF distilled (chapter 9);
    - "faces", 32 x 32 in color: 1-RF (chapter 9);
    - "sneakers to ankle boots": 1-RF, 2-RF, optimal pairs and feature loss, from sneakers with
      noise of standard deviation 0.5, and "no noise", from sneakers as they are (chapter 10);
    - "Fashion-MNIST, captions", for tokenized texts: 1-RF (chapter 11);
    - "Fashion-MNIST, latents", in the scaled latents of 1 channel, flattened: 1-RF (chapter 18).

    In the plane "distilled" is the 1-RF in one step, of images it is the 2-RF. Other sources than
    N(0, I) are in the name. The flows are those of Liu et al. 2022, Algorithm 1.

    Raises:
        ValueError: there are no weights for such data.
        CheckpointError: the file, or the manifest that may name it, is missing or damaged.
    """
    entries, damaged = {}, None
    for name in MANIFESTS:
        try:
            entries |= weights_manifest(name).get("data", {})
        except CheckpointError as error:  # which matters where the data are in no other
            damaged = error
    if data not in entries:
        if damaged is not None:
            raise damaged
        names = ", ".join(f'"{name}"' for name in entries)
        raise ValueError(f"data = {data!r}, but there are weights for {names} only")
    entry = entries[data]
    settings = dict(entry["network"])
    network = NETWORKS[settings.pop("kind")]
    parameters = _read(entry)
    velocities = {}
    for model in entry["models"]:  # safetensors sorts by name
        velocities[model] = network(**settings)
        velocities[model].load_state_dict(_under(model, parameters))
    return velocities


def fashion_classifier() -> tuple[ImageClassifier, FeatureMoments]:
    """Return the classifier in whose features chapters 9 to 11 measure the FID, frozen.

    With it come the moments of its features over the 10,000 test images of Fashion-MNIST. Both are
    on PyTorch's default device.

    Raises:
        CheckpointError: the file or its manifest is missing or damaged.
    """
    tensors = _read(weights_manifest("classifier")["classifier"])
    classifier = ImageClassifier()
    classifier.load_state_dict(_under("classifier", tensors))
    moments = _under("moments", tensors)
    device = torch.get_default_device()
    real = FeatureMoments(*(moments[name].double().to(device) for name in FeatureMoments._fields))
    return classifier.eval().requires_grad_(False), real


def fashion_autoencoders() -> dict[int, ImageAutoencoder]:
    """Return the autoencoders of chapter 18 by their number of channels (1, 2, 4), frozen.

    The mean and the scale of their latents stand in `weights_manifest("latents")`.

    Raises:
        CheckpointError: the file or its manifest is missing or damaged.
    """
    entry = weights_manifest("latents")["autoencoders"]
    tensors = _read(entry)
    autoencoders = {}
    for channels in map(int, entry["channels"]):
        autoencoders[channels] = ImageAutoencoder(channels)
        autoencoders[channels].load_state_dict(_under(str(channels), tensors))
        autoencoders[channels].eval().requires_grad_(False)
    return autoencoders


def _read(entry: dict) -> dict[str, Tensor]:
    """Read the file that an entry of a manifest names, in single precision."""
    content = _content(entry["file"])
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise CheckpointError(
            f"{WEIGHTS_FOLDER / entry['file']} is damaged: its checksum is not that of the "
            f"manifest; {WAY_OUT}"
        )
    return {name: tensor.float() for name, tensor in load(content).items()}


def _content(file: str) -> bytes:
    """Read a file of the shipped weights."""
    try:
        return (WEIGHTS_FOLDER / file).read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{WEIGHTS_FOLDER / file} cannot be read: {error.strerror}; {WAY_OUT}"
        ) from error


def _under(folder: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names start with "folder/", under what follows it."""
    start = f"{folder}/"
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }
