"""rfteach: the companion package of the book on Rectified Flow.

The whole method in the reader's hands::

    import rfteach as rf

    noise, moons = rf.Gaussian(2), rf.Moons()
    velocity = rf.VelocityMLP(dim=2)
    rf.train(velocity, rf.IndependentCoupling(noise, moons))
    samples = rf.euler(velocity, noise.sample(2000), steps=100).end

Points have shape (batch, *event), times (batch,). t = 0 is the source and t = 1 the data.
"""

from rfteach.checkpoints import CheckpointError
from rfteach.couplings import Coupling, IndependentCoupling, PairedCoupling
from rfteach.distributions import (
    Checkerboard,
    Circle,
    Distribution,
    EightGaussians,
    Empirical,
    Gaussian,
    GaussianMixture,
    Moons,
)
from rfteach.exact import mixture_velocity
from rfteach.interpolation import interpolate, velocity_target
from rfteach.losses import Velocity, velocity_matching_loss
from rfteach.metrics import (
    energy_distance,
    squared_norm,
    straightness,
    transport_cost,
    wasserstein2,
)
from rfteach.networks import VelocityMLP
from rfteach.solvers import Trajectory, dopri5, euler, heun, rk4
from rfteach.times import TimeSampler, logit_normal_times, stratified_times, uniform_times
from rfteach.training import NonFiniteLossError, TrainingRun, train

__version__ = "0.1.0"

__all__ = [
    "Checkerboard",
    "CheckpointError",
    "Circle",
    "Coupling",
    "Distribution",
    "EightGaussians",
    "Empirical",
    "Gaussian",
    "GaussianMixture",
    "IndependentCoupling",
    "Moons",
    "NonFiniteLossError",
    "PairedCoupling",
    "TimeSampler",
    "TrainingRun",
    "Trajectory",
    "Velocity",
    "VelocityMLP",
    "dopri5",
    "energy_distance",
    "euler",
    "heun",
    "interpolate",
    "logit_normal_times",
    "mixture_velocity",
    "rk4",
    "squared_norm",
    "straightness",
    "stratified_times",
    "train",
    "transport_cost",
    "uniform_times",
    "velocity_matching_loss",
    "velocity_target",
    "wasserstein2",
]
