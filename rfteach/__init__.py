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

from rfteach.captions import CaptionCoupling, captions_of, tokenize
from rfteach.checkpoints import CheckpointError
from rfteach.costs import ReflowCost, count_operations
from rfteach.couplings import (
    ConditionalCoupling,
    Coupling,
    IndependentCoupling,
    MinibatchOTCoupling,
    PairedCoupling,
)
from rfteach.diffusion import NoiseSchedule, ddim, ddpm, noise_matching_loss
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
from rfteach.fid import (
    ImageClassifier,
    Moments,
    feature_fid,
    features_of,
    frechet_distance,
    moments,
)
from rfteach.gaussian_paths import (
    STRAIGHT,
    TRIGONOMETRIC,
    GaussianPath,
    convert_velocity,
    noise_from_velocity,
    velocity_from_noise,
)
from rfteach.guidance import guided
from rfteach.image_folder import image_folder
from rfteach.images import digits, fashion
from rfteach.interpolation import interpolate, velocity_target
from rfteach.losses import (
    Loss,
    Velocity,
    feature_loss,
    given,
    pseudo_huber_loss,
    velocity_matching_loss,
)
from rfteach.metrics import (
    conditional_variance,
    path_crossings,
    relative_transport_cost,
    squared_norm,
    straightness,
    transport_cost,
)
from rfteach.mmdit import MMDiTVelocity
from rfteach.networks import VelocityMLP
from rfteach.playground import crossing, playground, retrain
from rfteach.pretrained import fashion_classifier, manifest, pretrained
from rfteach.reflow import FixedStepSolver, flow_coupling, reflow
from rfteach.sd3 import sd3_from_velocity, velocity_from_sd3
from rfteach.shards import ShardedCoupling, sharded_flow_coupling
from rfteach.solvers import CountedVelocity, Trajectory, dopri5, euler, heun, rk4
from rfteach.times import (
    TimeSampler,
    logit_normal_times,
    mode_times,
    shift_times,
    stratified_times,
    u_shaped_times,
    uniform_times,
)
from rfteach.training import NonFiniteLossError, TrainingRun, train
from rfteach.unet import UNetVelocity

__version__ = "0.1.0"

__all__ = [
    "CaptionCoupling",
    "Checkerboard",
    "CheckpointError",
    "Circle",
    "ConditionalCoupling",
    "CountedVelocity",
    "Coupling",
    "Distribution",
    "EightGaussians",
    "Empirical",
    "FixedStepSolver",
    "Gaussian",
    "GaussianMixture",
    "GaussianPath",
    "ImageClassifier",
    "IndependentCoupling",
    "Loss",
    "MMDiTVelocity",
    "MinibatchOTCoupling",
    "Moments",
    "Moons",
    "NoiseSchedule",
    "NonFiniteLossError",
    "PairedCoupling",
    "ReflowCost",
    "STRAIGHT",
    "ShardedCoupling",
    "TRIGONOMETRIC",
    "TimeSampler",
    "TrainingRun",
    "Trajectory",
    "UNetVelocity",
    "Velocity",
    "VelocityMLP",
    "captions_of",
    "conditional_variance",
    "convert_velocity",
    "count_operations",
    "crossing",
    "ddim",
    "ddpm",
    "digits",
    "distill",
    "dopri5",
    "energy_distance",
    "euler",
    "fashion",
    "fashion_classifier",
    "feature_fid",
    "feature_loss",
    "features_of",
    "flow_coupling",
    "frechet_distance",
    "given",
    "guided",
    "heun",
    "image_folder",
    "interpolate",
    "logit_normal_times",
    "manifest",
    "mixture_velocity",
    "mode_times",
    "moments",
    "noise_from_velocity",
    "noise_matching_loss",
    "path_crossings",
    "playground",
    "pretrained",
    "pseudo_huber_loss",
    "reflow",
    "relative_transport_cost",
    "retrain",
    "rk4",
    "sd3_from_velocity",
    "sharded_flow_coupling",
    "shift_times",
    "squared_norm",
    "start_times",
    "straightness",
    "stratified_times",
    "tokenize",
    "train",
    "transport_cost",
    "u_shaped_times",
    "uniform_times",
    "velocity_from_noise",
    "velocity_from_sd3",
    "velocity_matching_loss",
    "velocity_target",
    "wasserstein2",
]
