"""Write requirements.lock: the exact version of every package that `make setup` installs.

The versions that environment.yml names are brought up to date with it. Run by `make lock`, with
Python 3.11, the oldest Python supported: what has a release for 3.11 nearly always has one for
those after it as well, but not the other way round.

Without hashes: pip would want one for every CUDA package as well, and no marker says that PyTorch's
CPU build goes without those. Nor could environment.yml install rfteach, which is a folder.
"""

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "2.13.0"

# What only a CUDA build of PyTorch brings along. pip adds it wherever that build is installed.
CUDA_ONLY = re.compile(r"nvidia-|cuda-|triton\b")

HEADER = """\
# Written by `make lock`: do not edit. The exact version of every package in the environment,
# for Python 3.11 to 3.14.
"""


def clean(freeze: str) -> list[str]:
    """Turn the output of `pip freeze` into the lock's lines."""
    lines = []
    for line in freeze.splitlines():
        name = line.split("==")[0].lower()
        if name in ("pip", "rfteach") or " @ " in line or CUDA_ONLY.match(name):
            continue
        lines.append(re.sub(r"\+cpu$", "", line))  # a build label, which only PyTorch's index knows
    return sorted(lines, key=str.lower)


def repin(environment: str, lines: list[str]) -> str:
    """Give every package that environment.yml pins the version it has in the lock."""
    locked = dict(line.split("==") for line in lines)
    return re.sub(r"- (\S+)==\S+", lambda pin: f"- {pin[1]}=={locked[pin[1]]}", environment)


def main() -> None:
    """Install the newest versions that fit together into an empty environment, and list them."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("make lock needs Python 3.11, for example: make lock PYTHON=python3.11")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip"]
        # setuptools is installed too: it builds rfteach itself, and must be pinned as well.
        subprocess.run(
            [*pip, "install", f"torch=={TORCH}", "setuptools", f"{ROOT}[dev]"], check=True
        )
        freeze = subprocess.run(
            [*pip, "freeze", "--all"], check=True, capture_output=True, text=True
        ).stdout
    lines = clean(freeze)
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    path = ROOT / "environment.yml"
    path.write_text(repin(path.read_text(encoding="utf-8"), lines), encoding="utf-8")
    print(f"requirements.lock: {len(lines)} packages")


if __name__ == "__main__":
    main()
