"""Tables show their numbers in few digits, and the same in a page and as text."""

import re

import pytest

from rfteach import figures


def test_a_table_is_html_in_a_page_and_aligned_text_elsewhere():
    table = figures.Table(
        {"flow": ["1-RF", "<b>"], "steps": [1000, 2], "error": [(97.52, 0.125), (0.5, 0.25)]},
        formats={"error": ".1f"},
    )
    assert repr(table).splitlines() == [
        "flow  steps       error",
        "1-RF  1,000  97.5 ± 0.1",
        "<b>       2   0.5 ± 0.2",
    ]
    cells = re.findall(r"<(t[hd](?: [^>]*)?)>(.*?)</t[hd]>", table._repr_html_())
    assert [text for _, text in cells[:3]] == ["flow", "steps", "error"]
    assert [text for _, text in cells[3:6]] == ["1-RF", "1,000", "97.5 ± 0.1"]
    assert [text for _, text in cells[6:]] == ["&lt;b&gt;", "2", "0.5 ± 0.2"]
    left = [text for tag, text in cells if "text" in tag]
    assert left == ["flow", "1-RF", "&lt;b&gt;"]  # numbers are on the right


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (12345, "12,345"),
        (1234.5, "1,234"),
        (99.96, "100.0"),
        (8.333, "8.33"),
        (0.25, "0.250"),
        (0.00002, "2.0e−05"),
        (-2.5, "−2.50"),
        (-1e-12, "−1.0e−12"),
        (None, ""),
    ],
)
def test_a_number_has_about_three_digits(number, shown):
    assert figures.Table({"x": [number]}).rows == [(shown,)]


def test_what_is_rounded_to_zero_has_no_sign():
    assert figures.Table({"x": [-0.001]}, formats={"x": ".1f"}).rows == [("0.0",)]


def test_columns_and_formats_that_do_not_fit():
    with pytest.raises(ValueError, match=r"equally long, but these have \{'a': 2, 'b': 1\}"):
        figures.Table({"a": [1, 2], "b": [1]})
    with pytest.raises(ValueError, match=r"formats for \['c'\], but the columns are \['a'\]"):
        figures.Table({"a": [1]}, formats={"c": ".1f"})
