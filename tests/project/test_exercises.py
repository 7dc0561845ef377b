"""An exercise is a statement and a stub in its chapter, a solution, and a checker: they agree."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from rfteach.exercises.checking import exercises

BOOK = Path(__file__).resolve().parents[2] / "book"
CHAPTERS = {int(path.name[:2]): path for path in sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))}
each = pytest.mark.parametrize("one", exercises().values(), ids=lambda one: one.number)


def cells(path: Path) -> dict:
    """Read a notebook: its cells by their ids."""
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def in_chapter(one) -> dict:
    return cells(CHAPTERS[int(one.number.split(".")[0])])


def in_solutions(one) -> dict:
    return cells(BOOK / "solutions" / CHAPTERS[int(one.number.split(".")[0])].name)


def cell_id(what: str, one) -> str:
    return f"{what}-{one.number.replace('.', '-')}"


def asked_for(code: str) -> tuple[str, dict[str, list[str]]]:
    """Return the call of `check` without `record`, and the arguments of each function it passes."""
    tree = ast.parse(code)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if getattr(node.func, "id", "") == "check"]
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != "record"]
    functions = {
        node.name: [argument.arg for argument in node.args.args]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    answers = [ast.unparse(argument) for argument in call.args[1:]]
    return ast.unparse(call), {name: functions.get(name, []) for name in answers}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_says_how_long_its_exercises_take(chapter):
    chapter_cells = cells(CHAPTERS[chapter])
    first, *_ = chapter_cells.values()
    marked = [
        int(minutes)
        for cell, content in chapter_cells.items()
        if cell.startswith("exercise-")
        for minutes in re.findall(r"(\d+) minutes\*", content.source)
    ]
    assert f"The exercises take another {sum(marked)} minutes." in first.source


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_to_five_exercises_in_order(chapter):
    numbers = [number for number in exercises() if number.startswith(f"{chapter}.")]
    assert numbers == [f"{chapter}.{k + 1}" for k in range(len(numbers))]
    assert 3 <= len(numbers) <= 5
    statements = [key for key in cells(CHAPTERS[chapter]) if re.match(r"exercise-\d", key)]
    assert statements == [f"exercise-{number.replace('.', '-')}" for number in numbers]


@each
def test_chapter_and_solution_share_the_statement(one):
    statement = in_chapter(one)[cell_id("exercise", one)].source
    assert in_solutions(one)[cell_id("exercise", one)].source == statement


@each
def test_the_statement_says_what_the_checker_knows(one):
    lines = in_chapter(one)[cell_id("exercise", one)].source.split("\n")
    assert lines[0] == f"### Exercise {one.number}: {one.title}"
    kind = {"code it": "Code", "predict, then run": "Predict, then run", "derive": "Derive"}
    assert re.fullmatch(rf"\*{kind[one.kind]}\b.*, \d+ minutes\*", lines[2])


@each
def test_hints_and_key_steps_are_folded(one):
    statement = in_chapter(one)[cell_id("exercise", one)].source
    folded = re.findall(r"<details>\n<summary>(.+)</summary>", statement)
    assert folded == ["Hint", "The key steps"][: 1 + (one.kind == "derive")]
    assert statement.rstrip().endswith("</details>")
    assert statement.count("</details>") == len(folded)


@each
def test_the_stub_and_the_solution_are_called_alike(one):
    stub = in_chapter(one)[cell_id("answer", one)].source
    solution = in_solutions(one)[cell_id("solution", one)].source
    assert asked_for(stub) == asked_for(solution)
    call, answers = asked_for(stub)
    assert call.startswith(f"check('{one.number}', ")
    assert len(answers) == len(one.answers)


@each
def test_the_stub_leaves_everything_to_the_reader(one):
    stub = in_chapter(one)[cell_id("answer", one)].source
    if one.kind == "predict, then run":
        assert "None  # your prediction" in stub or "None}  # your prediction" in stub
    else:
        assert stub.count("raise NotImplementedError") == len(one.answers)


@each
def test_the_solution_is_folded_checked_and_explained(one):
    found = in_solutions(one)
    solution = found[cell_id("solution", one)]
    assert "hide-cell" in solution.metadata.tags
    assert solution.metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
    # the one line that JupyterLab shows of a folded cell
    assert solution.source.startswith(f"# Exercise {one.number}, solved\n")
    assert "record=False)\nassert verdict.passed" in solution.source
    idea = found[cell_id("idea", one)].source
    assert idea.startswith("<details>") and idea.endswith("</details>") and len(idea) > 300
