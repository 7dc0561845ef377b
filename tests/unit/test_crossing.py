"""The widget of chapter 2: its field, what it refuses, and its still picture."""

import json
from html.parser import HTMLParser

import pytest
import torch
from montecarlo import assert_mean
from traitlets import TraitError

import rfteach as rf
from rfteach._widgets.crossing import crossing
from rfteach._widgets.crossing_widget import _place

APART = [[-1.0, -1.0], [-0.2, 0.2]]  # the lines meet in the center, at t = 1/2 and at t = 1/6


def at(widget, place: list[float], time: float) -> torch.Tensor:
    """v* at one place and time."""
    return widget.velocity(torch.tensor([place]), torch.tensor([time]))[0]


def test_in_the_center_the_kinds_average():
    assert at(crossing(), [0.0, 0.0], 0.5).tolist() == [2.0, 0.0]


def test_when_one_kind_is_there_the_field_is_its_own():
    widget = crossing(starts=APART, blur=0.1)
    torch.testing.assert_close(at(widget, [0.0, 0.0], 1 / 2), torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(at(widget, [0.0, 0.0], 1 / 6), torch.tensor([1.2, -1.2]))


@pytest.mark.parametrize("t, place", [(0.5, [0.1, 0.05]), (0.3, [-0.35, -0.05]), (0.8, [0.4, 0.5])])
def test_it_is_the_conditional_mean(t, place, generator):
    """Given X_t = x and X0, X1 is known: weigh draws of X0 by how likely they make x."""
    widget = crossing(starts=[[-1.0, -1.0], [-0.6, 0.9]], ends=[[1.0, 0.7], [0.9, -1.0]], blur=0.3)
    n = 200_000
    kind = torch.randint(2, (n,), generator=generator)
    starts, ends = (torch.tensor(p, dtype=torch.float64) for p in (widget.starts, widget.ends))
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    x0, x = starts[kind] + 0.3 * noise, torch.tensor(place, dtype=torch.float64)
    x1 = (x - (1 - t) * x0) / t
    weight = torch.exp(-(x1 - ends[kind]).square().sum(dim=1) / (2 * 0.3**2))
    velocity = widget.velocity(x[None], torch.tensor([t], dtype=torch.float64))[0]
    assert weight.sum() ** 2 / weight.square().sum() > 1000, "too few draws near the place to tell"
    assert_mean(weight[:, None] * (x1 - x0 - velocity) / weight.mean(), [0.0, 0.0])


def test_the_kinds_do_not_change_what_arrives(generator):
    """The flow of v* has the law of X_t, so at t = 1 half of it is at each end."""
    widget = crossing(blur=0.1)
    starts = torch.tensor(widget.starts).repeat(500, 1)
    noise = 0.1 * torch.randn(1000, 2, generator=generator)
    end = rf.rk4(widget.velocity, starts + noise, steps=60).end
    assert (end[:, 0] > 0.5).all()
    assert abs((end[:, 1] > 0).double().mean().item() - 0.5) < 5 * 0.5 / 1000**0.5


def test_the_traits_can_be_set(device):
    widget = crossing(starts=torch.tensor([[-1.0, -1.0], [-1.0, 1.0]], device=device))
    widget.starts, widget.ends = [[1, 0], [0, 1]], [[0, 0], [0, 0]]
    widget.blur, widget.time, widget.paths = 0.5, 1, False
    x = torch.zeros(1, 2, dtype=torch.float64, device=device)
    velocity = widget.velocity(x, x[:, 0] + 1)  # at t = 1, v* is x - E[X0], by symmetry
    torch.testing.assert_close(velocity, x - 0.5)


@pytest.mark.parametrize(
    "state, message",
    [
        ({"starts": [[0, 0]]}, r"starts = \[\[0.0, 0.0\]\], but it must be two points"),
        ({"ends": [[0, 0, 0], [1, 1, 1]]}, "but it must be two points"),
        ({"ends": [[0, float("nan")], [1, 1]]}, "nan is not in the plane that is shown"),
        ({"starts": [[0, 0], [1, 2]]}, "2.0 is not in the plane .* from -1.8 to 1.8"),
        ({"starts": torch.zeros(3, 2)}, "but it must be two points"),
        ({"starts": torch.zeros(2)}, "'starts' trait .* expected a list, not the float 0.0"),
        ({"blur": 0.0}, "blur = 0.0, but it must be from 0.05 to 0.5"),
        ({"blur": float("nan")}, "blur = nan"),
        ({"time": 1.5}, "time = 1.5, but it must be from 0.0 to 1.0"),
    ],
)
def test_a_bad_state_is_named(state, message):
    with pytest.raises(TraitError, match=message):
        crossing(**state)


def test_a_trait_that_is_refused_stays_as_it_was():
    widget = crossing()
    with pytest.raises(TraitError, match="two points"):
        widget.ends = [[1, 1]]
    assert widget.ends == [[1.0, 1.0], [1.0, -1.0]]


def test_places_and_times_are_checked():
    with pytest.raises(ValueError, match="lies outside"):
        at(crossing(), [0.0, 0.0], 2.0)


@pytest.mark.parametrize(
    "starts, time, place",
    [
        (APART, 0.9, [0.0, 0.0]),
        ([[-1.0, -1.0], [0.5, 0.0]], 0.5, [0.375, -0.25]),  # they do not meet
        ([[-1.0, -1.0], [-1.0, -3.0]], 0.0, [-1.0, -2.0]),  # parallel
    ],
)
def test_where_the_field_is_shown(starts, time, place, shown):
    ends = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    torch.testing.assert_close(_place(torch.tensor(starts), ends, time), torch.tensor(place))


class Images(HTMLParser):
    """Notes the attributes of all images."""

    def __init__(self, html: str):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        """Note an image."""
        if tag == "img":
            self.found.append(dict(attributes))


def test_without_scripts_there_is_a_picture(shown):
    widget = crossing()
    data, _ = shown(widget)
    (image,) = Images(data["text/html"]).found
    assert "mean velocity (2.00, 0.00) at (0.00, 0.00) and t = 0.5" in image["alt"]
    assert "paths of the flow" in image["alt"]
    assert image["src"].startswith("data:image/") and len(image["src"]) > 5000
    assert widget.model_id in json.dumps(data["application/vnd.jupyter.widget-view+json"])
    widget.paths = False
    assert "paths" not in Images(shown(widget)[0]["text/html"]).found[0]["alt"]


def test_reset_knows_the_first_state():
    widget = crossing(time=0.25)
    first = {"starts": widget.starts, "ends": widget.ends, "blur": 0.2, "time": 0.25}
    widget.time = 1.0
    assert widget.get_state()["_first"] == first
