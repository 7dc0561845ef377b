"""Train the flows that rfteach ships: python -m scripts.train NAME --preset PRESET

Interrupted, the same command goes on where it was. In the end it writes weights and NAME.json, the
manifest, with the log and what was measured. `NAME --help` says more of a job and its presets.

A new job is a module with a function `run(job)`, listed in JOBS, and has settings in presets.toml.
"""

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path

import torch

from scripts.train import (
    captions,
    classifier,
    digits,
    fashion,
    images,
    latents,
    plane,
    recipe,
    transfer,
)
from scripts.train.job import Job

JOBS = {
    "plane": plane,
    "digits": digits,
    "classifier": classifier,
    "fashion": fashion,
    "recipe": recipe,
    "images": images,
    "transfer": transfer,
    "captions": captions,
    "latents": latents,
}
TABLES = tomllib.loads(Path(__file__).with_name("presets.toml").read_text(encoding="utf-8"))


def choose(settings, preset: str, presets: dict):
    """Return the settings of one of the presets; KeyError where one has no value for it."""
    if not isinstance(settings, dict):
        return settings
    if settings.keys() & presets.keys():
        return settings[preset]
    return {name: choose(setting, preset, presets) for name, setting in settings.items()}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: options that all jobs have, and those that a job adds."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m scripts.train", description=__doc__, formatter_class=raw
    )
    names = parser.add_subparsers(dest="name", required=True)
    for name, module in JOBS.items():
        description = module.__doc__
        options = names.add_parser(
            name, help=description.split("\n")[0], description=description, formatter_class=raw
        )
        presets = TABLES[name]["presets"]
        options.add_argument(
            "--preset",
            choices=presets,
            required=True,
            help="; ".join(f"{preset}: {what}" for preset, what in presets.items()),
        )
        options.add_argument(
            "--output",
            type=Path,
            help="folder of all that is made (stages: build/, weights: rfteach/_shipped/weights)",
        )
        options.add_argument(
            "--remark", action="append", default=[], help="a text for the manifest; repeatable"
        )
        if hasattr(module, "add_options"):
            module.add_options(options)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is not done yet of a job."""
    options = make_parser().parse_args(arguments)
    # What is not in bf16 is in full single precision, so that a CPU finds the same numbers.
    torch.backends.cudnn.allow_tf32 = False
    table = TABLES[options.name]
    settings = choose(table["settings"], options.preset, table["presets"])
    JOBS[options.name].run(Job(options, settings))


if __name__ == "__main__":
    main()
