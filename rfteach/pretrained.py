"""Flows in the plane that are already trained: shipped with the package, checked before use.

One file per data set holds the four models that the chapters compare. Its weights are in half
precision, since the pages of the book carry them too; the numbers in `weights/plane.json` were
measured with the weights as they are in the file. `python -m scripts.train_plane` makes all of it.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files

from safetensors.torch import load

from rfteach.checkpoints import CheckpointError
from rfteach.networks import VelocityMLP

WEIGHTS = files("rfteach") / "weights"


@cache
def manifest() -> dict:
    """Return what `weights/plane.json` says of each data set: recipe, checksum, measurements."""
    return json.loads((WEIGHTS / "plane.json").read_text(encoding="utf-8"))["data"]


def pretrained(data: str) -> dict[str, VelocityMLP]:
    """Return trained flows from N(0, I) in the plane to a data set, by name of the model.

    The models are "1-RF", "2-RF", "3-RF" (Liu et al. 2022, Algorithm 1) and "distilled", which is
    the 1-RF distilled into one step; see chapters 5 and 6. They are on PyTorch's default device.

    Args:
        data: "moons", "eight Gaussians" or "circle"; the data are `Moons()`, `EightGaussians()`
            and `Circle()`.

    Raises:
        ValueError: there is no such data set.
        CheckpointError: the file is damaged.
    """
    known = manifest()
    if data not in known:
        names = ", ".join(f'"{name}"' for name in known)
        raise ValueError(f"data = {data!r}, but there are weights for {names} only")
    entry = known[data]
    content = (WEIGHTS / entry["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise CheckpointError(
            f"{WEIGHTS / entry['file']} is damaged: its checksum is not that of plane.json; "
            f"install rfteach again"
        )
    models: dict[str, dict] = {}
    for name, tensor in load(content).items():
        model, parameter = name.split("/")
        models.setdefault(model, {})[parameter] = tensor.float()
    velocities = {}
    for model in entry["models"]:  # safetensors sorts by name
        velocities[model] = VelocityMLP(dim=2)
        velocities[model].load_state_dict(models[model])
    return velocities
