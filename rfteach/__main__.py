"""What a report of a mistake should carry: `python -m rfteach` prints it, ready to paste."""

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

import rfteach

LIBRARIES = ("numpy", "matplotlib", "diffusers", "transformers", "accelerate", "anywidget", "POT")


def installed(name: str) -> str:
    """Return the version of a library, or that it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def versions() -> dict[str, str]:
    """Return the versions of what the book runs on, and where it runs."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "rfteach": rfteach.__version__,
        "Python": platform.python_version(),
        "system": platform.platform(),
        "torch": torch.__version__,
        "GPU": gpu,
        "threads": str(torch.get_num_threads()),
        **{name: installed(name) for name in LIBRARIES},
    }


if __name__ == "__main__":
    for name, found in versions().items():
        print(f"{name}: {found}")
