"""Hold every notebook that nbval collects to scripts/notebook_rules.py.

nbval runs the code cells. It compares no images, lets stderr pass, accepts a cell that is tagged
`raises-exception` and raises nothing, and leaves Markdown cells out. All of that is done here.
"""

import os
import sys
from pathlib import Path

import nbformat
import pytest

# As in the build: beside other processes, a second thread makes small networks many times slower.
# PyTorch reads it when it is imported, which is later than this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.append(str(Path(__file__).with_name("_ext")))  # for the tests of _ext too

from notebook_execution import KERNEL_ENVIRONMENT

from scripts.notebook_rules import figure_breaches, markdown_breaches, output_breaches


def pytest_configure(config):
    """Give the kernels the environment that they have when the book is built."""
    if config.option.nbval or config.option.nbval_lax:
        os.environ.update(KERNEL_ENVIRONMENT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """After nbval has run a code cell, look at what it yielded."""
    yield
    if type(item).__name__ == "IPyNbCell":
        breaches = figure_breaches(item.cell.metadata, item.test_outputs)
        breaches += output_breaches(item.cell.metadata, item.test_outputs)
        if breaches:
            item.raise_cell_error("The cell " + "; ".join(breaches))


def pytest_collect_file(file_path, parent):
    """Add the Markdown cells of a notebook as one more test, beside nbval's."""
    options = parent.config.option
    if file_path.suffix == ".ipynb" and (options.nbval or options.nbval_lax):
        return Prose.from_parent(parent, path=file_path)


class Prose(pytest.File):
    """The Markdown cells of one notebook."""

    def collect(self):
        """Yield the one test."""
        yield ProseCheck.from_parent(self, name="Markdown")


class ProseCheck(pytest.Item):
    """Fails when a Markdown cell would show raw syntax outside of the book."""

    def runtest(self):
        """Check all Markdown cells, and tell of all breaches at once."""
        cells = nbformat.read(self.path, as_version=4).cells
        breaches = [
            f"cell {number}, {breach}"
            for number, cell in enumerate(cells)
            if cell.cell_type == "markdown"
            for breach in markdown_breaches(cell.source)
        ]
        if breaches:
            heading = "Shows raw on Colab and in JupyterLab:"
            pytest.fail("\n  ".join([heading, *breaches]), pytrace=False)

    def reportinfo(self):
        """Name the test in reports."""
        return self.path, 0, f"{self.path.name}::Markdown"
