"""The glossary of book/notation.md, and where the words of a page are found."""

import re
from pathlib import Path

import glossary_links as glossary
import pytest
from docutils.core import publish_doctree

ROOT = Path(__file__).parents[2]
ENTRIES = glossary.entries(ROOT)
WORDS = """## Words

- **Coupling**: how the two ends of $X_t$ are drawn together. Reflow changes it.
- **Euler's method, Euler**: the solver that walks along the arrow, see [chapter 1](01.ipynb).
- **Floor**: the least value.
- **Order** (first order): a power.
- **Transport cost**: a mean squared length.
- **Cost**: what is paid.
"""
CHAPTER = """
A chapter
=========

The floor is promised.

Its coupling
------------

In ``coupling`` and in `this coupling <https://example.org>`_ are no links.
In order that this floor is seen, draw many
couplings. A second coupling has no
transport
cost. Its cost is one. Euler’s
method has *order*.

.. raw:: html

   <details><summary>Answer</summary>

An answer of first order.

.. raw:: html

   </details>

A section
~~~~~~~~~

The **floor** is the least. Now it is of first order.
"""


@pytest.fixture
def words(tmp_path) -> glossary.Words:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "notation.md").write_text(WORDS)
    return glossary.Words(tmp_path)


@pytest.fixture
def chapter():
    return publish_doctree(CHAPTER, settings_overrides={"doctitle_xform": False})


def test_an_entry_is_read(words):
    coupling, euler = words.entries["Coupling"], words.entries["Euler's method"]
    assert coupling.anchor == "term-coupling"
    assert coupling.tooltip == "How the two ends of Xₜ are drawn together."
    assert euler.names == ("Euler's method", "Euler")
    assert euler.tooltip == "The solver that walks along the arrow, see chapter 1."
    assert words.entries["Order"].forms == ("first order",)


def test_the_first_use_in_running_prose_is_found(words, chapter):
    uses = words.uses(chapter, index=False)
    found = {key: re.sub(r"\s", " ", use.match[0]) for key, use in uses.items()}
    assert found == {
        "Coupling": "couplings",
        "Floor": "floor",
        "Transport cost": "transport cost",
        "Cost": "cost",
        "Euler's method": "Euler’s method",  # noqa: RUF001
        "Order": "order",
    }
    assert uses["Order"].explained
    assert not uses["Floor"].explained
    assert uses["Floor"].text.astext().startswith(" are no links")


def test_the_index_prefers_the_section_that_explains(words, chapter):
    uses = words.uses(chapter, index=True)
    assert uses["Coupling"].match.string == "Its coupling"  # the heading
    assert uses["Floor"].section["ids"] == ["a-section"] and uses["Floor"].explained


def test_no_glossary_has_no_words(tmp_path, chapter):
    assert glossary.Words(tmp_path).uses(chapter, index=True) == {}


def test_all_lines_of_the_list_are_entries_in_alphabetical_order():
    text = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
    words = text.split("## Words")[1].split("\n## ")[0]
    assert len(ENTRIES) == words.count("\n- ")
    order = [entry.name.casefold().replace("é", "e") for entry in ENTRIES]
    assert order == sorted(order)


def test_a_phrase_leads_to_one_entry():
    for kind in ("forms", "names"):
        phrases = [phrase for entry in ENTRIES for phrase in getattr(entry, kind)]
        assert len(phrases) == len(set(phrases))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_tooltip_is_plain_and_short(entry):
    assert not re.search(r"[\\$`*{}]|_\w", entry.tooltip)
    assert 10 < len(entry.tooltip) < 160 and entry.tooltip.endswith(".")


def test_every_word_is_used():
    chapters = sorted((ROOT / "book").glob("[0-9]*.ipynb")) + [ROOT / "book" / "probability.ipynb"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in chapters).replace("\\n", " ")
    unused = {
        entry.name
        for entry in ENTRIES
        if not re.search("|".join(map(glossary.form, {*entry.forms, *entry.names})), text)
    }
    assert unused <= {"Event"}  # which the shapes in the docstrings name
