import inspect
from pathlib import Path

import pytest
import torch

import rfteach as rf

HEAVY = ("matplotlib", "ot", "torchdiffeq", "scipy", "sklearn", "pandas", "tqdm", "IPython")


def test_the_import_is_light(run_python):
    """Heavy libraries load on first use; whatever torch itself imports does not count."""
    program = "import sys, torch; before = set(sys.modules); import rfteach; " + (
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = run_python(program)
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())


def test_all_is_sorted_and_every_name_exists():
    assert rf.__all__ == sorted(rf.__all__)
    assert len(set(rf.__all__)) == len(rf.__all__)
    assert all(hasattr(rf, name) for name in rf.__all__)


def test_all_lists_everything_public():
    reachable = {
        name
        for name, thing in vars(rf).items()
        if not name.startswith("_") and not inspect.ismodule(thing)
    }
    assert reachable == set(rf.__all__)


def test_modules_stay_readable():
    modules = list(Path(rf.__file__).parent.rglob("*.py"))
    assert len(modules) > 50
    assert [p.name for p in modules if len(p.read_text().splitlines()) >= 250] == []


def test_the_annotations_are_checked_in_this_run():
    with pytest.raises(TypeError, match="[Tt]ype-check"):
        rf.interpolate(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(4))
