"""The copies for Colab, and the wheel: one of them runs where there is no rfteach yet."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from scripts.try_colab import canonical, read_listing

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.name for path in (ROOT / "book").glob("*.ipynb"))


def make_copies(out: Path, *source: str) -> Path:
    """Run the script."""
    script = [sys.executable, "-m", "scripts.make_colab", "--out", out, *source]
    subprocess.run(script, check=True, cwd=ROOT)
    return out


def markdown(path: Path) -> str:
    """Return the text of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.fixture(scope="module")
def copies(tmp_path_factory) -> Path:
    """Make the copies as publishing does."""
    out = tmp_path_factory.mktemp("colab")
    return make_copies(out, "--repository", "ada/book", "--commit", "abc123")


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_copy_is_the_chapter_after_a_cell_that_installs(copies, name):
    chapter = nbformat.read(ROOT / "book" / name, as_version=4)
    copy = nbformat.read(copies / name, as_version=4)
    nbformat.validate(copy)
    code = [cell.source for cell in chapter.cells if cell.cell_type == "code"]
    copied = [cell.source for cell in copy.cells if cell.cell_type == "code"]
    if any("rfteach" in each for each in code):
        assert copy.cells[0].id == "install-rfteach"
        assert "git+https://github.com/ada/book@abc123" in copied.pop(0)
    assert [re.sub(r"^# @title .*\n", "", each) for each in copied] == code


def test_a_folded_cell_is_a_form(copies):
    cells = {cell.id: cell for cell in nbformat.read(copies / "01_flows.ipynb", 4).cells}
    assert cells["check-euler"].source.startswith("# @title What is checked here\nassert ")
    assert cells["check-euler"].metadata["cellView"] == "form"
    assert "cellView" not in cells["euler-from-scratch"].metadata


def test_links_lead_where_the_reader_can_follow(copies):
    chapter, copy = (markdown(folder / "01_flows.ipynb") for folder in (ROOT / "book", copies))
    assert "](02_interpolation.ipynb)" in chapter and "](references.md)" in chapter
    colab = "https://colab.research.google.com/github/ada/book/blob/gh-pages/colab/"
    assert f"]({colab}02_interpolation.ipynb)" in copy
    assert "](https://ada.github.io/book/book/references.html)" in copy


def refused(pyproject: str) -> list[str]:
    """Say what the install cell wants of Colab that Colab has in another version."""
    colab = read_listing((ROOT / "tests/launch/colab_versions.txt").read_text(encoding="utf-8"))
    project = tomllib.loads(pyproject)["project"]
    extras = {**project["optional-dependencies"], "": project["dependencies"]}
    (chapters,) = extras["chapters"]
    names = ["", *sorted(Requirement(chapters).extras)]
    wanted = [Requirement(text) for name in names for text in extras[name]]
    return [
        f"{each}, but Colab has {version}"
        for each in wanted
        if (version := colab.get(canonical(each.name))) and version not in each.specifier
    ]


def test_the_install_cell_replaces_nothing_of_colab():
    """By what rfteach itself asks for; `python -m scripts.try_colab` asks pip, in the workflow."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert refused(pyproject) == []
    newer = pyproject.replace('"ipywidgets>=7.7"', '"ipywidgets>=8.1"')
    assert refused(newer) == ["ipywidgets>=8.1, but Colab has 7.7.1"]


@pytest.fixture(scope="module")
def package() -> list[str]:
    """List the files of the package that git knows or would add."""
    git = ["git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard", "--", "rfteach"]
    listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    return listed.strip("\0").split("\0")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, package) -> Path:
    """Build the wheel, from a copy of what git knows, so that no leftovers get into it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in [*package, "pyproject.toml", "README.md", "LICENSE", "LICENSE-text"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", out, source], check=True)
    return next(out.glob("rfteach-*.whl"))


def test_the_wheel_has_every_file_of_the_package(wheel, package):
    packed = zipfile.ZipFile(wheel).namelist()
    assert sorted(name for name in packed if name.startswith("rfteach/")) == sorted(package)


@pytest.fixture
def empty_environment(tmp_path) -> Path:
    """Make an environment that has all of ours but rfteach; return its Python.

    The packages are linked one by one into a folder that a .pth file names. Neither rfteach nor
    the .pth file of its editable installation is among them.
    """
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "rfteach" not in path.name and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    inside = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (Path(inside) / "packages.pth").write_text(f"{packages}\n")
    return python


def test_a_copy_runs_where_there_is_no_rfteach(tmp_path, wheel, empty_environment):
    copies = make_copies(tmp_path / "colab", "--wheel", str(wheel))
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "JUPYTER_PATH")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    variables |= {"PIP_NO_INDEX": "1", "TQDM_DISABLE": "1"}  # what it needs is there already

    def run(*arguments) -> str:
        command = [empty_environment, *arguments]
        done = subprocess.run(command, cwd=copies, env=variables, capture_output=True, text=True)
        return done.stdout + done.stderr

    where = ("-c", "import rfteach; print(rfteach.__file__)")
    assert "No module named 'rfteach'" in run(*where)
    log = run("-m", "nbconvert", "--execute", "--to", "notebook", "--output=done", "01_flows.ipynb")
    assert (copies / "done.ipynb").exists(), log
    assert run(*where).startswith(str(tmp_path / "env"))
