"""The Makefile, the workflows and the hooks call only what exists."""

import re
import subprocess
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
    assert make_calls(listed.stdout) == TARGETS - {"help"} | {"help"}


def test_there_are_workflows():
    assert [path.name for path in WORKFLOWS] == ["publish.yml", "test.yml", "weekly.yml"]


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


def test_pre_commit_runs_what_make_lint_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    (hook,) = repository["hooks"]
    assert hook["entry"] == "make lint"


def test_the_guides_name_only_commands_that_exist():
    for name in ("README.md", "CONTRIBUTING.md"):
        assert make_calls((ROOT / name).read_text(encoding="utf-8")) <= TARGETS
