"""Make .venv, the environment in which the book is built and tested.

Every target of the Makefile calls this first: python3 scripts/setup_env.py [PYTHON]
It installs the exact versions of requirements.lock, those of requirements-no-deps.lock without
what they ask for, and then rfteach itself, editable. When .venv is up to date it does nothing.
PYTHON chooses the interpreter; without it, an existing .venv keeps its own.

Standard library only, and syntax of Python 3.6, so that an old Python can say that it is too old.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "rfteach-setup.json"
LOCK = ROOT / "requirements.lock"
NO_DEPS = ROOT / "requirements-no-deps.lock"

OLDEST, NEWEST = (3, 11), (3, 14)
CANDIDATES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]

# Prints what we need to know of an interpreter. The base executable is the one a virtual
# environment was made from: .venv must not be made by its own Python, which it would delete.
INSPECT = """
import json, sys
try:
    import ensurepip, venv
    can_make_venv = True
except ImportError:
    can_make_venv = False
base = getattr(sys, "_base_executable", sys.executable)
print(json.dumps([list(sys.version_info[:3]), base, can_make_venv]))
"""


def inspect(python):
    """Return (version, base executable, can make a venv), or None if `python` does not run."""
    try:
        output = subprocess.check_output([str(python), "-c", INSPECT], stderr=subprocess.DEVNULL)
        return json.loads(output.decode())
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def supported(version):
    """Say whether the lock is meant for this Python."""
    return OLDEST <= tuple(version[:2]) <= NEWEST


def dotted(version):
    """Write [3, 11, 7] as 3.11.7."""
    return ".".join(str(part) for part in version)


def choose(wanted):
    """Return (version, executable) of the Python to use, or exit saying what to do."""
    problems = []
    for name in [wanted] if wanted else CANDIDATES:
        found = inspect(name)
        if found is None:
            problems.append(f"{name} is not here, or does not run")
            continue
        version, executable, can_make_venv = found
        if not supported(version):
            problems.append(f"{name} is Python {dotted(version)}")
        elif not can_make_venv:
            problems.append(
                f"{name} (Python {dotted(version)}) lacks ensurepip, so it cannot make a virtual "
                f"environment; on Debian: sudo apt install python{dotted(version[:2])}-venv"
            )
        else:
            return version, executable
    listed = "\n  ".join(problems)
    sys.exit(
        f"The book needs Python {dotted(OLDEST)} to {dotted(NEWEST)}, with venv and ensurepip.\n"
        f"  {listed}\n"
        "Install one of these Pythons, then name it, for example: make setup PYTHON=python3.12"
    )


def run(*command):
    """Run a command with its output shown; exit if it fails."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    status = subprocess.call(words, cwd=str(ROOT))
    if status != 0:
        sys.exit("Setting up .venv failed at the command above. Run make setup again to retry.")


def digest(path):
    """Hash the content of a file. (A time would not do: git does not keep it.)"""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def set_up(wanted=None):
    """Bring .venv up to date, with the Python called `wanted` if one is given."""
    stamp = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    current = inspect(VENV_PYTHON)  # None as well when the Python it was made from has gone
    if wanted or not current or not supported(current[0]):
        version, executable = choose(wanted)
    else:
        version, executable = current[:2]

    # The folder is part of it because an environment that was moved does not work.
    environment = {
        "lock": digest(LOCK),
        "no-deps": digest(NO_DEPS),
        "python": version,
        "folder": str(ROOT),
    }
    package = digest(ROOT / "pyproject.toml")

    if not current or stamp.get("environment") != environment:
        print(f"Setting up .venv with Python {dotted(version)} (some minutes, 2.3 GB)")
        run(executable, "-m", "venv", "--clear", VENV)
        run(VENV_PYTHON, "-m", "pip", "install", "--requirement", LOCK)
        run(VENV_PYTHON, "-m", "pip", "install", "--no-deps", "--requirement", NO_DEPS)
        stamp = {"environment": environment}
        STAMP.write_text(json.dumps(stamp))
    if stamp.get("package") != package:
        # Without isolation, setuptools too is the locked one, not a fresh download.
        install = [VENV_PYTHON, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
        run(*install, "--editable", ROOT)
        stamp["package"] = package
        STAMP.write_text(json.dumps(stamp))


if __name__ == "__main__":
    # A second make at the same time waits here until the first has finished its set-up.
    fcntl.flock(os.open(str(ROOT), os.O_RDONLY), fcntl.LOCK_EX)
    set_up(*sys.argv[1:])
