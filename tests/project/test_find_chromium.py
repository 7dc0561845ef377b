"""scripts/find_chromium.py, on a pretended machine: only these programs exist."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import find_chromium as module

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Put programs into a PATH of their own; each ends with the given exit status."""
    monkeypatch.delenv("RFTEACH_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(module, "MAC_APPS", [])

    def make(name: str, status: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nexit {status}\n")
        path.chmod(0o755)
        return path

    return make


def test_a_program_that_does_not_start_is_passed_over(programs):
    programs("chromium-browser", status=1)
    chrome = programs("google-chrome")
    assert module.find_chromium() == chrome


def test_playwrights_newest_copy_is_found(programs):
    programs(".cache/ms-playwright/chromium-1100/chrome-linux/chrome")
    newest = programs(".cache/ms-playwright/chromium-1200/chrome-linux64/chrome")
    assert module.find_chromium() == newest


def test_the_environment_variable_decides(programs, monkeypatch):
    programs("chromium")
    other = programs("other")
    monkeypatch.setenv("RFTEACH_CHROMIUM", str(other))
    assert module.find_chromium() == other
    programs("other", status=1)
    with pytest.raises(FileNotFoundError, match="RFTEACH_CHROMIUM"):
        module.find_chromium()


def test_what_is_missing_is_installed(programs, monkeypatch):
    monkeypatch.setattr(module, "_install", lambda: programs("chromium"))
    module.main()


def test_without_a_browser_the_command_fails(programs, monkeypatch):
    monkeypatch.setattr(module, "_install", lambda: None)
    with pytest.raises(FileNotFoundError):
        module.main()
    command = [sys.executable, "-m", "scripts.find_chromium"]
    environment = {**os.environ, "RFTEACH_CHROMIUM": "/no/such/program"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "name the program in RFTEACH_CHROMIUM" in ended.stderr
