"""environment.yml, pyproject.toml and the two locks describe one environment."""

import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import rfteach
from scripts.setup_env import NEWEST, OLDEST, dotted, supported

ROOT = Path(__file__).resolve().parents[2]

# What environment.yml names itself, so that its reader sees what the book is made with.
NAMED = {"jupyter-book", "jupyterlab", "torch", "matplotlib", "ipywidgets", "nbval"}


def pins(lines: list[str]) -> dict[str, str]:
    """Read name==version lines into {name: version}."""
    requirements = [Requirement(line) for line in lines if not line.startswith(("#", "-"))]
    found = {}
    for requirement in requirements:
        specifier = str(requirement.specifier)
        assert specifier.startswith("==") and "*" not in specifier, f"no exact pin: {requirement}"
        found[canonicalize_name(requirement.name)] = specifier.removeprefix("==")
    return found


def unmet(project: dict, locked: dict[str, str]) -> list[str]:
    """Say what pyproject.toml wants that the lock has not."""
    problems = []
    extras = project["optional-dependencies"].values()
    for text in project["dependencies"] + [text for extra in extras for text in extra]:
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        if name == project["name"]:  # the extra `dev` is made of the others
            continue
        if name not in locked:
            problems.append(f"pyproject.toml needs {name}, which the lock lacks")
        elif locked[name] not in wanted.specifier:
            problems.append(f"pyproject.toml wants {wanted}, the lock has {locked[name]}")
    return problems


def disagreements(pyproject: str, lock: str, no_deps: str, environment: str) -> list[str]:
    """Compare the contents of the four files; say every disagreement in a sentence."""
    project = tomllib.loads(pyproject)["project"]
    locked = pins(lock.splitlines())
    dependencies = yaml.safe_load(environment)["dependencies"]
    (pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    (python,) = [entry for entry in dependencies if str(entry).startswith("python=")]
    problems = unmet(project, locked)

    for name in pins(no_deps.splitlines()):
        if name in locked:
            problems.append(f"both locks have {name}")
    if "requirements-no-deps.lock" not in environment:
        problems.append("environment.yml does not say how to install requirements-no-deps.lock")

    named = pins(pip)
    for name in sorted(NAMED - named.keys()):
        problems.append(f"environment.yml does not name {name}")
    for name, version in named.items():
        if locked.get(name) != version:
            problems.append(f"environment.yml has {name} {version}, the lock {locked.get(name)}")
    for line in ("-r requirements.lock", "-e ."):
        if line not in pip:
            problems.append(f"environment.yml lacks {line}")

    version = python.removeprefix("python=")
    if not supported([int(part) for part in version.split(".")]):
        problems.append(f"environment.yml has Python {version}, for which there is no lock")
    if project["requires-python"] != f">={dotted(OLDEST)}":
        problems.append(f"pyproject.toml wants Python {project['requires-python']}")
    return problems


@pytest.fixture
def files() -> dict[str, str]:
    names = {
        "pyproject": "pyproject.toml",
        "lock": "requirements.lock",
        "no_deps": "requirements-no-deps.lock",
        "environment": "environment.yml",
    }
    return {key: (ROOT / name).read_text(encoding="utf-8") for key, name in names.items()}


def test_the_four_files_agree(files):
    assert disagreements(**files) == []


def test_the_package_the_code_and_the_citation_have_one_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert rfteach.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == version


def test_the_lock_suits_the_first_release_of_each_python(files):
    """The lock is made with a later one; Debian 12 has Python 3.11.2."""
    first = [f"3.{minor}.0" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    locked = pins(files["lock"].splitlines())
    wanted = {name: SpecifierSet(metadata(name)["Requires-Python"] or "") for name in locked}
    assert [name for name in wanted if not all(each in wanted[name] for each in first)] == []


def test_what_is_installed_without_its_requirements_imports():
    """The part of it that we use, from which the losses come."""
    from torchcfm.conditional_flow_matching import ConditionalFlowMatcher

    assert ConditionalFlowMatcher(sigma=0.0).sigma == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("lock", "\ntorch==2.13.0\n", "\ntorch==2.12.0\n", "environment.yml has torch 2.13.0"),
        ("lock", "\ntorch==2.13.0\n", "\ntorch==2.1.0\n", "pyproject.toml wants torch>=2.4"),
        ("lock", "\nPOT==", "\nPAN==", "pyproject.toml needs pot"),
        ("no_deps", "torchcfm==", "torch==", "both locks have torch"),
        ("environment", "requirements-no-deps.lock", "", "how to install requirements-no-deps"),
        ("environment", "python=3.11", "python=3.10", "environment.yml has Python 3.10"),
        ("environment", "python=3.11", "python=3.15", "environment.yml has Python 3.15"),
        ("pyproject", '">=3.11"', '">=3.11,<3.14"', "pyproject.toml wants Python >=3.11,<3.14"),
        ("environment", "- nbval==", "- nb==", "environment.yml does not name nbval"),
        ("environment", "- -r requirements.lock", "", "lacks -r requirements.lock"),
        ("environment", "- -e .", "", "lacks -e ."),
        ("pyproject", '"hypothesis>=6', '"hypothesis>=9000', "wants hypothesis>=9000"),
        ("pyproject", '"numpy>=', '"notnumpy>=', "needs notnumpy"),
    ],
)
def test_a_disagreement_is_found(files, file, old, new, problem):
    changed = files[file].replace(old, new)
    assert changed != files[file]
    found = disagreements(**{**files, file: changed})
    assert any(problem in sentence for sentence in found), found


def test_a_loose_version_in_the_lock_is_refused(files):
    loose = files["lock"].replace("\nnumpy==", "\nnumpy>=")
    with pytest.raises(AssertionError, match="no exact pin"):
        disagreements(**{**files, "lock": loose})
