"""Each public call on a GPU: given tensors of it, and where PyTorch makes its tensors there."""

import dataclasses
import inspect
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_leaves

import rfteach as rf

N = 4
FEW = dict(steps=2, batch_size=N, progress=False)
MADE = dict(size=N, steps=2, batch_size=N, progress=False)
TIMES = ("uniform", "stratified", "logit_normal", "mode", "u_shaped", "zero")


def _calls(on: str, folder: Path):
    """Return the calls, by the public name that each is about."""
    seeded = lambda: torch.Generator(on).manual_seed(0)  # noqa: E731
    x0, x1 = torch.randn(2, N, 2, generator=seeded(), device=on)
    images = torch.rand(N, 1, 28, 28, generator=seeded(), device=on)
    t, label = torch.full((N,), 0.5, device=on), torch.arange(N, device=on)
    v = rf.VelocityMLP(dim=2, width=8, depth=1).to(on)
    labeled = rf.VelocityMLP(dim=2, width=8, depth=1, classes=N).to(on)
    jumping = rf.VelocityMLP(dim=2, width=8, depth=1, jumps=True).to(on)
    noise, mixture = rf.Gaussian(2), rf.GaussianMixture(x1, torch.ones(N, device=on))
    schedule, straight, curved = rf.NoiseSchedule(), rf.STRAIGHT, rf.TRIGONOMETRIC
    path = rf.heun(v, x0, steps=2)
    both = dict(generator=seeded(), device=on)
    pairs = rf.IndependentCoupling(noise, rf.Moons())
    sharded = lambda: rf.sharded_flow_coupling(v, noise, folder, shard_size=2, device=on, **MADE)  # noqa: E731
    captioned = rf.CaptionCoupling(rf.ConditionalCoupling(noise, x1, label))
    unet = rf.UNetVelocity(28, (32, 64), classes=N).to(on)
    wide = rf.VelocityMLP(dim=2, width=16, depth=2).to(on)
    mmdit = rf.MMDiTVelocity(28, 14, 32, 1, 30).to(on)
    classifier, autoencoder = rf.ImageClassifier().to(on), rf.ImageAutoencoder(2).to(on)
    moments = lambda: rf.feature_moments(images.flatten(1)[:, 300:302])  # noqa: E731
    calls = {
        "Gaussian": lambda: noise.sample(3, **both),
        "Empirical": lambda: rf.Empirical(x1).sample(3, **both),
        "GaussianMixture": lambda: mixture.sample(3, **both),
        "IndependentCoupling": lambda: pairs.sample(3, **both),
        "ConditionalCoupling": lambda: rf.ConditionalCoupling(noise, x1, label).sample(3, **both),
        "PairedCoupling": lambda: rf.PairedCoupling(x0, x1, label).sample(3, **both),
        "MinibatchOTCoupling": lambda: rf.MinibatchOTCoupling(noise, rf.Moons(), group=2).sample(
            3, **both
        ),
        "CaptionCoupling": lambda: captioned.sample(3, **both),
        "ShardedCoupling": lambda: (sharded(), rf.ShardedCoupling(folder).sample(3, **both))[1],
        "sharded_flow_coupling": lambda: sharded().sample(3, **both),
        "flow_coupling": lambda: rf.flow_coupling(v, noise, **MADE, **both).x1,
        "train": lambda: rf.train(v, pairs, **FEW) and v(x0, t),
        "Muon": lambda: rf.train(wide, pairs, optimizer=rf.Muon, **FEW) and wide(x0, t),
        "distill": lambda: rf.distill(v, rf.PairedCoupling(x0, x1), **FEW) and v(x0, t),
        "reflow": lambda: rf.reflow(v, noise, size=N, pair_steps=2, device=on, **FEW)[0](x0, t),
        "interpolate": lambda: rf.interpolate(x0, x1, t),
        "velocity_target": lambda: rf.velocity_target(x0, x1),
        "shift_times": lambda: rf.shift_times(t, 3.0),
        "time_pairs": lambda: rf.time_pairs(3, **both),
        "euler_maruyama": lambda: rf.euler_maruyama(v, x0, steps=2, noise=1.0, generator=seeded()),
        "dopri5": lambda: rf.dopri5(v, x0, rtol=0.1, atol=0.1),
        "Trajectory": lambda: path,
        "score": lambda: rf.score(v)(x0, t),
        "mean_flow_loss": lambda: rf.mean_flow_loss(jumping, x0, x1, rf.time_pairs(N, **both)),
        "jump": lambda: rf.jump(jumping, x0, 0.0, t),
        "log_density": lambda: [
            rf.log_density(v, noise, x1, steps=1, estimate=how) for how in ("exact", "hutchinson")
        ],
        "steered": lambda: rf.steered(v, lambda x: -x.square().sum(1))(x0, t),
        "invert": lambda: rf.invert(v, x1, steps=2),
        "invert_euler": lambda: rf.invert_euler(lambda x, t: -x / 9, x1, steps=2),
        "pulled": lambda: rf.pulled(v, x1, strength=0.5)(x0, t),
        "flow_edit": lambda: rf.flow_edit(v, v, x1, steps=2, generator=seeded()),
        "guided": lambda: rf.guided(labeled, label, label.flip(0), scale=2.0)(x0, t),
        "with_condition": lambda: rf.with_condition(labeled, label)(x0, t),
        "CountedVelocity": lambda: rf.CountedVelocity(v)(x0, t),
        "mixture_velocity": lambda: rf.mixture_velocity(mixture)(x0, t),
        "feature_loss": lambda: rf.feature_loss(v, x0, x1, t, features=lambda x: x**2),
        "convert_velocity": lambda: rf.convert_velocity(v, curved, straight)(x0, t),
        "noise_from_velocity": lambda: rf.noise_from_velocity(v, straight)(x0, t),
        "velocity_from_noise": lambda: rf.velocity_from_noise(v, straight)(x0, t),
        "sd3_from_velocity": lambda: rf.velocity_from_sd3(rf.sd3_from_velocity(v))(x0, t),
        "noise_matching_loss": lambda: rf.noise_matching_loss(v, x0, x1, t, schedule=schedule),
        "v_matching_loss": lambda: rf.v_matching_loss(v, x0, x1, t, schedule=schedule),
        "VelocityMLP": lambda: labeled(x0, t, condition=label),
        "UNetVelocity": lambda: unet(images, t, label),
        "MMDiTVelocity": lambda: mmdit(images, t, rf.tokenize_captions(["a"] * N).to(on)),
        "ImageClassifier": lambda: classifier(images),
        "ImageAutoencoder": lambda: autoencoder(images),
        "count_operations": lambda: rf.count_operations(v, x0, t),
        "features_of": lambda: rf.features_of(images, classifier),
        "feature_moments": moments,
        "frechet_distance": lambda: rf.frechet_distance(moments(), moments()),
        "feature_fid": lambda: rf.feature_fid(images, images, classifier),
        "transfer_metrics": lambda: rf.transfer_metrics.coarse(images),
        "squared_norm": lambda: rf.squared_norm(x1),
        "transport_cost": lambda: rf.transport_cost(x0, x1),
        "relative_transport_cost": lambda: rf.relative_transport_cost(x0, x1),
        "conditional_variance": lambda: rf.conditional_variance(x0, x1),
        "path_crossings": lambda: rf.path_crossings(path.states),
        "straightness": lambda: rf.straightness(path),
        "wasserstein2": lambda: rf.wasserstein2(x0, x1),
        "energy_distance": lambda: rf.energy_distance(x0, x1),
        "crossing": lambda: rf.crossing(starts=x0[:2], ends=x1[:2]),
        "steering_playground": lambda: rf.steering_playground(),
        "playground": lambda: rf.playground(v, noise, rf.Moons(), particles=N),
        "retrain": lambda: rf.retrain(noise, rf.Moons()),
    }
    alike = {
        lambda solve: solve(v, x0, steps=2): ("euler", "heun", "rk4", "adams_bashforth"),
        lambda sample: sample(v, x0, schedule=schedule, steps=2): ("ddim", "ddpm", "dpm_solver"),
        lambda law: law().sample(3, **both): ("Moons", "Circle", "Checkerboard", "EightGaussians"),
        lambda sampler: sampler(3, **both): [f"{name}_times" for name in TIMES],
        lambda loss: loss(v, x0, x1, t): ("velocity_matching_loss", "pseudo_huber_loss"),
    }
    for call, names in alike.items():
        calls |= {name: partial(call, getattr(rf, name)) for name in names}
    return calls


# Of these there is no call with tensors to make: types, errors, names, files, and numbers alone.
NO_CALLS = {
    *("ConditionalVelocity", "Coupling", "Distribution", "FixedStepSolver", "Loss", "MeanVelocity"),
    *("TimeSampler", "Velocity", "CheckpointError", "NonFiniteLossError", "TrainingRun"),
    *("FeatureMoments", "GaussianPath", "NoiseSchedule", "STRAIGHT", "TRIGONOMETRIC", "ReflowCost"),
    *("CAPTION_VOCABULARY", "FASHION_CLASSES", "WEIGHTS_FOLDER", "weights_manifest"),
    *("fashion_captions", "tokenize_captions", "digits", "fashion", "image_folder"),
    *("pretrained", "fashion_autoencoders", "fashion_classifier", "image_playground"),
    "velocity_from_sd3",  # called in sd3_from_velocity
}


def test_every_public_name_is_called_or_has_no_call():
    names = {name for name in vars(rf) if not name.startswith("_")}
    names -= {name for name in names if inspect.ismodule(getattr(rf, name))}
    called = set(_calls("cpu", Path())) - {"transfer_metrics"}
    assert called | NO_CALLS == names and not called & NO_CALLS


@pytest.mark.parametrize("default", ["cpu", "there"])
def test_it_works_where_its_tensors_are(default, device, tmp_path):
    """With the CPU as PyTorch's default as well: what is made must not follow the default."""
    wrong = {}
    with torch.device(device if default == "there" else "cpu"):
        for name, call in _calls(device, tmp_path).items():
            try:
                result = call()
            except Exception as error:
                wrong[name] = repr(error)
                continue
            parts = vars(result) if dataclasses.is_dataclass(result) else result
            places = {x.device.type for x in tree_leaves(parts) if isinstance(x, torch.Tensor)}
            if places - {device}:
                wrong[name] = places
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())
