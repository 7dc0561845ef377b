"""rfteach: the companion package of the book on Rectified Flow.

The whole method in the reader's hands::

    import rfteach as rf

    noise, moons = rf.Gaussian(2), rf.Moons()
    velocity = rf.VelocityMLP(dim=2)
    rf.train(velocity, rf.IndependentCoupling(noise, moons))
    samples = rf.euler(velocity, noise.sample(2000), steps=100).end

    (second,) = rf.reflow(velocity, noise)
    samples = rf.euler(second, noise.sample(2000), steps=1).end

Points have shape (batch, *event), times (batch,). t = 0 is the source and t = 1 the data.
"""

from rfteach.checkpoints import CheckpointError
from rfteach.couplings import (
    Coupling,
    IndependentCoupling,
    MinibatchOTCoupling,
    PairedCoupling,
)
from rfteach.distances import energy_distance, wasserstein2
from rfteach.distillation import distill, start_times
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
    conditional_variance,
    path_crossings,
    relative_transport_cost,
    squared_norm,
    straightness,
    transport_cost,
)
from rfteach.networks import VelocityMLP
from rfteach.playground import crossing, playground, retrain
from rfteach.pretrained import pretrained
from rfteach.reflow import FixedStepSolver, flow_coupling, reflow
from rfteach.solvers import CountedVelocity, Trajectory, dopri5, euler, heun, rk4
from rfteach.times import TimeSampler, logit_normal_times, stratified_times, uniform_times
from rfteach.training import NonFiniteLossError, TrainingRun, train

__version__ = "0.1.0"

__all__ = [
    "Checkerboard",
    "CheckpointError",
    "Circle",
    "CountedVelocity",
    "Coupling",
    "Distribution",
    "EightGaussians",
    "Empirical",
    "FixedStepSolver",
    "Gaussian",
    "GaussianMixture",
    "IndependentCoupling",
    "MinibatchOTCoupling",
    "Moons",
    "NonFiniteLossError",
    "PairedCoupling",
    "TimeSampler",
    "TrainingRun",
    "Trajectory",
    "Velocity",
    "VelocityMLP",
    "conditional_variance",
    "crossing",
    "distill",
    "dopri5",
    "energy_distance",
    "euler",
    "flow_coupling",
    "heun",
    "interpolate",
    "logit_normal_times",
    "mixture_velocity",
    "path_crossings",
    "playground",
    "pretrained",
    "reflow",
    "relative_transport_cost",
    "retrain",
    "rk4",
    "squared_norm",
    "start_times",
    "straightness",
    "stratified_times",
    "train",
    "transport_cost",
    "uniform_times",
    "velocity_matching_loss",
    "velocity_target",
    "wasserstein2",
]
