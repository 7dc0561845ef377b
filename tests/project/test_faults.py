"""The list of deliberate faults does not rot: benchmarks/faults.py can put each of them in."""

import shlex
from pathlib import Path

from benchmarks.faults import read_faults

ROOT = Path(__file__).parents[2]
FAULTS = read_faults()


def test_names_are_unique():
    assert len({(fault.group, fault.name) for fault in FAULTS}) == len(FAULTS)


def test_each_text_occurs_once_in_its_file():
    """Those of built pages are looked at when the faults run, since here there may be none."""
    counts = {
        f"{fault.group}: {fault.name}": (ROOT / fault.file).read_text("utf-8").count(fault.old)
        for fault in FAULTS
        if not fault.is_built
    }
    assert counts == dict.fromkeys(counts, 1)


def test_the_tests_that_should_catch_them_exist():
    for fault in FAULTS:
        assert bool(fault.test) != bool(fault.command), fault.name
        paths = [word for word in shlex.split(fault.test) if word.startswith(("tests/", "book/"))]
        assert paths or fault.command, fault.name
        assert all((ROOT / path).exists() for path in paths), fault.name
