"""What stands open in a chapter teaches; what draws, tabulates or checks is folded and says so."""

import copy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from scripts.fold_cells import FOLDS, fold, folds_of
from scripts.notebook_rules import LONGEST, open_code_breaches

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = {path.name: path for path in sorted(BOOK.glob("[01]*.ipynb"))}
MOST = 80  # open lines in a chapter
LARGE = {"12_scaling_up.ipynb": 120}
each_chapter = pytest.mark.parametrize("name", CHAPTERS)


@each_chapter
def test_open_code_teaches(name):
    cells = nbformat.read(CHAPTERS[name], as_version=4).cells
    assert open_code_breaches(cells, LARGE.get(name, MOST)) == []


@each_chapter
def test_a_folded_cell_says_why_and_is_folded_everywhere(name):
    for cell in nbformat.read(CHAPTERS[name], as_version=4).cells:
        if cell.cell_type == "code" and "hide-input" in cell.metadata.get("tags", []):
            assert len(folds_of(cell)) == 1, f"{cell.id}: one of the tags {list(FOLDS)}"
        before = copy.deepcopy(cell.metadata)
        fold(cell)
        assert cell.metadata == before, f"{cell.id}: run python -m scripts.fold_cells"


def test_what_does_not_teach_is_found():
    setup = new_code_cell("import torch\nassert torch")
    bad = ["assert 1 < 2", "figures.points(ax, x)", "axes[0].plot(x)", 'print(f"{x:.2f}")']
    cells = [setup, *map(new_code_cell, bad), new_code_cell("x = 1\n" * (LONGEST + 1))]
    breaches = open_code_breaches(cells, most=len(bad) + LONGEST)
    assert len(breaches) == len(bad) + 2
    for breach, line in zip(breaches, bad, strict=False):
        assert line in breach
    for cell in cells[1:]:
        cell.metadata["tags"] = ["checks"]
        fold(cell)
    assert open_code_breaches(cells, most=0) == []
