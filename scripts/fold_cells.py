"""Fold the code cells that do not teach: python -m scripts.fold_cells [NOTEBOOK ...]

A cell says by a tag what it does: `draws` (a figure), `tabulates` (a table) or `checks` (claims of
the text). This gives it all that folds it, with those words on the fold: in the book, in JupyterLab
and on Colab. Cells without such a tag stay as they are. Without arguments: all notebooks.
"""

import sys
from pathlib import Path

import nbformat

BOOK = Path(__file__).parents[1] / "book"
FOLDS = {  # tag of the cell: what the fold says when it is closed, and when it is open
    "draws": ("How this figure is drawn", "Hide how this figure is drawn"),
    "tabulates": ("How this table is made", "Hide how this table is made"),
    "checks": ("What is checked here", "Hide what is checked here"),
}


def folds_of(cell) -> list[str]:
    """Return those tags of a cell that say why it is folded."""
    return [tag for tag in cell.metadata.get("tags", []) if tag in FOLDS]


def fold(cell) -> None:
    """Give a code cell what folds it, if a tag asks for that."""
    for tag in folds_of(cell):
        shown, hidden = FOLDS[tag]
        cell.metadata["tags"] = sorted({*cell.metadata["tags"], "hide-input"})
        prompts = {"code_prompt_show": shown, "code_prompt_hide": hidden}
        cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **prompts}
        cell.metadata["jupyter"] = {**cell.metadata.get("jupyter", {}), "source_hidden": True}


def title(cell) -> str | None:
    """Return what stands on the fold of a cell, or None for a cell that is open."""
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show")
    return prompt if "hide-input" in cell.metadata.get("tags", []) else None


def main(paths: list[str]) -> None:
    """Fold the cells of notebooks in place."""
    for path in map(Path, paths or sorted(map(str, BOOK.glob("*.ipynb")))):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                fold(cell)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
