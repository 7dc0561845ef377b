"""The reference has every public name once, under the first chapter that uses it."""

from collections import Counter
from pathlib import Path

import api_reference
import pytest

import rfteach as rf

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def groups() -> dict[str, list[str]]:
    return api_reference.by_chapter(ROOT)


def test_every_public_name_has_one_entry(groups):
    entries = Counter(name for names in groups.values() for name in names)
    assert set(entries) == set(api_reference.public_names())
    assert {"euler", "train", "Velocity", "STRAIGHT"} <= set(entries)
    assert not {"figures", "exercises"} & set(entries)
    assert set(entries.values()) == {1}


def test_a_name_stands_under_the_first_chapter_that_uses_it(groups):
    first, second, third, *_ = groups.values()
    assert "euler" in first and "interpolate" in second and "train" in third


@pytest.mark.parametrize("name", sorted(api_reference.public_names()))
def test_every_entry_says_something(name):
    assert f"rfteach.{name}" in api_reference.entry(name)
    if api_reference.entry(name).startswith(".. py:data::"):
        assert "A constant." not in api_reference.entry(name)
    else:
        assert getattr(rf, name).__doc__


def test_stars_outside_of_backticks_are_no_markup():
    line = api_reference.plain_stars("points (n, *event), called as `f(*args)`")
    assert line == r"points (n, \*event), called as `f(*args)`"
