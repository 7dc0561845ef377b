"""scripts/setup_env.py: which Python it takes, and when it does nothing."""

import json
import sys

import pytest

from scripts import setup_env


@pytest.fixture
def pythons(monkeypatch):
    """Pretend that this machine has these Pythons and no others."""

    def pretend(**found):
        listed = {name.replace("_", "."): value for name, value in found.items()}
        monkeypatch.setattr(setup_env, "inspect", lambda name: listed.get(str(name)))

    return pretend


def test_inspect_tells_version_and_base_of_an_interpreter():
    version, base, can_make_venv = setup_env.inspect(sys.executable)
    assert version == list(sys.version_info[:3])
    assert base == sys._base_executable
    assert can_make_venv


@pytest.mark.parametrize("program", ["no-such-python", "false", "echo"])
def test_inspect_of_what_is_no_python(program):
    assert setup_env.inspect(program) is None


def test_python3_is_taken_when_it_fits(pythons):
    pythons(python3=([3, 12, 1], "/a", True), python3_13=([3, 13, 0], "/b", True))
    assert setup_env.choose(None) == ([3, 12, 1], "/a")


def test_the_newest_that_fits_is_taken_when_python3_does_not(pythons):
    pythons(
        python3=([3, 10, 13], "/a", True),
        python3_13=([3, 13, 0], "/b", False),
        python3_12=([3, 12, 1], "/c", True),
        python3_11=([3, 11, 7], "/d", True),
    )
    assert setup_env.choose(None) == ([3, 12, 1], "/c")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (([3, 10, 13], "/a", True), "python3 is Python 3.10.13"),
        (([3, 15, 0], "/a", True), "python3 is Python 3.15.0"),
        (([3, 11, 2], "/a", False), "sudo apt install python3.11-venv"),
        (None, "python3 is not here, or does not run"),
    ],
)
def test_the_error_says_what_is_wrong_and_what_to_do(pythons, found, message):
    pythons(python3=found)
    for wanted in (None, "python3"):
        with pytest.raises(SystemExit) as error:
            setup_env.choose(wanted)
        assert message in str(error.value)
        assert "make setup PYTHON=" in str(error.value)


# What a command of set-up is recognized by, and its name in the tests.
NAMES = {
    "-m venv": "venv",
    "install --requirement": "lock",
    "--no-deps --requirement": "no-deps",
    "--editable": "rfteach",
}
EVERYTHING = ["venv", "lock", "no-deps", "rfteach"]


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """A project folder in which set-up only records what it would run."""
    commands = []
    python = tmp_path / ".venv/bin/python"

    def run(*command):
        commands.append(" ".join(str(word) for word in command))
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    def inspect(name):
        if str(name) == str(python):
            return ([3, 11, 7], "/usr/bin/python3", True) if python.exists() else None
        return [3, 12 if "12" in name else 11, 7], "/usr/bin/python3", True

    monkeypatch.setattr(setup_env, "run", run)
    monkeypatch.setattr(setup_env, "inspect", inspect)
    monkeypatch.setattr(setup_env, "ROOT", tmp_path)
    monkeypatch.setattr(setup_env, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup_env, "VENV_PYTHON", python)
    monkeypatch.setattr(setup_env, "STAMP", tmp_path / ".venv/stamp.json")
    monkeypatch.setattr(setup_env, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(setup_env, "NO_DEPS", tmp_path / "requirements-no-deps.lock")
    (tmp_path / "requirements.lock").write_text("numpy==2\n")
    (tmp_path / "requirements-no-deps.lock").write_text("torchcfm==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")

    def call(wanted=None):
        commands.clear()
        setup_env.set_up(wanted)
        return [next(name for text, name in NAMES.items() if text in c) for c in commands]

    call.folder = tmp_path
    return call


def test_a_second_setup_does_nothing(setup):
    assert setup() == EVERYTHING
    assert setup() == []
    # A checkout gives files new times, not new contents.
    (setup.folder / "requirements.lock").touch()
    assert setup() == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-no-deps.lock"])
def test_a_changed_lock_makes_a_new_environment(name, setup):
    setup()
    (setup.folder / name).write_text("numpy==3\n")
    assert setup() == EVERYTHING


def test_a_changed_pyproject_installs_rfteach_again(setup):
    setup()
    (setup.folder / "pyproject.toml").write_text("[project]\nname = 'rfteach'\n")
    assert setup() == ["rfteach"]


def test_another_python_makes_a_new_environment(setup):
    setup()
    assert setup("python3.11") == []
    assert setup("python3.12") == EVERYTHING


def test_a_moved_folder_makes_a_new_environment(setup):
    setup()
    stamp = json.loads(setup_env.STAMP.read_text())
    stamp["environment"]["folder"] = "/elsewhere"
    setup_env.STAMP.write_text(json.dumps(stamp))
    assert setup() == EVERYTHING
