import pytest
import torch
import traitlets

import rfteach as rf

NOISE, MOONS = rf.Gaussian(2), rf.Moons()
CHANGED = rf.VelocityMLP(2)
CHANGED.net[1] = torch.nn.Tanh()


@pytest.fixture
def models():
    """One network."""
    torch.manual_seed(0)
    return {"1-RF": rf.VelocityMLP(2)}


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"velocities": {}}, ValueError, "no velocities"),
        ({"velocities": {"v": "1-RF"}}, TypeError, "'v' is a str"),
        ({"velocities": lambda x, t: x}, TypeError, "is a function"),
        ({"velocities": rf.VelocityMLP(3)}, ValueError, "dim = 3"),
        ({"velocities": rf.VelocityMLP(2, classes=2)}, ValueError, "classes = 2.*without labels"),
        ({"source": rf.Gaussian(3)}, ValueError, r"shape \(3,\)"),
        ({"source": 3}, TypeError, "source"),
        ({"target": rf.Gaussian(1)}, ValueError, r"shape \(1,\)"),
        ({"target": {"moons": MOONS}}, ValueError, "moons"),
        ({"particles": 4999}, ValueError, "particles = 4999"),
        ({"particles": 0}, ValueError, "particles = 0"),
        ({"particles": 1}, ValueError, "particles = 1"),
        ({"velocities": {"": rf.VelocityMLP(2)}}, TypeError, "'' is no name"),
        ({"velocities": {1: rf.VelocityMLP(2)}}, TypeError, "1 is no name"),
        ({"velocities": CHANGED}, TypeError, "not a plain VelocityMLP"),
        ({"limit": 0.0}, ValueError, "limit = 0"),
        ({"limit": float("nan")}, ValueError, "limit = nan"),
        ({"speed": 1}, TypeError, "'speed' is no state"),
        ({"model": "4-RF"}, traitlets.TraitError, "model = '4-RF'.*1-RF"),
        ({"steps": 0}, traitlets.TraitError, "steps"),
        ({"selected": [1.0]}, traitlets.TraitError, "selected = .*must be"),
        ({"solver": "RK4"}, traitlets.TraitError, "solver"),
        ({"noise": 4.5}, traitlets.TraitError, "noise = 4.5.*from 0 to 4"),
        ({"noise": float("nan")}, traitlets.TraitError, "noise = nan"),
        ({"noise": 1, "solver": "Heun"}, traitlets.TraitError, "'Heun'.*\"Euler\" only"),
        ({"noise": 1, "source": MOONS}, ValueError, "source is Moons.*rf.Gaussian"),
    ],
)
def test_bad_input_is_named(models, changes, error, message):
    arguments = {"velocities": models, "source": NOISE, "target": MOONS, **changes}
    with pytest.raises(error, match=message):
        rf.playground(**arguments)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"floor": "two"}, TypeError, "floor = 'two', but it must be a number"),
        ({"floor": float("nan")}, ValueError, "floor = nan, but it must be finite"),
        ({"target": [1.0]}, TypeError, "target is of type list"),
        ({"target": rf.Gaussian(3)}, ValueError, "both in one space"),
    ],
)
def test_bad_input_of_the_retraining_is_named(changes, error, message):
    arguments = {"source": NOISE, "target": MOONS, **changes}
    with pytest.raises(error, match=message):
        rf.retrain(**arguments)


LABELED = {"1-RF": rf.VelocityMLP(6, width=5, depth=1, classes=3)}


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"velocities": {}}, ValueError, "no velocities"),
        ({"velocities": {"v": lambda x, t: x}}, TypeError, "'v' is a function"),
        ({"velocities": {"v": rf.VelocityMLP(6)}}, ValueError, "'v' knows of no labels.*classes="),
        ({"size": (3, 3)}, ValueError, "dim = 6.*3 x 3 pixels.*need dim = 9"),
        ({"names": ["a", "b"]}, ValueError, "classes = 3.*2 labels"),
        ({"source": rf.Gaussian(5)}, ValueError, r"shape \(5,\).*shape \(6,\)"),
        ({"source": 3}, TypeError, "source"),
        ({"one_step": ["distilled"]}, ValueError, "'distilled', but there are 1-RF"),
        ({"images": 307}, ValueError, "images = 307.*at most 306"),
        ({"images": 0}, ValueError, "images = 0"),
        ({"steps": 51}, traitlets.TraitError, "steps"),
        ({"label": "7"}, traitlets.TraitError, "label = '7'.*0, 1, 2"),
    ],
)
def test_bad_input_of_the_image_playground_is_named(changes, error, message):
    arguments = {"velocities": LABELED, "source": rf.Gaussian(6), "size": (2, 3), **changes}
    with pytest.raises(error, match=message):
        rf.image_playground(**arguments)


def test_a_network_that_jumps(says):
    with says(TypeError, "the end of its step", "without jumps=True"):
        rf.playground(rf.VelocityMLP(2, jumps=True), rf.Gaussian(2), rf.Moons())
