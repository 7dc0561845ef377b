"""Show that the rules for notebooks catch what they are there for.

The notebooks below run under nbval and the root conftest.py in a process of their own, as the
chapters do. Each cell of the bad one breaks one rule; the good one holds something close to each.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from scripts.notebook_rules import markdown_breaches

ROOT = Path(__file__).parents[2]
CURVE = "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()"
BLANK = (
    "import matplotlib.pyplot as plt\nplt.figure().add_axes((0, 0, 1, 1)).axis('off')\nplt.show()"
)
FIGURE = {"mystnb": {"figure": {"caption": "It rises."}, "image": {"alt": "A rising line"}}}
NO_CAPTION = {"mystnb": {"figure": {"name": "line"}, "image": {"alt": "A rising line"}}}
NO_ALT = {"mystnb": {"figure": {"caption": "It rises."}}}
RAISES = {"tags": ["raises-exception"]}

# The code, its metadata, and what the report must say of it.
BAD_CELLS = {
    "no image": ("x = 1", FIGURE, "yields 0 images"),
    "blank image": (BLANK, FIGURE, "its image is blank"),
    "no caption": (CURVE, NO_CAPTION, "without a caption"),
    "no alt text": (CURVE, NO_ALT, "without alt text"),
    "undeclared figure": (CURVE, {}, "declares no figure"),
    "two images": (CURVE + "\n" + CURVE, FIGURE, "yields 2 images"),
    "stderr": ("import warnings\nwarnings.warn('take care')", {}, "writes to stderr: "),
    "nothing raised": ("x = 1", RAISES, "raises nothing"),
    "error": ("assert 1 == 2, 'a wrong claim'", {}, "AssertionError"),
}
GOOD_CELLS = [
    new_code_cell(CURVE, metadata=FIGURE),
    new_code_cell("print('to stdout')"),
    new_code_cell("raise ValueError('on purpose')", metadata=RAISES),
    new_markdown_cell("# A title\n\nPlain [Markdown](other.ipynb) with $x_{0}$."),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict[str, str | None]:
    """Run both notebooks; return what each test says ("file test" -> failure or None)."""
    folder = tmp_path_factory.mktemp("notebooks")
    bad = [new_code_cell(code, metadata=metadata) for code, metadata, _ in BAD_CELLS.values()]
    bad.append(new_markdown_cell("Some text.\n\n:::{note}\nRaw on Colab.\n:::"))
    nbformat.write(new_notebook(cells=bad), folder / "bad.ipynb")
    nbformat.write(new_notebook(cells=GOOD_CELLS), folder / "good.ipynb")
    # "-p conftest" lets the root's conftest.py work on files that are not below it.
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "conftest", "--color=no"]
    command += [f"--rootdir={folder}", "--junitxml=report.xml", "-o", "junit_family=xunit1"]
    run = subprocess.run(
        [*command, str(folder)], cwd=folder, env=_environment(), capture_output=True, text=True
    )
    assert run.returncode == 1, run.stdout + run.stderr
    cases = ET.parse(folder / "report.xml").iter("testcase")
    return {f"{case.get('file')} {case.get('name')}": case.findtext("failure") for case in cases}


def _environment() -> dict[str, str]:
    """Make the root importable, and set a backend that the hook has to override."""
    return os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}


@pytest.mark.parametrize("position, name", list(enumerate(BAD_CELLS)))
def test_a_bad_cell_fails_and_says_why(report, position, name):
    failure = report[f"bad.ipynb Cell {position}"]
    assert failure is not None
    assert BAD_CELLS[name][2] in failure


def test_bad_markdown_fails_and_says_where(report):
    assert "cell 9, line 3: a MyST directive" in report["bad.ipynb Markdown"]


def test_a_good_notebook_passes(report):
    good = {name: failure for name, failure in report.items() if name.startswith("good.ipynb")}
    assert good == dict.fromkeys(
        ["good.ipynb Markdown", "good.ipynb Cell 0", "good.ipynb Cell 1", "good.ipynb Cell 2"]
    )


@pytest.mark.parametrize(
    "source",
    [
        "```{note}\nText.\n```",
        ":::{tip}\nText.\n:::",
        "> :::{tip}\n> Text.\n> :::",
        "See {ref}`here`.",
        "See {numref}`fig-one`.",
        "- as {cite}`liu2022` shows",
        "**{math}`x`**",
        "(my-label)=\n## Heading",
        "% a comment",
        "First line\n% a comment",
        "+++",
        "The value is {{ value }}.",
        "Term\n: Its definition",
        "A claim.[^1]",
        "> [!NOTE]\n> Text.",
        "\\begin{align}\nx &= 1\n\\end{align}",
        "$$x = 1$$ (eq-one)",
        "<details>\n<summary>See</summary>\n:::{note}\n</details>",
    ],
)
def test_markdown_that_shows_raw_elsewhere_is_found(source):
    assert markdown_breaches("A paragraph.\n\n" + source)


@pytest.mark.parametrize(
    "source",
    [
        "```python\nx = {'note': 1}  # {ref}`x`\n% magic\n```",
        "Write `{ref}` or ``{ref}`x` `` in a page.",
        "$\\mathbb{E}[X_1] = \\{x\\}$ is 50 % of it, 100% sure.",
        "$$\n% TeX has comments\n\\begin{aligned}x &= 1\\end{aligned}\n$$",
        "$$x$$",
        "> **Note.** A quotation: plain Markdown.",
        "<details>\n<summary>Answer</summary>\n\nText with $x$ and `code`.\n\n</details>",
        "| a | b |\n|:--|--:|\n| $x$ | (see) |",
        "$Z_1$: a formula first\n`code`: code first",
        "Note: a colon\n\n1. (first) = one\n2. [link](02_interpolation.ipynb#the-line)",
        "The set {a, b} and `code` after it, f(x)= 2.",
    ],
)
def test_plain_markdown_passes(source):
    assert markdown_breaches(source) == []
