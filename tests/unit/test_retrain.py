import io
import sys
import threading
from types import SimpleNamespace

import ipywidgets
import pytest
import torch
from PIL import Image

import rfteach as rf
from rfteach._widgets.retrain import retrain
from rfteach._widgets.retrain_widget import Retrain

pytestmark = pytest.mark.slow


def control(floor: float | None = 2.0, **settings) -> Retrain:
    """A control that trains a small network for a short time, or as told."""
    made = retrain(rf.Gaussian(2), rf.Circle(), floor=floor)
    small = {"batch_size": 32, "width": 8, "depth": 1, "steps": 100}
    for name, value in (small | settings).items():
        made.controls[name].value = value
    return made


def press(button: ipywidgets.Button, made: Retrain) -> None:
    """Press a button as a reader does, and wait until nothing runs."""
    button.click()
    made.thread.join(60)
    assert not made.thread.is_alive()


def inside(widget: ipywidgets.Widget):
    """Yield a widget and all that it holds."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child)


def picture(made: Retrain) -> Image.Image:
    return Image.open(io.BytesIO(made.picture)).convert("RGB")


class Broken(rf.Circle):
    """Its batches of 32 are so far away that their loss is infinite."""

    def sample(self, n, *, generator=None, device=None):
        points = super().sample(n, generator=generator, device=device)
        return points * 1e30 if n == 32 else points


# --- training


def test_train_trains_and_shows_the_result():
    made = control()
    assert made.velocity is None and made.runs == [] and "<td>" not in made.table.value
    before = made.picture
    press(made.train_button, made)
    (attempt,) = made.runs
    assert attempt.run.steps == 100 and attempt.run.losses.shape == (100,)
    assert made.progress.value == made.progress.max == 100
    assert "Done: 100 steps" in made.status.value
    assert made.picture != before
    assert f"<td>{attempt.test_loss:.3f}</td>" in made.table.value
    assert "the floor, 2.000" in made.table.value
    rf.euler(made.velocity, torch.zeros(3, 2), steps=3)


def test_it_is_the_training_of_the_chapters():
    """The same settings and seed give the same bits as `train` on its own."""
    made = control(learning_rate=1e-2, width=16, depth=2, seed=3)
    attempt = made.train_once()
    torch.manual_seed(3)
    velocity = rf.VelocityMLP(2, width=16, depth=2)
    coupling = rf.IndependentCoupling(rf.Gaussian(2), rf.Circle())
    run = rf.train(
        velocity, coupling, steps=100, batch_size=32, learning_rate=1e-2, seed=3, progress=False
    )
    assert torch.equal(attempt.run.losses, run.losses)
    for ours, theirs in zip(made.velocity.parameters(), velocity.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_settings_reach_the_network():
    made = control(width=16, depth=3)
    attempt = made.train_once()
    assert made.velocity.net[0].out_features == 16
    assert sum(isinstance(layer, torch.nn.SiLU) for layer in made.velocity.net) == 3
    assert attempt.settings == {
        "learning_rate": 5e-3, "batch_size": 32, "width": 16, "depth": 3, "steps": 100, "seed": 0,
    }  # fmt: skip


def test_the_test_loss_is_that_of_the_network():
    made = control(steps=200, width=32)
    before = made.train_once()
    x0, x1 = rf.Gaussian(2).sample(50_000), rf.Circle().sample(50_000)
    with torch.no_grad():
        loss = rf.velocity_matching_loss(made.velocity, x0, x1, rf.stratified_times(50_000)).item()
    assert before.test_loss == pytest.approx(loss, abs=0.06)  # standard error 0.014
    assert made.train_once().test_loss == before.test_loss  # no luck in it


def test_a_second_run_keeps_the_first_for_comparison():
    made = control()
    press(made.train_button, made)
    first = made.picture
    made.controls["learning_rate"].value = 1e-3
    press(made.train_button, made)
    assert [attempt.settings["learning_rate"] for attempt in made.runs] == [5e-3, 1e-3]
    assert made.table.value.count("<tr>") == 3
    alone = control(learning_rate=1e-3)
    alone.train_once()
    assert made.picture not in (first, alone.picture)  # the gray curve


def test_global_randomness_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    made = control()
    press(made.train_button, made)
    made.train_once()
    assert torch.equal(torch.rand(3), expected)


def test_it_runs_where_tensors_are_made_by_default(device):
    with torch.device(device):
        made = control()
        press(made.train_button, made)
    assert len(made.runs) == 1
    assert next(made.velocity.parameters()).device.type == device


# --- Stop, and what goes wrong


def test_stop_ends_early_and_keeps_the_weights():
    made = control(steps=6000)
    made.train_button.click()
    assert made.train_button.disabled and not made.stop_button.disabled
    press(made.stop_button, made)
    assert not made.train_button.disabled and made.stop_button.disabled
    (attempt,) = made.runs
    assert 1 <= attempt.run.steps < 6000
    assert f"Stopped: {attempt.run.steps} steps" in made.status.value
    assert all(torch.isfinite(p).all() for p in made.velocity.parameters())
    made.controls["steps"].value = 100
    press(made.train_button, made)  # and the next one is not stopped
    assert made.runs[-1].run.steps == 100


def test_there_is_one_training_at_a_time():
    made = control(steps=6000)
    made.start()
    with pytest.raises(RuntimeError, match="press Stop"):
        made.start()
    with pytest.raises(RuntimeError, match="press Stop"):
        made.train_once()
    thread = made.thread
    made.train_button.click()  # a second click that was on its way
    assert made.thread is thread
    press(made.stop_button, made)
    assert len(made.runs) == 1


def test_the_figure_is_drawn_while_it_trains_but_seldom(monkeypatch):
    """By a clock on which a step takes a millisecond, and drawing a tenth of a second.

    So the first picture comes after a quarter of a second, and the next ones after four tenths:
    drawing takes a fifth of the time.
    """
    module = sys.modules[Retrain.__module__]
    drawn, now = [], [0.0]

    def clock() -> float:
        now[0] += 0.001
        return now[0]

    def draw(losses, *rest, **more) -> bytes:
        drawn.append(len(losses))
        now[0] += 0.1
        return b"a picture"

    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock))
    monkeypatch.setattr(module, "draw", draw)
    made = control(steps=1000)
    press(made.train_button, made)
    assert drawn == pytest.approx([0, 250, 650, 1000], abs=10)


def test_an_infinite_loss_is_told_in_the_status_line():
    made = retrain(rf.Gaussian(2), Broken())
    made.controls["batch_size"].value = 32
    press(made.train_button, made)
    assert "NonFiniteLossError: the loss became inf in step 0" in made.status.value
    assert "lower learning_rate (now 0.005)" in made.status.value
    assert made.runs == [] and made.velocity is None
    assert not made.train_button.disabled and made.stop_button.disabled
    with pytest.raises(rf.NonFiniteLossError):
        made.train_once()


def test_a_message_shows_as_it_is_written():
    class Odd(rf.Gaussian):
        def sample(self, n, *, generator=None, device=None):
            if threading.current_thread().name == "retrain":
                raise ArithmeticError("<b> & co")
            return super().sample(n, generator=generator, device=device)

    made = retrain(Odd(2), rf.Circle())
    press(made.train_button, made)
    assert "ArithmeticError: &lt;b&gt; &amp; co" in made.status.value


@pytest.mark.parametrize("floor", [float("nan"), float("inf")])
def test_the_floor_must_be_finite(floor):
    with pytest.raises(ValueError, match=f"floor = {floor}, but it must be finite"):
        retrain(rf.Gaussian(2), rf.Circle(), floor=floor)


def test_pairs_without_a_finite_loss_are_refused():
    far = rf.Empirical(torch.full((3, 2), 1e30))
    with pytest.raises(ValueError, match="the loss inf on these pairs; look for NaN"):
        retrain(rf.Gaussian(2), far)


def test_the_points_must_be_in_the_plane():
    with pytest.raises(ValueError, match=r"shape \(3,\).*event_shape is \(2,\)"):
        retrain(rf.Gaussian(3), rf.Gaussian(3))
    with pytest.raises(ValueError, match="both in one space"):
        retrain(rf.Gaussian(3), rf.Circle())


# --- how it looks


@pytest.mark.parametrize("floor", [None, 2.0])
def test_the_figure_shows_the_floor_if_there_is_one(floor):
    made = control(floor)
    # The bottom left quarter of the plot of the loss, where without a floor nothing is black.
    width, height = picture(made).size
    plot = picture(made).crop((width // 8, height // 10, width // 3, height * 3 // 4))
    assert ((0, 0, 0) in {color for _, color in plot.getcolors(2**20)}) == (floor is not None)


def test_every_control_has_a_visible_label():
    made = control()
    inputs = [w for w in inside(made) if isinstance(w, (ipywidgets.Dropdown, ipywidgets.Button))]
    assert len(inputs) == 8
    labels = [w.description for w in [*inputs, made.progress]]
    assert all(labels) and len(set(labels)) == len(labels)
    assert made.controls["learning_rate"].label == "0.005"


def test_the_status_line_is_announced():
    assert control().status.value == '<p role="status">Choose settings and press Train.</p>'


def test_there_is_no_output_widget_inside():
    """Those stall the execution of notebooks when the book is built."""
    made = control()
    made.train_once()
    assert not any(isinstance(widget, ipywidgets.Output) for widget in inside(made))


def test_a_page_without_a_kernel_gets_a_note(shown):
    made = control()
    bundle = shown(made)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == made.model_id
    assert 'class="needs-kernel"' in bundle["text/html"]
    assert "<code>make lab</code>" in bundle["text/html"]
    assert "needs a kernel" in bundle["text/plain"] and "<" not in bundle["text/plain"]
