"""What rfteach says when it is given something wrong.

Here rfteach is imported as a reader imports it, without the run-time check of annotations that
tests/unit installs: that check would speak before our own messages do.
"""

import re
import sys

import pytest
import torch

import rfteach as rf

if "typechecker" in sys.modules:
    raise pytest.UsageError(
        "run tests/bad_input in a process of its own: tests/unit has already imported rfteach "
        "with its annotations checked"
    )

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def unchecked(request):
    """Make sure that the tests got rfteach without the checks, whatever folders ran with them."""
    assert request.module.rf is rf, "run tests/bad_input in a process of its own"


GOOD = rf.IndependentCoupling(rf.Gaussian(2), rf.Circle())


@pytest.fixture
def says():
    """Return a context in which an error must be raised whose message holds all the given texts."""

    def expect(error: type[Exception], *texts: str):
        in_any_order = "".join(f"(?=.*{re.escape(text)})" for text in texts)
        return pytest.raises(error, match=f"(?s){in_any_order}")

    return expect


@pytest.fixture
def coupling():
    """A coupling with nothing wrong."""
    return GOOD
