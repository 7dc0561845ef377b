import pytest


@pytest.fixture(autouse=True)
def record_file(tmp_path, monkeypatch):
    """Keep the record of progress in a file of the test's own."""
    path = tmp_path / "home" / "progress.json"
    monkeypatch.setenv("RFTEACH_PROGRESS", str(path))
    return path


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the pictures of verdicts: test_verdicts.py looks at one for each exercise."""
    monkeypatch.setattr("rfteach.exercises.checking._drawn", lambda draw: None)
