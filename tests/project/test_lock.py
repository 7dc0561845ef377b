"""scripts/lock.py: from what pip lists to requirements.lock and environment.yml."""

from scripts import lock

FREEZE = """\
torch==2.13.0+cpu
NumPy==2.4.6
nvidia-cublas==13.1
cuda-bindings==13.0
triton==3.6.0
pip==26.0
rfteach @ file:///somewhere
setuptools==84.2.1
attrs==26.1.0
"""


def test_the_lock_suits_every_machine():
    lines = lock.clean(FREEZE)
    assert lines == ["attrs==26.1.0", "NumPy==2.4.6", "setuptools==84.2.1", "torch==2.13.0"]


def test_environment_yml_takes_its_versions_from_the_lock():
    old = "- python=3.11\n- pip:\n  - torch==2.12.0\n  - -r requirements.lock\n"
    new = old.replace("2.12.0", "2.13.0")
    assert lock.repin(old, ["torch==2.13.0", "numpy==2.4.6"]) == new
