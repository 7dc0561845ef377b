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
TOC = {"format": "jb-book", "root": "book/intro", "chapters": [{"file": "book/01_flows"}]}


class SmallBook:
    """A page and a notebook, which prints what its own little rfteach says."""

    def __init__(self, root: Path):
        self.root = root
        for folder in ["_ext", "assets"]:
            shutil.copytree(ROOT / folder, root / folder)
        shutil.copy(ROOT / "_config.yml", root)
        (root / "_toc.yml").write_text(yaml.safe_dump(TOC))
        (root / "rfteach").mkdir()
        (root / "book").mkdir()
        (root / "book" / "intro.md").write_text("# Introduction\n")
        cells = [nbformat.v4.new_markdown_cell("# Flows")]
        cells += [new_code_cell("import rfteach\n\nprint('rfteach says', rfteach.WORD)")]
        nbformat.write(new_notebook(cells=cells), root / "book" / "01_flows.ipynb")
        self.say("hello")

    def say(self, word: str):
        """Change the package."""
        (self.root / "rfteach" / "__init__.py").write_text(f"WORD = {word!r}\n")

    def build(self, **variables) -> str:
        """Build as `make book` does, with no other environment variables; return the log."""
        command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", self.root]
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root)}
        run = subprocess.run(command, env=known | variables, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def page(self, name: str) -> BeautifulSoup:
        """Return a built page."""
        path = self.root / "_build" / "html" / "book" / f"{name}.html"
        return BeautifulSoup(path.read_text(), "html.parser")


@pytest.fixture(scope="session")
def small_book(tmp_path_factory) -> SmallBook:
    """Make the small book, not built yet."""
    return SmallBook(tmp_path_factory.mktemp("small_book"))
