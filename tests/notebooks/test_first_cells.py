"""A chapter runs as fast for its reader as in the build, which gives it one thread."""

from pathlib import Path

import nbformat
import pytest

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("[01]*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_first_cells_say_how_many_threads(path):
    cells = nbformat.read(path, as_version=4).cells
    # In chapter 6 it is the second: the record of its ladder hangs on the first.
    first, second = [cell.source for cell in cells if cell.cell_type == "code"][:2]
    assert "torch.set_num_threads(" in first + second
