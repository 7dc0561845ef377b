"""The control of chapter 3 as a widget: settings, a button, a live loss curve."""

from __future__ import annotations

import base64
import contextlib
import html
import math
import threading
import time
from typing import Any

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._couplings import IndependentCoupling
from rfteach._losses import velocity_matching_loss
from rfteach._networks.mlp import VelocityMLP
from rfteach._solvers import euler
from rfteach._times import stratified_times
from rfteach._training import TrainingRun, train
from rfteach._widgets.retrain_views import Attempt, draw, table

CHOICES = {  # what can be chosen for each setting, and what is chosen at first
    "learning_rate": ([1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1], 5e-3),
    "batch_size": ([32, 64, 128, 256, 512, 1024, 2048], 512),
    "width": ([8, 16, 32, 64, 128, 256], 64),
    "depth": ([1, 2, 3, 4, 5, 6], 4),
    "steps": ([100, 200, 500, 1000, 2000, 3000, 6000], 1000),
    "seed": ([0, 1, 2, 3, 4, 5], 0),
}
TEST_PAIRS = 40_000
SHOWN = 1500  # points in the figure
NOTE = (
    "This control trains a network, so it needs a kernel: open this chapter in JupyterLab ({}) or "
    "on Colab, and run its cells."
)


class _Stopped(Exception):
    """Raised within a training to end it."""


class Retrain(ipywidgets.VBox):
    """The control that `retrain` returns, which says what its arguments are.

    Attributes:
        controls: the dropdown of each setting, by the setting's name.
        runs: the trainings so far, as a list of `Attempt`.
        velocity: the network of the last one; None before the first.
        picture: the figure that is shown, as a PNG.
        thread: where the last training that Train began is run; None before the first.
    """

    def __init__(self, coupling: IndependentCoupling, floor: float | None):
        self._coupling = coupling
        self._floor = floor
        self._device = torch.get_default_device()  # asked here, since each thread has its own
        generator = torch.Generator(self._device).manual_seed(len(CHOICES["seed"][0]))
        where = {"generator": generator, "device": self._device}
        self._test = (
            *self._coupling.sample(TEST_PAIRS, **where), stratified_times(TEST_PAIRS, **where)
        )  # fmt: skip
        self._top = 1.1 * (self._test[1] - self._test[0]).square().sum(dim=1).mean().item()
        if not math.isfinite(self._top):
            raise ValueError(
                f"a field of zeros has the loss {self._top} on these pairs; look for NaN and for "
                f"huge values in what the source and the target give"
            )
        self._busy, self._stop = threading.Lock(), threading.Event()
        self.runs: list[Attempt] = []
        self.velocity: VelocityMLP | None = None
        self.thread: threading.Thread | None = None

        self.controls = {
            name: ipywidgets.Dropdown(
                options=[(f"{option:g}", option) for option in options],
                value=value,
                description=name.replace("_", " "),
                style={"description_width": "6.5em"},
                layout={"width": "13.5em"},
            )
            for name, (options, value) in CHOICES.items()
        }
        self.train_button = ipywidgets.Button(description="Train", button_style="primary")
        self.stop_button = ipywidgets.Button(description="Stop", disabled=True)
        self.train_button.on_click(lambda _: self._busy.locked() or self.start())
        self.stop_button.on_click(lambda _: self.stop())
        self.progress = ipywidgets.IntProgress(description="progress", max=CHOICES["steps"][1])
        self.status, self.table = ipywidgets.HTML(), ipywidgets.HTML(table([], floor))
        self.image = ipywidgets.HTML()  # an ipywidgets.Image has no text for who cannot see it
        self._say("Choose settings and press Train.")
        self._draw([], None)
        super().__init__(
            [
                ipywidgets.HBox(list(self.controls.values()), layout={"flex_flow": "row wrap"}),
                ipywidgets.HBox([self.train_button, self.stop_button, self.progress]),
                *(self.status, self.image, self.table),
            ]
        )

    def start(self) -> None:
        """Train in the background, as the button does; an error shows in the status line.

        Raises:
            RuntimeError: a training is running.
        """
        work = self._prepare()

        def run() -> None:
            with contextlib.suppress(Exception):  # the status line tells of it
                self._train(*work)

        self.thread = threading.Thread(target=run, name="retrain", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the training after its next step; the network keeps the average of its weights."""
        self._stop.set()

    def train_once(self) -> Attempt:
        """Train with the settings of the controls, and wait for the end.

        Raises:
            RuntimeError: a training is running.
            NonFiniteLossError: as for `train`.
        """
        return self._train(*self._prepare())

    def _prepare(self) -> tuple[dict[str, Any], VelocityMLP]:
        """Return the settings, and a network with the weights of `torch.manual_seed(seed)`."""
        settings: dict[str, Any] = {name: control.value for name, control in self.controls.items()}
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(settings["seed"])
            velocity = VelocityMLP(2, width=settings["width"], depth=settings["depth"])
        velocity.to(self._device)
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("a training is running already; press Stop or wait for its end")
        self._stop.clear()
        self.train_button.disabled, self.stop_button.disabled = True, False
        self.progress.value, self.progress.max = 0, settings["steps"]
        self._say("Training.")
        return settings, velocity

    def _train(self, settings: dict[str, Any], velocity: VelocityMLP) -> Attempt:
        losses: list[float] = []
        begun = drawn = time.perf_counter()
        pause = 0.25

        def watch(step: int, loss: float) -> None:
            nonlocal drawn, pause
            losses.append(loss)
            if self._stop.is_set():
                raise _Stopped
            if (now := time.perf_counter()) > drawn + pause:
                self._draw(losses, None)
                drawn = time.perf_counter()
                pause = max(0.25, 4 * (drawn - now))  # a slow machine gets time to train as well

        choices = {k: settings[k] for k in ("learning_rate", "batch_size", "steps", "seed")}
        try:
            with torch.device(self._device):
                try:
                    run = train(velocity, self._coupling, **choices, progress=False, callback=watch)
                except _Stopped:
                    seconds = time.perf_counter() - begun
                    run = TrainingRun(torch.tensor(losses), len(losses), seconds)
                test_loss, samples = self._evaluate(velocity)
            self._draw(losses, samples)
            self.velocity = velocity
            self.runs.append(Attempt(settings, run, test_loss))
            self.table.value = table(self.runs, self._floor)
            ended = "Done" if run.steps == settings["steps"] else "Stopped"
            self._say(f"{ended}: {run.steps} steps in {run.seconds:.1f} seconds.")
            return self.runs[-1]
        except BaseException as error:
            self._draw(losses, None)
            self._say(f"Failed after {len(losses)} steps. {type(error).__name__}: {error}")
            raise
        finally:
            self.train_button.disabled, self.stop_button.disabled = False, True
            self._busy.release()

    @torch.no_grad()
    def _evaluate(self, velocity: VelocityMLP) -> tuple[float, Float[Tensor, "n 2"]]:
        """Return the loss on the test pairs, and samples, which start from the same points."""
        parts = zip(*(part.split(TEST_PAIRS // 8) for part in self._test), strict=True)
        losses = [velocity_matching_loss(velocity, *part).item() for part in parts]
        samples = euler(velocity, self._test[0][:SHOWN], steps=50, keep="end").end
        return sum(losses) / len(losses), samples

    def _draw(self, losses: list[float], samples: Float[Tensor, "n 2"] | None) -> None:
        self.progress.value = len(losses)
        self.picture = draw(
            losses,
            self.runs,
            self._test[1][:SHOWN],
            samples,
            steps=self.progress.max,
            top=self._top,
            floor=self._floor,
        )
        source = base64.b64encode(self.picture).decode()
        self.image.value = (
            '<img alt="The loss curve, data, and samples: described below" width="840" '
            f'style="max-width: 100%" src="data:image/png;base64,{source}">'
        )

    def _say(self, text: str) -> None:
        self.status.value = f'<p role="status">{html.escape(text)}</p>'

    def _repr_mimebundle_(self, **kwargs) -> dict[str, str]:
        """Return the widget for where there is a kernel, and a note for a page that has none."""
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = NOTE.format("make lab")
        bundle["text/html"] = (
            '<div class="needs-kernel" role="note" style="border: 1px solid; border-radius: 4px; '
            f'padding: 0.5em 1em">{NOTE.format("<code>make lab</code>")}</div>'
        )
        return bundle
