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

Every public name stands below, each beside the file that it lives in. `rfteach.figures` draws, and
`rfteach.exercises` checks the book's exercises.
"""

import warnings as _warnings
from importlib import metadata as _metadata

from rfteach._adaptive import dopri5 as dopri5
from rfteach._couplings import (
    ConditionalCoupling as ConditionalCoupling,
    Coupling as Coupling,
    IndependentCoupling as IndependentCoupling,
    MinibatchOTCoupling as MinibatchOTCoupling,
    PairedCoupling as PairedCoupling,
)
from rfteach._data.captions import (
    CAPTION_VOCABULARY as CAPTION_VOCABULARY,
    CaptionCoupling as CaptionCoupling,
    fashion_captions as fashion_captions,
    tokenize_captions as tokenize_captions,
)
from rfteach._data.folder import image_folder as image_folder
from rfteach._data.images import (
    FASHION_CLASSES as FASHION_CLASSES,
    digits as digits,
    fashion as fashion,
)
from rfteach._density import log_density as log_density
from rfteach._distillation import distill as distill
from rfteach._distributions import (
    Checkerboard as Checkerboard,
    Circle as Circle,
    Distribution as Distribution,
    EightGaussians as EightGaussians,
    Empirical as Empirical,
    Gaussian as Gaussian,
    GaussianMixture as GaussianMixture,
    Moons as Moons,
)
from rfteach._editing import (
    flow_edit as flow_edit,
    invert as invert,
    invert_euler as invert_euler,
    pulled as pulled,
)
from rfteach._exact import mixture_velocity as mixture_velocity
from rfteach._flow_maps import (
    jump as jump,
    mean_flow_loss as mean_flow_loss,
    time_pairs as time_pairs,
)
from rfteach._guidance import guided as guided
from rfteach._interpolation import interpolate as interpolate, velocity_target as velocity_target
from rfteach._losses import (
    Loss as Loss,
    feature_loss as feature_loss,
    pseudo_huber_loss as pseudo_huber_loss,
    velocity_matching_loss as velocity_matching_loss,
)
from rfteach._measures import transfer_metrics as transfer_metrics
from rfteach._measures.distances import (
    energy_distance as energy_distance,
    wasserstein2 as wasserstein2,
)
from rfteach._measures.flows import (
    conditional_variance as conditional_variance,
    path_crossings as path_crossings,
    relative_transport_cost as relative_transport_cost,
    squared_norm as squared_norm,
    straightness as straightness,
    transport_cost as transport_cost,
)
from rfteach._measures.frechet import (
    FeatureMoments as FeatureMoments,
    feature_fid as feature_fid,
    feature_moments as feature_moments,
    features_of as features_of,
    frechet_distance as frechet_distance,
)
from rfteach._networks.autoencoder import ImageAutoencoder as ImageAutoencoder
from rfteach._networks.classifier import ImageClassifier as ImageClassifier
from rfteach._networks.mlp import VelocityMLP as VelocityMLP
from rfteach._networks.mmdit import MMDiTVelocity as MMDiTVelocity
from rfteach._networks.unet import UNetVelocity as UNetVelocity
from rfteach._paths.denoising import (
    ddim as ddim,
    ddpm as ddpm,
    dpm_solver as dpm_solver,
)
from rfteach._paths.diffusion import (
    NoiseSchedule as NoiseSchedule,
    noise_matching_loss as noise_matching_loss,
    v_matching_loss as v_matching_loss,
)
from rfteach._paths.gaussian import (
    STRAIGHT as STRAIGHT,
    TRIGONOMETRIC as TRIGONOMETRIC,
    GaussianPath as GaussianPath,
    convert_velocity as convert_velocity,
    noise_from_velocity as noise_from_velocity,
    velocity_from_noise as velocity_from_noise,
)
from rfteach._paths.sd3 import (
    sd3_from_velocity as sd3_from_velocity,
    velocity_from_sd3 as velocity_from_sd3,
)
from rfteach._random_paths import euler_maruyama as euler_maruyama, score as score
from rfteach._reflow import (
    FixedStepSolver as FixedStepSolver,
    flow_coupling as flow_coupling,
    reflow as reflow,
)
from rfteach._runs.costs import ReflowCost as ReflowCost, count_operations as count_operations
from rfteach._runs.muon import Muon as Muon
from rfteach._runs.tensors import CheckpointError as CheckpointError
from rfteach._shards import (
    ShardedCoupling as ShardedCoupling,
    sharded_flow_coupling as sharded_flow_coupling,
)
from rfteach._shipped.pretrained import (
    WEIGHTS_FOLDER as WEIGHTS_FOLDER,
    fashion_autoencoders as fashion_autoencoders,
    fashion_classifier as fashion_classifier,
    pretrained as pretrained,
    weights_manifest as weights_manifest,
)
from rfteach._solvers import (
    Trajectory as Trajectory,
    adams_bashforth as adams_bashforth,
    euler as euler,
    heun as heun,
    rk4 as rk4,
)
from rfteach._steering import steered as steered
from rfteach._times import (
    TimeSampler as TimeSampler,
    logit_normal_times as logit_normal_times,
    mode_times as mode_times,
    shift_times as shift_times,
    stratified_times as stratified_times,
    u_shaped_times as u_shaped_times,
    uniform_times as uniform_times,
    zero_times as zero_times,
)
from rfteach._training import (
    NonFiniteLossError as NonFiniteLossError,
    TrainingRun as TrainingRun,
    train as train,
)
from rfteach._velocity import (
    ConditionalVelocity as ConditionalVelocity,
    CountedVelocity as CountedVelocity,
    MeanVelocity as MeanVelocity,
    Velocity as Velocity,
    with_condition as with_condition,
)
from rfteach._widgets import (
    crossing as crossing,
    image_playground as image_playground,
    playground as playground,
    retrain as retrain,
    steering_playground as steering_playground,
)

try:
    __version__ = _metadata.version("rfteach")
except _metadata.PackageNotFoundError:  # a copy of the files that was not installed
    __version__ = "0+unknown"

# torch.func.jvp calls torch.jit.script by itself, and from PyTorch 2.14 on each page that uses it
# would show the warning.
_warnings.filterwarnings("ignore", r".torch\.jit\.script. is", FutureWarning, r"torch\.jit\.")
