"""How a verdict looks, and how progress is kept."""

import errno
import io
import json
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

import rfteach as rf
from rfteach.exercises import Verdict, check, progress
from rfteach.exercises.checking import exercises
from rfteach.exercises.record import keep, read_record
from rfteach.exercises.verdict import MARGIN, Picture


def backward(velocity, x1, steps):
    for i in range(steps, 0, -1):
        x1 = x1 - velocity(x1, torch.full((len(x1),), i / steps)) / steps
    return x1


def forward(velocity, x0, steps):
    for i in range(steps):
        x0 = x0 + velocity(x0, torch.full((len(x0),), i / steps)) / steps
    return x0


def test_a_verdict_reads_well_as_text():
    passed = Verdict("1.1", True, True, "Well done.")
    assert repr(passed) == "Exercise 1.1: passed\nWell done."
    assert repr(Verdict("1.1", True, False, "Why.")) == "Exercise 1.1: not right yet\nWhy."
    assert repr(Verdict("1.1", False, False, "")) == "Exercise 1.1: not attempted yet"


def test_a_verdict_reads_well_in_a_notebook():
    page = Verdict("1.1", True, False, "Use `x < y`.\nSecond line.")._repr_html_()
    page = page.replace(f" {MARGIN}", "")
    assert "<strong>✗ Exercise 1.1: not right yet</strong>" in page
    assert "<p>Use <code>x &lt; y</code>.</p><p>Second line.</p>" in page
    assert "✓" in Verdict("1.1", True, True, "")._repr_html_()
    assert "○" in Verdict("1.1", False, False, "")._repr_html_()


def test_what_an_answer_says_is_no_markup():
    def answer(velocity, z0):
        raise ValueError("<script>alert(1)</script>")

    page = check("6.1", answer)._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_picture_has_a_text():
    page = Verdict("1.1", True, True, "", Picture(b"png", 'the "target"'))._repr_html_()
    assert 'alt="the &quot;target&quot;"' in page and "data:image/png;base64," in page


@pytest.mark.parametrize(
    ("number", "answers"),
    [
        ("1.1", [forward]),
        ("1.2", [1.0]),
        ("2.2", [lambda x, t: -x]),
        ("2.3", [0.5]),
        ("3.2", [lambda w, x0, x1, s: rf.velocity_matching_loss(w, x1, x0, s), forward]),
        ("3.4", ["A"]),
        ("4.1", [forward]),
        ("5.1", [lambda velocity, noise, n: rf.PairedCoupling(*[noise.sample(n)] * 2)]),
        ("5.2", [lambda n: torch.rand(2, n, 2).unbind()]),
        ("6.1", [lambda velocity, z0: z0]),
        ("7.1", [0.0]),
        ("8.4", [1]),
    ],
)
def test_pictures_are_drawn_where_they_help(number, answers):
    verdict = check(number, *answers)
    image = Image.open(io.BytesIO(verdict.picture.png)).convert("L")
    assert image.getextrema() == (0, 255) and image.width > 200
    assert len(verdict.picture.alt) > 20
    assert plt.get_fignums() == []  # nothing is left for the notebook to show a second time


def test_a_picture_that_cannot_be_drawn_costs_no_verdict(monkeypatch):
    monkeypatch.setattr("rfteach.figures.planes", None)
    verdict = check("1.1", forward)
    assert "forward flow" in verdict.message and verdict.picture is None
    assert plt.get_fignums() == []


def test_without_a_home_folder_the_verdict_says_what_to_set(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("RFTEACH_PROGRESS")
    monkeypatch.setattr("pathlib.Path.home", home)
    verdict = check("1.1", backward)
    assert verdict.passed and "RFTEACH_PROGRESS" in verdict.message


def test_progress_is_kept(record_file):
    assert not record_file.exists()
    assert check("1.1", lambda velocity, x1, steps: x1).passed is False
    assert check("1.1", backward).passed
    assert json.loads(record_file.read_text())["1.1"] == {"passed": True, "tries": 2}

    check("1.1", forward)  # trying on does no harm
    assert json.loads(record_file.read_text())["1.1"] == {"passed": True, "tries": 2}

    table = progress()
    states = {row.number: row.state for row in table.rows}
    assert states.pop("1.1") == "passed" and set(states.values()) == {"open"}
    assert f"1 of {len(exercises())} exercises passed" in repr(table)
    assert str(record_file) in repr(table) and "Run the flow backward" in repr(table)
    page = table._repr_html_()
    assert page.count("<tr>") == len(exercises()) + 1 and "✓ passed" in page


def test_the_first_prediction_is_kept():
    check("1.2", 0.5)
    check("1.2", 1.33)
    (row,) = [row for row in progress().rows if row.number == "1.2"]
    assert row.state == "passed" and row.note == "2 tries; first prediction: 0.5"


def test_a_stub_and_a_solution_leave_no_mark(record_file):
    check("1.2", None)
    check("1.1", backward, record=False)
    assert not record_file.exists()
    assert "Kept in" not in repr(progress())


def test_deleting_the_file_starts_anew(record_file):
    check("1.1", backward)
    record_file.unlink()
    assert {row.state for row in progress().rows} == {"open"}


@pytest.mark.slow
def test_another_kernel_sees_the_same_progress(run_python):
    done = run_python("from rfteach.exercises import check; print(check('1.2', 1.33))")
    assert "passed" in done.stdout, done.stderr
    assert "1 of" in repr(progress())


@pytest.mark.parametrize(
    "content",
    [
        *["", "{", "[]", "null", '{"1.1": 3}', '{"1.1": null}'],
        *['{"1.1": {"tries": null}}', '{"1.1": {"tries": 1e400}}', "[" * 100_000],
    ],
)
def test_a_damaged_record_is_named_and_does_not_stop_a_check(record_file, content):
    record_file.parent.mkdir()
    record_file.write_text(content)
    verdict = check("1.1", backward)
    assert verdict.passed and "was not kept" in verdict.message and "delete it" in verdict.message
    assert record_file.read_text() == content
    with pytest.raises(ValueError, match="delete it to start anew"):
        progress()


def test_a_folder_in_place_of_the_record_is_named(record_file):
    record_file.mkdir(parents=True)
    verdict = check("1.1", backward)
    assert verdict.passed and "was not kept" in verdict.message
    with pytest.raises(ValueError, match="cannot be opened.* do not delete it"):
        progress()


def test_a_record_that_cannot_be_written_does_not_stop_a_check(record_file):
    record_file.parent.write_text("a file where the folder should be")
    verdict = check("1.1", backward)
    assert verdict.passed and "was not kept" in verdict.message


def test_kernels_that_write_at_once_lose_nothing(record_file):
    """Threads stand for the kernels: each opens the files anew, so a lock parts them as well."""

    def try_ten_times(number):
        for _ in range(10):
            keep(number, passed=False)

    with ThreadPoolExecutor(3) as kernels:
        list(kernels.map(try_ten_times, ("1.1", "1.2", "1.3")))
    assert [entry["tries"] for entry in read_record().values()] == [10, 10, 10]


def test_a_full_disk_leaves_the_record_and_nothing_beside_it(record_file, monkeypatch):
    check("1.1", backward)
    before = record_file.read_text()

    def full(path, *_, **__):
        path.touch()  # the name is there, but no room for what goes into it
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    assert "was not kept" in check("1.2", 1.33).message
    assert record_file.read_text() == before
    left = {path.name for path in record_file.parent.iterdir()}
    assert left <= {record_file.name, f"{record_file.name}.lock"}


def test_the_record_lives_in_the_home_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("RFTEACH_PROGRESS")
    for name in ("HOME", "USERPROFILE"):  # the second one on Windows
        monkeypatch.setenv(name, str(tmp_path))
    assert check("1.1", backward).passed
    assert (tmp_path / ".rfteach" / "progress.json").exists()
