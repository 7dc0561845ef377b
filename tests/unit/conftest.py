"""Unit tests, with every annotation of rfteach checked (see addopts in pyproject.toml)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from ipywidgets import DOMWidget

try:
    from pretended_gpu import pretended_gpu
except pytest.skip.Exception:  # there is a GPU, or PyTorch is too old to pretend one
    pretended_gpu = None

ROOT = Path(__file__).parents[2]

torch.set_num_threads(1)
os.environ.pop("TQDM_DISABLE", None)  # read when tqdm is imported; the bar is tested here
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")


@pytest.fixture
def generator():
    """A freshly seeded source of randomness."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=["cpu", "cuda" if torch.cuda.is_available() else "gpu"])
def device(request):
    """The CPU, and a GPU: a pretended one where there is none."""
    if request.param != "gpu":
        yield request.param
    elif pretended_gpu is None:
        pytest.skip("this PyTorch is too old to pretend a GPU")
    else:
        with pretended_gpu():
            yield request.param


@pytest.fixture(scope="session")
def shown():
    """What a page without a kernel gets of a widget."""
    if not hasattr(DOMWidget, "_repr_mimebundle_"):
        pytest.skip("ipywidgets 7 shows a widget by itself, without a picture of ours")
    return lambda widget: widget._repr_mimebundle_()


@pytest.fixture(scope="session")
def run_python():
    """Run a program in a Python of its own; returns the completed process, text captured."""

    def run(program: str, *args: str, **environment: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-c", program, *args],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path} | environment,
            timeout=240,
        )

    return run
