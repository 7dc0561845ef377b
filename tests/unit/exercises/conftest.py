import pytest


@pytest.fixture(autouse=True)
def record_file(tmp_path, monkeypatch):
    """Keep the record of progress in a file of the test's own."""
    path = tmp_path / "home" / "progress.json"
    monkeypatch.setenv("RFTEACH_PROGRESS", str(path))
    return path
