import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
import torch

import rfteach as rf

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(rf.__path__, "rfteach.")
]
modules = pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)


def public_things(module):
    """Yield the public functions and classes that a module defines itself, with their names."""
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__
        if (
            own
            and not name.startswith("_")
            and (inspect.isfunction(thing) or inspect.isclass(thing))
        ):
            yield name, thing


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


def test_the_names_of_the_design_are_there():
    names = """Gaussian GaussianMixture Circle Moons EightGaussians Checkerboard Empirical
    IndependentCoupling PairedCoupling interpolate velocity_matching_loss VelocityMLP train
    TrainingRun euler heun rk4 dopri5 Trajectory mixture_velocity straightness transport_cost
    wasserstein2 energy_distance stratified_times uniform_times logit_normal_times"""
    assert set(names.split()) <= set(rf.__all__)


@modules
def test_everything_public_has_a_docstring(module):
    assert module.__doc__
    for name, thing in public_things(module):
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    assert inspect.getdoc(getattr(thing, method)), f"{name}.{method}"


@modules
def test_a_module_stays_readable(module):
    assert len(Path(module.__file__).read_text().splitlines()) < 250


def test_the_annotations_are_checked_in_this_run():
    with pytest.raises(TypeError, match="[Tt]ype-check"):
        rf.interpolate(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(4))
