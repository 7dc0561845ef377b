"""The words of the glossary in a built book: links, tooltips, and the index."""

import yaml

NOTATION = "# Notation\n\n## Words\n\n- **Coupling**: {}. More.\n- **Floor**: the least value.\n"
CHAPTER = """# A chapter

## Its coupling

Here `coupling` is code. A coupling, and **floor** is bold. Another coupling has a floor.

And here is `rf.WORD`.
"""
INDEX = """# Index

```{book-index} words
```

```{book-index} names
```
"""


def test_words_lead_to_the_glossary_and_the_index_leads_to_them(new_book):
    book = new_book.root / "book"
    pages = {"02_words": CHAPTER, "subject_index": INDEX}
    for name, text in pages.items():
        (book / f"{name}.md").write_text(text)
    (book / "notation.md").write_text(NOTATION.format("how the ends $X_0$ are drawn"))
    toc = {"format": "jb-book", "root": "book/intro"}
    toc["chapters"] = [{"file": f"book/{name}"} for name in ["notation", *pages]]
    (new_book.root / "_toc.yml").write_text(yaml.safe_dump(toc))
    new_book.build()

    assert new_book.page("notation").select_one("li#term-coupling").strong.text == "Coupling"
    links = new_book.page("02_words").select("a.rf-term")
    assert [link.text for link in links] == ["coupling"]  # the floor is explained
    assert links[0]["href"] == "notation.html#term-coupling"
    assert links[0]["title"] == "How the ends X₀ are drawn."
    assert links[0].previous_sibling.strip() == "is code. A"
    lines = [line.get_text(" ") for line in new_book.page("subject_index").select(".rf-index li")]
    assert [" ".join(line.split()) for line in lines] == [
        "Coupling Chapter 2: Its coupling",
        "Floor Chapter 2: Its coupling",
        "rf.WORD Chapter 2: Its coupling",
    ]

    # What changes elsewhere is seen on pages that have not changed.
    (book / "notation.md").write_text(NOTATION.format("how all is drawn"))
    (book / "02_words.md").write_text(CHAPTER + "\n## The coupling again\n\nA *coupling*.\n")
    new_book.build()
    page = new_book.page("02_words")
    assert page.select_one("a.rf-term")["title"] == "How all is drawn."
    place = new_book.page("subject_index").select(".rf-index li a")[1]
    assert place["href"] == "02_words.html#the-coupling-again"
