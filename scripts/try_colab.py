"""Say what Colab's install cell would do to the packages that Colab comes with.

    python -m scripts.try_colab tests/launch/colab_versions.txt

Run it with Colab's Python. In an environment of its own, with the versions of the listing, it asks
pip what the first cell of a copy for Colab would install, and fails if that replaces any of them.
It needs a network. The listing is a pip-freeze.txt of https://github.com/googlecolab/backend-info.
"""

import argparse
import json
import re
import subprocess
import tempfile
import venv
from pathlib import Path

from scripts.lock import clean

ROOT = Path(__file__).resolve().parent.parent
ASKED = "rfteach[chapters] @ {}"
# IPython asks for jedi, which Colab leaves out, and jedi for a newer parso. Nothing else uses that.
HARMLESS = {"parso"}


def canonical(name: str) -> str:
    """Write a package's name as the index does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_listing(text: str) -> dict[str, str]:
    """Read what pip freeze listed into {name: version}, without what is not from PyPI.

    Without CUDA's libraries too: which of them there are depends on the build of PyTorch.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pins = (line.split("==") for line in clean("\n".join(lines)))
    return {canonical(name): version for name, version in pins}


def pip(python: Path, *arguments: str) -> str:
    """Run pip in an environment; return what it prints."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def try_cell(listing: dict[str, str], folder: Path) -> dict[str, str]:
    """Return what the install cell would install in an environment with these versions.

    Of the listing, only what rfteach needs is installed first.
    """
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={it}\n" for name, it in listing.items()))
    asked = ASKED.format(ROOT.as_uri())
    pip(python, "install", "--quiet", "--constraint", str(constraints), asked)
    there = json.loads(pip(python, "list", "--format=json"))
    names = {canonical(each["name"]) for each in there} - {"pip", "setuptools"}
    pip(python, "uninstall", "--quiet", "--yes", *sorted(names - {*listing}))

    report = pip(python, "install", "--quiet", "--dry-run", "--report=-", asked)
    found = [each["metadata"] for each in json.loads(report)["install"]]
    return {canonical(each["name"]): each["version"] for each in found}


def main() -> None:
    """Read the command line, and tell of each package."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("listing", type=Path, help="what pip freeze printed on Colab")
    listing = read_listing(parser.parse_args().listing.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        installed = try_cell(listing, Path(folder))
    replaced = installed.keys() & listing.keys()
    for name, version in sorted(installed.items()):
        note = f" in place of {listing[name]}" if name in replaced else ""
        print(f"installs {name} {version}{note}")
    if harmed := sorted(replaced - HARMLESS):
        raise SystemExit(f"Colab comes with other versions of {', '.join(harmed)}.")


if __name__ == "__main__":
    main()
