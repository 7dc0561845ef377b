import base64
import html
import io
import math
import re

import pytest
import torch
import traitlets
from PIL import Image

import rfteach as rf
from rfteach._widgets.front_end import FRONT, esm
from rfteach._widgets.packing import POOL, cloud_rows, half_bytes, pack_network
from rfteach._widgets.playground_widget import solved
from rfteach.figures import COLORS
from scripts.make_wasm import MODULE, as_javascript, assemble

NOISE, MOONS = rf.Gaussian(2), rf.Moons()


@pytest.fixture
def models():
    """Two networks, one of a shape of its own."""
    torch.manual_seed(0)
    return {"1-RF": rf.VelocityMLP(2), "2-RF": rf.VelocityMLP(2, width=6, depth=1)}


def test_one_network_is_enough(models):
    play = rf.playground(models["1-RF"], NOISE, MOONS)
    assert (play.data, play.model, play.beside) == ("data", "flow", "")
    assert play._about["models"] == [{"name": "flow", "color": COLORS["1-RF"]}]


def test_several_data_sets(models):
    data = {"moons": MOONS, "circle": rf.Circle()}
    play = rf.playground({name: models for name in data}, NOISE, data, data="circle")
    assert play.target.shape == (1000, 2)
    # a circle of radius 1, with noise 0.1, and moons that reach to x = 2
    assert play.target.norm(dim=1).max() < 1.6
    play.data = "moons"
    assert play.target[:, 0].max() > 1.9


def test_the_weights_are_packed_in_pytorchs_order(models):
    play = rf.playground(models, NOISE, MOONS)
    entry = play._about["networks"][1]
    assert (entry["data"], entry["model"]) == ("data", "2-RF")
    assert entry["sizes"] == [3, 6, 2]
    content = play._weights[entry["offset"] : entry["offset"] + entry["bytes"]]
    numbers = torch.frombuffer(bytearray(content), dtype=torch.float16)
    expected = torch.cat([p.detach().flatten() for p in models["2-RF"].parameters()]).half()
    assert torch.equal(numbers, expected)
    assert len(play._weights) == entry["offset"] + entry["bytes"]


def test_the_start_is_the_source(models):
    play = rf.playground(models, NOISE, MOONS, particles=4000)
    start = play.start
    assert start.shape == (4000, 2)
    # five standard errors of a mean and of a variance of 4,000 numbers
    assert start.mean(dim=0).abs().max() < 5 / 4000**0.5
    assert (start.var(dim=0) - 1).abs().max() < 5 * (2 / 4000) ** 0.5
    assert torch.equal(start, play.start)
    play.seed = 1
    assert not torch.equal(start, play.start)


@pytest.mark.parametrize("seed", [0, 1, 7, 999])
def test_no_particle_comes_twice(seed):
    rows = cloud_rows(seed, POOL - 1)
    assert sorted(rows) == list(range(1, POOL))


def test_the_picture_is_in_the_output(models, shown):
    play = rf.playground(models, NOISE, MOONS, beside="2-RF", steps=3, time=0.5, lines=True)
    output = shown(play)[0]["text/html"]
    assert f'data-widget="{play.model_id}"' in output
    assert "1-RF" in output and "2-RF" in output and "t = 0.5" in output and "3 steps" in output
    picture = base64.b64decode(re.search('base64,([^"]*)"', output)[1])
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    assert len(image.getcolors(1 << 24)) > 50


@pytest.mark.parametrize("path", sorted(FRONT.iterdir()), ids=lambda path: path.name)
def test_a_part_of_the_front_end_stays_readable(path):
    assert len(path.read_text().splitlines()) < 250


@pytest.mark.parametrize("name", ["playground.js", "crossing.js", "images.js", "steering.js"])
def test_a_program_is_one_module(name):
    program = esm(name)
    assert not re.search(r"^import ", program, re.MULTILINE)
    assert re.findall(r"^export .*", program, re.MULTILINE) == ["export default {"]
    names = re.findall(r"^(?:const|let|class|function\*?) (\w+)", program, re.MULTILINE)
    assert len(names) == len(set(names)), "two parts define one name"


def test_the_webassembly_is_what_its_source_says():
    again = "layer.wat has changed: run python -m scripts.make_wasm"
    assert MODULE.read_text() == as_javascript(assemble()), again


def test_traits_refuse_what_the_page_cannot_show(models):
    play = rf.playground(models, NOISE, MOONS)
    bad = {"model": "", "beside": "4-RF", "data": "circle", "selected": [math.nan, 0.0]}
    for name, value in [*bad.items(), ("time", 2.0), ("time", math.nan)]:
        before = getattr(play, name)
        with pytest.raises(traitlets.TraitError):
            setattr(play, name, value)
        assert getattr(play, name) == before
    play.beside = ""  # nothing beside it


def test_only_a_playground_with_noise_takes_noise(models):
    play = rf.playground(models, NOISE, MOONS)
    with pytest.raises(traitlets.TraitError, match="noise = 1.0.*from 0 to 0; rf.playground"):
        play.noise = 1.0
    assert play.noise == 0
    noisy = rf.playground(models, NOISE, MOONS, noise=0)
    noisy.noise = 4.0
    with pytest.raises(traitlets.TraitError, match='"Euler" only'):
        noisy.solver = "one step"


def test_the_picture_has_the_noise(models, shown):
    play = rf.playground(models, NOISE, MOONS, noise=0, steps=5)
    flow = rf.euler(models["1-RF"], play.start, steps=5)
    assert torch.equal(solved(play, models["1-RF"]).states, flow.states)
    for play.fading in (True, False):
        for play.noise in (1.0, 3.0):
            # one step from t = 0, where the score is -x and g is the same with and without fading
            first = solved(play, models["1-RF"]).states[1]
            kick = first - flow.states[1] + play.noise**2 / 2 / 5 * play.start
            # 4,000 normal numbers: five standard errors
            scale = play.noise / 5**0.5
            assert abs(kick.std() / scale - 1) < 5 / 8000**0.5
            assert abs(kick.mean()) < 5 * scale / 4000**0.5
    last = {}
    for play.fading in (True, False):
        last[play.fading] = solved(play, models["1-RF"]).end
    assert not torch.equal(last[True], last[False])
    assert "5 steps and noise of strength 3." in shown(play)[0]["text/html"]


def test_weights_too_large_for_half_precision_are_refused():
    with pytest.raises(ValueError, match="velocity has numbers.*65,504"):
        half_bytes("velocity", torch.tensor([1e5]))
    velocity = rf.VelocityMLP(2)
    with torch.no_grad():
        velocity.net[0].bias[0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        pack_network("v", velocity)


@pytest.mark.parametrize(
    "name", ['x"><img src=x onerror="alert(1)', "costs $\\foo{ $", "line", "a & b"]
)
def test_any_name_will_do(models, name, shown):
    play = rf.playground({name: models["1-RF"]}, NOISE, MOONS, time=0.0)
    output = shown(play)[0]["text/html"]
    assert output.count("<") == 7 and html.escape(name) in output
    assert play._about["models"][0]["color"] == COLORS["1-RF"]


def test_a_network_of_another_precision_or_device_can_be_drawn(models, shown):
    velocity = models["1-RF"].double()
    play = rf.playground(velocity, NOISE, MOONS, arrows=True)
    with torch.device("meta"):
        assert "data:image" in shown(play)[0]["text/html"]
    assert next(velocity.parameters()).dtype == torch.float64


def test_the_default_model_is_one_of_the_data_shown(models, shown):
    data = {"moons": MOONS, "circle": rf.Circle()}
    some = {"moons": {"1-RF": models["1-RF"]}, "circle": {"2-RF": models["2-RF"]}}
    play = rf.playground(some, NOISE, data, data="circle")
    assert play.model == "2-RF"
    play.model, play.beside = "1-RF", "2-RF"  # the first is not for the circle
    assert "flow of 2-RF from" in shown(play)[0]["text/html"]
