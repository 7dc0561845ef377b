"""Which exercises the reader has passed: one file on the reader's own machine, and nowhere else."""

from __future__ import annotations

import contextlib
import html
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from rfteach._runs.tensors import NO_LOCKS

STATES = {"passed": "✓ passed", "tried": "✗ not right yet", "open": "○ open"}


def record_file() -> Path:
    """Return where the record is kept: RFTEACH_PROGRESS if it is set, else in the home folder.

    Raises:
        ValueError: there is no home folder.
    """
    chosen = os.environ.get("RFTEACH_PROGRESS")
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".rfteach" / "progress.json"
    except RuntimeError as error:
        raise ValueError(
            f"there is no folder for your progress ({error}); set the environment variable "
            f"RFTEACH_PROGRESS to the path of a file"
        ) from error


def read_record() -> dict[str, dict]:
    """Return what is known of each exercise that was tried, by number.

    Raises:
        ValueError: the file is damaged or cannot be read, or there is no place for it.
    """
    path = record_file()
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {
            number: {
                **entry,
                "passed": bool(entry.get("passed", False)),
                "tries": int(entry.get("tries", 1)),
            }
            for number, entry in entries.items()
        }
    except OSError as error:
        raise ValueError(
            f"the record of your progress, {path}, cannot be opened ({error}). It may be whole, so "
            f"do not delete it; put right what keeps it from being opened, or set RFTEACH_PROGRESS "
            f"to the path of another file"
        ) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"the record of your progress, {path}, is damaged ({error}); delete it to start anew"
        ) from error


def keep(number: str, *, passed: bool, prediction: str | None = None) -> None:
    """Note one more try. An exercise once passed stays passed; a first prediction stays first.

    Raises:
        OSError: the file cannot be written.
        ValueError: the file is damaged, or there is no place for it.
    """
    path = record_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(path):
        entries = read_record()
        entry = entries.setdefault(number, {"passed": False, "tries": 0})
        entry["tries"] += not entry["passed"]
        entry["passed"] |= passed
        if prediction is not None:
            entry.setdefault("first prediction", prediction)
        # Written beside and then moved: a kernel that dies here leaves the old record whole.
        new = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            new.write_text(json.dumps(entries, indent=1), encoding="utf-8")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)  # there still when the disk is full


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Have two kernels add to the record one after the other, where the disk knows locks.

    The file beside it stays: a kernel may be waiting for it already.

    Raises:
        OSError: it cannot be locked, or another kernel does not let go of it for 10 seconds.
    """
    lock = FileLock(path.with_name(path.name + ".lock"), timeout=10)
    try:
        lock.acquire(poll_interval=0.01)
    except NotImplementedError:  # what filelock makes of ENOSYS
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Row:
    """One exercise in the table of progress."""

    number: str
    title: str
    kind: str
    state: str
    note: str


@dataclass(frozen=True)
class Progress:
    """All exercises of the book, and how far the reader has come."""

    rows: list[Row]
    file: Path | None

    @property
    def headline(self) -> str:
        """How many are passed, and where that is kept."""
        passed = sum(row.state == "passed" for row in self.rows)
        kept = f" Kept in {self.file}; delete that file to start anew." if self.file else ""
        return f"{passed} of {len(self.rows)} exercises passed.{kept}"

    def __repr__(self) -> str:
        lines = [
            f"{row.number:>5}  {STATES[row.state]:17}{row.title} ({row.kind})"
            + (f", {row.note}" if row.note else "")
            for row in self.rows
        ]
        return "\n".join([self.headline, *lines])

    def _repr_html_(self) -> str:
        space = 'style="padding-right: 1rem; text-align: left; vertical-align: top"'
        names = ("exercise", "title", "kind", "state", "notes")
        head = "<tr>" + "".join(f"<th {space}>{name}</th>" for name in names) + "</tr>"
        cells = (
            (row.number, row.title, row.kind, STATES[row.state], row.note) for row in self.rows
        )
        body = "".join(
            "<tr>" + "".join(f"<td {space}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in cells
        )
        table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
        return f"<p>{html.escape(self.headline)}</p>{table}"


def row_of(number: str, title: str, kind: str, entry: dict | None) -> Row:
    """Return the row of one exercise, given what the record says of it."""
    if entry is None:
        return Row(number, title, kind, "open", "")
    tries = entry["tries"]
    notes = [f"{tries} {'try' if tries == 1 else 'tries'}"]
    if "first prediction" in entry:
        notes.append(f"first prediction: {entry['first prediction']}")
    state = "passed" if entry["passed"] else "tried"
    return Row(number, title, kind, state, "; ".join(notes))
