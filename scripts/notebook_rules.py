"""What a chapter's cells must hold to beyond running without an error.

A chapter is read in the book, in JupyterLab, on Colab and in GitHub's preview. So its Markdown is
plain, its figures have a caption and alt text (in the metadata, where only the book reads them),
and nothing goes to stderr. What stands open teaches: what draws, prints tables or checks is folded.
Each function returns the breaches it found, one sentence each. The root conftest.py applies them to
every cell that nbval runs; what stands open is looked at by tests/notebooks/test_open_code.py.
"""

import base64
import io
import re

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from PIL import Image

# MyST and GitHub syntax that is not Markdown everywhere: what it is, and how its lines look.
LINES = {
    "a MyST directive": re.compile(r"\s*:{3,}"),
    "a MyST label": re.compile(r"\s*\([^()\s]+\)=\s*$"),
    "a MyST comment": re.compile(r"\s*%"),
    "a MyST block break": re.compile(r"\s*\+\+\+"),
    "a MyST substitution": re.compile(r".*\{\{.*\}\}"),
    "a definition list": re.compile(r"\s*: \S"),
    "a footnote": re.compile(r".*\[\^[^\]\s]+\]"),
    "a GitHub alert": re.compile(r"\s*\[!\w+\]"),
    "an equation outside of $$": re.compile(r"\s*\\begin\{"),
}
# What an open cell does not do, and how the line looks that does it.
NOT_OPEN = {
    "an assert": re.compile(r"\s*assert\b"),
    "a drawing call": re.compile(r".*\b(plt|figures|figure|ax|axes(\[.*\])?)\."),
    "a formatted print": re.compile(r".*\bprint\(\s*f[\"']"),
}
LONGEST = 20  # lines of an open cell
ROLE = re.compile(r"\{[\w:+.-]+\}$")  # what stands before the code span: {ref}`label`


def markdown_breaches(source: str) -> list[str]:
    """Find what would show raw outside of the book. Code and formulas may hold anything."""
    breaches = []
    for token in MarkdownIt("commonmark").use(dollarmath_plugin).parse(source):
        first_line = token.map[0] + 1 if token.map else 0
        if token.type == "fence" and token.info.startswith("{"):
            breaches.append(f"line {first_line}: a MyST directive, {token.info!r}")
        elif token.type == "math_block_label":
            breaches.append(f"line {first_line}: an equation label, {token.info!r}")
        elif token.type in ("inline", "html_block"):
            breaches += _text_breaches(token, first_line)
    return breaches


def _text_breaches(token, first_line: int) -> list[str]:
    """Look at running text, line by line, with a mark in place of code and formulas."""
    text, breaches = "", []
    for part in token.children or [token]:
        if part.type == "code_inline" and ROLE.search(text):
            breaches.append(
                f"line {first_line}: a MyST role, {ROLE.search(text)[0]}`{part.content}`"
            )
        if part.type in ("text", "html_block", "html_inline"):
            text += part.content
        elif part.type in ("softbreak", "hardbreak"):
            text += "\n"
        elif part.content:  # code or a formula; in other parts it is markup, such as **
            text += "\N{OBJECT REPLACEMENT CHARACTER}"
    for number, line in enumerate(text.split("\n"), start=first_line):
        for name, look in LINES.items():
            if look.match(line):
                breaches.append(f"line {number}: {name}, {line.strip()!r}")
    return breaches


def figure_breaches(metadata: dict, outputs: list[dict]) -> list[str]:
    """Hold the images that a code cell made against the figure that its metadata declares."""
    bundles = [output.get("data", {}) for output in outputs]
    images = [bundle for bundle in bundles if any(kind.startswith("image/") for kind in bundle)]
    book = metadata.get("mystnb", {})
    figure = book.get("figure")
    if not figure:
        return ["yields an image but declares no figure (mystnb.figure)"] if images else []
    breaches = []
    if not figure.get("caption", "").strip():
        breaches.append("declares a figure without a caption (mystnb.figure.caption)")
    if not book.get("image", {}).get("alt", "").strip():
        breaches.append("declares a figure without alt text (mystnb.image.alt)")
    drawn = [bundle["image/png"] for bundle in images if "image/png" in bundle]
    if len(drawn) != 1:
        breaches.append(f"declares a figure but yields {len(drawn)} images of type image/png")
    if any(is_blank(png) for png in drawn):
        breaches.append("declares a figure but its image is blank")
    return breaches


def is_blank(png: str) -> bool:
    """Say whether a base64-encoded PNG shows one colour only, on a white page."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    page = Image.new("RGBA", image.size, "white")
    shown = Image.alpha_composite(page, image).convert("RGB")
    return all(low == high for low, high in shown.getextrema())


def output_breaches(metadata: dict, outputs: list[dict]) -> list[str]:
    """Find output that no reader should see, and an announced error that does not come."""
    breaches = [
        f"writes to stderr: {output['text'].strip()[:500]}"
        for output in outputs
        if output["output_type"] == "stream" and output["name"] == "stderr"
    ]
    raised = any(output["output_type"] == "error" for output in outputs)
    if "raises-exception" in metadata.get("tags", []) and not raised:
        breaches.append("is tagged raises-exception but raises nothing")
    return breaches


def open_code(cells: list) -> list:
    """Return the code cells that a reader sees open, but for the setup and stubs of exercises."""
    code = [cell for cell in cells if cell.cell_type == "code"][1:]
    folded = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
    return [
        cell
        for cell in code
        if not folded & set(cell.metadata.get("tags", [])) and not cell.id.startswith("answer-")
    ]


def lines_of(cell) -> list[str]:
    """Return the lines of a cell that are not blank."""
    return [line for line in cell.source.splitlines() if line.strip()]


def open_code_breaches(cells: list, most: int) -> list[str]:
    """Find what stands open and does not teach, and more than `most` open lines in all."""
    breaches, total = [], 0
    for cell in open_code(cells):
        lines = lines_of(cell)
        total += len(lines)
        if len(lines) > LONGEST:
            breaches.append(f"cell {cell.id}: {len(lines)} open lines, but at most {LONGEST}")
        for line in lines:
            breaches += [
                f"cell {cell.id}: {what} stands open, {line.strip()!r}"
                for what, look in NOT_OPEN.items()
                if look.match(line)
            ]
    if total > most:
        breaches.append(f"{total} open lines in the chapter, but at most {most}")
    return breaches
