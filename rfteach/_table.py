"""The tables of the book: real tables in a page and in a notebook, aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Cell = Any  # text, a number, or a pair (value, error)

# Once a table; the rest of its look is in the style sheet of the book, or of the notebook.
STYLE = (
    "<style>.rf-table :is(th, td) {text-align: right} .rf-table .text {text-align: left}</style>"
)


class Table:
    """Columns of text and numbers under a head; a cell that ends with one shows it.

    Each number has three digits, or those of its column's format: `formats={"FID": ".1f"}`. A pair
    (value, error) is written as value ± error. None leaves a cell empty.

    Args:
        columns: the rows of each column, by its head. All columns are equally long.
        formats: format specifications, as of the built-in `format`, for some of the columns.

    Raises:
        ValueError: the columns are not equally long, or a format names no column.
    """

    def __init__(
        self, columns: Mapping[str, Sequence[Cell]], *, formats: Mapping[str, str] | None = None
    ):
        formats = formats or {}
        lengths = {head: len(rows) for head, rows in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a table are equally long, but these have {lengths}")
        if unknown := formats.keys() - columns.keys():
            raise ValueError(f"formats for {sorted(unknown)}, but the columns are {list(columns)}")
        self.heads = list(columns)
        written = [
            [_written(cell, formats.get(head)) for cell in columns[head]] for head in columns
        ]
        self.rows = list(zip(*written, strict=True))
        self.numeric = [
            not any(isinstance(cell, str) for cell in cells) for cells in columns.values()
        ]

    def _repr_html_(self) -> str:
        """Return the table for a page or a notebook."""

        def row(tag: str, cells: Sequence[str]) -> str:
            return "".join(
                f"<{tag}>{escape(cell)}</{tag}>"
                if numeric
                else f'<{tag} class="text">{escape(cell)}</{tag}>'
                for cell, numeric in zip(cells, self.numeric, strict=True)
            )

        body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in self.rows)
        head = f"<thead><tr>{row('th', self.heads)}</tr></thead>"
        return f'{STYLE}<table class="rf-table">{head}<tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        """Return the table as text with aligned columns."""
        lines = [self.heads, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.heads))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if numeric else cell.ljust(width)
                for cell, width, numeric in zip(line, widths, self.numeric, strict=True)
            ).rstrip()
            for line in lines
        )


def _written(cell: Cell, form: str | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, tuple):
        value, error = cell
        return f"{_number(value, form)} ± {_number(error, form or _like(value))}"
    return _number(cell, form)


def _number(value: float, form: str | None) -> str:
    """Write a number, with a true minus sign; an integer in full, or three digits of another."""
    if form is None:
        form = ",d" if isinstance(value, int) else _like(value)
    text = format(value, form)
    if not any(digit in text for digit in "123456789"):
        text = text.removeprefix("-")  # no sign for what was rounded to zero
    return text.replace("-", "\N{MINUS SIGN}")


def _like(value: float) -> str:
    """Return the format that shows three digits of a number, or to thousandths a smaller one."""
    size = abs(value)
    if 0 < size < 0.001:
        return ".1e"
    return ",.0f" if size >= 100 else ".1f" if size >= 10 else ".2f" if size >= 1 else ".3f"
