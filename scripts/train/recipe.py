"""What each choice in the recipe of chapter 9's 1-RF is worth.

Flows with one choice changed learn Fashion-MNIST for about as long, and are compared by FID.
Nothing of them is shipped but the manifest. Adam has another rate than Muon, and its steps are
faster, so it makes more of them.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

import rfteach as rf
from scripts.train.job import DEVICE, Job, fresh
from scripts.train.measures import (
    NOISE,
    accuracy,
    fashion_data,
    generate,
    in_bf16,
    shipped_classifier,
    start_noise,
    uneven_times,
)

SEEDS = (0, 1)
NEAREST = 0.05  # to the end: what a velocity is divided by, at least


class DataPrediction(nn.Module):
    """A velocity whose network predicts the data, and not the velocity (Li and He, 2025)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(
        self,
        x: Float[Tensor, "n *event"],
        t: Float[Tensor, " n"],
        condition: Tensor | None = None,
    ) -> Float[Tensor, "n *event"]:
        """Return the velocity toward the predicted data, at x and t."""
        way = self.network(x, t, condition=condition) - x
        return way / (1 - t).clamp_min(NEAREST).reshape(-1, 1, 1, 1)


def run(job: Job) -> None:
    """Train the flows, and measure each."""
    job.require()
    preset = job.preset
    images, labels, _, _ = fashion_data(job)
    classifier, real = shipped_classifier(job)
    asked = torch.arange(preset.samples, device=DEVICE) % 10
    recipe = {
        "network": rf.UNetVelocity,
        "coupling": rf.ConditionalCoupling(NOISE, images, labels),
        "optimizer": rf.Muon,
        "time_sampler": rf.logit_normal_times,
        **preset.training,
    }
    changes: dict[str, dict] = {
        "the recipe": {},
        "uniform times": {"time_sampler": rf.uniform_times},
        "predicts the data": {
            "network": lambda *shape, **labels: DataPrediction(rf.UNetVelocity(*shape, **labels))
        },
        "Adam": {"optimizer": torch.optim.Adam, **preset.adam},
    }

    def look(velocity) -> dict:
        ways = {"steps": uneven_times(preset.solver_steps), "solver": rf.adams_bashforth}
        made = generate(in_bf16(velocity), start_noise(preset.samples), condition=asked, **ways)
        return {
            "FID": rf.feature_fid(made, real, classifier),
            "accuracy": accuracy(classifier, made, asked),
        }

    def result(name: str, change: dict, seed: int) -> dict:
        stage = f"{name}, seed {seed}"
        settings = recipe | change
        network = settings.pop("network")
        velocity = fresh(network, 28, preset.channels, classes=10, seed=seed)
        job.fit(stage, velocity, seed=seed, **settings)
        return job.note(stage) | job.note(f"{stage}, measured", partial(look, velocity))

    job.write(
        {
            "flows": {
                name: [result(name, change, seed) for seed in SEEDS]
                for name, change in changes.items()
            }
        }
    )
