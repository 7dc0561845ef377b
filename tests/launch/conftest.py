"""A small book with this book's own settings, for tests that build one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]


class SmallBook:
    """A page and a notebook, which prints what its own little rfteach says."""

    def __init__(self, root: Path):
        self.root = root
        for folder in ["_ext", "assets"]:
            shutil.copytree(ROOT / folder, root / folder)
        shutil.copy(ROOT / "_config.yml", root)
        (root / "rfteach").mkdir()
        (root / "book").mkdir()
        (root / "book" / "intro.md").write_text("# Introduction\n")
        self.write("01_flows", "import rfteach\n\nprint('rfteach says', rfteach.WORD)")
        self.say("hello")

    def write(self, name: str, code: str):
        """Write a notebook, and list all that there are in the table of contents."""
        cells = [nbformat.v4.new_markdown_cell("# A chapter"), new_code_cell(code)]
        nbformat.write(new_notebook(cells=cells), self.root / "book" / f"{name}.ipynb")
        chapters = sorted(path.stem for path in (self.root / "book").glob("*.ipynb"))
        toc = {"format": "jb-book", "root": "book/intro"}
        toc["chapters"] = [{"file": f"book/{chapter}"} for chapter in chapters]
        (self.root / "_toc.yml").write_text(yaml.safe_dump(toc))

    def say(self, word: str):
        """Change the package."""
        (self.root / "rfteach" / "__init__.py").write_text(f"WORD = {word!r}\n")

    def start(self, **variables) -> subprocess.Popen:
        """Start to build as `make book` does, with no other environment variables."""
        command = [sys.executable, "-m", "scripts.build_book", self.root]
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=known | variables, **pipes)

    def build(self, *, succeeds: bool = True, **variables) -> str:
        """Build to the end; return the log."""
        run = self.start(**variables)
        log, _ = run.communicate()
        assert (run.returncode == 0) == succeeds, log
        return log

    def page(self, name: str) -> BeautifulSoup:
        """Return a built page."""
        path = self.root / "_build" / "html" / "book" / f"{name}.html"
        return BeautifulSoup(path.read_text(), "html.parser")


@pytest.fixture(scope="session")
def small_book(tmp_path_factory) -> SmallBook:
    """Make the small book, not built yet."""
    return SmallBook(tmp_path_factory.mktemp("small_book"))


@pytest.fixture
def new_book(tmp_path) -> SmallBook:
    """Make a small book that no other test has changed."""
    return SmallBook(tmp_path)
