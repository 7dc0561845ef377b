"""Libraries that only some of the functions need."""

from __future__ import annotations

import importlib
from types import ModuleType

EXTRAS = {
    "ot": ("POT", "metrics"),
    "scipy.spatial": ("scipy", "metrics"),
    "torchdiffeq": ("torchdiffeq", "solvers"),
    "anywidget": ("anywidget", "widgets"),
    "ipywidgets": ("ipywidgets", "widgets"),
    "diffusers": ("diffusers", "diffusion"),
    "transformers": ("transformers", "sd3"),
    "sklearn.datasets": ("scikit-learn", "images"),
    "PIL.Image": ("pillow", "images"),
    "PIL.ImageOps": ("pillow", "images"),
    "torchvision.datasets": ("torchvision", None),  # for a download only; not in the lock
}


def optional(module: str) -> ModuleType:
    """Import a library that only some of the functions need, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package, extra = EXTRAS[module]
        install = f'"rfteach[{extra}]"' if extra else package
        raise ImportError(
            f"this function needs {package}, which is not installed; run: pip install {install}"
        ) from error
