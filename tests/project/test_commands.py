"""The Makefile, the workflows and the hooks call only what exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))


def make_calls(text: str) -> set[str]:
    """Find the targets of every `make target` in a text."""
    return set(re.findall(r"\bmake ([a-z]+)", text))


def test_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert make_calls(listed.stdout) == TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_well_formed_and_calls_what_exists(path):
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["name"] and workflow["jobs"]
    assert True in workflow  # YAML reads the key `on` as a boolean
    for job in workflow["jobs"].values():
        assert job["runs-on"] and job["timeout-minutes"]
        for step in job["steps"]:
            assert "uses" in step or "run" in step
    assert make_calls(text) <= TARGETS
    for script in re.findall(r"scripts[/.](\w+)", text):
        assert (ROOT / f"scripts/{script}.py").exists()


def test_the_tests_run_on_every_supported_python():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_continuous_integration_calls_make_test():
    script = ROOT / ".ci/run"
    assert make_calls(script.read_text(encoding="utf-8")) == {"test"}
    assert script.stat().st_mode & 0o100, "not executable"


def test_the_guides_name_only_commands_that_exist():
    for name in ("README.md", "CONTRIBUTING.md"):
        assert make_calls((ROOT / name).read_text(encoding="utf-8")) <= TARGETS


START = """
import contextlib, runpy, sys
for name in ("fashion", "transfer", "captions"):
    sys.argv = [name, "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_module(f"scripts.train_{name}", run_name="__main__")
"""


def test_the_commands_that_train_start():
    """From the root, as CONTRIBUTING.md says; the other tests call their `main`."""
    done = subprocess.run([sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^usage: (\w+)", done.stdout, re.MULTILINE) == [
        "fashion", "transfer", "captions",
    ]  # fmt: skip
