"""What rfteach says when it is given something wrong.

Here rfteach is imported as a reader imports it, without the run-time check of annotations that all
other tests have: it would speak before our own messages do. So these tests have a run of their own,
with PYTEST_ADDOPTS=--jaxtyping-packages= as in the Makefile, and are left out of any other.
"""

import re

import pytest
import torch

import rfteach as rf

torch.set_num_threads(1)


def pytest_ignore_collect(config):
    """Leave these tests out where annotations are checked."""
    return True if config.option.jaxtyping_packages else None


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
