"""scripts/find_other_browsers.py, on a pretended machine: only these programs exist."""

import subprocess

import pytest

from scripts import find_other_browsers as module


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Neither browser is there; return the commands that are run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "mini_browser", lambda: None)
    commands = []
    monkeypatch.setattr(subprocess, "run", lambda command: commands.append(command))
    return commands


def test_what_is_missing_is_said_and_not_installed_by_just_anybody(empty, monkeypatch, capsys):
    monkeypatch.setattr(module, "on_debian_as_root", lambda: False)
    module.main()
    said = capsys.readouterr().out
    assert "firefox: not tested, there is no firefox" in said
    assert "webkit: not tested, there is no WebKitWebDriver, Xvfb, MiniBrowser" in said
    assert empty == []


def test_what_is_missing_is_installed_by_root_on_debian(empty, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "on_debian_as_root", lambda: True)
    (tmp_path / "firefox").write_text("#!/bin/sh\n")
    (tmp_path / "firefox").chmod(0o755)
    module.main()
    assert empty[1:] == [["apt-get", "install", "-y", "webkit2gtk-driver", "xvfb"]]
