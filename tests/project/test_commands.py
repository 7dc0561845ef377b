"""The Makefile, the workflow, the hooks and the guides call only what exists."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.setup_env import NEWEST, OLDEST
from scripts.train.__main__ import JOBS as TRAINED

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
VERSIONS = (ROOT / ".github/workflows/versions.yml").read_text(encoding="utf-8")
JOBS = yaml.safe_load(WORKFLOW)["jobs"]
MATRIX = JOBS["check"]["strategy"]["matrix"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))


def make_calls(text: str) -> set[str]:
    """Find the targets of every `make target` in a text."""
    return set(re.findall(r"\bmake ([a-z]+)", text))


def test_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert make_calls(listed.stdout) == TARGETS


def test_the_workflow_runs_every_part_of_make_test():
    (parts,) = re.findall(r"^test: ([a-z ]+) ##", MAKEFILE, flags=re.MULTILINE)
    in_matrix = [*MATRIX["target"], *(row["target"] for row in MATRIX["include"])]
    called = make_calls(WORKFLOW) | {*in_matrix}
    assert {*parts.split()} - {"browser"} <= called <= TARGETS  # others call for it


def test_the_workflow_tests_on_every_supported_python():
    versions = [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    assert MATRIX["python"] == versions
    bounds = yaml.safe_load(VERSIONS)["jobs"]["bounds"]["strategy"]["matrix"]
    assert bounds["python"] == versions
    assert [(row["resolution"], row["python"]) for row in bounds["include"]] == [
        ("lowest-direct", versions[0])
    ]


@pytest.mark.parametrize("name", ["publish", "release"])
def test_only_what_passed_every_test_goes_out(name):
    """And only these two jobs may write."""
    tests = {*JOBS} - {"publish", "release"}
    assert {*JOBS[name]["needs"]} == tests
    assert yaml.safe_load(WORKFLOW)["permissions"] == {"contents": "read"}
    assert not any("permissions" in JOBS[test] for test in tests)


def test_the_actions_are_pinned():
    """A tag may move to other code, a commit may not. The comment says which version it is."""
    actions = re.findall(r"uses: (.*)", WORKFLOW + VERSIONS)
    assert actions
    assert [a for a in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", a)] == []


def test_the_scripts_that_the_workflow_runs_exist():
    scripts = re.findall(r"scripts[/.](\w+)", WORKFLOW + VERSIONS)
    assert scripts and all((ROOT / f"scripts/{script}.py").exists() for script in scripts)


def test_a_home_folder_that_cannot_be_written_is_replaced(tmp_path):
    """Jupyter would stop at it. Here it is a missing one, since root may write in any other."""
    (tmp_path / "Makefile").write_text(MAKEFILE + "\nhome:\n\t@echo it is $$HOME\n")
    for home, used in [(tmp_path, tmp_path), (tmp_path / "none", tmp_path / ".home")]:
        said = subprocess.run(
            ["make", "home"],
            cwd=tmp_path,
            env=os.environ | {"HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert f"it is {used}\n" in said and used.is_dir()
        assert ("cannot be written" in said) == (home != used)


def test_continuous_integration_calls_make_test():
    script = ROOT / ".ci/run"
    assert make_calls(script.read_text(encoding="utf-8")) == {"test"}
    assert script.stat().st_mode & 0o100, "not executable"


def test_the_guides_name_only_commands_that_exist():
    for name in ("README.md", "CONTRIBUTING.md"):
        assert make_calls((ROOT / name).read_text(encoding="utf-8")) <= TARGETS


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_a_benchmark_finds_all_that_it_imports(path):
    importlib.import_module(f"benchmarks.{path.stem}")


@pytest.mark.slow
def test_the_command_that_trains_starts():
    """From the root, as CONTRIBUTING.md says; the other tests call its `main`."""
    command = [sys.executable, "-m", "scripts.train", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in TRAINED)
